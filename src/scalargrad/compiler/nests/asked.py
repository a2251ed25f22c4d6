"""What is asked of a program: parts without gradients, and the gradients between them.

What a part does not compute it is given, in arrays: single numbers, numbers of examples, which are
rows, and single lanes of these.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import APART, Recording, recording_of
from scalargrad.compiler.nests.node_columns import NodeColumns, distinct
from scalargrad.compiler.passes.differentiate import is_detached
from scalargrad.compiler.passes.kinds import ADJOINT, BATCH, TAKE, UNBATCH, Held, Op, Stacked, Total
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import TABLE

_IDENTITY = TABLE["identity"]


class Given(NamedTuple):
    """An array of numbers that a part is given.

    Attributes
    ----------
    nodes : list of int
    lanes : int
        How many lanes each has.
    is_point : bool
        Whether derivatives are taken by them.
    """

    nodes: list[int]
    lanes: int = 1
    is_point: bool = False


class Part(NamedTuple):
    """A part of a program without gradients in it.

    Attributes
    ----------
    recording : Recording
    given : list of Given
        Its inputs: first single numbers, then single lanes, then numbers of examples.
    results : list of int
        The nodes of it that are read elsewhere.
    places : list of int
        Where they are in the recording.
    """

    recording: Recording
    given: list[Given]
    results: list[int]
    places: list[int]


class Sweep(NamedTuple):
    """A gradient.

    Attributes
    ----------
    roots : list of (int, int)
        What is differentiated: the sum of the products of these roots and seeds.
    wrt : dict from int to int
        For each node that is a derivative, with respect to which node.
    lanes : int
        How many lanes the roots have: each example then has its own gradient.
    level : int
        After which part it is taken.
    """

    roots: list[tuple[int, int]]
    wrt: dict[int, int]
    lanes: int
    level: int


def crosses(program: Program, wrt: Iterable[int], roots: Iterable[int]) -> bool:
    """Return whether roots depend on nodes by what joins examples, or takes them apart."""
    nodes = program.nodes()
    below = nodes.cut_off(nodes.where(is_detached)).needed(roots)
    between = nodes.where(lambda op: op is UNBATCH or op is BATCH or isinstance(op, Total))
    if not (between & below).any():
        return False
    on = np.zeros(len(nodes), np.bool_)
    on[[*wrt]] = True
    first, operands = nodes.first.tolist(), nodes.operands.tolist()
    for x in np.flatnonzero(below & ~on).tolist():
        on[x] = any(on[y] for y in operands[first[x] : first[x + 1]])
    return bool((on & below & between).any())


class Asked:
    """What is asked of a program.

    Attributes
    ----------
    sweeps : list of Sweep
    points : dict from int to int
        The nodes that are no inputs and that derivatives are taken with respect to, and how many
        lanes they have then. What reads them reads further inputs, which hold the same.
    inputs : dict from int to int
        Copies of inputs that alone read them, with these.
    parts : list of Part
        What gradients are taken of, what is computed with these, and so on; may be empty.
    is_written : bool
        False if a gradient within examples leads out of them.
    """

    def __init__(self, found: NodeColumns) -> None:
        self.found, self.program = found, found.program
        self.points: dict[int, int] = {}
        self.inputs: dict[int, int] = {}
        self.is_written = True
        self.lookups = Counter(table for _, table in found.written.args_with(TAKE))
        places = zip(found.gradients, found.written.args_with(ADJOINT), strict=True)
        sweeps: dict[tuple[int, ...], Sweep] = {}
        for x, (wrt, *seeds) in places:
            if tuple(seeds) not in sweeps:
                pairs = [*zip(seeds[::2], seeds[1::2], strict=True)]
                lanes, level = int(found.sizes[seeds].max()), found.levels[x] - 1
                sweeps[tuple(seeds)] = Sweep(pairs, {}, lanes, level)
            sweeps[tuple(seeds)].wrt[x] = wrt
        self.sweeps = [*sweeps.values()]
        for sweep in self.sweeps:
            if sweep.lanes > 1 and crosses(
                self.program, sweep.wrt.values(), [x for x, _ in sweep.roots]
            ):
                self.is_written = False
        self._choose_points()
        self.parts = self._parts() if self.is_written else []

    def _choose_points(self) -> None:
        found, program, nodes = self.found, self.program, self.found.written
        reading = nodes.where(lambda op: op is not ADJOINT)[nodes.users()]
        reads = np.bincount(nodes.operands[reading], minlength=len(program))
        for sweep in self.sweeps:
            for x in sweep.wrt.values():
                lanes = max(sweep.lanes, int(found.sizes[x]))
                if x in program.constants:
                    continue
                if lanes > 1:
                    self.is_written &= self.points.setdefault(x, lanes) == lanes
                    self.is_written &= x not in self.inputs
                elif x < program.inputs:
                    self.inputs[x] = x
                    self.is_written &= x not in self.points
                else:
                    op, args = nodes.table[nodes.codes[x]], nodes.args_of(x)
                    if op is _IDENTITY and args[0] < program.inputs and reads[args[0]] == 1:
                        self.inputs[x] = args[0]
                    else:
                        self.is_written &= self.points.setdefault(x, 1) == 1

    def _parts(self) -> list[Part]:
        found, program = self.found, self.program
        place = np.full(len(program), -1)
        place[found.nodes] = np.arange(len(found))
        spans = [slice(*pair) for pair in itertools.pairwise([0, *found.bounds])]
        given = [self._given(span, place, k > 0) for k, span in enumerate(spans)]
        nodes = {*program.outputs, *self.points}
        nodes.update(x for sweep in self.sweeps for pair in sweep.roots for x in pair)
        nodes.update(x for arrays in given for array in arrays for x in array.nodes)
        self._add_operands(nodes)
        return [
            self._part(span, arrays, place, nodes)
            for span, arrays in zip(spans, given, strict=True)
        ]

    def _given(self, span: slice, place: Integers, late: bool) -> list[Given]:
        """Return what the nodes at some places are given."""
        found, program, written = self.found, self.program, self.found.written
        first, last = int(found.first[span.start]), int(found.first[span.stop])
        read = distinct(found.operands[first:last])
        inside = (place[read] >= span.start) & (place[read] < span.stop)
        outside = read[~inside & ~np.isin(read, [*program.constants])].tolist()
        singles: list[int] = []
        lanes: list[int] = []
        groups: dict[tuple[int, object], list[int]] = {}
        if not late:
            singles = [*range(program.inputs), *(x for x, n in self.points.items() if n == 1)]
            for x, n in self.points.items():
                if n > 1:
                    groups.setdefault((n, "point"), []).append(x)
        for x in outside:
            op = written.table[written.codes[x]]
            if not late and (x in self.points or x < program.inputs):
                continue
            if op is UNBATCH or isinstance(op, Total):
                lanes.append(x)
            elif found.sizes[x] > 1 or op is TAKE:
                groups.setdefault((int(found.sizes[x]), self._kind(x)), []).append(x)
            else:
                singles.append(x)
        arrays = (Given(nodes, n, kind == "point") for (n, kind), nodes in groups.items())
        has_points = not late and len(singles) > program.inputs
        return [Given(singles, 1, has_points), Given(lanes), *arrays]

    def _kind(self, x: int) -> object:
        """Return what numbers of examples are alike in, to be in one array."""
        written = self.found.written
        op: Op = written.table[written.codes[x]]
        if isinstance(op, Stacked):  # how far apart those of two examples are given
            return Stacked, self.program.constants[written.args_of(x)[1]]
        if op is TAKE:  # of tables of one size, in each of which as much is looked up
            _, table = written.args_of(x)
            return TAKE, len(written.args_of(table)), self.lookups[table]
        return Held if isinstance(op, Held) else op

    def _add_operands(self, nodes: set[int]) -> None:
        """Add what numbers of examples and single lanes are made of."""
        written, lanes = self.found.written, self.found.lanes
        nodes.update({lanes[x][0] for x in nodes & lanes.keys()})
        waiting = [*nodes.difference(lanes)]
        lookups = written.args_with(TAKE)
        read = {y for index, row in lookups for y in (index, *written.args_of(row))}
        while waiting:
            x = waiting.pop()
            op = written.table[written.codes[x]]
            if op is UNBATCH or op is BATCH or op is TAKE or isinstance(op, Total):
                args = written.args_of(x)[: 1 if op is UNBATCH else None]
                for y in read if op is TAKE else args:
                    if y not in nodes:
                        nodes.add(y)
                        waiting.append(y)

    def _part(self, span: slice, given: list[Given], place: Integers, nodes: set[int]) -> Part:
        """Return the nodes at some places as a part; of its results, `nodes` are read elsewhere."""
        results = sorted(x for x in nodes if span.start <= place[x] < span.stop)
        at = (place[results] - span.start).tolist() if results else []
        number = {
            x: APART * k + i for k, array in enumerate(given) for i, x in enumerate(array.nodes)
        }
        return Part(recording_of(self.found, span, number), given, results, at)
