"""Write a program node by node, merging equal nodes and folding constants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.compiler.passes.kinds import (
    CONSTANT,
    ENTRY,
    INPUT,
    PRODUCTS,
    TAKE,
    Kind,
    Op,
)
from scalargrad.compiler.passes.program import Program, without_dead_nodes
from scalargrad.ops import TABLE

_POW, _SQRT = TABLE["pow"], TABLE["sqrt"]
#: Sums of more factors are looked through at once.
_LONG = 8


class Writer:
    """Writes a program, merging equal nodes and folding constants.

    Constants are told apart by their bits: 0.0 and -0.0 differ.
    """

    def __init__(self, inputs: int) -> None:
        ops: list[Op] = [*[INPUT] * inputs, CONSTANT]
        self.program = Program(inputs, ops, [()] * len(ops), {inputs: 1.0}, one=inputs)
        self.constants = self.program.constants
        self.one = self.program.one
        self._known: dict[Any, int] = {}

    def copied_constant(self, program: Program, node: int) -> int:
        """Return the node of a constant of another program."""
        return self.one if node == program.one else self.constant(program.constants[node])

    def constant(self, number: float) -> int:
        """Return the node of a number."""
        key = number.hex()
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = self.unique(CONSTANT, ())
            self.constants[node] = number
        return node

    def unique(self, op: Op, args: tuple[int, ...]) -> int:
        """Write a node that will not be merged with equal ones."""
        program = self.program
        program.ops.append(op)
        program.args.append(args)
        return len(program.ops) - 1

    def node(self, op: Op, args: tuple[int, ...]) -> int:
        """Return the node of `op` over `args`; folded to a constant if all are constants."""
        known = self._known.get((op, args))
        if known is None:
            known = self._known[op, args] = self._folded(op, args)
        return known

    def _folded(self, op: Op, args: tuple[int, ...]) -> int:
        constants = self.constants
        exponent = constants.get(args[1]) if op is _POW else None
        if exponent == 1.0:
            return args[0]
        if exponent == 2.0:
            return self.products([args[0], args[0]])
        if exponent == 0.5:
            return self.node(_SQRT, args[:1])
        if op is TAKE and args[0] in constants:
            index, row = constants[args[0]], self.program.args[args[1]]
            if -len(row) <= index < len(row) and index.is_integer():
                return row[int(index)]
        if not isinstance(op, Kind) and args[0] in constants and constants.keys() >= {*args}:
            return self.constant(op.of_floats_unchecked(*(constants[x] for x in args)))
        return self.unique(op, args)

    def entry(self, row: int, place: int) -> int:
        """Return the node of the number at one place of a row."""
        return self.node(ENTRY, (row, self.constant(float(place))))

    def copied(self, op: Op, args: tuple[int, ...]) -> int:
        """Return the node of `op` over `args`, which is in its simplest form already."""
        new = len(self.program.ops)
        known: int = self._known.setdefault((op, args), new)
        return self.unique(op, args) if known == new else known

    def copied_products(self, args: tuple[int, ...]) -> int:
        """Return the node of a sum copied from another program, none of whose terms was folded."""
        return self.copied(PRODUCTS, args)

    def products(self, pairs: Sequence[int]) -> int:
        """Return the node a₀b₀ + a₁b₁ + …, added in this order.

        Constants that come first are folded into one, which is left out if it is -0.0, as adding it
        changes nothing. Factors that are constants come second, and others are ordered, so that
        equal terms are written alike; in long sums without constants but perhaps the first term,
        as of `sum`, they stay as they are.
        """
        constants, one = self.constants, self.one
        if len(pairs) == 2 and one in pairs:
            return pairs[0] if pairs[1] == one else pairs[1]
        total = None
        terms: list[int] = []
        is_long = len(pairs) > _LONG and constants.keys().isdisjoint(pairs[2::2])
        looked_at = 2 if is_long else len(pairs)
        for a, b in zip(pairs[:looked_at:2], pairs[1:looked_at:2]):  # noqa: B905 - hot loop
            if a in constants:
                if b not in constants:
                    terms += (b, a)
                elif terms:
                    terms += (self.constant(constants[a] * constants[b]), one)
                else:
                    total = (-0.0 if total is None else total) + constants[a] * constants[b]
            elif a > b and b not in constants:
                terms += (b, a)
            else:
                terms += (a, b)
        terms += pairs[looked_at:]
        if not terms:
            return self.constant(-0.0 if total is None else total)
        if total is not None and total.hex() != "-0x0.0p+0":
            terms = [self.constant(total), one, *terms]
        elif len(terms) == 2 and terms[1] == one:
            return terms[0]
        return self.copied(PRODUCTS, tuple(terms))

    def finish(self, outputs: Iterable[int], *, tidy: bool = True) -> Program:
        """Return the program; with `tidy`, without nodes that no output depends on."""
        self.program.outputs = [*outputs]
        return without_dead_nodes(self.program) if tidy else self.program
