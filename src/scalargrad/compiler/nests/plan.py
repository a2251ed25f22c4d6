"""Choose where arrays are while scheduled loops run: in registers, or at an address in memory.

An array may be in a register if a single statement writes it, and all its readers use the same
indices, within the same iteration of the loops of these indices. All other arrays are in memory:

    p at 8, y at 16, x at 24, add at 120     offsets, in numbers; add1 is in a register

Registers also cache elements of memory. A read element has its final value, so they stay valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Floats, aligned
from scalargrad.compiler.nests.blocks import Block
from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    SET,
    Access,
    Array,
    Body,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    within_loops,
)
from scalargrad.compiler.nests.schedule import ScheduledLoop

#: Minimum size of an array that is read in place; copying a smaller one takes no longer.
LARGE = 16_384
#: The numbers in 1 kB. Rows and arrays whose length is a multiple of it are padded: a column, or
#: what one turn of a loop reads, would else be in the same few lines of the cache.
ALIASING = 128


@dataclass(frozen=True)
class Plan:
    """The places of arrays in memory; those that are in registers have no offset.

    Attributes
    ----------
    offsets : dict
        For each array in memory, its first cell.
    strides : dict
        For each array, the distance of neighbouring cells along each dimension.
    cleared : list of Array
        The arrays to be filled with 0 at each run.
    cells : int
        The length of memory; vectors may read some numbers before and after arrays.
    buffers : dict
        The arrays that are buffers of the current turns of a loop with lanes.
    in_place : dict from Access to int
        The given cells that may lie elsewhere at a run, each with the index of its distance in
        `displacements`.
    displacements : list of Displacement
    """

    offsets: dict[Array, int]
    strides: dict[Array, tuple[int, ...]]
    cleared: list[Array]
    cells: int
    buffers: dict[Array, Buffer]
    in_place: dict[Access, int]
    displacements: list[Displacement]

    def view(self, memory: Floats, array: Array) -> Any:
        """Return the cells of an array that is in memory, whole."""
        strides = [memory.itemsize * k for k in self.strides[array]]
        start = memory[self.offsets[array] :]
        return np.lib.stride_tricks.as_strided(start, array.shape, strides)

    def initial_memory(self) -> Floats:
        """Return the initial memory, as it is before the first run."""
        memory = aligned(self.cells + CLASSES)
        for array in self.offsets:
            if array.data is not None:
                self.view(memory, array)[...] = array.data
        return memory


class Buffer(NamedTuple):
    """A buffer: an array that keeps, for each block, only the current turns of a loop with lanes.

    Attributes
    ----------
    var : Var
        The loop's variable.
    block : Var or None
        That of the loop over blocks around it.
    place : int
        The place of its index in the array.
    size : int
        The number of values of that index.
    """

    var: Var
    block: Var | None
    place: int
    size: int


class Displacement(NamedTuple):
    """The distance between inputs that are read in place and their elements in memory.

    Attributes
    ----------
    cell : int
        The element of memory that holds the distance, as an integer.
    numbers : range
        The inputs that are read by the accesses it displaces.
    """

    cell: int
    numbers: range


class _Use(NamedTuple):
    step: Step
    access: Access
    loops: tuple[Loop, ...]


def plan(
    program: Program, body: Body, fastest: Mapping[Array, int], array_start: int | None = None
) -> Plan:
    """Return the places of a program's arrays while `body`, its loops in order, runs.

    `fastest` has the dimension of an array along which neighbours lie, if it is not the last. Given
    numbers from `array_start` on belong to whole arrays, which may be read in place.
    """
    writers: dict[Array, list[_Use]] = {}
    readers: dict[Array, list[_Use]] = {}
    tables = {x.array for step, _ in within_loops(body) for x in step.tables()}
    for step, loops in within_loops(body):
        writers.setdefault(step.out.array, []).append(_Use(step, step.out, loops))
        vias = [via for loop in loops if (via := loop.var.extent.via)]
        for access in (*step.reads(), *vias):
            readers.setdefault(access.array, []).append(_Use(step, access, loops))
    has_blocks = any(isinstance(x, Loop) and isinstance(x.var, Block) for x in body)
    offsets: dict[Array, int] = {}
    strides: dict[Array, tuple[int, ...]] = {}
    cells = CLASSES
    buffers: dict[Array, Buffer] = {}
    cleared: list[Array] = []
    for array in program.arrays:
        writing, reading = writers.get(array, ()), readers.get(array, ())
        if array not in tables and _is_in_registers(array, writing, reading, has_blocks):
            strides[array] = _strides(array.shape, len(array.shape) - 1)
        else:
            shape, along = array.shape, fastest.get(array, len(array.shape) - 1)
            around = _buffer_of(array, writing, reading)
            if around:
                buffers[array], along = around, around.place
                shape = (*shape[:along], around.size, *shape[along + 1 :])
            is_cleared = any(map(_is_written_anew, writing))
            cleared += [array] * is_cleared
            offsets[array] = cells
            is_free = array.kind in {"const", "temp"}
            strides[array] = _strides(shape, along, ALIASING if is_free and not is_cleared else 0)
            last = sum(max(n - 1, 0) * k for n, k in zip(shape, strides[array], strict=True))
            cells += (last // CLASSES + 1) * CLASSES  # whole vectors
            cells += CLASSES if is_free and cells % ALIASING == offsets[array] % ALIASING else 0
    in_place, ranges = _in_place(readers, array_start)
    displacements = [Displacement(cells + k, x) for k, x in enumerate(ranges)]
    cells += -(-len(ranges) // CLASSES) * CLASSES
    return Plan(offsets, strides, cleared, cells, buffers, in_place, displacements)


def _in_place(
    readers: Mapping[Array, Sequence[_Use]], array_start: int | None
) -> tuple[dict[Access, int], list[range]]:
    """Return the accesses to inputs that can be displaced, and the ranges of inputs they read.

    Accesses that may read the same input have one range. A range may extend over several arrays:
    where arrays begin is known at a run, which then copies them (`NestExecutable.run_on`). Either
    all accesses to inputs from `array_start` on can be displaced, or none can.
    """
    if array_start is None:
        return {}, []
    uses = (use for array, x in readers.items() if array.kind == "in" for use in x)
    bounds = {use.access: use.access.indices[0].bounds() for use in uses}
    if any(low < array_start <= high for low, high in bounds.values()):
        return {}, []
    of_arrays = {x: (low, high + 1) for x, (low, high) in bounds.items() if low >= array_start}
    ranges: list[range] = []
    for low, stop in sorted(of_arrays.values()):
        if ranges and low < ranges[-1].stop:
            ranges[-1] = range(ranges[-1].start, max(stop, ranges[-1].stop))
        else:
            ranges.append(range(low, stop))
    if max(map(len, ranges), default=0) < LARGE:
        return {}, []
    which = {x: k for x, (low, _) in of_arrays.items() for k, y in enumerate(ranges) if low in y}
    return which, ranges


def _is_in_registers(
    array: Array, writing: Sequence[_Use], reading: Sequence[_Use], has_blocks: bool
) -> bool:
    """Return whether registers hold an array; with blocks, not if several functions may read it."""
    if array.kind != "temp" or len(writing) != 1:
        return False
    step, _, loops = writing[0]
    decide = step.out.variables
    depth = len(loops)
    if step.how == ADD:
        depth = max((k + 1 for k, loop in enumerate(loops) if loop.var in decide), default=0)
    home = loops[:depth]
    if has_blocks and not home:
        return False
    alike = all(use.access == step.out and use.loops[:depth] == home for use in reading)
    is_home = {loop.var for loop in home} == decide and not step.out.tables
    return alike and is_home and adds_loop_by_loop(step.out)


def _is_written_anew(use: _Use) -> bool:
    """Return whether turns meet in a cell, or which cells are written may be others at each run."""
    tables = [*use.access.tables, *(x.var.extent.via for x in use.loops if x.var.extent.via)]
    meet = use.step.how != SET and not adds_loop_by_loop(use.access)
    return meet or any(table.array.data is None for table in tables)


def _buffer_of(array: Array, writing: Sequence[_Use], reading: Sequence[_Use]) -> Buffer | None:
    """Return the buffer of an array that only needs the current turns of a loop with lanes, if any.

    Turns of that loop share no cell, as its variable is one of the indices.
    """
    uses = [*writing, *reading]
    if array.kind != "temp" or not writing or not all(use.loops for use in uses):
        return None
    outer = uses[0].loops[0]
    block = outer.var if isinstance(outer.var, Block) else None
    if block and not all(len(use.loops) > 1 for use in uses):
        return None
    depth = 1 if block else 0
    loop = uses[0].loops[depth]
    if not isinstance(loop, ScheduledLoop) or not loop.lanes or loop.down:
        return None
    own = as_index(loop.var)
    if block:
        own = block * loop.var.extent.base + loop.var
    places = {
        k for use in uses for k, i in enumerate(use.access.indices) if loop.var in i.variables
    }
    if len(places) != 1 or any(map(_is_written_anew, writing)):
        return None
    (k,) = places
    alike = all(use.loops[depth] is loop and use.access.indices[k] == own for use in uses)
    size = CLASSES * loop.jam * (block.extent.base if block else 1)
    return Buffer(loop.var, block, k, size) if alike and array.shape[k] > size else None


def _strides(shape: tuple[int, ...], fastest: int, aliasing: int = 0) -> tuple[int, ...]:
    """Return the strides of an array whose neighbours lie along the dimension `fastest`.

    Rows whose length is a multiple of `aliasing`, if that is not 0, are followed by unused cells.
    """
    found, size = [0] * len(shape), 1
    order = [k for k in range(len(shape)) if k != fastest]
    for k in [fastest, *reversed(order)] if shape else []:
        found[k] = size
        size *= shape[k]
        if k == fastest and aliasing and size % aliasing == 0:
            size += CLASSES
    return tuple(found)
