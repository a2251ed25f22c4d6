"""Products that only one sum reads become part of it, rounded once with it.

Whether x·y + z is rounded once then depends on the equations alone: not on the loops or the
processor, nor on how a sum was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scalargrad.compiler.nests.equations import (
    ADD,
    SET,
    Access,
    Array,
    Body,
    Loop,
    Program,
    Step,
    Var,
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
        Those of the product and of the third operand.
    """

    composite = True

    def __init__(self, name: str, signs: tuple[int, int], function: Callable[..., Any]) -> None:
        x, z = signs
        super().__init__(function, lambda _, a, b, c: (x * b, x * a, z + 0 * c), name=name)
        self.signs = signs


FMA = Fused("fma", (1, 1), lambda x, y, z: x * y + z)
FMS = Fused("fms", (1, -1), lambda x, y, z: x * y - z)
FNMA = Fused("fnma", (-1, 1), lambda x, y, z: z - x * y)
#: For each operation on a product and a number, the place of the product and what takes its place.
_FUSED = {
    ("add", 0): FMA, ("add", 1): FMA, ("sub", 0): FMS, ("sub", 1): FNMA
}  # fmt: skip


class _Product(NamedTuple):
    """A step that sets an array of products."""

    step: Step
    around: tuple[Var, ...]


def contract(program: Program) -> Program:
    """Return a program whose sums have the products that nobody else reads; it is changed."""
    reads: Counter[Array] = Counter()
    writes: Counter[Array] = Counter()
    products: dict[Array, _Product] = {}
    for step, around in statements(program.body):
        reads.update(x.array for x in step.reads())
        writes[step.out.array] += 1
        if step.op is _MUL and step.how == SET and step.out.array.kind == "temp":
            products[step.out.array] = _Product(step, around)
    alone = {a: x for a, x in products.items() if reads[a] == 1 and writes[a] == 1}
    taken: set[Step] = set()
    for step, around in statements(program.body):
        _take(step, around, alone, taken)
    arrays = [a for a in program.arrays if a not in alone or alone[a].step not in taken]
    return Program(arrays, _without(program.body, taken), checks=False)


def _take(
    step: Step, around: tuple[Var, ...], products: Mapping[Array, _Product], taken: set[Step]
) -> None:
    """Have a step compute a product that it reads, in the turn in which it is set."""
    for k in reversed(range(len(step.args))):
        x = step.args[k]
        made = products.get(x.array) if isinstance(x, Access) else None
        if made is None or made.step.out != x or {*made.around} != {*around}:
            continue
        if step.how == ADD and step.op is _IDENTITY:
            step.op, step.args = _MUL, made.step.args
        elif step.how == SET and (step.op.name, k) in _FUSED:
            step.op = _FUSED[step.op.name, k]
            step.args = (*made.step.args, step.args[1 - k])
        else:
            continue
        taken.add(made.step)
        return


def _without(body: Body, steps: set[Step]) -> Body:
    found: Body = []
    for item in body:
        if not isinstance(item, Loop):
            found += [] if item in steps else [item]
        elif inner := _without(item.body, steps):
            found.append(Loop(item.var, inner, item.down))
    return found
