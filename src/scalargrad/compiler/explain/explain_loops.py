"""Explain a program of loops: its listing, its code, and how long each loop takes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from scalargrad.compiler.explain.measured import Timed, shortest, timed
from scalargrad.compiler.loops.listing import name_of
from scalargrad.compiler.loops.loop import CellTable, Clear, Increase, Loop, Looped, Read, Write
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
from scalargrad.compiler.runner import Inputs

#: The most parts that are timed: more loops are timed in stretches.
_BARS = 100


def described(name: str, program: Looped) -> list[str]:
    """Return lines that describe the loops of a program."""
    loops = [x for x in program.loops if isinstance(x, Loop)]
    lines = [f"{name}: {len(loops)} loops, {8 * program.cells} bytes"]
    steps: Counter[tuple[str, int]] = Counter()
    for loop in loops:
        steps[name_of(loop), loop.count] += len(loop.steps)
    for (kind, count), total in steps.items():
        often = "" if count == 1 else f", {count} iterations"
        lines.append(f"  {kind}{often}: {total} step{'s' * (total != 1)}")
    return lines


def code_of(program: Looped) -> str:
    """Return the LLVM IR of a program of loops."""
    from scalargrad.compiler.loops.loop_printer import printed

    return printed(program).module.text()


def loops_timed(title: str, program: Looped, inputs: Inputs) -> Timed:
    """Time each loop alone, on the memory that a whole run leaves; of very many, stretches."""
    whole = LoopExecutable(Printed(program))
    whole.memory[: program.inputs] = inputs
    whole.run()

    def seconds(loops: list[Loop | Clear]) -> float:
        part = LoopExecutable(Printed(replace(program, loops=loops)))
        part.memory[:] = whole.memory
        return shortest(part.run)

    size = math.ceil(len(program.loops) / _BARS)
    parts = [program.loops[k : k + size] for k in range(0, len(program.loops), size)]
    gathers = sum(
        isinstance(x, Read | Write | Increase) and isinstance(x.place, CellTable)
        for loop in program.loops
        if isinstance(loop, Loop)
        for x in loop.steps
    )
    nbytes = 8 * program.cells
    return timed(title, parts, _described, seconds, gathers=gathers, nbytes=nbytes, of="loop")


def _described(loop: Loop | Clear) -> tuple[str, int]:
    return name_of(loop), loop.size if isinstance(loop, Clear) else loop.count
