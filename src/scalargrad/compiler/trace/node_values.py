"""Compute the number of a traced node, when a condition in the function depends on it.

In ``if x * x > 2.0`` for x = 3.0, the node of the comparison is computed: 9.0 > 2.0 is True.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.backend.callbacks import CallbackError
from scalargrad.compiler.passes.evaluate import evaluate
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    DETACH,
    DIRECTION,
    INPUT,
    LOSS,
    ROW,
    TAKE,
    TANGENT,
    UNBATCH,
    Op,
)
from scalargrad.compiler.passes.nodes import Columns, Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.engine.autodiff import compute_adjoint_graphs, compute_adjoints
from scalargrad.engine.grad_mode import enable_grad, run_recorded
from scalargrad.engine.graph import topological_order
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError
from scalargrad.opdef.operation import Operation
from scalargrad.transforms.evaluation import compute_tangents

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace

#: Maximum number of elements of a program that is evaluated in Python sooner than it is compiled.
_SHORT = 2000


#: Kinds of nodes that are derivatives.
_DERIVATIVES = {ADJOINT, TANGENT}


def number_of(trace: Trace, node: int) -> float:
    """Return the number of a node."""
    return trace.known[node] if node in trace.known else compute(trace, [node])[0]


def compute(trace: Trace, nodes: Sequence[int]) -> list[float]:
    """Compute the numbers of nodes together, of those with lanes the largest.

    All that they depend on is computed, and cached; but if there are lanes among it, or derivatives
    where an operation is not defined, by one program, and only `nodes` and single lanes are cached.
    """
    columns, size, known = trace.columns, trace.lanes.size, trace.known
    through = _not_known(trace, nodes)
    if all(columns.ops[x] is not UNBATCH and size(x) == 1 for x in through):
        if all(columns.ops[x] not in _DERIVATIVES for x in through):
            for x in through:
                known[x] = known[x] if x in known else _number(columns, known, x)
            return [known[x] for x in nodes]
        with suppress(DomainError):
            known.update(run_recorded(lambda: _OnValues(trace, through).numbers(), None))
            return [known[x] for x in nodes]
    asked = [*nodes, *[x for x in through if columns.ops[x] in {*_DERIVATIVES, UNBATCH}]]
    found = iter(_run(trace, through, asked))
    numbers = [max(islice(found, size(x))) for x in asked]
    known.update((x, y) for x, y in zip(asked, numbers, strict=True) if size(x) == 1)
    return numbers[: len(nodes)]


def _number(columns: Columns, known: dict[int, float], x: int) -> float:
    """Return the number of a node whose operands are known."""
    op, args = columns.ops[x], columns.args(x)
    if op is CONSTANT:
        return columns.constants[x]
    if op is ROW:
        return math.nan  # which nothing but a lookup reads
    if op is TAKE:
        entry = _entry(columns.args(args[1]), known[args[0]])
        return math.nan if entry is None else known[entry]
    assert isinstance(op, Operation)
    return op.of_floats_unchecked(*[known[y] for y in args])


def _entry(entries: Sequence[int], index: float) -> int | None:
    """Return the entry of a row at an index; None outside it."""
    return entries[int(index)] if -len(entries) <= index < len(entries) else None


def _data(x: Any) -> float:
    """Return the number of a Value, or a number itself."""
    found: float = getattr(x, "data", x)
    return found


class _OnValues:
    """Nodes, derivatives among them, computed on Values.

    Parameters
    ----------
    through : sequence of int
        The nodes, in order, with all between them and those by which derivatives are taken.
    """

    def __init__(self, trace: Trace, through: Sequence[int]) -> None:
        self._columns, self._known = trace.columns, trace.known
        self._made: dict[int, Any] = {}  # a constant is a float
        self._signals = dict[int, dict[Value, Any]]()
        #: For each loss, the first node by which a derivative of it is taken; the losses whose
        #: derivatives are differentiated.
        self._first, self._as_graph = dict[int, int](), set[int]()
        ops, lowest = trace.ops, len(trace.ops)
        for x in reversed(through):
            if ops[x] is ADJOINT:
                wrt, loss = self._columns.args(x)
                self._first[loss] = min(wrt, self._first.get(loss, wrt))
            elif ops[x] is LOSS or ops[x] is DIRECTION:
                if ops[x] is DIRECTION:
                    self._first[x] = min(self._columns.args(x)[::2])
                self._as_graph |= {x} if lowest < x else set()
                lowest = min(lowest, self._first[x])
        order, met, before = list[Value](), set[Value](), dict[int, int]()
        for x in through:
            before[x] = len(order)
            if x in self._first:
                swept = self._swept if ops[x] is LOSS else self._pushed
                signals = self._signals[x] = swept(x, order[before[self._first[x]] :])
                found = [*signals.values()]
            else:
                found = [self._computed(ops[x], x)]
                self._made[x] = found[0]
            nodes = [y for y in found if isinstance(y, Value)]
            order += topological_order(*nodes, seen=met, include_leaves=False)

    def numbers(self) -> dict[int, float]:
        """Return the numbers of the nodes."""
        return {x: _data(made) for x, made in self._made.items()}

    def _operand(self, x: int) -> Any:
        if x not in self._made:
            constant = self._columns.constants.get(x)
            self._made[x] = Value(self._known[x]) if constant is None else constant
        return self._made[x]

    def _computed(self, op: Op, x: int) -> Any:
        args = self._columns.args(x)
        if op in _DERIVATIVES:
            signal = self._signals[args[1]].get(self._operand(args[0]), 0.0)
            return signal if isinstance(signal, Value) else Value(signal)
        if op is TAKE:
            entry = _entry(self._columns.args(args[1]), _data(self._operand(args[0])))
            return Value(math.nan) if entry is None else self._operand(entry)
        if not isinstance(op, Operation):
            return math.nan if op is ROW else self._operand(x)
        operands = [*map(self._operand, args)]
        if op is DETACH:
            return Value(_data(operands[0]))
        if not any(isinstance(y, Value) for y in operands):
            operands[0] = Value(operands[0])
        return op.make_node((*operands,), Value, False)

    def _swept(self, loss: int, order: Sequence[Value]) -> dict[Value, Any]:
        """Return the error signals of a loss, as Values if they are differentiated."""
        is_graph, seeds = loss in self._as_graph, dict[Value, Any]()
        pairs = [*map(self._operand, self._columns.args(loss))]
        for root, seed in zip(pairs[::2], pairs[1::2], strict=True):
            seeds[root] = seeds.get(root, 0.0) + (seed if is_graph else _data(seed))
        return (compute_adjoint_graphs if is_graph else compute_adjoints)(order, seeds)

    def _pushed(self, direction: int, order: Sequence[Value]) -> dict[Value, Any]:
        """Return the tangents in a direction, as Values if they are differentiated."""
        is_graph, pairs = direction in self._as_graph, self._columns.args(direction)
        leaves, tangents = map(self._operand, pairs[::2]), map(self._operand, pairs[1::2])
        seeds = {x: t if is_graph else _data(t) for x, t in zip(leaves, tangents, strict=True)}
        with enable_grad():
            return compute_tangents(order, seeds, is_graph)


def _not_known(trace: Trace, nodes: Sequence[int]) -> list[int]:
    """Return what nodes depend on, back to known numbers from which no derivative goes on."""
    known, ops, args = trace.known, trace.ops, trace.columns.args
    lowest, found = len(ops), set[int]()
    while True:
        first, found, ahead = lowest, set(nodes), [*nodes]
        while ahead:
            x = ahead.pop()
            if ops[x] is ADJOINT:
                lowest = min(lowest, args(x)[0])
            if ops[x] is DIRECTION:
                lowest = min(lowest, *args(x)[::2])
            for y in args(x):
                if y not in found and (y >= first or y not in known):
                    found.add(y)
                    ahead.append(y)
        if lowest == first:
            return sorted(found)


def _run(trace: Trace, through: Sequence[int], nodes: Sequence[int]) -> list[float]:
    """Run the program of the nodes `through`, given the numbers of those that these read."""
    columns, constants = trace.columns, trace.columns.constants
    stacked = [y for x in trace.wholes for y in x.given.ravel().astype(float).tolist()]
    read = {y for x in through for y in columns.args(x)}.difference(through)
    given = [x for x in sorted(read) if x not in constants]
    given += [x for x in through if columns.ops[x] is INPUT]
    others = sorted({*read, *through}.difference(given))
    place = {x: i for i, x in enumerate([*given, *others])}
    ops = [INPUT] * len(given) + [columns.ops[x] for x in others]
    args = [()] * len(given) + [tuple([place[y] for y in columns.args(x)]) for x in others]
    known = {place[x]: constants[x] for x in others if x in constants}
    outputs = [place[x] for x in nodes]
    program = Program(len(given), Nodes.of(ops, args), known, outputs, len(stacked))
    inputs = [trace.known[x] for x in given] + stacked
    if int(program.nodes().sizes().sum()) <= _SHORT or not has_llvm():
        return evaluate(program, inputs)
    from scalargrad.compiler.runner import runner_for

    try:
        return runner_for(program)(inputs)
    except CallbackError as failed:
        raise failed.error from None
