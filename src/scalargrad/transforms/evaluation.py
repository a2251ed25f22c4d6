"""One evaluation of a function that is to be differentiated.

Every derivative in `functional` begins here. The numbers of the arguments are replaced by fresh
leaves, the function runs once, and the nodes that it computed from these leaves are the subgraph
for the sweep:

>>> from scalargrad import Value
>>> x = Value(3.0)
>>> evaluation = Evaluation(lambda w, x: w * w + x, [0], (2.0, x), {})
>>> evaluation.result
Value(data=7.0, grad=0.0)
>>> subgraph = evaluation.subgraph(evaluation.result)
>>> [node.op.symbol for node in subgraph.nodes]
['*', '+']
>>> evaluation.gradients(evaluation.result, subgraph._replace(as_graph=False))
[4.0]

The function also reads a Value from outside, x. A derivative may be taken through x later, so the
gradient must be a graph as well:

>>> subgraph.as_graph
True
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_function
from scalargrad.engine.active_derivatives import ActiveDerivative, active_derivatives
from scalargrad.engine.autodiff import (
    compute_adjoint_graphs,
    compute_adjoints,
    partial_values,
    product,
)
from scalargrad.engine.grad_mode import builds_graphs, enable_grad
from scalargrad.engine.graph import describe, first_nonfinite, topological_order
from scalargrad.engine.multi_output import MultiOutputNode
from scalargrad.engine.recorder import recorder
from scalargrad.engine.tree import Rebuild, flatten, replace_values
from scalargrad.engine.value import Parameter, Scalar, Value
from scalargrad.errors import NumericalError, OperandError
from scalargrad.ops import identity

#: Advice for a NumPy function that does not accept Values.
OF_FLOATS = (
    "Replace functions of NumPy or SciPy that accept only floats by scalargrad's operations, such "
    "as isnan, logsumexp or erf, by scalargrad.linalg for matrices, or by a loop."
)
#: Advice for an assignment of Values to an array of floats.
IN_PLACE = (
    "An array of floats cannot contain Values. Create it with dtype=object, as in "
    "np.zeros(2, dtype=object), or create a new array, as in q = q - … instead of q -= …"
)
_NOTE = f"While a function is differentiated, its arguments contain Values. {OF_FLOATS}"


class Subgraph(NamedTuple):
    """The part of a graph through which a derivative is taken.

    Attributes
    ----------
    nodes : list of Value
        The nodes that depend on the fresh leaves, operands before results.
    as_graph : bool
        True if results belong to an outer graph.
    """

    nodes: list[Value]
    as_graph: bool


def in_place_advice(error: Exception) -> str:
    """Return the advice if NumPy could not write Values into an array in place, else ""."""
    is_output = isinstance(error, TypeError) and hasattr(error, "out_i")  # NumPy's UFuncTypeError
    return IN_PLACE if is_output and str(getattr(error, "from_", "")) == "object" else ""


def add_note_once(error: Exception, note: str) -> None:
    """Add a note to an exception unless it already has it."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def evaluate_function(
    f: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: Any
) -> Evaluation:
    """Run a function that is differentiated: eagerly or, within a trace, by the recorder."""
    check_function(f, "f", "one of numbers")
    current = recorder()
    if current is None:
        return Evaluation(f, argnums, args, kwargs)
    run: Evaluation = current.run(f, argnums, args, kwargs)
    return run


class Evaluation:
    """One run of a function on fresh leaves, with the graph that it built.

    Parameters
    ----------
    f : callable
    argnums : sequence of int
        Positions of the arguments whose numbers are replaced by fresh leaves.
    args, kwargs
        The arguments. A Value among these numbers is the operand of its fresh leaf, so that
        an outer derivative reaches it.

    Attributes
    ----------
    leaves : list of Value
        The fresh leaves, in the order of `argnums`.
    result
        The result of `f`.
    recorded : bool
        True if gradients are enabled in the caller, which may differentiate the result again.
    """

    def __init__(
        self, f: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: Any
    ) -> None:
        self.name = getattr(f, "__name__", "f")
        self.leaves: list[Value] = []
        self.recorded = builds_graphs()  # in the caller; within f they are always enabled
        self._rebuilds: list[Rebuild] = []
        self._has_values = False
        self._created: set[Value] = set()
        self._parameters: set[Value] = set()
        fresh: dict[int, tuple[list[Value], Rebuild]] = {}
        for position in argnums:
            place = place_of(args, position, self.name)
            if place not in fresh:
                fresh[place] = self._fresh(args[place], f"argument {position}")
            leaves, rebuild = fresh[place]
            self.leaves += leaves
            self._rebuilds.append(rebuild)
        replaced = [fresh[i][1](iter(fresh[i][0])) if i in fresh else x for i, x in enumerate(args)]
        here = ActiveDerivative(self._created, self.leaves, set())
        token = active_derivatives.set((*active_derivatives.get(), here))
        try:
            if self.recorded:
                self.result = f(*replaced, **kwargs)
            else:
                with enable_grad():
                    self.result = f(*replaced, **kwargs)
        except TypeError as error:
            if "ufunc" in str(error):
                add_note_once(error, in_place_advice(error) or _NOTE)
            raise
        finally:
            active_derivatives.reset(token)

    def _fresh(self, argument: Any, where: str) -> tuple[list[Value], Rebuild]:
        """Return fresh leaves for the numbers of an argument, with Values as their operands."""
        numbers, rebuild = flatten(argument, where)
        values = [x for x in numbers if isinstance(x, Value)]
        self._has_values |= bool(values)
        self._parameters.update([x for x in values if isinstance(x, Parameter)])
        return self._leaves_of(numbers), rebuild

    def _leaves_of(self, numbers: Sequence[Any]) -> list[Value]:
        """Return the leaves that replace numbers of an argument."""
        return [identity(x) if isinstance(x, Value) else Value(x) for x in numbers]

    def require_finite(self, y: Scalar) -> None:
        """Raise NumericalError if the number to be differentiated is inf or nan."""
        if not isfinite(y.data if isinstance(y, Value) else y):
            raise NumericalError(_not_finite(y, self.name))

    def require_read(self, y: Scalar) -> None:
        """Raise OperandError if the result depends on Parameters only through captured variables.

        They are also arguments, but the function does not use its argument, so that the derivative
        with respect to it would be 0.
        """
        read = topological_order(y) if self._parameters and isinstance(y, Value) else ()
        if not self._parameters.isdisjoint(read):
            raise OperandError(
                f"{self.name} reads its Parameters from the enclosing scope instead of its "
                "argument, so that the gradient would be 0: use the argument, or write "
                "gradients(loss, parameters)"
            )

    def returned(self, x: Any, subgraph: Subgraph) -> Any:
        """Return an output for the caller: as a number, unless it belongs to an outer graph."""
        return x.data if isinstance(x, Value) and not subgraph.as_graph else x

    def auxiliary(self, aux: Any) -> Any:
        """Return an auxiliary result, with floats for Values that belong to no outer graph."""
        values: list[Value] = []
        replace_values(aux, values.append)
        outside = self.outside(values)
        return replace_values(aux, lambda x: x if x in outside else x.data)

    def subgraph(self, *outputs: Any) -> Subgraph:
        """Return the nodes between the fresh leaves and the outputs."""
        roots = [y for y in outputs if isinstance(y, Value)]
        outer = active_derivatives.get()
        older = outer[-1].older if outer else set()
        seen = topological_order(*roots, stop_at=self.leaves, seen=older)
        older.difference_update(self.leaves, seen)
        closed_over = not (
            self._created.issuperset([x for x in seen if not x.parents])
            and (not older or all(older.isdisjoint((x, *x.parents)) for x in (*seen, *roots)))
        )
        nodes = seen
        if closed_over:  # nodes that do not depend on the leaves are older than later derivatives
            nodes = _depending(seen, self.leaves)
            older.update(seen)
            older.difference_update(nodes)
        as_graph = self.recorded and (closed_over or self._has_values)
        return Subgraph(nodes, as_graph)

    def outside(self, values: Sequence[Value]) -> set[Value]:
        """Return the nodes under `values` that depend on Values from outside of this run."""
        if not self.recorded:
            return set()
        dependent = set(self.leaves) if self._has_values else set()
        for node in topological_order(*values, stop_at=self.leaves):
            is_captured = not node.parents and node not in self._created
            if is_captured or not dependent.isdisjoint(node.parents):
                dependent.add(node)
        return dependent

    def gradients(
        self, y: Any, subgraph: Subgraph, *, allow_nonfinite: bool = True
    ) -> list[Scalar]:
        """Return ∂y/∂leaf for every fresh leaf."""
        weighted = [(y, 1.0)] if isinstance(y, Value) else []
        return self.pull_back(weighted, subgraph, allow_nonfinite=allow_nonfinite)

    def pull_back(
        self,
        weighted: Sequence[tuple[Value, Any]],
        subgraph: Subgraph,
        *,
        allow_nonfinite: bool = True,
    ) -> list[Scalar]:
        """Return Σ seed · ∂output/∂leaf for every fresh leaf, from pairs (output, seed)."""
        seeds: dict[Value, Any] = {}
        for y, weight in weighted:
            seeds[y] = seeds.get(y, -0.0) + weight
        adjoints: dict[Value, Any]
        if subgraph.as_graph:
            with enable_grad():
                adjoints = compute_adjoint_graphs(
                    subgraph.nodes, seeds, allow_nonfinite=allow_nonfinite
                )
        else:
            adjoints = compute_adjoints(subgraph.nodes, seeds, allow_nonfinite=allow_nonfinite)
        return [adjoints.get(leaf, 0.0) for leaf in self.leaves]

    def push_forward(
        self, outputs: Sequence[Any], tangents: Iterable[dict[Value, Scalar]], subgraph: Subgraph
    ) -> list[list[Scalar]]:
        """Return the tangents of the outputs, for each of several tangents of the leaves."""
        results: list[list[Scalar]] = []
        with enable_grad():
            for tangent in tangents:
                known = compute_tangents(subgraph.nodes, tangent, subgraph.as_graph)
                results.append(
                    [known.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]
                )
        return results

    def arguments(self, results: Sequence[Any]) -> list[Any]:
        """Arrange one result per fresh leaf in the shapes of the arguments."""
        remaining = iter(results)
        return [rebuild(remaining) for rebuild in self._rebuilds]


def _not_finite(y: Scalar, name: str) -> str:
    """Return the message for a result that is not finite, with the first such node."""
    number, first = (y, None) if isinstance(y, float) else (y.data, first_nonfinite(y))
    cause = "" if first is None else f"; the first node that is not finite is {describe(first)}"
    return (
        f"{name} returned {number}, whose gradient is undefined{cause}. Scale its operands or "
        "guard them with where"
    )


def compute_tangents(
    order: Sequence[Value], known: dict[Value, Scalar], as_graph: bool
) -> dict[Value, Scalar]:
    """Add to `known`, tangents by node, those of all nodes of `order` that depend on these.

    Parameters
    ----------
    order : sequence of Value
        A topological order, operands before results.
    known : dict from Value to number
        The tangents of leaves.
    as_graph : bool
        Whether tangents are Values, which can be differentiated again.

    Returns
    -------
    dict from Value to number
        `known`.
    """
    for node in order:
        tangents = [
            (k, known[x]) for k, x in enumerate(node.parents) if isinstance(x, Value) and x in known
        ]
        if tangents:
            if isinstance(node, MultiOutputNode):
                known[node] = node.push_forward(tangents, as_graph)  # type: ignore[assignment]
                continue
            is_traced = (
                as_graph or not node.local_grads
            )  # that of an output of a node with several is empty
            partials: Sequence[Any] = partial_values(node) if is_traced else node.local_grads
            terms = [product(partials[k], tangent) for k, tangent in tangents]
            known[node] = functools.reduce(operator.add, terms)
    return known


def _depending(order: Sequence[Value], leaves: Sequence[Value]) -> list[Value]:
    """Return the nodes of `order` that depend on one of `leaves`."""
    reached: set[Value | float] = set(leaves)
    for node in order:
        if not reached.isdisjoint(node.parents):
            reached.add(node)
    return [node for node in order if node in reached]


def place_of(args: Sequence[Any], position: int, name: str) -> int:
    """Return a position counted from the first argument; raise OperandError if it is missing."""
    if not -len(args) <= position < len(args):
        raise OperandError(
            f"argnums names argument {position}, but {name} was called with {len(args)} "
            "positional arguments; arguments to differentiate are given by position"
        )
    return position % len(args)
