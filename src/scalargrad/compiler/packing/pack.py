"""Turn a program into instructions: the last step before a backend prints or runs it."""

from __future__ import annotations

from scalargrad.compiler.packing.groups import group, with_terms_in_order
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.lane_packer import LanePacker
from scalargrad.compiler.packing.list_schedule import joined
from scalargrad.compiler.passes.kinds import has_lanes
from scalargrad.compiler.passes.program import Program


def pack(program: Program, *, in_order: bool = False) -> Packed:
    """Return a program of sums of products as instructions and their memory.

    Parameters
    ----------
    in_order : bool
        Whether the terms of its sums are in order already, as those of a part are.
    """
    if not has_lanes(program.ops):
        return LanePacker(joined(group(program, in_order=in_order))).run()
    ordered = program if in_order else with_terms_in_order(program)
    return LanePacker(group(ordered, in_order=True)).run()
