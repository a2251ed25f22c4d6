"""The recording of one run of a function, as the engine and traced numbers see it.

While a function is recorded, operations, comparisons, gradients, draws and vmap come here instead
of being evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from itertools import chain
from numbers import Number
from operator import is_
from typing import Any, TypeVar

import numpy as np

from scalargrad.comparisons import nearest_float
from scalargrad.compiler.generators import Generators
from scalargrad.compiler.passes.kinds import BATCH, DETACH, INPUT, MOST_PAIRS, ROW, TAKE, UNBATCH
from scalargrad.compiler.trace.draws import Draw
from scalargrad.compiler.trace.example_lanes import Lanes
from scalargrad.compiler.trace.nested_derivatives import Region
from scalargrad.compiler.trace.node_values import NodeValues
from scalargrad.compiler.trace.refusal import CHANGES, asking_line
from scalargrad.compiler.trace.tape import Tape
from scalargrad.compiler.trace.traced import Traced, TracedParameter
from scalargrad.compiler.trace.watching import make_leaf, watched
from scalargrad.compiler.trace.whole_arrays import Whole, is_large
from scalargrad.errors import OperandError
from scalargrad.grad_mode import Derivative, derivatives, enable_grad, recorder, run_recorded
from scalargrad.ops import TABLE, eq, identity, mul
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.transforms.draws import made_by
from scalargrad.value import Parameter, Value

R = TypeVar("R")


class Trace(Tape):
    """The recording of one run.

    Parameters
    ----------
    unrolls : bool
        Whether vmap is a loop.

    Attributes
    ----------
    wholes : list of Whole
        The arrays among the arguments that have no nodes.
    guards : dict from int to bool
        The nodes whose truth was asked for, and the answers.
    unrolls : bool
        Whether vmap is a loop, also since an example has changed something that others would, too.
    lines : list of (str, int) or None
        For each guard, the file and line that asked for it.
    branches : int
        How many of the guards are answers to Python's ``if``.
    lanes : Lanes
        Which nodes have lanes, made by vmap.
    numbers : NodeValues
        The numbers of nodes on which conditions depend.
    generators : Generators
        The random generators that the function can reach.
    """

    def __init__(
        self, *, unrolls: bool = False, following: Sequence[tuple[bool, ...]] = ()
    ) -> None:
        super().__init__()
        self._following = following
        self.wholes: list[Whole] = []
        self.guards: dict[int, bool] = {}
        self.unrolls = unrolls
        self.lines: list[tuple[str, int] | None] = []
        self.branches = 0
        self.generators = Generators()
        self.lanes = Lanes(self)
        self.numbers = NodeValues(self.columns, self.lanes, self.known)
        self._rows: dict[tuple[int, ...] | bytes, int] = {}

    def record(self, run: Callable[[], R]) -> R:
        """Run a function as the recording of this thread."""
        self.is_open = True
        try:
            with watched():
                return run_recorded(lambda: self._run(run), self)
        finally:
            self.is_open = False
            self.tables.clear()

    def _run(self, run: Callable[[], R]) -> R:
        derivatives.set((*derivatives.get(), Derivative(self._made, (), set())))
        with made_by(self._drawn):
            result = run()
        self.expect_none_left()
        self.lanes.close()
        return result

    # Inputs -----------------------------------------------------------------------------------

    def arguments(self, leaves: Iterable[Any], apart: Container[int] = ()) -> list[Any]:
        """Write the inputs for the numbers of the arguments.

        Parameters
        ----------
        leaves : iterable
            Numbers, Values and arrays of numbers.
        apart : container of int
            The leaves that get a node for each number however large they are.

        Returns
        -------
        list of Traced or WholeArray
            One for each number, or for a large array.
        """
        found: list[Any] = []
        plain: list[float] = []
        for k, x in enumerate(leaves):
            is_whole = is_large(x) and k not in apart
            if is_whole or isinstance(x, Value):
                found += self.inputs(plain)
                plain = []
                found.append(self._whole_array(x, k) if is_whole else self._stand_in(x))
            else:
                plain += map(float, x.ravel().tolist()) if hasattr(x, "ravel") else [float(x)]
        found += self.inputs(plain)
        self.given += [x.index for x in found if isinstance(x, Traced)]
        return found

    def _whole_array(self, array: Any, leaf: int) -> Any:
        made = Whole(array, leaf, sum(x.size for x in self.wholes))
        self.wholes.append(made)
        self.columns.arrays.append(array)
        return made.array()

    def _drawn(self, *call: Any, **kwargs: Any) -> Any:
        """Make a random draw, and return the input that stands for it."""
        draw = Draw.by(*call, **kwargs)
        with made_by(None):
            self.generators.note(draw)
            leaf = self.input(float(draw()), plain=True)
        self.draws.append((draw, leaf.index))
        return self.lanes.drawn(draw, leaf) if self.lanes.count else leaf

    def noted(self) -> tuple[Any, ...]:
        """Return what is noted besides nodes, conditions and tables among it."""
        return *super().noted(), len(self.guards), len(self._rows), len(self.lanes.taken)

    # What the engine asks ---------------------------------------------------------------------

    def switch_grad(self, enabled: bool) -> None:
        """Let gradients flow through what is recorded from now on, or not."""
        self.is_detaching = not enabled

    def compared(self, op: Any, x: Any, other: Any) -> Any:
        """Record a comparison by an operator, which gives a bool in eager evaluation."""
        if not (isinstance(other, Value) or is_real(other)):
            return op.number_beside(other)  # NotImplemented for an array, or an error
        if isinstance(other, int) and nearest_float(other) != other:
            self.refuse(
                f"a number was compared with {shown(other)}, an integer that no float equals,",
                "compare it with a float",
            )
        made = self.node(op, (x, other))
        self.plainness.mark_truth(made.index)
        return made

    def equal(self, x: Any, other: Any, op: Any) -> Any:
        """Record ``==``: of numbers if one is plain in eager evaluation, else of identity."""
        self.questions += 1
        if x is other and not self.plainness.of(x.index):
            return op is eq
        if is_real(other):
            return self.compared(op, x, other)
        if isinstance(other, Number):
            self.refuse(f"a number was compared with {shown(other)}", "compare it with a float")
        if not isinstance(other, Value):
            return NotImplemented
        first, second = (self.lanes.origin(self.refer(v, op)) for v in (x, other))
        if self.plainness.of(first) or self.plainness.of(second):
            return self.compared(op, x, other)
        if first != second and self.ops[first] is INPUT and self.ops[second] is INPUT:
            self.refused("identity")
        return (first == second) is (op is eq)

    def name(self, x: Any, other: Any) -> None:
        """Let `x`, a new Value, stand for `other`, which is plain in eager evaluation."""
        index = self.refer(other, identity)
        if not self.plainness.of(index):
            raise OperandError("Value() of a Value would lose its graph: use it as it is")
        if hasattr(x, "label") and x not in self._made:
            self.refused("data assigned")
        make_leaf(x)
        self.stands_for(x, self.leaf(identity, other).index)

    def copy_of(self, x: Any) -> Any:
        """Return a new leaf with the number of a leaf."""
        return self.leaf(DETACH, x, TracedParameter if isinstance(x, Parameter) else Traced)

    def take(self, values: Any, index: Any) -> Any:
        """Record a lookup: the entry of `values` at a traced index."""
        return self.traced(TAKE, (self.refer(index, identity), self._row(values)))

    def _row(self, values: Any) -> int:
        """Return the row of a table, written once for all lookups in it.

        A table that was met before is known without a loop over its entries, as lookups are many:
        by the very Values, or by the bits of plain floats.
        """
        known, row = self.tables.get(id(values[0]), ((), -1))
        if len(known) == len(values) and all(map(is_, known, values)):
            return row
        are_floats = {*map(type, values)} <= {float, np.float64}
        key = np.array(values, float).tobytes() if are_floats else self._entries(values)
        if key not in self._rows:
            self._rows[key] = self.write(ROW, self._entries(values))
        if isinstance(values[0], Value):
            self.tables[id(values[0])] = [*values], self._rows[key]
        return self._rows[key]

    def _entries(self, values: Any) -> tuple[int, ...]:
        for x in values:
            if not (isinstance(x, Value) or is_real(x)):
                self.refuse(
                    f"take was given an entry of type {type(x).__name__}",
                    "choose among numbers, Values and rows of them, or make the index static, "
                    "as in jit(f, static_argnames='i')",
                )
        return tuple([self.refer(x, identity) for x in values])

    def gradients(self, y: Any, xs: list[Any], create_graph: bool, allow_nonfinite: bool) -> Any:
        """Record ∂y/∂x for each x; 0.0 if y does not depend on it."""
        root = self.refer(y, identity)
        ops, nodes = self.ops, [self.refer(x, identity) for x in xs]
        wrt = [self.lanes.origin(x) if ops[x] is UNBATCH else x for x in nodes]
        if any(map(self.plainness.of, (root, *wrt))):
            raise OperandError("gradients are taken of Values, with respect to Values")
        if any(map(self.may_be_another, wrt)):
            self.refused("alias")
        shared = self.lanes.shared.intersection(wrt)
        if shared and self.columns.below([root], shared):
            self.refused("shared result")
        self.differentiated.update(self._inputs_among(wrt))
        if not allow_nonfinite:
            self.finite.append(root)
        seeds = [(root, self.constant(1.0))]
        if not create_graph:
            return self.lanes.adjoints(wrt, seeds, plain=True)
        with enable_grad():  # the graph that is asked for, within no_grad as well
            found = self.lanes.adjoints(wrt, seeds, plain=False)
            return [x if isinstance(x, Value) else Value(x) for x in found]

    def adjoints(
        self, wrt: Sequence[int], seeds: Sequence[tuple[int, int]], **how: bool
    ) -> list[Any]:
        """Return ∂(Σ seed · root)/∂x for each node x, as `Tape.adjoints`; of one root if many."""
        if len(seeds) * len(wrt) > MOST_PAIRS and not self.lanes.are_any():
            terms = self.write_all(mul, seeds)
            seeds = [(self.write(TABLE["sum"], tuple(terms)), self.constant(1.0))]
        return super().adjoints(wrt, seeds, **how)

    def _inputs_among(self, nodes: Sequence[int]) -> list[int]:
        """Return the inputs among some nodes, and those that are their lanes."""
        ops, args = self.ops, self.columns.args
        batches = [x for x in nodes if ops[x] is BATCH]
        return [x for x in chain(nodes, *map(args, batches)) if ops[x] is INPUT]

    def run(self, f: Any, argnums: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that is differentiated, as a region of this recording."""
        return Region(self, f, argnums, args, kwargs)

    def asked(self, x: Value, question: str) -> None:
        """Refuse a question about a Value, unless the function itself made it from a number."""
        is_change = question in CHANGES
        if x not in self._made or (is_change and self.is_known(x)):
            self.refused(question)

    # Conditions -------------------------------------------------------------------------------

    def truth(self, index: int) -> bool:
        """Return whether a number is true, and add a guard that it stays so."""
        self.questions += 1
        if index not in self.guards:
            if self.lanes.size(index) > 1:
                self.refused("examples")
            self._guard(index, self.numbers[index] != 0.0)
            self.branches += 1
            if self._following:
                self._follow(len(self.guards) - 1, self.guards[index])
        return self.guards[index]

    def _follow(self, place: int, truth: bool) -> None:
        """Leave out the paths on which a comparison comes out otherwise."""
        self._following = [x for x in self._following if x[place : place + 1] == (truth,)]
        if not self._following:
            raise OtherPath

    def leave_out(self, first: int, guards: int) -> None:
        """Take back the nodes from `first` on and all guards after so many: nothing needs them."""
        self.left_out.append(range(first, len(self.columns)))
        self.finite = [x for x in self.finite if x < first]
        for x in [*self.guards][guards:]:
            del self.guards[x]
        del self.lines[guards:]

    def expect(self, condition: Value) -> None:
        """Add a guard that a condition holds, of all examples, as it does now."""
        self._guard(self.refer(condition, identity), True)

    def holds(self, condition: Traced) -> bool:
        """Take a condition on examples of vmap for true; calls in which it is not are eager."""
        index = condition.index
        self.questions += 1
        is_one = self.lanes.size(index) == 1
        if is_one and index in self.guards:
            return self.guards[index]
        truth = not is_one or self.numbers[index] != 0.0
        self._guard(index, truth)
        return truth

    def _guard(self, index: int, truth: bool) -> None:
        if index not in self.guards:
            self.lines.append(asking_line())
        self.guards[index] = truth


class OtherPath(BaseException):
    """A call takes none of the paths that its recording was to follow."""


def current_trace() -> Trace | None:
    """Return the recording under way in this thread or task, if any."""
    current = recorder()
    return current if type(current) is Trace else None  # isinstance of a Protocol is slow
