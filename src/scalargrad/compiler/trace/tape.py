"""The tape: the nodes of a recording, and the methods that write them as traced numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from scalargrad.compiler.passes.kinds import ADJOINT, DETACH, INPUT, TAKE, Op
from scalargrad.compiler.trace.columns import Columns, Plainness
from scalargrad.compiler.trace.draws import Draw
from scalargrad.compiler.trace.refusal import CHANGES, REFUSALS, Refusal
from scalargrad.compiler.trace.traced import Traced, TracedParameter, refuse_stray
from scalargrad.compiler.trace.watching import data_of
from scalargrad.grad_mode import Recorder
from scalargrad.ops import identity, mul, where
from scalargrad.table.numbers import defers
from scalargrad.table.operation import Operation
from scalargrad.value import Parameter, Value

_new = object.__new__
#: What code can assign to a Value.
_SLOTS = ("data", "grad", "label")


class Tape(Recorder):
    """The nodes of a recording, and the methods that write them.

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
    left_out : list of range
        Nodes that eager evaluation does not compute, so that they may leave their domains.
    differentiated : set of int
        Inputs by which gradients are taken.
    labels : dict from int to str
        Names given to nodes.
    has_values : bool
        Whether any input is a Value, so that results may have gradients.
    is_open : bool
        Whether the function is still running.
    questions : int
        How often something was asked whose answer depends on which node it is.
    derived : list of (int, int)
        For each derivative, how many nodes there were, and the first of those it was taken by.
    """

    def __init__(self) -> None:
        self.columns = Columns()
        self.ops = self.columns.ops
        self.given: list[int] = []
        self.known: dict[int, float] = {}
        self.draws: list[tuple[Draw, int]] = []
        self.outside: list[tuple[Value, int]] = []
        self.finite: list[int] = []
        self.left_out: list[range] = []
        self.differentiated: set[int] = set()
        self.labels: dict[int, str] = {}
        self.has_values = False
        self.is_open = False
        self.is_detaching = False
        self.questions = 0
        self.derived: list[tuple[int, int]] = []
        self.refusal: Refusal | None = None
        self.plainness = Plainness(self.columns)
        self.constant = self.columns.constant
        self.write, self.write_all = self.columns.write, self.columns.write_all
        self.writers = self.ops.append, self.columns.left.append, self.columns.right.append
        self._node_of: dict[int, int] = {}  # by the id of a Value, its node
        self._named: list[Value] = []  # kept, so that no other Value gets their id
        self._made: set[Value] = set()
        #: Tables that numbers were looked up in, and their rows, by the id of the first entry.
        self.tables: dict[int, tuple[Sequence[Any], int]] = {}

    # Inputs -----------------------------------------------------------------------------------

    def stand_for(self, leaves: Iterable[Value]) -> None:
        """Make these Values inputs, in this order."""
        self.has_values = True
        for x in leaves:
            node = self.input(data_of(x), plain=False).index
            self.stands_for(x, node)
            self.given.append(node)

    def _stand_in(self, x: Value) -> Traced:
        made = self.input(data_of(x), plain=False)
        self.has_values = True
        if isinstance(x, Parameter):
            made = self._traced(made.index, TracedParameter)
        if x.label:
            self.labels[made.index] = x.label
        return made

    def inputs(self, numbers: Sequence[float]) -> list[Traced]:
        """Write inputs that are plain in eager evaluation."""
        nodes = self.write_all(INPUT, [()] * len(numbers))
        self.known.update(zip(nodes, numbers, strict=True))
        self.plainness.mark_all(nodes, True)
        return self.all_traced(nodes)

    def input(self, number: float, *, plain: bool) -> Traced:
        """Write an input, which is plain in eager evaluation or a Value."""
        index = self.write(INPUT, ())
        self.known[index] = number
        self.plainness.mark(index, plain)
        return self._traced(index)

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
        made.trace = self  # type: ignore[assignment] # a Trace
        write_op, write_left, write_right = self.writers
        made.index = len(self.ops)
        write_op(op)
        write_left(left)
        write_right(right)
        return self._traced(self.write(DETACH, (made.index,))) if self.is_detaching else made

    def all_traced(self, nodes: Iterable[int]) -> list[Traced]:
        """Return the traced numbers of nodes."""
        return [*map(self._traced, nodes)]

    def _traced(self, index: int, kind: type[Traced] = Traced) -> Traced:
        made = _new(kind)
        made.trace = self  # type: ignore[assignment] # a Trace
        made.index = index
        return made

    def noted(self) -> tuple[Any, ...]:
        """Return what is noted besides nodes, to see whether some code changes it."""
        grown = [self.columns.constants, self.known, self.draws, self.outside, self.differentiated]
        grown += [self._node_of, self._named, self._made, self.columns.arrays]
        made = [(id(x), *[getattr(x, name, None) for name in _SLOTS]) for x in self._made]
        states = self.has_values, self.is_detaching, self.refusal, self.questions
        return [*map(len, grown)], states, dict(self.labels), made

    def leaf(self, op: Op, x: Any, kind: type[Traced] = Traced) -> Traced:
        """Write a node that is a leaf Value in eager evaluation."""
        index = self.write(op, (self.refer(x, identity),))
        self.plainness.mark(index, False)
        return self._traced(index, kind)

    def region_leaf(self, x: Any, start: int) -> Traced:
        """Write a leaf with respect to which a function is differentiated, from node `start` on."""
        index = self.write(identity, (self.refer(x, identity),))
        self.plainness.mark_leaf(index, start)
        return self._traced(index)

    def node(self, op: Any, operands: tuple[Any, ...]) -> Any:
        """Record an operation; at least one operand is a Value."""
        count = len(operands)
        if count == 2:
            x, y = operands
            left = x.index if type(x) is Traced and x.trace is self else self.refer(x, op)
            right = y.index if type(y) is Traced and y.trace is self else self.refer(y, op)
            return self.appended(op, left, right)
        if count == 1:
            return self.appended(op, self.refer(operands[0], op), -1)
        return self.traced(op, tuple([self.refer(x, op) for x in operands]))

    def refer(self, x: Any, op: Operation) -> int:
        """Return the node of an operand."""
        found = self._node_of.get(id(x))  # of a Value from outside, the most frequent case
        if found is not None:
            return found
        if isinstance(x, Traced):
            if x.trace is not self:
                refuse_stray(x)
            return x.index
        if isinstance(x, Value):
            return self._of_value(x)
        return self.constant(x if x.__class__ is float else op.operand(x))

    def beside(self, x: Any, op: Operation) -> Any:
        """Return the node of an operator's other operand, or NotImplemented for an array."""
        if isinstance(x, Value):
            return self.refer(x, op)
        if op is mul and isinstance(x, list | tuple) and not defers(x):
            self.refused("repeated")
        number = x if x.__class__ is float else op.number_beside(x)
        return number if number is NotImplemented else self.constant(number)

    def _of_value(self, x: Value) -> int:
        """Return the node of a Value that is not traced and had none so far."""
        if x in self._made:
            found = self.leaf(identity, data_of(x)).index
        else:
            found = self.input(data_of(x), plain=False).index
            self.has_values = True
            self.outside.append((x, found))
        self.stands_for(x, found)
        return found

    def stands_for(self, x: Value, node: int) -> None:
        """Let a Value that is not traced stand for a node wherever it is read."""
        if id(x) in self._node_of:
            self.tables.clear()
        self._node_of[id(x)] = node
        self._named.append(x)

    def is_known(self, x: Value) -> bool:
        """Return whether a Value that is not traced has a node."""
        return id(x) in self._node_of

    def as_plain(self, x: Any) -> Any:
        """Write a copy of a node, marked as plain."""
        made = self.node(identity, (x,))
        self.plainness.mark(made.index, True)
        if self.is_truth(x):
            self.plainness.mark_truth(made.index)
        return made

    def of_floats(self, x: Traced) -> None:
        """Note that `x` is a power of plain floats, which must be finite.

        Where a power of Values is infinite, Python raises OverflowError for floats.
        """
        if self.plainness.of(x.index):
            self.finite.append(x.index)

    def may_be_another(self, node: int) -> bool:
        """Return whether a node may be another one in eager code, as a signal times 1 is itself."""
        op = self.ops[node]
        is_choice = op is where and self.plainness.is_truth(self.columns.args(node)[0])
        return is_choice or op is ADJOINT or op is TAKE

    def is_truth(self, x: Any) -> bool:
        """Return whether `x` is a bool in eager evaluation."""
        if isinstance(x, Traced):
            return x.trace is self and self.plainness.is_truth(x.index)
        return isinstance(x, bool)

    def is_copied(self, index: int) -> bool:
        """Return whether a copy is another node: of a leaf by which nothing is differentiated."""
        return self.ops[index] in {INPUT, DETACH} or self.plainness.is_copied(index)

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
        self.derived.append((len(self.columns), min(wrt, default=-1)))
        below = self.columns.below([root for root, _ in seeds], wrt)
        pairs = tuple([x for pair in seeds for x in pair])
        signals = self.write_all(ADJOINT, [(x, *pairs) for x in wrt if x in below])
        if detached or self.is_detaching:
            signals = self.write_all(DETACH, [(x,) for x in signals])
        if plain:
            self.plainness.mark_all(signals, True)
        found = iter(self.all_traced(signals))
        return [next(found) if x in below else 0.0 for x in wrt]

    def detach(self, x: Any) -> Any:
        """Return a node with the number of a Value, through which no gradient flows."""
        index = self.refer(x, identity)
        detached = self.traced(DETACH, (index,))
        self.plainness.mark(detached.index, self.plainness.of(index))
        return detached

    # Refusals ---------------------------------------------------------------------------------

    def refused(self, question: str) -> NoReturn:
        """Raise TraceError for a question whose answer could differ from call to call."""
        self.refuse(*REFUSALS[question], is_change=question in CHANGES)

    def refuse(self, what: str, remedy: str, is_change: bool = False) -> NoReturn:
        """Raise TraceError now, and again when the function returns if it catches this one."""
        self.refusal = self.refusal or Refusal(what, remedy, is_change)
        raise self.refusal.error

    def expect_none_left(self, raised: Exception | None = None) -> None:
        """Raise the first refusal again if the function caught it, or it became another error."""
        if self.refusal is not None:
            self.refusal.locate(raised)
            raise self.refusal.error

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled."""
        self.refused("elsewhere")
