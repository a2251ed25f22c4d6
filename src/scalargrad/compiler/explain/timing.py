"""Time the instructions of a program one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend import choice
from scalargrad.compiler.explain.measured import COPIES, shortest
from scalargrad.compiler.packing.instructions import Instruction, Packed

#: The most pieces that are timed; in a longer program, each is several instructions.
_PIECES = 400
#: Instructions over this many lanes or fewer count as short.
_FEW = 4096


class Piece(NamedTuple):
    """Consecutive instructions, mostly a single one, and the seconds that they take."""

    instructions: tuple[Instruction, ...]
    seconds: float


def timed(packed: Packed, memory: Floats, lanes: Sequence[int]) -> list[Piece]:
    """Divide a program into pieces and time each alone, over many runs.

    Parameters
    ----------
    packed : Packed
    memory : float64, cells
        The memory as a run leaves it, so that pieces are timed on realistic numbers.
    lanes : sequence of int
        The lanes of each instruction.
    """
    instructions = packed.instructions
    size = -(-len(instructions) // _PIECES) or 1
    nothing = _seconds(packed, [], memory)
    found = []
    for start in range(0, len(instructions), size):
        piece = instructions[start : start + size]
        copies = COPIES if max(lanes[start : start + size]) <= _FEW else 1
        taken = _seconds(packed, piece * copies, memory) - nothing
        found.append(Piece(tuple(piece), max(0.0, taken) / copies))
    return found


def _seconds(packed: Packed, instructions: list[Instruction], memory: Floats) -> float:
    """Return the seconds of the shortest of several runs."""
    executable = choice.executable_for(replace(packed, instructions=instructions))
    cells = len(packed.memory)  # beyond them, an executable has spare cells of its own
    executable.memory[:cells] = memory[:cells]
    return shortest(executable.run)
