"""From a recording to nests: one form of a program after the other.

Nodes become a tree of loops (`finder`), the tree equations, these their derivative, scheduled loops
and LLVM IR. What is irregular, or has no order of loops, is not a nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.nests.asked import Asked, Part
from scalargrad.compiler.nests.blocks import in_blocks
from scalargrad.compiler.nests.equations import Body
from scalargrad.compiler.nests.equations import Program as Equations
from scalargrad.compiler.nests.finder.find import find, find_flat, work
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.llvm_printer import print_blocks
from scalargrad.compiler.nests.lowering import Lowered, Lowering
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.nests.node_columns import (
    NodeColumns,
    Shape,
    columns,
    shape_of,
)
from scalargrad.compiler.nests.numpy_runner import NumpyNested
from scalargrad.compiler.nests.packing import packed
from scalargrad.compiler.nests.plan import Plan, plan
from scalargrad.compiler.nests.schedule import directed
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.passes.kinds import DETACH, has_lanes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import unrolled
from scalargrad.errors import TraceError
from scalargrad.table.operation import Elementwise

#: Recordings of fewer nodes are packed, and those of fewer nodes to a statement: to compile one
#: takes as long as to pack so many nodes.
_LEAST, _TIMES = 200, 27
#: Packing is slow where more steps than this wait for one another, and to compile a statement takes
#: as long as to pack so many groups.
_DEEP, _GROUPS = 12, 16
#: So does to pack so many nodes; a run then may take so many nanoseconds for a node.
_NODES, _NOT_SLOW = 600, 5.0
#: From so many nodes on, loops pay too that take about a nanosecond for a node.
_MANY, _FAST = 2000, 1.1
#: Lanes for which there is no order of loops are nodes of their own if they are so many.
_UNROLLED = range(2_000, 100_000)
T = TypeVar("T")


class Scheduled(NamedTuple):
    """Loops in the order in which they run, and where their arrays are.

    Attributes
    ----------
    equations : Equations
    body : list of Loop or Step
    plan : Plan
    inputs : int
    outputs : slice
        As of `Nested`.
    results : int
    """

    equations: Equations
    body: Body
    plan: Plan
    inputs: int
    outputs: slice
    results: int


def nested(program: Program, *, always: bool = False) -> Nested | NumpyNested | None:
    """Return a recorded program as nests, ready to run; None if it is none, see `written`."""
    if has_llvm():
        return written(program, _in_llvm, always=always)
    return written(program, _in_numpy, always=always)


def _in_llvm(lowered: Lowered) -> Nested:
    found = scheduled(lowered, in_place=True)
    module, cells, functions = print_blocks(found.body, found.plan)
    begun, listing = found.plan.begun(cells), str(found.equations)
    return Nested(
        module, begun, listing, *found[3:], functions, found.plan.distances, lowered.apart
    )


def _in_numpy(found: Lowered) -> NumpyNested:
    equations, body = directed(found.equations)
    return NumpyNested(equations, body, found.given, found.outputs, found.results, str(equations))


def written(program: Program, write: Callable[[Lowered], T], *, always: bool = False) -> T | None:
    """Return what is written of a recorded program, and gradients that it asks for, as loops.

    None if that is impossible, as where it is irregular, or does not pay.

    Parameters
    ----------
    program : Program
    write : callable
        Schedules and prints equations; a TraceError says that it cannot.
    always : bool
        Whether to write loops that do not pay, too.
    """
    unfolded = unfold(program)
    if unfolded is None:
        return None
    found = _asked(columns(unfolded), always=always)
    if found is None:
        return None
    asked, tree = found
    for trees, around in _trees(asked, tree):
        with suppress(TraceError):  # no order of loops computes it
            return write(Lowering(asked, trees, around=around, always=always).run())
    return _unrolled(program, write, always=always)


def _unrolled(program: Program, write: Callable[[Lowered], T], *, always: bool) -> T | None:
    """Return what is written of a program whose lanes are nodes of their own."""
    has = has_lanes(program.nodes().table) and int(program.nodes().sizes().sum()) in _UNROLLED
    return written(unrolled(program), write, always=always) if has else None


def _asked(found: NodeColumns, *, always: bool) -> tuple[Asked, Tree] | None:
    """Return what is asked of a program, and the tree of its first part; None if it does not pay.

    Parameters
    ----------
    found : NodeColumns
    always : bool
        Whether it counts as paying.
    """
    always = always or has_lanes(found.written.table)
    if not (always or has_llvm()):
        return None
    shape = None if always else shape_of(found)
    if shape and found.before < _LEAST:
        return None
    asked = Asked(found)
    if not (asked.is_written and (not has_llvm() or all(map(_is_written, asked.parts)))):
        return None
    tree = find(asked.parts[0].recording, found.before // _TIMES if shape else None)
    if tree is None or (shape and not _pays(found, shape, tree)):
        return None
    return asked, tree


def _trees(asked: Asked, tree: Tree) -> Iterator[tuple[Sequence[Tree | None], bool]]:
    """Yield trees of all parts, and whether borders may be cells around results, to be tried."""
    others = [part.recording for part in asked.parts[1:]]
    nested_loops = [tree, *(find(x) if len(x) else None for x in others)]
    yield nested_loops, True
    flat = (part.recording for part in asked.parts)
    yield [find_flat(x) if len(x) else None for x in flat], True
    yield nested_loops, False


def _pays(found: NodeColumns, shape: Shape, tree: Tree) -> bool:
    """Return whether packing is slow, or a run of the tree fast."""
    nodes, statements = found.before, len(tree.statements)
    groups = shape.groups * nodes / shape.nodes
    packs_slowly = shape.depth > _DEEP and groups > _GROUPS * statements
    each = work(tree) / nodes
    is_long = nodes > _NODES * statements and each < _NOT_SLOW
    is_fast = nodes >= _MANY and each < _FAST
    return found.has_second or packs_slowly or is_long or is_fast


def _is_written(part: Part) -> bool:
    """Return whether all operations of a part can be written."""
    used = (part.recording.table[k] for k in {*part.recording.codes.tolist()})
    return all(op is DETACH or (isinstance(op, Elementwise) and can_write(op)) for op in used)


def scheduled(found: Lowered, *, in_place: bool = False) -> Scheduled:
    """Return loops in the order in which they run, and where their arrays are.

    Parameters
    ----------
    found : Lowered
    in_place : bool
        Whether large arrays that are given may lie elsewhere, at a distance that memory says.
    """
    from scalargrad.compiler.backend.llvm.target import registers

    equations, ordered = directed(in_blocks(found.equations, found.examples))
    body, fastest = arranged(ordered, registers())
    whole, body, fastest = packed(equations, body, fastest)
    places = plan(whole, body, fastest, found.apart if in_place else None)
    first = places.offsets[found.outputs] - places.offsets[found.given]
    outputs = slice(first, first + found.outputs.shape[0])
    return Scheduled(equations, body, places, found.given.shape[0], outputs, found.results)
