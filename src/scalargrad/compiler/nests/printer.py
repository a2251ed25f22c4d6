"""What all printers of scheduled loops share: cells, steps, loops, and sums by the rule.

A printer of a language says how to load, store, count and loop; here is what is printed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
    within_loops,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop, is_unique
from scalargrad.errors import TraceError
from scalargrad.table.operation import Elementwise, Operation

#: Where numbers are, as the language writes it: the first of them, and one.
Region = str
Place = str


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


@dataclass(eq=False)
class Sum:
    """The partial sums of a step over a loop: a class each, for each cell of the loops inside."""

    step: Step
    lanes: list[Loop]
    region: Region
    classes: int
    turn: str = ""  # which class is added to at a turn

    def sizes(self) -> list[int]:
        """Return how many classes there are, and turns of each loop inside."""
        return [self.classes, *(loop.var.extent.bounds()[1] for loop in self.lanes)]


class Printer(ABC):
    """Prints the loops of a program.

    Attributes
    ----------
    cells : int
        How many numbers memory has: those of arrays, then partial sums.
    """

    e: Emitter

    def __init__(self, plan: Plan) -> None:
        self.plan, self.cells = plan, plan.cells
        self.vars: dict[Var, str] = {}  # of the loops that are open
        self.registers: dict[Array, str] = {}
        self.around: tuple[Loop, ...] = ()  # the loops around that of which blocks are printed
        self.sums: dict[Step, list[Sum]] = {}  # that are open, outermost first

    # What a language says ----------------------------------------------------------------------

    @abstractmethod
    def whole(self, index: Index) -> str:
        """Return an index."""

    def single(self, index: Index) -> str:
        """Return an index as one operand."""
        return self.whole(index)

    @abstractmethod
    def joined(self, parts: Sequence[str], sizes: Sequence[int]) -> str:
        """Return the place of a cell by its indices, the last of which is the fastest."""

    @abstractmethod
    def memory(self, offset: int) -> Region:
        """Return where memory has the number `offset`."""

    @abstractmethod
    def local(self, count: int) -> Region:
        """Return where so many numbers are that only the function has."""

    @abstractmethod
    def place(self, region: Region, index: str) -> Place:
        """Return one number of a region."""

    @abstractmethod
    def load(self, place: Place) -> str:
        """Return what a number is."""

    @abstractmethod
    def store(self, x: Operand, place: Place) -> None:
        """Change a number."""

    @abstractmethod
    def turn(self, position: tuple[str, str, bool], *, always: bool) -> str:
        """Return the class of a turn.

        The position is the variable of the loop, its extent, and whether it counts down; in a loop
        that is not `always` long, the class is 0 as long as it is short.
        """

    @abstractmethod
    def begin(self, extent: str, *, down: bool, independent: bool) -> str:
        """Begin a loop; return its variable."""

    @abstractmethod
    def end(self) -> None:
        """End the loop that was begun last."""

    # Cells -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Fill the arrays in memory that steps do not just set."""
        for array, x in self.plan.first.items():
            if array in self.plan.offsets:
                self._fill(self.memory(self.plan.offsets[array]), math.prod(array.shape), x)

    def _fill(self, region: Region, count: int, x: float) -> None:
        if count == 1:
            self.store(x, self.place(region, "0"))
        elif count:
            k = self.begin(str(count), down=False, independent=True)
            self.store(x, self.place(region, k))
            self.end()

    def cell(self, x: Access) -> Place:
        """Return where a cell is that is in memory, or is added to in a register."""
        if x.array in self.registers:
            return self.registers[x.array]
        order = self.plan.orders[x.array]
        indices = [self.whole(x.indices[k]) for k in order]
        index = self.joined(indices, [x.array.shape[k] for k in order])
        return self.place(self.memory(self.plan.offsets[x.array]), index)

    def read(self, x: Arg) -> Operand:
        """Return an argument; of a cell whose sum goes on, what is added up so far."""
        if isinstance(x, float):
            return x
        if x.array in self.registers and x.array not in self.plan.first:
            return self.registers[x.array]
        for step, sums in self.sums.items():
            if step.out.array is x.array and sums and not _is_elsewhere(x, step.out, sums[0].lanes):
                if len(sums) > 1 or not step.out.is_plain():
                    raise TraceError(f"{x} is read while several loops add to it")
                at = [self._number_of(loop.var, step.out, x) for loop in sums[0].lanes]
                return self.e.add(self.load(self.cell(x)), self._total(sums[0], at))
        return self.load(self.cell(x))

    def _number_of(self, var: Var, out: Access, x: Access) -> str:
        """Return which number of a loop writes, by `out`, the cell `x`."""
        pairs = zip(x.indices, out.indices, strict=True)
        return next(self.whole(i) for i, mine in pairs if var in mine.variables)

    # Steps and loops ---------------------------------------------------------------------------

    def items(self, body: Body, around: tuple[Loop, ...] = ()) -> None:
        """Print what is in a body."""
        for array in self.plan.starts(around):
            self.registers[array] = self.place(self.local(1), "0")
            self.store(self.plan.first[array], self.registers[array])
        for item in body:
            if isinstance(item, Step):
                self._step(item)
            else:
                self._loop(item, around)

    def _step(self, step: Step) -> None:
        args = [self.read(x) for x in step.args]
        if step.how == SET:
            found = write(self.e, step.op, *args)
            if step.out.array in self.plan.registers:
                self.registers[step.out.array] = found
            else:
                self.store(found, self.cell(step.out))
            return
        to = self._target(step, self.sums.get(step, []))
        held = self.load(to)
        if step.how == MAX:
            new = write(self.e, step.op, *args)
            other = self.e.select(self.e.compare("une", new, new), new, held)
            self.store(self.e.select(self.e.compare("ogt", new, held), new, other), to)
        elif step.op.name == "mul":
            self.store(self.e.fma(args[0], args[1], held), to)
        else:
            self.store(self.e.add(held, write(self.e, step.op, *args)), to)

    def _target(self, step: Step, sums: Sequence[Sum]) -> Place:
        """Return what a step adds to: the innermost of partial sums, or else the cell."""
        if not sums:
            return self.cell(step.out)
        return self._partial(sums[-1], sums[-1].turn, [self.vars[x.var] for x in sums[-1].lanes])

    def _partial(self, of: Sum, which: str, at: Sequence[str]) -> Place:
        return self.place(of.region, self.joined([which, *at], of.sizes()))

    def _total(self, of: Sum, at: Sequence[str]) -> str:
        """Return the sum of the classes, in order."""
        held = self.load(self._partial(of, "0", at))
        for c in range(1, of.classes):
            held = self.e.add(held, self.load(self._partial(of, str(c), at)))
        return held

    def _loop(self, loop: Loop, around: tuple[Loop, ...]) -> None:
        extent = self.whole(loop.var.extent)
        begun = [
            self._begun(loop, step, inside)
            for step, inside in within_loops(loop.body)
            if step.how == ADD and loop.var not in step.out.variables
        ]
        if begun and _is_blocked(loop):
            self._blocks(loop, begun, around)
        else:
            free = _is_independent(loop)
            var = self.vars[loop.var] = self.begin(extent, down=loop.down, independent=free)
            for made in begun:
                always = loop.var.extent.bounds()[0] > SEQUENTIAL
                position = (var, extent, loop.down)
                made.turn = "0" if made.classes == 1 else self.turn(position, always=always)
            self.items(loop.body, (*around, loop))
            self.end()
        del self.vars[loop.var]
        for made in begun:
            self._finish(made)

    def _blocks(self, loop: Loop, begun: Sequence[Sum], around: tuple[Loop, ...]) -> None:
        """Print a long loop in blocks, one turn of each class in a block, and the turns left."""
        self.around = around
        extent = loop.var.extent.base
        self.block_turns(loop, begun, extent // CLASSES)
        if extent % CLASSES:
            self.turns(loop, begun, Index(extent - extent % CLASSES), extent % CLASSES)

    def block_turns(self, loop: Loop, begun: Sequence[Sum], count: int) -> None:
        """Print whole blocks of turns."""
        block = Var("block", Index(count))
        self.vars[block] = self.begin(str(count), down=False, independent=False)
        self.turns(loop, begun, block * CLASSES, CLASSES)
        self.end()

    def turns(self, loop: Loop, begun: Sequence[Sum], first: Index, count: int) -> None:
        """Print turns of which each adds to a class of its own."""
        turn = Var("turn", Index(count))
        self.vars[turn] = self.begin(str(count), down=False, independent=True)
        place = first + turn
        last = loop.var.extent.base - 1
        self.vars[loop.var] = self.single(last - place if loop.down else place)
        for made in begun:
            made.turn = self.vars[turn]
        self.items(loop.body, (*self.around, loop))
        self.end()

    def _begun(self, loop: Loop, step: Step, inside: Sequence[Loop]) -> Sum:
        """Begin the partial sums of a step, at -0."""
        lanes = [x for x in inside if x.var in step.out.variables]
        made = Sum(step, lanes, "", CLASSES if loop.var.extent.bounds()[1] > SEQUENTIAL else 1)
        size = math.prod(made.sizes())
        if lanes:
            made.region = self.memory(self.cells)
            self.cells += size
        else:
            made.region = self.local(size)
        self._fill(made.region, size, -0.0)
        self.sums.setdefault(step, []).append(made)
        return made

    def _finish(self, made: Sum) -> None:
        """Add partial sums to those of the loop outside, or to the cells."""
        self.sums[made.step].pop()
        with self._lanes(made):
            total = self._total(made, [self.vars[x.var] for x in made.lanes])
            to = self._target(made.step, self.sums[made.step])
            self.store(self.e.add(self.load(to), total), to)

    @contextmanager
    def _lanes(self, made: Sum) -> Iterator[None]:
        """Print loops over the cells of a sum, as far as any turn of its loop may reach."""
        for lane in made.lanes:
            extent = lane.var.extent
            if extent.via:
                extent = Index(extent.bounds()[1])
            while hidden := [v for v in extent.variables if v not in self.vars]:
                extent = extent.substituted({v: v.extent - 1 for v in hidden})
            self.vars[lane.var] = self.begin(self.whole(extent), down=False, independent=False)
        yield
        for lane in made.lanes:
            self.end()
            del self.vars[lane.var]


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


def _is_independent(loop: Loop) -> bool:
    """Return whether turns may be vectorised: none reads or adds to what another writes."""
    steps = _innermost(loop)
    return bool(steps) and all(x.how == SET or loop.var in x.out.variables for x in steps)


def _is_blocked(loop: Loop) -> bool:
    """Return whether turns may be vectorised of which each adds to another class."""
    extent = loop.var.extent
    return (
        not extent.variables
        and not extent.via
        and extent.base > SEQUENTIAL
        and bool(_innermost(loop))
    )


def _innermost(loop: Loop) -> list[Step]:
    """Return the steps of a loop whose turns meet in sums alone; none if there are others."""
    steps = [item for item in loop.body if isinstance(item, Step)]
    is_vector = isinstance(loop, ScheduledLoop) and loop.kind == "vector"
    apart = all(is_unique(x.out.indices) and x.how != MAX for x in steps)
    return steps if is_vector and apart and len(steps) == len(loop.body) else []
