"""From equations to loops in an order that runs: dependences, components, fusion, directions.

Steps that depend on each other in a circle stay in one loop, which carries their numbers from turn
to turn; every other step is free to stand in any loop over its variable, and joins the first that
it may. Loops stay nested as the equations have them, but for those of a sum outside any recurrence.

References
----------
Allen and Kennedy, Optimizing Compilers for Modern Architectures, 2001, chapters 5 and 6.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scalargrad.compiler.nests.equations import (
    ADD,
    SEQUENTIAL,
    SET,
    Access,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    within_loops,
)
from scalargrad.errors import TraceError

#: How many turns a loop has at least that is taken for one whose turns are lanes of vectors.
LANES = 4
#: By how many turns of a loop a cell is read after it is written: the least and the most.
Distance = tuple[int, int]


@dataclass(eq=False)
class ScheduledLoop(Loop):
    """A loop as it is to run: `down` says whether its variable counts down.

    Attributes
    ----------
    kind : str
        ``"vector"``: its turns may run abreast, but for what they add to one cell;
        ``"sequential"``: each turn reads what earlier ones wrote.
    lanes : bool
        Whether eight turns run at once, each on a lane of vectors.
    jam : int
        How many turns are written together.
    unrolled : bool
        Whether all turns are written one after another.
    """

    kind: str = "vector"
    lanes: bool = False
    jam: int = 1
    unrolled: bool = False

    def __str__(self) -> str:
        shown = [self.kind, *["lanes"] * self.lanes, *["unrolled"] * self.unrolled]
        shown += [f"{self.jam} abreast"] * (self.jam > 1) + ["down"] * self.down
        return f"for {self.var} in {self.var.extent}, {', '.join(shown)}:"


@dataclass(eq=False)
class Placed:
    """A step with the loops that it is still to be put into, outermost first."""

    number: int
    step: Step
    loops: tuple[Loop, ...]
    depth: int = 0

    @property
    def next(self) -> Loop | None:
        """The loop that it is put into next."""
        return self.loops[self.depth] if self.depth < len(self.loops) else None

    @functools.cached_property
    def around(self) -> tuple[Var, ...]:
        """The variables of all its loops."""
        return tuple(loop.var for loop in self.loops)

    def order_loops(self) -> None:
        """Put the loops of a sum inside those over its cells, as far as these do not end there.

        Loops of the sum stay in order. No partial sums then wait in memory.
        """
        left = self.loops[self.depth :]
        if self.step.how == SET or len(left) < 2 or not is_unique(self.step.out.indices):
            return
        sums = [loop for loop in left if loop.var not in self.step.out.variables]
        found, ends = [], {loop.var for loop in sums}
        for loop in left:
            if loop.var not in ends and not loop.var.extent.variables & ends:
                found.append(loop)
            else:
                ends.add(loop.var)
        self.loops = (*self.loops[: self.depth], *found, *(x for x in left if x not in found))

    def wish(self) -> int:
        """Return the direction (1 or -1) that its sum gives the next loop; 0: it may be any."""
        step, loop = self.step, self.next
        if step.how == SET or loop is None:
            return 0
        is_lane = loop.var in step.out.variables and is_unique(step.out.indices)
        return 0 if is_lane else -1 if loop.down else 1


def goes_abreast(step: Step, var: Var) -> bool:
    """Return whether turns of a step may run in any order, and at once.

    It then sets or adds to other cells at each, or they are in classes of a long sum.
    """
    if step.how == SET:
        return True
    if not is_unique(step.out.indices):
        return False
    long = not var.extent.variables and not var.extent.via and var.extent.base > SEQUENTIAL
    return var in step.out.variables or (step.how == ADD and long)


class Edge(NamedTuple):
    """That a step reads what another writes, with the distance for each loop over both."""

    writer: Placed
    reader: Placed
    distances: Mapping[Var, Distance]


def schedule(program: Program) -> Body:
    """Return the loops of a program in an order that runs.

    Raises
    ------
    TraceError
        If there is none with loops nested as they are.
    """
    placed = [Placed(k, *x) for k, x in enumerate(within_loops(program.body))]
    return _ordered(placed, dependences(placed))


def dependences(placed: Sequence[Placed]) -> list[Edge]:
    """Return which steps read what others write."""
    readers: dict[object, list[tuple[Placed, Access]]] = {}
    for x in placed:
        for access in dict.fromkeys(x.step.reads()):
            readers.setdefault(access.array, []).append((x, access))
    found = []
    for writer in placed:
        for reader, access in readers.get(writer.step.out.array, ()):
            distances = distances_between(writer, reader, access)
            if distances is not None:
                found.append(Edge(writer, reader, distances))
    return found


def distances_between(writer: Placed, reader: Placed, access: Access) -> dict[Var, Distance] | None:
    """Return by how many turns of each common loop a cell is read after it is written.

    None if `access`, of the reader, never meets a cell that the writer writes.
    """
    out = writer.step.out
    if not out.indices and not writer.loops:
        return {}
    if out.is_apart(access):
        return None
    common = [v for v in writer.around if v in reader.around]
    found = {}
    for v in common:
        is_sum = writer.step.how != SET and v not in out.variables
        most = max(v.extent.bounds()[1] - 1, is_sum)  # even the sum of one turn is there after it
        found[v] = -most, most
    for mine, its in zip(out.indices, access.indices, strict=True):
        if mine.via or its.via:
            continue
        for v, stride in mine.terms:
            if v in found:
                low, high = _turns(v, stride, mine, its)
                found[v] = max(low, found[v][0]), min(high, found[v][1])
        _bound_by_extents(found, mine, its)
    if any(low > high for low, high in found.values()):
        return None
    return found


def _bound_by_extents(found: dict[Var, Distance], mine: Index, its: Index) -> None:
    """Bound distances where the index that is written runs up to an outer variable."""
    top = mine
    while inner := [(v, k) for v, k in top.terms if v.extent.terms]:
        v, stride = inner[-1]
        if stride < 0 or v.extent.via:
            return
        top = top.substituted({v: v.extent - 1})  # what is written is at most this
        for v, stride in top.terms:
            if v in found and stride == 1:  # its <= w + rest
                most = (v - its).bounds()[1] + (top - v).bounds()[1]
                found[v] = found[v][0], min(found[v][1], most)


def _turns(v: Var, stride: int, mine: Index, its: Index) -> Distance:
    """Return the distances that one dimension allows: stride·(r - w), where the indices agree."""
    if mine == its and is_unique([mine]):
        return 0, 0
    rest = (mine - v * stride).bounds()
    least, most = (v * stride - its).bounds()
    low, high = least + rest[0], most + rest[1]
    return (
        (-(-low // stride), high // stride) if stride > 0 else (-(high // -stride), -low // -stride)
    )


def is_unique(indices: Iterable[Index]) -> bool:
    """Return whether indices are others for all other values of their variables."""
    known: set[Var] = set()  # from the indices before
    for index in indices:
        span, terms = 0, [(v, k) for v, k in index.terms if v not in known]
        for v, stride in sorted(terms, key=lambda term: abs(term[1])):
            if index.via or abs(stride) <= span:
                return False
            known.add(v)
            span += abs(stride) * (v.extent.bounds()[1] - 1)
        if index.via:
            return False
    return True


def components(placed: Sequence[Placed], edges: Sequence[Edge]) -> list[list[Placed]]:
    """Return steps that depend on each other in circles; those that are read come first.

    Where the order is free, it is that of the equations.

    References
    ----------
    Tarjan, Depth-first search and linear graph algorithms, 1972.
    """
    if all(edge.writer.number < edge.reader.number for edge in edges):
        return [[x] for x in placed]
    readers: dict[Placed, list[Placed]] = {x: [] for x in placed}
    for edge in edges:
        readers[edge.writer].append(edge.reader)
    found = _circles(placed, readers)
    of = {x: k for k, circle in enumerate(found) for x in circle}
    after: list[set[int]] = [set() for _ in found]
    for edge in edges:
        if of[edge.writer] != of[edge.reader]:
            after[of[edge.writer]].add(of[edge.reader])
    waits = [0] * len(found)
    for others in after:
        for k in others:
            waits[k] += 1
    ready = [(found[k][0].number, k) for k in range(len(found)) if not waits[k]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, k = heapq.heappop(ready)
        ordered.append(found[k])
        for other in after[k]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (found[other][0].number, other))
    return ordered


def _circles(
    placed: Sequence[Placed], readers: Mapping[Placed, Sequence[Placed]]
) -> list[list[Placed]]:
    numbers: dict[Placed, int] = {}
    lowest: dict[Placed, int] = {}
    open_: dict[Placed, None] = {}
    found: list[list[Placed]] = []
    for root in placed:
        if root in numbers:
            continue
        numbers[root] = lowest[root] = len(numbers)
        open_[root] = None
        way = [(root, iter(readers[root]))]
        while way:  # without recursion: straight lines are thousands of steps deep
            x, rest = way[-1]
            for y in rest:
                if y not in numbers:
                    numbers[y] = lowest[y] = len(numbers)
                    open_[y] = None
                    way.append((y, iter(readers[y])))
                    break
                if y in open_:
                    lowest[x] = min(lowest[x], numbers[y])
            else:
                way.pop()
                if way:
                    lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[x])
                if lowest[x] == numbers[x]:
                    found.append(_closed(open_, x))
    return found


def _closed(open_: dict[Placed, None], first: Placed) -> list[Placed]:
    circle: list[Placed] = []
    while not circle or circle[-1] is not first:
        circle.append(open_.popitem()[0])
    return sorted(circle, key=lambda x: x.number)


class _Group:
    """Steps that run in one loop, or in none."""

    def __init__(self, var: Var | None, carried: int, abreast: bool) -> None:
        self.var, self.carried, self.abreast, self.wish = var, carried, abreast, 0
        self.steps: dict[Placed, None] = {}

    def takes(self, var: Var | None, carried: int, wish: int, crossing: Sequence[Edge]) -> bool:
        """Return whether steps may run here that read, by `crossing`, what steps here write."""
        other = (self.wish and wish and self.wish != wish) or (wish and self.carried == -wish)
        if self.var is not var or self.carried != carried or other:
            return False
        if var is None:
            return True
        distances = [edge.distances[var] for edge in crossing]
        if not carried:
            return all(d == (0, 0) for d in distances)
        return all(low >= 0 if carried > 0 else high <= 0 for low, high in distances)


def _ordered(placed: Sequence[Placed], edges: Sequence[Edge], lanes: bool = False) -> Body:
    """Return steps within the loops they are still to be put into.

    Those whose turns go abreast are kept apart from others, unless a loop around may have `lanes`.
    """
    if not any(x.next for x in placed):
        circles = components(placed, edges)
        itself = {edge.reader for edge in edges if edge.writer is edge.reader}
        for circle in circles:
            if len(circle) > 1 or circle[0] in itself:
                raise _no_order(circle, "they wait for each other")
        return [circle[0].step for circle in circles]
    into: dict[Placed, list[Edge]] = {x: [] for x in placed}
    for edge in edges:
        into[edge.reader].append(edge)
    groups: list[_Group] = []
    home: dict[Placed, int] = {}
    for circle in components(placed, edges):
        arriving = [edge for x in circle for edge in into[x]]
        members = set(circle)
        inside = [edge for edge in arriving if edge.writer in members]
        if not inside:
            circle[0].order_loops()
        var = circle[0].next.var if circle[0].next else None
        abreast = lanes or var is None or all(goes_abreast(x.step, var) for x in circle)
        carried = _carried(circle, inside, var) if inside else 0
        wish = _wish(circle, carried) if var else 0
        floor = max((home[e.writer] for e in arriving if e.writer in home), default=0)
        for k in range(floor, len(groups)):
            crossing = [e for e in arriving if home.get(e.writer) == k]
            if groups[k].abreast == abreast and groups[k].takes(var, carried, wish, crossing):
                break
        else:
            k = len(groups)
            groups.append(_Group(var, carried, abreast))
        groups[k].wish = groups[k].wish or wish
        groups[k].steps.update(dict.fromkeys(circle))
        home.update(dict.fromkeys(circle, k))
    found: Body = []
    for group in groups:
        mine = [e for x in group.steps for e in into[x] if e.writer in group.steps]
        found += _emitted(group, mine, lanes)
    return found


def _carried(circle: Sequence[Placed], inside: Sequence[Edge], var: Var | None) -> int:
    """Return the direction of the loop that steps are put into next; 0 if it carries nothing."""
    if var is None or any(not x.next or x.next.var is not var for x in circle):
        raise _no_order(circle, "they are in different loops")
    distances = [edge.distances[var] for edge in inside]
    if all(d == (0, 0) for d in distances):
        return 0
    if all(low >= 0 for low, _ in distances):
        return 1
    if all(high <= 0 for _, high in distances):
        return -1
    raise _no_order(circle, f"they read later turns of {var}, and earlier ones")


def _wish(circle: Sequence[Placed], carried: int) -> int:
    """Return the direction that sums give the next loop, if any."""
    wishes = {x.wish() for x in circle} - {0}
    if len(wishes | {carried} - {0}) > 1:
        raise _no_order(circle, "they add up one way what they compute the other way")
    return min(wishes, default=0)


def _no_order(circle: Sequence[Placed], reason: str) -> TraceError:
    others = f" and {len(circle) - 1} others" * (len(circle) > 1)
    return TraceError(f"no order of loops computes {circle[0].step}{others}: {reason}")


def _emitted(group: _Group, edges: Sequence[Edge], lanes: bool) -> Body:
    steps = sorted(group.steps, key=lambda x: x.number)
    var = group.var
    if var is None:
        return _ordered(steps, edges)
    for x in steps:
        x.depth += 1
    same = [edge for edge in edges if edge.distances[var][0] <= 0 <= edge.distances[var][1]]
    kind = "sequential" if group.carried else "vector"
    down = (group.carried or group.wish) < 0
    lanes = lanes or (group.abreast and not group.carried and var.extent.bounds()[1] >= LANES)
    return [ScheduledLoop(var, _ordered(steps, same, lanes), down, kind)]
