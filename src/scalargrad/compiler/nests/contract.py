"""Contraction: products that only one sum reads become part of it, rounded once with it.

Whether x·y + z is rounded once then depends on the equations alone: not on the loops or the
processor, nor on how a sum was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from scalargrad.compiler.nests.distances import is_unique
from scalargrad.compiler.nests.equations import (
    ADD,
    SET,
    Access,
    Arg,
    Array,
    Program,
    Step,
    Var,
    replaced,
    statements,
)
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

_MUL, _IDENTITY = TABLE["mul"], TABLE["identity"]


class Fused(Elementwise):
    """A product with a sum or difference, rounded once where it is compiled.

    Attributes
    ----------
    signs : tuple of int
        The signs of the product and of the third operand.
    """

    composite = True

    def __init__(self, name: str, signs: tuple[int, int], function: Callable[..., Any]) -> None:
        of_product, of_sum = signs

        def partials(_: Any, x: Any, y: Any, z: Any) -> tuple[Any, ...]:  # noqa: ARG001
            return (y, x, float(of_sum)) if of_product > 0 else (-y, -x, float(of_sum))

        super().__init__(function, partials, name=name)
        self.signs = signs


FMA = Fused("fma", (1, 1), lambda x, y, z: x * y + z)
FMS = Fused("fms", (1, -1), lambda x, y, z: x * y - z)
FNMA = Fused("fnma", (-1, 1), lambda x, y, z: z - x * y)
#: The fused operation for each operation on a product and a number, and each place of the product.
_FUSED = {
    ("add", 0): FMA, ("add", 1): FMA, ("sub", 0): FMS, ("sub", 1): FNMA
}  # fmt: skip


class _Product(NamedTuple):
    """A step that sets an array of products."""

    step: Step
    around: tuple[Var, ...]


def contract(
    program: Program,
    but: Collection[Array] = (),
    examples: Collection[Var] = (),
    kept: Collection[Array] = (),
) -> Program:
    """Return a program whose sums have absorbed the products that only they read.

    Parameters
    ----------
    program : Program
    but : collection of Array
        Steps that write to these stay as they are: a value has the same digits whether or not its
        derivative is computed, too.
    examples : collection of Var
        A product that all examples have in common is part of the sum of each, as it is of one.
    kept : collection of Array
        Products in these are read later.
    """
    but = {*but}
    every = [*statements(program.body)]
    reads = Counter(x.array for step, _ in every for x in step.reads())
    writes = Counter(step.out.array for step, _ in every)
    products: dict[Array, _Product] = {}
    for step, around in every:
        fits = step.op is _MUL and step.how == SET and step.out.array.kind == "temp"
        if fits and step.out.array not in but and step.out.array not in kept:
            products[step.out.array] = _Product(step, around)
    alone = {a: x for a, x in products.items() if reads[a] == 1 and writes[a] == 1}
    found: dict[Step, Step | None] = {}
    for step, around in every:
        made = None if step.out.array in but else _contracted(step, around, alone, examples)
        if made is not None:
            taken, found[step] = made
            found[taken] = None
    gone = {step.out.array for step, new in found.items() if new is None}
    arrays = [a for a in program.arrays if a not in gone]
    return Program(arrays, replaced(program.body, lambda step: found.get(step, step)))


def _contracted(
    step: Step,
    around: tuple[Var, ...],
    products: Mapping[Array, _Product],
    examples: Collection[Var],
) -> tuple[Step, Step] | None:
    """Return a product that a step may compute, being set in the same turn, and the step then."""
    places = [*range(len(step.args))]
    for k in places if step.op.name == "sub" else places[::-1]:
        x = step.args[k]
        made = products.get(x.array) if isinstance(x, Access) else None
        factors = (
            _factors(made, x, {*around} - {*examples}) if made and isinstance(x, Access) else None
        )
        if made is None or factors is None:
            continue
        if step.how == ADD and step.op is _IDENTITY:
            return made.step, Step(step.out, _MUL, factors, ADD)
        if step.how == SET and (step.op.name, k) in _FUSED:
            args = (*factors, step.args[1 - k])
            return made.step, Step(step.out, _FUSED[step.op.name, k], args)
    return None


def _factors(made: _Product, x: Access, around: set[Var]) -> tuple[Arg, ...] | None:
    """Return the factors of a product where it is read; None if it may be read more than once."""
    out = made.step.out
    if out == x and {*made.around} >= around:
        return made.step.args
    reads_once = is_unique(x.indices) and x.variables >= around and not x.tables
    if not (reads_once and out.is_whole()):
        return None
    if out.variables != {*made.around}:
        return None
    pairs = zip(out.indices, x.indices, strict=True)
    moved = {i.terms[0][0]: its for i, its in pairs if i.terms}
    return tuple(y.substituted(moved) if isinstance(y, Access) else y for y in made.step.args)
