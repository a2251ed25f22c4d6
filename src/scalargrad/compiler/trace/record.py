"""Record: one run of a function becomes a program.

The graph of Values that ordinary arithmetic leaves behind is the recording. A node made during
the run is a node of the program; a Value that was there before is an input, read again at each
call; a number is a constant.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.arguments import outlined
from scalargrad.compiler.passes.lookups import TAKE_NODE
from scalargrad.compiler.passes.program import (
    ADJOINT,
    CONSTANT,
    INPUT,
    PICK,
    STACK,
    TAKE,
    Op,
    Program,
    total_of,
)
from scalargrad.compiler.trace.deferred import ADJOINT_NODE
from scalargrad.compiler.trace.domains import unseen, violation
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.stacking import PICK_NODE, STACK_NODE, UnlikeError
from scalargrad.compiler.trace.trace import CaughtError, Trace, check_caught, check_finished
from scalargrad.compiler.trace.watch import watching
from scalargrad.errors import DomainError, NumericalError, TraceError
from scalargrad.grad_mode import enable_grad, is_grad_enabled
from scalargrad.ops import add, eq, identity, sub
from scalargrad.system.collector import collector_paused
from scalargrad.transforms.draws import Draw
from scalargrad.value import Value

SUMS = {add, sub}
#: What stands in a program for nodes that only recordings have.
KINDS: dict[Any, Op] = {
    ADJOINT_NODE: ADJOINT,
    STACK_NODE: STACK,
    PICK_NODE: PICK,
    TAKE_NODE: TAKE,
}


@dataclass(frozen=True)
class Recording:
    """What one run left behind.

    Attributes
    ----------
    program : Program
        Its inputs are the arguments' numbers, the numbers drawn, then the closed-over Values;
        its outputs the Values asked for, then the guards.
    draws : tuple of Draw
        Random draws, in the order they are made.
    closed_over : list of Value
        Values that were there before the run, in the order they were first used.
    outcomes : tuple of bool
        The truth of each guard in this run.
    """

    program: Program
    draws: tuple[Draw, ...]
    closed_over: list[Value]
    outcomes: tuple[bool, ...]


class Expired(Value):
    """A Value that has outlived the recording it belongs to."""

    __slots__ = ()

    @property
    def _data(self) -> float:  # type: ignore[override]
        raise TraceError(
            "a Value computed inside a compiled function was used after the recording: it has "
            "no number of its own; return it from the function instead"
        )

    def __repr__(self) -> str:
        return "Expired()"


@collector_paused()
def record(
    run: Callable[[], Any],
    leaves: Sequence[Value],
    sources: Sequence[Any] = (),
    *,
    held: Sequence[Value] = (),
    together: bool = True,
    domains: bool = False,
) -> tuple[Recording, Any]:
    """Run a function and return what it left behind, with the outline of its result.

    Parameters
    ----------
    run : callable
        Calls the function on `leaves`.
    leaves : sequence of Value
        The arguments' numbers.
    sources : sequence
        The function and what it is called with, where generators are looked for; they are
        rewound to where they were.
    held : sequence of Value
        What stands for Values of objects among the arguments: inputs in the order of their use.
    together : bool
        Record one example for all that vmap is given, else each.
    domains : bool
        Add a guard that no operation leaves its domain where no result would tell.

    Raises
    ------
    TraceError
        If the function does what cannot be repeated: reads ``.data``, calls ``float``, ….
    DomainError, NumericalError, CaughtError
        If it left a domain; generators are then where they were.
    UnlikeError
        If it left a domain where results of vmap may have held another example's numbers.
    """
    trace = Trace(Generators(sources), together)
    try:
        # A switch in force costs each operation a look at it.
        with nullcontext() if is_grad_enabled() else enable_grad(), watching(trace):
            result = run()
            check_finished(trace)
            check_caught(trace)
        trace.generators.check([draw for draw, _ in trace.draws])
        outputs: list[Value] = []
        outline = outlined(result, outputs)
        if trace.lanes is not None:
            trace.lanes.require_none(outputs)
        watched = unseen(trace, outputs) if domains else []
        return _as_recording(trace, leaves, outputs, watched), outline
    except (DomainError, NumericalError, CaughtError) as error:
        trace.generators.rewind()
        if trace.lanes is None:
            raise
        raise UnlikeError from error
    finally:
        for node in (*trace.nodes, *leaves, *held, *(leaf for _, leaf in trace.draws)):
            node.__class__ = Expired


def _as_recording(
    trace: Trace, leaves: Sequence[Value], outputs: list[Value], watched: list[Value]
) -> Recording:
    roots = [*outputs, *(node for node, _ in trace.guards)]
    needed: set[Any] = {*roots, *watched}
    for node in reversed(trace.nodes):
        if node in needed:
            needed.update(node.parents)
    nodes = [node for node in trace.nodes if node in needed]
    given = [*leaves, *(leaf for _, leaf in trace.draws)]
    needed.difference_update(given, nodes)
    foreign = {x for x in needed if x.__class__ is not float}
    _require_made_before(foreign, given, trace.nodes)
    closed_over = _in_order_of_use(foreign, nodes, roots)
    index = {node: i for i, node in enumerate([*given, *closed_over])}
    translator = _Translator(index)
    program = translator.translate(nodes)
    program.outputs = [index[node] for node in outputs]
    program.outputs += [translator.guard(node, trace.size(node)) for node, _ in trace.guards]
    outcomes = [answer for _, answer in trace.guards]
    if watched:
        found = [translator.violations(node, trace.size(node)) for node in watched]
        program.outputs.append(translator.sum(found))
        outcomes.append(False)
    draws = tuple(draw for draw, _ in trace.draws)
    return Recording(program, draws, closed_over, tuple(outcomes))


def _require_made_before(foreign: set[Any], given: list[Value], nodes: list[Value]) -> None:
    """Raise TraceError if a Value unknown to the recording was computed from what it made."""
    ahead, seen = [x for x in foreign if x.parents], set(foreign)
    made = {*given, *nodes} if ahead else set()
    while ahead:
        operands = {x for x in ahead.pop().parents if isinstance(x, Value)}
        if not made.isdisjoint(operands):
            raise TraceError(
                "a Value was computed from the arguments where the recording does not see it, as "
                "in another thread: compute in the thread that calls the compiled function"
            )
        ahead += operands - seen
        seen |= operands


def _in_order_of_use(foreign: set[Any], nodes: list[Value], roots: list[Value]) -> list[Value]:
    """Return the Values that were there before the run, as its nodes first use them.

    Those first used in sums come last: in ``sum((w * x …), b)`` a bias would otherwise stand
    between weights, which are read faster side by side.
    """
    if any(isinstance(x, Expired) for x in foreign):
        raise TraceError(
            "a Value from an earlier recording was used: a compiled function kept it in a "
            "variable outside; pass it on as an argument and a result"
        )
    found: dict[Any, None] = {}
    added: dict[Any, None] = {}
    unplaced = set(foreign)
    for node in nodes if foreign else ():
        if not unplaced.isdisjoint(node.parents):
            used = dict.fromkeys(x for x in node.parents if x in unplaced)
            if node.op in SUMS:
                added.update(used)
            else:
                found.update(used)
                unplaced.difference_update(used)
    added.update(dict.fromkeys(x for x in roots if x in foreign))
    return list(found | added)


class _Translator:
    """Writes the nodes of a graph as a program; `index` says where each Value and number is."""

    def __init__(self, index: dict[Value, int]) -> None:
        self.index: dict[Any, int] = index
        n = len(index)
        self.program = Program(n, [INPUT] * n, [()] * n)
        self.zeros: dict[str, int] = {}

    def translate(self, nodes: list[Value]) -> Program:
        """Return the program, with no outputs yet."""
        index, ops, args = self.index, self.program.ops, self.program.args
        find = index.__getitem__
        for node in nodes:
            op, parents = node.op, node.parents
            if op is None:  # a Value made during the run from a number
                op, parents = identity, (node._data,)
            try:
                operands = tuple(map(find, parents))
            except KeyError:
                operands = tuple([self._operand(x) for x in parents])
            index[node] = len(ops)
            ops.append(KINDS.get(op, op))
            args.append(operands)
        return self.program

    def guard(self, node: Value, lanes: int) -> int:
        """Return the node that is 1 where `node`, one number or one of each lane, is 1 always."""
        if lanes == 1:
            return self.index[node]
        once = self.index[node]
        count = self._append(total_of(lanes), (once, once))
        return self._append(eq, (count, self._operand(float(lanes))))

    def violations(self, node: Value, lanes: int) -> int:
        """Return the node that counts in how many lanes `node` is outside its domain."""
        op: Any = node.op
        operands = [self._operand(x) for x in node.parents]
        where: dict[Any, int] = dict(zip(op.operand_symbols, operands, strict=True))
        once = -1
        for part in violation(op):
            parts: tuple[Any, ...] = part.operands
            refs = [where[x] if x in where else self._operand(x) for x in parts]
            once = where[part] = self._append(part.op, tuple(refs))  # type: ignore[arg-type]
        return once if lanes == 1 else self._append(total_of(lanes), (once, once))

    def sum(self, nodes: list[int]) -> int:
        """Return the node that is the sum of some."""
        return functools.reduce(lambda x, y: self._append(add, (x, y)), nodes)

    def _append(self, op: Op, args: tuple[int, ...]) -> int:
        self.program.ops.append(op)
        self.program.args.append(args)
        return len(self.program) - 1

    def _operand(self, x: Value | float) -> int:
        """Return the node of an operand; 0.0 and -0.0 are not one number."""
        if isinstance(x, float) and not x:
            found = self.zeros.get(x.hex())
            return self._number(x) if found is None else found
        found = self.index.get(x)
        return self._number(x) if found is None else found  # type: ignore[arg-type]

    def _number(self, number: float) -> int:
        found = self._append(CONSTANT, ())
        self.program.constants[found] = number
        if number:
            self.index[number] = found
        else:
            self.zeros[number.hex()] = found
        return found
