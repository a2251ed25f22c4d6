"""Contraction: a product with a single reader, an addition, is fused with it and not rounded.

    mul[i] = p[0] · s[i]
    s[i+1] = mul[i] + x[i]     →     s[i+1] = fma(p[0], s[i], x[i])

Which products are fused depends on the equations alone: not on the loops or the processor, nor on
the way in which a sum was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

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
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.ops import TABLE

_MUL, _IDENTITY, _ADD, _SUB = (TABLE[x] for x in ("mul", "identity", "add", "sub"))


# x·y + z, x·y - z and z - x·y, rounded once where they are compiled.
FMA = FixedArityOperation(lambda x, y, z: x * y + z, lambda _, x, y, z: (y, x, 1.0), name="fma")  # noqa: ARG005
FMS = FixedArityOperation(lambda x, y, z: x * y - z, lambda _, x, y, z: (y, x, -1.0), name="fms")  # noqa: ARG005
FNMA = FixedArityOperation(lambda x, y, z: z - x * y, lambda _, x, y, z: (-y, -x, 1.0), name="fnma")  # noqa: ARG005
#: The signs of the product and of the third operand.
SIGNS: dict[Operation, tuple[int, int]] = {FMA: (1, 1), FMS: (1, -1), FNMA: (-1, 1)}
#: The fused operation for each operation on a product and a number, and each place of the product.
_FUSED = {(_ADD, 0): FMA, (_ADD, 1): FMA, (_SUB, 0): FMS, (_SUB, 1): FNMA}


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
    products: dict[Array, tuple[Step, set[Var]]] = {}  # with the variables of the loops around
    for step, around in every:
        x = step.out.array
        is_alone = x.kind == "temp" and reads[x] == writes[x] == 1
        if step.op is _MUL and step.how == SET and is_alone and x not in but and x not in kept:
            products[x] = step, {*around}
    found: dict[Step, Step | None] = {}
    for step, around in every:
        if step.out.array not in but:
            found |= _contracted(step, {*around} - {*examples}, products)
    gone = {step.out.array for step, new in found.items() if new is None}
    arrays = [a for a in program.arrays if a not in gone]
    return Program(arrays, replaced(program.body, lambda step: found.get(step, step)))


def _contracted(
    step: Step, around: set[Var], products: Mapping[Array, tuple[Step, set[Var]]]
) -> dict[Step, Step | None]:
    """Return a step that computes a product, too, which is then set by none; none if it may not."""
    places = [*range(len(step.args))]
    for k in places if step.op is _SUB else places[::-1]:
        x = step.args[k]
        if not isinstance(x, Access) or x.array not in products:
            continue
        product, own = products[x.array]
        factors = _factors(product, own, x, around)
        if factors and step.how == ADD and step.op is _IDENTITY:
            return {product: None, step: Step(step.out, _MUL, factors, ADD)}
        if factors and step.how == SET and (step.op, k) in _FUSED:
            args = (*factors, step.args[1 - k])
            return {product: None, step: Step(step.out, _FUSED[step.op, k], args)}
    return {}


def _factors(product: Step, own: set[Var], x: Access, around: set[Var]) -> tuple[Arg, ...] | None:
    """Return the factors of a product where it is read; None if it may be read more than once."""
    out = product.out
    if out == x and own >= around:
        return product.args
    reads_once = is_unique(x.indices) and x.variables >= around and not x.tables
    if not (reads_once and out.is_whole() and out.variables == own):
        return None
    pairs = zip(out.indices, x.indices, strict=True)
    moved = {i.terms[0][0]: its for i, its in pairs if i.terms}
    return tuple(y.substituted(moved) if isinstance(y, Access) else y for y in product.args)
