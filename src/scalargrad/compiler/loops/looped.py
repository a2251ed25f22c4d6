"""Decide whether a recorded program is to run as loops, and turn it and its gradients into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.loops.derivative import Backward, history_signals
from scalargrad.compiler.loops.forward import Forward, copy_history
from scalargrad.compiler.loops.loop import (
    FEW,
    Cells,
    CellTable,
    Clear,
    Loop,
    Looped,
    Place,
    Read,
    Write,
    cells_of,
)
from scalargrad.compiler.loops.node_columns import (
    NodeColumns,
    columns,
    has_long_sums,
    packs_into,
    sweeps_of,
)
from scalargrad.compiler.loops.repeats import Repetition, repeats
from scalargrad.compiler.loops.roll import (
    LANES,
    Constants,
    Rolled,
    RolledBlock,
    padded,
    place_of,
    roll,
    stands_for_recording,
)
from scalargrad.compiler.loops.schedule import Stage, stages
from scalargrad.compiler.loops.signals import Signals
from scalargrad.compiler.loops.tidy import tidy
from scalargrad.compiler.loops.to_lanes import in_lanes
from scalargrad.compiler.loops.unfold import unfold
from scalargrad.compiler.passes.expressions import FixedArity
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import TABLE

#: The most statements that are printed: compiling one takes a quarter of a millisecond, and more in
#: longer loops, packing a node 50 microseconds. So long programs may have one for so many nodes. A
#: sweep that was written out adds three or four for each of the recording.
_MAX_STATEMENTS, _MAX_OF_LONG, _NODES_EACH = 1000, 4000, 50
#: Rolling must pay: at least so many nodes per statement, and so many nodes saved.
MIN_RATIO, MIN_SAVED = 6, 200
#: Where packing leaves an instruction for fewer nodes than this, as where steps wait for each
#: other, rolling must only pay: an observation at each tenth step begins another loop each time.
_NARROW = 3
#: Short loops without a recurrence run faster packed. From so many nodes on, and so many per
#: statement, they run as loops, which are as fast, and sooner ready: packing takes long.
MANY_NODES, MANY_ITERATIONS = 20_000, 64
#: A recurrence also stays packed where the statements of its longest body in all sweeps are more
#: than so many: compiling a body takes longer than its length says, unless it runs once.
_MAX_OF_SWEEPS = 5000
#: Bodies of at least so many statements contain matrix products, which run faster packed; with a
#: recurrence, those of more than so many.
_MIN_LAYERS, _MAX_OF_LAYERS = 128, 500

#: A backward sweep: the nodes whose gradients are wanted; the roots and their seeds. A seed is a
#: number, or the node that is.
Sweep = tuple[list[int], list[tuple[int, float | int]]]


def looped(program: Program, *, can_loop: bool = True) -> Looped | Program | None:
    """Return a recorded program as loops or with lanes; None if neither is possible or pays.

    Unless `can_loop`, what would be loops is None, too, and is not written.
    """
    unfolded, is_same = unfold(program) or (None, True)
    sweeps = None if unfolded is None else _sweeps(unfolded)
    if unfolded is None or sweeps is None:
        return None
    found = columns(unfolded)
    layered = is_same and has_long_sums(found)
    most = _MAX_OF_LONG
    if is_same:
        most = _MAX_STATEMENTS if layered else _most_statements(len(found))
    runs = repeats(found, most)
    statements = _statements(found, runs)
    limits = iter(()) if layered else _more_statements(found)
    while statements > most and (more := next(limits, 0)):
        if more > most:
            most = more
            runs = repeats(found, most)
            statements = _statements(found, runs)
    if statements > most or not _is_rolled_well(len(found), statements):
        return None
    rolled = roll(found, runs)
    looping = _Looping(rolled, sweeps)
    pays = looping.is_worth_it(layered=layered)
    keeps = is_same and _keeps_operations(program, unfolded)
    if keeps and (not pays or looping.is_of_layers()):
        lanes = in_lanes(rolled)
        if lanes is not None:
            return lanes
    # The check is the expensive part; most programs stay packed and skip it.
    if not pays or not can_loop or not stands_for_recording(rolled):
        return None
    return looping.run()


def _keeps_operations(program: Program, unfolded: Program) -> bool:
    """Return whether unfolding wrote out nothing but sums, which later passes gather again."""
    kept = unfolded.nodes().table
    left = {*kept, TABLE["sum"], *[op.reduction for op in kept if isinstance(op, FixedArity)]}
    return left.issuperset(program.nodes().occurring())


def _most_statements(nodes: int) -> int:
    return min(max(_MAX_STATEMENTS, nodes // _NODES_EACH), _MAX_OF_LONG)


def _more_statements(found: NodeColumns) -> Iterator[int]:
    """Yield how many statements may be printed where fewer do not do for a program."""
    if len(found) >= MANY_NODES:
        yield len(found) // MANY_ITERATIONS
    if not packs_into(found, len(found) // _NARROW):
        yield len(found) // MIN_RATIO


def _statements(found: NodeColumns, runs: list[Repetition]) -> int:
    return len(found) - sum(run.saved for run in runs)


def _is_rolled_well(nodes: int, statements: int) -> bool:
    return nodes >= max(MIN_RATIO * statements, statements + MIN_SAVED)


def _sweeps(program: Program) -> list[Sweep] | None:
    """Return the sweeps that gradients need; None if one begins or ends at a constant."""
    sweeps: list[Sweep] = []
    for seeds, wanted in sweeps_of(program.nodes()).items():
        if not program.constants.keys().isdisjoint((*wanted, *seeds[::2])):
            return None
        pairs = zip(seeds[::2], seeds[1::2], strict=True)
        sweeps.append((wanted, [(root, program.constants.get(x, x)) for root, x in pairs]))
    return sweeps


class _Looping:
    """Writes the loops of a rolled program and lays out the memory they run in."""

    def __init__(self, rolled: Rolled, sweeps: list[Sweep]) -> None:
        self.rolled = rolled
        self.sweeps = sweeps
        self.cells = rolled.cells * (1 + len(sweeps))
        self.kept: list[tuple[int, list[float]]] = []
        self._places: dict[bytes, Cells] = {}
        self.outputs = np.array(
            [self._output(x) for x in (*rolled.columns.program.outputs, *self._inner())],
            dtype=np.int64,
        )
        read = self._read()
        self.staged = [(block, stages(block, read)) for block in rolled.blocks]

    def is_worth_it(self, *, layered: bool) -> bool:
        """Return whether to run as loops: with a recurrence, or very many iterations.

        A long recurrence of layers runs, and is compiled, as fast packed: as products of matrices.
        So does one of few and wide steps, which leaves no more instructions, of many lanes each,
        than there are statements, and one of long steps through which many sweeps go.
        """
        nodes, statements = len(self.rolled.columns), self.rolled.statements
        lengths = [(b.count > 1, len(b.cells)) for b in self.rolled.blocks]
        longest = max((length for loops, length in lengths if loops), default=0)
        if layered and max(length for _, length in lengths) > _MAX_OF_LAYERS:
            return False
        many = nodes >= max(MANY_NODES, MANY_ITERATIONS * statements)
        if not _is_rolled_well(nodes, statements):
            return False
        if many or not self._waits() or longest * len(self.sweeps) > _MAX_OF_SWEEPS:
            return many
        return not packs_into(self.rolled.columns, statements)

    def is_of_layers(self) -> bool:
        """Return whether to write with lanes: long bodies without recurrences, as of layers."""
        rolled = self.rolled
        long = any(b.count > 1 and len(b.cells) >= _MIN_LAYERS for b in rolled.blocks)
        return long and not self._waits()

    def _waits(self) -> bool:
        """Return whether there are recurrences."""
        return any(b.count > 1 and not x.lanes for b, found in self.staged for x in found)

    def run(self) -> Looped:
        """Write the forward loops, the backward loops, and the copies of the outputs."""
        rolled, staged = self.rolled, self.staged
        before = [x for x in staged if x[0].start < rolled.columns.before]
        after = staged[len(before) :]
        loops = self._forwards(before)
        for i, sweep in enumerate(self.sweeps):
            loops += self._backwards(before, sweep, self.rolled.signals_of(i))
        loops += self._forwards(after)
        count = len(self.outputs)
        first = self.room(count).cell
        side_by_side = slice(first, first + count)
        loops.append(_collected(self.outputs, first))
        made = Looped(
            rolled.columns.program.given,
            self.cells + LANES,
            self.kept,
            loops,
            side_by_side,
            len(rolled.columns.program.outputs),
        )
        tidy(made)
        return made

    def _forwards(self, staged: list[tuple[RolledBlock, list[Stage]]]) -> list[Loop | Clear]:
        loops: list[Loop | Clear] = []
        for block, found in staged:
            if block.sources:
                loops.append(copy_history(block, self.numbers))
            alone = self.rolled.alone(block)
            loops += [Forward(block, stage, self.numbers, alone).run() for stage in found]
        return loops

    def _backwards(
        self, staged: list[tuple[RolledBlock, list[Stage]]], sweep: Sweep, behind: int
    ) -> list[Loop | Clear]:
        wanted, seeds = sweep
        signals = Signals(self.rolled, wanted, behind, self.numbers, self.room)
        loops = signals.seed(seeds)
        for block, found in reversed(staged):
            for stage in reversed(found):
                loops += Backward(block, stage, signals).run()
            if block.sources:
                loops.append(history_signals(block, signals))
        return [*signals.cleared(), *loops]

    def numbers(self, constants: Constants) -> Place:
        """Store constants, one number per iteration, and return their place."""
        values = constants.values
        key = values.tobytes()
        if key not in self._places:
            self._places[key] = Cells(self._keep(values.tolist()), 1)
        return self._places[key]

    def room(self, count: int) -> Cells:
        """Reserve cells for `count` numbers."""
        self.cells += padded(count)
        return Cells(self.cells - padded(count), 1)

    def _keep(self, values: list[float]) -> int:
        self.kept.append((self.room(len(values)).cell, values))
        return self.kept[-1][0]

    def _inner(self) -> list[int]:
        """Return the gradients that are computed with: a comparison would hide a nan."""
        columns = self.rolled.columns
        read = np.zeros(len(columns.program), np.bool_)
        read[columns.operands[columns.first[columns.before] :]] = True
        return [x for x in columns.gradients if read[x]]

    def _output(self, node: int) -> int:
        """Return the cell of an output; a constant is stored in one."""
        cell = int(self.rolled.cell_of[node])
        return cell if cell >= 0 else self._keep([self.rolled.columns.program.constants[node]])

    def _read(self) -> Any:
        """Return which cells are outputs or are read by a block other than their own."""
        rolled = self.rolled
        read = np.zeros(self.cells, np.bool_)
        read[self.outputs[self.outputs < len(read)]] = True
        for wanted, seeds in self.sweeps:
            pairs = [x for pair in seeds for x in pair if isinstance(x, int)]
            read[rolled.cell_of[[*wanted, *pairs]]] = True
        for block in rolled.blocks:
            read[list(block.sources.values())] = True
            for statement in block.body:
                for x in statement.operands:
                    if isinstance(x, Cells | CellTable):
                        read[cells_of(x, block.count)] = True
        return read


def _collected(cells: Integers, onto: int) -> Loop:
    """Return what copies scattered cells to adjacent ones, from cell `onto` on."""
    if len(cells) > FEW:
        return Loop(len(cells), True, steps=[Read(place_of(cells)), Write(Cells(onto, 1), 0)])
    copies = [
        (Read(Cells(cell)), Write(Cells(onto + k), 2 * k)) for k, cell in enumerate(cells.tolist())
    ]
    return Loop(1, False, steps=[step for pair in copies for step in pair])
