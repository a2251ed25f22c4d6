"""Programs of loops carried out step by step, as they read."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    LoopTotal,
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
    totals = [_Sum(loop, x, memory[x.start]) for x in loop.totals]
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
        for total in totals:
            total.add(i, found)
    for carry, number in zip(loop.carries, carried, strict=True):
        if carry.onto is not None:
            memory[carry.onto] += number
    for total in totals:
        memory[total.total.cell] = total.result()


class _Sum:
    """A total, in the order that the number of its terms chooses."""

    def __init__(self, loop: Loop, total: LoopTotal, start: float) -> None:
        self.total, self.start = total, start
        self.is_sequential = not loop.lanes or loop.count * len(total.terms) <= 64
        self.classes = [-0.0] * 8

    def add(self, i: int, found: list[float]) -> None:
        for term in self.total.terms:
            before = self.start if self.is_sequential else self.classes[i % 8]
            a, *b = (found[x] for x in term)
            after = fused(a, b[0], before) if b else before + a
            if self.is_sequential:
                self.start = after
            else:
                self.classes[i % 8] = after

    def result(self) -> float:
        return self.start if self.is_sequential else reduce(operator.add, self.classes, self.start)


def fused(a: float, b: float, c: float) -> float:
    """Return a·b + c, rounded once."""
    if not all(map(math.isfinite, (a, b, c))):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return float(exact) if exact else a * b + c


def _number(
    step: Number | Compute | Fused | CarriedOver, found: list[float], carried: list[float]
) -> float:
    if isinstance(step, Number):
        return step.value
    if isinstance(step, CarriedOver):
        return carried[step.carry]
    if isinstance(step, Fused):
        a, b, c = (found[x] for x in step.operands)
        return fused(a, b, c)
    return step.op.of_floats_unchecked(*[found[x] for x in step.operands])
