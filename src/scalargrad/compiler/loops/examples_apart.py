"""Cut a program at its vmap, if the examples are long recurrences: they stay loops.

What has lanes is the program of one example, which is rolled by itself and run for several examples
at once. All else is packed: it reads the results of the examples from an array. Gradients through
the examples take three sweeps. The first, outside, ends at the results of the examples; the second
goes through each example, from what the first has left at its results to the numbers that it reads;
the third, outside again, starts from the sums of these. If the first reads no result, as in a mean
of losses, the examples run once, else once for their results and once for their gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate, compress
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Addresses, Flags, Integers
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.packing.groups import with_terms_in_order
from scalargrad.compiler.passes.differentiate import Dependents, Seeds, differentiate, is_detached
from scalargrad.compiler.passes.expressions import ADD, MUL, NEG, SUB
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    INPUT,
    UNBATCH,
    Held,
    Stacked,
    Total,
    has_lanes,
    makes_lanes,
    of_lanes,
)
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.part_copy import PartCopy
from scalargrad.compiler.passes.program import Program, without_dead_nodes
from scalargrad.compiler.passes.recorded_program import RecordedProgram
from scalargrad.compiler.passes.segments import Column, ExampleLoops, Segments, Singles
from scalargrad.compiler.passes.splitter import Splitter
from scalargrad.compiler.passes.sum_of_products import sum_of_products
from scalargrad.ops import TABLE
from scalargrad.table.operation import Operation

#: The fewest instructions of an example: fewer are packed in half a second, and then run up to
#: twice as fast.
_INSTRUCTIONS = 4_000
#: Instructions that read more numbers than this, in the mean, are those of layers.
_WIDE = 4.75
#: The most single numbers that each example computes for itself and that are read elsewhere too:
#: as all results of examples, they are kept for each.
_SHARED_RESULTS = 64

_SUMS = {ADD, SUB, NEG}
_IDENTITY = TABLE["identity"]


def examples_apart(program: Program) -> Segments | None:
    """Return a recorded program with its examples as loops; None if it has none, or other ones."""
    nodes = program.nodes()
    if len(nodes) < _INSTRUCTIONS or not has_lanes(nodes.table) or _is_of_layers(nodes):
        return None
    found = _find(program.copy())  # a recording, which threads share, keeps lists made of it
    return None if found is None else _Cutter(found).cut()


def _in_sums(nodes: Nodes) -> Flags:
    """Return which nodes take no instruction of their own: terms that a sum alone reads."""
    sums, users = nodes.where(lambda op: op in _SUMS), nodes.users()
    found = np.zeros(len(nodes), np.bool_)
    found[nodes.operands[sums[users]]] = True
    found &= sums | nodes.where(lambda op: op is MUL) | (np.diff(nodes.first) > _WIDE)
    found &= np.bincount(nodes.operands, minlength=len(nodes)) == 1
    return found


def _is_of_layers(nodes: Nodes) -> bool:
    """Return whether instructions read many numbers, as those of sums in layers of a network do.

    Layers run as fast packed, or faster: as products of matrices.
    """
    computed, within = nodes.where(lambda op: isinstance(op, Operation)), _in_sums(nodes)
    read = np.diff(nodes.first)[computed].sum() - np.count_nonzero(within)
    return bool(read > _WIDE * np.count_nonzero(computed & ~within))


def _may_pay(nodes: Nodes, own: Flags) -> bool:
    """Return whether examples take many instructions, and more than all else."""
    computed = nodes.where(lambda op: isinstance(op, Operation))
    instructions = np.count_nonzero(own & computed & ~_in_sums(nodes))
    outside = np.count_nonzero(computed & ~own & ~nodes.where(lambda op: op is _IDENTITY))
    return bool(instructions >= _INSTRUCTIONS and outside < np.count_nonzero(own))


#: What a sweep sends to a node that the examples read: to each of them, the column of what it gets;
#: to a single number, the cell of the sum.
Signal = tuple[int, int | Column]


class _Found(NamedTuple):
    """A program, and the examples in it.

    Attributes
    ----------
    lanes : int
        The number of examples.
    own : flags
        The nodes of the examples: those with lanes, and single numbers that only they are computed
        from.
    after : list of int
        The other nodes that depend on the examples.
    read : list of int
        What the examples read: single numbers, then nodes of a number for each example.
    singles : int
        How many of these are single numbers.
    results : list of int
        The nodes of the examples that are read elsewhere, or outputs.
    sweeps : dict
        The gradients that flow through the examples: by seeds, the nodes of ADJOINT.
    one : Program
        An example: a program of `read`, with `results` as its outputs.
    """

    program: Program
    lanes: int
    own: Flags
    after: list[int]
    read: list[int]
    singles: int
    results: list[int]
    sweeps: dict[Seeds, list[int]]
    one: Program


def _find(program: Program) -> _Found | None:
    nodes, sizes = program.nodes(), np.array(program.sizes())
    makes, constant = nodes.where(makes_lanes), nodes.where(lambda op: op is CONSTANT)
    lanes, has_lane = np.unique(sizes[sizes > 1]), (sizes > 1) & ~makes
    if len(lanes) != 1 or np.count_nonzero(has_lane) < _INSTRUCTIONS:
        return None
    users, operands = nodes.users(), nodes.operands
    found = _after(program, has_lane)
    if found is None:
        return None
    own = has_lane | _shared(program, has_lane, found[0])
    found = _after(program, own)
    if found is None or not _may_pay(nodes, own):
        return None
    after, sweeps = found
    results = _leaving(program, own).tolist()
    outer = np.unique(operands[own[users] & ~own[operands]])
    outer = outer[~constant[outer]]
    singles, stacks = outer[sizes[outer] == 1].tolist(), outer[sizes[outer] > 1].tolist()
    read = [*singles, *stacks]
    if not {*after}.isdisjoint(read):
        return None
    one = _one_example(program, nodes, own, read, results)
    return _Found(program, int(lanes[0]), own, after, read, len(singles), results, sweeps, one)


def _leaving(program: Program, own: Flags) -> Integers:
    """Return the nodes of the examples that are read elsewhere, or outputs."""
    nodes, outputs = program.nodes(), np.array(program.outputs, np.int64)
    read = nodes.operands[~own[nodes.users()]]
    found: Integers = np.unique(np.concatenate([read[own[read]], outputs[own[outputs]]]))
    return found


def _after(program: Program, own: Flags) -> tuple[list[int], dict[Seeds, list[int]]] | None:
    """Return which other nodes depend on those of examples, and the sweeps through these.

    None if such a sweep reads what another has computed.
    """
    ops, inside = program.ops, bytearray(own)
    after, derived = bytearray(len(ops)), bytearray(len(ops))
    sweeps: dict[Seeds, list[int]] = {}
    for x in np.flatnonzero(~own).tolist():
        args = program.args[x]
        after[x] = any(inside[y] or after[y] for y in args)
        derived[x] = any(derived[y] for y in args)
        if after[x] and ops[x] is ADJOINT:
            if derived[x] or any(inside[y] for y in args):
                return None
            derived[x] = True
            sweeps.setdefault(args[1:], []).append(x)
    return [x for x, is_after in enumerate(after) if is_after], sweeps


def _shared(program: Program, has_lane: Flags, after: list[int]) -> Flags:
    """Return which single numbers are computed for the examples: each computes its own.

    They may be in a loop, such as -k in each of its steps. What depends on examples, and by what
    derivatives are taken, is not among them; nor is any if many of them are read elsewhere.
    """
    nodes = program.nodes()
    given = nodes.where(lambda op: op in {INPUT, CONSTANT, ADJOINT} or makes_lanes(op))
    shared = ~(given | has_lane)
    shared[after] = False
    shared[[args[0] for args in nodes.args_with(ADJOINT)]] = False
    within = nodes.cut_off(~(shared | has_lane))
    shared &= within.needed(_leaving(program, has_lane).tolist())
    read = np.count_nonzero(shared[_leaving(program, shared | has_lane)])
    return shared if read <= _SHARED_RESULTS else np.zeros_like(shared)


def _one_example(
    program: Program, nodes: Nodes, own: Flags, read: list[int], results: list[int]
) -> Program:
    table, codes = [*nodes.table, INPUT], nodes.codes.copy()
    codes[read] = len(table) - 1
    kept = own.copy()
    kept[nodes.operands[own[nodes.users()]]] = True  # constants, too
    kept[read] = False
    count = len(read) + int(np.count_nonzero(kept))
    places = np.full(len(nodes), -1)
    places[read], places[kept] = np.arange(len(read)), np.arange(len(read), count)
    bare = nodes.cut_off(~own)
    chosen = Nodes(table, codes, bare.first, bare.operands).chosen(places, count)
    constants = {int(places[x]): y for x, y in program.constants.items() if places[x] >= 0}
    return RecordedProgram(len(read), chosen, constants, places[results].tolist())


class _Outside(PartCopy):
    """A copy of nodes outside the examples, which may read what these have computed.

    Parameters
    ----------
    asked : sequence of int
        The nodes for whose sake others are copied.
    more : sequence of int
        Cells of the store that are inputs besides those of the program.
    """

    def __init__(self, of: _Found, asked: Sequence[int], more: Sequence[int] = ()) -> None:
        program, nodes = of.program, of.program.nodes()
        super().__init__(program, program.inputs + len(more))
        self.of, self.more = of, more
        self._needed = nodes.cut_off(of.own).needed(asked)
        self.input_of = {cell: program.inputs + k for k, cell in enumerate(more)}
        self.new = {x: x for x in range(program.inputs)}
        self.columns: list[Column] = []
        self.results: dict[int, int] = {}
        before = self._needed & ~of.own
        before[of.after] = False
        self._stacks = nodes.where(lambda op: isinstance(op, Stacked))
        before &= ~self._stacks  # most are read by examples alone
        for x in np.flatnonzero(before).tolist():
            if program.ops[x] is not CONSTANT and program.ops[x] is not INPUT:
                self.copy(x, of.lanes)

    def column(self, column: Column) -> int:
        """Return a node with the numbers of a column, which is given besides the inputs."""
        place = self.constant(float(self.program.stacked)), self.constant(1.0)
        self.program.stacked += self.of.lanes
        self.columns.append(column)
        return self.append(of_lanes(Stacked, self.of.lanes), place)

    def take_results(self, columns: Mapping[int, Column], sizes: Sequence[int]) -> None:
        """Let results of the examples be given; of single numbers, each example has the same."""
        for x in self.of.results:
            node = self.results[x] = self.column(columns.get(x, _ANY))
            single = sizes[x] == 1
            self.new[x] = self.append(UNBATCH, (node, self.constant(0.0))) if single else node

    def place(self, result: int) -> float:
        """Return where the numbers of a result begin among all that are given."""
        return self.program.constants[self.program.args[self.results[result]][0]]

    def operand(self, node: int) -> int:
        """Return the copy of a node; numbers of an array are given once something reads them."""
        if node not in self.new and self._stacks[node]:
            first, step = (int(self.source.constants[x]) for x in self.source.args[node])
            self.new[node] = self.column(Column(self.source.inputs + first, step))
        return super().operand(node)

    def adjoint(self, of: int, *seeds: int) -> int:
        """Write a gradient by a node of the copy, from seeds given as nodes of the source."""
        return self.append(ADJOINT, (of, *map(self.operand, seeds)))

    def copy_after(self, roots: Mapping[Seeds, int]) -> None:
        """Copy what depends on the examples.

        Parameters
        ----------
        roots : mapping
            For sweeps through examples, a node with the gradients that these add. Without it,
            nothing is copied of what depends on the sweep.
        """
        program = self.source
        for x in compress(self.of.after, self._needed[self.of.after]):
            args = program.args[x]
            if program.ops[x] is ADJOINT:
                if args[1:] in roots:
                    through = self.new[args[0]], roots[args[1:]], self.constant(1.0)
                    direct = self.adjoint(self.new[args[0]], *args[1:])
                    both = direct, self.append(ADJOINT, through)
                    self.new[x] = self.append(ADD, both)
            elif all(y in self.new or y in program.constants or self._stacks[y] for y in args):
                self.copy(x, self.of.lanes)

    def reads(self) -> Addresses:
        """Return the cells of all that is given."""
        columns = [first + step * np.arange(self.of.lanes) for first, step in self.columns]
        own = np.arange(self.source.inputs), np.array(self.more, np.int64)
        return np.concatenate([*own, *columns])


def _without_loops(one: Program) -> Program:
    """Return the program of an example, ready to be packed."""
    return lower(differentiate(sum_of_products(one.copy())))


def _reached(program: Program, roots: Sequence[int]) -> Flags:
    """Return the nodes that roots depend on; others send nothing, not even 0 · inf."""
    nodes = program.nodes()
    return nodes.cut_off(nodes.where(is_detached)).needed(roots)


def _derived(outside: _Outside, outputs: list[int]) -> Program:
    """Return the program of these nodes, its derivatives written out."""
    outside.program.outputs = outputs
    return differentiate(sum_of_products(without_dead_nodes(outside.program)))


class _Signals(NamedTuple):
    """What computes the error signals at the results of the examples.

    Attributes
    ----------
    sent : list of int
        The results that a sweep sends signals to.
    outside, program
        What reads the cells, and the program of them, one output for each result.
    """

    sent: list[int]
    outside: _Outside
    program: Program


#: Stands for the numbers of results that are not known yet: any, of which nothing is read.
_ANY = Column(0, 0)


class _Cutter(Splitter):
    """Lays out the steps. What examples read and result in are columns of the store."""

    def __init__(self, of: _Found) -> None:
        super().__init__(of.program, of.program.sizes())
        self.of = of
        self.singles, self.stacks = of.read[: of.singles], of.read[of.singles :]

    def cut(self) -> Segments | None:
        """Return the steps; None if the examples, or a sweep through them, cannot be rolled."""
        of = self.of
        self._before()
        for x in self.stacks:
            self.batch(x)
        at_once = self._at_once()
        if at_once is None and self._results() is None:
            return None
        swept: dict[Seeds, list[Signal]] = {}
        for seeds in of.sweeps:
            found = self._swept(seeds, at_once)
            if found is None:
                return None
            swept[seeds] = found
        self._settle(swept)
        asked = [x for x in dict.fromkeys(self.program.outputs) if not self._is_there(x)]
        if asked:
            self._compute(asked, swept)
        self.finish()
        return self.found

    def _settle(self, swept: Mapping[Seeds, list[Signal]]) -> None:
        """Find the gradients of what examples alone read, lane by lane: as a sweep left them."""
        program, nodes = self.program, self.program.nodes()
        users, operands = nodes.users(), nodes.operands
        reading = nodes.where(lambda op: op is not ADJOINT)[users]
        uses = np.bincount(operands[reading], minlength=len(nodes))
        outside = np.bincount(operands[reading & ~self.of.own[users]], minlength=len(nodes))
        for seeds, signals in swept.items():
            cells = {
                x: column.first + lane
                for stack, column in signals
                if isinstance(column, Column) and program.ops[stack] is BATCH and not outside[stack]
                for lane, x in enumerate(program.args[stack])
                if uses[x] == 1 and x not in seeds
            }
            wrt = ((x, program.args[x][0]) for x in self.of.sweeps[seeds])
            self.columns.update((x, Column(cells[y], 1)) for x, y in wrt if y in cells)

    def _compute(self, asked: list[int], swept: Mapping[Seeds, list[Signal]]) -> None:
        """Compute what is asked outside, after the examples."""
        needed = self.program.nodes().needed(asked)
        wrt = {
            self.program.args[x][0] for found in self.of.sweeps.values() for x in found if needed[x]
        }
        moving = self._moving(wrt)
        read = {seeds: [x for x in signals if moving[x[0]]] for seeds, signals in swept.items()}
        sent = [x for found in read.values() for x in found]
        cells = [x for _, x in sent if isinstance(x, int)]
        outside = self._around([*asked, *(x for x, _ in sent)], cells)
        outside.copy_after({k: self._root(outside, x) for k, x in read.items()})
        program = _derived(outside, [*map(outside.operand, asked)])
        ends = [*accumulate([self.sizes[x] for x in asked], initial=0)]
        out = self._step(outside, program, ends.pop())
        self.columns.update((x, Column(out + k, 1)) for x, k in zip(asked, ends, strict=True))

    def _moving(self, wrt: Iterable[int]) -> bytearray:
        """Return which of what the examples read, and of the nodes before, depend on some nodes."""
        dependents = Dependents(self.program, [*wrt], beyond=is_detached)
        return dependents.up_to(max(self.of.read))

    def _is_there(self, x: int) -> bool:
        """Return whether a node is in the store: a gradient, or what an example results in."""
        if self.program.ops[x] is ADJOINT:
            return x in self.columns
        return self.program.ops[x] is UNBATCH and self.program.args[x][0] in self.columns

    def _before(self) -> None:
        """Compute the single numbers that the examples read."""
        program, found = self.program, dict.fromkeys(self.singles)
        for x in self.stacks:
            if not isinstance(program.ops[x], Stacked):
                found.update(dict.fromkeys(program.args[x]))
        for x in found:
            if program.ops[x] is _IDENTITY and program.args[x][0] in self.where:
                self.where[x] = self.where[program.args[x][0]]
        asked = [x for x in found if x not in self.where and x not in program.constants]
        if asked:
            outside = _Outside(self.of, asked)
            out = self._step(
                outside, _derived(outside, [outside.new[x] for x in asked]), len(asked)
            )
            self.where.update((x, out + k) for k, x in enumerate(asked))

    def _around(self, asked: Sequence[int], more: Sequence[int] = ()) -> _Outside:
        """Return a copy of what is before the examples, and the results of these."""
        outside = _Outside(self.of, asked, more)
        outside.take_results(self.columns, self.sizes)
        return outside

    def _step(self, outside: _Outside, program: Program, count: int) -> int:
        """Compute the outputs of a program, `count` numbers; return the cell of the first."""
        out = self.room(count)
        self.found.steps.append(Singles(with_terms_in_order(lower(program)), outside.reads(), out))
        return out

    def _examples(
        self, one: Program, loops: Looped, totals: int, more: Sequence[Column]
    ) -> tuple[list[Column], int]:
        """Run examples, which also read `more` columns.

        Return the columns of what is kept, and the cell of the first total.
        """
        lanes, columns = self.of.lanes, [*(self.columns[x] for x in self.stacks), *more]
        count = len(one.outputs) - totals
        out, kept, reads = self.room(totals), self.room(lanes * count), self.cells(self.singles)
        given = loops, partial(_without_loops, one), reads, columns, totals, out, kept
        self.found.steps.append(ExampleLoops(lanes, *given))
        return [Column(kept + lanes * k, 1) for k in range(count)], out

    def _results(self) -> list[Column] | None:
        """Run examples for their results alone; None if they cannot be rolled."""
        loops = looped(self.of.one)
        if not isinstance(loops, Looped):
            return None
        columns, _ = self._examples(self.of.one, loops, 0, [])
        self.columns.update(zip(self.of.results, columns, strict=True))
        return columns

    def _signals(self, seeds: Seeds) -> _Signals:
        """Return what computes the error signals at the results of the examples."""
        of, outside = self.of, self._around(seeds)
        outside.copy_after({})
        reached = _reached(of.program, seeds[::2])
        sent = [x for x in of.results if reached[x]]
        ones = outside.append(Held(np.ones(of.lanes).tobytes()), ())
        arrived = [outside.adjoint(outside.results[x], *seeds) for x in sent]
        arrived = [outside.append(MUL, (ones, x)) for x in arrived]
        return _Signals(sent, outside, _derived(outside, arrived))

    def _at_once(self) -> _Signals | None:
        """Return the signals of the only sweep, if they are known before the results are."""
        if len(self.of.sweeps) != 1:
            return None
        found = self._signals(*self.of.sweeps)
        places = {found.outside.place(x) for x in self.of.results}
        program = found.program
        read = program.nodes().needed(program.outputs)
        stacked = [
            args[0]
            for op, args, is_read in zip(program.ops, program.args, read, strict=True)
            if is_read and isinstance(op, Stacked)
        ]
        return found if places.isdisjoint(program.constants[x] for x in stacked) else None

    def _swept(self, seeds: Seeds, at_once: _Signals | None) -> list[Signal] | None:
        """Send error signals back through the examples; return those of what they read.

        A single number has the sum of the signals of all examples, in a cell. None if the sweep
        cannot be rolled. With signals known beforehand, the examples also return their results.
        """
        of = self.of
        sent, outside, program = at_once or self._signals(seeds)
        out = self._step(outside, program, of.lanes * len(sent))
        moving = self._moving(self.program.args[x][0] for x in of.sweeps[seeds])
        one = of.one.with_inputs(len(sent))
        results = one.outputs
        ends = dict(zip(of.results, results, strict=True))
        roots = [ends[x] for x in sent]
        reached = _reached(one, roots)
        wanted = [k for k, x in enumerate(of.read) if moving[x] and reached[k]]
        if not (wanted or at_once):
            return []
        given = range(of.one.inputs, one.inputs)
        pairs = [x for pair in zip(roots, given, strict=True) for x in pair]
        found = [*one.add([ADJOINT] * len(wanted), [(k, *pairs) for k in wanted])]
        totals = sum(k < of.singles for k in wanted)
        kept = results if at_once else []
        one.outputs = [*found[:totals], *kept, *found[totals:]]
        loops = looped(one)
        if not isinstance(loops, Looped):
            return None
        signals = [Column(out + of.lanes * k, 1) for k in range(len(sent))]
        columns, first = self._examples(one, loops, totals, signals)
        self.columns.update(zip(of.results, columns[: len(kept)], strict=False))
        places = [*range(first, first + totals), *columns[len(kept) :]]
        return [(of.read[k], x) for k, x in zip(wanted, places, strict=True)]

    def _root(self, outside: _Outside, found: Sequence[Signal]) -> int:
        """Return Σ signal · number over what the examples read: its gradient is what they add."""
        total = outside.constant(0.0)
        for x, signal in found:
            read = outside.operand(x)
            if isinstance(signal, Column):
                pair = read, outside.column(signal)
                term = outside.append(of_lanes(Total, self.of.lanes), pair)
            else:
                term = outside.append(MUL, (read, outside.input_of[signal]))
            total = outside.append(ADD, (total, term))
        return total
