"""Time each instruction of a program on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from scalargrad.compiler.backend import choice
from scalargrad.compiler.passes.instructions import Instruction, Packed
from scalargrad.compiler.passes.memory import Floats

#: The most pieces that are timed; in a longer program a piece is several instructions.
_PIECES = 400
#: How often a piece too short to be timed is repeated within a run, and how many runs are made.
_COPIES, _RUNS = 32, 7
#: Instructions over this many lanes or fewer count as short.
_FEW = 4096


class Piece(NamedTuple):
    """Neighbouring instructions of a program, mostly one, and the seconds a run of them takes."""

    instructions: tuple[Instruction, ...]
    seconds: float


def timed(packed: Packed, memory: Floats, lanes: Sequence[int]) -> list[Piece]:
    """Return the pieces of a program, each timed alone over many runs.

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
    """Return the shortest of several runs of some instructions, in seconds."""
    executable = choice.executable_for(replace(packed, instructions=instructions))
    cells = len(packed.memory)  # behind them, each machine keeps what it has laid out for itself
    executable.memory[:cells] = memory[:cells]
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        executable.run()
        times.append(time.perf_counter() - start)
    return min(times)
