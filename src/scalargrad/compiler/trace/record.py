"""Trace one run of a function as a program.

The function runs on traced numbers, and each operation on them becomes a node. A captured Value
becomes an input too, which is read again at each call; other captured numbers are constants.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.call.outline import filled, outlined
from scalargrad.compiler.generators import Draw
from scalargrad.compiler.passes.kinds import DETACH, Total
from scalargrad.compiler.passes.program import Program, subprogram
from scalargrad.compiler.trace.domains import copied, marked, write_domain_checks
from scalargrad.compiler.trace.trace import Trace
from scalargrad.engine.tree import nesting_error
from scalargrad.engine.value import Value
from scalargrad.ops import add, eq, identity
from scalargrad.system.process import collector_paused


@dataclass(frozen=True)
class Recording:
    """The recording of one run of a function.

    Attributes
    ----------
    program : Program
        Its inputs are the numbers of the arguments, those drawn, then the closed-over Values; its
        outputs are the results, then the guards.
    draws : tuple of Draw
        Random draws, in the order in which they are made.
    closed_over : list of Value
        The Values that the function closes over, in the order of their first use.
    outcomes : tuple of bool
        The truth of each guard in this run.
    is_checked : bool
        Whether the last guard is that of `domains`, which counts numbers that eager evaluation
        would refuse.
    plain : tuple of bool
        For each result, whether it is a plain number in eager evaluation.
    truths : tuple of int
        The indices of results that are bools there.
    whole : tuple of int
        The leaves of the arguments that are arrays without nodes; their numbers follow the inputs.
    results : int
        The number of results; a node with lanes counts for as many.
    differentiated : tuple of int
        The inputs by which gradients are taken, as if no other was the same Value or computed from
        it.
    branches : int
        How many of the guards are answers to Python's ``if``.
    types : sequence of type or None
        The types of the numbers of the arguments, if the path depends on these.
    loops : dict from int to (str, int) or None
        The guards that a loop has ended, with the file and line that called it.
    """

    program: Program
    draws: tuple[Draw, ...]
    closed_over: list[Value]
    outcomes: tuple[bool, ...]
    is_checked: bool = False
    plain: tuple[bool, ...] = ()
    truths: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    results: int = 0
    differentiated: tuple[int, ...] = ()
    branches: int = 0
    types: Sequence[type] | None = None
    loops: Mapping[int, tuple[str, int] | None] = field(default_factory=dict)


def record(f: Callable[..., Any], leaves: Sequence[Value]) -> tuple[Recording, Any]:
    """Run a function and return the recording, with the outline of its result.

    Parameters
    ----------
    f : callable
        The function.
    leaves : sequence of Value
        Its arguments, the inputs of the program.

    Raises
    ------
    TraceError
        If the function does what cannot be repeated: reads ``.data``, calls ``float``, ….
    """
    trace = Trace()
    given = trace.arguments(leaves)
    outputs, outline = recorded(trace, lambda: f(*given))
    return as_recording(trace, outputs, domains=False), outline


@collector_paused()
def recorded(trace: Trace, run: Callable[[], Any]) -> tuple[list[int], Any]:
    """Run a function on the traced numbers of its arguments; see `record`.

    Returns
    -------
    outputs : list of int
        The nodes of the results.
    outline
        That of the result.
    """
    try:
        result = trace.record(run)
        trace.generators.check([draw for draw, _ in trace.draws])
        values: list[Value] = []
        try:
            outline = outlined(result, values, {} if trace.has_values else None)
        except RecursionError as error:
            raise nesting_error([("the result", result)], error) from None
        outputs = [trace.refer(x, identity) for x in values]
        if not trace.lanes.sizes.keys().isdisjoint(outputs):
            trace.refused("stray example")
        return outputs, outline
    except BaseException as error:
        trace.generators.rewind()
        if isinstance(error, Exception):
            trace.expect_none_left()
        raise


def content(recording: Recording, outline: Any) -> tuple[Any, ...]:
    """Return a recording, with the outline of its result, in a form that can be compared."""
    program = recording.program
    nodes, numbers = program.nodes(), [*program.constants.values()]
    try:
        plain = pickle.dumps(filled(outline, [0.0] * len(program.outputs)))
    except Exception:  # noqa: BLE001 - what cannot be pickled is not looked into
        plain = b""
    operands, constants = nodes.operands.tobytes(), np.array(numbers).tobytes()
    around = [*map(id, recording.closed_over)]
    return nodes.ops(), operands, constants, recording.outcomes, plain, around


@collector_paused()
def as_recording(trace: Trace, outputs: list[int], *, domains: bool) -> Recording:
    """Return what was recorded; see `record`.

    Parameters
    ----------
    domains : bool
        Whether to add a guard that counts numbers that eager evaluation would refuse.
    """
    guards = [_guard(trace, node) for node in copied(trace, trace.guards, DETACH)]
    outcomes = [*trace.guards.values()]
    nodes = trace.columns.nodes()
    recorded = len(nodes)
    found = write_domain_checks(trace, nodes, outputs) if domains else []
    if found:
        guards.append(functools.reduce(lambda x, y: trace.write(add, (x, y)), found))
        outcomes.append(False)
    together = [(x, 1) for x in outputs]
    returned = outputs
    if not (trace.has_values or trace.unrolls):
        together = trace.lanes.returned_together(outputs)
        returned = copied(trace, [x for x, _ in together], DETACH)
    roots = [*returned, *guards]
    if len(nodes) < len(trace.columns):
        nodes = trace.columns.nodes()
    needed = nodes.needed(roots)
    needed[[*trace.differentiated]] = True
    order = np.flatnonzero(needed)
    if trace.steps:
        order = order[np.argsort(_places(trace, recorded)[order], kind="stable")]
    used = [(x, i) for x, i in trace.outside if needed[i]]
    given = [*trace.given, *(i for _, i in trace.draws), *(i for _, i in used)]
    places = np.full(len(nodes), -1)
    places[given] = np.arange(len(given))
    others = order[places[order] < 0]
    places[others] = np.arange(len(given), len(given) + len(others))
    whole = Program(0, nodes, trace.columns.constants, roots)
    program = subprogram(whole, places, len(given))
    program.stacked = sum(x.size for x in trace.wholes)
    return Recording(
        program,
        tuple(draw for draw, _ in trace.draws),
        [x for x, _ in used],
        tuple(outcomes),
        bool(found),
        tuple([plain for x, n in together for plain in [trace.plainness.of(x)] * n]),
        tuple([k for k, x in enumerate(outputs) if trace.plainness.is_truth(x)]),
        tuple(x.leaf for x in trace.wholes),
        len(outputs),
        tuple([k for k, x in enumerate(given) if x in trace.differentiated]),
        trace.branches,
        trace.types,
        {k: trace.lines[k] for k, node in enumerate(trace.guards) if node in trace.ends},
    )


def _guard(trace: Trace, node: int) -> int:
    """Write the node of a guard: 1 if the condition `node` holds in all its lanes."""
    lanes = trace.lanes.size(node)
    if lanes == 1:
        return node
    count = trace.write(Total(lanes), (node, node))
    return trace.write(eq, (count, trace.constant(float(lanes))))


def _places(trace: Trace, recorded: int) -> Integers:
    """Return where nodes stand: checks of what a step of a scan computes in that step.

    In a loop of their own, they would look it up.
    """
    places = np.arange(len(trace.columns))
    is_step = marked(trace.steps, recorded)
    for node in range(recorded, len(places)):
        args = trace.columns.args(node)
        last = max((places[x] for x in args), default=0)
        if not args or (last < recorded and is_step[last]):
            places[node] = last
    return places
