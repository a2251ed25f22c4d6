"""Watch: what is exchanged while a function is recorded, and put back afterwards.

Nothing is added to Value for the compiler's sake. While at least one recording goes on, some of
its attributes are exchanged for those of `answers`, which note new nodes, turn comparisons into
nodes, turn truth into a guard, and refuse what a compiled program could not repeat; so are the few
functions below, which look at numbers otherwise. Other threads, which record nothing, see the
usual behaviour throughout.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scalargrad import autodiff, ops
from scalargrad.compiler.passes.lookups import recorded_take
from scalargrad.compiler.trace.answers import ANSWERS
from scalargrad.compiler.trace.deferred import (
    ADJOINT_NODE,
    deferred_signals,
    deferred_tangents,
)
from scalargrad.compiler.trace.exchange import Exchange, everywhere
from scalargrad.compiler.trace.interception import intercepting
from scalargrad.compiler.trace.numbers import Number
from scalargrad.compiler.trace.refusal import refuse
from scalargrad.compiler.trace.sweeps import SWEEPS, hashes_watched
from scalargrad.compiler.trace.trace import CURRENT, Trace, current_trace
from scalargrad.errors import DomainError, TraceError
from scalargrad.grad_mode import enable_grad, no_grad
from scalargrad.ops import indexing, reductions
from scalargrad.table import numbers
from scalargrad.transforms import functional
from scalargrad.transforms.draws import Draw, made_by
from scalargrad.value import Scalar, Value


@contextmanager
def watching(trace: Trace) -> Iterator[None]:
    """Note in `trace` what happens to Values in this thread or task."""
    draws = intercepting(functools.partial(_drawn, trace), trace.generators.names)
    with _VALUES.on(), hashes_watched(), draws:
        token = CURRENT.set(trace)
        try:
            yield
        finally:
            CURRENT.reset(token)


def _left_domain(self: DomainError, *args: object) -> None:
    trace = current_trace()
    if trace is not None:
        trace.left_domain = True
    Exception.__init__(self, *args)


def _refused(self: TraceError, *args: object) -> None:
    trace = current_trace()
    if trace is not None:
        trace.refusal = self
    Exception.__init__(self, *args)


def _no_grad(self: no_grad) -> None:
    if current_trace() is not None:
        refuse("no_grad was entered", "use .detach() on what gradients must not flow through")
    _usual_no_grad(self)


def _enable_grad(self: enable_grad) -> None:
    trace = current_trace()
    if trace is not None:
        trace.nested += 1
    _usual_enable_grad(self)


def _leave_enable_grad(self: enable_grad, *exception: object) -> None:
    trace = current_trace()
    if trace is not None:
        trace.nested -= 1
    _usual_leave_enable_grad(self, *exception)


_usual_no_grad, _usual_enable_grad = no_grad.__enter__, enable_grad.__enter__
_usual_leave_enable_grad = enable_grad.__exit__


def _gradient_graphs(order: Any, seeds: Any) -> dict[Value, Scalar]:
    """Return error signals as nodes to be derived later, where the recording is not nested.

    A gradient inside a gradient is recorded step by step, so that its numbers are known; those
    that depend on the examples of vmap are not known anyway.
    """
    trace = current_trace()
    if trace is not None and _has_lanes(trace, order):
        return deferred_signals(order, seeds)
    if trace is None or trace.nested > 1:
        return _usual_gradient_graphs(order, seeds)
    if any(node.op is ADJOINT_NODE for node in order):
        refuse("a gradient of a gradient was taken", "nest grad: grad(grad(f))")
    return deferred_signals(order, seeds)


_usual_gradient_graphs = autodiff.gradient_graphs


def _push_forward(order: Any, moving: Any, as_graph: bool) -> dict[Value, Scalar]:
    """Return tangents; nodes to be derived later, where they belong to the examples of vmap."""
    trace = current_trace()
    if trace is not None and _has_lanes(trace, order):
        return deferred_tangents(order, moving)
    return _usual_push_forward(order, moving, as_graph)


_usual_push_forward = functional.push_forward


def _has_lanes(trace: Trace, order: Any) -> bool:
    """Return whether nodes depend on the examples of vmap."""
    return trace.lanes is not None and any(map(trace.lanes.depends, order))


def _score_shift(scores: list[Any]) -> Any:
    if current_trace() is None:
        return _usual_score_shift(scores)
    largest = ops.maximum(*scores)
    return largest.detach() if isinstance(largest, Value) else largest


_usual_score_shift = reductions._score_shift


def _choice(values: Any, index: Any) -> Any:
    known = current_trace() is None or not isinstance(index, Value)
    return (_usual_choice if known else recorded_take)(values, index)


_usual_choice = indexing._choice


def _holds(condition: Any) -> bool:
    """Take for granted what depends on the examples of vmap; calls where it is false are eager."""
    trace = current_trace()
    if trace is None or trace.lanes is None or not trace.lanes.depends(condition):
        return _usual_holds(condition)
    trace.guards.append((condition, True))
    return True


_usual_holds = numbers.holds


def _drawn(trace: Trace, draw: Draw) -> Any:
    """Draw, and return an input that stands for the number."""
    with made_by(None):
        if trace.generators.is_inner(draw):
            return draw()
        trace.generators.note(draw)
        leaf = Number(draw())
    trace.nodes.pop()  # an input, not a node
    trace.draws.append((draw, leaf))
    lanes = trace.lanes
    return lanes.drawn(draw, leaf) if lanes is not None and lanes.count else leaf


_ANSWERS: dict[tuple[Any, str], Any] = {(Value, name): answer for name, answer in ANSWERS.items()}
_ANSWERS |= SWEEPS
_ANSWERS |= {
    (DomainError, "__init__"): _left_domain,
    (TraceError, "__init__"): _refused,
    (no_grad, "__enter__"): _no_grad,
    (enable_grad, "__enter__"): _enable_grad,
    (enable_grad, "__exit__"): _leave_enable_grad,
    (reductions, "_score_shift"): _score_shift,
    (indexing, "_choice"): _choice,
    (numbers, "holds"): _holds,
    (functional, "push_forward"): _push_forward,
}
_ANSWERS |= dict.fromkeys(everywhere(_usual_gradient_graphs), _gradient_graphs)
_VALUES = Exchange(_ANSWERS)
