"""What all printers of scheduled loops share: cells in registers, steps, loops, sums by the rule.

The printer keeps a table of the cells that registers hold. It belongs to the scope in which they
were read or written, and no entry goes stale: a cell that is read has its final number. So what a
turn computes stays in registers, and what a turn of a recurrence leaves to the next one is carried
by a phi. A language says how to load, store and loop; here is what is printed.
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    MAX,
    SEQUENTIAL,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
    as_index,
    within_loops,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop, goes_abreast, is_unique
from scalargrad.compiler.nests.tiles import GATHERED, KEPT, is_fixed
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation

#: Which cell it is: its array, and its place as a number and multiples of registers.
Key = tuple[Any, ...]
#: What is carried from turn to turn: registers or numbers.
Carried = list[Operand]


def write(e: Emitter, op: Operation, *operands: Operand) -> str:
    """Write an operation, a largest or smallest number among them; return its result."""
    if isinstance(op, Elementwise):
        return apply(e, op, *operands)
    condition = {"maximum": "ogt", "minimum": "olt"}[op.name]
    held = e.number(operands[0])
    for x in map(e.number, operands[1:]):
        other = e.select(e.compare("une", x, x), x, held)
        held = e.select(e.compare(condition, x, held), x, other)
    return held


class Place(NamedTuple):
    """A cell, and where the loops stand that it is in."""

    access: Access
    at: dict[Var, tuple[str, int]]
    ahead: Mapping[Var, int]
    lane: Var | None


@dataclass(eq=False)
class Sum:
    """The partial sums of a step over a loop.

    Attributes
    ----------
    places : dict
        The cells that are added to.
    held : dict
        What each one's sum is so far: a register, or the memory that has its classes.
    turn : str
        The class that is added to now, where classes are in memory.
    lanes : tuple of Loop
        The loops over cells that run inside that of the sum: `partial` is then where its cells
        are in an array of their own.
    """

    step: Step
    places: dict[Key, Place] = field(default_factory=dict)
    held: dict[Key, Operand] = field(default_factory=dict)
    turn: str = ""
    lanes: tuple[Loop, ...] = ()
    partial: Access | None = None
    which: Var | None = None  # the variable of classes in it


class Printer(ABC):
    """Prints the loops of a program.

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
        self.jammed: dict[Var, int] = {}  # how many turns of loops are printed abreast
        self.ahead: dict[Var, int] = {}  # which of them is being printed
        self.lane: Var | None = None  # whose turns are on lanes
        self.way, self.valid = 1, CLASSES  # of lanes: up or down, and how many are in the loop
        self.scopes: list[dict[Key, Operand]] = [{}]
        self.sums: dict[Step, list[Sum]] = {}  # that are open, outermost first
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
    def slots(self, width: int) -> str:
        """Return memory for the eight classes of a sum, which only this function has."""

    @abstractmethod
    def slot(self, slots: str, which: str, width: int) -> str:
        """Return where one of them is."""

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

    def start(self) -> None:
        """Fill the arrays that are to be filled at each run."""
        for array in self.plan.cleared:
            self._fill(array, self.plan.first.get(array, 0.0))

    def _fill(self, array: Array, x: float) -> None:
        size, base = math.prod(array.shape), self.offsets[array]


        def turn(k: str, _: Carried) -> Carried:
            self.e1.store(x, self.pointer(base, [(k, 1)]))
            return []

        self._turns(size, (), turn)

    def _linear(self, x: Access) -> tuple[int, list[tuple[Var, int]]]:
        """Return the place of a cell in its array, but for what tables add."""
        found = self.linear.get(id(x))
        if found is None:
            base, strides = 0, dict[Var, int]()
            for index, k in zip(x.indices, self.strides[x.array], strict=True):
                base += k * index.base
                for var, stride in index.terms:
                    strides[var] = strides.get(var, 0) + k * stride
            found = self.linear[id(x)] = (x, base, sorted(strides.items(), key=_by_name))
        return found[1], found[2]

    def _key(self, x: Access) -> Key:
        base, strides = self._linear(x)
        terms: list[Any] = []
        for var, k in strides:
            register, place = self.at[var]
            base += k * (place + self.ahead.get(var, 0))
            if register:
                terms.append((register, k))
            if var is self.lane:
                terms.append((None, k * self.way))
        terms += [self._key(i.via) for i in x.indices if i.via]
        return x.array, base, *terms

    def _where(self, x: Access, lane: int = 0) -> str:
        """Return a pointer to a cell, on a lane."""
        base, strides = self._linear(x)
        base += self.offsets[x.array]
        terms = dict[str, int]()
        for var, k in strides:
            register, place = self.at[var]
            base += k * (place + self.ahead.get(var, 0))
            if register:
                terms[register] = terms.get(register, 0) + k
            if var is self.lane:
                base += k * self.way * lane
        for index, k in zip(x.indices, self.strides[x.array], strict=True):
            if index.via:
                entry = self.truncated(self._entry(index.via, lane))
                terms[entry] = terms.get(entry, 0) + k
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

    # Steps -------------------------------------------------------------------------------------

    @property
    def e(self) -> Emitter:
        """What prints operations, as wide as steps are here."""
        return self.e1 if self.lane is None or self.e8 is None else self.e8

    def items(self, body: Body) -> None:
        """Print what is in a body."""
        for item in body:
            if isinstance(item, Step):
                self._steps(item)
            else:
                assert isinstance(item, ScheduledLoop)
                self._loop(item)

    def _steps(self, step: Step) -> None:
        """Print a step, at each of the turns that are printed abreast."""
        self.e.inline = bool(self.at) and not self.jammed
        for _ in self._abreast():
            args = [self._read(x) for x in step.args]
            if step.how == SET:
                self._set(step.out, write(self.e, step.op, *args))
            elif step in self.sums:
                self._add_up(self.sums[step][-1], step.op, args)
            elif is_unique(step.out.indices):
                first = 0.0 if step.how == ADD else -math.inf
                self._set(step.out, self._joined(step.how, step.op, args, first))
            else:
                held = self._load(step.out)
                self._store(step.out, self._joined(step.how, step.op, args, held))

    def _abreast(self) -> Iterator[None]:
        """Go through the turns that are printed abreast."""
        before = self.ahead
        for places in itertools.product(*map(range, self.jammed.values())):
            self.ahead = dict(zip(self.jammed, places, strict=True))
            yield
        self.ahead = before

    def _joined(self, how: str, op: Operation, args: Sequence[Operand], held: Operand) -> str:
        """Return what a sum, or the largest number, is with one more term."""
        e = self.e
        if how == MAX:
            new = write(e, op, *args)
            if held == -math.inf:
                return new
            other = e.select(e.compare("une", new, new), new, held)
            return e.select(e.compare("ogt", new, held), new, other)
        if not isinstance(held, str) and math.copysign(1.0, held) < 0:  # -0, which adds nothing
            return write(e, op, *args)
        if op.name == "mul":
            return e.fma(args[0], args[1], held)
        return e.add(held, write(e, op, *args))

    def _add_up(self, made: Sum, op: Operation, args: Sequence[Operand]) -> None:
        """Add a term to a partial sum."""
        how = made.step.how
        if made.partial:
            held = self._load(made.partial)
            self._store(made.partial, self._joined(how, op, args, held))
            return
        key = self._key(made.step.out)
        if made.turn:
            slot = self._slot(made, key, made.turn)
            self.e.store(self._joined(how, op, args, self.e.load(slot)), slot)
            return
        new = self._joined(how, op, args, made.held[key])
        if self.valid < CLASSES and not self._is_wide(made.step.out):
            new = self.kept_lanes(new, made.held[key], self.valid)
        made.held[key] = new

    # Sums --------------------------------------------------------------------------------------

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

    def _begin(self, loop: ScheduledLoop) -> list[Sum]:
        """Begin the partial sums over a loop."""
        found: dict[Step, Sum] = {}
        for step, inside in self._instances(loop.body):
            if step.how != SET and loop.var not in step.out.variables:
                made = found.setdefault(step, Sum(step))
                made.lanes = tuple(x for x in inside if x.var in step.out.variables)
                if not made.lanes:
                    key = self._key(step.out)
                    made.places[key] = self._here(step.out)
                    made.held[key] = _start(step.how)
        for made in found.values():
            if made.lanes:
                self._begin_in_memory(made, CLASSES if has_classes(made.step, loop) else 1)
            self.sums.setdefault(made.step, []).append(made)
        return list(found.values())

    def _begin_in_memory(self, made: Sum, classes: int) -> None:
        """Begin partial sums that have an array of their own, a class and a cell each.

        It has room for all cells that may be read meanwhile.
        """
        out = made.step.out
        room = {v: n for i, n in zip(out.indices, out.array.shape, strict=True) for v, _ in i.terms}
        sizes = [classes, *(max(x.var.extent.bounds()[1], room.get(x.var, 0)) for x in made.lanes), 1]
        array = Array(f"{out.array} in parts", tuple(sizes[:-1]))
        self.offsets[array] = self.cells
        self.strides[array] = tuple(math.prod(sizes[k:]) for k in range(1, len(sizes)))
        self.cells += math.prod(sizes)
        self._fill(array, _start(made.step.how))
        made.which = Var("class", Index(classes))
        self.at[made.which] = "", 0
        at = (as_index(x.var) for x in made.lanes)
        made.partial = Access(array, (as_index(made.which), *at))

    def _end(self, begun: Sequence[Sum], *, across: bool = False) -> None:
        """Add partial sums to those of the loop outside, or to the cells.

        If they are sums `across` lanes, their classes are the lanes.
        """
        for made in begun:
            self.sums[made.step].pop()
            if not self.sums[made.step]:
                del self.sums[made.step]
            if made.partial:
                self._end_in_memory(made, made.partial, made.lanes)
                assert made.which
                del self.at[made.which]
            for key, place in made.places.items():
                with self._standing(place):
                    total = made.held[key]
                    if across:
                        assert self.e8
                        total = self._in_order(self.e8.lane(str(total), k) for k in range(CLASSES))
                    elif made.turn:
                        slots = (self._slot(made, key, str(k)) for k in range(CLASSES))
                        total = self._in_order(map(self.e.load, slots))
                    self._end_one(made.step, total)

    def _slot(self, made: Sum, key: Key, which: str) -> str:
        return self.slot(str(made.held[key]), which, self.e.width)

    def _in_order(self, classes: Iterable[str]) -> str:
        return functools.reduce(self.e.add, classes)

    def _end_in_memory(self, made: Sum, partial: Access, lanes: Sequence[Loop]) -> None:
        """End the sums of all cells, as far as any turn of the sum's loop may reach."""
        if not lanes:
            self._end_one(made.step, self._total(partial, partial.indices[1:]))
            return
        var = lanes[0].var
        extent = var.extent if not var.extent.via else Index(var.extent.bounds()[1])
        while hidden := [v for v in extent.variables if v not in self.at]:
            extent = extent.substituted({v: v.extent - 1 for v in hidden})

        def turn(k: str, _: Carried) -> Carried:
            self.at[var] = k, 0
            self._end_in_memory(made, partial, lanes[1:])
            del self.at[var]
            return []

        self._turns(self._whole(extent), (), turn)

    def _total(self, partial: Access, at: Sequence[Index]) -> str:
        """Return the sum of the classes of a cell."""
        classes = (Access(partial.array, (Index(k), *at)) for k in range(partial.array.shape[0]))
        return self._in_order(map(self._load, classes))

    def _end_one(self, step: Step, total: Operand) -> None:
        """Add a sum to that of the loop outside, or to the cell."""
        if step in self.sums:
            self._add_up(self.sums[step][-1], _IDENTITY, [total])
        elif is_unique(step.out.indices):
            is_sum = step.how == ADD
            self._set(step.out, self.e.add(0.0, total) if is_sum else self.e.number(total))
        else:
            held = self._load(step.out)
            self._store(step.out, self._joined(step.how, _IDENTITY, [total], held))

    def _so_far(self, x: Access) -> str | None:
        """Return a cell that has its final number while the sums of others go on in memory."""
        for step, sums in self.sums.items():
            if step.out.array is x.array and not _is_elsewhere(x, step.out, sums[0].lanes):
                partial = sums[0].partial
                if len(sums) > 1 or not step.out.is_plain() or not partial:
                    raise TraceError(f"{x} is read while several loops add to it")
                pairs = list(zip(x.indices, step.out.indices, strict=True))
                lanes = [loop.var for loop in sums[0].lanes]
                at = [next(i for i, mine in pairs if v in mine.variables) for v in lanes]
                open_, self.lane = self.lane, self.lane if self._is_wide(x) else None
                found = self.e.add(0.0, self._total(partial, at))
                self.lane = open_
                return found
        return None

    # Loops -------------------------------------------------------------------------------------

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

    def _at(self, k: str, stride: int, down: bool, extent: int | str) -> tuple[str, int]:
        """Return where a loop stands at its turn k·stride."""
        base, terms = 0, [(k, stride)]
        if down:
            base, terms = (extent - 1, []) if isinstance(extent, int) else (-1, [(extent, 1)])
            terms.append((k, -stride))
        if len(terms) == 1 and k.isdigit():
            return "", base + terms[0][1] * int(k)
        return self.whole(base, terms), 0

    def _loop(self, loop: ScheduledLoop) -> None:
        if loop.var.extent.bounds()[0] > 0 and not loop.unrolled:
            self._keep(loop)
        if loop.unrolled:
            self._unrolled(loop)
        elif loop.lanes and self.e8:
            self._lanes(loop)
        elif loop.jam > 1 and not self._adds(loop):
            self._jam(loop)
        else:
            self._sequence(loop)

    def _keep(self, loop: ScheduledLoop) -> None:
        """Read before a loop what all its turns read."""
        written = {step.out.array for step, _ in within_loops(loop.body)}
        plain, apart = KEPT, GATHERED
        for step, inside in self._instances(loop.body):
            open_ = {loop.var, *(x.var for x in inside)}
            for x in step.args:
                if isinstance(x, float) or x.array in written or x.variables & open_:
                    continue
                if x.tables or self._found(self._key(x)) is not None:
                    continue
                gathered = self._is_wide(x) and self._apart(x) != 1
                if (apart if gathered else plain) > 0:
                    self._narrow(x)
                    plain, apart = plain - (not gathered), apart - gathered

    def _unrolled(self, loop: ScheduledLoop) -> None:
        begun = self._begin(loop)
        turns = range(loop.var.extent.base)
        for k in reversed(turns) if loop.down else turns:
            self.at[loop.var] = "", k
            self.items(loop.body)
        del self.at[loop.var]
        self._end(begun)

    def _jam(self, loop: ScheduledLoop) -> None:
        """Print several turns abreast, which write to different cells."""
        self.jammed[loop.var] = loop.jam

        def turn(k: str, _: Carried) -> Carried:
            self.at[loop.var] = self._at_block(k, loop.jam, loop.var.extent.base)
            self.items(loop.body)
            return []

        self._turns(-(-loop.var.extent.base // loop.jam), (), turn)
        del self.jammed[loop.var], self.at[loop.var]

    def _at_block(self, k: str, size: int, extent: int) -> tuple[str, int]:
        """Return where block k of turns begins.

        The last one ends at the extent: it may write again what cells hold already.
        """
        if k.isdigit():
            return "", min(int(k) * size, max(extent - size, 0))
        start = self.whole(0, [(k, size)])
        return (self.least(start, extent - size) if extent % size else start), 0

    def _adds(self, loop: Loop) -> bool:
        """Return whether turns add to sums that go on, so that none may run a second time."""
        return any(step in self.sums for step, _ in within_loops(loop.body))

    def _lanes(self, loop: ScheduledLoop) -> None:
        """Print eight turns at once, a lane each."""
        begun = self._begin(loop)
        extent = loop.var.extent.base
        if self._adds(loop):
            self._exactly(loop, begun)
        else:

            def turn(k: str, _: Carried) -> Carried:
                self.at[loop.var], self.lane = self._at_block(k, CLASSES, extent), loop.var
                self.items(loop.body)
                self.lane = None
                return []

            if extent == CLASSES:
                turn("0", [])  # in the scope around, so that registers stay
            elif extent > CLASSES:
                self._turns(-(-extent // CLASSES), (), turn)
            else:
                self.valid = extent
                self._turns(1, (), turn)
                self.valid = CLASSES
        self.at.pop(loop.var, None)

    def _exactly(self, loop: ScheduledLoop, begun: Sequence[Sum]) -> None:
        """Print eight turns at once, and then those left, on the first lanes.

        The lanes are the classes of sums over the loop.
        """
        sums = [(made, key) for made in begun for key in made.held]
        extent = loop.var.extent.base
        whole, rest = divmod(extent, CLASSES)
        down = loop.down and bool(begun)
        self.way = -1 if down else 1

        def turn(k: str, values: Carried) -> Carried:
            self.at[loop.var], self.lane = self._at(k, CLASSES, down, extent), loop.var
            for (made, key), x in zip(sums, values, strict=True):
                made.held[key] = x
            self.items(loop.body)
            self.lane = None
            return [made.held[key] for made, key in sums]

        values = self._turns(whole, [(made.held[key], True) for made, key in sums], turn)
        if rest:
            self.valid = rest
            values = self._turns(1, [(x, True) for x in values], lambda _, x: turn(str(whole), x))
        self.way, self.valid = 1, CLASSES
        self.at.pop(loop.var, None)
        for (made, key), x in zip(sums, values, strict=True):
            made.held[key] = x
        self._end(begun, across=True)

    def _sequence(self, loop: ScheduledLoop) -> None:
        """Print turns one after another."""
        begun = self._begin(loop)
        extent = self._whole(loop.var.extent)
        fixed = is_fixed(loop) and loop.var.extent.base > 0
        classes = [made for made in begun if has_classes(made.step, loop)]
        free = all(goes_abreast(step, loop.var) for step, _ in within_loops(loop.body))
        if classes and fixed and free and not any(made.partial for made in begun):
            self._by_class(loop, begun)
            return
        sums = [(made, key) for made in begun if made not in classes for key in made.held]
        for made in classes:
            made.turn = "0"
            for key, place in made.places.items():
                with self._standing(place):
                    made.held[key] = self.slots(self.e.width)
                    for k in range(CLASSES):
                        self.e.store(-0.0, self._slot(made, key, str(k)))
        cells = self._recurrent(loop) if loop.kind == "sequential" and fixed else []

        def turn(k: str, values: Carried) -> Carried:
            self.at[loop.var] = self._at(k, 1, loop.down, extent)
            if classes:
                found = self.turn_class(k, str(extent), always=fixed)
                for made in classes:
                    made.turn = found
                    if made.which:
                        self.at[made.which] = found, 0
            for (made, key), x in zip(sums, values, strict=False):
                made.held[key] = x
            for place, x in zip(cells, values[len(sums) :], strict=True):
                with self._standing(place):
                    self.scopes[-1][self._key(place.access)] = x
            self.items(loop.body)
            held = [made.held[key] for made, key in sums]
            return held + [self._next(place, loop) for place in cells]

        wide = [made.places[key].lane is not None for made, key in sums]
        starts = [made.held[key] for made, key in sums]
        self.at[loop.var] = "", int(extent) - 1 if loop.down and cells else 0
        for place in cells:
            wide.append(place.lane in place.access.variables)
            with self._standing(place):
                starts.append(self._narrow(place.access))
        values = self._turns(extent, list(zip(starts, wide, strict=True)), turn)
        for (made, key), x in zip(sums, values, strict=False):
            made.held[key] = x
        self.at[loop.var] = "", -1 if loop.down else int(extent) if cells else 0
        for place, x in zip(cells, values[len(sums) :], strict=True):
            with self._standing(place):
                self.scopes[-1][self._key(place.access)] = x
        del self.at[loop.var]
        self._end(begun)

    def _by_class(self, loop: ScheduledLoop, begun: Sequence[Sum]) -> None:
        """Print the turns of each class of long sums, class after class."""
        sums = [(made, key) for made in begun for key in made.held]
        wide = [made.places[key].lane is not None for made, key in sums]
        zeros: list[tuple[Operand, bool]] = [(-0.0, w) for w in wide]
        extent = loop.var.extent.base

        def one(c: str, totals: Carried) -> Carried:
            def turn(k: str, values: Carried) -> Carried:
                place = self.whole(0, [(k, CLASSES), (c, 1)])
                self.at[loop.var] = self._at(place, 1, loop.down, extent)
                for (made, key), x in zip(sums, values, strict=True):
                    made.held[key] = x
                self.items(loop.body)
                return [made.held[key] for made, key in sums]

            found = self._turns(self.eighth(self.whole(extent + 7, [(c, -1)])), zeros, turn)
            added = []
            for (made, key), total, x in zip(sums, totals, found, strict=True):
                with self._standing(made.places[key]):
                    added.append(self.e.add(total, x))
            return added

        for (made, key), x in zip(sums, self._turns(CLASSES, zeros, one), strict=True):
            made.held[key] = x
        del self.at[loop.var]
        self._end(begun)

    # Recurrences -------------------------------------------------------------------------------

    def _recurrent(self, loop: ScheduledLoop) -> list[Place]:
        """Return the cells that a turn leaves to the next one in registers.

        They are of arrays to which one step writes in the loop, a cell at each turn.
        """
        self.at[loop.var] = "turn", 0
        writers: dict[Array, set[Step]] = {}
        made: set[Key] = set()
        read: dict[Key, Place] = {}
        for step, inside in self._instances(loop.body):
            writers.setdefault(step.out.array, set()).add(step)
            if not any(x.var in step.out.variables for x in inside):
                made.add(self._key(step.out))
            hidden = {x.var for x in inside}
            for x in step.args:
                if isinstance(x, Access) and loop.var in x.variables and not x.variables & hidden:
                    read[self._key(x)] = self._here(x)
        found: dict[Key, Place] = {}
        more = True
        while more:
            more = False
            for key, place in read.items():
                x = place.access
                single = len(writers.get(x.array, ())) == 1 and not x.tables
                if key not in found and single and self._next_key(place, loop) in made:
                    found[key], more = place, True
                    made.add(key)
        del self.at[loop.var]
        for place in found.values():
            del place.at[loop.var]
        return list(found.values())

    def _next_key(self, place: Place, loop: Loop) -> Key:
        with self._standing(place) as x:
            register, k = self.at[loop.var]
            self.at[loop.var] = register, k - 1 if loop.down else k + 1
            return self._key(x)

    def _next(self, place: Place, loop: Loop) -> Operand:
        """Return what a cell is at the next turn."""
        with self._standing(place) as x:
            register, k = self.at[loop.var]
            self.at[loop.var] = register, k - 1 if loop.down else k + 1
            return self._narrow(x)


_IDENTITY = TABLE["identity"]


def _by_name(term: tuple[Var, int]) -> str:
    return term[0].name


def _start(how: str) -> float:
    """Return what sums, or largest numbers, start at."""
    return -0.0 if how == ADD else -math.inf


def has_classes(step: Step, loop: Loop) -> bool:
    """Return whether sums over a loop have classes, if only at its longest."""
    return step.how == ADD and loop.var.extent.bounds()[1] > SEQUENTIAL


def _is_elsewhere(x: Access, out: Access, lanes: Sequence[Loop]) -> bool:
    """Return whether a cell is none of those that partial sums, of `lanes`, are of now."""
    inside = {loop.var for loop in lanes}
    unknown = False
    for index, mine in zip(x.indices, out.indices, strict=True):
        if not mine.variables & inside:
            apart = index - mine if not (index.via or mine.via) else index
            if not apart.variables and apart.base:
                return True
            unknown = unknown or bool(apart.variables)
    if unknown:
        raise TraceError(f"{x} is read in a loop that adds to {out}, which may be the same cell")
    return False
