"""Watch: how Values answer while a function is recorded.

Nothing is added to Value for the compiler's sake. While at least one recording goes on, some of
Value's attributes are exchanged for ones that note new nodes, turn comparisons into nodes, turn
truth into a guard, and refuse what a compiled program could not repeat. Other threads, which
record nothing, see the usual behaviour throughout.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scalargrad import autodiff, draws, functional, ops
from scalargrad.compiler.deferred import ADJOINT_NODE, DETACH, deferred_signals, deferred_tangents
from scalargrad.compiler.lookups import recorded_take
from scalargrad.compiler.randomness import Generators, watched
from scalargrad.compiler.refusal import refuse
from scalargrad.compiler.stacking import Lanes, UnlikeError
from scalargrad.draws import Draw
from scalargrad.errors import DomainError, TraceError
from scalargrad.ops import indexing, reductions
from scalargrad.ops.numbers import is_real
from scalargrad.ops.recording import enable_grad, no_grad
from scalargrad.value import Scalar, Value


class Trace:
    """What is noted while a function runs.

    Parameters
    ----------
    generators : Generators
        Those the function could draw from.
    together : bool
        Whether vmap records one example for all.

    Attributes
    ----------
    nodes : list of Value
        Every node made, operands before results.
    guards : list of (Value, bool)
        Numbers whose truth was asked for, and the answer given.
    draws : list of (Draw, Value)
        Random draws, and the inputs that stand for them.
    lanes : Lanes or None
        Which nodes stand for a number of every example, where vmap was used.
    """

    def __init__(self, generators: Generators, together: bool = True) -> None:
        self.generators = generators
        self.together = together
        self.nodes: list[Value] = []
        self.guards: list[tuple[Value, bool]] = []
        self.draws: list[tuple[Draw, Value]] = []
        self.drawing = False
        self.unfinished: Value | None = None
        self.left_domain = False
        self.nested = 0
        self.lanes: Lanes | None = None


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
#: Return the recording that goes on in this thread or task, if any.
current_trace = _current.get

_lock = threading.Lock()
_watchers: list[Trace] = []
_MISSING = object()


@contextmanager
def watching(trace: Trace) -> Iterator[None]:
    """Note in `trace` what happens to Values in this thread or task."""
    with _lock:
        if not _watchers:
            _exchange(_ANSWERS, _usual)
        _watchers.append(trace)
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
        with _lock:
            _watchers.remove(trace)
            if not _watchers:
                _restore(_usual)


def _exchange(answers: dict[tuple[Any, str], Any], usual: dict[tuple[Any, str], Any]) -> None:
    for (owner, name), answer in answers.items():
        usual[owner, name] = vars(owner).get(name, _MISSING)
        setattr(owner, name, answer)


def _restore(usual: dict[tuple[Any, str], Any]) -> None:
    for (owner, name), answer in usual.items():
        if answer is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, answer)
    usual.clear()


# What changes -------------------------------------------------------------------------------------

_usual: dict[tuple[Any, str], Any] = {}
_local_grads: Any = Value.__dict__["local_grads"]
_grad: Any = Value.__dict__["grad"]
_data: Any = Value.__dict__["data"]
_init = Value.__init__
_INNER = ("autodiff", "functional", "graph", "recorded", "ops.eager", "ops.operation")
_INSIDE = {f"scalargrad.{name}" for name in _INNER}


class _Born:
    """The slot `local_grads`, written once for each node: last when it is made."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        return _local_grads.__get__(node, kind)

    def __set__(self, node: Value, local_grads: tuple[float | None, ...]) -> None:
        _local_grads.__set__(node, local_grads)
        trace = _current.get()
        if trace is not None:
            trace.nodes.append(node)
            trace.unfinished = None


class _Grad:
    """The slot `grad`. Making a node writes it too, but then `local_grads` follows."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        if node is not None and _current.get() is not None:
            refuse(".grad was read", "return the value and use grad or value_and_grad")
        return _grad.__get__(node, kind)

    def __set__(self, node: Value, number: float) -> None:
        trace = _current.get()
        if trace is not None:
            check_finished(trace)
            trace.unfinished = node
        _grad.__set__(node, number)


def check_finished(trace: Trace) -> None:
    """Raise TraceError if a `grad` was written that did not belong to a new node."""
    if trace.unfinished is not None:
        refuse(".grad was assigned", "do so outside; gradients come from grad or value_and_grad")


def _read_inside() -> bool:
    """Return whether `data` is read for a message or a check, not by the user's program."""
    return sys._getframe(2).f_globals.get("__name__") in _INSIDE


def _left_domain(self: DomainError, *args: object) -> None:
    trace = _current.get()
    if trace is not None:
        trace.left_domain = True
    Exception.__init__(self, *args)


def check_caught(trace: Trace) -> None:
    """Raise TraceError if a function has gone on after leaving a domain."""
    if trace.left_domain:
        raise TraceError(
            "a DomainError was caught while a compiled function is recorded: its program would "
            "take that way at every call. Guard the operand with where instead of try and except"
        )


class _Data:
    """The property `data`."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        if node is not None and _current.get() is not None and not _read_inside():
            refuse(
                ".data was read",
                "compute with the Value itself, .detach() it to stop its gradient, compare it "
                "with < or >, or use where and maximum",
            )
        return _data.__get__(node, kind)

    def __set__(self, node: Value, number: float) -> None:
        if _current.get() is not None:
            refuse(".data was assigned", "return the new number and assign it outside")
        _data.__set__(node, number)


def _comparison(name: str) -> Callable[[Value, Any], Any]:
    usual, op = getattr(Value, f"__{name}__"), ops.TABLE[name]

    def compare(self: Value, other: Any) -> Any:
        if _current.get() is None or not (is_real(other) or isinstance(other, Value)):
            return usual(self, other)
        return op.of(self, other)

    return compare


def _equality(name: str) -> Callable[[Value, Any], Any]:
    op = ops.TABLE[name]

    def compare(self: Value, other: Any) -> Any:
        if _current.get() is None or self is other:
            return NotImplemented
        if is_real(other) or (isinstance(other, Value) and _is_truth(self) and _is_truth(other)):
            return op.of(self, other)
        if isinstance(other, Value):
            refuse(
                "two Values were compared with == or !=",
                f"use scalargrad.{name}(a, b) for their numbers, `is` for their identity",
            )
        return NotImplemented

    return compare


def _is_truth(node: Value) -> bool:
    return node.op is not None and node.op.comparison is not None


def _truth(self: Value) -> bool:
    trace = _current.get()
    answer: bool = self._data != 0.0
    if trace is not None:
        if trace.lanes is not None and trace.lanes.depends(self):
            refuse(
                "a condition depends on the examples of vmap, which take one way together",
                "choose with where, maximum, minimum or clip (.detach() does not help), or "
                "loop over the examples without vmap",
            )
        trace.guards.append((self, answer))
    return answer


def _refusal(name: str, what: str, remedy: str) -> Callable[..., Any]:
    usual = getattr(Value, name, None)

    def answer(self: Value, *args: Any, **kwargs: Any) -> Any:
        if _current.get() is not None:
            refuse(what, remedy)
        if usual is None:
            raise TypeError(f"{type(self).__name__} has no {name}")
        return usual(self, *args, **kwargs)

    return answer


def _detach(self: Value) -> Value:
    if _current.get() is None:
        return _usual_detach(self)
    return DETACH(self)


_usual_detach = Value.detach


def _alias(self: Value, data: float | Value, label: str = "") -> None:
    """Make a Value; of a recorded Value, a second name for it."""
    if _current.get() is None or not isinstance(data, Value):
        _init(self, data, label)
        return
    self._data, self.op, self.parents = data._data, ops.identity, (data,)
    self.grad, self.label = 0.0, label
    self.local_grads = (1.0,)


def _no_grad(self: no_grad) -> None:
    if _current.get() is not None:
        refuse("no_grad was entered", "use .detach() on what gradients must not flow through")
    _usual_no_grad(self)


def _enable_grad(self: enable_grad) -> None:
    trace = _current.get()
    if trace is not None:
        trace.nested += 1
    _usual_enable_grad(self)


def _leave_enable_grad(self: enable_grad, *exception: object) -> None:
    trace = _current.get()
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
    trace = _current.get()
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
    trace = _current.get()
    if trace is not None and _has_lanes(trace, order):
        return deferred_tangents(order, moving)
    return _usual_push_forward(order, moving, as_graph)


_usual_push_forward = functional.push_forward


def _has_lanes(trace: Trace, order: Any) -> bool:
    """Return whether nodes depend on the examples of vmap."""
    return trace.lanes is not None and any(map(trace.lanes.depends, order))


def _score_shift(scores: list[Any]) -> Any:
    if _current.get() is None:
        return _usual_score_shift(scores)
    largest = ops.maximum(*scores)
    return largest.detach() if isinstance(largest, Value) else largest


_usual_score_shift = reductions._score_shift


def _choice(values: Any, index: Any) -> Any:
    known = _current.get() is None or not isinstance(index, Value)
    return (_usual_choice if known else recorded_take)(values, index)


_usual_choice = indexing._choice


def _is_inside(index: Any, size: int) -> Any:
    trace = _current.get()
    if trace is not None:
        _require_one_example(trace)
    return _usual_is_inside(index, size)


_usual_is_inside = indexing._is_inside


def _require_one_example(trace: Trace) -> None:
    """Have vmap record each example: they look up and draw each for itself."""
    if trace.lanes is not None and trace.lanes.entered:
        raise UnlikeError


def _drawn_number(draw: Draw) -> Any:
    trace = _current.get()
    if trace is None:
        return _usual_number(draw)
    _require_one_example(trace)
    trace.generators.note(draw.source)
    trace.drawing = True
    try:
        leaf = Value(_usual_number(draw))
    finally:
        trace.drawing = False
    trace.nodes.pop()  # an input, not a node
    trace.draws.append((draw, leaf))
    return leaf


_usual_number = draws._number

_NUMBER = (
    "compute with the Value itself, or with scalargrad's operation of the same name; an array that "
    "Values are put into needs dtype=object"
)
_WHOLE = (
    "for values[i] write scalargrad.take(values, i), for floor division scalargrad.floor(a / b); "
    "a number of steps or a size is a static argument, as in jit(f, static_argnames='n')"
)
_TEXT = "return the value and print it outside, or print within scalargrad.disable_jit()"

_ANSWERS: dict[tuple[Any, str], Any] = {
    (Value, "local_grads"): _Born(),
    (Value, "grad"): _Grad(),
    (Value, "data"): _Data(),
    (Value, "__init__"): _alias,
    (Value, "__bool__"): _truth,
    (Value, "detach"): _detach,
    (Value, "backward"): _refusal(
        "backward", ".backward() was called", "return the value; call backward() on the result"
    ),
    (Value, "zero_grad"): _refusal("zero_grad", ".zero_grad() was called", "do so outside"),
    (Value, "__float__"): _refusal("__float__", "float() or a math function was called", _NUMBER),
    (Value, "__repr__"): _refusal("__repr__", "a Value was printed", _TEXT),
    (Value, "__format__"): _refusal("__format__", "a Value was made into text", _TEXT),
    (DomainError, "__init__"): _left_domain,
    (no_grad, "__enter__"): _no_grad,
    (enable_grad, "__enter__"): _enable_grad,
    (enable_grad, "__exit__"): _leave_enable_grad,
    (reductions, "_score_shift"): _score_shift,
    (indexing, "_choice"): _choice,
    (indexing, "_is_inside"): _is_inside,
    (draws, "_number"): _drawn_number,
    (functional, "push_forward"): _push_forward,
}
_ANSWERS |= {  # every module that imported it holds a name of its own
    (module, "gradient_graphs"): _gradient_graphs
    for name, module in list(sys.modules.items())
    if name.startswith("scalargrad.")
    and vars(module).get("gradient_graphs") is _usual_gradient_graphs
}
_ANSWERS |= {
    (kind, name): watched(kind, name, current_trace, refuse)
    for kind in (random.Random, random.SystemRandom)
    for name in ("random", "getrandbits", "gauss")
}
_ANSWERS |= {(Value, f"__{name}__"): _comparison(name) for name in ("lt", "le", "gt", "ge")}
_ANSWERS |= {(Value, f"__{name}__"): _equality(name) for name in ("eq", "ne")}
_ANSWERS |= {
    (Value, f"__{name}__"): _refusal(f"__{name}__", f"{name}() was called", _NUMBER)
    for name in ("round", "trunc", "floor", "ceil")
}
_ANSWERS |= {
    (Value, f"__{name}__"): _refusal(f"__{name}__", f"{name}() was called", _WHOLE)
    for name in ("int", "index")
}
