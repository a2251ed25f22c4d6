"""Dependences between statements, and their distances in iterations of the common loops.

In ``s[i+1] = a · s[i]`` iteration i + 1 reads what iteration i writes: distance 1. Bounds of the
distances follow from the indices. If these do not decide the order of two iterations in a cycle of
statements, all iterations are compared: extents and index tables are known at compile time.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.equations import SET, Access, Index, Loop, Step, Var
from scalargrad.compiler.passes.nodes import stretches

#: The least and the greatest number of turns of a loop from the write of a cell to its read.
Distance = tuple[int, int]
#: The step that reads, and the cell.
_Read = tuple["Placed", Access]
#: The direction of a dependence along each common loop: a cell is read at an earlier turn than that
#: of its write (-1), at the same (0), or at a later one (1).
Signs = tuple[int, ...]
#: The most turns of a step, and pairs of turns, that are compared.
_MOST = 1 << 22


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
        """Put the loops of a sum, in order, inside those over its cells."""
        left = self.loops[self.depth :]
        if self.step.how == SET or len(left) < 2 or not adds_loop_by_loop(self.step.out):
            return
        cells = [loop for loop in left if loop.var in self.step.out.variables]
        self.loops = (*self.loops[: self.depth], *cells, *(x for x in left if x not in cells))

    def summed(self) -> int:
        """Return the direction (1 or -1) that its sum gives the next loop; 0: it may be any."""
        step, loop = self.step, self.next
        if step.how == SET or loop is None:
            return 0
        is_lane = loop.var in step.out.variables and adds_loop_by_loop(step.out)
        return 0 if is_lane or has_own_cells(step.out, loop.var) else -1 if loop.down else 1


@dataclass(eq=False)
class Edge:
    """A dependence: one step reads what another writes.

    Attributes
    ----------
    writer, reader : Placed
    access : Access
        The cell that the reader reads.
    distances : dict
        For each loop over both, the turns from the write to the read.
    signs : set of tuple, or None
        All combinations of signs that these distances have, once turns were compared.
    """

    writer: Placed
    reader: Placed
    access: Access
    distances: dict[Var, Distance]
    signs: set[Signs] | None = None
    is_compared: bool = field(default=False, repr=False)

    def is_open(self) -> bool:
        """Return whether comparing turns may tell more about the loops still to be opened."""
        opened = self.writer.around[: self.writer.depth]
        spans = (d for v, d in self.distances.items() if v not in opened)
        return not self.is_compared and any(low != high for low, high in spans)

    def within(self, var: Var) -> Edge | None:
        """Return the edge among the same turns of a loop; None if there is none."""
        if self.signs is None:
            low, high = self.distances[var]
            return self if low <= 0 <= high else None
        place = [*self.distances].index(var)
        return self._with({signs for signs in self.signs if not signs[place]})

    def compared(self) -> Edge | None:
        """Return the edge after all turns were compared; None if the two never meet."""
        self.is_compared = True
        found: Edge | None = self
        signs = _signs(self.writer, self.reader, self.access, [*self.distances])
        if signs is not None:
            found = self._with(signs)
        for loop in self.writer.loops[: self.writer.depth]:
            found = found and found.within(loop.var)
        return found

    def _with(self, signs: set[Signs]) -> Edge | None:
        if not signs:
            return None
        spans = ((min(column), max(column)) for column in zip(*signs, strict=True))
        distances = dict(zip(self.distances, spans, strict=True))
        return Edge(self.writer, self.reader, self.access, distances, signs, is_compared=True)


def dependences(placed: Sequence[Placed]) -> list[Edge]:
    """Return the dependences among steps: an edge for each array that one writes for another."""
    every, of_cells, of_many = (defaultdict[object, list[_Read]](list) for _ in range(3))
    for x in placed:
        for access in dict.fromkeys(x.step.reads()):
            every[access.array].append((x, access))
            if access.is_cell:
                of_cells[access].append((x, access))
            else:
                of_many[access.array].append((x, access))
    found = []
    for writer in placed:
        out = writer.step.out
        readers = [*of_cells[out], *of_many[out.array]] if out.is_cell else every[out.array]
        for reader, access in readers:
            distances = distances_between(writer, reader, access)
            if distances is not None:
                found.append(Edge(writer, reader, access, distances))
    return found


def distances_between(writer: Placed, reader: Placed, access: Access) -> dict[Var, Distance] | None:
    """Return the distances from a write to a read, in turns of each common loop.

    None if `access`, of the reader, never meets a cell that the writer writes.
    """
    out = writer.step.out
    if not out.indices and not writer.loops:
        return {}
    if out.is_disjoint(access):
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
    if any(low > high for low, high in found.values()):
        return None
    return found


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
    """Return whether indices differ wherever the values of their variables do."""
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


def adds_loop_by_loop(out: Access) -> bool:
    """Return whether the terms of a cell are summed over each loop by itself.

    Else each term is added to the cell at once: where turns over cells meet in one, or loops over
    cells end at a variable of the sum, so that they run inside of its loop.
    """
    ends = (v.extent.variables for v in out.variables)
    return is_unique(out.indices) and all(x <= out.variables for x in ends)


def has_own_cells(out: Access, var: Var) -> bool:
    """Return whether each turn of a loop has cells of its own: its variable is one of the indices.

    It does not matter then which turns of other loops meet in a cell.
    """
    return any(i.terms == ((var, 1),) and not i.via for i in out.indices)


# Turns compared --------------------------------------------------------------------------------


def _signs(
    writer: Placed, reader: Placed, access: Access, common: Sequence[Var]
) -> set[Signs] | None:
    """Return the signs of all distances; None if there are too many, or a table is not known."""
    out = writer.step.out
    vias = (loop.var.extent.via for loop in (*writer.loops, *reader.loops))
    tables = [*out.tables, *access.tables, *(y for x in vias if x for y in (x, *x.tables))]
    if any(table.array.data is None for table in tables):
        return None
    mine = _all_turns(writer.loops, {*common, *out.variables})
    its = _all_turns(reader.loops, {*common, *access.variables})
    if mine is None or its is None:
        return None
    cells, wanted = _cells(out, mine), _cells(access, its)
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    first = np.searchsorted(ordered, wanted)
    counts = np.searchsorted(ordered, wanted, side="right") - first
    if counts.sum() > _MOST:
        return None
    written, read = order[stretches(first, counts)], np.repeat(np.arange(len(wanted)), counts)
    code = np.zeros(len(read), np.int64)
    for v in common:
        code = 3 * code + 1 + np.sign(its[v][read] - mine[v][written])
    digits = 3 ** np.arange(len(common))[::-1]
    return {tuple([k // d % 3 - 1 for d in digits.tolist()]) for k in {*code.tolist()}}


def _all_turns(loops: Sequence[Loop], wanted: set[Var]) -> dict[Var, Integers] | None:
    """Return the values of variables at all turns; None if these are too many."""
    wanted = wanted | {loop.var for loop in loops if loop.var.is_way}
    for loop in reversed(loops):
        if loop.var in wanted:
            wanted |= loop.var.extent.variables
    found: dict[Var, Integers] = {}
    count = 1
    for loop in loops:
        if loop.var in wanted:
            extents = _values(loop.var.extent, found, count)
            if extents.sum() > _MOST:
                return None
            found = {v: np.repeat(x, extents) for v, x in found.items()}
            found[loop.var] = stretches(np.zeros(len(extents), np.int64), extents)
            count = len(found[loop.var])
    return found


def _values(index: Index, at: Mapping[Var, Integers], count: int) -> Integers:
    """Return the value of an index at each turn."""
    found = np.full(count, index.base)
    for v, stride in index.terms:
        found += stride * at[v]
    if index.via:
        assert index.via.array.data is not None
        places = tuple([_values(i, at, count) for i in index.via.indices])
        found += index.via.array.data[places].astype(np.int64)
    return found


def _cells(x: Access, at: Mapping[Var, Integers]) -> Integers:
    """Return the index of an access's cell at each turn."""
    count = next((len(values) for values in at.values()), 1)
    found = np.zeros(count, np.int64)
    for index, size in zip(x.indices, x.array.shape, strict=True):
        found = found * size + _values(index, at, count)
    return found
