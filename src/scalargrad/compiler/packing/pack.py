"""Turn a program into instructions: the last step before a backend prints or runs it."""

from __future__ import annotations

from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.lane_packer import LanePacker
from scalargrad.compiler.packing.scalar_packer import ScalarPacker
from scalargrad.compiler.passes.kinds import has_lanes
from scalargrad.compiler.passes.program import Program
from scalargrad.system.collector import collector_paused


@collector_paused()
def pack(program: Program) -> Packed:
    """Return a program of sums of products as instructions and their memory."""
    packer = LanePacker if has_lanes(program.ops) else ScalarPacker
    return packer(program).run()
