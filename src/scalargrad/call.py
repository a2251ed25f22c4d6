"""Call: a node of several numbers, computed at once, whose gradient is pulled back at once.

The results of a compiled function are outputs of a call, and so are those of a function with a
derivative of its own (`custom_vjp`). Each output is a Value whose only operand is the call.

A sweep meets a call after all its outputs. An output is the k-th number of the call, eₖ · call, so
its local gradient is a unit vector. Signal times unit vector is a vector of signals, and such
vectors add up at the call as numbers do elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from scalargrad.errors import GraphError
from scalargrad.table.declaration import Operation
from scalargrad.value import Scalar, Value


class Signals(dict[int, Any]):
    """The signals on their way to a call, by output: a sparse vector."""

    __slots__ = ()

    def __radd__(self, _zero: float) -> Signals:
        return self

    def __add__(self, other: Signals) -> Signals:
        for k, signal in other.items():
            self[k] = self[k] + signal if k in self else signal
        return self

    def __float__(self) -> float:
        """Return a number that is finite, or no nan, where all signals are."""
        return float(sum([getattr(x, "data", x) for x in self.values()]))


class _CallGradients(tuple[float, ...]):
    """Stands for the local gradients of a call, which are computed as they are needed."""

    __slots__ = ()

    def send_back(self, call: Call, signals: Any, arrived: dict[Value, Any]) -> None:
        """Add to the signal of each operand its share in those of the outputs."""
        add_shares(call.parents, call.pull_back(signals), arrived)


def add_shares(
    operands: Sequence[Any], shares: Sequence[float | None], arrived: dict[Value, Any]
) -> None:
    """Add shares to the signals of operands; None is no share."""
    for operand, share in zip(operands, shares, strict=True):
        if share is not None:
            arrived[operand] = arrived.get(operand, -0.0) + share


class _OutputGradient(tuple[float, ...]):
    """The local gradient of the k-th output of a call: a signal times it is a vector."""

    k: int

    def send_back(self, output: Value, upstream: float, arrived: dict[Any, Any]) -> None:
        """Enter the signal of the output in the vector of those to its call."""
        (call,) = output.parents
        try:
            arrived[call][self.k] = upstream
        except KeyError:
            arrived[call] = upstream * self

    def __rmul__(self, signal: Any) -> Any:
        return Signals({self.k: signal})

    def __mul__(self, tangents: Any) -> Any:
        """Return the tangent of the output, given those of all."""
        return tangents[self.k]


class _Output(Operation):
    """The operation that takes the k-th number of a call."""

    def __init__(self, k: int) -> None:
        super().__init__(_undeclared, _undeclared, name=f"output {k + 1}")
        self.local_grads = _OutputGradient()
        self.local_grads.k = k

    def partial_nodes(self, _node: Any) -> Any:
        """Return the local gradient, which depends on nothing."""
        return (self.local_grads,)


def _undeclared(*_: Any) -> Any:
    """Stand for the declared function, which is never called."""


class CallOperation(Operation):
    """The operation of calls of a function, of which no graph is kept.

    Parameters
    ----------
    name : str
        The name of the function.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_undeclared, _undeclared, name=name)


_output, _operation_of = functools.cache(_Output), functools.cache(CallOperation)
_new = object.__new__

_CALL_GRADIENTS = _CallGradients()


class Rule(Protocol):
    """The rule of a function's derivative, by which a call sends signals back."""

    def pull_back(self, signals: Signals, call: Call) -> Sequence[float | None]:
        """Return Σₖ signalₖ · ∂outputₖ/∂operand for each operand; None if none depends on it."""

    def pull_back_as_graph(self, signals: Signals, call: Call) -> Sequence[Scalar | None]:
        """Return the same, computed from the operands of a call and from the signals."""

    def require_linear(self, call: Call) -> None:
        """Raise OperandError unless what is sent back is linear in the signals."""

    def reads(self, k: int, others: Sequence[int]) -> bool:
        """Return whether one of the other outputs was computed from the k-th, in the call."""


class Call(Value):
    """A node of several numbers; each output is a Value whose only operand it is.

    Parameters
    ----------
    name : str
        The name of the function.
    operands : tuple of Value or float
        What it was called with.
    results : sequence of float
        The numbers that it returned.
    rule : Rule
        How signals are sent back.

    Attributes
    ----------
    data : float
        The sum of the results, which is finite only if all of them are.
    local_grads : tuple
        Empty: they are computed by the rule.
    """

    __slots__ = ("results", "rule", "swept")

    def __init__(
        self, name: str, operands: tuple[Scalar, ...], results: Sequence[float], rule: Rule
    ) -> None:
        self.data, self.grad, self.label = float(sum(results)), 0.0, ""
        self.op, self.parents, self.local_grads = _operation_of(name), operands, _CALL_GRADIENTS
        self.results, self.rule = results, rule
        #: The outputs that have sent a signal.
        self.swept: set[int] = set()

    def outputs(self, places: Sequence[int], kinds: Sequence[type[Value]]) -> list[Value]:
        """Return new nodes for numbers of the call, each of its class."""
        made: list[Value] = []
        this, results = (self,), self.results
        for k in places:
            y: Value = _new(kinds[k])
            y.data, y.grad, y.label, y.parents = results[k], 0.0, "", this
            y.op = op = _output(k)
            y.local_grads = op.local_grads
            made.append(y)
        return made

    def __format__(self, specification: str) -> str:
        return ", ".join([format(x, specification) for x in self.results])

    def pull_back(self, signals: Any) -> Sequence[float | None]:
        """Return the products for the operands, given signals to some outputs."""
        self.swept.update(signals)
        return self.rule.pull_back(signals, self)

    def pull_back_as_graph(self, signals: Any) -> Sequence[Scalar | None]:
        """Return the same as Values that can be differentiated again."""
        return self.rule.pull_back_as_graph(signals, self)

    def push_forward(self, moving: Sequence[tuple[int, Scalar]], as_graph: bool) -> list[Scalar]:
        """Return the tangent of each output, given those of operands, by index."""
        self.rule.require_linear(self)
        pull = self.pull_back_as_graph if as_graph else self.pull_back
        rows: list[Any] = [pull(Signals({k: 1.0})) for k in range(len(self.results))]
        return [
            sum([row[i] * tangent for i, tangent in moving if row[i] is not None], 0.0)
            for row in rows
        ]


class Intermediate(Value):
    """An output of a call from which another output was computed, within the call.

    No gradient flows there, so one by this output lacks a part, and is refused.
    """

    __slots__ = ()

    @property
    def grad(self) -> float:
        """∂root/∂self, as of a Value.

        Raises
        ------
        GraphError
            If a sweep went through what was computed from this within the call.
        """
        call: Any = self.parents[0]
        others = [k for k in call.swept if k != _index(self)]
        if call.rule.reads(_index(self), others):
            raise _unknown(call)
        return super().grad

    @grad.setter
    def grad(self, signal: float) -> None:
        Value.grad.__set__(self, signal)  # type: ignore[attr-defined] # a slot

    def is_read_by(self, nodes: Iterable[Value]) -> bool:
        """Return whether one of some nodes was computed from this, within the call."""
        call: Any = self.parents[0]
        others = [x for x in nodes if x is not self and x.parents and x.parents[0] is call]
        return bool(others) and call.rule.reads(_index(self), [_index(x) for x in others])

    def require_unread(self, nodes: Iterable[Value]) -> None:
        """Raise GraphError if one of some nodes was computed from this, within the call."""
        if self.is_read_by(nodes):
            raise _unknown(self.parents[0])

    def __repr__(self) -> str:
        return f"Value(data={self.data})"


def _unknown(call: Any) -> GraphError:
    return GraphError(
        f"gradients are taken by a result of {call.op.name}, from which it has computed another "
        "result: take them inside it, or compute the other outside"
    )


def _index(output: Any) -> int:
    """Return which number of its call an output is."""
    return output.local_grads.k  # type: ignore[no-any-return]


def require_no_call(order: Sequence[Value]) -> None:
    """Raise GraphError if a call is among the nodes that are to be shown."""
    for op in [x.op for x in order if isinstance(x.op, CallOperation)]:
        raise GraphError(
            f"{op.name} computed its results at once, and no graph of them is kept: to see one, "
            "call a compiled function within scalargrad.disable_jit(), and write a function with "
            "a rule of its own as operations"
        )
