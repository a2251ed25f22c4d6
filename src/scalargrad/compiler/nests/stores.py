"""Results go where they are returned, without arrays of their own that are then copied.

Of ``s[i] = p[i] - g[i]`` and ``y[i+1] = s[i]`` what is left is ``y[i+1] = p[i] - g[i]``.
"""

from __future__ import annotations

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Program,
    Step,
    Var,
    replaced,
    statements,
)
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.ops import TABLE

_IDENTITY = TABLE["identity"]
_Use = tuple[Step, tuple[Var, ...]]


def stored_at_once(program: Program, outputs: Array) -> Program:
    """Return a program that has nothing but its outputs as results, with fewer copies."""
    others = {a: Array(a.name, a.shape) for a in program.arrays if a.kind == "out"}
    del others[outputs]
    found = simplify(_with(program, others))
    writers: dict[Array, list[_Use]] = {}
    readers: dict[Array, list[_Use]] = {}
    for step, around in statements(found.body):
        writers.setdefault(step.out.array, []).append((step, around))
        for x in step.reads():
            readers.setdefault(x.array, []).append((step, around))
    steps: dict[Step, Step | None] = {}
    for array, writing in writers.items():
        if array.kind == "temp" and len(writing) == 1 and len(readers.get(array, ())) == 1:
            (writer,), (reader,) = writing, readers[array]
            out = _place(writer, reader)
            if out is not None:
                steps |= {writer[0]: Step(out, writer[0].op, writer[0].args), reader[0]: None}
    gone = {step.out.array for step, new in steps.items() if new is not None}
    arrays = [a for a in found.arrays if a not in gone]
    body = replaced(found.body, lambda step: steps.get(step, step))
    return Program(arrays, body, checks=False)


def _place(writer: _Use, reader: _Use) -> Access | None:
    """Return the cell to which a step may write at once what another copies there."""
    (step, around), (copy, copied_around) = writer, reader
    source = copy.args[0]
    if not isinstance(source, Access) or copy.op is not _IDENTITY or {copy.how, step.how} != {SET}:
        return None
    if not (step.out.is_whole() and source.is_whole()):
        return None
    if step.out.variables != {*around} or source.variables != {*copied_around}:
        return None
    pairs = zip(source.indices, step.out.indices, strict=True)
    return copy.out.substituted({x.terms[0][0]: own for x, own in pairs if x.terms})


def _with(program: Program, others: dict[Array, Array]) -> Program:
    """Return a program with others in the place of arrays."""

    def moved(x: Access) -> Access:
        indices = tuple(
            type(i)(i.base, i.terms, moved(i.via)) if i.via and i.via.array in others else i
            for i in x.indices
        )
        return Access(others.get(x.array, x.array), indices)

    arrays = [others.get(a, a) for a in program.arrays]
    body = replaced(program.body, lambda step: step.with_cells(moved))
    return Program(arrays, body, checks=False)
