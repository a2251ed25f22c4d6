"""Registers: the values of elements during emission, and the addresses of all others.

A register belongs to the scope in which its element was read or written. It stays valid, because a
read element has its final value; so no element is loaded twice, and the results of an iteration
stay in registers:

    s[i+1] = …     stored at the address of s[i+1]
    y[i] = s[i+1]  the register is used, without a load
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.equations import (
    CLASSES,
    Access,
    Arg,
    Body,
    Index,
    Loop,
    Step,
    Var,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop

#: A cell: its array, and its place as a number and multiples of registers.
Key = tuple[Any, ...]
#: The values carried from turn to turn: registers or numbers.
Carried = list[Operand]


class Place(NamedTuple):
    """A cell, and where the loops stand that it is in."""

    access: Access
    at: dict[Var, tuple[str, int]]
    ahead: Mapping[Var, int]
    lane: Var | None


class Registers:
    """The state of printing: the positions of open loops, and the cells that registers hold."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.at: dict[Var, tuple[str, int]]  # where open loops stand: a register, plus
        self.jammed: dict[Var, range] = {}  # the turns of loops that are printed abreast
        self.ahead: Mapping[Var, int] = {}  # which of them is being printed
        self.lane: Var | None = None  # whose turns are on lanes
        self.block: Var | None  # of a loop over blocks, whose turns share no memory
        self.lane_step, self.active_lanes = 1, CLASSES  # 1: up, -1: down; lanes in the loop
        self.scopes: list[dict[Key, Operand]]
        self.linear: dict[int, tuple[Access, int, list[tuple[Var, int]]]] = {}
        self.module = IRModule()
        self.begin(name)

    # What is written -----------------------------------------------------------------------------

    def begin(self, name: str, block: Var | None = None) -> None:
        """Begin a function, of a block or of what is outside of them."""
        self.block, self.scopes = block, [{}]
        self.at = {block: ("%s", 0)} if block else {}
        self.body = self.module.function(name, f"ptr noalias %m{', i64 %s' * bool(block)}")
        self.e1, self.e8 = Emitter(self.body), Emitter(self.body, CLASSES)
        for k, displacement in enumerate(self.plan.displacements):
            at = self._next_to("%m", displacement.cell)
            self.body.line(f"%d{k} = load i64, ptr {at}")

    def whole(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        """Return a whole number: `base` and multiples of registers, or of other numbers."""
        base += sum(int(x) * k for x, k in terms if x.isdigit())
        held = str(base) if base else ""
        for register, k in terms:
            if register.isdigit():
                continue
            part = register
            if k not in {1, -1}:
                part = self.body.assign(f"mul nsw i64 {register}, {k}")
            if k == -1:
                held = self.body.assign(f"sub nsw i64 {held or 0}, {part}")
            else:
                held = self.body.assign(f"add nsw i64 {held}, {part}") if held else part
        return held or "0"

    def pointer(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        """Return a pointer to a number in memory, at `base` and multiples of registers."""
        start, key = "%m", ("pointer", *terms)
        if terms:
            found = self._lookup(key)
            if found is None:
                found = self.scopes[-1][key] = self._next_to("%m", self.whole(0, terms))
            start = str(found)
        return self._next_to(start, base)

    def _next_to(self, pointer: str, cells: int | str) -> str:
        return self.body.assign(f"getelementptr double, ptr {pointer}, i64 {cells}")

    def _turns(
        self,
        count: str,
        carried: Sequence[tuple[Operand, bool]],
        body: Callable[[str, Carried], Carried],
    ) -> Carried:
        """Print a loop whose turns are a scope each; return the values carried from its last turn.

        The body is given the turn's number and the values carried to it. `carried` has the first
        values, each with whether it is a vector.
        """
        starts = [x for x, _ in carried]
        if count == "0":
            return starts
        self.scopes.append({})
        if count == "1":
            found = body("0", starts)
            self.scopes.pop()
            return found
        b = self.body
        head, inside, done = b.fresh("head"), b.fresh("turn"), b.fresh("done")
        turn, phis = f"%{b.fresh('i')}", [f"%{b.fresh('p')}" for _ in carried]
        before = b.block
        b.line(f"br label %{head}")
        b.begin(head)
        place, is_fixed = b.reserve(), count.isdigit()
        if not is_fixed:  # it may be 0
            goes_on = b.assign(f"icmp slt i64 {turn}, {count}")
            b.line(f"br i1 {goes_on}, label %{inside}, label %{done}")
            b.begin(inside)
        found = body(turn, list(phis))
        more = b.assign(f"add nuw nsw i64 {turn}, 1")
        if not is_fixed:
            b.line(f"br label %{head}")
        else:
            goes_on = b.assign(f"icmp ult i64 {more}, {count}")
            b.line(f"br i1 {goes_on}, label %{head}, label %{done}")
        first = [f"{turn} = phi i64 [0, %{before}], [{more}, %{b.block}]"]
        for phi, (start, wide), new in zip(phis, carried, found, strict=True):
            e = self.e8 if wide else self.e1
            ways = f"[{e.number(start)}, %{before}], [{e.number(new)}, %{b.block}]"
            first.append(f"{phi} = phi {e.type} {ways}")
        b.fill(place, first)
        b.begin(done)
        self.scopes.pop()
        return found if is_fixed else list(phis)

    # Cells -------------------------------------------------------------------------------------

    @property
    def e(self) -> Emitter:
        """The emitter for the width of steps here: one number, or a vector of lanes."""
        return self.e1 if self.lane is None else self.e8

    def _linear(self, x: Access) -> tuple[int, list[tuple[Var, int]]]:
        """Return the place of a cell in its array, but for what tables add."""
        found = self.linear.get(id(x))
        if found is None:
            base, strides = 0, dict[Var, int]()
            buffer = self.plan.buffers.get(x.array)
            steps = self.plan.strides[x.array]
            for place, (index, k) in enumerate(zip(x.indices, steps, strict=True)):
                base += k * index.base
                for var, stride in index.terms:
                    if buffer and (place, var) == (buffer.place, buffer.block):
                        stride = buffer.size // var.extent.base
                    strides[var] = strides.get(var, 0) + k * stride
            terms = sorted(strides.items(), key=lambda term: term[0].name)
            found = self.linear[id(x)] = x, base, terms
        return found[1], found[2]

    def _key(self, x: Access) -> Key:
        base, terms = self._place(x)
        tables = (self._key(i.via) for i in x.indices if i.via)
        return x.array, base, self._lane_stride(x), *terms.items(), *tables

    def _place(self, x: Access) -> tuple[int, dict[str, int]]:
        """Return the offset of a cell in its array at the current turns, but for entries of tables.

        A buffer, which has only the current turns of a loop, begins with them.
        """
        base, strides = self._linear(x)
        buffer, terms = self.plan.buffers.get(x.array), dict[str, int]()
        for var, k in strides:
            register, place = ("", 0) if buffer and buffer.var is var else self.at[var]
            base += k * (place + self.ahead.get(var, 0))
            if register:
                terms[register] = terms.get(register, 0) + k
        return base, terms

    def _where(self, x: Access, lane: int = 0) -> str:
        """Return a pointer to a cell, on a lane."""
        base, terms = self._place(x)
        base += self.plan.offsets[x.array] + self._lane_stride(x) * lane
        for index, k in zip(x.indices, self.plan.strides[x.array], strict=True):
            if index.via:
                entry = self._entry(index.via, lane)
                terms[entry] = terms.get(entry, 0) + k
        if x in self.plan.in_place:
            terms[f"%d{self.plan.in_place[x]}"] = 1
        return self.pointer(base, list(terms.items()))

    def _entry(self, table: Access, lane: int) -> str:
        """Return the number in a cell of a table, as a whole number."""
        is_wide = self._is_wide(table)
        entry = self.e1.load(self._where(table, lane)) if is_wide else self._value(table)
        return self.body.assign(f"fptosi double {entry} to i64")

    def _fixed_stride(self, x: Access) -> int:
        """Return the stride of a cell from lane to lane; 0 if a table decides."""
        if any(self.lane in table.variables for table in x.tables):
            return 0
        return self._lane_stride(x)

    def _lane_stride(self, x: Access) -> int:
        return self.lane_step * next((k for var, k in self._linear(x)[1] if var is self.lane), 0)

    def _is_wide(self, x: Access) -> bool:
        return self.lane is not None and self.lane in x.variables

    def _load(self, x: Access) -> str:
        """Return a cell that is in memory, or those on all lanes."""
        if not self._is_wide(x):
            return self.e1.load(self._where(x))
        stride_of_lanes = self._fixed_stride(x)
        if x in self.plan.in_place and self.active_lanes < CLASSES:
            stride_of_lanes = 0  # whoever made the array may own nothing beyond it
        if stride_of_lanes == 1:
            return self.e8.load(self._where(x))
        if stride_of_lanes == -1:
            return self.e8.reversed(self.e8.load(self._where(x, CLASSES - 1)))
        lanes = (min(k, self.active_lanes - 1) for k in range(CLASSES))
        return self.e8.vector([self.e1.load(self._where(x, k)) for k in lanes])

    def _store(self, x: Access, number: str) -> None:
        if not self._is_wide(x):
            self.e1.store(number, self._where(x))
            return
        if self._fixed_stride(x) == 1 and self.active_lanes == CLASSES:
            self.e8.store(number, self._where(x))
        elif self._fixed_stride(x) == 1:
            self.e8.store_first(number, self._where(x), self.active_lanes)
        else:
            for k in range(self.active_lanes):
                self.e1.store(self.e8.lane(number, k), self._where(x, k))

    def _lookup(self, key: Key) -> Operand | None:
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        return None

    def _value(self, x: Access) -> str:
        """Return a cell, or those on all lanes where it depends on them."""
        key = self._key(x)
        found = self._lookup(key)
        if found is None:
            found = self.scopes[-1][key] = self._complete(x)
        return str(found)

    def _complete(self, x: Access) -> str:
        """Return a cell to which no more is added."""
        return self._load(x)

    def _read(self, x: Arg) -> Operand:
        """Return an argument as wide as steps are here."""
        if isinstance(x, float):
            return x
        number = self._value(x)
        if self.lane is None or self._is_wide(x):
            return number
        found = self._lookup(("spread", number))
        if found is None:
            found = self.scopes[-1]["spread", number] = self.e8.spread(number)
        return found

    def _set(self, x: Access, number: str) -> None:
        """Have a cell hold its final number."""
        self.scopes[-1][self._key(x)] = number
        if x.array in self.plan.offsets:
            self._store(x, number)

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
        """Yield the steps of a body at their places, with the loops around them in the body.

        Loops that are unrolled, or are one turn of eight lanes, do not count.
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
        return loop.lanes and loop.var.extent.base == CLASSES

    def _place_of(self, x: Access) -> Place:
        return Place(x, dict(self.at), self.ahead, self.lane)

    @contextmanager
    def _at_place(self, place: Place) -> Iterator[Access]:
        """Have loops stand where they are for a cell."""
        before = self.at, self.ahead, self.lane
        self.at, self.ahead, self.lane = {**self.at, **place.at}, place.ahead, place.lane
        yield place.access
        self.at, self.ahead, self.lane = before

    def _whole(self, index: Index) -> str:
        """Return an index: a number if it is one, else a register."""
        base, terms = index.base, list[tuple[str, int]]()
        for var, k in index.terms:
            register, place = self.at[var]
            base += k * (place + self.ahead.get(var, 0))
            terms += [(register, k)] if register else []
        if index.via:
            terms.append((self._entry(index.via, 0), 1))
        return self.whole(base, terms)
