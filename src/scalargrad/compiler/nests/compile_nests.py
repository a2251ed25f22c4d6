"""From a recording to nests: one form of a program after the other.

Nodes become a tree of loops (`finder`), the tree equations, these their derivative, scheduled loops
and LLVM IR. What is irregular, or has no order of loops, is not a nest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
    as_index,
    replaced,
    statements,
)
from scalargrad.compiler.nests.equations import Program as Equations
from scalargrad.compiler.nests.finder.find import find, find_flat, work
from scalargrad.compiler.nests.finder.recording import Recording, recording_of
from scalargrad.compiler.nests.finder.to_equations import to_equations
from scalargrad.compiler.nests.finder.tree import Tree
from scalargrad.compiler.nests.llvm_printer import print_llvm
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.nests.node_columns import (
    GIVEN,
    NodeColumns,
    Shape,
    columns,
    distinct,
    has_long_sums,
    shape_of,
)
from scalargrad.compiler.nests.packing import packed
from scalargrad.compiler.nests.plan import Plan, plan
from scalargrad.compiler.nests.schedule import directed
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.passes.kinds import ADJOINT, DETACH
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

#: Recordings of fewer nodes, and those of which fewer are saved, are packed; so are those that are
#: no more than so many times their statements.
_LEAST, _TIMES = 200, 6
#: Packing is slow where many steps wait for one another and few are of one group; it is good for
#: layers, whose sums it computes as products of matrices.
_DEEP, _NARROW, _LAYERED = 12, 12, 40
#: From so many nodes on, loops pay too that take about a nanosecond for a node.
_MANY, _FAST = 1000, 1.1
#: To pack so many nodes takes long; they are loops if they are so many times their statements.
_LONG, _OFTEN = 20_000, 64
#: So many vectors of examples are computed at once, for each eight registers; and one if there are
#: many steps, few of which wait for those before.
_STEPS = 3000
#: More products of a root and a seed than this are added up in a loop.
_SEEDS = 8
#: So many loops and steps copy outputs at most, where loops must pay.
_RUNS = 64
_IDENTITY = TABLE["identity"]
T = TypeVar("T")


class Scheduled(NamedTuple):
    """Loops in the order in which they run, and where their arrays are.

    Attributes
    ----------
    equations : Equations
    body : list of Loop or Step
    plan : Plan
    inputs : int
    outputs : slice
        As of `Nested`.
    results : int
    abreast : int
    """

    equations: Equations
    body: Body
    plan: Plan
    inputs: int
    outputs: slice
    results: int
    abreast: int


def nested(program: Program, *, always: bool = False, examples: int = 1) -> Nested | None:
    """Return a recorded program as nests, ready to run; None if it is none, see `written`."""
    return written(program, _in_llvm, always=always, examples=examples)


def _in_llvm(found: Scheduled) -> Nested:
    module, cells = print_llvm(found.body, found.plan)
    return Nested(module, found.plan.begun(cells), str(found.equations), *found[3:])


def written(
    program: Program, write: Callable[[Scheduled], T], *, always: bool = False, examples: int = 1
) -> T | None:
    """Return what is written of a recorded program, and gradients that it asks for, as loops.

    None if that is impossible, as where it is irregular, or does not pay.

    Parameters
    ----------
    program : Program
    write : callable
        Prints loops; a TraceError says that it cannot.
    always : bool
        Whether to write loops that do not pay, too.
    examples : int
        How many examples the program is of, each of which has its own inputs; several are computed
        at once.
    """
    unfolded = (unfold(program) or (None,))[0]
    if unfolded is None:
        return None
    found = _asked(columns(unfolded), always=always)
    if found is None:
        return None
    asked, tree = found
    for trees, around in _trees(asked, tree):
        with suppress(TraceError):  # no order of loops computes it
            return write(_Writer(asked, trees, around, examples, always=always).run())
    return None


def _asked(found: NodeColumns, *, always: bool) -> tuple[_Asked, Tree] | None:
    """Return what is asked of a program, and the tree of its first part; None if it does not pay.

    Parameters
    ----------
    found : NodeColumns
    always : bool
        Whether it counts as paying.
    """
    shape = None if always else shape_of(found)
    if shape and _stays_packed(found, shape):
        return None
    asked = _Asked(found)
    if not all(map(_is_written, asked.parts)):
        return None
    tree = find(asked.parts[0].recording)
    if tree is None or (shape and not _pays(found.before, shape, tree)):
        return None
    return asked, tree


def _trees(asked: _Asked, tree: Tree) -> Iterator[tuple[Sequence[Tree | None], bool]]:
    """Yield trees of all parts, and whether borders may be cells around results, to be tried."""
    others = [part.recording for part in asked.parts[1:]]
    nested_loops = [tree, *map(find, others)]
    yield nested_loops, True
    yield [find_flat(part.recording) for part in asked.parts], True
    yield nested_loops, False


def _stays_packed(found: NodeColumns, shape: Shape) -> bool:
    """Return whether packing is as good: there is little to save, or there are large layers.

    What is asked beside the values makes no difference, so that they have the same digits.
    """
    few = found.before < _LEAST
    layers = has_long_sums(found) and shape.groups * _LAYERED < shape.nodes
    return few or (layers and shape.depth > _DEEP)


def _pays(nodes: int, shape: Shape, tree: Tree) -> bool:
    """Return whether statements are few, and packing is slow or a run of the tree fast."""
    statements = len(tree.statements)
    if nodes < max(_TIMES * statements, statements + _LEAST):
        return False
    is_narrow = shape.depth > _DEEP and shape.groups * _NARROW > shape.nodes
    is_long = nodes >= max(_LONG, _OFTEN * statements)
    return is_narrow or is_long or (nodes >= _MANY and work(tree) < _FAST * nodes)


def _is_written(part: _Part) -> bool:
    """Return whether all operations of a part can be written."""
    used = (part.recording.table[k] for k in {*part.recording.codes.tolist()})
    return all(op is DETACH or (isinstance(op, Elementwise) and can_write(op)) for op in used)


class _Part(NamedTuple):
    """A part of a program without gradients in it.

    Attributes
    ----------
    recording : Recording
    given : list of int
        The nodes that are its inputs.
    results : list of int
        The nodes of it that are read elsewhere.
    places : list of int
        Where they are in the recording.
    """

    recording: Recording
    given: list[int]
    results: list[int]
    places: list[int]


class _Sweep(NamedTuple):
    """A gradient.

    Attributes
    ----------
    roots : list of (int, int)
        What is differentiated: the sum of the products of these roots and seeds.
    wrt : dict from int to int
        For each node that is a derivative, with respect to which node.
    """

    roots: list[tuple[int, int]]
    wrt: dict[int, int]


class _Asked:
    """What is asked of a program.

    Attributes
    ----------
    sweeps : list of _Sweep
    points : list of int
        The nodes that are no inputs and that derivatives are taken with respect to. What reads
        them reads further inputs, which hold the same.
    inputs : dict from int to int
        Copies of inputs that alone read them, with these.
    parts : list of _Part
        What gradients are taken of, and what is computed with gradients, if anything.
    """

    def __init__(self, found: NodeColumns) -> None:
        self.found, self.program = found, found.program
        self.sweeps: list[_Sweep] = []
        self.points: list[int] = []
        self.inputs: dict[int, int] = {}
        places = zip(found.gradients, found.written.args_with(ADJOINT), strict=True)
        sweeps: dict[tuple[int, ...], _Sweep] = {}
        for x, (wrt, *seeds) in places:
            pairs = [*zip(seeds[::2], seeds[1::2], strict=True)]
            sweeps.setdefault(tuple(seeds), _Sweep(pairs, {})).wrt[x] = wrt
        self.sweeps = [*sweeps.values()]
        self._choose_points()
        self.parts = self._parts()

    def _choose_points(self) -> None:
        found, program, nodes = self.found, self.program, self.found.written
        reads = np.bincount(found.operands[found.kinds == GIVEN], minlength=program.inputs)
        for x in {x: None for sweep in self.sweeps for x in sweep.wrt.values()}:
            if x < program.inputs:
                self.inputs[x] = x
            elif x not in program.constants:
                op, args = nodes.table[nodes.codes[x]], nodes.args_of(x)
                if op is _IDENTITY and args[0] < program.inputs and reads[args[0]] == 1:
                    self.inputs[x] = args[0]
                else:
                    self.points.append(x)

    def _parts(self) -> list[_Part]:
        found, program = self.found, self.program
        place = np.full(len(program), -1)
        place[found.nodes] = np.arange(len(found))
        nodes = {*program.outputs, *self.points}
        nodes.update(x for sweep in self.sweeps for pair in sweep.roots for x in pair)
        begin, parts = found.before, list[_Part]()
        if begin < len(found):
            read = distinct(found.operands[found.first[begin] :])
            is_read = (place[read] < begin) & ~np.isin(read, [*program.constants])
            given = read[is_read].tolist()
            nodes.update(given)
            parts.append(_part(found, slice(begin, len(found)), given, place, nodes))
        inputs = [*range(program.inputs)]
        first = _part(found, slice(0, begin), [*inputs, *self.points], place, nodes)
        return [first, *parts]


def _part(
    found: NodeColumns, span: slice, given: list[int], place: Integers, nodes: set[int]
) -> _Part:
    """Return the nodes at some places as a part; of its results, `nodes` are read elsewhere."""
    results = sorted(x for x in nodes if span.start <= place[x] < span.stop)
    at = (place[results] - span.start).tolist() if results else []
    return _Part(recording_of(found, span, given), given, results, at)


class _Writer:
    """Writes what is asked of equations, and prints all of it."""

    def __init__(
        self,
        asked: _Asked,
        trees: Sequence[Tree | None],
        around: bool,
        examples: int,
        *,
        always: bool,
    ) -> None:
        self.always = always
        self.asked, self.trees, self.around, self.examples = asked, trees, around, examples
        self.program = asked.program
        late = asked.parts[1].given if len(asked.parts) > 1 else ()
        of_gradients = {x for sweep in asked.sweeps for x in sweep.wrt}
        #: The outputs, then the gradients that others are computed from.
        self.nodes = [*self.program.outputs, *(x for x in late if x in of_gradients)]
        self.outputs = Array("y", (len(self.nodes),), "out")
        self.given = Array("p", (self.program.given,), "in")
        self.cells: dict[int, Arg] = {}

    def run(self) -> Scheduled:
        """Write the outputs, and the gradients."""
        asked, b = self.asked, Builder(Equations([self.given, self.outputs], []))
        inputs = self.given
        if asked.points:
            inputs = b.array("q", (len(asked.parts[0].given),))
        self._write_part(b, 0, inputs)
        after = asked.parts[1].given if len(asked.parts) > 1 else []
        further = b.array("g", (len(after),), "out") if after else None
        if asked.points:
            self._copy(b, inputs, enumerate(asked.parts[0].given))
        of_gradients = {x for sweep in asked.sweeps for x in sweep.wrt}
        outputs = [*enumerate(self.nodes)]
        late = {*of_gradients, *(asked.parts[1].results if after else ())}
        self._copy(b, self.outputs, ((k, x) for k, x in outputs if x not in late))
        if further:
            known = ((k, x) for k, x in enumerate(after) if x not in of_gradients)
            self._copy(b, further, known)
        losses = [self._loss(b, sweep) for sweep in asked.sweeps]
        values = equations = contract(simplify(b.program(checks=not asked.sweeps)))
        if asked.sweeps:
            for loss, sweep in zip(losses, asked.sweeps, strict=True):
                equations = self._differentiated(equations, loss, sweep, inputs)
            b = Builder(equations)
            self._copy(b, self.outputs, ((k, x) for k, x in outputs if x in of_gradients))
            equations = contract(simplify(b.program(checks=not further)), values.arrays)
            if further:
                before, b = equations.arrays, Builder(equations)
                self._copy(b, further, ((k, x) for k, x in enumerate(after) if x in of_gradients))
                self._write_part(b, 1, further)
                self._copy(b, self.outputs, ((k, x) for k, x in outputs
                                             if x in late - of_gradients))  # fmt: skip
                equations = contract(simplify(b.program()), before)
        return self._scheduled(equations)

    def _write_part(self, b: Builder, k: int, inputs: Array) -> None:
        """Write a part, and note the cells of its results."""
        part, tree = self.asked.parts[k], self.trees[k]
        cells = None
        if tree is not None:
            cells = to_equations(tree, b, inputs, part.places, around=self.around)
        if cells is None:
            raise TraceError("no loops are found, or an operand reads too many things by turns")
        self.cells.update(zip(part.results, cells, strict=True))

    def _differentiated(
        self, equations: Equations, loss: Array, sweep: _Sweep, inputs: Array
    ) -> Equations:
        """Write a gradient, and note the cells of the derivatives."""
        number = {x: k for k, x in enumerate(self.asked.parts[0].given)}
        number.update((x, number[of]) for x, of in self.asked.inputs.items())
        wanted = {x: number[of] for x, of in sweep.wrt.items() if of in number}
        self.cells.update((x, 0.0) for x in sweep.wrt if x not in wanted)
        if wanted:
            places = range(min(wanted.values()), max(wanted.values()) + 1)
            equations, slopes = gradient(equations, Access(loss), [inputs], places)
            for x, k in wanted.items():
                self.cells[x] = Access(slopes[inputs], (Index(k - places.start),))
        return equations

    def _cell(self, node: int) -> Arg:
        if node in self.cells:
            return self.cells[node]
        if node < self.program.inputs:
            return Access(self.given, (Index(node),))
        return self.program.constants[node]

    def _loss(self, b: Builder, sweep: _Sweep) -> Array:
        """Write the sum of the products of roots and seeds, and return it."""
        loss = b.array("loss", (), "out")
        if len(sweep.roots) > _SEEDS:
            roots, seeds = (b.array(name, (len(sweep.roots),)) for name in ("roots", "seeds"))
            for array, nodes in zip((roots, seeds), zip(*sweep.roots, strict=True), strict=True):
                self._copy(b, array, enumerate(nodes))
            with b.loop(len(sweep.roots)) as k:
                seed = b.step(DETACH, (Access(seeds, (as_index(k),)),))
                factors = Access(roots, (as_index(k),)), seed
                b.append(Step(Access(loss), TABLE["mul"], factors, ADD))
            return loss
        total: Arg | None = None
        for root, of in sweep.roots:
            x, factor = self._cell(root), self._cell(of)
            if isinstance(factor, Access):
                factor = b.step(DETACH, (factor,))
            x = x if factor == 1.0 else b.step(TABLE["mul"], (factor, x))
            total = x if total is None else b.step(TABLE["add"], (total, x))
        assert total is not None
        b.append(Step(Access(loss), _IDENTITY, (total,)))
        return loss

    def _copy(self, b: Builder, to: Array, nodes: Iterable[tuple[int, int]]) -> None:
        """Copy nodes to cells of an array, in loops where they are evenly apart."""
        cells = {k: self._cell(x) for k, x in nodes}
        places, count = [*cells], 0
        while places:
            size, strides = _run(places, cells)
            first, x = places[0], cells[places[0]]
            if size == 1:
                b.append(Step(Access(to, (Index(first),)), _IDENTITY, (x,)))
            else:
                assert isinstance(x, Access)
                with b.loop(size) as k:
                    at = tuple(i + j * k for i, j in zip(x.indices, strides, strict=True))
                    b.append(Step(Access(to, (k + first,)), _IDENTITY, (Access(x.array, at),)))
            del places[:size]
            count += 1
            if count > _RUNS and not self.always:
                raise TraceError(f"more than {_RUNS} numbers are in no order")

    def _scheduled(self, equations: Equations) -> Scheduled:
        from scalargrad.compiler.backend.llvm.target import registers

        row, given, outputs = 1, self.given, self.outputs
        if self.examples > 1:
            steps = sum(1 for _ in statements(equations.body))
            most = CLASSES if steps > _STEPS else CLASSES * registers() // 8
            row = min(CLASSES << ((self.examples - 1) // CLASSES).bit_length(), most)
            equations, rows = abreast(equations, row)
            given, outputs = rows[given], rows[outputs]
        equations, ordered = directed(equations)
        body, fastest = arranged(ordered, registers())
        whole, body, fastest = packed(equations, body, fastest)
        places = plan(whole, body, fastest)
        first = (places.offsets[outputs] - places.offsets[given]) // row
        found = slice(first, first + len(self.nodes))
        count = len(self.program.outputs)
        return Scheduled(equations, body, places, self.program.given, found, count, row)


def abreast(program: Equations, row: int) -> tuple[Equations, dict[Array, Array]]:
    """Return equations for so many examples, with the rows that arrays of one number became."""
    var = Var("e", Index(row))
    rows = {a: Array(a.name, (*a.shape, row), a.kind) for a in program.arrays if a.data is None}

    def of_example(x: Arg) -> Arg:
        if not isinstance(x, Access) or x.array not in rows:
            return x
        return Access(rows[x.array], (*x.indices, as_index(var)))

    def one(step: Step) -> Step:
        out = of_example(step.out)
        assert isinstance(out, Access)
        return Step(out, step.op, tuple(map(of_example, step.args)), step.how)

    body: Body = [Loop(var, [x]) for x in replaced(program.body, one)]
    return Equations([rows.get(a, a) for a in program.arrays], body), rows


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
