"""Cut a traced program at its gradients, into parts that contain none.

The numbers that a part reads from other parts are its inputs, in arrays: single numbers, rows with
a number for each example, and single lanes of rows:

    %2 = mul(%1, %1)             part 0
    %5 = adjoint(%1, %4)         a gradient, computed after part 0
    %7 = sub(%1, %6)             part 1, which reads %1 and %5
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Flags, Floats, Integers
from scalargrad.compiler.nests.finder.instructions import (
    COMPUTED,
    GIVEN,
    INPUT_STRIDE,
    NUMBER,
    Instructions,
)
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    ROW,
    TAKE,
    UNBATCH,
    Held,
    Kind,
    Op,
    Stacked,
    Total,
    has_lanes,
    is_detached,
)
from scalargrad.compiler.passes.nodes import Nodes, alike, entries, numbers_of, starts, stretches
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import TABLE
from scalargrad.system.cached_property import cached_property

_IDENTITY = TABLE["identity"]


class NodeColumns:
    """Kind, operands, level and lanes of each node of a program of repeatable operations.

    Attributes
    ----------
    written : Nodes
        The nodes.
    kinds : integers
        The kind of each node as an operand: computed, given or a constant.
    operands : integers
        The operands of all nodes, one node after the other, copies of inputs replaced by these.
    same : integers
        The node itself, or the input that it is a copy of.
    levels : integers
        0 for a node that depends on no gradient; k for a gradient of nodes of level k - 1, and for
        a node that depends on one.
    sizes : integers
        The number of lanes of each node, 1 for a single number.
    table : list of Op
        The operations, once for each number of lanes.
    codes : integers
        The index of its operation and number of lanes in `table`.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.written = program, program.nodes()
        written, table = self.written, self.written.table
        kinds = [
            NUMBER if op is CONSTANT else GIVEN if isinstance(op, Kind) else COMPUTED
            for op in table
        ]
        self.kinds = np.array(kinds, np.int8)[written.codes]
        self.levels = _levels(written)
        self.same = _without_copies(program, self.kinds)
        self.operands: Integers = self.same[written.operands]
        self.sizes = written.sizes() if has_lanes(table) else np.ones(len(written), np.int64)
        several, which = alike(self.sizes)
        self.table: list[Op] = [*table] * len(several)
        self.codes: Integers = written.codes.astype(np.int64) + len(table) * which

    def read_by(self, nodes: Integers) -> Integers:
        """Return the operands of some nodes, one node after the other."""
        first, counts = self.written.first[nodes], np.diff(self.written.first)[nodes]
        found: Integers = self.operands[stretches(first, counts)]
        return found

    def recording(self, nodes: Integers, number: Integers) -> Instructions:
        """Return some nodes as a recording.

        Parameters
        ----------
        nodes : integers
        number : integers
            Which input of the recording each node of the program is; -1 if it is not given.
        """
        operands, place = self.read_by(nodes), np.zeros(len(self.program), np.int64)
        place[nodes] = np.arange(len(nodes))
        kinds = np.where(number[operands] >= 0, GIVEN, COMPUTED)
        kinds = np.where(self.kinds[operands] == NUMBER, NUMBER, kinds)
        places = np.where(kinds == GIVEN, number[operands], place[operands])
        bits = self.numbers.view(np.int64)[operands]
        return Instructions(
            self.table,
            self.codes[nodes],
            starts(np.diff(self.written.first)[nodes]),
            kinds.astype(np.int8),
            np.where(kinds == NUMBER, bits, places),
        )

    @cached_property
    def numbers(self) -> Floats:
        """The number of each constant of the program, by node."""
        return numbers_of(self.program.constants, len(self.program))

    @cached_property
    def lanes(self) -> dict[int, tuple[int, int]]:
        """The nodes that are single lanes, each with the node that it is of, and which lane."""
        nodes = self.written.places(UNBATCH)
        of, which = np.array(self.written.args_with(UNBATCH), np.int64).reshape(-1, 2).T
        pairs = zip(of.tolist(), self.numbers[which].astype(np.int64).tolist(), strict=True)
        return dict(zip(nodes, pairs, strict=True))


class Given(NamedTuple):
    """An array of numbers that a part is given.

    Attributes
    ----------
    nodes : list of int
    lanes : int
        The number of lanes of each node.
    is_point : bool
        Whether derivatives are taken with respect to them.
    """

    nodes: list[int]
    lanes: int = 1
    is_point: bool = False


class Part(NamedTuple):
    """A part of a program without gradients in it.

    Attributes
    ----------
    recording : Instructions
    given : list of Given
        Its inputs: first single numbers, then single lanes, then numbers of examples.
    results : list of int
        Its nodes that are read elsewhere.
    places : list of int
        Their places in the recording.
    """

    recording: Instructions
    given: list[Given]
    results: list[int]
    places: list[int]


class Sweep(NamedTuple):
    """A gradient.

    Attributes
    ----------
    roots : list of (int, int)
        The roots and their seeds: the sum of their products is differentiated.
    wrt : dict from int to int
        For each node that is a derivative, the node that it is taken with respect to.
    lanes : int
        The number of lanes of the roots: each example then has its own gradient.
    level : int
        The index of the part after which it is taken.
    """

    roots: list[tuple[int, int]]
    wrt: dict[int, int]
    lanes: int
    level: int


def crosses(program: Program, wrt: Iterable[int], roots: Iterable[int]) -> bool:
    """Return whether roots depend on nodes through one that joins or separates examples."""
    nodes = program.nodes()
    nodes = nodes.cut_off(nodes.where(is_detached))
    below = nodes.needed(roots)
    between = nodes.where(lambda op: op is UNBATCH or op is BATCH or isinstance(op, Total))
    on = np.zeros(len(nodes), np.bool_)
    on[[*wrt]] = True
    return bool((nodes.depending(on) & below & between).any())


class Partition:
    """The partition of a program into parts, and the gradients taken between these.

    Parameters
    ----------
    program : Program
    counts : integers, optional
        How many numbers each output is, if not as many as it has lanes: examples may be alike.

    Attributes
    ----------
    sweeps : list of Sweep
    points : dict from int to int
        The nodes besides inputs that derivatives are taken with respect to, and their lanes.
        Readers of these read further inputs, of the same numbers.
    inputs : dict from int to int
        The only copies of some inputs, with the inputs.
    parts : list of Part
        The nodes that gradients are taken of, those computed with the gradients, and so on; may be
        empty.
    is_written : bool
        False if a gradient within examples leads out of them.
    """

    def __init__(self, program: Program, counts: Integers | None = None) -> None:
        self.program = program
        self.found = found = NodeColumns(program)
        self.counts = found.sizes[program.outputs] if counts is None else counts
        self.points: dict[int, int] = {}
        self.inputs: dict[int, int] = {}
        self.is_written = True
        self.lookups = Counter(table for _, table in found.written.args_with(TAKE))
        self.sweeps: list[Sweep] = []
        for seeds, wrt in found.written.sweeps().items():
            pairs = [*zip(seeds[::2], seeds[1::2], strict=True)]
            level = int(found.levels[min(wrt)]) - 1
            self.sweeps.append(Sweep(pairs, wrt, int(found.sizes[[*seeds]].max()), level))
        for sweep in self.sweeps:
            if sweep.lanes > 1 and (
                crosses(self.program, sweep.wrt.values(), [x for x, _ in sweep.roots])
                or self._shares_numbers(sweep)
            ):
                self.is_written = False
        self._choose_points()
        self.parts = self._parts() if self.is_written else []

    def _shares_numbers(self, sweep: Sweep) -> bool:
        """Return True if examples share a number between parts that their own gradients pass.

        Of ``vmap(lambda y: grad(lambda z: z * z * slope(y))(x))``, where `slope` is a gradient too,
        the examples share z·z, which is computed a part before the gradient. Its adjoint would be
        the sum over the examples.
        """
        found = self.found
        nodes = found.written.cut_off(found.written.where(is_detached))
        on = np.zeros(len(nodes), np.bool_)
        on[[*sweep.wrt.values()]] = True
        passed = nodes.depending(on) & nodes.needed([x for x, _ in sweep.roots])
        earlier = (found.levels < sweep.level) & (found.kinds == COMPUTED)
        return bool((passed & earlier & (found.sizes == 1)).any())

    def _choose_points(self) -> None:
        found, program = self.found, self.program
        for sweep in self.sweeps:
            for x in sweep.wrt.values():
                lanes = max(sweep.lanes, int(found.sizes[x]))
                if x in program.constants:
                    continue
                if lanes > 1:
                    self.is_written &= self.points.setdefault(x, lanes) == lanes
                    self.is_written &= x not in self.inputs
                elif (given := int(found.same[x])) < program.inputs:
                    self.inputs[x] = given
                    self.is_written &= x not in self.points
                else:
                    self.is_written &= self.points.setdefault(x, 1) == 1

    def _parts(self) -> list[Part]:
        found, program = self.found, self.program
        level = np.where(found.kinds == COMPUTED, found.levels, -1)
        levels = [np.flatnonzero(level == k) for k in range(int(found.levels.max(initial=0)) + 1)]
        given = [self._inputs_of(nodes, k > 0) for k, nodes in enumerate(levels)]
        read = self.read_from(0, given, [*program.outputs, *self.points])
        pairs = zip(levels, given, strict=True)
        return [self._part(nodes, arrays, read) for nodes, arrays in pairs]

    def _inputs_of(self, nodes: Integers, late: bool) -> list[Given]:
        """Return the arrays given to some computed nodes."""
        found, program, written = self.found, self.program, self.found.written
        is_read = np.zeros(len(program), np.bool_)
        is_read[found.read_by(nodes)] = True
        is_read[nodes] = False
        groups: dict[tuple[int, object], list[int]] = {}
        singles: list[int] = []
        if not late:
            for x, n in self.points.items():
                groups.setdefault((n, "point"), []).append(x)
            singles = [*range(program.inputs), *groups.pop((1, "point"), [])]
            is_read[[*range(program.inputs), *self.points]] = False
        outside = np.flatnonzero(is_read & (found.kinds != NUMBER))
        is_lane = written.where(lambda op: op is UNBATCH or isinstance(op, Total))[outside]
        is_group = (found.sizes[outside] > 1) | written.where(lambda op: op is TAKE)[outside]
        lanes, singles = outside[is_lane].tolist(), singles + outside[~is_lane & ~is_group].tolist()
        for x in outside[~is_lane & is_group].tolist():
            groups.setdefault((int(found.sizes[x]), self._kind(x)), []).append(x)
        arrays = (Given(nodes, n, kind == "point") for (n, kind), nodes in groups.items())
        has_points = not late and len(singles) > program.inputs
        return [Given(singles, 1, has_points), Given(lanes), *arrays]

    def _kind(self, x: int) -> object:
        """Return the kind of a number of each example; those of one kind are in one array."""
        written = self.found.written
        op: Op = written.table[written.codes[x]]
        if isinstance(op, Stacked):  # how far apart those of two examples are given
            return Stacked, self.program.constants[written.args_of(x)[1]]
        if op is TAKE:  # of tables of one size, in each of which as much is looked up
            _, table = written.args_of(x)
            return TAKE, len(written.args_of(table)), self.lookups[table]
        return Held if isinstance(op, Held) else op

    def read_from(
        self, level: int, given: Sequence[Sequence[Given]], others: Sequence[int]
    ) -> Flags:
        """Return flags of the nodes that are read from a level on, by a part or by a gradient.

        Parameters
        ----------
        level : int
        given : sequence
            What each part is given.
        others : sequence of int
            Nodes that are read besides.
        """
        written, read = self.found.written, np.zeros(len(self.program), np.bool_)
        read[[x for arrays in given[level:] for array in arrays for x in array.nodes]] = True
        later = (sweep for sweep in self.sweeps if sweep.level >= level)
        read[[*others, *(x for sweep in later for pair in sweep.roots for x in pair)]] = True
        lookups = written.where(lambda op: op is TAKE)
        joins = written.where(lambda op: op in {BATCH, UNBATCH, ROW} or isinstance(op, Total))
        joining = written.cut_off(~(joins | lookups))
        read |= joining.needed(np.flatnonzero(read))
        if (read & lookups).any():  # all of one form are written together
            read |= joining.needed(np.flatnonzero(lookups))
        return read

    def _part(self, nodes: Integers, given: list[Given], read: Flags) -> Part:
        """Return computed nodes as a part; its results are read elsewhere."""
        at = np.flatnonzero(read[nodes])
        number = np.full(len(self.program), -1)
        for k, array in enumerate(given):
            number[array.nodes] = INPUT_STRIDE * k + np.arange(len(array.nodes))
        return Part(self.found.recording(nodes, number), given, nodes[at].tolist(), at.tolist())


def _without_copies(program: Program, kind_of: NDArray[np.int8]) -> Integers:
    """Return each node, or the input that it is a copy of; such copies are given, not computed.

    A copy is kept if anything but operations reads it, or if it has a derivative of its own: its
    derivative is the input's if nothing else reads the input, and no example has its own.
    """
    written, same = program.nodes(), np.arange(len(program))
    copies = np.flatnonzero(written.where(lambda op: op is _IDENTITY))
    of = written.operands[written.first[copies]]
    users, by = written.users(), np.zeros(len(written.operands), np.bool_)
    by[written.first[written.places(ADJOINT)]] = True  # with respect to what derivatives are
    reads = np.bincount(written.operands[~by], minlength=len(program))
    kept = np.zeros(len(program), np.bool_)
    kept[program.outputs] = True
    kept[written.operands[~by & (kind_of[users] != COMPUTED)]] = True
    is_point = np.zeros(len(program), np.bool_)
    is_point[written.operands[by]] = True
    kept |= is_point & has_lanes(written.table)
    known = (of < program.inputs) & ~kept[copies] & (~is_point[copies] | (reads[of] == 1))
    same[copies[known]] = of[known]
    kind_of[copies[known]] = GIVEN
    return same


def _levels(written: Nodes) -> NDArray[np.uint8]:
    """Return the level of each node; see `NodeColumns`."""
    gradient = written.where(lambda op: op is ADJOINT)
    levels = written.depending(gradient).astype(np.uint8)
    if not levels[written.operands[gradient[written.users()]]].any():
        return levels
    known, first, operands = map(entries, (levels, written.first, written.operands))
    for node in np.flatnonzero(levels).tolist():
        level = max([known[x] for x in operands[first[node] : first[node + 1]]], default=0)
        known[node] = min(level + bool(gradient[node]), 255)
    return levels
