"""Compiled forms of programs, kept for further recordings of the same program.

A network made anew for each fold of a cross-validation, or a function whose cell is run again, is
recorded anew; so is everything when a script is run again. Where the recording is the same program,
it need not be compiled again. Long programs are kept on disk, too, beside machine code.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from scalargrad.compiler import disk_cache
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.passes.kinds import Held
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import OperandError

#: The largest total weight of the programs kept in memory, and so of any one of them.
MOST = 1_000_000
#: What a program weighs besides the numbers that describe it: its machine code.
_CODE = 20_000
#: What programs kept on disk weigh, without numbers that they hold: a program of less is compiled
#: almost as fast as it is read.
ON_DISK = range(_CODE + 10_000, 10_000_000)

#: Packages whose source decides what a program is compiled to.
_SOURCES = ("codegen", "compiler", "opdef", "ops")

#: A digest of a program's nodes, constants and outputs, its operations (custom ones among them),
#: and its weight: how many numbers describe it, and `_CODE`.
Key = tuple[bytes, tuple[Any, ...], int]

_kept: dict[Key, Nested] = {}


def compiled(program: Program) -> Nested:
    """Return a program in machine code, which may be cached in memory or on disk."""
    nodes = program.nodes()
    held = sum(op.lanes for op in nodes.table if isinstance(op, Held))  # numbers known by then
    weight = len(nodes) + len(nodes.operands) + len(program.outputs) + held + _CODE
    key = _digest(program), (*nodes.table,), weight
    found = _kept.pop(key, None)
    if found is None:
        name = _file_of(key) if weight - held in ON_DISK else None
        content = disk_cache.read(name) if name else None
        found = None if content is None else pickle.loads(content)
    if found is None:
        from scalargrad.compiler.nests.compile_nests import nested

        found = nested(program)
        if name:
            disk_cache.write(name, pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
    if weight <= MOST:
        _kept[key] = found  # as the last to be forgotten
    while sum(weight for *_, weight in [*_kept]) > MOST:
        _kept.pop(next(iter([*_kept]), key), None)  # the oldest
    return found


def _digest(program: Program) -> bytes:
    """Return a digest of a program's nodes, constants and outputs."""
    nodes, digest = program.nodes(), hashlib.blake2b()
    constants, outputs = program.constants, program.outputs
    single = program.inputs, program.stacked, len(nodes), len(constants), len(outputs)
    integers = *single, *constants, *outputs
    digest.update(struct.pack(f"{len(integers)}q", *integers))
    digest.update(struct.pack(f"{len(constants)}d", *constants.values()))
    for part in (nodes.codes, nodes.first, nodes.operands):
        digest.update(part.tobytes())
    return digest.digest()


def forget() -> None:
    """Forget all programs."""
    _kept.clear()


def _file_of(key: Key) -> str | None:
    """Return the name of a program's file; None if it contains custom operations."""
    if not compiler_digest():
        return None
    try:
        names = pickle.dumps(key[1])
    except OperandError:  # the next process may declare one of this name otherwise
        return None
    return disk_cache.name_of(key[0].hex(), hashlib.blake2b(names).hexdigest(), compiler_digest())


@functools.cache
def compiler_digest() -> str:
    """Return a digest of what compiles programs: the source of the compiler and of the operations.

    Empty where the source is not in files, so that nobody could tell one compiler from the next.
    """
    digest = hashlib.blake2b(f"Python {sys.version}, NumPy {np.__version__}".encode())
    package = Path(__file__).parents[1]
    files = [x for name in _SOURCES for x in (package / name).rglob("*.py")]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""
