"""What programs were packed into, for further recordings of the same program.

A network made anew for each fold of a cross-validation, or a function whose cell is run again, is
recorded anew. Where the recording is the same program, it need not be packed again.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.passes.kinds import Held
from scalargrad.compiler.passes.program import Program

#: What the programs kept weigh at most, together; a program that weighs more is not kept.
MOST = 1_000_000
#: What a program weighs besides the numbers that describe it: its machine code.
_CODE = 20_000

#: A digest of a program's nodes, constants and outputs, its operations (those of the user among
#: them), which of its forms is packed, whether there is machine code, and its weight: how many
#: numbers describe it, and `_CODE`.
Key = tuple[bytes, tuple[Any, ...], object, bool, int]

_kept: dict[Key, Packed | Looped] = {}


def key_of(program: Program, how: object) -> Key | None:
    """Return what a program is known by; None if it is too large to be kept."""
    nodes = program.nodes()
    held = sum(op.lanes for op in nodes.table if isinstance(op, Held))
    weight = len(nodes) + len(nodes.operands) + len(program.outputs) + held + _CODE
    if weight > MOST:
        return None
    digest = hashlib.blake2b()
    constants, outputs = program.constants, program.outputs
    single = program.inputs, program.stacked, program.one, len(nodes), len(constants), len(outputs)
    integers = *single, *constants, *outputs
    digest.update(struct.pack(f"{len(integers)}q", *integers))
    digest.update(struct.pack(f"{len(constants)}d", *constants.values()))
    for part in (nodes.codes, nodes.first, nodes.operands):
        digest.update(part.tobytes())
    return digest.digest(), (*nodes.table,), how, has_llvm(), weight


def found(key: Key | None) -> Packed | Looped | None:
    """Return what a program was packed into, if that is still known."""
    packed = _kept.pop(key, None) if key else None
    if key and packed is not None:
        _kept[key] = packed  # the last to be forgotten
    return packed


def keep(key: Key | None, packed: object) -> None:
    """Keep what a program was packed into, unless it has a state."""
    if key is None or not isinstance(packed, Packed | Looped):
        return
    _kept[key] = packed
    for oldest in [*_kept]:
        if sum(weight for *_, weight in [*_kept]) <= MOST:
            return
        _kept.pop(oldest, None)


def forget() -> None:
    """Forget all programs."""
    _kept.clear()
