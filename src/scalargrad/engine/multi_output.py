"""Nodes with several outputs, which compute them at once and pull all cotangents back at once.

The results of a compiled function are outputs of such a node, and so are those of a function with
a `custom_vjp` rule. Each output is a Value whose only operand is the node.

The adjoint of such a node is a vector: one number for each output, kept as a sparse vector
(`Cotangents`, a dict from output index to number). The k-th output is eₖ · node, so its local
gradient is the unit vector eₖ, and adjoint · local gradient is again a vector. The backward sweep
therefore needs no special case for outputs. It reaches the node after all its outputs, with the
accumulated vector, and the node's rule pulls that vector back to the operands:

>>> class Double:
...     def pull_back(self, cotangents, node):
...         return [sum(2.0 * g for g in cotangents.values())]
>>> x = Value(1.0)
>>> y0, y1 = MultiOutputNode("f", (x,), [2.0, 2.0], Double()).outputs([0, 1], [Value, Value])
>>> (3.0 * y0 + 4.0 * y1).backward()  # the adjoint of the node is {0: 3.0, 1: 4.0}
>>> x.grad
14.0
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import GraphError
from scalargrad.opdef.declaration import Operation


class Cotangents(dict[int, Any]):
    """Adjoint of a node with several outputs: a sparse vector, from output index to number."""

    __slots__ = ()

    def __radd__(self, _zero: float) -> Cotangents:
        """Return the vector itself: the sweep starts every sum from -0.0."""
        return self

    def __add__(self, other: Cotangents) -> Cotangents:
        for k, adjoint in other.items():
            self[k] = self[k] + adjoint if k in self else adjoint
        return self

    def __float__(self) -> float:
        """Return the sum of all entries, which is inf or nan if an entry is."""
        return float(sum([getattr(x, "data", x) for x in self.values()]))


class _GradientsByRule(tuple[float, ...]):
    """Placeholder for local gradients that the rule of a node computes only when needed."""

    __slots__ = ()

    def propagate(self, node: MultiOutputNode, cotangents: Any, adjoints: dict[Value, Any]) -> None:
        """Pull the cotangents of the outputs back, and accumulate them at the operands."""
        accumulate(node.parents, node.pull_back(cotangents), adjoints)


def accumulate(
    operands: Sequence[Any], products: Sequence[float | None], adjoints: dict[Value, Any]
) -> None:
    """Add a number to the adjoint of each operand; None adds nothing."""
    for operand, product in zip(operands, products, strict=True):
        if product is not None:
            adjoints[operand] = adjoints.get(operand, -0.0) + product


class _OutputGradient(tuple[float, ...]):
    """Local gradient of the k-th output, eₖ: a number times it is a vector."""

    k: int

    def propagate(self, output: Value, upstream: float, adjoints: dict[Any, Any]) -> None:
        """Enter the adjoint of the output in the vector of its node."""
        (node,) = output.parents
        try:
            adjoints[node][self.k] = upstream
        except KeyError:
            adjoints[node] = upstream * self

    def __rmul__(self, adjoint: Any) -> Any:
        return Cotangents({self.k: adjoint})

    def __mul__(self, tangents: Any) -> Any:
        """Return the tangent of this output from the tangents of all."""
        return tangents[self.k]


class _Output(Operation):
    """Operation that selects the k-th output of a node."""

    def __init__(self, k: int) -> None:
        super().__init__(_do_nothing, _do_nothing, name=f"output {k + 1}")
        self.local_grads = _OutputGradient()
        self.local_grads.k = k

    def partial_nodes(self, _node: Any) -> Any:
        """Return the local gradient, a constant."""
        return (self.local_grads,)


def _do_nothing(*_: Any) -> Any:
    """Do nothing; a placeholder for the function of a definition."""


class MultiOutputOperation(Operation):
    """Operation of a node with several outputs: a function whose graph is not kept.

    Parameters
    ----------
    name : str
        The name of the function.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_do_nothing, _do_nothing, name=name)


_output, _operation_of = functools.cache(_Output), functools.cache(MultiOutputOperation)
_new = object.__new__

_GRADIENTS_BY_RULE = _GradientsByRule()


class Rule(Protocol):
    """Derivative rule of a function with several outputs."""

    def pull_back(self, cotangents: Cotangents, node: MultiOutputNode) -> Sequence[float | None]:
        """Return Σₖ cotangentₖ · ∂outputₖ/∂operand for each operand; None if none depends on it."""

    def pull_back_as_graph(
        self, cotangents: Cotangents, node: MultiOutputNode
    ) -> Sequence[Scalar | None]:
        """Return the same sums as Values, computed from the operands and the cotangents."""

    def require_linear(self, node: MultiOutputNode) -> None:
        """Raise OperandError unless `pull_back` is linear in the cotangents."""

    def reads(self, k: int, others: Sequence[int]) -> bool:
        """Return True if one of the other outputs was computed from the k-th, in the function."""


class MultiOutputNode(Value):
    """Node with several outputs; each output is a Value whose only operand is this node.

    Parameters
    ----------
    name : str
        The name of the function.
    operands : tuple of Value or float
        The arguments of the call.
    results : sequence of float
        The numbers that the function returned.
    rule : Rule
        The derivative rule of the function.

    Attributes
    ----------
    data : float
        The sum of the results, which is finite only if all of them are.
    local_grads : tuple
        Empty: the rule computes them.
    """

    __slots__ = ("results", "rule", "swept")

    def __init__(
        self, name: str, operands: tuple[Scalar, ...], results: Sequence[float], rule: Rule
    ) -> None:
        self.data, self.grad, self.label = float(sum(results)), 0.0, ""
        self.op, self.parents = _operation_of(name), operands
        self.local_grads = _GRADIENTS_BY_RULE
        self.results, self.rule = results, rule
        #: Indices of the outputs whose adjoints have been pulled back.
        self.swept: set[int] = set()

    def outputs(self, places: Sequence[int], kinds: Sequence[type[Value]]) -> list[Value]:
        """Return new Values for the outputs at these indices, each of the class at its index."""
        nodes: list[Value] = []
        this, results = (self,), self.results
        for k in places:
            y: Value = _new(kinds[k])
            y.data, y.grad, y.label, y.parents = results[k], 0.0, "", this
            y.op = op = _output(k)
            y.local_grads = op.local_grads
            nodes.append(y)
        return nodes

    def __format__(self, specification: str) -> str:
        return ", ".join([format(x, specification) for x in self.results])

    def pull_back(self, cotangents: Any) -> Sequence[float | None]:
        """Return Σₖ cotangentₖ · ∂outputₖ/∂operand for each operand, from those of some outputs."""
        self.swept.update(cotangents)
        return self.rule.pull_back(cotangents, self)

    def pull_back_as_graph(self, cotangents: Any) -> Sequence[Scalar | None]:
        """Return the same sums as Values that can be differentiated again."""
        return self.rule.pull_back_as_graph(cotangents, self)

    def push_forward(self, moving: Sequence[tuple[int, Scalar]], as_graph: bool) -> list[Scalar]:
        """Return the tangent of each output from the tangents of some operands, by index."""
        self.rule.require_linear(self)
        pull = self.pull_back_as_graph if as_graph else self.pull_back
        rows: list[Any] = [pull(Cotangents({k: 1.0})) for k in range(len(self.results))]
        return [
            sum([row[i] * tangent for i, tangent in moving if row[i] is not None], 0.0)
            for row in rows
        ]


class Intermediate(Value):
    """Output from which the function itself computed another output.

    The graph has no edge between the two, so a derivative with respect to this output would lack
    a term. It raises GraphError instead.
    """

    __slots__ = ()

    @property
    def grad(self) -> float:
        """∂root/∂self, as for any Value.

        Raises
        ------
        GraphError
            If a sweep went through an output that the function computed from this one.
        """
        node: Any = self.parents[0]
        others = [k for k in node.swept if k != _index(self)]
        if node.rule.reads(_index(self), others):
            raise _unknown_derivative_error(node)
        return super().grad

    @grad.setter
    def grad(self, adjoint: float) -> None:
        Value.grad.__set__(self, adjoint)  # type: ignore[attr-defined] # a slot

    def is_read_by(self, nodes: Iterable[Value]) -> bool:
        """Return True if the function computed one of these nodes from this output."""
        node: Any = self.parents[0]
        others = [x for x in nodes if x is not self and x.parents and x.parents[0] is node]
        return bool(others) and node.rule.reads(_index(self), [_index(x) for x in others])

    def require_unread(self, nodes: Iterable[Value]) -> None:
        """Raise GraphError if the function computed one of these nodes from this output."""
        if self.is_read_by(nodes):
            raise _unknown_derivative_error(self.parents[0])

    def __repr__(self) -> str:
        return f"Value(data={self.data})"


def _unknown_derivative_error(node: Any) -> GraphError:
    return GraphError(
        f"cannot differentiate with respect to this output of {node.op.name}: another output "
        f"depends on it. Differentiate inside {node.op.name}, or compute the other output outside"
    )


def _index(output: Any) -> int:
    """Return the index of an output among those of its node."""
    return output.local_grads.k  # type: ignore[no-any-return]


def require_no_multi_output_node(order: Sequence[Value]) -> None:
    """Raise GraphError if a node with several outputs is among the nodes to be displayed."""
    for op in [x.op for x in order if isinstance(x.op, MultiOutputOperation)]:
        raise GraphError(
            f"{op.name} has no graph to display: it is compiled or has a custom_vjp rule. Call a "
            "compiled function within scalargrad.disable_jit(); write a function with a rule as "
            "operations instead"
        )
