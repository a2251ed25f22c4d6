"""The table of the cells that registers hold, and where the others are.

An entry belongs to the scope in which the cell was read or written, and never goes stale: a cell
that is read has its final number. So what a turn of a loop computes stays in registers; what is
read a second time is not loaded again.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.nests.equations import (
    CLASSES,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop

#: Which cell it is: its array, and its place as a number and multiples of registers.
Key = tuple[Any, ...]
#: What is carried from turn to turn: registers or numbers.
Carried = list[Operand]


class Place(NamedTuple):
    """A cell, and where the loops stand that it is in."""

    access: Access
    at: dict[Var, tuple[str, int]]
    ahead: Mapping[Var, int]
    lane: Var | None


class Registers(ABC):
    """What printers know while they print: where loops stand, and which registers hold which cells.

    Attributes
    ----------
    cells : int
        How many numbers memory has: those of arrays, then partial sums.
    """

    e1: Emitter
    e8: Emitter | None = None  # None if the language has no vectors

    def __init__(self, plan: Plan) -> None:
        self.plan, self.cells = plan, plan.cells
        self.offsets, self.strides = dict(plan.offsets), dict(plan.strides)
        self.at: dict[Var, tuple[str, int]] = {}  # where open loops stand: a register, plus
        self.jammed: dict[Var, range] = {}  # the turns of loops that are printed abreast
        self.ahead: Mapping[Var, int] = {}  # which of them is being printed
        self.lane: Var | None = None  # whose turns are on lanes
        self.block: Var | None = None  # of a loop over blocks, whose turns share no memory
        self.way, self.valid = 1, CLASSES  # of lanes: up or down, and how many are in the loop
        self.scopes: list[dict[Key, Operand]] = [{}]
        self.linear: dict[int, tuple[Access, int, list[tuple[Var, int]]]] = {}

    # What a language says ----------------------------------------------------------------------

    @abstractmethod
    def pointer(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        """Return where memory has a number: at `base` and multiples of registers."""

    @abstractmethod
    def whole(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        """Return a whole number."""

    @abstractmethod
    def truncated(self, number: str) -> str:
        """Return a number as a whole number."""

    @abstractmethod
    def eighth(self, number: str) -> str:
        """Return a whole number divided by eight, rounded down."""

    @abstractmethod
    def least(self, number: str, other: int) -> str:
        """Return the smaller of two whole numbers."""

    @abstractmethod
    def turn_class(self, turn: str, extent: str, *, always: bool) -> str:
        """Return the class of a turn: 0 in a loop that is short, unless it is `always` long."""

    @abstractmethod
    def rounds(
        self,
        count: int | str,
        carried: Sequence[tuple[Operand, bool]],
        body: Callable[[str, Carried], Carried],
    ) -> Carried:
        """Print a loop of several turns; return what its last turn carries on.

        The body is given the turn's number and what is carried to it; numbers are said to be wide
        or not.
        """

    def store_lanes(self, x: str, pointer: str, count: int) -> None:
        """Store the first lanes of a vector."""
        raise NotImplementedError

    def kept_lanes(self, x: str, other: Operand, count: int) -> str:
        """Return the first lanes of a vector, then those of another."""
        raise NotImplementedError

    def reversed_lanes(self, x: str) -> str:
        """Return a vector with its lanes in reverse order."""
        raise NotImplementedError

    # Cells -------------------------------------------------------------------------------------

    @property
    def e(self) -> Emitter:
        """What prints operations, as wide as steps are here."""
        return self.e1 if self.lane is None or self.e8 is None else self.e8

    def _linear(self, x: Access) -> tuple[int, list[tuple[Var, int]]]:
        """Return the place of a cell in its array, but for what tables add."""
        found = self.linear.get(id(x))
        if found is None:
            base, strides = 0, dict[Var, int]()
            near = self.plan.lanes.get(x.array)
            for place, (index, k) in enumerate(zip(x.indices, self.strides[x.array], strict=True)):
                base += k * index.base
                for var, stride in index.terms:
                    if near and (place, var) == (near.place, near.block):
                        stride = near.size // var.extent.base
                    strides[var] = strides.get(var, 0) + k * stride
            found = self.linear[id(x)] = (x, base, sorted(strides.items(), key=_by_name))
        return found[1], found[2]

    def _key(self, x: Access) -> Key:
        if not x.indices:
            return (x.array,)
        base, strides = self._linear(x)
        terms: list[Any] = []
        for var, k in strides:
            register, place = self._stands(x.array, var)
            base += k * (place + self.ahead.get(var, 0))
            if register:
                terms.append((register, k))
            if var is self.lane:
                terms.append((None, k * self.way))
        terms += [self._key(i.via) for i in x.indices if i.via]
        return x.array, base, *terms

    def _stands(self, array: Array, var: Var) -> tuple[str, int]:
        """Return where a loop stands; at 0 for an array that has its turns at hand alone."""
        near = self.plan.lanes.get(array)
        return ("", 0) if near and near.var is var else self.at[var]

    def _where(self, x: Access, lane: int = 0) -> str:
        """Return a pointer to a cell, on a lane."""
        base, strides = self._linear(x)
        base += self.offsets[x.array]
        terms = dict[str, int]()
        for var, k in strides:
            register, place = self._stands(x.array, var)
            base += k * (place + self.ahead.get(var, 0))
            if register:
                terms[register] = terms.get(register, 0) + k
            if var is self.lane:
                base += k * self.way * lane
        for index, k in zip(x.indices, self.strides[x.array], strict=True):
            if index.via:
                entry = self.truncated(self._entry(index.via, lane))
                terms[entry] = terms.get(entry, 0) + k
        if x in self.plan.in_place:
            terms[f"%d{self.plan.in_place[x]}"] = 1
        return self.pointer(base, list(terms.items()))

    def _entry(self, table: Access, lane: int) -> str:
        on_lanes = self.lane is not None and self.lane in table.variables
        return self.e1.load(self._where(table, lane)) if on_lanes else self._narrow(table)

    def _apart(self, x: Access) -> int:
        """Return how far apart the cells on neighbouring lanes are; 0 if a table decides."""
        if any(self.lane in table.variables for table in x.tables):
            return 0
        return self.way * next((k for var, k in self._linear(x)[1] if var is self.lane), 0)

    def _is_wide(self, x: Access) -> bool:
        return self.lane is not None and self.lane in x.variables

    def _load(self, x: Access) -> str:
        """Return a cell that is in memory, or those on all lanes."""
        if not self._is_wide(x):
            return self.e1.load(self._where(x))
        assert self.e8
        apart = self._apart(x)
        if x in self.plan.in_place and self.valid < CLASSES:
            apart = 0  # whoever made the array may own nothing beyond it
        if apart == 1:
            return self.e8.load(self._where(x))
        if apart == -1:
            return self.reversed_lanes(self.e8.load(self._where(x, CLASSES - 1)))
        lanes = (min(k, self.valid - 1) for k in range(CLASSES))
        return self.e8.vector([self.e1.load(self._where(x, k)) for k in lanes])

    def _store(self, x: Access, number: str) -> None:
        if not self._is_wide(x):
            self.e1.store(number, self._where(x))
            return
        assert self.e8
        if self._apart(x) == 1 and self.valid == CLASSES:
            self.e8.store(number, self._where(x))
        elif self._apart(x) == 1:
            self.store_lanes(number, self._where(x), self.valid)
        else:
            for k in range(self.valid):
                self.e1.store(self.e8.lane(number, k), self._where(x, k))

    def _found(self, key: Key) -> Operand | None:
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        return None

    def _narrow(self, x: Access) -> str:
        """Return a cell, or those on all lanes where it depends on them."""
        key = self._key(x)
        found = self._found(key)
        if found is None:
            found = self._so_far(x)
            found = self.scopes[-1][key] = self._load(x) if found is None else found
        return str(found)

    def _read(self, x: Arg) -> Operand:
        """Return an argument as wide as steps are here."""
        if isinstance(x, float):
            return x
        number = self._narrow(x)
        if self.lane is None or self._is_wide(x):
            return number
        assert self.e8
        found = self._found(("spread", number))
        if found is None:
            found = self.scopes[-1]["spread", number] = self.e8.spread(number)
        return found

    def _set(self, x: Access, number: str) -> None:
        """Have a cell hold its final number."""
        self.scopes[-1][self._key(x)] = number
        if x.array in self.offsets:
            self._store(x, number)

    def _so_far(self, _: Access) -> str | None:
        """Return a cell that has its final number while sums of others go on, else None."""
        return None

    # Where loops stand -------------------------------------------------------------------------

    def _abreast(self) -> Iterator[None]:
        """Go through the turns that are printed abreast."""
        before = self.ahead
        for places in itertools.product(*self.jammed.values()):
            self.ahead = dict(zip(self.jammed, places, strict=True))
            yield
        self.ahead = before

    def _instances(
        self, body: Body, inside: tuple[Loop, ...] = ()
    ) -> Iterator[tuple[Step, tuple[Loop, ...]]]:
        """Yield steps with the loops around them within a body, where they stand.

        Of loops that are unrolled, or are one turn of eight lanes, there is nothing left.
        """
        for item in body:
            if isinstance(item, Step):
                for _ in self._abreast():
                    yield item, inside
                continue
            assert isinstance(item, ScheduledLoop)
            if item.unrolled:
                for k in range(item.var.extent.base):
                    self.at[item.var] = "", k
                    yield from self._instances(item.body, inside)
                del self.at[item.var]
            elif self._is_one_vector(item):
                self.at[item.var], self.lane = ("", 0), item.var
                yield from self._instances(item.body, inside)
                self.lane = None
                del self.at[item.var]
            else:
                yield from self._instances(item.body, (*inside, item))

    def _is_one_vector(self, loop: ScheduledLoop) -> bool:
        return loop.lanes and self.e8 is not None and loop.var.extent.base == CLASSES

    def _here(self, x: Access) -> Place:
        return Place(x, dict(self.at), self.ahead, self.lane)

    @contextmanager
    def _standing(self, place: Place) -> Iterator[Access]:
        """Have loops stand where they are for a cell."""
        before = self.at, self.ahead, self.lane
        self.at, self.ahead, self.lane = {**self.at, **place.at}, place.ahead, place.lane
        yield place.access
        self.at, self.ahead, self.lane = before

    def _whole(self, index: Index) -> int | str:
        """Return an index, a number if it is one."""
        base, terms = index.base, list[tuple[str, int]]()
        for var, k in index.terms:
            register, place = self.at[var]
            base += k * (place + self.ahead.get(var, 0))
            terms += [(register, k)] if register else []
        if index.via:
            terms.append((self.truncated(self._entry(index.via, 0)), 1))
        return self.whole(base, terms) if terms else base

    def _turns(
        self,
        count: int | str,
        carried: Sequence[tuple[Operand, bool]],
        body: Callable[[str, Carried], Carried],
    ) -> Carried:
        """Print a loop whose turns are a scope each."""

        def turn(k: str, values: Carried) -> Carried:
            self.scopes.append({})
            found = body(k, values)
            self.scopes.pop()
            return found

        if count in {0, 1}:
            starts = [x for x, _ in carried]
            return turn("0", starts) if count else starts
        return self.rounds(count, carried, turn)


def _by_name(term: tuple[Var, int]) -> str:
    return term[0].name
