"""From a recording to nests: one form of a program after the other.

Nodes become a tree of loops (`finder`), the tree equations, these their derivative, scheduled loops
and LLVM IR. What is irregular, or has no order of loops, is not a nest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.loops.node_columns import GIVEN, NodeColumns, columns, sweeps_of
from scalargrad.compiler.loops.unfold import unfold
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    Access,
    Arg,
    Array,
    Index,
    Step,
)
from scalargrad.compiler.nests.equations import Program as Equations
from scalargrad.compiler.nests.finder.find import find
from scalargrad.compiler.nests.finder.recording import recording_of
from scalargrad.compiler.nests.finder.to_equations import Written, to_equations
from scalargrad.compiler.nests.llvm_printer import print_llvm
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.nests.packing import packed
from scalargrad.compiler.nests.plan import plan
from scalargrad.compiler.nests.schedule import schedule
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.compiler.passes.kinds import ADJOINT
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

#: Recordings of fewer nodes are compiled sooner as they are.
LEAST = 1500
#: The most products of a root and a seed that gradients may be asked of.
_SEEDS = 8
#: So many loops and steps copy outputs at most.
_RUNS = 64
_IDENTITY = TABLE["identity"]


def nested(program: Program, *, least: int = LEAST) -> Nested | None:
    """Return a recorded program, and a gradient if it asks for one, as nests.

    None if that is impossible: it has fewer nodes than `least` or is irregular, asks for several
    gradients, or computes with them.
    """
    unfolded = (unfold(program) or (None,))[0]
    if unfolded is None or len(unfolded) < least:
        return None
    found = columns(unfolded)
    asked = _asked(found)
    if asked is None:
        return None
    recording = recording_of(found)
    used = {recording.table[k] for k in {*recording.codes.tolist()}}
    if not all(isinstance(op, Elementwise) and can_write(op) for op in used):
        return None
    tree = find(recording)
    if tree is None:
        return None
    places = np.searchsorted(found.nodes, asked.computed).tolist()
    for around in (True, False):
        written = to_equations(tree, unfolded.given, places, around=around)
        with suppress(TraceError):  # no order of loops computes it
            if written is not None:
                return _Writer(unfolded, asked, written).run()
    return None


class _Asked(NamedTuple):
    """What is asked of a program.

    Attributes
    ----------
    computed : list of int
        The nodes among outputs and roots that are computed.
    roots : list of (int, int)
        Of the gradient, with their seeds.
    wrt : dict from int to int
        For each node that is a derivative, with respect to which input.
    """

    computed: list[int]
    roots: list[tuple[int, int]]
    wrt: dict[int, int]


def _asked(found: NodeColumns) -> _Asked | None:
    """Return what is asked of a program; None if it is more than one gradient of some inputs."""
    program, sweeps = found.program, sweeps_of(found.written)
    if len(sweeps) > 1 or found.before < len(found):
        return None
    roots: list[tuple[int, int]] = []
    wrt: dict[int, int] = {}
    for seeds, wanted in sweeps.items():
        roots = [*zip(seeds[::2], seeds[1::2], strict=True)]
        inputs = _inputs(found, wanted)
        if len(roots) > _SEEDS or inputs is None:
            return None
        adjoint = found.written.args_with(ADJOINT)
        wrt = {x: inputs[args[0]] for x, args in zip(found.gradients, adjoint, strict=True)}
    nodes = {*program.outputs, *(x for pair in roots for x in pair)}
    computed = sorted(x for x in nodes if x >= program.inputs and x not in wrt
                      and x not in program.constants)  # fmt: skip
    return _Asked(computed, roots, wrt)


def _inputs(found: NodeColumns, wanted: Iterable[int]) -> dict[int, int] | None:
    """Return, for nodes that are inputs or copies that alone read them, the inputs; else None."""
    program, nodes = found.program, found.written
    reads = np.bincount(found.operands[found.kinds == GIVEN], minlength=program.inputs)
    inputs = {}
    for x in wanted:
        inputs[x] = x
        if x >= program.inputs:
            op, args = nodes.table[nodes.codes[x]], nodes.args_of(x)
            if op is not _IDENTITY or args[0] >= program.inputs or reads[args[0]] > 1:
                return None
            inputs[x] = args[0]
    return inputs


class _Writer:
    """Writes what is asked of equations, and prints all of it."""

    def __init__(self, program: Program, asked: _Asked, written: Written) -> None:
        self.program, self.asked = program, asked
        self.equations, self.given = written.program, written.inputs
        self.cells = dict(zip(asked.computed, written.results, strict=True))
        self.outputs = Array("y", (len(program.outputs),), "out")
        self.loss = Array("loss", (), "out")

    def run(self) -> Nested:
        """Write the outputs, and the gradient."""
        b = Builder(self.equations)
        b.arrays.append(self.outputs)
        self._write_outputs(b, {k: self._cell(x) for k, x in enumerate(self.program.outputs)
                                if x not in self.asked.wrt})  # fmt: skip
        if self.asked.roots:
            b.arrays.append(self.loss)
            b.append(Step(Access(self.loss), _IDENTITY, (self._seeded(b),)))
        values = contract(simplify(b.program()))
        if not self.asked.roots:
            return self._printed(values)
        found, slopes = gradient(values, Access(self.loss), [self.given])
        b = Builder(found)
        of = {x: Access(slopes[self.given], (Index(k),)) for x, k in self.asked.wrt.items()}
        outputs = enumerate(self.program.outputs)
        self._write_outputs(b, {k: of[x] for k, x in outputs if x in of})
        return self._printed(contract(simplify(b.program()), values.arrays))

    def _cell(self, node: int) -> Arg:
        if node < self.program.given:
            return Access(self.given, (Index(node),))
        number = self.program.constants.get(node)
        return self.cells[node] if number is None else number

    def _seeded(self, b: Builder) -> Arg:
        """Write the sum of the products of roots and seeds."""
        total: Arg | None = None
        for root, seed in self.asked.roots:
            x, factor = self._cell(root), self._cell(seed)
            x = x if factor == 1.0 else b.step(TABLE["mul"], (factor, x))
            total = x if total is None else b.step(TABLE["add"], (total, x))
        assert total is not None
        return total

    def _write_outputs(self, b: Builder, cells: Mapping[int, Arg]) -> None:
        """Copy cells to outputs, in loops where they are evenly apart."""
        places, count = [*cells], 0
        while places:
            size, strides = _run(places, cells)
            first, x = places[0], cells[places[0]]
            if size == 1:
                b.append(Step(Access(self.outputs, (Index(first),)), _IDENTITY, (x,)))
            else:
                assert isinstance(x, Access)
                with b.loop(size) as k:
                    at = tuple(i + j * k for i, j in zip(x.indices, strides, strict=True))
                    out = Access(self.outputs, (k + first,))
                    b.append(Step(out, _IDENTITY, (Access(x.array, at),)))
            del places[:size]
            count += 1
            if count > _RUNS:
                raise TraceError(f"more than {_RUNS} outputs are in no order")

    def _printed(self, equations: Equations) -> Nested:
        from scalargrad.compiler.backend.llvm.target import registers

        body, fastest = arranged(schedule(equations), registers())
        whole, body, fastest = packed(equations, body, fastest)
        places = plan(whole, body, fastest)
        module, cells = print_llvm(body, places)
        begun = places.begun(cells)
        first = places.offsets[self.outputs] - places.offsets[self.given]
        outputs = slice(first, first + len(self.program.outputs))
        return Nested(self.program.given, outputs, module, begun, str(equations))


def _run(places: Sequence[int], cells: Mapping[int, Arg]) -> tuple[int, tuple[int, ...]]:
    """Return how many of the first places follow each other, and their cells evenly."""
    strides: tuple[int, ...] | None = None
    count = 1
    for place, after in itertools.pairwise(places):
        x, y = cells[place], cells[after]
        if not isinstance(x, Access) or not isinstance(y, Access) or x.array is not y.array:
            break
        moved = tuple(j.base - i.base for i, j in zip(x.indices, y.indices, strict=True))
        if after != place + 1 or (strides is not None and moved != strides):
            break
        strides, count = moved, count + 1
    return count, strides or ()
