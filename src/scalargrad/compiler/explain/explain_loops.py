"""Explain a program of loops: its listing, its code, and how long each loop takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from scalargrad.compiler.explain.measured import COPIES, Timed, TimelineBar, shares, shortest
from scalargrad.compiler.loops.listing import name_of
from scalargrad.compiler.loops.loop import CellTable, Clear, Increase, Loop, Looped, Read, Write
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
from scalargrad.compiler.runner import Inputs

#: Loops of this many iterations or fewer count as short.
_FEW = 4096


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


def timed(title: str, program: Looped, inputs: Inputs) -> Timed:
    """Time each loop alone, on the memory that a whole run leaves."""
    whole = LoopExecutable(Printed(program))
    whole.memory[: program.inputs] = inputs
    whole.run()
    nothing = _seconds(replace(program, loops=[]), whole)
    bars = []
    for loop in program.loops:
        copies = COPIES if _iterations(loop) <= _FEW else 1
        taken = _seconds(replace(program, loops=[loop] * copies), whole) - nothing
        bars.append(TimelineBar(name_of(loop), _iterations(loop), max(0.0, taken) / copies))
    gathers = sum(
        isinstance(x, Read | Write | Increase) and isinstance(x.place, CellTable)
        for loop in program.loops
        if isinstance(loop, Loop)
        for x in loop.steps
    )
    kinds = [(bar.name, bar.lanes, bar.seconds) for bar in bars]
    return Timed(title, gathers, 8 * program.cells, len(bars), bars, shares(kinds), "loop")


def _iterations(loop: Loop | Clear) -> int:
    return loop.size if isinstance(loop, Clear) else loop.count


def _seconds(program: Looped, whole: LoopExecutable) -> float:
    """Return the seconds of the shortest of several runs."""
    part = LoopExecutable(Printed(program))
    part.memory[:] = whole.memory
    return shortest(part.run)
