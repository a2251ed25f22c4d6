"""Reverse-mode differentiation: one backward sweep over a graph.

A topological order of the graph and seeds for its roots go in; the adjoints, ∂root/∂node, of all
nodes come out. `Value.backward` writes them to nodes, and every other derivative uses them:

>>> x, y = Value(3.0, "x"), Value(4.0, "y")
>>> f = x * y + x
>>> adjoints = compute_adjoints(topological_order(f), {f: 1.0})
>>> adjoints[x], adjoints[y]
(5.0, 3.0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from itertools import repeat
from math import isfinite, isnan
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_flag
from scalargrad.checks.numbers import as_float, float_of
from scalargrad.engine.grad_mode import Switch, enable_grad
from scalargrad.engine.graph import describe, first_nonfinite, topological_order
from scalargrad.engine.multi_output import Cotangents, Intermediate
from scalargrad.engine.recorder import recorder
from scalargrad.engine.tree import flatten
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import GraphChangedError, NumericalError, OperandError
from scalargrad.opdef.symbol import evaluate
from scalargrad.system.short_repr import format_value

#: Advice in the error for a gradient that is nan.
_REMEDY = (
    ". Guard the operand where it is undefined, as in sqrt(where(x > 0, x, 1)), or pass "
    "allow_nonfinite=True to backward or gradients"
)


class Sweep(NamedTuple):
    """Result of a backward sweep.

    Attributes
    ----------
    interior : list of Value
        The nodes that have operands, results before operands.
    adjoints : list of float
        The adjoint of each interior node.
    leaf_adjoints : dict from Value to float
        The adjoints of leaves, and of other nodes outside of the order.
    """

    interior: list[Value]
    adjoints: list[Any]
    leaf_adjoints: dict[Any, Any]


_anomaly: ContextVar[bool] = ContextVar("anomaly", default=False)


class detect_anomaly(Switch):  # noqa: N801 - PyTorch's name
    """Raise NumericalError at the first gradient that is inf or nan.

    Inside the block, every backward sweep checks each adjoint that it computes; the error names
    the node at which the first one that is not finite arose.

    Examples
    --------
    >>> from scalargrad import sqrt
    >>> x = Value(0.0, "x")
    >>> with detect_anomaly():
    ...     sqrt(x).backward()
    Traceback (most recent call last):
        ...
    scalargrad.errors.NumericalError: the gradient of x = 0 is inf: it arrived from sqrt(x=0) = 0
    """

    _variable = _anomaly
    _setting = True


def is_anomaly_enabled() -> bool:
    """Return True if a `detect_anomaly` block is active here (as in PyTorch)."""
    return _anomaly.get()


def backward(root: Value, *, allow_nonfinite: bool = False) -> None:
    """Run one backward sweep from `root` and write the gradients; see `Value.backward`."""
    if allow_nonfinite is False or not check_flag(allow_nonfinite, "allow_nonfinite"):
        require_finite(root)
    order = topological_order(root, include_leaves=False)
    nodes, grads, leaf_adjoints = _check_sweep(_sweep(order, {root: 1.0}), allow_nonfinite)
    grads += [
        adjoint + (grad if type(grad := x.grad) is float else _float_grad(x))
        for x, adjoint in leaf_adjoints.items()
    ]
    nodes += leaf_adjoints
    _write_gradients(nodes, grads)


def _float_grad(x: Value) -> float:
    """Return a gradient that was assigned as a float; PyTorch's ``p.grad = None`` counts as 0."""
    return as_float(x.grad or 0.0, f"the grad of {x.label or 'a Value'}")


def _write_gradients(nodes: Sequence[Value], grads: Sequence[float]) -> None:
    """Write gradients; even if Ctrl-C arrives meanwhile, all of them are written."""
    try:
        for node, grad in zip(nodes, grads):  # noqa: B905 - hot loop
            node.grad = grad
    except BaseException:  # a single call into C is slower, but cannot be interrupted
        any(map(setattr, nodes, repeat("grad"), grads))  # setattr returns None: any never stops
        raise


def compute_adjoints(
    order: Sequence[Value], seeds: Mapping[Value, float], *, allow_nonfinite: bool = True
) -> dict[Value, float]:
    """Return the adjoint, ∂(Σ seed · root)/∂node, of every node that the sweep reaches.

    Parameters
    ----------
    order : sequence of Value
        A topological order, operands before results.
    seeds : mapping from Value to float
        The adjoints that the sweep starts with, by root.
    allow_nonfinite : bool
        Continue even if a gradient is nan.

    Returns
    -------
    dict from Value to float
        The adjoints of the nodes with operands in `order`, results before operands; then those of
        leaves, and of nodes outside of `order` that have a seed or are operands. No node is
        changed.

    Notes
    -----
    Takes time linear in the number of edges.

    References
    ----------
    Linnainmaa, 1970; Rumelhart, Hinton and Williams, 1986.
    """
    interior, adjoints, leaf_adjoints = _check_sweep(_sweep(order, seeds), allow_nonfinite)
    return dict(zip(interior, adjoints, strict=True)) | leaf_adjoints


def _sweep(order: Sequence[Value], seeds: Mapping[Value, float]) -> Sweep:
    """Run one backward sweep over `order`.

    Each edge adds upstream · local gradient to the adjoint of its operand. An adjoint is complete
    when its node is reached, so that the dict holds only those that are still incomplete: few, and
    in the processor's cache. The adjoint of a node with several outputs is a vector, which its
    local gradients propagate to all operands at once.
    """
    adjoints: dict[Any, Any] = dict(seeds)
    interior = [node for node in reversed(order) if node.parents]
    completed, adjoint_of = [], adjoints.get
    for node in interior:
        parents = node.parents
        upstream = adjoints.pop(node, None)  # None: nothing that was swept depends on the node
        local_grads: Any = () if upstream is None else node.local_grads
        completed.append(upstream or 0.0)
        # Sums start from -0.0, the identity of IEEE 754 addition: 0.0 would turn -0.0 into 0.0.
        if len(local_grads) == 1:
            (parent,), (local,) = parents, local_grads
            adjoints[parent] = adjoint_of(parent, -0.0) + upstream * local
        elif len(local_grads) == 2:  # most nodes have two: unpacked, they take half the time
            (first, second), (local, other) = parents, local_grads
            if local is not None:
                adjoints[first] = adjoint_of(first, -0.0) + upstream * local
            if other is not None:
                adjoints[second] = adjoint_of(second, -0.0) + upstream * other
        elif type(local_grads) is tuple:
            for parent, local in zip(parents, local_grads):  # noqa: B905 - hot loop
                if local is not None:
                    adjoints[parent] = adjoint_of(parent, -0.0) + upstream * local
        else:  # a node with several outputs
            local_grads.propagate(node, upstream, adjoints)
    return Sweep(interior, completed, adjoints)


def _check_sweep(sweep: Sweep, allow_nonfinite: bool) -> Sweep:
    """Return the sweep; raise NumericalError if the gradient of a leaf would be nan."""
    interior, adjoints, leaf_adjoints = sweep
    if _anomaly.get() or not (allow_nonfinite or isfinite(sum(leaf_adjoints.values()))):
        _require_numbers(interior, dict(zip(interior, adjoints, strict=True)) | leaf_adjoints)
    return sweep


def _require_numbers(interior: Sequence[Value], adjoints: Mapping[Value, Any]) -> None:
    """Raise NumericalError if an adjoint is nan; the message names the edge where it arose.

    Within `detect_anomaly`, an infinite adjoint raises the error as well.
    """
    is_good: Callable[[Any], bool] = isfinite if _anomaly.get() else lambda x: not isnan(x)
    bad = {x for x, adjoint in adjoints.items() if not is_good(adjoint)}
    edges: list[tuple[Any, Any]] = [
        (node, x) for node in interior for x in node.parents if x in bad
    ]
    bad_edges = [edge for edge in edges if _is_bad(*edge, adjoints, is_good)] or edges
    if bad_edges:
        node, x = bad_edges[0]
        raise NumericalError(
            f"the gradient of {describe(x)} is {float(adjoints[x])}: it arrived from "
            f"{describe(node)}{'' if _anomaly.get() else _REMEDY}"
        )


def _is_bad(node: Value, x: Any, adjoints: Mapping[Value, Any], is_good: Any) -> bool:
    """Return True if an edge adds a bad number; a node with several outputs, opaque, may do so."""
    pairs = zip(node.parents, node.local_grads, strict=False)  # such a node has no local gradients
    terms = [adjoints[node] * local for y, local in pairs if y is x and local is not None]
    return not all(map(is_good, terms)) or not node.local_grads


def require_finite(root: Value) -> None:
    """Raise NumericalError if `root` is inf or nan; the message names the first such node."""
    if isfinite(float_of(root)):
        return
    first = first_nonfinite(root) or root
    raise NumericalError(
        f"backward from {describe(root)}, which is not finite; the first node that is not finite "
        f"is {describe(first)}. Scale its operands or guard them with where, or pass "
        "allow_nonfinite=True to differentiate anyway"
    )


# Gradients as graphs --------------------------------------------------------------------------


def partial_values(node: Value) -> list[Scalar]:
    """Return the local gradients of `node`, as numbers or as Values computed from its operands.

    Raises
    ------
    GraphChangedError
        If one no longer equals the local gradient that is stored in the node.
    """
    assert node.op is not None
    if (own := node.op.partial_nodes(node)) is not None:
        return own
    result, operands, partials = node.op.trace_partials(len(node.parents))
    bindings: dict[Any, Any] = dict(zip(operands, node.parents, strict=True))
    bindings[result] = node
    recomputed: list[Scalar] = []
    for parent, partial, stored in zip(node.parents, partials, node.local_grads, strict=True):
        if isinstance(parent, float) or stored is None:
            recomputed.append(0.0)
            continue
        value: Scalar = evaluate(partial, bindings)
        _require_unchanged(node, parent, value, stored)
        recomputed.append(value)
    return recomputed


def _require_unchanged(node: Value, parent: Value, recomputed: Scalar, stored: float) -> None:
    now = recomputed.data if isinstance(recomputed, Value) else recomputed
    if now == stored or (now != now and stored != stored):
        return
    raise GraphChangedError(
        f"{describe(node)} was computed when ∂/∂({describe(parent)}) was {stored!r}, now it is "
        f"{now!r}: data was assigned after the graph was built. Build the graph again before "
        "computing its derivatives as a graph"
    )


def compute_adjoint_graphs(
    order: Sequence[Value], seeds: Mapping[Value, Any], *, allow_nonfinite: bool = True
) -> dict[Value, Any]:
    """Return the adjoints of `compute_adjoints` as Values, which can be differentiated again.

    Nodes without an adjoint are left out.
    """
    adjoints: dict[Value, Any] = dict(seeds)
    for node in reversed(order):
        if not node.parents or node not in adjoints:
            continue
        products = pull_back_node(node, adjoints[node])
        for parent, term in zip(node.parents[::-1], products[::-1], strict=True):
            if isinstance(parent, Value) and term is not None:
                adjoints[parent] = adjoints[parent] + term if parent in adjoints else term
    if _anomaly.get() or not allow_nonfinite:
        numbers = {x: getattr(adjoint, "data", adjoint) for x, adjoint in adjoints.items()}
        _require_numbers([x for x in reversed(order) if x in numbers], numbers)
    return adjoints


def pull_back_node(node: Value, upstream: Any) -> Sequence[Any]:
    """Return upstream · local gradient for each operand, as Values."""
    if isinstance(upstream, Cotangents):
        return node.pull_back_as_graph(upstream)  # type: ignore[attr-defined, no-any-return]
    return [product(upstream, partial) for partial in partial_values(node)]


def product(a: Any, b: Any) -> Any:
    """Return a · b, without a node where a factor is exactly 1."""
    if isinstance(b, float) and b == 1.0:
        return a
    return b if isinstance(a, float) and a == 1.0 and isinstance(b, Scalar) else a * b


def gradients(
    y: Value, xs: Any, *, create_graph: bool = False, allow_nonfinite: bool = False
) -> Any:
    """Return ∂y/∂x for each Value in `xs`; no `grad` is written.

    The counterpart of ``torch.autograd.grad``.

    Parameters
    ----------
    y : Value
        Root of a graph.
    xs : tree of Values
        One Value, or a list, tuple or dict of them; interior nodes are allowed.
    create_graph : bool
        Return Values that can be differentiated again, instead of floats.
    allow_nonfinite : bool
        Continue even if `y` is inf or nan, or a gradient is nan.

    Returns
    -------
    tree of float or Value
        Shaped as `xs`, in y unit / x unit; 0.0 where `y` does not depend on x.

    Raises
    ------
    OperandError
        If `y` is a plain number, or `xs` holds one.
    NumericalError
        If `y` is not finite, or a gradient is nan.
    GraphChangedError
        With `create_graph`, if data was assigned after the graph was built.

    Examples
    --------
    >>> x = Value(3.0)
    >>> gradients(x**2, x)
    6.0
    >>> gradients(gradients(x**2, x, create_graph=True), x)
    2.0
    """
    leaves, rebuild = flatten(xs, "xs")
    for leaf in leaves:
        if not isinstance(leaf, Value):
            raise OperandError(
                f"xs holds the number {leaf!r}: gradients are taken with respect "
                "to Values; wrap it in Value before computing y"
            )
    if not isinstance(y, Value):
        raise OperandError(
            f"y is {format_value(y)}, a plain number: it does not depend on any Value"
        )
    create_graph = check_flag(create_graph, "create_graph")
    allow_nonfinite = check_flag(allow_nonfinite, "allow_nonfinite")
    if (current := recorder()) is not None:
        return rebuild(iter(current.gradients(y, leaves, create_graph, allow_nonfinite)))
    if not allow_nonfinite:
        require_finite(y)
    # The sweep stops at a single x. One of several may be below another, so there it does not.
    order = topological_order(y, stop_at=leaves if len(leaves) == 1 else (), include_leaves=False)
    for x in leaves:
        if isinstance(x, Intermediate):
            x.require_unread(order)
    if not create_graph:
        adjoints = compute_adjoints(order, {y: 1.0}, allow_nonfinite=allow_nonfinite)
        return rebuild(adjoints.get(x, 0.0) for x in leaves)
    with enable_grad():
        graphs = compute_adjoint_graphs(order, {y: 1.0}, allow_nonfinite=allow_nonfinite)
    results = (graphs.get(x, 0.0) for x in leaves)
    return rebuild(g if isinstance(g, Value) else Value(g) for g in results)
