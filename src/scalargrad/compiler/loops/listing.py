"""Print rolled programs and their loops as text for people.

The page "How scalars become vectors" of the documentation shows such text: ``m`` is the memory,
``m[k]`` its cell k, and ``i`` counts iterations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Cells,
    CellTable,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    Number,
    Place,
    Read,
    Step,
    Write,
)
from scalargrad.compiler.loops.roll import Constant, Constants, Operand, Own, Rolled, RolledBlock
from scalargrad.compiler.passes.kinds import Op

#: How many numbers of a table are shown.
_SHOWN = 3


def rolled_listing(rolled: Rolled) -> str:
    """Return a rolled program as text: the body of each block and its repeat count."""
    return "\n".join(line for block in rolled.blocks for line in _block(block))


def looped_listing(program: Looped) -> str:
    """Return the loops of a program as text, one step to a line."""
    return "\n".join(line for loop in program.loops for line in _loop(loop))


def name_of(loop: Loop | Clear) -> str:
    """Return the kind of a loop: over lanes, a recurrence, or steps that run once."""
    if isinstance(loop, Clear):
        return "clear"
    if loop.count == 1:
        return "once"
    if not loop.lanes:
        return "recurrence"
    return "lanes and sums" if loop.totals else "lanes"


def _block(block: RolledBlock) -> Iterator[str]:
    yield "once" if block.count == 1 else f"for i < {block.count}"
    for t, (op, operands) in enumerate(block.body):
        shown = [_operand(block, x) for x in operands]
        place = _place(Cells(block.cells[t], int(block.count > 1)))
        yield f"  {place} = {_called(op, shown)}"


def _operand(block: RolledBlock, x: Operand) -> str:
    if isinstance(x, Constant):
        return repr(x.value)
    if isinstance(x, Constants):
        return f"({_few(map(repr, x.values.tolist()))})[i]"
    if isinstance(x, Own):
        return _place(Cells(block.cells[x.statement] - x.distance, int(block.count > 1)))
    return _place(x)


def _loop(loop: Loop | Clear) -> Iterator[str]:
    if isinstance(loop, Clear):
        yield f"m[{loop.start}] to m[{loop.start + loop.size - 1}] = 0.0"
        return
    often = "" if loop.count == 1 else f", i < {loop.count}"
    yield f"{name_of(loop)}{often}{', the last one first' if loop.down else ''}"
    for k, carry in enumerate(loop.carries):
        start = "0.0" if carry.start is None else _place(Cells(carry.start))
        yield f"  c{k} = {start} at first, then %{carry.register}"
    for k, step in enumerate(loop.steps):
        yield f"  {_step(k, step)}"
    for k, carry in enumerate(loop.carries):
        if carry.onto is not None:
            yield f"  {_place(Cells(carry.onto))} += c{k} after the last"
    for total in loop.totals:
        terms = " + ".join("·".join(f"%{x}" for x in term) for term in total.terms)
        yield f"  m[{total.cell}] = m[{total.start}] + Σ {terms}"


def _step(k: int, step: Step) -> str:
    if isinstance(step, Write):
        return f"{_place(step.place)} = %{step.register}"
    if isinstance(step, Increase):
        return f"{_place(step.place)} += %{step.register}"
    return f"%{k} = {_value(step)}"


def _value(step: Number | Read | Compute | Fused | CarriedOver) -> str:
    if isinstance(step, Number):
        return repr(step.value)
    if isinstance(step, Read):
        return _place(step.place)
    if isinstance(step, CarriedOver):
        return f"c{step.carry}"
    names = [f"%{x}" for x in step.operands]
    if isinstance(step, Fused):
        a, b, c = names
        return f"{c} + {a}·{b}"
    return _called(step.op, names)


def _called(op: Op, operands: Sequence[str]) -> str:
    return f"{op.name}({', '.join(operands)})"


def _place(place: Place) -> str:
    if isinstance(place, CellTable):
        return f"m[({_few(map(str, place.cells.tolist()))})[i]]"
    if not place.stride:
        return f"m[{place.cell}]"
    distance = "" if abs(place.stride) == 1 else str(abs(place.stride))
    return f"m[{place.cell} {'+' if place.stride > 0 else '-'} {distance}i]"


def _few(shown: Iterable[str]) -> str:
    found = [*shown]
    return ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
