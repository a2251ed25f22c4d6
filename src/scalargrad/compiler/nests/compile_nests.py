"""Compile a traced program to loop nests: try candidate forms until one can be compiled.

A program goes through all passes: nodes, a tree of loops, equations with their derivatives,
scheduled loops, LLVM IR. An irregular program becomes equations without loops. `explain` shows the
candidate that was chosen, and those that were rejected before:

    compiled as loops of search 1, boundary values by selection
    not as loops of search 1, boundary values in arrays: no order of loops computes …
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.blocks import in_blocks
from scalargrad.compiler.nests.equations import Body, statements
from scalargrad.compiler.nests.equations import Program as Equations
from scalargrad.compiler.nests.finder.find import SHORT, trees
from scalargrad.compiler.nests.finder.instructions import Instructions
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.lowering import Form, Lowered, Lowering
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.nested import Choice, Nested
from scalargrad.compiler.nests.partition import Partition
from scalargrad.compiler.nests.plan import Plan, plan
from scalargrad.compiler.nests.printer import print_llvm
from scalargrad.compiler.nests.schedule import with_directions
from scalargrad.compiler.nests.tiles import tiled
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.nests.verify import checked
from scalargrad.compiler.nests.verify_layout import checked_layout
from scalargrad.compiler.passes.kinds import TANGENT, has_lanes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import unrolled

#: The most nodes of a program that is not searched for loops.
_SMALL = 64
#: The most lines of code that LLVM optimizes, and the turns of steps for each line above which it
#: does: to optimize takes several times as long.
_LONG, _REPEATED = 30_000, 8
#: The name of the candidate that has no loops.
_STRAIGHT = "straight-line code"
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


def nested(program: Program) -> Nested:
    """Return a traced program, with the gradients that it contains, as nests, ready to run."""
    found, choice = choose(program, _in_llvm)
    found.choice = choice
    return found


def _in_llvm(lowered: Lowered) -> Nested:
    from scalargrad.compiler.backend.llvm.machine_code import registers

    found = scheduled(lowered, registers(), in_place=True)
    module, functions = print_llvm(found.body, found.plan)
    memory, level = found.plan.initial_memory(), _level(module, found.body)
    return Nested(
        memory,
        str(found.equations),
        *found[3:],
        module=module,
        functions=functions,
        displacements=found.plan.displacements,
        array_start=lowered.array_start,
        level=level,
    )


def _level(module: IRModule, body: Body) -> int:
    """Return LLVM's level of optimization: 0 for code that is long, or hardly repeats."""
    lines, turns = module.text().count("\n"), 0
    for _, around in statements(body):
        turns += math.prod(v.extent.bounds()[1] for v in around)
    return int(lines <= _LONG and turns > _REPEATED * lines)


class Candidate(NamedTuple):
    """A form in which a program may be compiled.

    Attributes
    ----------
    name : str
        What it is, for people.
    partition : Partition
    forms : list of Form
        The loops of each part.
    around : bool
        Whether boundary values are stored in the arrays of results; else each is selected where it
        is read.
    """

    name: str
    partition: Partition
    forms: list[Form]
    around: bool


def choose(program: Program, write: Callable[[Lowered], T]) -> tuple[T, Choice]:
    """Return the code, by `write`, of the first candidate that can be compiled, and the choice.

    Parameters
    ----------
    program : Program
    write : callable
        Schedules and emits equations; LoweringError says why it cannot. Any other exception is a
        mistake in the compiler and propagates.
    """
    rejected: list[tuple[str, str]] = []
    for x in _candidates(program, rejected):
        try:
            made = write(Lowering(x.partition, x.forms, around=x.around).run())
        except LoweringError as error:
            rejected.append((x.name, str(error)))
        else:
            return made, Choice(x.name, (*rejected,))
    raise AssertionError(f"no candidate could be compiled: {rejected}")


def _candidates(program: Program, rejected: list[tuple[str, str]]) -> Iterator[Candidate]:
    """Yield the forms to try in order, and add to `rejected` those that do not exist.

    First the program is as recorded, then each direction of a forward sweep has nodes of its own,
    then each number of an example is a node of its own; each time first in loops, then without.
    """
    table = program.nodes().table
    has_rows, has_tangents = has_lanes(table), TANGENT in table
    is_last = not has_rows or len(program) <= SHORT
    yield from _in_forms(program, "", rejected, is_last=is_last)
    if has_tangents:
        of = "each direction by itself: "
        yield from _in_forms(program, of, rejected, is_last=is_last, lanes=False)
    if has_rows:
        of = "each example by itself: "
        yield from _in_forms(unrolled(program), of, rejected, is_last=True, lanes=False)


def _in_forms(
    program: Program,
    of: str,
    rejected: list[tuple[str, str]],
    *,
    is_last: bool,
    lanes: bool = True,
) -> Iterator[Candidate]:
    """Yield the candidates of a program in loops, then without if that is the last resort.

    Parameters
    ----------
    lanes : bool
        As of `unfold`.
    """
    unfolded, counts = unfold(program, lanes=lanes), program.nodes().sizes()[program.outputs]
    partition = None if unfolded is None else Partition(unfolded, counts)
    if partition is None or not partition.is_written:
        rejected.append((f"{of}any form", "a gradient within examples leads out of them"))
        return
    recordings = [part.recording for part in partition.parts]
    for number, forms in enumerate(_forms(recordings), 1):
        if not any(isinstance(x, Tree) for x in forms):
            yield Candidate(f"{of}{_STRAIGHT}", partition, forms, around=True)
            break
        name = f"{of}loops of search {number}"
        yield Candidate(f"{name}, boundary values in arrays", partition, forms, around=True)
        yield Candidate(f"{name}, boundary values by selection", partition, forms, around=False)
        if len(partition.program) <= SHORT:  # which takes no longer to be compiled without loops
            break
    if is_last:
        yield Candidate(f"{of}{_STRAIGHT}", partition, [*recordings], around=True)


def _forms(recordings: Sequence[Instructions]) -> Iterator[list[Form]]:
    """Yield a tree for each part of a program, or the part if it has none."""
    searches = [trees(x) if len(x) > _SMALL else iter(()) for x in recordings]
    found: list[Form] = [*recordings]
    is_left = all(len(x) <= SHORT for x in recordings)  # which needs no loops
    while True:
        more = [next(x, None) for x in searches]
        if not is_left and all(x is None for x in more):
            return
        found = [old if new is None else new for old, new in zip(found, more, strict=True)]
        is_left = False
        yield found


def scheduled(
    found: Lowered, registers: int = 16, *, in_place: bool = False, lanes: bool = True
) -> Scheduled:
    """Return loops in the order in which they run, and where their arrays are.

    Parameters
    ----------
    found : Lowered
    registers : int
        How many vector registers the processor has.
    in_place : bool
        Whether large arrays that are given may lie elsewhere, at a distance that memory says.
    lanes : bool
        Whether there are vectors.
    """
    split = checked("in_blocks", found.equations, in_blocks(found.equations, found.examples))
    equations, ordered = with_directions(split)
    checked("with_directions", split, equations)
    body, fastest = tiled(ordered, registers, lanes=lanes)
    places = plan(equations, body, fastest, found.array_start if in_place else None)
    checked_layout(equations, body, places)
    first = places.offsets[found.outputs] - places.offsets[found.given]
    outputs = slice(first, first + found.outputs.shape[0])
    return Scheduled(equations, body, places, found.given.shape[0], outputs, found.results)
