"""Expand variadic operations into operations of two operands, and backward sweeps into nodes.

A sum of many operands becomes a chain of additions, in which loops are found, and a maximum of many
a chain of maxima of two operands; equal operands share the gradient. A maximum of few operands
stays one operation, and so does logsumexp, whose partials are short. ``sum(%0, %1, %2)`` becomes::

    %4 = add(%3, %0)    where %3 = 0.0
    %5 = add(%4, %1)
    %6 = add(%5, %2)
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from scalargrad.compiler.array_types import Flags
from scalargrad.compiler.nests.finder.instructions import MOST_OPERANDS
from scalargrad.compiler.passes.expressions import (
    Plans,
    fixed_arity,
    opened,
    plans,
)
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    DETACH,
    LOSS,
    TANGENT,
    Op,
    is_detached,
)
from scalargrad.compiler.passes.nodes import Nodes, Seeds, entries
from scalargrad.compiler.passes.program import Program, Writer, without_dead_nodes
from scalargrad.opdef.operation import FixedArityOperation, Reduction
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import (
    abs,
    add,
    div,
    eq,
    exp,
    expm1,
    log1p,
    logsumexp,
    lt,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    sqrt,
    sub,
    sum,
    where,
)

#: A term of a node's adjoint: a seed, or the factors of a product, an adjoint and a partial.
_Term = int | tuple[int, int | float]
#: Backward sweeps, as `Nodes.sweeps` returns them.
Sweeps = dict[Seeds, dict[int, int]]
#: Minimum number of additions in a chain.
_CHAIN = 2
#: Maximum number of different arities of the maxima that are not expanded into chains.
_VARIOUS = 2


def _chain_starts(nodes: Nodes) -> dict[int, int]:
    """Return the first additions of chains by their first terms, if the next term is similar."""
    is_add = nodes.where(lambda op: op is add)
    if np.count_nonzero(is_add) < _CHAIN:
        return {}
    own = np.flatnonzero(is_add)
    left, right = nodes.operands[nodes.first[own]], nodes.operands[nodes.first[own] + 1]
    uses = np.bincount(nodes.operands, minlength=len(nodes))
    goes_on = np.zeros(len(nodes), np.bool_)
    goes_on[left] = True
    constant = nodes.where(lambda op: op is CONSTANT)
    begins = goes_on[own] & (uses[own] == 1) & (nodes.codes[left] == nodes.codes[right])
    found = begins & ~is_add[left] & ~constant[left]
    return dict(zip(left[found].tolist(), own[found].tolist(), strict=True))


class SmallOperations(Writer):
    """Writer of a program in which variadic operations are expanded.

    Parameters
    ----------
    program : Program
    wrt : dict
        The backward sweeps to expand into nodes, as `Nodes.sweeps` returns them.

    Attributes
    ----------
    places : memory of int
        The new node of each old one.
    """

    def __init__(self, program: Program, wrt: Sweeps) -> None:
        super().__init__(program, program.inputs, program.stacked)
        self.nodes_of = np.arange(len(program), dtype=np.int32)  # of the inputs, themselves
        self.places = entries(self.nodes_of)
        self.wrt, self.chain_starts = wrt, _chain_starts(program.nodes())
        self.numbers = sorted(program.constants)
        self.firsts: dict[int, int] = {}
        self.swept: dict[Seeds, dict[int, int]] = {}
        self.differentiates = not {ADJOINT, TANGENT}.isdisjoint(program.nodes().table)
        largest = program.nodes().args_with(maximum)
        #: True if maxima are expanded, because their arities differ too much to form loops.
        self.varies = len({*map(len, largest)}) > _VARIOUS

    def write(self, op: Op, args: Iterable[int]) -> int:
        """Write an operation, or its result if all operands are constants."""
        numbers = [self.constants.get(x) for x in args]
        if isinstance(op, FixedArityOperation) and None not in numbers:
            return self.constant(op.of_floats_unchecked(*numbers))
        return super().write(op, args)

    def run(self) -> Program:
        """Return the expanded program."""
        nodes = self.source.nodes()
        written = {ADJOINT, LOSS} if self.wrt else set[Op]()
        changed = nodes.where(lambda op: op in written or isinstance(op, Reduction))
        changed[[*self.chain_starts, *self.chain_starts.values()]] = True
        made = self.rewrite(changed)
        return without_dead_nodes(made) if self.wrt else made

    def rewrite(self, changed: Flags) -> Program:
        """Return the program; `write_changed` writes the flagged nodes, others are copied."""
        old, new = self.source, self.places
        changed[: old.inputs] = False
        copied = old.inputs
        for node in np.flatnonzero(changed).tolist():
            self._copy_all(range(copied, node))
            copied = node + 1
            new[node] = self.write_changed(node)
        self._copy_all(range(copied, len(old)))
        return self.program([new[x] for x in old.outputs])

    def write_changed(self, node: int) -> int:
        """Write the expansion of a node of the source, and return its last node."""
        nodes, new = self.source.nodes(), self.places
        op, args = nodes.table[nodes.codes[node]], nodes.args_of(node)
        if node in self.firsts:
            made = self.write(add, (self.firsts[node], new[args[1]]))
        elif isinstance(op, Reduction):
            made = self._reduction(op, [new[x] for x in args])
        elif op is LOSS:
            made = self._left([new[x] for x in args])
        elif op is ADJOINT:
            made = self._adjoint(node, *args)
        else:
            self._copy_all(range(node, node + 1))
            made = new[node]
        if node in self.chain_starts:
            self.firsts[self.chain_starts[node]] = self._first(made)
        return made

    def _copy_all(self, nodes: range) -> None:
        """Copy consecutive nodes, which are most of a program."""
        old, first = self.source.nodes(), len(self.ops)
        self.nodes_of[nodes.start : nodes.stop] = np.arange(first, first + len(nodes))
        begin, *ends = old.first[nodes.start : nodes.stop + 1].tolist()
        operands = self.nodes_of[old.operands[begin : ends[-1] if ends else begin]]
        here = len(self.operands) - begin
        self.ops += [old.table[x] for x in old.codes[nodes.start : nodes.stop].tolist()]
        self.operands.frombytes(operands.tobytes())
        self.first.extend([x + here for x in ends])
        low, high = (bisect_left(self.numbers, x) for x in (nodes.start, nodes.stop))
        for x in self.numbers[low:high]:
            self.constants[self.places[x]] = self.source.constants[x]

    def _reduction(self, op: Reduction, nodes: list[int]) -> int:
        if op is sum and nodes:
            return self._sum(nodes)
        is_chain = len(nodes) > MOST_OPERANDS or (op is maximum and self.varies)
        if op.expression is not None and not is_chain:
            return self.write(fixed_arity(op, len(nodes)), tuple(nodes))
        if op is maximum:
            return self._largest(nodes)
        if op is minimum:
            return self.write(neg, (self._largest([self.write(neg, (x,)) for x in nodes]),))
        if op is logsumexp:
            return self._log_of_sum(self.write(DETACH, (self._chain(nodes),)), nodes)
        return self._follow(_reduction_plan(op, len(nodes)), nodes)

    def _largest(self, nodes: Sequence[int]) -> int:
        found = self._chain(nodes)
        if not self.differentiates:
            return found
        return self._shared_largest(self.write(DETACH, (found,)), nodes)

    def _of(self, op: Op, *args: int | float) -> int:
        """Write an operation of nodes and numbers, which are floats."""
        return self.write(op, [self.constant(x) if isinstance(x, float) else x for x in args])

    def _shared_largest(self, fixed: int, nodes: Sequence[int]) -> int:
        """Write the largest of some nodes, given its value; equal nodes share its gradient."""
        of = self._of
        is_finite = of(lt, of(abs, fixed), math.inf)
        gaps = self._sum(of(where, of(eq, x, fixed), of(sub, fixed, x), 0.0) for x in nodes)
        count = self._sum(of(eq, x, fixed) for x in nodes)
        return of(where, is_finite, of(add, fixed, of(div, gaps, of(neg, count))), fixed)

    def _log_of_sum(self, fixed: int, nodes: Sequence[int]) -> int:
        """Write ln Σ e^xᵢ, given the largest operand as a constant.

        It has the digits of `logsumexp`. The derivative by an operand is its share of the sum.
        """
        of = self._of
        is_infinite = of(eq, of(abs, fixed), math.inf)
        shift = of(where, is_infinite, 0.0, fixed)

        def term(x: int) -> int:
            same, shifted = of(eq, x, fixed), of(sub, x, shift)
            return of(where, same, of(expm1, shifted), of(exp, shifted))

        terms, count = self._sum(map(term, nodes)), self._sum(of(eq, x, fixed) for x in nodes)
        found = of(add, fixed, of(log1p, of(add, terms, of(sub, count, 1.0))))
        return of(where, is_infinite, fixed, found)

    def _sum(self, terms: Iterable[int]) -> int:
        found = self.constant(0.0)  # Python's sum starts from 0
        for x in terms:
            found = self.write(add, (found, x))
        return found

    def _chain(self, nodes: Sequence[int]) -> int:
        found = self.constant(-math.inf)
        for x in nodes:
            found = self.write(fixed_arity(maximum, 2), (found, x))
        return found

    def _first(self, node: int) -> int:
        """Write the first term of a sum as an addition to -0.0, so that all terms are additions."""
        return self.write(add, (self.constant(-0.0), node))

    def _follow(self, plans: Plans, nodes: Sequence[int]) -> int:
        """Write an expression of some nodes, and return its last node."""
        steps, (found,) = plans
        known = [*nodes]
        for op, refs in steps:
            args = [known[x] if isinstance(x, int) else self.constant(x) for x in refs]
            if isinstance(op, Reduction):
                known.append(self._reduction(op, args))
            else:
                known.append(self.write(op, tuple(args)))
        return known[found] if isinstance(found, int) else self.constant(found)

    # Sweeps ------------------------------------------------------------------------------------

    def _left(self, seeds: Sequence[int]) -> int:
        """Write a loss, without the roots that turned out to be constants."""
        pairs = zip(seeds[::2], seeds[1::2], strict=True)
        moving = [x for pair in pairs if pair[0] not in self.constants for x in pair]
        return self.write(LOSS, tuple(moving)) if moving else self.constant(0.0)

    def _adjoint(self, node: int, wrt: int, loss: int) -> int:
        """Write an adjoint: a node of its sweep, or an `ADJOINT` if that is not expanded."""
        seeds = self.source.nodes().args_of(loss)
        x, left = self.places[wrt], self.places[loss]
        if seeds not in self.wrt:
            return left if left in self.constants else self.write(ADJOINT, (x, left))
        if seeds not in self.swept:
            self.swept[seeds] = self._sweep(seeds, node)
        return self.swept[seeds].get(x, self.constant(0.0))

    def _sweep(self, seeds: Seeds, before: int) -> dict[int, int]:
        """Write a sweep; return the requested adjoints of the nodes before `before`."""
        wrt = {self.places[x] for x in self.wrt[seeds].values() if x < before}
        roots = [self.places[x] for x in seeds[::2]]
        moving = self._moving(roots, wrt)
        terms: dict[int, list[_Term]] = defaultdict(list)
        for root, seed in zip(roots, seeds[1::2], strict=True):
            terms[root].append(self.places[seed])
        found: dict[int, int] = {}
        for node in sorted(moving, reverse=True):
            if node not in terms:
                continue
            upstream = self._added(terms.pop(node))
            if node in wrt:
                found[node] = upstream
            op, args = self.ops[node], self.args(node)
            if not isinstance(op, FixedArityOperation) or is_detached(op):
                continue
            op, args = self.without_power(op, args)
            for j, operand in enumerate(args):
                if operand in moving:
                    terms[operand].append((upstream, self.factor(op, (node, *args), j)))
        return found

    def _moving(self, roots: Sequence[int], wrt: set[int]) -> set[int]:
        """Return `wrt` and the nodes that depend on it, among those on which the roots depend."""
        first = min(wrt, default=len(self.ops))
        below, ahead = {*roots}, [*roots]
        while ahead:
            more = {x for x in self.args(ahead.pop()) if x >= first} - below
            below |= more
            ahead += more
        found = {*wrt}
        for node in sorted(below):
            if not found.isdisjoint(self.args(node)) and not is_detached(self.ops[node]):
                found.add(node)
        return found

    def _added(self, terms: Sequence[_Term]) -> int:
        """Write the adjoint of a node: each product directly before its addition, as in a loop.

        If products were written when their factors are, those of different sums would alternate.
        """
        found = -1
        for x in terms:
            signal = self.product(*x) if isinstance(x, tuple) else x
            if found >= 0:
                found = self.write(add, (found, signal))
            else:
                found = self._first(signal) if len(terms) > _CHAIN else signal
        return found

    def factor(self, op: FixedArityOperation, nodes: Seeds, j: int) -> int | float:
        """Write a partial as declared; return its node, or a float.

        A composite operation in it, such as the sigmoid of softplus, has partials of its own, which
        the next sweep needs.
        """
        local = op.partial_expressions[j]
        return (
            self._follow(_partial_plan(op, j), nodes) if isinstance(local, Symbol) else float(local)
        )

    def without_power(
        self, op: FixedArityOperation, args: Seeds
    ) -> tuple[FixedArityOperation, Seeds]:
        """Return an operation and its operands; a square becomes `mul`, a power of ½ `sqrt`."""
        exponent = self.constants.get(args[1]) if op is pow else None
        if exponent == 2.0:
            return mul, (args[0], args[0])
        return (sqrt, args[:1]) if exponent == 0.5 else (op, args)

    def product(self, upstream: int, factor: int | float) -> int:
        """Write upstream · partial."""
        if isinstance(factor, int):
            is_one = self.constants.get(upstream) == 1.0
            return factor if is_one else self.write(mul, (upstream, factor))
        if factor == 1.0:
            return upstream
        if factor == -1.0:
            return self.write(neg, (upstream,))
        return self.write(mul, (upstream, self.constant(factor)))


@functools.lru_cache(maxsize=2)  # a plan has a step for each operand
def _reduction_plan(op: Reduction, arity: int) -> Plans:
    """Return the steps of a reduction of `arity` operands."""
    symbols = tuple([Symbol(f"x{i}") for i in range(arity)])
    return plans(opened((op.expression or op.function)(symbols)), symbols)


@functools.lru_cache(maxsize=1024)
def _partial_plan(op: FixedArityOperation, index: int) -> Plans:
    """Return the steps of a partial as declared, over the nodes (result, *operands)."""
    symbols = (op.result_symbol, *op.operand_symbols)
    return plans((op.partial_expressions[index],), symbols)
