"""Time each instruction of a program on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from scalargrad.compiler.backend import choice
from scalargrad.compiler.passes.instructions import Instruction, Packed
from scalargrad.compiler.passes.memory import Floats

#: So many pieces of a program are timed; of a longer one, several instructions at once.
_PIECES = 400
#: A piece is repeated within a run, where it is over too soon to be timed, and run so often.
_COPIES, _RUNS = 32, 7
#: Down to so many lanes an instruction counts as soon over.
_FEW = 4096


class Piece(NamedTuple):
    """Neighbouring instructions of a program, mostly one, and the seconds a run of them takes."""

    instructions: tuple[Instruction, ...]
    seconds: float


def timed(packed: Packed, memory: Floats, lanes: Sequence[int]) -> list[Piece]:
    """Return the pieces of a program, each run by itself, many times.

    Parameters
    ----------
    packed : Packed
    memory : float64, cells
        As a run leaves it, so that numbers are those of the program.
    lanes : sequence of int
        Of each instruction.
    """
    instructions = packed.instructions
    size = -(-len(instructions) // _PIECES) or 1
    nothing = _seconds(packed, [], memory)
    found = []
    for start in range(0, len(instructions), size):
        piece = instructions[start : start + size]
        copies = _COPIES if max(lanes[start : start + size]) <= _FEW else 1
        taken = _seconds(packed, piece * copies, memory) - nothing
        found.append(Piece(tuple(piece), max(0.0, taken) / copies))
    return found


def _seconds(packed: Packed, instructions: list[Instruction], memory: Floats) -> float:
    """Return the least time of several runs of some instructions."""
    executable = choice.executable_for(replace(packed, instructions=instructions))
    cells = len(packed.memory)  # behind them, each machine keeps what it has laid out for itself
    executable.memory[:cells] = memory[:cells]
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        executable.run()
        times.append(time.perf_counter() - start)
    return min(times)
