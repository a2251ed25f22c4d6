"""What programs were packed into, for further recordings of the same program.

A network made anew for each fold of a cross-validation, or a function whose cell is run again, is
recorded anew; so is everything when a script is run again. Where the recording is the same program,
it need not be packed again. Long programs are kept on disk, too, beside machine code.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from scalargrad.compiler import disk_cache
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.nests.numpy_runner import NumpyNested
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.passes.kinds import Held
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import OperandError

#: What the programs kept in memory weigh at most, together; none that weighs more is kept there.
MOST = 1_000_000
#: What a program weighs besides the numbers that describe it: its machine code.
_CODE = 20_000
#: What programs kept on disk weigh, without numbers that they hold: to pack these takes no longer
#: than to read them, and a program of less is packed almost as fast as it is read.
ON_DISK = range(_CODE + 10_000, 10_000_000)

#: A digest of a program's nodes, constants and outputs, its operations (those of the user among
#: them), whether there is machine code, and its weight: how many numbers describe it, and `_CODE`.
Key = tuple[bytes, tuple[Any, ...], bool, int]

#: What a program was compiled into.
Compiled = Packed | Nested | NumpyNested

_kept: dict[Key, Compiled] = {}


def key_of(program: Program) -> Key | None:
    """Return what a program is known by; None if it is too large to be kept."""
    nodes = program.nodes()
    held = _held(nodes.table)
    weight = len(nodes) + len(nodes.operands) + len(program.outputs) + held + _CODE
    if weight > MOST and weight - held not in ON_DISK:
        return None
    digest = hashlib.blake2b()
    constants, outputs = program.constants, program.outputs
    single = program.inputs, program.stacked, program.one, len(nodes), len(constants), len(outputs)
    integers = *single, *constants, *outputs
    digest.update(struct.pack(f"{len(integers)}q", *integers))
    digest.update(struct.pack(f"{len(constants)}d", *constants.values()))
    for part in (nodes.codes, nodes.first, nodes.operands):
        digest.update(part.tobytes())
    return digest.digest(), (*nodes.table,), has_llvm(), weight


def _held(operations: Iterable[object]) -> int:
    """Return how many numbers, known when a program was written, it holds as lanes."""
    return sum(op.lanes for op in operations if isinstance(op, Held))


def found(key: Key | None) -> Compiled | None:
    """Return what a program was packed into, if that is still known."""
    if key is None:
        return None
    packed = _kept.pop(key, None) or _read(key)
    if packed is not None:
        _remember(key, packed)
    return packed


def keep(key: Key | None, packed: Compiled) -> None:
    """Keep what a program was packed into."""
    if key is None:
        return
    _remember(key, packed)
    if name := _file_of(key):
        disk_cache.write(name, pickle.dumps(packed, pickle.HIGHEST_PROTOCOL))


def _remember(key: Key, packed: Compiled) -> None:
    """Keep a program in memory, as the last to be forgotten."""
    if key[-1] <= MOST:
        _kept[key] = packed
    for oldest in [*_kept]:
        if sum(weight for *_, weight in [*_kept]) <= MOST:
            return
        _kept.pop(oldest, None)


def forget() -> None:
    """Forget all programs."""
    _kept.clear()


def _read(key: Key) -> Compiled | None:
    """Return what this or another process has packed a program into, if it is on disk."""
    name = _file_of(key)
    content = disk_cache.read(name) if name else None
    packed: Compiled | None = None if content is None else pickle.loads(content)
    return packed


def _file_of(key: Key) -> str | None:
    """Return the name of a program's file; None if it has none, or operations of the user."""
    digest, operations, is_native, weight = key
    if weight - _held(operations) not in ON_DISK or not is_native or not packer():
        return None
    try:
        names = pickle.dumps(operations)
    except OperandError:  # the next process may declare one of this name otherwise
        return None
    return disk_cache.name_of(digest.hex(), hashlib.blake2b(names).hexdigest(), packer())


@functools.cache
def packer() -> str:
    """Return a digest of what packs programs: the source of the compiler and of the operations.

    Empty where the source is not in files, so that nobody could tell one compiler from the next.
    """
    digest = hashlib.blake2b(f"Python {sys.version}, NumPy {np.__version__}".encode())
    package = Path(__file__).parents[1]
    files = [x for name in ("compiler", "ops", "table") for x in (package / name).rglob("*.py")]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""
