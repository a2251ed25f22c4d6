"""Print the functions of single elementwise instructions: one operation of the table on many lanes.

`lanewise` has the fused ones, of several operations.
"""

from __future__ import annotations

import functools

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.backend.llvm.operations import DESCRIBED, LIBRARY, apply
from scalargrad.compiler.passes.partial import Partial, expression_of, subexpressions
from scalargrad.table.operation import Elementwise

_ONE_BY_ONE = LIBRARY | {"floor_divide", "remainder"}


def width_of(op: Elementwise | Partial, lanes: int) -> int:
    """Return how many lanes to compute at a time; the C library is called for one at a time."""
    if lanes == 1:
        return 1
    return WIDTH if _names(op).isdisjoint(_ONE_BY_ONE) else 1


def is_long(op: Elementwise | Partial) -> bool:
    """Return whether an operation takes many instructions and registers."""
    return op.name in DESCRIBED or not _names(op).isdisjoint(DESCRIBED)


@functools.cache
def _names(op: Elementwise | Partial) -> set[str]:
    return {x.op.name for x in subexpressions(expression_of(op)[1]) if x.op is not None}


def write_apply(module: IRModule, name: str, op: Elementwise | Partial, width: int) -> None:
    """Print the function, ``out lanes operand …``; lanes beyond the last are not stored."""
    nest = Nest(module, name)
    e = Emitter(nest.body, width)
    out, lanes, *operands = nest.fields(0, 2 + len(expression_of(op)[0]))

    def one(e: Emitter, i: str) -> tuple[str, str]:
        return apply(e, op, *(e.load(nest.cell(x, i)) for x in operands)), nest.cell(out, i)

    nest.lanes(e, lanes, one)
    nest.end()
