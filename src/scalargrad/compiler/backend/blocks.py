"""Run a segmented program block by block, on several threads.

A block is a range of lanes whose numbers fit into the cache; blocks are independent of one another.
They are divided into a fixed number of sequences. Each sequence adds up its totals in order, and
these sums are added in order: the result is the same to the last bit for any number of threads.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats, Integers
from scalargrad.compiler.backend import choice
from scalargrad.compiler.backend.choice import Executable
from scalargrad.compiler.backend.numpy_runner import sum_in_order
from scalargrad.compiler.backend.threads import shared, threads
from scalargrad.compiler.loops.lane_loops import fits_registers, lane_loop
from scalargrad.compiler.loops.loop import Loop, Looped
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
from scalargrad.compiler.loops.loop_printer import printed
from scalargrad.compiler.loops.roll import LANES
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.segments import (
    SEQUENCES,
    Column,
    ExampleLoops,
    Fill,
    Mapped,
    Segments,
    Singles,
)
from scalargrad.system.cached_property import cached_property

#: What a part computes, and how.
Part = tuple[str, Packed | Looped]

#: The first of some cells, and the one after the last.
Range = tuple[int, int]

#: With fewer lanes, starting a second thread takes longer than it saves.
_LANES_FOR_THREADS = 10_000
#: Loops of so many steps in all are compiled for one vector of examples: each more takes as long
#: again, and in such, few steps wait for the one before.
_LONG = 3000
#: How many examples in loops a thread computes before it takes on others.
_EXAMPLES = 256
#: Arrays of so many numbers are read where they lie rather than copied.
_LARGE = 4096
#: Further than any cell is from another, and a whole number of lines of the cache.
_FAR = 2**40

#: Arrays that are read where they lie: for which cells, and how far from these, in cells.
Borrowed = Mapping[Range, int]


class _Step:
    """A step of a segmented program.

    Attributes
    ----------
    reads : addresses
        The cells of the single numbers that it reads.
    columns : list of Column
        The lanes that it reads.
    """

    reads: Addresses
    columns: Sequence[Column] = ()

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether an array for these cells may lie elsewhere: here, if none is read."""
        return not (self._reads_any(cells) or self._columns_in(cells))

    def _reads_any(self, cells: Range) -> bool:
        return bool(((self.reads >= cells[0]) & (self.reads < cells[1])).any())

    def _columns_in(self, cells: Range) -> list[Column]:
        return [column for column in self.columns if cells[0] <= column.first < cells[1]]


class _SinglesStep(_Step):
    """A step that computes numbers shared by all lanes."""

    def __init__(self, step: Singles) -> None:
        self.reads, self.out = step.reads, step.out
        self.pool = choice.Pool(pack(step.program, in_order=True))
        self.parts: list[Part] = [("single numbers", self.pool.packed)]

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        found = _computed(self.pool, store[self.reads])
        store[self.out : self.out + len(found)] = found


def _computed(pool: choice.Pool, inputs: Floats) -> Floats:
    """Run a packed program on its inputs; return the outputs."""
    executable, outputs = lent = pool.lend()
    executable.memory[: len(inputs)] = inputs
    executable.run()
    found = outputs.copy()
    pool.take_back(lent)
    return found


class _FillStep(_Step):
    """A step that copies single numbers into the lanes of a node."""

    def __init__(self, step: Fill) -> None:
        self.reads, self.out = step.reads, step.out
        self.parts: list[Part] = []

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        store[self.out : self.out + len(self.reads)] = store[self.reads]


class _MappedStep(_Step):
    """A step that computes lanes with packed programs, block by block."""

    def __init__(self, step: Mapped) -> None:
        self.lanes, self.reads = step.lanes, step.reads
        self.columns, self.stretches = step.columns, _stretches(step.columns)
        self.totals, self.out, self.kept = step.totals, step.out, step.kept
        self.bounds = _divided(step.lanes, -(-step.lanes // step.block_lanes()))
        sizes = {stop - start for start, stop in self.bounds}
        self.pools = {size: choice.Pool(pack(step.program(size), in_order=True)) for size in sizes}
        title = f"{step.lanes} lanes in {len(self.bounds)} blocks"
        self.parts: list[Part] = [(title, self.pools[max(sizes)].packed)]

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        found = _added(
            functools.partial(self._sequence, store), _sequences(self.bounds), self.lanes
        )
        store[self.out : self.out + self.totals] = found

    def _sequence(self, store: Floats, bounds: list[tuple[int, int]]) -> Floats:
        """Compute blocks one after the other; return the sums of their totals."""
        lent = {size: pool.lend() for size, pool in self.pools.items()}
        singles = store[self.reads]
        for executable, _ in lent.values():
            executable.memory[: len(singles)] = singles
        total = np.full(self.totals, -0.0)
        for start, stop in bounds:
            total += self._block(store, *lent[stop - start], start, stop)
        for size, given in lent.items():
            self.pools[size].take_back(given)
        return total

    def _block(
        self, store: Floats, executable: Executable, outputs: Floats, start: int, stop: int
    ) -> Floats:
        size, given = stop - start, len(self.reads)
        into = executable.memory[given : given + len(self.columns) * size].reshape(-1, size)
        _copy_lanes(store, self.stretches, start, into)
        executable.run()
        cell = self.totals
        for kept in self.kept:
            store[kept + start : kept + stop] = outputs[cell : cell + size]
            cell += size
        return outputs[: self.totals]


class _Stretch(NamedTuple):
    """Columns as far apart as each other: lane j of column i is cell first + pitch·i + step·j."""

    first: int
    pitch: int
    step: int
    columns: int


def _stretches(columns: Sequence[Column]) -> list[_Stretch]:
    """Return columns, those that follow each other at one distance together."""
    found: list[_Stretch] = []
    for first, step in columns:
        last = found[-1] if found else None
        if last is not None and last.step == step:
            pitch = last.pitch if last.columns > 1 else first - last.first
            if first == last.first + pitch * last.columns:
                found[-1] = _Stretch(last.first, pitch, step, last.columns + 1)
                continue
        found.append(_Stretch(first, 1, step, 1))
    return found


def _copy_lanes(store: Floats, stretches: Sequence[_Stretch], start: int, into: Floats) -> None:
    """Copy the lanes of columns from lane `start` on, a row for each column."""
    row, lanes = 0, into.shape[1]
    for first, pitch, step, count in stretches:
        begin, rows = first + start * step, into[row : row + count]
        if pitch == 1 and step != 1:
            choice.copy_columns(store, begin, step, rows)
        else:
            apart = pitch * store.itemsize, step * store.itemsize
            rows[:] = np.ndarray((count, lanes), store.dtype, store, begin * store.itemsize, apart)
        row += count


class _Ready(NamedTuple):
    """What the code of each sequence is called with, once it is known which arrays it reads.

    Attributes
    ----------
    data : list of integers
        The loop counts, cells and numbers of each sequence.
    addresses : list of (int, int)
        Where the tables and the data of each lie.
    """

    borrowed: Borrowed
    data: list[Integers]
    addresses: list[tuple[int, int]]


class _LoopStep(_Step):
    """A step that computes lanes with a compiled loop, intermediate results in registers."""

    def __init__(self, step: Mapped) -> None:
        self.step, self.reads, self.columns = step, step.reads, step.columns
        #: Which data of each sequence are cells of an array, as 1 among zeros.
        self._places: dict[Range, list[Integers]] = {}
        self._ready: _Ready | None = None
        count = SEQUENCES if step.lanes >= _LANES_FOR_THREADS else 1
        size = -(-step.lanes // (count * LANES)) * LANES
        edges = [*range(0, step.lanes, size), step.lanes]
        self.bounds = list(itertools.pairwise(edges))

    @property
    def parts(self) -> list[Part]:
        """The loop over the lanes of the first sequence."""
        return [(f"{self.step.lanes} lanes in registers", self._loop(self.step, 0))]

    def _loop(self, step: Mapped, k: int) -> Looped:
        """Return the loop over the lanes of a sequence."""
        return lane_loop(step, self.bounds[k], step.partials + k * step.totals)

    @cached_property
    def _printed(self) -> list[Printed]:
        """The code for each sequence.

        The loops of two sequences differ only in their cells, by a constant distance. So only the
        first two and the last, which may be shorter, are printed.
        """
        bounds = self.bounds
        found = [
            Printed(self._loop(self.step, k))
            for k in sorted({*range(len(bounds))} & {0, 1, len(bounds) - 1})
        ]
        if len(bounds) <= 2:
            return found
        first, second, last = found
        distance = second.data - first.data
        others = [second.at(first.data + k * distance) for k in range(2, len(bounds) - 1)]
        return [first, second, *others, last]

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether the loop can read an array for these cells where it lies.

        Of adjacent numbers it reads whole groups of lanes, perhaps beyond the end of the array.
        """
        strides = {column.step for column in self._columns_in(cells)}
        return not self._reads_any(cells) and (self.step.lanes % LANES == 0 or 1 not in strides)

    def _places_of(self, cells: Range) -> list[Integers]:
        """Return which data are cells of an array: those that move if its columns do."""
        if cells not in self._places:
            inside, last = self._columns_in(cells), len(self.bounds) - 1
            columns = [x._replace(first=x.first + _FAR) if x in inside else x for x in self.columns]
            moved = replace(self.step, columns=columns)
            first, other = (
                (printed(self._loop(moved, k)).data - self._printed[k].data) // _FAR
                for k in (0, last)
            )
            self._places[cells] = [*[first] * last, other]  # as `_printed`
        return self._places[cells]

    def run(self, store: Floats, borrowed: Borrowed) -> None:
        ready = self._ready
        if ready is None or ready.borrowed != borrowed:
            ready = self._ready = self._ready_for(borrowed)
        work = functools.partial(self._sequence, store, store.ctypes.data, ready)
        found = _added(work, range(len(self.bounds)), self.step.lanes)
        store[self.step.out : self.step.out + self.step.totals] = found

    def _ready_for(self, borrowed: Borrowed) -> _Ready:
        data = [code.data for code in self._printed]
        for cells, distance in borrowed.items():
            data = [x + distance * at for x, at in zip(data, self._places_of(cells), strict=True)]
        addresses = [
            (code.tables.ctypes.data, x.ctypes.data)
            for code, x in zip(self._printed, data, strict=True)
        ]
        return _Ready(borrowed, data, addresses)

    def _sequence(self, store: Floats, address: int, ready: _Ready, k: int) -> Floats:
        self._printed[k].run(address, *ready.addresses[k])
        first = self.step.partials + k * self.step.totals
        return store[first : first + self.step.totals]

    def __reduce__(self) -> tuple[Any, ...]:
        return _mapped_step, (self.step,)


def _mapped_step(step: Mapped) -> _LoopStep | _MappedStep:
    return _LoopStep(step) if choice.has_llvm() and fits_registers(step) else _MappedStep(step)


class _LoopPool(choice.Pool):
    """The loops of an example, and the executables that are idle, each for several examples."""

    def __init__(self, step: ExampleLoops) -> None:
        super().__init__(step.loops)
        self._step = step

    @cached_property
    def abreast(self) -> int:
        """How many examples are computed at a time: as many vectors as fit into registers."""
        from scalargrad.compiler.backend.llvm.target import registers

        steps = sum(len(x.steps) for x in self._step.loops.loops if isinstance(x, Loop))
        most = LANES * registers() // 8 if steps < _LONG else LANES
        return min(LANES << ((self._step.lanes - 1) // LANES).bit_length(), most)

    @cached_property
    def _code(self) -> Printed:
        return Printed(self._step.loops, abreast=self.abreast)

    def executable(self) -> Executable:
        """Return a new executable."""
        return LoopExecutable(self._code)


class _ExamplesStep(_Step):
    """A step that computes examples by loops, several at a time."""

    def __init__(self, step: ExampleLoops) -> None:
        self.step, self.reads, self.columns = step, step.reads, step.columns
        self.stretches, self.pool = _stretches(step.columns), _LoopPool(step)

    @property
    def parts(self) -> list[Part]:
        """The loops of an example."""
        return [(f"{self.step.lanes} examples, {self.pool.abreast} at a time", self.step.loops)]

    @cached_property
    def _plain(self) -> choice.Pool:
        """What computes an example without loops."""
        return choice.Pool(pack(self.step.plain()))

    def run(self, store: Floats, _borrowed: Borrowed) -> None:
        step, lanes = self.step, self.step.lanes
        bounds = [(k, min(k + _EXAMPLES, lanes)) for k in range(0, lanes, _EXAMPLES)]
        work = functools.partial(self._block, store, store[self.reads][:, None])
        sums = shared(work, bounds, min(threads(), len(bounds)))
        store[step.out : step.out + step.totals] = sum_in_order(np.array(sums))

    def _block(self, store: Floats, singles: Floats, bounds: Range) -> Floats:
        """Compute some examples; return the sums of their terms of the totals."""
        step, (start, stop) = self.step, bounds
        count, abreast, given = stop - start, self.pool.abreast, len(singles)
        columns = np.empty((len(self.columns), count))
        _copy_lanes(store, self.stretches, start, columns)
        outputs, results = step.loops.outputs, step.loops.results - step.totals
        kept = store[step.kept : step.kept + results * step.lanes].reshape(results, step.lanes)
        kept, terms, finite = kept[:, start:stop], np.empty((count, step.totals)), np.empty(count)
        executable, _ = lent = self.pool.lend()
        rows = executable.memory.reshape(-1, abreast)
        for k in range(0, count, abreast):
            lanes = min(abreast, count - k)
            here = slice(k, k + lanes)
            rows[:given], into = singles, rows[given : given + len(columns)]
            into[:, :lanes], into[:, lanes:] = columns[:, here], columns[:, -1:]  # fills the row
            executable.run()
            found = rows[outputs, :lanes]
            finite[here] = np.isfinite(found).all(axis=0)
            terms[here] = found[: step.totals].T
            kept[:, here] = found[step.totals :][:results]
        self.pool.take_back(lent)
        for k in np.flatnonzero(finite == 0.0).tolist():
            inputs = np.concatenate([singles.ravel(), columns[:, k]])
            terms[k], kept[:, k] = np.split(_computed(self._plain, inputs), [step.totals])
        return sum_in_order(terms)

    def __reduce__(self) -> tuple[Any, ...]:
        return _ExamplesStep, (self.step,)


class BlockExecutable:
    """A store, and the steps of a segmented program.

    Attributes
    ----------
    memory : float64, cells
        The numbers that the steps exchange. Its first cells take the inputs before `run`.
    """

    def __init__(self, program: Blocked, store: Floats) -> None:
        self.memory = store
        self._program = program
        self._borrowed: dict[Range, int] = {}

    def take(self, cells: Sequence[int | slice], blocks: Sequence[Any]) -> None:
        """Take inputs for the next run: each in its cells, or large arrays where they lie."""
        address = self.memory.ctypes.data
        for place, block in zip(cells, blocks, strict=True):
            if isinstance(place, slice) and _is_large(block):
                range_ = place.start, place.stop
                if self._program.reads_in_place(range_):
                    distance = (block.ctypes.data - address) // block.itemsize
                    self._borrowed[range_] = distance - place.start
                    continue
            self.memory[place] = block

    def run(self) -> None:
        """Run the steps in order; what was borrowed is given back."""
        borrowed, self._borrowed = self._borrowed, {}
        for step in self._program.steps:
            step.run(self.memory, borrowed)


def _is_large(block: Any) -> bool:
    """Return whether copying an array takes time, and its numbers lie one after the other."""
    return (
        isinstance(block, np.ndarray)
        and block.size >= _LARGE
        and block.dtype == np.float64
        and block.flags.c_contiguous
        and block.flags.aligned
    )


class Blocked:
    """A segmented program, ready to run.

    Attributes
    ----------
    inputs : int
        The number of inputs, which are the first cells.
    outputs : slice
        The cells of the outputs.
    """

    def __init__(self, segments: Segments) -> None:
        self.inputs = segments.inputs
        self.outputs = segments.outputs
        self._constants = segments.constants
        self._size = segments.size
        self.steps = [_step(x) for x in segments.steps]
        self._in_place: dict[Range, bool] = {}

    def executable(self) -> BlockExecutable:
        """Return a new executable, with memory of its own."""
        store = np.empty(self._size)
        for out, numbers in self._constants:
            store[out : out + len(numbers)] = numbers
        return BlockExecutable(self, store)

    def reads_in_place(self, cells: Range) -> bool:
        """Return whether an array for these cells can be read where it lies, by all steps."""
        if cells not in self._in_place:
            start, stop = cells
            apart = self.outputs.start >= stop or self.outputs.stop <= start
            self._in_place[cells] = apart and all(x.reads_in_place(cells) for x in self.steps)
        return self._in_place[cells]

    @property
    def parts(self) -> list[Part]:
        """The packed programs and loops of all steps, each with a title for `explain`."""
        return [part for step in self.steps for part in step.parts]


def _step(
    step: Singles | Fill | Mapped | ExampleLoops,
) -> _SinglesStep | _FillStep | _LoopStep | _MappedStep | _ExamplesStep:
    if isinstance(step, Singles):
        return _SinglesStep(step)
    if isinstance(step, ExampleLoops):
        return _ExamplesStep(step)
    return _FillStep(step) if isinstance(step, Fill) else _mapped_step(step)


def _added(work: Callable[[Any], Floats], parts: Sequence[Any], lanes: int) -> Floats:
    """Return the sum of what threads compute of parts, in their order."""
    count = min(threads(), len(parts)) if lanes >= _LANES_FOR_THREADS else 1
    total, *sums = shared(work, parts, count)
    for part in sums:
        total = total + part
    return total


def _sequences(bounds: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    return [bounds[a:b] for a, b in _divided(len(bounds), min(SEQUENCES, len(bounds)))]


def _divided(whole: int, count: int) -> list[tuple[int, int]]:
    """Return (start, stop) of so many parts of a range, whose sizes differ by at most 1."""
    return list(itertools.pairwise([whole * k // count for k in range(count + 1)]))
