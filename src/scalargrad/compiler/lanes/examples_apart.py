"""Cut a program at its vmap, if the examples are long recurrences: they stay loops.

What has lanes is the program of one example, which becomes nests by itself and is run for several
examples at once. All else is packed: it reads the results of the examples from an array. Gradients
through the examples take three sweeps. The first, outside, ends at the results of the examples; the
second goes through each example, from what the first has left at its results to the numbers that it
reads; the third, outside again, starts from the sums of these. If the first reads no result, as in
a mean of losses, the examples run once, else once for their results and once for their gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags
from scalargrad.compiler.lanes.examples_found import FoundExamples, find_examples
from scalargrad.compiler.lanes.examples_outside import Outside, derived
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.packing.groups import with_terms_in_order
from scalargrad.compiler.passes.differentiate import Dependents, Seeds, differentiate, is_detached
from scalargrad.compiler.passes.expressions import ADD, IDENTITY, MUL
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    UNBATCH,
    Held,
    Stacked,
    Total,
    of_lanes,
)
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.segments import Column, Examples, Segments, Singles
from scalargrad.compiler.passes.splitter import Splitter
from scalargrad.compiler.passes.sum_of_products import sum_of_products

#: What a sweep sends to a node that the examples read: to each of them, the column of what it gets;
#: to a single number, the cell of the sum.
Signal = tuple[int, int | Column]


def examples_apart(program: Program) -> Segments | None:
    """Return a recorded program with its examples as loops; None if it has none, or other ones."""
    found = find_examples(program)
    return None if found is None else _Cutter(found).cut()


def _without_loops(one: Program) -> Program:
    """Return the program of an example, ready to be packed."""
    return lower(differentiate(sum_of_products(one.copy())))


def _reached(program: Program, roots: Sequence[int]) -> Flags:
    """Return the nodes that roots depend on; others send nothing, not even 0 · inf."""
    nodes = program.nodes()
    return nodes.cut_off(nodes.where(is_detached)).needed(roots)


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
    outside: Outside
    program: Program


class _Cutter(Splitter):
    """Lays out the steps. What examples read and result in are columns of the store."""

    def __init__(self, of: FoundExamples) -> None:
        super().__init__(of.program, of.program.sizes())
        self.of = of
        self.singles, self.stacks = of.read[: of.singles], of.read[of.singles :]

    def cut(self) -> Segments | None:
        """Return the steps; None if the examples, or a sweep through them, have no nests."""
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
        program = derived(outside, [*map(outside.operand, asked)])
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
            if program.ops[x] is IDENTITY and program.args[x][0] in self.where:
                self.where[x] = self.where[program.args[x][0]]
        asked = [x for x in found if x not in self.where and x not in program.constants]
        if asked:
            outside = Outside(self.of, asked)
            out = self._step(outside, derived(outside, [outside.new[x] for x in asked]), len(asked))
            self.where.update((x, out + k) for k, x in enumerate(asked))

    def _around(self, asked: Sequence[int], more: Sequence[int] = ()) -> Outside:
        """Return a copy of what is before the examples, and the results of these."""
        outside = Outside(self.of, asked, more)
        outside.take_results(self.columns, self.sizes)
        return outside

    def _step(self, outside: Outside, program: Program, count: int) -> int:
        """Compute the outputs of a program, `count` numbers; return the cell of the first."""
        out = self.room(count)
        self.found.steps.append(Singles(with_terms_in_order(lower(program)), outside.reads(), out))
        return out

    def _examples(
        self, one: Program, nests: Nested, totals: int, more: Sequence[Column]
    ) -> tuple[list[Column], int]:
        """Run examples, which also read `more` columns.

        Return the columns of what is kept, and the cell of the first total.
        """
        lanes, columns = self.of.lanes, [*(self.columns[x] for x in self.stacks), *more]
        count = len(one.outputs) - totals
        out, kept, reads = self.room(totals), self.room(lanes * count), self.cells(self.singles)
        given = nests, partial(_without_loops, one), reads, columns, totals, out, kept
        self.found.steps.append(Examples(lanes, *given))
        return [Column(kept + lanes * k, 1) for k in range(count)], out

    def _nests(self, one: Program) -> Nested | None:
        """Return nests for several examples; None if they have no nests."""
        from scalargrad.compiler.nests.compile_nests import nested

        return nested(one, examples=self.of.lanes)

    def _results(self) -> list[Column] | None:
        """Run examples for their results alone; None if they have no nests."""
        nests = self._nests(self.of.one)
        if nests is None:
            return None
        columns, _ = self._examples(self.of.one, nests, 0, [])
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
        return _Signals(sent, outside, derived(outside, arrived))

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
        have no nests. With signals known beforehand, the examples also return their results.
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
        nests = self._nests(one)
        if nests is None:
            return None
        signals = [Column(out + of.lanes * k, 1) for k in range(len(sent))]
        columns, first = self._examples(one, nests, totals, signals)
        self.columns.update(zip(of.results, columns[: len(kept)], strict=False))
        places = [*range(first, first + totals), *columns[len(kept) :]]
        return [(of.read[k], x) for k, x in zip(wanted, places, strict=True)]

    def _root(self, outside: Outside, found: Sequence[Signal]) -> int:
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
