"""Verifier of the loop IR and of the memory layout, run after each pass when SCALARGRAD_VERIFY=1.

A program is valid if every induction variable is bound by an enclosing loop, every index lies
within its array's shape, each element is set at most once or is accumulated by one statement, and
every element that is read has a writer. It shares no analysis with the passes that it checks: the
iterations are enumerated. In::

    for i in 3:
        s[i+1] = s[i] · 2.0     # s[0] is read, and nothing writes it

the elements that the statement writes are 1, 2, 3, those that it reads 0, 1, 2.

Limits. A loop nest of more than `MAX_ITERATIONS` iterations is sampled, its first and last
iterations among them; the elements it writes are then taken to be all within the bounds of its
indices. An element that only an accumulation could write, and none does, is an empty sum, 0.
Where a constant condition of `where` does not select an operand, this is not read, nor are the
operands of a choice that only such operands read. A table whose entries
are not known before the program runs has no known elements: accesses through it are not checked.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.equations import (
    CLASSES,
    SET,
    Access,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    statements,
    within_loops,
)
from scalargrad.compiler.nests.plan import Buffer, Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.passes.nodes import stretches
from scalargrad.ops import TABLE

#: Maximum number of iterations of a loop nest that are all enumerated.
MAX_ITERATIONS = 1 << 16
#: Number of first and of last iterations of a loop in a sample of a larger nest.
_ENDS = 16
#: Called after each pass with its name, the program before it, if any, and the program after it;
#: tests compare the two.
OBSERVERS: list[Callable[[str, Program | None, Program], None]] = []
#: Called with each scheduled program: its equations, its loops in order, and their layout.
LAYOUT_OBSERVERS: list[Callable[[Program, Body, Plan], None]] = []
_WHERE = TABLE["where"]


class VerificationError(AssertionError):
    """A pass of the compiler has produced an invalid program or layout: a bug in that pass."""


def is_verifying() -> bool:
    """Return True if programs are verified after each pass: SCALARGRAD_VERIFY=1."""
    return os.environ.get("SCALARGRAD_VERIFY") == "1"


def checked(name: str, before: Program | None, after: Program) -> Program:
    """Return the program after a pass, once it is verified if SCALARGRAD_VERIFY=1.

    Raises
    ------
    VerificationError
        If it is invalid.
    """
    if is_verifying() and not (before and _is_same(before, after)):
        try:
            verify(after)
        except VerificationError as error:
            raise VerificationError(f"after {name}: {error}") from None
    for observe in OBSERVERS:
        observe(name, before, after)
    return after


def _is_same(before: Program, after: Program) -> bool:
    """Return True if a pass has changed nothing."""
    if before.arrays != after.arrays:
        return False
    return [*statements(before.body)] == [*statements(after.body)]


def verify(program: Program) -> None:
    """Raise an error if a program is invalid.

    Raises
    ------
    VerificationError
        Names the statement, the array and the element.
    """
    _Verifier(program).run()


class _Domain(NamedTuple):
    """The iterations of the enclosing loops: the value of each induction variable at each."""

    values: dict[Var, Integers]
    count: int
    is_sampled: bool


class _Read(NamedTuple):
    """The elements that a statement reads by one access, and those it writes, as flat indices.

    `selected` has the iterations at which a `where` reads it; None for all.
    """

    step: Step
    array: Array
    elements: Integers
    written: Integers | None
    selected: Flags | None

    def needed(self, flags: Flags | None) -> Integers:
        """Return the elements that are read where flags of the elements written are set."""
        chosen = np.ones(len(self.elements), np.bool_) if self.selected is None else self.selected
        if flags is not None and self.written is not None:
            chosen = chosen & flags[self.written]
        return self.elements[chosen]


class _Verifier:
    def __init__(self, program: Program) -> None:
        self.program, self.arrays = program, {*program.arrays}
        self.writer: dict[Array, Integers] = {}  # of each element, 1 + the number of its statement
        self.steps: list[Step] = []
        self.accumulated: set[Array] = set()
        self.unknown: set[Array] = set()  # written through a table that is not known
        self.reads: list[_Read] = []
        self.readers: dict[Array, list[_Read]] = {}
        self.read_somewhere: set[Array] = set()  # at elements that are not known
        # In a domain, the values of indices and the elements of accesses.
        self.known: dict[Index | Access, Integers | None] = {}

    def run(self) -> None:
        for array in self.program.arrays:
            if array.data is not None and array.data.shape != array.shape:
                raise VerificationError(f"{array} has shape {array.shape}, its data another")
        self._body(self.program.body, _Domain({}, 1, is_sampled=False))
        for read in self.reads:
            step, array = read.step, read.array
            is_zero = array.is_sum or array in self.accumulated  # where it has no terms
            if is_zero or array in self.unknown:
                continue
            writers = self._writers(array)
            if (writers[read.elements] == 0).any():
                elements = read.needed(self._needed(step.out.array))
                missing = elements[writers[elements] == 0]
                if len(missing):
                    raise VerificationError(f"{step} reads {_element(array, missing)}: never set")

    def _body(self, body: Body, domain: _Domain) -> None:
        self.known = {}
        for item in body:
            if isinstance(item, Step):
                self._step(item, domain)
        for item in body:
            if isinstance(item, Loop):
                self._loop(item, domain)

    def _loop(self, loop: Loop, domain: _Domain) -> None:
        var = loop.var
        if var in domain.values:
            raise VerificationError(f"{loop} is within a loop over the same variable")
        self.known = {}
        extents = self._values(loop, var.extent, domain)
        if extents is None:
            extents = np.zeros(domain.count, np.int64)  # iterations are not known
        self._body(loop.body, _within(domain, var, extents.clip(0)))

    def _step(self, step: Step, domain: _Domain) -> None:
        self.steps.append(step)
        out = self._elements(step, step.out, domain)
        if step.how != SET:
            self.accumulated.add(step.out.array)
        if domain.count:
            self._write(step, out, domain)
        for k, x in enumerate(step.args):
            if isinstance(x, Access):
                elements = self._elements(step, x, domain)
                if x.array.kind in {"in", "const"}:
                    continue
                if elements is not None:
                    selected = self._selected(step, k, domain)
                    self.reads.append(_Read(step, x.array, elements, out, selected))
                    self.readers.setdefault(x.array, []).append(self.reads[-1])
                else:
                    self.read_somewhere.add(x.array)

    def _write(self, step: Step, elements: Integers | None, domain: _Domain) -> None:
        array = step.out.array
        if array.kind in {"in", "const"}:
            raise VerificationError(f"{step} writes {array}, which is not written")
        if elements is None:
            self.unknown.add(array)
            return
        writers, number = self._writers(array), len(self.steps)
        others = writers[elements]
        if others.any():
            k = int(np.flatnonzero(others)[0])
            other = self.steps[int(others[k]) - 1]
            raise VerificationError(
                f"{step} writes {_element(array, elements[k:])}, which {other} writes, too"
            )
        if step.how == SET and len(elements) > 1:
            order = np.arange(len(elements))
            writers[elements] = order
            again = elements[writers[elements] != order]
            if len(again):
                raise VerificationError(f"{step} sets {_element(array, again)} twice")
        writers[elements] = number
        if domain.is_sampled:
            box = tuple([slice(max(low, 0), high + 1) for low, high in _bounds(step.out)])
            part = writers.reshape(array.shape)[box]
            part[part == 0] = number

    def _needed(self, array: Array) -> Flags | None:
        """Return flags of the elements that choices select, or None for all."""
        readers = self.readers.get(array, [])
        if array.kind != "temp" or array in self.read_somewhere or not readers:
            return None
        if any(read.selected is None for read in readers):
            return None
        found = np.zeros(math.prod(array.shape), np.bool_)
        for read in readers:
            found[read.needed(self._needed(read.step.out.array))] = True
        return found

    def _writers(self, array: Array) -> Integers:
        if array not in self.writer:
            self.writer[array] = np.zeros(math.prod(array.shape), np.int64)
        return self.writer[array]

    def _selected(self, step: Step, place: int, domain: _Domain) -> Flags | None:
        """Return the iterations at which an operand is used, if a constant decides; else None."""
        condition = step.args[0]
        if step.op is not _WHERE or not place or not isinstance(condition, Access):
            return None
        if condition.array.data is None:
            return None
        elements = self._elements(step, condition, domain)
        if elements is None:
            return None
        flags: Flags = (condition.array.data.ravel()[elements] != 0.0) == (place == 1)
        return flags

    def _elements(self, at: Step | Loop, x: Access, domain: _Domain) -> Integers | None:
        """Return the flat index of an access at each iteration; None if a table is unknown."""
        if x in self.known:
            return self.known[x]
        if x.array not in self.arrays:
            raise VerificationError(f"{at} accesses {x.array}, which is not an array of the program")
        if len(x.indices) != len(x.array.shape):
            raise VerificationError(f"{at} accesses {x.array} of shape {x.array.shape} by {x}")
        found: Integers | int | None = 0
        for index, size in zip(x.indices, x.array.shape, strict=True):
            values = self._values(at, index, domain)
            if values is None:
                found = None
                continue
            if len(values) and (values.min() < 0 or values.max() >= size):
                k = int(np.flatnonzero((values < 0) | (values >= size))[0])
                raise VerificationError(
                    f"{at} accesses {x} at {index} = {values[k]} of {size}{_where(domain, k)}"
                )
            found = None if found is None else found * size + values
        elements = np.zeros(domain.count, np.int64) if isinstance(found, int) else found
        self.known[x] = elements
        return elements

    def _values(self, at: Step | Loop, index: Index, domain: _Domain) -> Integers | None:
        """Return the value of an index at each iteration; None if a table is unknown."""
        if index in self.known:
            return self.known[index]
        found: Integers | None = np.full(domain.count, index.base, np.int64)
        assert found is not None
        for var, stride in index.terms:
            if var not in domain.values:
                raise VerificationError(f"{at} uses {var}, which no enclosing loop binds")
            found += stride * domain.values[var]
        if index.via:
            elements = self._elements(at, index.via, domain)
            data = index.via.array.data
            if data is None or elements is None:
                found = None
            else:
                found += data.ravel()[elements].astype(np.int64)
        self.known[index] = found
        return found


def _within(domain: _Domain, var: Var, extents: Integers) -> _Domain:
    """Return the iterations of a loop inside others, or a sample if they are too many."""
    at, is_sampled = domain.values, domain.is_sampled
    if int(extents.sum()) > MAX_ITERATIONS:
        is_sampled = True
        rows = np.unique(np.linspace(0, domain.count - 1, 256).astype(np.int64))
        at, extents = {v: x[rows] for v, x in at.items()}, extents[rows]
    if is_sampled and int(extents.sum()) > MAX_ITERATIONS:
        ends = [np.unique(np.r_[:n][: _ENDS].tolist() + np.r_[:n][-_ENDS:].tolist()) for n in extents]
        counts = np.array([len(x) for x in ends])
        values = np.concatenate(ends).astype(np.int64)
    else:
        counts, values = extents, stretches(np.zeros_like(extents), extents)
    inside = {v: np.repeat(x, counts) for v, x in at.items()}
    return _Domain({**inside, var: values}, len(values), is_sampled)


def _bounds(x: Access) -> list[tuple[int, int]]:
    return [index.bounds() for index in x.indices]


def _element(array: Array, elements: Integers) -> str:
    """Return the first of some elements as text."""
    at = np.unravel_index(int(elements[0]), array.shape) if array.shape else ()
    return f"{array}[{', '.join(map(str, at))}]"


def _where(domain: _Domain, k: int) -> str:
    at = [f"{v} = {x[k]}" for v, x in domain.values.items()]
    return f", {', '.join(at)}" if at else ""


# Memory layout ----------------------------------------------------------------------------------


def checked_layout(program: Program, body: Body, layout: Plan) -> None:
    """Verify the memory layout of scheduled loops if SCALARGRAD_VERIFY=1.

    Raises
    ------
    VerificationError
        If it is invalid.
    """
    if is_verifying():
        verify_layout(body, layout)
    for observe in LAYOUT_OBSERVERS:
        observe(program, body, layout)


def verify_layout(body: Body, layout: Plan) -> None:
    """Raise an error if arrays overlap in memory, or an address is outside of its array.

    Sums without terms are stored, too: their addresses are among those checked. All arrays in
    memory are alive until the last statement, but for buffers, which keep the elements of the
    iterations that run together.

    Raises
    ------
    VerificationError
        Names the array and its addresses.
    """
    stop, before = 0, "the start"
    for array in sorted(layout.offsets, key=lambda a: (layout.offsets[a], _last(a, layout))):
        first = layout.offsets[array]
        if first < stop:
            raise VerificationError(f"{array} at {first} overlaps {before}, which ends at {stop}")
        stop, before = max(stop, _last(array, layout) + 1), array.name
        span = 0
        for stride, size in sorted(zip(layout.strides[array], _shape(array, layout), strict=True)):
            if size > 1 and stride <= span:
                raise VerificationError(f"elements of {array} share addresses: {layout.strides}")
            span += stride * max(size - 1, 0)
    cells = [x.cell for x in layout.displacements]
    if len({*cells}) < len(cells) or any(x < stop for x in cells):
        raise VerificationError(f"displacements at {cells} overlap arrays, which end at {stop}")
    if max([stop, *(x + 1 for x in cells)]) > layout.cells:
        raise VerificationError(f"{before} ends at {stop}, memory at {layout.cells}")
    writers: dict[Array, int] = {}
    for step, loops in within_loops(body):
        writers[step.out.array] = writers.get(step.out.array, 0) + 1
        for x in (step.out, *step.reads()):
            if x.array in layout.buffers:
                _verify_buffer(step, x, loops, layout.buffers[x.array])
        _verify_sum(step, loops, layout)
    for array, count in writers.items():
        if array not in layout.offsets and (count > 1 or array.kind != "temp"):
            raise VerificationError(f"{array} is not in memory, and no single register holds it")


def _shape(array: Array, layout: Plan) -> tuple[int, ...]:
    """Return the shape of an array in memory."""
    buffer = layout.buffers.get(array)
    if buffer is None:
        return array.shape
    return (*array.shape[: buffer.place], buffer.size, *array.shape[buffer.place + 1 :])


def _last(array: Array, layout: Plan) -> int:
    """Return the address of the last element of an array."""
    pairs = zip(_shape(array, layout), layout.strides[array], strict=True)
    return layout.offsets[array] + sum(max(n - 1, 0) * stride for n, stride in pairs)


def _verify_buffer(step: Step, x: Access, loops: Sequence[Loop], buffer: Buffer) -> None:
    """Check that a buffer has an element for each iteration that runs at once."""
    own = next((loop for loop in loops if loop.var is buffer.var), None)
    if own is None:
        raise VerificationError(f"{step} accesses {x.array} outside of the loop of its buffer")
    jam = own.jam if isinstance(own, ScheduledLoop) else 1
    blocks = buffer.block.extent.base if buffer.block else 1
    if buffer.size < CLASSES * jam * blocks:
        raise VerificationError(
            f"{x.array} has a buffer of {buffer.size}, {CLASSES * jam * blocks} run at once"
        )


def _verify_sum(step: Step, loops: Sequence[Loop], layout: Plan) -> None:
    """Check the addresses at which a sum is stored, and that one that grows in memory is cleared."""
    out = step.out
    if step.how == SET or out.array not in layout.offsets:
        return
    program, domain = Program([out.array, *(x.array for x in out.tables)], []), _Domain({}, 1, False)
    verifier = _Verifier(program)
    every = domain
    for loop in loops:
        tables = [loop.var.extent.via] if loop.var.extent.via else []
        verifier.arrays |= {y.array for x in tables for y in (x, *x.tables)}
        verifier.known = {}
        extents = verifier._values(loop, loop.var.extent, every)
        if extents is None:
            return
        every = _within(every, loop.var, extents.clip(0))
        if loop.var in out.variables and every.values.keys() - domain.values.keys() == {loop.var}:
            domain = every  # no loop of the sum encloses this one
    verifier.known = {}
    if domain.values.keys() >= out.variables:
        elements = verifier._elements(step, out, domain)
        if elements is None or len(np.unique(elements)) == domain.count:
            return
    elif all(v.extent.variables <= out.variables for v in out.variables):
        return  # a loop of the sum encloses loops over its elements: no code is emitted
    if out.array not in layout.cleared:
        raise VerificationError(f"{step} adds to {out.array} in memory, which is not cleared")
