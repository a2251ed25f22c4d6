"""Verifier of the loop IR, run after each pass when SCALARGRAD_VERIFY=1.

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
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.equations import (
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
)
from scalargrad.compiler.passes.nodes import stretches
from scalargrad.ops import TABLE

#: Maximum number of iterations of a loop nest that are all enumerated.
MAX_ITERATIONS = 1 << 16
#: Number of first and of last iterations of a loop in a sample of a larger nest.
_ENDS = 16
#: Called after each pass with its name, the program before it, if any, and the program after it;
#: tests compare the two.
OBSERVERS: list[Callable[[str, Program | None, Program], None]] = []
#: The writer of elements that a sampled loop nest may write.
_PERHAPS = -1
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
    Verifier(program).run()


class Domain(NamedTuple):
    """The iterations of the enclosing loops: the value of each induction variable at each."""

    at: dict[Var, Integers]
    size: int
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


class Verifier:
    """Enumerates the elements that each statement writes and reads."""

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
        """Check all statements; then, as equations have no order, what they read."""
        for array in self.program.arrays:
            if array.data is not None and array.data.shape != array.shape:
                raise VerificationError(f"{array} has shape {array.shape}, its data another")
        self._body(self.program.body, Domain({}, 1, is_sampled=False))
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

    def _body(self, body: Body, domain: Domain) -> None:
        self.known = {}
        for item in body:
            if isinstance(item, Step):
                self._step(item, domain)
        for item in body:
            if isinstance(item, Loop):
                self._loop(item, domain)

    def _loop(self, loop: Loop, domain: Domain) -> None:
        var = loop.var
        if var in domain.at:
            raise VerificationError(f"{loop} is within a loop over the same variable")
        self.known = {}
        extents = self.values(loop, var.extent, domain)
        if extents is not None:
            self._body(loop.body, within(domain, var, extents.clip(0)))
            return
        self.unknown.update(step.out.array for step, _ in statements(loop.body))

    def _step(self, step: Step, domain: Domain) -> None:
        self.steps.append(step)
        out = self.elements(step, step.out, domain)
        if step.how != SET:
            self.accumulated.add(step.out.array)
        if domain.size:
            self._write(step, out, domain)
        for k, x in enumerate((*step.args, *step.tables())):
            if isinstance(x, Access):
                elements = self.elements(step, x, domain)
                if x.array.kind in {"in", "const"}:
                    continue
                if elements is not None:
                    selected = self._selected(step, k, domain)
                    self.reads.append(_Read(step, x.array, elements, out, selected))
                    self.readers.setdefault(x.array, []).append(self.reads[-1])
                else:
                    self.read_somewhere.add(x.array)

    def _write(self, step: Step, elements: Integers | None, domain: Domain) -> None:
        array = step.out.array
        if array.kind in {"in", "const"}:
            raise VerificationError(f"{step} writes {array}, which is not written")
        if elements is None:
            self.unknown.add(array)
            return
        writers, number = self._writers(array), len(self.steps)
        others = writers[elements]
        if (others > 0).any():
            k = int(np.flatnonzero(others > 0)[0])
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
            by_index = writers.reshape(array.shape)
            by_index[box] = np.where(by_index[box] == 0, _PERHAPS, by_index[box])

    def _needed(self, array: Array, readers_of: tuple[Array, ...] = ()) -> Flags | None:
        """Return flags of the elements that choices select, or None for all."""
        readers = self.readers.get(array, [])
        if array.kind != "temp" or array in self.read_somewhere or array in readers_of:
            return None
        if not readers or any(read.selected is None for read in readers):
            return None
        found = np.zeros(math.prod(array.shape), np.bool_)
        for read in readers:
            flags = self._needed(read.step.out.array, (*readers_of, array))
            found[read.needed(flags)] = True
        return found

    def _writers(self, array: Array) -> Integers:
        if array not in self.writer:
            self.writer[array] = np.zeros(math.prod(array.shape), np.int64)
        return self.writer[array]

    def _selected(self, step: Step, place: int, domain: Domain) -> Flags | None:
        """Return the iterations at which an operand is used, if a constant decides; else None."""
        condition = step.args[0]
        if step.op is not _WHERE or place not in {1, 2} or not isinstance(condition, Access):
            return None
        if condition.array.data is None:
            return None
        elements = self.elements(step, condition, domain)
        if elements is None:
            return None
        flags: Flags = (condition.array.data.ravel()[elements] != 0.0) == (place == 1)
        return flags

    def elements(self, at: Step | Loop, x: Access, domain: Domain) -> Integers | None:
        """Return the flat index of an access at each iteration; None if a table is unknown."""
        if x in self.known:
            return self.known[x]
        if x.array not in self.arrays:
            raise VerificationError(
                f"{at} accesses {x.array}, which is not an array of the program"
            )
        if len(x.indices) != len(x.array.shape):
            raise VerificationError(f"{at} accesses {x.array} of shape {x.array.shape} by {x}")
        found: Integers | int | None = 0
        for index, size in zip(x.indices, x.array.shape, strict=True):
            is_number = not (index.terms or index.via)
            values = index.base if is_number else self.values(at, index, domain)
            if values is None:
                found = None
                continue
            if domain.size and not _is_inside(values, size):
                every = np.broadcast_to(values, domain.size)
                k = int(np.flatnonzero((every < 0) | (every >= size))[0])
                raise VerificationError(
                    f"{at} accesses {x} at {index} = {every[k]} of {size}{_where(domain, k)}"
                )
            found = None if found is None else found * size + values
        elements = np.full(domain.size, found) if isinstance(found, int) else found
        self.known[x] = elements
        return elements

    def values(self, at: Step | Loop, index: Index, domain: Domain) -> Integers | None:
        """Return the value of an index at each iteration; None if a table is unknown."""
        if index in self.known:
            return self.known[index]
        found: Integers | None = np.full(domain.size, index.base, np.int64)
        assert found is not None
        for var, stride in index.terms:
            if var not in domain.at:
                raise VerificationError(f"{at} uses {var}, which no enclosing loop binds")
            found += stride * domain.at[var]
        if index.via:
            elements = self.elements(at, index.via, domain)
            data = index.via.array.data
            if data is None or elements is None:
                found = None
            else:
                found += data.ravel()[elements].astype(np.int64)
        self.known[index] = found
        return found


def within(domain: Domain, var: Var, extents: Integers) -> Domain:
    """Return the iterations of a loop inside others, or a sample if they are too many."""
    at, is_sampled = domain.at, domain.is_sampled
    if int(extents.sum()) > MAX_ITERATIONS:
        is_sampled = True
        rows = np.unique(np.linspace(0, domain.size - 1, 256).astype(np.int64))
        at, extents = {v: x[rows] for v, x in at.items()}, extents[rows]
    if is_sampled and int(extents.sum()) > MAX_ITERATIONS:
        ends = [sorted({*range(n)[:_ENDS], *range(n)[-_ENDS:]}) for n in extents.tolist()]
        counts = np.array([len(x) for x in ends])
        values = np.array([k for x in ends for k in x], np.int64)
    else:
        counts, values = extents, stretches(np.zeros_like(extents), extents)
    inside = {v: np.repeat(x, counts) for v, x in at.items()}
    return Domain({**inside, var: values}, len(values), is_sampled)


def _is_inside(values: Integers | int, size: int) -> bool:
    if isinstance(values, int):
        return 0 <= values < size
    return bool(values.min() >= 0 and values.max() < size)


def _bounds(x: Access) -> list[tuple[int, int]]:
    return [index.bounds() for index in x.indices]


def _element(array: Array, elements: Integers) -> str:
    """Return the first of some elements as text."""
    at = np.unravel_index(int(elements[0]), array.shape) if array.shape else ()
    return f"{array}[{', '.join(map(str, at))}]"


def _where(domain: Domain, k: int) -> str:
    at = [f"{v} = {x[k]}" for v, x in domain.at.items()]
    return f", {', '.join(at)}" if at else ""
