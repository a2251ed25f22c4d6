"""Reverse-mode differentiation of a program: its backward pass, written as further nodes.

Every ADJOINT node is replaced by the error signal that it stands for. An error signal is a sum of
products, Σ upstream · partial over the wires that leave a node. The nodes written have thus the
form of all others, and can be differentiated again.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from scalargrad.compiler.passes.expressions import (
    IDENTITY,
    derivative_plan,
    follow,
    follow_some,
    number_node,
    partial_plans,
)
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, DETACH, PRODUCTS, Op
from scalargrad.compiler.passes.lookups import Lookups, is_lookup
from scalargrad.compiler.passes.partial import Partial, partial
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.writer import Writer
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation, Reduction
from scalargrad.table.symbol import Symbol

Seeds = tuple[int, ...]
_SLOPE_OF_POWER = partial(TABLE["pow"], 0)


def differentiate(program: Program, *, tidy: bool = True) -> Program:
    """Return `program`, its sums gathered already, with every ADJOINT node written out.

    With `tidy=False`, dead nodes remain; `lower`, run next, drops them.

    References
    ----------
    Linnainmaa, 1970; Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.
    """
    if ADJOINT not in program.ops:
        return program
    writer = Writer(program.inputs)
    both = zip(program.ops, program.args, strict=True)
    asked = sweeps(args for op, args in both if op is ADJOINT)
    new = list(range(program.inputs))
    swept: dict[Seeds, dict[int, int]] = {}
    seeds, signals = None, dict[int, int]()
    depending: dict[tuple[int, ...], Dependents] = {}  # the rows of a Jacobian share theirs
    zero, vanished = writer.constant(0.0), False
    for node in range(program.inputs, len(program)):
        op, args = program.ops[node], program.args[node]
        if op is ADJOINT:
            if args[1:] != seeds:  # one sweep has many
                seeds = args[1:]
                if seeds not in swept:
                    wrt = tuple([new[x] for x in asked[seeds] if x < node])
                    if wrt not in depending:
                        depending[wrt] = Dependents(writer.program, wrt, beyond=is_detached)
                    swept[seeds] = _sweep(writer, [new[x] for x in seeds], depending[wrt])
                signals = swept[seeds]
            new.append(signals.get(new[args[0]], zero))
            vanished = vanished or new[-1] in writer.constants
        elif op is PRODUCTS and not vanished:
            new.append(writer.copied_products(tuple([new[x] for x in args])))
        else:
            new.append(_copied(writer, program, node, new))
    return writer.finish([new[x] for x in program.outputs], tidy=tidy)


def sweeps(adjoints: Iterable[Seeds]) -> dict[Seeds, list[int]]:
    """Return, for each sweep (its roots and seeds), the nodes to differentiate with respect to."""
    found: dict[Seeds, list[int]] = {}
    seeds, wrt = None, list[int]()
    for args in adjoints:
        if args[1:] != seeds:  # one sweep has many
            seeds = args[1:]
            wrt = found.setdefault(seeds, [])
        wrt.append(args[0])
    return found


def _copied(writer: Writer, program: Program, node: int, new: list[int]) -> int:
    op = program.ops[node]
    args = tuple([new[x] for x in program.args[node]])
    if op is CONSTANT:
        return writer.copied_constant(program, node)
    if op is PRODUCTS:
        return writer.products(args)
    return writer.unique(op, args) if op is IDENTITY else writer.node(op, args)


def _sweep(writer: Writer, seeds: Sequence[int], depending: Dependents) -> dict[int, int]:
    """Return the error signals of `depending.wrt`, by node; `seeds` alternates roots and seeds."""
    program = writer.program
    moving = depending.up_to(max(seeds[::2]))
    signals = _seeded(writer, seeds)
    found: dict[int, int] = {}
    targets = set(depending.wrt)
    lookups = Lookups(writer)
    for node in _between(program, moving, seeds[::2]):
        terms = lookups.added_to(signals.pop(node, None), node)
        if not terms:
            continue
        upstream = writer.products(terms[::-1])  # in the order of the uses
        if node in targets:
            found[node] = upstream
        if is_lookup(program.ops[node]):
            lookups.pass_back(node, upstream, moving)
            continue
        for operand, factor in _wires(writer, moving, node):
            signals[operand] += (upstream, factor)
    return found


def _seeded(writer: Writer, seeds: Sequence[int]) -> dict[int, list[int]]:
    """Return the terms of the error signals of the roots."""
    signals: dict[int, list[int]] = defaultdict(list)
    for root, seed in zip(seeds[::2], seeds[1::2], strict=True):
        plain = writer.constants.get(seed) == 1.0
        signals[root] += (writer.one if plain else seed, writer.one)
    return signals


def _between(program: Program, moving: bytearray, roots: Iterable[int]) -> list[int]:
    """Return the moving nodes that roots depend on, the roots themselves among them, last first."""
    args = program.args
    waiting = [root for root in roots if moving[root]]
    found = set(waiting)
    while waiting:
        for operand in args[waiting.pop()]:
            if moving[operand] and operand not in found:
                found.add(operand)
                waiting.append(operand)
    return sorted(found, reverse=True)


class Dependents:
    """Which nodes of a program depend on some of its nodes, as far as was asked.

    Parameters
    ----------
    program : Program
        It may grow afterwards.
    wrt : sequence of int
        The nodes that others may depend on.
    beyond : callable
        Operations of which it is true count as depending on nothing.
    """

    def __init__(
        self, program: Program, wrt: Sequence[int], *, beyond: Callable[[Op], bool]
    ) -> None:
        self.wrt = wrt
        self._program = program
        self._beyond = beyond
        self._moving = bytearray(len(program))
        self._next = min(wrt, default=len(program)) + 1
        for node in wrt:
            self._moving[node] = 1

    def up_to(self, top: int) -> bytearray:
        """Return, for each node up to `top`, 1 where it depends on a node of `wrt`."""
        ops, args = self._program.ops, self._program.args
        beyond, moving = self._beyond, self._moving
        moving.extend(bytes(len(ops) - len(moving)))
        for node in range(self._next, top + 1):
            if not moving[node] and not beyond(ops[node]):
                for operand in args[node]:
                    if moving[operand]:
                        moving[node] = 1
                        break
        self._next = max(self._next, top + 1)
        return moving


def is_detached(op: Op) -> bool:
    """Return whether an operation sends no error signal back."""
    return op is DETACH


@functools.cache
def steps(op: Op) -> bool:
    """Return whether an operation is piecewise constant, so that its gradient is 0."""
    return isinstance(op, Elementwise) and all(
        not isinstance(x, Symbol) and x == 0.0 for x in op.partial_expressions
    )


def _wires(writer: Writer, moving: bytearray, node: int) -> list[tuple[int, int]]:
    """Return (operand, partial) for each wire that enters `node` and carries a gradient."""
    op, args = _made_by(writer.program, node)
    wires = []
    if op is PRODUCTS:
        for a, b in zip(args[::2], args[1::2]):  # noqa: B905 - hot loop
            if a == b and moving[a]:
                wires.append((a, writer.products([a, writer.constant(2.0)])))
                continue
            if moving[a]:
                wires.append((a, b))
            if moving[b]:
                wires.append((b, a))
        return wires
    if isinstance(op, Reduction):
        found = [(operand, k) for k, operand in enumerate(args) if moving[operand]]
        steps, refs = partial_plans(op, len(args))
        partials = follow_some(writer, steps, [refs[k] for _, k in found], (node, *args))
        return [(operand, x) for (operand, _), x in zip(found, partials, strict=True)]
    for index, operand in enumerate(args):
        if moving[operand]:
            wires.append((operand, _local(writer, op, (node, *args), index)))
    return wires


def _made_by(program: Program, node: int) -> tuple[Op, tuple[int, ...]]:
    """Return the operation and the operands of which a node is the result.

    A node that derivatives are taken with respect to is an identity of it, apart from equal ones.
    Partials that read the result are functions of that node.
    """
    op, args = program.ops[node], program.args[node]
    if op is IDENTITY:
        below = program.ops[args[0]]
        if isinstance(below, Operation) and below not in {IDENTITY, DETACH}:
            return below, program.args[args[0]]
    return op, args


def _local(writer: Writer, op: Op, nodes: tuple[int, ...], index: int) -> int:
    """Write the partial of an operation with respect to one operand.

    Its result and operands are `nodes`. Even a partial that is always 0 is written: inf times 0 is
    nan, as in eager evaluation.
    """
    if op is _SLOPE_OF_POWER and writer.constants.get(nodes[-1]) == 0.0:
        return number_node(writer, 0.0)  # of x**0 it is 0 everywhere; the expression has 0·∞ at 0
    if isinstance(op, Partial):
        return follow(writer, derivative_plan(op, index), nodes)
    assert isinstance(op, Elementwise)
    local = partial(op, index)
    expression = local.expression
    if not isinstance(expression, Symbol):
        return number_node(writer, float(expression))
    operands = [nodes[i] for i in local.uses]
    return operands[0] if expression.op is None else writer.node(local, tuple(operands))
