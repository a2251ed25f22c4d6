"""The recorder of one run of a function: what traced numbers write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from scalargrad.compiler.passes.kinds import ADJOINT, INPUT, TAKE, Op
from scalargrad.compiler.trace.batching import Lanes
from scalargrad.compiler.trace.columns import Columns
from scalargrad.compiler.trace.detach import DETACH
from scalargrad.compiler.trace.nested_derivatives import Region
from scalargrad.compiler.trace.node_values import NodeValues
from scalargrad.compiler.trace.plainness import Plainness
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.refusal import CHANGES, REFUSALS, Refusal
from scalargrad.compiler.trace.traced import Traced, TracedParameter, refuse_stray
from scalargrad.errors import GraphError, OperandError
from scalargrad.grad_mode import new_leaves, recorder, run_recorded
from scalargrad.graph import topological_order
from scalargrad.ops import TABLE, eq, identity
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.operation import Operation
from scalargrad.transforms.draws import Draw, made_by
from scalargrad.value import Parameter, Value

R = TypeVar("R")

_new = object.__new__
_LESS, _INFINITE = TABLE["lt"], float("inf")


class Trace:
    """What is noted while a function runs.

    Parameters
    ----------
    sources : sequence
        The function and what it is called with, where generators are looked for.
    together : bool
        Whether vmap records one example for all.

    Attributes
    ----------
    columns : Columns
        The nodes; inputs stand where they were met.
    given : list of int
        The nodes of the arguments' numbers.
    draws : list of (Draw, int)
        Random draws, and the inputs that stand for them.
    outside : list of (Value, int)
        Values from outside, and the inputs that stand for them.
    guards : dict from int to bool
        Nodes whose truth was asked for, and the answers given.
    finite : list of int
        Nodes that have to be finite.
    lanes : Lanes
        Which nodes stand for a number of every example, where vmap was used.
    labels : dict from int to str
        Names given to nodes.
    is_open : bool
        Whether the function is running.
    """

    def __init__(self, sources: Sequence[Any] = (), together: bool = True) -> None:
        self.columns = Columns()
        self.ops = self.columns.ops
        self.given: list[int] = []
        self.draws: list[tuple[Draw, int]] = []
        self.outside: list[tuple[Value, int]] = []
        self.guards: dict[int, bool] = {}
        self.finite: list[int] = []
        self.labels: dict[int, str] = {}
        self.together = together
        self.is_open = False
        self.refusal: Refusal | None = None
        self.generators = Generators(sources)
        self.numbers = NodeValues(self)
        self.lanes = Lanes(self)
        self.plainness = Plainness(self.columns)
        self.constant = self.columns.constant
        self.write = self.columns.write
        self.writers = self.ops.append, self.columns.left.append, self.columns.right.append
        self._known: dict[int, int] = {}  # by the id of a Value, its node
        self._named: list[Value] = []  # kept, so that no other Value gets their id
        self._made: set[Value] = set()
        self.is_detaching = False

    def record(self, run: Callable[[], R]) -> R:
        """Run a function, and record what it computes."""
        self.is_open = True
        try:
            return run_recorded(lambda: self._run(run), self)
        finally:
            self.is_open = False

    def _run(self, run: Callable[[], R]) -> R:
        new_leaves.set((*new_leaves.get(), self._made))
        with made_by(self._drawn):
            result = run()
        self.expect_none_left()
        self.lanes.close()
        return result

    # Inputs -----------------------------------------------------------------------------------

    def arguments(self, leaves: Iterable[Any]) -> list[Traced]:
        """Return what stands for the numbers of the arguments, arrays number by number."""
        found: list[Traced] = []
        for x in leaves:
            if isinstance(x, Value):
                found.append(self._stand_in(x))
            else:
                numbers = x.ravel().tolist() if hasattr(x, "ravel") else [x]
                numbers = [as_float(y, "an argument") for y in numbers]
                found += [self._input(y, plain=True) for y in numbers]
        self.given += [x.index for x in found]
        return found

    def module_values(self, values: Iterable[Value]) -> list[Traced]:
        """Return what stands for Values that objects among the arguments hold."""
        found = [self._stand_in(x) for x in values]
        self.outside += [(x, x.index) for x in found]
        return found

    def stand_for(self, leaves: Iterable[Value]) -> None:
        """Have these Values be inputs, in this order."""
        for x in leaves:
            self._known[id(x)] = self._input(x._data, plain=False).index
            self._named.append(x)
            self.given.append(self._known[id(x)])

    def substitute(self, values: Iterable[Value], numbers: Iterable[Any]) -> list[int]:
        """Have Values from outside be inputs of the recording, wherever they are read from now on.

        Parameters
        ----------
        values : iterable of Value
        numbers : iterable of Traced
            Numbers of the arguments, one for each Value, which take its place as a leaf.

        Returns
        -------
        list of int
            Their nodes.
        """
        nodes = [x.index for x in numbers]
        for x, node in zip(values, nodes, strict=True):
            self.plainness.mark(node, False)
            self._known[id(x)] = node
            self._named.append(x)
        return nodes

    def _stand_in(self, x: Value) -> Traced:
        made = self._input(x._data, plain=False)
        if isinstance(x, Parameter):
            made = self._traced(made.index, TracedParameter)
        if x.label:
            self.labels[made.index] = x.label
        return made

    def _input(self, number: float, plain: bool) -> Traced:
        index = self.write(INPUT, ())
        self.numbers.known[index] = number
        self.plainness.mark(index, plain)
        return self._traced(index)

    def drawn_input(self, number: float) -> Traced:
        """Return what stands for a number that is drawn."""
        return self._input(number, plain=True)

    def _drawn(self, draw: Draw) -> Any:
        """Draw, and return an input that stands for the number."""
        with made_by(None):
            self.generators.note(draw)
            leaf = self.drawn_input(float(draw()))
        self.draws.append((draw, leaf.index))
        return self.lanes.drawn(draw, leaf) if self.lanes.count else leaf

    # Nodes ------------------------------------------------------------------------------------

    def append(self, op: Op, args: tuple[int, ...]) -> Traced:
        """Write a node, and return what stands for it."""
        made = _new(Traced)
        made.trace = self
        made.index = self.write(op, args)
        if self.is_detaching:
            self.write(DETACH, (made.index,))
            made.index += 1
        return made

    def _traced(self, index: int, kind: type[Traced] = Traced) -> Traced:
        made = _new(kind)
        made.trace = self
        made.index = index
        return made

    def leaf(self, op: Op, x: Any, kind: type[Traced] = Traced) -> Traced:
        """Write a node that is a leaf in eager evaluation, and no plain number."""
        index = self.write(op, (self.refer(x, identity),))
        self.plainness.mark(index, False)
        return self._traced(index, kind)

    def region_leaf(self, x: Any) -> Traced:
        """Write the leaf that stands for a number a function is differentiated by."""
        made = self.leaf(identity, x)
        self.plainness.mark_leaf(made.index)
        return made

    def node(self, op: Any, operands: tuple[Any, ...]) -> Any:
        """Return what stands for an operation over operands of which one is a Value."""
        nodes = [
            x.index if x.__class__ is Traced and x.trace is self else self.refer(x, op)
            for x in operands
        ]
        return self.append(op, tuple(nodes))

    def refer(self, x: Any, op: Operation) -> int:
        """Return the node of an operand."""
        if isinstance(x, Traced):
            if x.trace is not self:
                refuse_stray(x)
            return x.index
        if isinstance(x, Value):
            return self._of_value(x)
        return self.constant(x if x.__class__ is float else op.operand(x))

    def beside(self, x: Any, op: Operation) -> Any:
        """Return the node of an operator's other operand, or NotImplemented for an array's."""
        if isinstance(x, Value):
            return self.refer(x, op)
        number = x if x.__class__ is float else op.number_beside(x)
        return number if number is NotImplemented else self.constant(number)

    def _of_value(self, x: Value) -> int:
        """Return the node of a Value that is none of the recording's own."""
        found = self._known.get(id(x))
        if found is None:
            if x in self._made:
                found = self.leaf(identity, x._data).index
            else:
                found = self._input(x._data, plain=False).index
                self.outside.append((x, found))
            self._known[id(x)] = found
            self._named.append(x)
        return found

    # What the core asks -----------------------------------------------------------------------

    def switch_grad(self, enabled: bool) -> None:
        """Have gradients flow through what is recorded from now on, or not."""
        self.is_detaching = not enabled

    def compared(self, op: Any, x: Any, other: Any) -> Any:
        """Return what a comparison by an operator says, which is no Value eagerly."""
        made = self.node(op, (x, other))
        self.plainness.mark_truth(made.index)
        return made

    def equal(self, x: Any, other: Any, op: Any) -> Any:
        """Compare by number where one is a plain number eagerly; else by identity, as eagerly."""
        if x is other:
            return op is eq
        if is_real(other):
            return self.compared(op, x, other)
        if not isinstance(other, Value):
            return NotImplemented
        first, second = self.refer(x, op), self.refer(other, op)
        if self.plainness.of(first) or self.plainness.of(second):
            return self.compared(op, x, other)
        if first != second and self.ops[first] is INPUT and self.ops[second] is INPUT:
            self.refused("identity")
        return (first == second) is (op is eq)

    def detach(self, x: Any) -> Any:
        """Return what has the number of a Value and no gradient."""
        index = self.refer(x, identity)
        detached = self.append(DETACH, (index,))
        self.plainness.mark(detached.index, self.plainness.of(index))
        return detached

    def name(self, x: Any, other: Any) -> None:
        """Have `x`, a Value being made, stand for `other`, which is a plain number eagerly."""
        index = self.refer(other, identity)
        if not self.plainness.of(index):
            raise OperandError("Value() of a Value would lose its graph: use it as it is")
        x.op, x.parents, x.local_grads, x._grad, x.label = None, (), (), 0.0, ""
        self._known[id(x)] = self.leaf(identity, other).index
        self._named.append(x)

    def copy_of(self, x: Any) -> Any:
        """Return another leaf with the number of one."""
        if not isinstance(x, Traced) and x.op is not None:
            raise GraphError(f"only leaves can be copied, and one was computed by {x.op.name}")
        return self.leaf(DETACH, x, TracedParameter if isinstance(x, Parameter) else Traced)

    def take(self, values: Any, index: Any) -> Any:
        """Return the entry at an index that is being recorded."""
        for x in values:
            if not (isinstance(x, Value) or is_real(x)):
                self.refuse(
                    f"take was given an entry of type {type(x).__name__}",
                    "choose among numbers, Values and rows of them, or make the index static, "
                    "as in jit(f, static_argnames='i')",
                )
        return self.append(TAKE, tuple([self.refer(x, identity) for x in (index, *values)]))

    def looked_up(self, nodes: Sequence[int]) -> list[int]:
        """Return the places, among some nodes, of those that `take` chooses among."""
        columns = self.columns
        takes = [i for i, op in enumerate(columns.ops) if op is TAKE]
        chosen = {x for i in takes for x in columns.args(i)[1:]}
        return [place for place, node in enumerate(nodes) if node in chosen]

    def gradients(self, y: Any, xs: list[Any], create_graph: bool, allow_nonfinite: bool) -> Any:
        """Return what stands for ∂y/∂x for each x, 0.0 where y does not depend on it."""
        root = self.refer(y, identity)
        wrt = [self.refer(x, identity) for x in xs]
        if any(map(self.plainness.of, (root, *wrt))):
            raise OperandError("gradients are taken of Values, with respect to Values")
        self._require_no_outer_graph(root, xs)
        if not allow_nonfinite:
            self.finite.append(root)
        found = self.adjoints(wrt, [(root, self.constant(1.0))], plain=not create_graph)
        if not create_graph:  # floats, eagerly, through which no gradient flows
            return [self.detach(x) if isinstance(x, Value) else x for x in found]
        return [x if isinstance(x, Value) else Value(x) for x in found]

    def _require_no_outer_graph(self, root: int, xs: Sequence[Any]) -> None:
        """Refuse a gradient that would have to flow through a graph made outside."""
        graphs = {i: x for x, i in self.outside if not isinstance(x, Traced) and x.op is not None}
        computed = [graphs[i] for i in self.columns.below([root], graphs)]
        if computed and not set(topological_order(*computed)).isdisjoint(
            x for x in xs if not isinstance(x, Traced) and all(x is not y for y in computed)
        ):
            self.refused("outer graph")

    def run(self, f: Any, argnums: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that is to be differentiated."""
        return Region(self, f, argnums, args, kwargs)

    def asked(self, x: Value, question: str) -> None:
        """Refuse a question about a Value, unless the function has made it from a number."""
        is_change = question in CHANGES
        if x not in self._made or (is_change and id(x) in self._known):
            self.refused(question)

    def refused(self, question: str) -> NoReturn:
        """Refuse a question that a program could not answer anew at each call."""
        self.refuse(*REFUSALS[question], is_change=question in CHANGES)

    def refuse(self, what: str, remedy: str, is_change: bool = False) -> NoReturn:
        """Raise TraceError, now and once more when the function returns."""
        self.refusal = self.refusal or Refusal(what, remedy, is_change)
        raise self.refusal.error

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled, and to be looked through as other objects are."""
        self.refused("elsewhere")

    # Conditions -------------------------------------------------------------------------------

    def truth(self, index: int) -> bool:
        """Return whether a number is true, and note that it was asked."""
        if index not in self.guards:
            if self.lanes.size(index) > 1:
                self.refused("examples")
            self.guards[index] = self.numbers[index] != 0.0
        return self.guards[index]

    def holds(self, condition: Traced) -> bool:
        """Take for granted what depends on examples; calls where it does not hold are eager."""
        index = condition.index
        if self.lanes.size(index) == 1:
            return self.truth(index)
        self.guards[index] = True
        return True

    def is_finite(self, index: int) -> int:
        """Write the node that is 1 where a number is finite, else 0."""
        size = self.write(TABLE["abs"], (index,))
        return self.write(_LESS, (size, self.constant(_INFINITE)))

    # Kinds of nodes ---------------------------------------------------------------------------

    def is_leaf(self, index: int) -> bool:
        """Return whether a node is a leaf in eager evaluation."""
        return self.ops[index] in {INPUT, DETACH} or self.plainness.is_leaf(index)

    def as_plain(self, x: Any) -> Any:
        """Return a node once more, as a plain number."""
        made = self.node(identity, (x,))
        self.plainness.mark(made.index, True)
        if self.is_truth(x):
            self.plainness.mark_truth(made.index)
        return made

    def is_truth(self, x: Any) -> bool:
        """Return whether something is True or False in eager evaluation."""
        if isinstance(x, Traced):
            return x.trace is self and self.plainness.is_truth(x.index)
        return isinstance(x, bool)

    # Derivatives ------------------------------------------------------------------------------

    def adjoints(
        self, wrt: Sequence[int], seeds: Sequence[tuple[int, int]], *, plain: bool
    ) -> list[Any]:
        """Return ∂(Σ seed · root)/∂x for each node x; 0.0 where no root depends on it."""
        below = self.columns.below([root for root, _ in seeds], wrt)
        pairs = tuple([x for pair in seeds for x in pair])
        found: list[Any] = []
        for x in wrt:
            if x in below:
                signal = self.append(ADJOINT, (x, *pairs))
                if plain:
                    self.plainness.mark(signal.index, True)
                found.append(signal)
            else:
                found.append(0.0)
        return found

    def expect_none_left(self) -> None:
        """Raise what was refused, although the function caught it."""
        if self.refusal is not None:
            self.refusal.locate()
            raise self.refusal.error


def current_trace() -> Trace | None:
    """Return the recording that goes on in this thread or task, if any."""
    current = recorder()
    return current if isinstance(current, Trace) else None
