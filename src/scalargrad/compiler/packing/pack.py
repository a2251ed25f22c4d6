"""Turn a program into instructions: the last step before a backend prints or runs it."""

from __future__ import annotations

from scalargrad.compiler.packing.groups import group
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.list_schedule import joined
from scalargrad.compiler.packing.scalar_packer import ScalarPacker
from scalargrad.compiler.passes.program import Program


def pack(program: Program) -> Packed:
    """Return a program of sums of products as instructions and their memory."""
    return ScalarPacker(joined(group(program))).run()
