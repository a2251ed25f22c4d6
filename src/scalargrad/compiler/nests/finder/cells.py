"""Store results in arrays, and find the elements that the operands of a statement read.

The results of a statement are an array, with an index for each of its loops. An operand may read
something else in the first iterations, such as the initial value of a recurrence. Then the array
has additional elements for it, so that all iterations have the same index. An index that is not
affine is read from a table of constants:

    s = 0.0                   s[0] = 0.0
    for x in xs:         →    for i in 90:
        s = a * s + x             s[i+1] = …  s[i] …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.equations import Access as Cell
from scalargrad.compiler.nests.equations import Array, Index, Var, as_index
from scalargrad.compiler.nests.finder.additions import Sum
from scalargrad.compiler.nests.finder.instructions import INPUT_STRIDE, NUMBER
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
    Border,
    Constant,
    Data,
    Indices,
    Input,
    Loop,
    Result,
    Statement,
    Table,
    Tree,
)
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.passes.nodes import alike

#: A part of a loop nest: for each loop one index, or how many first and last ones are left out.
Region = tuple[int | tuple[int, int], ...]
#: The contents of cells around results: for each cell, the kind and the place of an operand.
Around = dict[tuple[int, ...], tuple[int, int]]
#: The greatest distance, in cells, of cells around results; above them, twice the extent is added.
_FAR = 64
#: The most sources that an operand chooses from, turn by turn: `_CHOICES`, or `_MOST_CHOICES` if a
#: program of more than `_LONG` nodes would else have no loops; or more if there are fewer choices
#: than one for each `_SELDOM` nodes.
_CHOICES, _SELDOM, _MOST_CHOICES, _LONG = 6, 16, 100, 5000
#: The fewest sources from outside of the loops that are copied to an array of their own, and the
#: most turns at which each may be read.
_COPIES = 3, 64
#: The source that stands for these copies, as the number of a statement does for its results.
_COPIED = -100
#: The most turns for each one that reads a copy: each turn then has a cell.
_SPREAD = 16


class Stored(NamedTuple):
    """A cell of results, or beside them."""

    among: ResultArray
    indices: tuple[Index, ...]

    def cell(self) -> Cell:
        """Return the cell, once all indices are known."""
        return self.among.cell(self.indices)


class Choice(NamedTuple):
    """One of two reads, by a number that is 1 or 0 at each turn."""

    first: Cell
    read: Read
    other: Read


class Turns(NamedTuple):
    """The reads of one operand of a statement, at some of its turns."""

    statement: Statement
    rows: Integers  # the turns, as instances of the statement
    kinds: NDArray[np.int8]
    places: Integers

    @property
    def axes(self) -> Integers:
        """The indices of the loops at each turn."""
        return self.statement.indices.axes[:, self.rows]


class Copied(NamedTuple):
    """Cells around results that hold what an operand reads at some turns."""

    among: ResultArray
    rows: Integers
    cells: Integers


class Fill(NamedTuple):
    """The contents of cells around results, in the loops of a statement, within a region."""

    statement: Statement
    region: Region
    cell: Stored
    value: Read


#: The read of an operand: a number, a cell, or a choice of reads.
Read = float | Cell | Stored | Choice


@dataclass(eq=False)
class ResultArray:
    """An array of the results of a statement, with cells around them.

    Attributes
    ----------
    statement : Statement
    low, high : list of int
        The least and the greatest index along each dimension.
    around : dict
    fills : list of Fill
    array : Array
        Once all indices are known.
    """

    statement: Statement
    low: list[int]
    high: list[int]
    around: Around = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    array: Array | None = None

    def reach(self, bounds: Sequence[tuple[int, int]]) -> None:
        """Have the array reach as far as indices go."""
        for k, (low, high) in enumerate(bounds):
            self.low[k], self.high[k] = min(self.low[k], low), max(self.high[k], high)

    def cell(self, at: Sequence[Var | Index]) -> Cell:
        """Return the cell at indices of the statement's loops."""
        assert self.array
        pairs = zip(at, self.low, strict=True)
        return Cell(self.array, tuple([as_index(i - k) for i, k in pairs]))


class Storage:
    """The storage of all results, and the reads of all operands.

    Parameters
    ----------
    tree : Tree
    builder : Builder
        The builder of the program that is written.
    inputs : sequence of Array
    sums : dict from int to Sum
        The sums, by the numbers of their last statements.
    around : bool
        Whether results may have other cells around them; else borders are choices.

    Attributes
    ----------
    terms : dict from int to Term
        Of all statements of sums.
    vars : dict from Loop to Var
    arrays : dict from int to list of ResultArray
        Of each statement, by its number: first what it writes, then copies with other cells around.
    reads : dict from (int, int) to Read
        The read of each operand of each statement, but for the chains of sums.
    starts : dict from int to Read
        The starts of sums.
    copies : list of (Access, int, int)
        Cells that hold copies, each with the kind and the place of what they are copies of.
    """

    def __init__(
        self,
        tree: Tree,
        builder: Builder,
        inputs: Sequence[Array],
        sums: Mapping[int, Sum],
        *,
        around: bool = True,
    ) -> None:
        self.tree, self.builder, self.inputs, self.sums = tree, builder, inputs, sums
        self.around = around
        self.terms = {x.statement.number: x for own in sums.values() for x in own.terms}
        self.vars: dict[Loop, Var] = {}
        self.arrays: dict[int, list[ResultArray]] = {}
        self.reads: dict[tuple[int, int], Read] = {}
        self.starts: dict[int, Read] = {}
        self._nodes: dict[int, Integers] = {}  # of each statement, the node of each cell
        self.copies: list[tuple[Cell, int, int]] = []
        self._tables: dict[tuple[bytes, tuple[int, ...]], Array] = {}
        for s in tree.statements:
            for k, loop in enumerate(s.loops):
                if loop not in self.vars:
                    self.vars[loop] = self._var(loop, s.loops[:k])
            self.arrays[s.number] = [self._of_results(s)]
        for is_chosen in (False, True):  # choices may read cells around results
            for s in tree.statements:
                self._read_all(s, is_chosen)

    def depth(self, statement: Statement) -> int:
        """Return the number of loops that index the results of a statement, without its sum's."""
        own = self.sums.get(statement.number)
        return len(statement.loops) if own is None else own.axis

    def _var(self, loop: Loop, around: Sequence[Loop]) -> Var:
        if isinstance(loop.extent, Affine):
            return self.builder.var(self._index(loop.extent, around))
        looked = self._looked(around, loop.entered.axes, loop.extent)
        return self.builder.var(Index(0, (), looked))

    def _of_results(self, statement: Statement) -> ResultArray:
        depth = self.depth(statement)
        bounds = [loop.counts.max() - 1 for loop in statement.loops[:depth]]
        return ResultArray(statement, [0] * depth, [*map(int, bounds)])

    # What is read ------------------------------------------------------------------------------

    def _read_all(self, statement: Statement, is_chosen: bool) -> None:
        """Read the operands that are read alike at all turns, or, of the others, their choices."""
        full: Region = ((0, 0),) * len(statement.loops)
        term = self.terms.get(statement.number)
        for j, access in enumerate(statement.operands):
            key = statement.number, j
            if key in self.reads or not (term is None or j == term.place):
                continue
            read = self._evenly(statement, j, access, full)
            if read is None and is_chosen:
                read = self._choice(statement, j, _rows(statement, full))
            if read is not None:
                self.reads[key] = read
        own = self.sums.get(statement.number)
        if own is not None and is_chosen:
            region = (*full[: own.axis], *[0] * (len(full) - own.axis))
            first = own.terms[0]
            start = self._read(first.statement, 1 - first.place, own.start, region)
            self.starts[statement.number] = start

    def _read(self, statement: Statement, j: int, access: Access, region: Region) -> Read:
        """Return the read of an operand in a region."""
        found = self._evenly(statement, j, access, region)
        return self._choice(statement, j, _rows(statement, region)) if found is None else found

    def _evenly(self, statement: Statement, j: int, access: Access, region: Region) -> Read | None:
        """Return the read of an operand, if it is the same at all turns of a region; else None."""
        if isinstance(access, Table):
            return None
        if not isinstance(access, Border):
            return self._alike(statement, access, region)
        *others, (_, main) = _parts(statement, access, region)
        if not isinstance(main, Result) or not self.around:
            return None
        return self._around(statement, j, region, main, others)

    def _alike(self, statement: Statement, access: Access, region: Region) -> Read:
        """Return the read of an operand by an access that is the same at all turns of a region."""
        if isinstance(access, Constant):
            return access.number
        if isinstance(access, Input):
            return self._input_cell(access.place, statement.loops)
        if isinstance(access, Data):
            return self._looked(statement.loops, statement.indices.axes, access.numbers)
        assert isinstance(access, Result)
        source = self.tree.statements[access.statement]
        cell = self._stored(self.arrays[source.number][0], access, statement)
        cell.among.reach([self._bounds(x, statement, region) for x in cell.indices])
        return cell

    def _input_cell(self, place: Affine, loops: Sequence[Loop]) -> Cell:
        """Return a read of inputs, of one array."""
        which = (place.base + INPUT_STRIDE // 2) // INPUT_STRIDE
        if any(2 * abs(stride) > INPUT_STRIDE for stride in place.strides):
            raise LoweringError("an operand reads several arrays of inputs in turn")
        return Cell(self.inputs[which], (self._index(place, loops) - which * INPUT_STRIDE,))

    def _bounds(self, x: Index, statement: Statement, region: Region) -> tuple[int, int]:
        pairs = zip(statement.loops, region, strict=True)
        at = {self.vars[loop]: Index(part) for loop, part in pairs if isinstance(part, int)}
        return x.substituted(at).bounds()

    # Choices -----------------------------------------------------------------------------------

    def _choice(self, statement: Statement, j: int, rows: Integers) -> Read:
        """Return the read of an operand that chooses among several sources, turn by turn."""
        turns = Turns(statement, rows, *self.tree.recording.operand(statement.nodes[rows], j))
        sources = self.tree.sources(turns.kinds, turns.places)
        copied = self._around_first_turns(turns, sources)
        if copied is not None:
            sources[copied.rows] = copied.among.statement.number
        often = np.bincount(sources - int(sources.min()))
        few = np.flatnonzero((often > 0) & (often <= _COPIES[1])) + int(sources.min())
        outside = [x for x in few.tolist() if self._is_outside(statement, x)]
        is_outside = np.isin(sources, outside)
        is_often = _SPREAD * np.count_nonzero(is_outside) >= len(rows)
        if len(outside) >= _COPIES[0] and outside[-1] >= 0 and is_often:
            sources = np.where(is_outside, _COPIED, sources)
        counts = np.bincount(sources - int(sources.min()))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        n = len(self.tree.recording)
        most = _MOST_CHOICES if not self.around and n > _LONG else _CHOICES
        if len(order) > max(most, n / (_SELDOM * len(rows))):
            raise LoweringError("an operand reads too many things by turns")
        found: Read | None = None
        for source in (order + int(sources.min())).tolist():
            here = np.flatnonzero(sources == source)
            if source == _COPIED:
                read = self._copied(turns, here)
            else:
                own = copied if copied and source == copied.among.statement.number else None
                read = self._everywhere(turns, source, here, own)
            if found is None:
                found = read
            else:
                flags = (sources == source).astype(np.float64)
                looked = self._looked(statement.loops, turns.axes, flags)
                found = Choice(looked, read, found)
        assert found is not None
        return found

    def _around_first_turns(self, turns: Turns, sources: Integers) -> Copied | None:
        """Return the cells around results that hold the reads at first turns of a loop.

        Each is the cell that the second turn reads, a turn earlier, and set before the loop.
        """
        statement, axes, results = turns.statement, turns.axes, sources[sources >= 0]
        if not len(axes) or not len(results):
            return None
        made = self.tree.statements[int(np.bincount(results).argmax())]
        outer, depth = statement.loops[0], self.depth(made)
        early = np.flatnonzero((sources != made.number) & (axes[0] == 0))
        if not depth or made.loops[0] is not outer or not axes[0].any():
            return None
        at = np.full(axes.max(axis=1) + 1, -1)
        at[tuple(axes)] = np.arange(len(turns.rows))
        second = at[1, *axes[1:, early]]
        is_read = (second >= 0) & (sources[second] == made.number)
        early, second = early[is_read], second[is_read]
        cells = made.indices.axes[:depth, self.tree.instance_of[turns.places[second]]]
        cells[0] -= 1
        read = [*zip(turns.kinds[early].tolist(), turns.places[early].tolist(), strict=True)]
        for among in self.arrays[made.number]:
            if all(x.region[0] != (0, 0) and x.statement.loops[0] is outer for x in among.fills):
                held = map(among.around.get, zip(*cells.tolist(), strict=True))
                equal = [x == y for x, y in zip(held, read, strict=True)]
                if any(equal):
                    return Copied(among, early[equal], cells[:, equal])
        return None

    def _everywhere(self, turns: Turns, source: int, here: Integers, copied: Copied | None) -> Read:
        """Return a read at all turns that is right at some of them, or reads copies there.

        At others it is a cell of an earlier node, or one that is never written.
        """
        axes, loops, count = turns.axes, turns.statement.loops, len(turns.rows)
        part, read = Indices(axes[:, here]), turns.places[here]
        if source == -1 - NUMBER:
            numbers = np.full(count, float(read[:1].view(np.float64)[0]))
            numbers[here] = read.view(np.float64)
            return self._looked(loops, axes, numbers)
        if source < 0:
            place = part.affine(read)
            if place is not None and len(here) == count:
                return self._input_cell(place, loops)
            numbers = np.full(count, read[0])
            numbers[here] = read
            arrays = numbers // INPUT_STRIDE
            if (arrays != arrays[0]).any():
                raise LoweringError("an operand reads several arrays of inputs in turn")
            looked = self._looked(loops, axes, numbers % INPUT_STRIDE)
            return Cell(self.inputs[int(arrays[0])], (Index(0, (), looked),))
        made = self.tree.statements[source]
        among, depth = self.arrays[source][0], self.depth(made)
        cells = np.zeros((depth, count), np.int64)
        own = here
        if copied is not None:
            among, own = copied.among, np.setdiff1d(here, copied.rows)
            cells[:, copied.rows] = copied.cells
        cells[:, own] = made.indices.axes[:depth, self.tree.instance_of[turns.places[own]]]
        found = cells[:, here]
        affine = [part.affine(x) for x in found]
        fitting = [x for x in affine if x is not None]
        if len(fitting) == depth:
            cells = np.array([x.at(Indices(axes)) for x in fitting]).reshape(depth, count)
            moves = _moves_along(turns.statement, made, fitting)
            nodes = turns.statement.nodes[turns.rows]
            if len(here) == count or (moves and self._are_earlier(made, cells, nodes)):
                among.reach([(int(x.min()), int(x.max())) for x in cells])
                return Stored(among, tuple([self._index(x, loops) for x in fitting]))
        indices: list[Index] = []
        for k, (x, index) in enumerate(zip(found, affine, strict=True)):
            numbers = np.full(count, -1 if k == 0 else int(x[0]))
            numbers[here] = x
            among.reach([(0, 0)] * k + [(int(numbers.min()), int(numbers.max()))])
            if index is None or len(here) < count:
                looked = self._looked(loops, axes, numbers)
                indices.append(Index(0, (), looked))  # which says that turns may meet
            else:
                indices.append(self._index(index, loops))
        return Stored(among, tuple(indices))

    def _is_outside(self, statement: Statement, *sources: int) -> bool:
        """Return whether sources are given, numbers, or made outside of a statement's loops."""
        made = (self.tree.statements[x].loops for x in sources if x >= 0)
        return all({*loops}.isdisjoint(statement.loops) for loops in made)

    def _copied(self, turns: Turns, here: Integers) -> Read:
        """Return a read of copies of what is made outside of the loops of a statement."""
        kinds, places = turns.kinds[here], turns.places[here]
        number = 3 * alike(places)[1] + kinds
        every = np.full(len(turns.rows), number[0])
        every[here] = number
        looked = self._looked(turns.statement.loops, turns.axes, every)
        assert looked.array.data is not None
        of = dict(
            zip(number.tolist(), zip(kinds.tolist(), places.tolist(), strict=True), strict=True)
        )
        copies = self.builder.array("copy", looked.array.shape)
        for at, k in np.ndenumerate(looked.array.data):
            self.copies.append((Cell(copies, tuple(map(Index, at))), *of[int(k)]))
        return Cell(copies, looked.indices)

    def _are_earlier(self, source: Statement, cells: Integers, nodes: Integers) -> bool:
        """Return whether cells are written before nodes, or never, and are not far away."""
        extents = np.array([int(x.counts.max()) for x in source.loops[: len(cells)]])
        if (
            len(cells)
            and ((cells < -_FAR - extents[:, None]) | (cells > _FAR + 2 * extents[:, None])).any()
        ):
            return False
        if source.number not in self._nodes:
            own = tuple(source.indices.axes[: len(cells)])
            of = np.full(tuple(extents), -1)
            of[own] = source.nodes if len(cells) else source.nodes[-1]  # of a sum the last
            self._nodes[source.number] = of
        inside = ((cells >= 0) & (cells < extents[:, None])).all(axis=0)
        within = tuple(np.compress(inside, cells, axis=1))
        written = self._nodes[source.number][within]
        return bool((written < nodes[inside]).all())

    def _looked(self, loops: Sequence[Loop], axes: Integers, numbers: Integers | Floats) -> Cell:
        """Return numbers, one for each turn, as a constant array over the loops they vary with."""
        kept, sizes = [*range(len(axes))], [int(loop.counts.max()) for loop in loops]
        for axis in reversed(range(len(axes))):
            others = [k for k in kept if k != axis]
            if _decide(axes[others], numbers):
                kept = others
        box = np.full([sizes[k] for k in kept], float(numbers[0]))
        box[tuple(axes[k] for k in kept)] = numbers if kept else numbers[0]
        key = box.tobytes(), box.shape
        if key not in self._tables:
            self._tables[key] = self.builder.array("x", box.shape, "const", box)
        return Cell(self._tables[key], tuple([as_index(self.vars[loops[k]]) for k in kept]))

    # Borders -----------------------------------------------------------------------------------

    def _around(
        self,
        statement: Statement,
        j: int,
        region: Region,
        main: Result,
        others: Sequence[tuple[Region, Access]],
    ) -> Read | None:
        """Return a read of results, around which cells hold what is read in other regions."""
        source = self.tree.statements[main.statement]
        indices = main.indices[: self.depth(source)]
        if not indices:
            return None
        kinds, places = self.tree.recording.operand(statement.nodes, j)
        cells = np.stack([x.at(statement.indices) for x in indices])
        extents = np.array([int(loop.counts.max()) for loop in source.loops[: len(indices)]])
        known: dict[tuple[int, ...], tuple[int, int]] = {}
        filled: list[tuple[Region, Access, Around]] = []
        for of, part in others:
            at = _rows(statement, of)
            once = _reaching_once(statement, of, cells)
            inside = ((cells[:, at] >= 0) & (cells[:, at] < extents[:, None])).all(axis=0)
            if once is None or inside.any():  # where a result may be
                return None
            reached = [*zip(*cells[:, at].tolist(), strict=True)]
            is_disjoint = known.keys().isdisjoint(reached) or known.keys() >= {*reached}
            sources = {*self.tree.sources(kinds[at], places[at]).tolist()}
            if not is_disjoint or not (_is_whole(once) or self._is_outside(statement, *sources)):
                return None
            what = zip(kinds[at].tolist(), places[at].tolist(), strict=True)
            holds: Around = {}
            for cell, held in zip(reached, what, strict=True):
                holds[cell] = held
                if known.setdefault(cell, held) != held:
                    return None
            filled.append((once, part, holds))
        rows = _rows(statement, region)
        if (np.ptp(cells[:, rows], axis=1) > _FAR + 2 * extents).any():
            return None
        among = self._array_with(source, [holds for *_, holds in filled])
        cell = self._stored(among, main, statement)
        for of, part, holds in filled:
            if not among.around.keys() >= holds.keys():
                among.around.update(holds)
                value = self._read(statement, j, part, of)
                among.fills.append(Fill(statement, of, cell, value))
        among.reach([self._bounds(x, statement, region) for x in cell.indices])
        return cell

    def _array_with(self, source: Statement, wanted: Sequence[Around]) -> ResultArray:
        """Return an array of results around which all of these cells can be, or are already."""
        for found in self.arrays[source.number]:
            around = found.around
            if all(
                around.keys().isdisjoint(holds)
                or all(around.get(cell) == what for cell, what in holds.items())
                for holds in wanted
            ):
                return found
        self.arrays[source.number].append(self._of_results(source))
        return self.arrays[source.number][-1]

    # Indices -----------------------------------------------------------------------------------

    def _index(self, x: Affine, loops: Sequence[Loop]) -> Index:
        """Return a number in loops as an index."""
        found = Index(x.base)
        for stride, loop in zip(x.strides, loops, strict=True):
            found += self.vars[loop] * stride
        return found

    def _stored(self, among: ResultArray, access: Result, statement: Statement) -> Stored:
        """Return a result that a statement reads, in an array."""
        indices = access.indices[: self.depth(among.statement)]
        return Stored(among, tuple([self._index(x, statement.loops) for x in indices]))


def _decide(axes: Integers, numbers: Integers | Floats) -> bool:
    """Return whether numbers are the same at the same indices of loops."""
    at = tuple(axes)
    found = np.zeros([int(x.max()) + 1 for x in axes])
    found[at] = numbers if len(axes) else numbers[0]
    return bool((found[at] == numbers).all())


def _rows(statement: Statement, region: Region) -> Integers:
    """Return the instances of a statement in a region."""
    inside = np.ones(len(statement.nodes), np.bool_)
    for axis, part in enumerate(region):
        index = statement.indices.axes[axis]
        if isinstance(part, int):
            inside &= index == part
        elif part != (0, 0):
            inside &= (index >= part[0]) & (index <= int(index.max()) - part[1])
    found: Integers = np.flatnonzero(inside)
    return found


def _parts(statement: Statement, access: Border, region: Region) -> list[tuple[Region, Access]]:
    """Return the accesses at borders, each with its region, and last the access elsewhere.

    The last one may still be a border: not all turns of the loops around have it, or it is in their
    midst.
    """
    found: list[tuple[Region, Access]] = []
    left: Access = access
    while isinstance(left, Border):
        axis, part = left.axis, region[left.axis]
        if isinstance(part, int):
            left = left.there if part == left.at else left.elsewhere
            continue
        counts, (first, last) = statement.loops[axis].counts, part
        is_first, is_last = left.at == first, (counts == left.at + 1 + last).all()
        if counts.min() < 1 + first + last or not (is_first or is_last):
            break
        found.append((_with(region, axis, left.at), left.there))
        region = _with(region, axis, (first + is_first, last + (not is_first)))
        left = left.elsewhere
    return [*found, (region, left)]


def _is_whole(region: Region) -> bool:
    """Return whether a region has one turn of a loop or all, so that it can be in the same loop."""
    return all(isinstance(part, int) or part == (0, 0) for part in region)


def _moves_along(statement: Statement, source: Statement, indices: Sequence[Affine]) -> bool:
    """Return whether indices move on with each loop around both; else sums would wait for turns."""
    pairs = zip(statement.loops, source.loops, indices, strict=False)
    return all(x.strides[k] == 1 for k, (mine, its, x) in enumerate(pairs) if mine is its)


def _reaching_once(statement: Statement, region: Region, cells: Integers) -> Region | None:
    """Return a part of a region that reaches all its cells, each at one turn; None if none does.

    It has only the first turn of a loop that reaches nothing new, if there always is one: cells
    that a way of an `if` reaches are set where it is taken. A cell is set once, else its gradient
    would count several times.
    """

    def reached(part: Region) -> set[tuple[int, ...]]:
        return {*zip(*cells[:, _rows(statement, part)].tolist(), strict=True)}

    every = reached(region)
    for axis, part in enumerate(region):
        if not isinstance(part, int) and statement.loops[axis].counts.min() > 0:
            less = _with(region, axis, part[0])
            region = less if reached(less) == every else region
    return region if len(_rows(statement, region)) == len(every) else None


def _with(region: Region, axis: int, part: int | tuple[int, int]) -> Region:
    return (*region[:axis], part, *region[axis + 1 :])
