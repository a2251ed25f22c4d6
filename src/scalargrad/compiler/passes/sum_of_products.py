"""Gather chains of sums into sums of products; merge equal nodes and drop dead ones.

A neuron, written as ``sum(w * x for …) + b`` or term by term, and an error signal that arrives
over several wires both become one kind of node, a₀b₀ + a₁b₁ + ….
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from scalargrad.compiler.passes.expressions import (
    ADD,
    IDENTITY,
    MUL,
    follow,
    number_node,
    plan_of,
)
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    INPUT,
    Op,
)
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.writer import Writer
from scalargrad.table.operation import Operation


def sum_of_products(program: Program) -> Program:
    """Return `program` with all sums and products as sums of products.

    Parameters
    ----------
    program : Program
        As recorded; without dead nodes, which would count as uses.

    Returns
    -------
    Program
        With the same inputs and outputs; equal in exact arithmetic.
    """
    return _Gatherer(program).run()


class _Gatherer:
    """Rewrites a program. A sum with a single use waits in `terms` for its user to merge it."""

    def __init__(self, program: Program) -> None:
        self.old = program
        nodes = program.nodes()
        self.first, self.operands = nodes.first.tolist(), nodes.operands.tolist()
        self.writer = Writer(program.inputs)
        self.uses, self.cut = _uses(program, nodes)
        self.new: list[int] = [*range(program.inputs), *[-1] * (len(program) - program.inputs)]
        self.terms: dict[int, list[int]] = {}
        self.seeds: tuple[list[int], list[int]] = [], []  # of a sweep, old and new

    def run(self) -> Program:
        operands, new, uses, terms = self.operands, self.new, self.uses, self.terms
        products, one, cut = self.writer.products, self.writer.one, self.cut
        ops = self.writer.program.ops
        pending: list[int] | None
        rows = islice(zip(self.old.ops, self.first, strict=False), self.old.inputs, None)
        for node, (op, at) in enumerate(rows, self.old.inputs):  # most nodes add or multiply
            if op is ADD:
                first, second = operands[at], operands[at + 1]
                pending = terms.pop(first, None)
                if pending is None:
                    pending = [new[first], one]
                more = terms.get(second)
                if more is not None and len(more) == 2:
                    pending += terms.pop(second)
                else:  # a + (b + c) keeps its brackets
                    pending += (new[second] if more is None else self._node(second), one)
            elif op is MUL:
                first, second = operands[at], operands[at + 1]
                a, b = new[first], new[second]
                pending = [a if a >= 0 else self._node(first), b if b >= 0 else self._node(second)]
            else:
                pending = self._other(op, node)
            if pending is not None:
                if uses[node] == 1:
                    terms[node] = pending
                    continue
                new[node] = products(pending)
            if node in cut:
                copied = self._node(node)
                new[node] = self.writer.unique(IDENTITY, (copied,))
                repeats = isinstance(ops[copied], Operation) or ops[copied] is ADJOINT
                if op is IDENTITY and repeats:  # it is not what it repeats
                    new[node] = self.writer.unique(IDENTITY, (new[node],))
        return self.writer.finish(map(self._node, self.old.outputs))

    def _nodes(self, old: Sequence[int]) -> list[int]:
        """Return the new nodes of old ones."""
        new = self.new
        nodes = [new[x] for x in old]
        return nodes if min(nodes, default=0) >= 0 else [self._node(x) for x in old]

    def _node(self, old: int) -> int:
        """Return the new node of an old one, writing it now if it waits."""
        if self.new[old] < 0:
            self.new[old] = self.writer.products(self.terms.pop(old))
        return self.new[old]

    def _other(self, op: Op, node: int) -> list[int] | None:
        """Write a node other than ``+`` and ``*``, or return its terms if it is a sum."""
        if op is ADJOINT:
            self.new[node] = self._adjoint(node)
            return None
        args, writer = tuple(self.operands[self.first[node] : self.first[node + 1]]), self.writer
        if op is IDENTITY and self.uses[node] > 1 and self.new[args[0]] >= 0:
            self.new[node] = self.new[args[0]]
        elif op is CONSTANT:
            self.new[node] = writer.copied_constant(self.old, node)
        elif op is INPUT:
            self.new[node] = writer.unique(op, args)
        else:
            opened = plan_of(op, len(args)) if isinstance(op, Operation) else None
            if opened is not None and len(opened) == 1:
                return self._pairs(args, opened[0].refs)
            nodes = tuple(self._nodes(args))
            written = writer.node(op, nodes) if opened is None else follow(writer, opened, nodes)
            self.new[node] = written
        return None

    def _adjoint(self, node: int) -> int:
        """Write a derivative: one sweep has many, of the same roots."""
        of, *seeds = self.operands[self.first[node] : self.first[node + 1]]
        if seeds != self.seeds[0]:
            self.seeds = seeds, self._nodes(seeds)
        return self.writer.unique(ADJOINT, (self._node(of), *self.seeds[1]))

    def _pairs(self, args: tuple[int, ...], refs: tuple[int | float, ...]) -> list[int]:
        """Return the terms of a sum of products, with waiting sums expanded."""
        if self.terms.keys().isdisjoint(args):  # no sum waits, the common case
            nodes = [self.new[x] for x in args]
            return [nodes[x] if x.__class__ is int else number_node(self.writer, x) for x in refs]
        terms: list[int] = []
        for a, b in zip(refs[::2], refs[1::2], strict=True):
            waiting = self.terms.get(args[a]) if isinstance(a, int) else None
            expanded = None if waiting is None else self._expanded(waiting, b, first=not terms)
            if expanded is None:
                terms += (self._ref(a, args), self._ref(b, args))
            else:
                del self.terms[args[a]]  # type: ignore[index]
                terms += expanded
        return terms

    def _expanded(
        self, waiting: list[int], factor: int | float, *, first: bool
    ) -> list[int] | None:
        """Return the terms of a waiting sum times `factor` (an int refers to an operand).

        None unless all digits stay: a + (b + c) keeps its brackets, and -(a + b), too.
        """
        if isinstance(factor, int) or factor not in {1.0, -1.0}:
            return None
        if factor == 1.0:
            return waiting if first or len(waiting) == 2 else None
        if len(waiting) > 2:
            return None
        constants = self.writer.constants
        a, b = waiting if waiting[1] in constants else waiting[::-1]
        return [a, self.writer.constant(-constants[b])] if b in constants else None

    def _ref(self, ref: float, args: tuple[int, ...]) -> int:
        return self._node(args[ref]) if isinstance(ref, int) else number_node(self.writer, ref)


def _uses(program: Program, nodes: Nodes) -> tuple[list[int], set[int]]:
    """Return the uses of each node, and the nodes that derivatives are taken with respect to.

    A use that needs the node itself, rather than its terms, counts more than once.
    """
    users, operands, count = nodes.users(), nodes.operands, len(nodes)
    asking = nodes.where(lambda op: op is ADJOINT)
    apart = [operands[asking[users]], np.array(program.outputs, np.int64)]
    uses = np.bincount(operands, minlength=count)
    uses += 2 * np.bincount(np.concatenate(apart), minlength=count)
    return uses.tolist(), {*operands[nodes.first[:-1][asking]].tolist()}
