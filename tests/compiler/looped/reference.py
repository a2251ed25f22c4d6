"""Programs of loops carried out step by step, as they read."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.loops.loop import (
    Carried,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    Number,
    Read,
    Write,
    cells_of,
)


def outputs(program: Looped, inputs: Sequence[float]) -> list[float]:
    """Return the outputs of a program of loops."""
    memory = [float("nan")] * program.cells
    memory[: len(inputs)] = inputs
    for cell, numbers in program.numbers:
        memory[cell : cell + len(numbers)] = numbers
    for loop in program.loops:
        if isinstance(loop, Clear):
            memory[loop.start : loop.start + loop.size] = [0.0] * loop.size
        else:
            _make(loop, memory)
    return memory[program.outputs]


def _make(loop: Loop, memory: list[float]) -> None:
    cells = {
        k: cells_of(x.place, loop.count).tolist()
        for k, x in enumerate(loop.steps)
        if isinstance(x, Read | Write | Increase)
    }
    carried = [0.0 if x.start is None else memory[x.start] for x in loop.carries]
    totals = [0.0] * len(loop.totals)
    for i in reversed(range(loop.count)) if loop.down else range(loop.count):
        found: list[float] = []
        for k, step in enumerate(loop.steps):
            if isinstance(step, Write | Increase):
                before = memory[cells[k][i]] if isinstance(step, Increase) else 0.0
                memory[cells[k][i]] = before + found[step.register]
                found.append(0.0)
            elif isinstance(step, Read):
                found.append(memory[cells[k][i]])
            else:
                found.append(_number(step, found, carried))
        carried = [found[x.register] for x in loop.carries]
        totals = [a + found[x.register] for a, x in zip(totals, loop.totals, strict=True)]
    for carry, number in zip(loop.carries, carried, strict=True):
        if carry.onto is not None:
            memory[carry.onto] += number
    for total, number in zip(loop.totals, totals, strict=True):
        memory[total.cell] = memory[total.start] + number


def _number(
    step: Number | Compute | Fused | Carried, found: list[float], carried: list[float]
) -> float:
    if isinstance(step, Number):
        return step.value
    if isinstance(step, Carried):
        return carried[step.carry]
    if isinstance(step, Fused):
        a, b, c = (found[x] for x in step.operands)
        return a * b + c
    return step.op.of_floats_unchecked(*[found[x] for x in step.operands])
