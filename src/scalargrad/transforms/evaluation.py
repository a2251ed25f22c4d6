"""One evaluation of a function, ready to be differentiated: fresh leaves in, graph out.

Every derivative in `functional` begins here. The arguments' numbers are replaced
by fresh leaves, the function runs once, and what it computed from those leaves is the subgraph
that a sweep goes through:

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

The function reads a Value from outside, x: a derivative may be taken through x later, so the
gradient is to be a graph as well.

>>> subgraph.as_graph
True
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from scalargrad.autodiff import error_signals, gradient_graphs, partial_values, product
from scalargrad.call import Call
from scalargrad.errors import NumericalError, OperandError
from scalargrad.grad_mode import Derivative, builds_graphs, derivatives, enable_grad, recorder
from scalargrad.graph import describe, first_nonfinite, topological_order
from scalargrad.ops import identity
from scalargrad.table.validation import function
from scalargrad.tree import Rebuild, flatten, replaced
from scalargrad.value import Parameter, Scalar, Value

#: The advice where a function of NumPy's takes no Values.
OF_FLOATS = (
    "What NumPy or SciPy compute of floats alone, compute by scalargrad's operations, such as "
    "isnan, logsumexp or erf, with matrices by scalargrad.linalg, or in a loop."
)
#: The advice where NumPy refuses to write Values to an array of floats.
IN_PLACE = (
    "The array is of floats, which cannot hold Values. Make it with dtype=object, as in "
    "np.zeros(2, dtype=object), or make a new array, as in q = q - … instead of q -= …"
)
_NOTE = f"While a derivative is taken, every number of the arguments is a Value. {OF_FLOATS}"


class Subgraph(NamedTuple):
    """The part of a graph that a derivative is taken through."""

    nodes: list[Value]  # those that depend on the fresh leaves, operands before results
    as_graph: bool  # whether results belong to an outer graph


def in_place_advice(error: Exception) -> str:
    """Return the advice if an in-place operation of NumPy could not write Values, else ""."""
    is_output = isinstance(error, TypeError) and hasattr(error, "out_i")  # NumPy's UFuncTypeError
    return IN_PLACE if is_output and str(getattr(error, "from_", "")) == "object" else ""


def add_note_once(error: Exception, note: str) -> None:
    """Add a note to an exception that does not have it yet."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def evaluated(
    f: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: Any
) -> Evaluation:
    """Run a function that is differentiated: recorded if a recorder is in force, else eagerly."""
    function(f, "f", "one of numbers")
    current = recorder()
    if current is None:
        return Evaluation(f, argnums, args, kwargs)
    run: Evaluation = current.run(f, argnums, args, kwargs)
    return run


class Evaluation:
    """One run of a function on fresh leaves, with the graph it left.

    Parameters
    ----------
    f : callable
    argnums : sequence of int
        Positions of the arguments whose numbers become fresh leaves.
    args, kwargs
        The arguments. A Value among those numbers is the operand of its fresh leaf, so that
        an outer derivative reaches it.

    Attributes
    ----------
    leaves : list of Value
        The fresh leaves, in the order of `argnums`.
    result
        What `f` returned.
    recorded : bool
        Whether the caller records, and may therefore differentiate the result again.
    """

    def __init__(
        self, f: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: Any
    ) -> None:
        self.name = getattr(f, "__name__", "f")
        self.leaves: list[Value] = []
        self.recorded = builds_graphs()  # outside; inside f it always is
        self._rebuilds: list[Rebuild] = []
        self._given_values = False
        self._made_inside: set[Value] = set()
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
        here = Derivative(self._made_inside, self.leaves, set())
        token = derivatives.set((*derivatives.get(), here))
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
            derivatives.reset(token)

    def _fresh(self, argument: Any, where: str) -> tuple[list[Value], Rebuild]:
        """Return new leaves for the numbers of an argument, joined to those that are Values."""
        numbers, rebuild = flatten(argument, where)
        values = [x for x in numbers if isinstance(x, Value)]
        self._given_values |= bool(values)
        self._parameters.update([x for x in values if isinstance(x, Parameter)])
        return self._leaves_of(numbers), rebuild

    def _leaves_of(self, numbers: Sequence[Any]) -> list[Value]:
        """Return the leaves that stand for numbers of an argument."""
        return [identity(x) if isinstance(x, Value) else Value(x) for x in numbers]

    def require_finite(self, y: Scalar) -> None:
        """Raise NumericalError if the number to be differentiated is inf or nan."""
        if not isfinite(y.data if isinstance(y, Value) else y):
            raise NumericalError(_not_finite(y, self.name))

    def require_read(self, y: Scalar) -> None:
        """Raise OperandError if a result depends on Parameters that were given, but read elsewhere.

        Its derivative by the argument is 0, and never wanted.
        """
        read = topological_order(y) if self._parameters and isinstance(y, Value) else ()
        if not self._parameters.isdisjoint(read):
            raise OperandError(
                f"the result of {self.name} depends on the very Parameters that it was given, read "
                "by a name, and not on the argument that stands for them: compute with the "
                "argument, or write gradients(loss, parameters)"
            )

    def returned(self, x: Any, subgraph: Subgraph) -> Any:
        """Return an output as the caller gets it: a number, unless it is of an outer graph."""
        return x.data if isinstance(x, Value) and not subgraph.as_graph else x

    def auxiliary(self, aux: Any) -> Any:
        """Return an auxiliary result with floats for Values, unless these are of an outer graph."""
        values: list[Value] = []
        replaced(aux, values.append)
        outside = self.outside(values)
        return replaced(aux, lambda x: x if x in outside else x.data)

    def subgraph(self, *outputs: Any) -> Subgraph:
        """Return the nodes between the fresh leaves and the outputs."""
        roots = [y for y in outputs if isinstance(y, Value)]
        around = derivatives.get()
        older = around[-1].older if around else set()
        seen = topological_order(*roots, until=self.leaves, met=older)
        older.difference_update(self.leaves, seen)
        closed_over = not (
            self._made_inside.issuperset([x for x in seen if not x.parents])
            and (not older or all(older.isdisjoint((x, *x.parents)) for x in (*seen, *roots)))
        )
        nodes = seen
        if closed_over:  # what does not depend on the leaves is older than any that follow
            nodes = _depending(seen, self.leaves)
            older.update(seen)
            older.difference_update(nodes)
        as_graph = self.recorded and (closed_over or self._given_values)
        return Subgraph(nodes, as_graph)

    def outside(self, values: Sequence[Value]) -> set[Value]:
        """Return the nodes up to `values` that depend on Values from outside of this run."""
        if not self.recorded:
            return set()
        found = set(self.leaves) if self._given_values else set()
        for node in topological_order(*values, until=self.leaves):
            given = not node.parents and node not in self._made_inside
            if given or not found.isdisjoint(node.parents):
                found.add(node)
        return found

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
        signals: dict[Value, Any]
        if subgraph.as_graph:
            with enable_grad():
                signals = gradient_graphs(subgraph.nodes, seeds, allow_nonfinite=allow_nonfinite)
        else:
            signals = error_signals(subgraph.nodes, seeds, allow_nonfinite=allow_nonfinite)
        return [signals.get(leaf, 0.0) for leaf in self.leaves]

    def push_forward(
        self, outputs: Sequence[Any], tangents: Iterable[dict[Value, Scalar]], subgraph: Subgraph
    ) -> list[list[Scalar]]:
        """Return the tangents of the outputs, for each of several ways in which leaves move."""
        found: list[list[Scalar]] = []
        with enable_grad():
            for way in tangents:
                moving = _pushed_forward(subgraph.nodes, way, subgraph.as_graph)
                found.append([moving.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs])
        return found

    def arguments(self, results: Sequence[Any]) -> list[Any]:
        """Arrange one result per fresh leaf in the shapes of the arguments."""
        remaining = iter(results)
        return [rebuild(remaining) for rebuild in self._rebuilds]


def _not_finite(y: Scalar, name: str) -> str:
    """Describe a result that is not finite, and the node at which that began."""
    number, first = (y, None) if isinstance(y, float) else (y.data, first_nonfinite(y))
    began = "" if first is None else f"; the first node that went non-finite is {describe(first)}"
    return (
        f"{name} returned {number}, whose gradient is undefined{began}. Scale its operands or "
        "guard them with where"
    )


def _pushed_forward(
    order: Sequence[Value], moving: dict[Value, Scalar], as_graph: bool
) -> dict[Value, Scalar]:
    """Extend `moving` (node to tangent) to every node of `order` that a moving leaf reaches."""
    for node in order:
        reached = [
            (k, moving[x])
            for k, x in enumerate(node.parents)
            if isinstance(x, Value) and x in moving
        ]
        if reached:
            if isinstance(node, Call):
                moving[node] = node.push_forward(reached, as_graph)  # type: ignore[assignment]
                continue
            is_traced = as_graph or not node.local_grads  # of an output of a call there are none
            partials: Sequence[Any] = partial_values(node) if is_traced else node.local_grads
            terms = [product(partials[k], tangent) for k, tangent in reached]
            moving[node] = functools.reduce(operator.add, terms)
    return moving


def _depending(order: Sequence[Value], leaves: Sequence[Value]) -> list[Value]:
    """Return the nodes of `order` that depend on one of `leaves`."""
    reached: set[Value | float] = set(leaves)
    for node in order:
        if not reached.isdisjoint(node.parents):
            reached.add(node)
    return [node for node in order if node in reached]


def place_of(args: Sequence[Any], position: int, name: str) -> int:
    """Return a position counted from the first argument, which must have been given."""
    if not -len(args) <= position < len(args):
        raise OperandError(
            f"argnums names argument {position}, but {name} was called with {len(args)} "
            "positional arguments; arguments to differentiate are given by position"
        )
    return position % len(args)
