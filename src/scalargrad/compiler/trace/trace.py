"""The trace of one run of a function, as the engine and traced numbers see it.

While a function is traced, operations, comparisons, gradients, draws and vmap come here instead of
being evaluated. Each operation appends a node:

    x * x + 1.0     %1 = mul(%0, %0), %2 = 1.0, %3 = add(%1, %2)
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import chain, count, repeat
from numbers import Number
from typing import Any, NoReturn, TypeVar, cast

import numpy as np

from scalargrad.checks.numbers import defers, is_real, nearest_float
from scalargrad.compiler.generators import Draw, Generators
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    DETACH,
    DIRECTION,
    INPUT,
    LOSS,
    ROW,
    TAKE,
    TANGENT,
    UNBATCH,
    Op,
)
from scalargrad.compiler.trace.columns import Plainness, RecordedColumns
from scalargrad.compiler.trace.example_lanes import Lanes
from scalargrad.compiler.trace.nested_derivatives import Region
from scalargrad.compiler.trace.node_values import number_of
from scalargrad.compiler.trace.refusal import CHANGES, REFUSALS, asking_line, refusal
from scalargrad.compiler.trace.traced import Traced, TracedParameter, refuse_stray
from scalargrad.compiler.trace.watching import data_of, make_leaf, unwatch, watch
from scalargrad.compiler.trace.whole_arrays import FEWEST, WholeArray, stand_in
from scalargrad.engine.active_derivatives import ActiveDerivative, active_derivatives
from scalargrad.engine.draws import made_by
from scalargrad.engine.grad_mode import enable_grad, run_recorded
from scalargrad.engine.recorder import Recorder, recorder
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError, TraceError
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import NodeInFormulaError, Symbol
from scalargrad.ops import add, div, eq, identity, mul, neg, pow, sub, where
from scalargrad.system.short_repr import format_value

R = TypeVar("R")

#: Operations whose results are of NumPy's class if an operand is.
_OF_NUMPY = {add, sub, mul, div, neg, pow}
_INTEGERS = (int, np.integer, np.bool_)

_new = object.__new__
#: What code can assign to a Value.
_SLOTS = ("data", "grad", "label")


class Trace(Recorder):
    """The nodes of a recording, and the methods that write them.

    Parameters
    ----------
    unrolls : bool
        Whether vmap is a loop.

    Attributes
    ----------
    columns : Columns
        The nodes; an input is written where it is first used.
    given : list of int
        The nodes of the numbers of the arguments.
    known : dict from int to float
        The numbers of nodes: those of inputs, and others that conditions have depended on.
    draws : list of (Draw, int)
        Random draws, and the inputs that stand for them.
    outside : list of (Value, int)
        Values around the function and in objects, and the inputs that stand for them.
    finite : list of int
        Nodes that must be finite; calls in which one is not are made eagerly.
    steps : list of range
        Nodes of the steps of a scan or while_loop, which stay together.
    differentiated : set of int
        Inputs by which gradients are taken.
    has_values : bool
        Whether any input is a Value, so that results may have gradients.
    is_open : bool
        Whether the function is still running.
    refusal : TraceError or None
        The first refusal.
    is_final : bool
        Whether no eager call is to be tried, as it would make a change, or take too long.
    questions : int
        How often something was asked whose answer depends on which node it is.
    wholes : list of WholeArray
        The arrays among the arguments that have no nodes.
    guards : dict from int to bool
        The nodes whose truth was asked for, and the answers.
    unrolls : bool
        Whether vmap is a loop, also since an example has changed something that others would, too.
    lines : list of (str, int) or None
        For each guard, the file and line that asked for it.
    branches : int
        How many of the guards are answers to Python's ``if``.
    ends : set of int
        The guards that a loop has ended.
    lanes : Lanes
        Which nodes have lanes, made by vmap.
    generators : Generators
        The random generators that the function can reach.
    types_of_leaves : callable
        Returns the types of the numbers of the arguments, and the names of attributes given to
        Values.
    types : sequence of type or None
        These types, if code has asked for the class of a number that depends on them.
    """

    def __init__(self, *, unrolls: bool = False) -> None:
        self.columns = RecordedColumns()
        self.ops = self.columns.ops
        self.given: list[int] = []
        self.known: dict[int, float] = {}
        self.draws: list[tuple[Draw, int]] = []
        self.outside: list[tuple[Value, int]] = []
        self.finite: list[int] = []
        self.steps: list[range] = []
        self.differentiated: set[int] = set()
        self.has_values = False
        self.is_open = False
        self.is_detaching = False
        self.questions = 0
        self.refusal: TraceError | None = None
        self.is_final = False
        self.plainness = Plainness(self.columns)
        self.constant = self.columns.constant
        self.write, self.write_all = self.columns.write, self.columns.write_all
        self.writers = self.ops.append, self.columns.operands, self.columns.first.append
        self._node_of: dict[int, int] = {}  # by the id of a Value, its node
        self._named: list[Value] = []  # kept, so that no other Value gets their id
        self._made: set[Value] = set()
        self._parameters: set[int] = set()  # their nodes
        #: Classes of operands that are not among the arguments, other than float.
        self.classes_captured: set[type] = set()
        self._classes_drawn: dict[int, type] = {}
        self._leaves: set[int] = set()  # the nodes of leaves that are copies of other nodes
        self.wholes: list[WholeArray] = []
        self.guards: dict[int, bool] = {}
        self.unrolls = unrolls
        self.lines: list[tuple[str, int] | None] = []
        self.branches = 0
        self.ends: set[int] = set()
        self.generators = Generators()
        self.types_of_leaves: Callable[[], Sequence[Any]] = lambda: (frozenset(),)
        self.types: Sequence[Any] | None = None
        #: The number of nodes of each number or array among the arguments.
        self._sizes: list[int] = []
        self._leaves_of: dict[int, int] = {}
        self.lanes = Lanes(self)
        #: Tables that numbers were looked up in, by their bits or entries, with their rows.
        self._rows: dict[tuple[int, ...] | bytes, tuple[list[Any], int]] = {}

    def record(self, run: Callable[[], R]) -> R:
        """Run a function as the recording of this thread."""
        self.is_open = True
        try:
            watch(self)
            return run_recorded(lambda: self._run(run), self)
        finally:
            try:
                self._close()
            finally:
                self._close()  # again: Ctrl-C may have come while the first was running

    def _close(self) -> None:
        unwatch(self)
        self.is_open = False
        self._rows.clear()

    def _run(self, run: Callable[[], R]) -> R:
        active_derivatives.set((*active_derivatives.get(), ActiveDerivative(self._made, (), set())))
        with made_by(self._drawn):
            result = run()
        self.expect_none_left()
        self.lanes.look()
        return result

    # Inputs -----------------------------------------------------------------------------------

    def arguments(self, leaves: Sequence[Any], apart: Container[int] = ()) -> list[Any]:
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
            is_whole = type(x) is np.ndarray and x.size >= FEWEST and k not in apart
            if is_whole or isinstance(x, Value):
                found += self.inputs(plain)
                plain = []
                if is_whole:
                    self.wholes.append(stand_in(x, k, sum(y.size for y in self.wholes)))
                found.append(self.wholes[-1] if is_whole else self._value(x))
            else:
                plain += map(float, x.ravel().tolist()) if hasattr(x, "ravel") else [float(x)]
            self._sizes.append(0 if is_whole else x.size if hasattr(x, "ravel") else 1)
        found += self.inputs(plain)
        self.given += [x.index for x in found if isinstance(x, Traced)]
        return found

    def _drawn(self, *call: Any, **kwargs: Any) -> Any:
        """Make a random draw, and return the input that stands for it."""
        draw = Draw(*call, **kwargs)
        with made_by(None):
            self.is_final |= draw.source not in self.generators  # an eager draw is not undone
            self.generators.note(draw)
            number = draw()
            (leaf,) = self.inputs([float(number)])
            self._classes_drawn[leaf.index] = type(number)
        self.draws.append((draw, leaf.index))
        return self.lanes.drawn(draw, leaf) if self.lanes.count else leaf

    def _value(self, x: Value) -> Traced:
        """Write the input for a Value."""
        self.has_values = True
        (made,) = self.inputs([data_of(x)], plain=False)
        return self._traced(made.index, TracedParameter) if isinstance(x, Parameter) else made

    def inputs(self, numbers: Sequence[float], *, plain: bool = True) -> list[Traced]:
        """Write inputs, which are plain in eager evaluation or Values."""
        nodes = self.write_all(INPUT, [()] * len(numbers))
        self.known.update(zip(nodes, numbers, strict=True))
        self.plainness.mark(*nodes, plain=plain)
        return self.all_traced(nodes)

    # Nodes ------------------------------------------------------------------------------------

    def traced(self, op: Op, args: tuple[int, ...]) -> Traced:
        """Write a node, and return its traced number."""
        index = self.write(op, args)
        if self.is_detaching:
            index = self.write(DETACH, (index,))
        return self._traced(index)

    def appended(self, op: Op, left: int, right: int) -> Traced:
        """Write a node of two operands, or of one if `right` is -1; return its traced number."""
        made = _new(Traced)
        made.trace = self
        write_op, operands, end_at = self.writers
        made.index = len(self.ops)
        write_op(op)
        operands.append(left)
        if right >= 0:
            operands.append(right)
        end_at(len(operands))
        return self._traced(self.write(DETACH, (made.index,))) if self.is_detaching else made

    def all_traced(self, nodes: Iterable[int]) -> list[Traced]:
        """Return the traced numbers of nodes."""
        return [*map(self._traced, nodes)]

    def _traced(self, index: int, kind: type[Traced] = Traced) -> Traced:
        made = _new(kind)
        made.trace = self
        made.index = index
        if kind is TracedParameter:
            self._parameters.add(index)
        return made

    def fingerprint(self) -> tuple[Any, ...]:
        """Return what is noted besides nodes, to see whether some code changes it."""
        grown = [self.columns.constants, self.known, self.draws, self.outside, self.differentiated]
        grown += [self._node_of, self._named, self._made, self.wholes]
        grown += [self.guards, self._rows, self.lanes.taken]
        made = [(id(x), *[getattr(x, name, None) for name in _SLOTS]) for x in self._made]
        states = self.has_values, self.is_detaching, self.refusal, self.questions
        return [*map(len, grown)], states, made

    def leaf(self, op: Op, x: Any, kind: type[Traced] = Traced) -> Traced:
        """Write a node that is a leaf Value in eager evaluation."""
        index = self.write(op, (self.refer(x, identity),))
        self.plainness.mark(index, plain=False)
        self._leaves.add(index)
        return self._traced(index, kind)

    def stand_in(self, x: Traced) -> Traced:
        """Write a copy of a number which is of its kind in all that is asked of it."""
        node = x.index
        made = self._traced(self.write(identity, (node,)), type(x))
        if self.plainness.is_truth(node):
            self.plainness.mark_truth(made.index)
        elif self.is_leaf(node):
            self._leaves.add(made.index)
        return made

    def region_leaves(self, xs: Iterable[Any], start: int) -> list[Traced]:
        """Write leaves by which a function is differentiated, from node `start` on."""
        nodes = self.write_all(identity, [(self.refer(x, identity),) for x in xs])
        self.plainness.mark_leaves(nodes, start)
        return self.all_traced(nodes)

    def node(self, op: Any, operands: tuple[Any, ...]) -> Any:
        """Record an operation; at least one operand is a Value."""
        nodes = [self.refer(x, op) for x in operands]
        if len(nodes) <= 2:  # most, such as exp(x): the shortest way
            return self.appended(op, nodes[0], nodes[1] if len(nodes) == 2 else -1)
        return self.traced(op, tuple(nodes))

    def refer(self, x: Any, op: Operation) -> int:
        """Return the node of an operand."""
        if type(x) is Traced and x.trace is self:
            return x.index
        found = self._node_of.get(id(x))  # of a Value from outside, the most frequent case
        if found is not None:
            return found
        if isinstance(x, Traced):
            if x.trace is not self:
                refuse_stray(x)
            return x.index
        if isinstance(x, Value):
            return self._of_value(x)
        if isinstance(x, Symbol):
            raise NodeInFormulaError
        return self.constant(x if type(x) is float else self._number(op.as_operand, x))

    def beside(self, x: Any, op: Operation) -> Any:
        """Return the node of an operator's other operand, or NotImplemented for an array."""
        if isinstance(x, Value):
            return self.refer(x, op)
        if op is mul and isinstance(x, list | tuple) and not defers(x):
            self.refused("repeated")
        number = x if type(x) is float else self._number(op.coerce_other, x)
        return number if number is NotImplemented else self.constant(number)

    def _number(self, convert: Callable[[Any], Any], x: Any) -> Any:
        """Return an operand that is neither a Value nor a float, converted to a float."""
        self.classes_captured.add(type(x))
        return convert(x)

    def _of_value(self, x: Value) -> int:
        """Return the node of a Value that is not traced and had none so far."""
        if x in self._made:
            found = self.leaf(identity, data_of(x)).index
        else:
            found = self._value(x).index
            self.outside.append((x, found))
        self.bind(x, found)
        return found

    def bind(self, x: Value, node: int) -> None:
        """Let a Value that is not traced stand for a node wherever it is read."""
        if id(x) in self._node_of:
            self._rows.clear()
        self._node_of[id(x)] = node
        self._named.append(x)

    def as_plain(self, x: Any) -> Any:
        """Write a copy of a node, marked as plain."""
        made = self.node(identity, (x,))
        self.plainness.mark(made.index, plain=True)
        if self.is_truth(x):
            self.plainness.mark_truth(made.index)
        return made

    def may_alias(self, node: int) -> bool:
        """Return whether a node may be another one in eager code, as a signal times 1 is itself."""
        op = self.ops[node]
        is_choice = op is where and self.plainness.of(self.columns.args(node)[0])
        return is_choice or op in {ADJOINT, TANGENT, TAKE}

    def is_truth(self, x: Any) -> bool:
        """Return whether `x` is a bool in eager evaluation."""
        if isinstance(x, Traced):
            return x.trace is self and self.plainness.is_truth(x.index)
        return isinstance(x, bool)

    def is_leaf(self, index: int) -> bool:
        """Return whether a node is a leaf by which nothing is differentiated: it can be copied."""
        return self.ops[index] in {INPUT, DETACH} or index in self._leaves

    def adjoints(
        self,
        wrt: Sequence[int],
        seeds: Sequence[tuple[int, int]],
        *,
        plain: bool,
        detached: bool = False,
    ) -> list[Any]:
        """Return ∂(Σ seed · root)/∂x for each node x; 0.0 where no root depends on it.

        Parameters
        ----------
        seeds : sequence of (root, seed)
        plain : bool
            Whether they are plain numbers in eager evaluation.
        detached : bool
            Whether no gradient flows back through them.
        """
        below = self.columns.below([root for root, _ in seeds], wrt)
        loss = self.write(LOSS, tuple([x for pair in seeds for x in pair]))
        signals = self.write_all(ADJOINT, [(x, loss) for x in wrt if x in below])
        if detached or self.is_detaching:
            signals = self.write_all(DETACH, [(x,) for x in signals])
        if plain:
            self.plainness.mark(*signals, plain=True)
        found = iter(self.all_traced(signals))
        return [next(found) if x in below else 0.0 for x in wrt]

    def tangents(
        self, roots: Sequence[int], directions: Sequence[Mapping[int, int]], *, as_graph: bool
    ) -> list[dict[int, Any]]:
        """Return the tangent of each root in each direction; 0.0 if it does not depend on a leaf.

        Parameters
        ----------
        directions : sequence of dict from int to int
            The leaves that move, and their tangents.
        as_graph : bool
            Whether tangents belong to an outer graph in eager evaluation, whatever the directions.
        """
        depends = self.columns.dependence(directions)
        nodes = self.write_all(DIRECTION, [tuple(chain(*x.items())) for x in directions])
        results: list[dict[int, Any]] = []
        for k, (node, direction) in enumerate(zip(nodes, directions, strict=True)):
            moving = [y for y in dict.fromkeys(roots) if depends.get(y, 0) >> k & 1]
            found: Sequence[int] = self.write_all(TANGENT, [(y, node) for y in moving])
            if self.is_detaching:
                found = self.write_all(DETACH, [(x,) for x in found])
            if not as_graph and all(map(self.plainness.of, direction.values())):
                self.plainness.mark(*found, plain=True)
            traced = zip(moving, self.all_traced(found), strict=True)
            results.append(dict.fromkeys(roots, 0.0) | dict(traced))
        return results

    def detach(self, x: Any) -> Any:
        """Return a node with the number of a Value, through which no gradient flows."""
        index = self.refer(x, identity)
        detached = self.traced(DETACH, (index,))
        self.plainness.mark(detached.index, plain=self.plainness.of(index))
        return detached

    # Classes ----------------------------------------------------------------------------------

    def eager_class(self, x: Traced, or_else: type | None = None) -> type:
        """Return the class of a number in eager evaluation; a later call must have the same.

        The answer to installed packages, which seldom depend on it, is float where it may be one of
        several classes of plain numbers, else `or_else`; user code is refused.
        """
        classes = self.eager_classes(x)
        if len(classes) == 1:
            return next(iter(classes))
        if or_else is not None and all(issubclass(kind, Number) for kind in classes):
            return float
        return or_else or self.refused("class")

    def eager_classes(self, x: Traced) -> set[type]:
        """Return the classes that a number may have in eager evaluation."""
        self.questions += 1
        return {Parameter} if type(x) is TracedParameter else self._classes_of(x.index)

    def _classes_of(self, node: int) -> set[type]:
        """Return the classes that a node may have in eager evaluation.

        A choice by a plain number is one of the operands itself.
        """
        if self.plainness.of(node):
            return self._classes_of_plain(node)
        if choices := self._choices(node):
            return {*chain.from_iterable(map(self._classes_of, choices))}
        return {Parameter if node in self._parameters else Value}

    def _classes_of_plain(self, node: int) -> set[type]:
        """Return the classes that a node without Values among its operands may have.

        What is computed from integers or bools is an integer or a float; from NumPy's numbers, one
        of NumPy's or Python's.
        """
        leaf_of = self._leaf_of()
        leaves, drawn, ops, has_truths = self._operands_as_given(node, leaf_of)
        types = {self.require_types()[k] for k in leaves}
        types |= {self._classes_drawn[x] for x in drawn}
        if types and (node in leaf_of or node in drawn):
            return types
        known = types | self.classes_captured
        of_numpy = {x for x in known if issubclass(x, np.generic)}
        if self.plainness.is_truth(node):
            return {bool, np.bool_} if of_numpy else {bool}
        if np.float64 in types and known <= {float, np.float64} and ops <= _OF_NUMPY:
            return {np.float64}
        found = {float, *known} | ({np.float64, np.int64} if of_numpy else set[type]())
        among = known if TAKE in ops else types
        if has_truths or any(issubclass(x, _INTEGERS) for x in among):
            return found | {int}
        return {x for x in found if not issubclass(x, _INTEGERS)}

    def require_types(self) -> Sequence[Any]:
        """Return the types of the numbers of the arguments, which later calls must have as well."""
        if self.types is None:
            self.types = self.types_of_leaves()
        return self.types

    def _choices(self, node: int) -> tuple[int, ...]:
        """Return the nodes of which this node is one in eager evaluation, if it `may_alias` any."""
        if not self.may_alias(node):
            return ()
        args, op = self.columns.args(node), self.ops[node]
        return self.columns.args(args[1]) if op is TAKE else args[1:] if op is where else ()

    def _leaf_of(self) -> dict[int, int]:
        """Return the number or array among the arguments that each node of these comes from."""
        if not self._leaves_of:
            leaves = chain.from_iterable(map(repeat, count(), self._sizes))
            self._leaves_of = dict(zip(self.given, leaves, strict=True))
        return self._leaves_of

    def _operands_as_given(
        self, node: int, leaf_of: dict[int, int]
    ) -> tuple[set[int], set[int], set[Op], bool]:
        """Return what the class of a result depends on.

        Returns
        -------
        leaves : set of int
            The numbers of the arguments.
        drawn : set of int
            The nodes of random numbers.
        ops : set of Op
            The operations.
        has_truths : bool
            Whether bools are among the operands, other than as conditions of choices.
        """
        leaves, drawn, ops, ahead = set[int](), set[int](), set[Op](), [node]
        met = {node}
        while ahead:
            x = ahead.pop()
            if x in leaf_of:
                leaves.add(leaf_of[x])
            elif x in self._classes_drawn:
                drawn.add(x)
            elif args := self._choices(x) or self.columns.args(x):
                ops.add(self.ops[x])
                new = {*args} - met
                met |= new
                ahead += new
        has_truths = any(map(self.plainness.is_truth, met - {node}))
        return leaves, drawn, ops, has_truths

    # What the engine asks ---------------------------------------------------------------------

    def switch_grad(self, enabled: bool) -> None:
        """Let gradients flow through what is recorded from now on, or not."""
        self.is_detaching = not enabled

    def compared(self, op: Any, x: Any, other: Any) -> Any:
        """Record a comparison by an operator, which gives a bool in eager evaluation."""
        if not (isinstance(other, Value) or is_real(other)):
            return op.coerce_other(other)  # NotImplemented for an array, or an error
        if isinstance(other, int) and nearest_float(other) != other:
            self.refuse(
                f"a number was compared with {format_value(other)}, an integer that no float "
                "equals,",
                "compare it with a float",
            )
        made = self.node(op, (x, other))
        if not (self.is_truth(x) and self.is_truth(other)):  # a bool sends nothing back
            made = self.detach(made)
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
            self.refuse(
                f"a number was compared with {format_value(other)}", "compare it with a float"
            )
        if not isinstance(other, Value):
            return NotImplemented
        first, second = self.refer(x, op), self.refer(other, op)
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
        self.bind(x, self.leaf(identity, other).index)

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
        are_floats, entries = {*map(type, values)} <= {float, np.float64}, [*values]
        key = np.array(values, float).tobytes() if are_floats else (*map(id, entries),)
        if key not in self._rows:
            self._rows[key] = entries, self.write(ROW, self._entries(entries))
        return self._rows[key][1]

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
        wrt = [self.refer(x, identity) for x in xs]
        if any(map(self.plainness.of, (root, *wrt))):
            raise OperandError("gradients are taken of Values, with respect to Values")
        if any(map(self.may_alias, wrt)):
            self.refused("alias")
        if any(self.ops[x] is UNBATCH or x in self.lanes.shared for x in wrt):
            self.refused("result of vmap")
        self.differentiated.update(self._inputs_among(wrt))
        if not allow_nonfinite:
            self.finite.append(root)
        seeds = [(root, self.constant(1.0))]
        if not create_graph:
            found = self.adjoints(wrt, seeds, plain=True, detached=True)
        else:
            with enable_grad():  # the graph that is asked for, within no_grad as well
                found = self.adjoints(wrt, seeds, plain=False)
        if all(isinstance(x, Value) for x in found):
            return found
        self.questions += 1  # of another step of a scan, the answer may be another
        return [Value(x) if create_graph and not isinstance(x, Value) else x for x in found]

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
        if x not in self._made or (is_change and id(x) in self._node_of):
            self.refused(question)

    # Conditions -------------------------------------------------------------------------------

    def truth(self, index: int, *, of_all: bool = False) -> bool:
        """Return whether a number is true, and add a guard that it stays so.

        With `of_all`, a condition on examples of vmap is taken for true, and no branch.
        """
        self.questions += 1
        if index not in self.guards:
            is_one = self.lanes.size(index) == 1
            if not (is_one or of_all):
                self.refused("examples")
            self._guard(index, not is_one or number_of(self, index) != 0.0)
            self.branches += not of_all
        return self.guards[index]

    def expect(self, condition: Value) -> None:
        """Add a guard that a loop has ended, of all examples, as it has now."""
        node = self.refer(condition, identity)
        self._guard(node, True)
        self.ends.add(node)

    def _guard(self, index: int, truth: bool) -> None:
        if index not in self.guards:
            self.lines.append(asking_line())
        self.guards[index] = truth

    # Refusals ---------------------------------------------------------------------------------

    def refused(self, question: str) -> NoReturn:
        """Raise TraceError for a question whose answer could differ from call to call."""
        self.refuse(*REFUSALS[question], is_final=question in CHANGES)

    def refuse(self, what: str, remedy: str, is_final: bool = False) -> NoReturn:
        """Raise TraceError now, and again when the function returns if it catches this one."""
        if self.refusal is None:
            self.refusal, self.is_final = refusal(what, remedy), is_final
        raise self.refusal

    def expect_none_left(self) -> None:
        """Raise the first refusal again if the function caught it, or it became another error."""
        if self.refusal is not None:
            raise self.refusal

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled."""
        self.refused("elsewhere")


#: Return the recording under way in this thread or task, if any: there is no other recorder.
current_trace = cast("Callable[[], Trace | None]", recorder)
