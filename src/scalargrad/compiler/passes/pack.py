"""The last pass: turn a program into instructions, by `packer` or, with lanes, `lane_pack`."""

from __future__ import annotations

from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.kinds import has_lanes
from scalargrad.compiler.passes.lane_pack import LanePacker
from scalargrad.compiler.passes.packer import Packer
from scalargrad.compiler.passes.program import Program
from scalargrad.system.collector import collector_paused


@collector_paused()
def pack(program: Program) -> Packed:
    """Return a program of sums of products as instructions and their memory."""
    packer = LanePacker if has_lanes(program.ops) else Packer
    return packer(program).run()
