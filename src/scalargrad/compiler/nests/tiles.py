"""Choose loops to vectorize, to unroll, and to unroll and jam, by a cost model.

None of these changes a digit, so all may be chosen by cost; this file has all costs.

- Vectorization (strip-mining): eight iterations at once. At most one loop of a nest has lanes; a
  long sum over it has one partial sum on each lane.
- Unroll-and-jam: iterations of a loop outside a sum run together. Common operands are loaded once,
  and their sums, each a chain of dependent additions, run in parallel.
- Unrolling: a short inner loop is emitted iteration by iteration.

For a product of a matrix with 40 rows and a vector, the rows are the lanes::

    for i in 40, vector, lanes:
        for i1 in 90, vector:
            add[i] += x[i, i1] · p[i1]

References
----------
Allen and Kennedy, Optimizing Compilers for Modern Architectures, 2001, chapters 5, 8 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.operations import LIBRARY, is_long
from scalargrad.compiler.nests.blocks import Block
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    Access,
    Array,
    Body,
    Loop,
    Step,
    Var,
    within_loops,
)
from scalargrad.compiler.nests.schedule import ScheduledLoop, goes_abreast
from scalargrad.opdef.operation import FixedArityOperation
from scalargrad.ops.custom import Custom

#: The kinds of arrays whose dimensions may lie in any order.
FREE = frozenset({"const", "temp"})
#: The cost of an operation on a vector of eight numbers, two registers of most processors; on one
#: number it is 1.
VECTOR = 2.0
#: The costs of an operation of many instructions, of a call of the C library, and of a number that
#: is read or written by itself, since its neighbours on the lanes are elsewhere (gathered).
LONG, CALL, GATHER = 20.0, 40.0, 1.0
#: The number of sums that go abreast, to read what they have in common once; and of vectors of a
#: recurrence, each of which waits for itself.
ABREAST = 4
#: The most turns of a loop that is unrolled, and the most operations in all of them.
TURNS, UNROLLED = 16, 64
#: The most numbers that are read before a loop, since all its turns read them: those that take one
#: load each, and those whose lanes are gathered.
HOISTED, GATHERED = 8, 64


class _Choice(NamedTuple):
    """The cost of the turns of loops, and the loops that have lanes at this cost."""

    cost: float
    lanes: tuple[ScheduledLoop, ...]


def tiled(body: Body, registers: int = 16, *, lanes: bool = True) -> tuple[Body, dict[Array, int]]:
    """Mark the loops of a schedule that have lanes, are unrolled, or run several turns abreast.

    Parameters
    ----------
    body : list of Loop or Step
        The schedule.
    registers : int
        How many vector registers the processor has.
    lanes : bool
        Whether there are vectors.

    Returns
    -------
    body : list of Loop or Step
        The schedule, whose loops are marked.
    fastest : dict
        The dimension along which neighbours lie in memory, of arrays not given or returned.
    """
    fastest: dict[Array, int] = {}
    if lanes:
        _choose_lanes(body, fastest)
    _unroll(body)
    _jam(body, registers // 4)
    return body, fastest


def _choose_lanes(body: Body, fastest: dict[Array, int]) -> None:
    """Choose loops that have lanes, first in the nests that take most time.

    They decide along which dimensions neighbours lie, and others choose by it.
    """
    nests = [x for x in body if isinstance(x, ScheduledLoop)]
    for nest in sorted(nests, key=lambda x: -_cheapest([x], None, {}).cost):
        if nest.kind == "sequential" or isinstance(nest.var, Block):
            _choose_lanes(nest.body, fastest)
            continue
        for loop in _cheapest([nest], None, fastest).lanes:
            loop.lanes = True
        for step, loops in within_loops([nest]):
            lanes = [x for x in loops if isinstance(x, ScheduledLoop) and x.lanes]
            var = (lanes or loops)[-1].var
            for x in (step.out, *step.reads()):
                for k, index in enumerate(x.indices if x.array.kind in FREE else ()):
                    if dict(index.terms).get(var) in {1, -1}:
                        fastest.setdefault(x.array, k)


def _cheapest(body: Body, lanes: Var | None, fastest: Mapping[Array, int]) -> _Choice:
    """Return the least cost of a body, where the loop of `lanes` around it has them."""
    cost, found = 0.0, list[ScheduledLoop]()
    for item in body:
        if isinstance(item, Step):
            cost += _price(item, lanes, fastest)
            continue
        assert isinstance(item, ScheduledLoop)
        turns = item.var.extent.bounds()[1]
        choice = _cheapest(item.body, lanes, fastest)
        best = _Choice(turns * choice.cost, choice.lanes)
        if lanes is None and _may_have_lanes(item):
            wide = max(turns / CLASSES, 1.0) * _cheapest(item.body, item.var, fastest).cost
            best = _Choice(wide, (item,)) if wide <= best.cost else best  # the outermost of equals
        cost += best.cost
        found += best.lanes
    return _Choice(cost, tuple(found))


def _price(step: Step, lanes: Var | None, fastest: Mapping[Array, int]) -> float:
    op = step.op
    price = 1.0
    if isinstance(op, FixedArityOperation):
        is_called = op.name in LIBRARY or isinstance(op, Custom)
        price = CALL if is_called else LONG if is_long(op) else 1.0
    if lanes is None:
        return price
    found = price * (CLASSES if price == CALL else VECTOR)
    for x in (*step.args, step.out):
        if isinstance(x, Access) and not _are_neighbours(x, lanes, fastest):
            others = step.how == ADD and step.out.variables - x.variables - {lanes}
            found += CLASSES * GATHER / (ABREAST if others else 1)
    return found


def _are_neighbours(x: Access, lanes: Var, fastest: Mapping[Array, int]) -> bool:
    """Return whether cells on neighbouring lanes are one cell, or neighbours in memory."""
    if any(lanes in table.variables for table in x.tables):
        return False
    strides = [(k, dict(i.terms)[lanes]) for k, i in enumerate(x.indices) if lanes in i.variables]
    if not strides:
        return True
    (place, stride), *others = strides
    last = fastest.get(x.array, place if x.array.kind in FREE else len(x.indices) - 1)
    return not others and place == last and stride in {-1, 1}


def is_fixed(loop: Loop) -> bool:
    """Return whether a loop has the same number of turns each time."""
    extent = loop.var.extent
    return not extent.terms and not extent.via


def is_outside_of_extents(loop: Loop) -> bool:
    """Return whether no loop inside ends at the variable of `loop`."""
    return not any(
        loop.var in x.var.extent.variables for _, around in within_loops(loop.body) for x in around
    )


def _may_be_tiled(loop: ScheduledLoop) -> bool:
    """Return whether turns wait for no other, are as many each time, and decide no extent."""
    many = loop.kind == "vector" and is_fixed(loop) and loop.var.extent.base >= 2
    return many and is_outside_of_extents(loop) and not isinstance(loop.var, Block)


def _may_have_lanes(loop: ScheduledLoop) -> bool:
    steps = (step for step, _ in within_loops(loop.body))
    return _may_be_tiled(loop) and all(goes_abreast(step, loop.var) for step in steps)


def _unroll(body: Body) -> int:
    """Mark the loops to unroll; return how many operations the body then has."""
    size = 0
    for item in body:
        if isinstance(item, Step):
            size += (
                int(LONG) if isinstance(item.op, FixedArityOperation) and is_long(item.op) else 1
            )
            continue
        assert isinstance(item, ScheduledLoop)
        turns, inside = item.var.extent.bounds()[1], _unroll(item.body)
        few = is_fixed(item) and 0 < turns <= TURNS and turns * inside <= UNROLLED
        item.unrolled = few and not item.lanes and not isinstance(item.var, Block)
        is_one = item.lanes and turns <= CLASSES
        size += inside if is_one else turns * inside if item.unrolled else UNROLLED + 1
    return size


def _jam(body: Body, most: int) -> None:
    """Have turns go abreast, as far as registers suffice."""
    for loop in body:
        if isinstance(loop, ScheduledLoop):
            if most > 1 and _may_jam(loop):
                several = any(_may_jam(x) for x in _loops(loop.body))
                loop.jam = min(most // 2 if several else most, loop.var.extent.base)
            elif loop.lanes and any(x.kind == "sequential" for x in _loops(loop.body)):
                loop.jam = max(min(ABREAST, loop.var.extent.base // CLASSES), 1)
            _jam(loop.body, most // loop.jam)


def _loops(body: Body) -> Iterator[ScheduledLoop]:
    for item in body:
        if isinstance(item, ScheduledLoop):
            yield item
            yield from _loops(item.body)


def _may_jam(loop: ScheduledLoop) -> bool:
    """Return whether turns may go abreast, and there is a sum inside, of other cells at each."""
    steps, inside = [*within_loops(loop.body)], _loops(loop.body)
    if loop.lanes or loop.unrolled or not _may_be_tiled(loop):
        return False
    if any(loop.var not in step.out.variables for step, _ in steps):
        return False
    has_sum = any(x.var not in step.out.variables for step, around in steps for x in around)
    are_apart = all(goes_abreast(step, loop.var) for step, _ in steps)
    return has_sum and are_apart and all(x.kind == "vector" for x in inside)
