"""Functions that take functions apart: grad, value_and_grad, jvp, vjp, hvp, jacobian, hessian.

All follow JAX's signatures, and nest in any way. Each call records `f` once on fresh leaves, so
an outer derivative is never confused with an inner one. Results are floats, unless an argument
or a leaf that `f` closes over is a Value: then they are Values that can be differentiated again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scalargrad.autodiff import (
    error_signals,
    gradient_graphs,
    partial_values,
    product,
    require_finite,
)
from scalargrad.errors import OperandError
from scalargrad.graph import topological_order
from scalargrad.ops import identity
from scalargrad.ops.recording import enable_grad, is_grad_enabled
from scalargrad.tree import Rebuild, flatten
from scalargrad.value import Scalar, Value


class _Recording:
    """One run of a function: fresh leaves in, graph out."""

    def __init__(
        self, f: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: Any
    ) -> None:
        name = getattr(f, "__name__", "f")
        self.leaves: list[Value] = []
        self.rebuilds: list[tuple[int, Rebuild]] = []
        replaced = list(args)
        outer_is_recorded = is_grad_enabled()
        with_values = False
        for position in argnums:
            numbers, rebuild = flatten(_argument(args, position, name), f"argument {position}")
            fresh = [identity(x) if isinstance(x, Value) else Value(x) for x in numbers]
            with_values |= any(isinstance(x, Value) for x in numbers)
            replaced[position] = rebuild(iter(fresh))
            self.leaves += fresh
            self.rebuilds.append((len(fresh), rebuild))
        with enable_grad():
            self.result = f(*replaced, **kwargs)
        self.name = name
        self._with_values = with_values
        self._outer_is_recorded = outer_is_recorded

    def order(self, *outputs: Any) -> list[Value]:
        """Return the nodes between the fresh leaves and the outputs."""
        roots = [y for y in outputs if isinstance(y, Value)]
        return topological_order(*roots, until=self.leaves)

    def as_graph(self, order: Sequence[Value]) -> bool:
        """Return whether results are Values: an argument or a closed-over leaf is one."""
        closed_over = self._with_values or any(not node.parents for node in order)
        return self._outer_is_recorded and closed_over

    def gradients(self, y: Any, order: Sequence[Value], as_graph: bool) -> list[Scalar]:
        """Return ∂y/∂leaf for every fresh leaf."""
        if not isinstance(y, Value):
            return [0.0] * len(self.leaves)
        return self.pull_back(order, {y: 1.0}, as_graph)

    def pull_back(
        self, order: Sequence[Value], seeds: dict[Value, Any], as_graph: bool
    ) -> list[Scalar]:
        """Return Σ seed · ∂output/∂leaf for every fresh leaf."""
        if as_graph:
            with enable_grad():
                signals = gradient_graphs(order, seeds)
            return [signals.get(leaf, 0.0) for leaf in self.leaves]
        signals = dict(error_signals(order, {**dict.fromkeys(self.leaves, 0.0), **seeds}))
        return [signals[leaf] for leaf in self.leaves]

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """Arrange one result per fresh leaf in the shapes of the arguments."""
        remaining = iter(leaves)
        return [rebuild(remaining) for _, rebuild in self.rebuilds]


def _argument(args: Sequence[Any], position: int, name: str) -> Any:
    if not -len(args) <= position < len(args):
        raise OperandError(
            f"argnums names argument {position}, but {name} was called with {len(args)} "
            "positional arguments; arguments to differentiate are given by position"
        )
    return args[position]


def _positions(argnums: int | Sequence[int]) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def _unpack(argnums: int | Sequence[int], results: Sequence[Any]) -> Any:
    return results[0] if isinstance(argnums, int) else tuple(results)


def _plain(x: Any, as_graph: bool) -> Any:
    """Return an output as the caller gets it: a number, unless it belongs to an outer graph."""
    return x.data if isinstance(x, Value) and not as_graph else x


def _scalar(y: Any, name: str) -> Any:
    leaves, _ = flatten(y, f"the result of {name}")
    if len(leaves) != 1 or leaves[0] is not y:
        raise OperandError(
            f"{name} returned {y!r:.60}: a gradient needs one number; return one, or use jacobian"
        )
    if isinstance(y, Value):
        require_finite(y)
    return y if isinstance(y, Value) else float(y)


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes f and its gradient, from one run.

    Parameters
    ----------
    f : callable
        Returns one number; its differentiated arguments are numbers, or lists, tuples, dicts
        and arrays of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.
    has_aux : bool
        `f` returns ``(number, auxiliary)``; the auxiliary result is passed on.

    Returns
    -------
    callable
        With the arguments of `f`, returning ``(value, gradient)``; the gradient is shaped
        as the argument, in result unit / argument unit; a tuple of such if `argnums` is a
        sequence. With `has_aux` the value is ``(value, auxiliary)``.

    Raises
    ------
    OperandError
        If `f` does not return one number or an argument is not made of numbers.
    NumericalError
        If the value is not finite.

    Examples
    --------
    >>> value_and_grad(lambda p: p["a"] * p["b"])({"a": 3.0, "b": 4.0})
    (12.0, {'a': 4.0, 'b': 3.0})
    """

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        recording = _Recording(f, _positions(argnums), args, kwargs)
        result, aux = recording.result if has_aux else (recording.result, None)
        y = _scalar(result, recording.name)
        order = recording.order(y)
        as_graph = recording.as_graph(order)
        found = recording.arguments(recording.gradients(y, order, as_graph))
        value = _plain(y, as_graph)
        return ((value, aux) if has_aux else value), _unpack(argnums, found)

    return differentiated


def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of f; see `value_and_grad`.

    Examples
    --------
    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return differentiated


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Run f and return its result with a function that pulls cotangents back through it.

    Parameters
    ----------
    f : callable
        Its arguments and its result are trees of numbers.
    *primals
        The arguments, all of them differentiated.

    Returns
    -------
    result, pull_back
        ``pull_back(cotangent)``, with a cotangent shaped as the result, returns a tuple with
        one tree per argument: cotangentᵀ · Jacobian.

    Examples
    --------
    >>> y, pull_back = vjp(lambda x: [x[0] * x[1], x[0]], [3.0, 4.0])
    >>> y, pull_back([1.0, 10.0])
    ([12.0, 3.0], ([14.0, 3.0],))
    """
    recording = _Recording(f, range(len(primals)), primals, {})
    outputs, rebuild = flatten(recording.result, f"the result of {recording.name}")
    order = recording.order(*outputs)
    as_graph = recording.as_graph(order)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        weights = _matching(cotangent, len(outputs), "the cotangent", "the result")
        lifted = as_graph or any(isinstance(w, Value) for w in weights)
        seeds: dict[Value, Any] = {}
        for y, weight in zip(outputs, weights, strict=True):
            if isinstance(y, Value):
                seeds[y] = seeds.get(y, 0.0) + weight
        return tuple(recording.arguments(recording.pull_back(order, seeds, lifted)))

    return rebuild(_plain(y, as_graph) for y in outputs), pull_back


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Run f and push tangents forward through it: the directional derivative, in one sweep.

    Parameters
    ----------
    f : callable
        Its arguments and its result are trees of numbers.
    primals, tangents : sequences of equal shape
        The arguments, and the direction in which they move.

    Returns
    -------
    result, tangent
        f(primals), and Jacobian · tangents in the shape of the result.

    Examples
    --------
    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 10.0))
    (12.0, 34.0)
    """
    recording = _Recording(f, range(len(primals)), primals, {})
    outputs, rebuild = flatten(recording.result, f"the result of {recording.name}")
    directions = _matching(tuple(tangents), len(recording.leaves), "tangents", "primals")
    order = recording.order(*outputs)
    as_graph = recording.as_graph(order) or any(isinstance(t, Value) for t in directions)
    moving: dict[Value, Scalar] = dict(zip(recording.leaves, directions, strict=True))
    with enable_grad():
        _push_forward(order, moving, as_graph)
    tangent = (moving.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs)
    return rebuild(_plain(y, as_graph) for y in outputs), rebuild(tangent)


def _push_forward(order: Sequence[Value], moving: dict[Value, Scalar], as_graph: bool) -> None:
    """Extend `moving` (node to tangent) to every node of `order` that a moving leaf reaches."""
    for node in order:
        if not any(parent in moving for parent in node.parents):
            continue
        partials: Sequence[Any] = partial_values(node) if as_graph else node.local_grads
        tangent: Scalar = 0.0
        for parent, partial in zip(node.parents, partials, strict=True):
            if isinstance(parent, Value) and parent in moving:
                tangent = tangent + product(partial, moving[parent])
        moving[node] = tangent


def _matching(tree: Any, count: int, what: str, like: str) -> list[Any]:
    """Return the leaves of `tree`, of which there must be `count`."""
    leaves, _ = flatten(tree, what)
    if len(leaves) != count:
        raise OperandError(
            f"{what} has {len(leaves)} numbers but {like} has {count}: give one for each"
        )
    return [leaf if isinstance(leaf, Value) else float(leaf) for leaf in leaves]


def hvp(f: Callable[..., Any], inputs: Any, v: Any) -> tuple[Any, Any]:
    """Compute f and its Hessian times a vector, without forming the Hessian.

    As ``torch.autograd.functional.hvp``: a forward sweep over the backward sweep.

    Parameters
    ----------
    f : callable
        Returns one number.
    inputs : tree, or tuple of trees
        The argument; a tuple stands for several arguments.
    v : as `inputs`
        The vector.

    Returns
    -------
    value, product
        f(inputs), and Hessian · v in the shape of `inputs`.

    Examples
    --------
    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 4.0], [1.0, 0.0])
    (36.0, [8.0, 6.0])
    """
    several = isinstance(inputs, tuple)
    primals, direction = (inputs, v) if several else ((inputs,), (v,))
    both = value_and_grad(f, tuple(range(len(primals))))
    (value, _), (_, products) = jvp(both, primals, direction)
    return value, products if several else products[0]


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes every partial derivative of every output of f.

    Parameters
    ----------
    f : callable
        Its result, and the arguments differentiated, are trees of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        With the arguments of `f`; returns the shape of the result with, in place of each
        number, its gradient in the shape of the argument (a tuple of such if `argnums` is a
        sequence).

    Notes
    -----
    One backward sweep per output.

    Examples
    --------
    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        recording = _Recording(f, _positions(argnums), args, kwargs)
        outputs, rebuild = flatten(recording.result, f"the result of {recording.name}")
        as_graph = recording.as_graph(recording.order(*outputs))

        def rows() -> Iterator[Any]:
            for y in outputs:
                found = recording.gradients(y, recording.order(y), as_graph)
                yield _unpack(argnums, recording.arguments(found))

        return rebuild(rows())

    return differentiated


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives of f.

    See `jacobian` for the shape: this is the Jacobian of the gradient.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 4.0])
    [[8.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)
