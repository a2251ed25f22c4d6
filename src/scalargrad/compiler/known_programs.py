"""Cache of compiled programs, keyed by content, in memory and on disk.

Functions are often traced again: a network constructed for each fold of a cross-validation, a
notebook cell that is run again, a script that is started again. If the trace is an equal
program, it is not compiled again. Long programs are also stored in the disk cache, next to the
machine code.
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

#: Maximum total weight of the programs in memory, and so of each program.
MOST = 1_000_000
#: Weight of the machine code of a program, in addition to the numbers that describe it.
_CODE = 20_000
#: Weights, without the constants of `Held` nodes, of the programs that are stored on disk. A
#: smaller program compiles almost as fast as it is read.
ON_DISK = range(_CODE + 10_000, 10_000_000)

#: Packages whose source determines the compiled form of a program.
_SOURCES = ("codegen", "compiler", "opdef", "ops")

#: Key of a program: a digest of its nodes, constants and outputs; its operations, custom ones
#: included; its weight, which is `_CODE` plus the number of numbers that describe it.
Key = tuple[bytes, tuple[Any, ...], int]

_kept: dict[Key, Nested] = {}


def compiled(program: Program) -> Nested:
    """Return the compiled form of a program, from memory or from disk if it is cached there."""
    nodes = program.nodes()
    held = sum(op.lanes for op in nodes.table if isinstance(op, Held))  # constants
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
        _kept[key] = found  # last in the order of eviction
    while sum(weight for *_, weight in [*_kept]) > MOST:
        _kept.pop(next(iter([*_kept]), key), None)  # the least recently used
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
    """Clear the cache in memory."""
    _kept.clear()


def _file_of(key: Key) -> str | None:
    """Return the name of a program's file; None if the program has custom operations."""
    if not compiler_digest():
        return None
    try:
        names = pickle.dumps(key[1])
    except OperandError:  # another process may define a custom operation of this name differently
        return None
    return disk_cache.name_of(key[0].hex(), hashlib.blake2b(names).hexdigest(), compiler_digest())


@functools.cache
def compiler_digest() -> str:
    """Return a digest of the source code of the compiler and of the operations.

    It is empty if the source is not in files; two versions could then not be distinguished.
    """
    digest = hashlib.blake2b(f"Python {sys.version}, NumPy {np.__version__}".encode())
    package = Path(__file__).parents[1]
    files = [x for name in _SOURCES for x in (package / name).rglob("*.py")]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""
