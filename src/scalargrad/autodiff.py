"""The backward pass: one sweep over a graph, behind `Value.backward` and every derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from itertools import repeat
from math import isfinite, isnan
from typing import Any

from scalargrad.call import Intermediate, Signals
from scalargrad.errors import GraphChangedError, NumericalError, OperandError
from scalargrad.grad_mode import Switch, enable_grad, recorder
from scalargrad.graph import describe, first_nonfinite, topological_order
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import as_float, float_of
from scalargrad.table.symbol import evaluate
from scalargrad.table.validation import flag
from scalargrad.tree import flatten
from scalargrad.value import Scalar, Value

#: The advice about a gradient that is nan.
_REMEDY = (
    ". Guard the operand where it is undefined, as in sqrt(where(x > 0, x, 1)), or let nan pass by "
    "allow_nonfinite=True of backward and gradients"
)

#: Nodes that have operands, their signals, and what has arrived at other nodes.
Swept = tuple[list[Value], list[Any], dict[Any, Any]]

_anomaly: ContextVar[bool] = ContextVar("anomaly", default=False)


class detect_anomaly(Switch):  # noqa: N801 - PyTorch's name
    """Raise NumericalError at the first gradient that is inf or nan.

    Inside the block, every backward sweep checks each error signal as it is computed and
    names the node at which the first bad one arrived.

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
    """Return whether `detect_anomaly` is in force here (as in PyTorch)."""
    return _anomaly.get()


def backward(root: Value, *, allow_nonfinite: bool = False) -> None:
    """Run one backward sweep from `root` and write the gradients; see `Value.backward`."""
    if allow_nonfinite is False or not flag(allow_nonfinite, "allow_nonfinite"):
        require_finite(root)
    order = topological_order(root, leaves=False)
    nodes, grads, leaves = _checked(_sweep(order, {root: 1.0}), allow_nonfinite)
    grads += [
        signal + (grad if type(grad := x.grad) is float else _float_grad(x))
        for x, signal in leaves.items()
    ]
    nodes += leaves
    _write(nodes, grads)


def _float_grad(x: Value) -> float:
    """Return a gradient that was assigned as a float; PyTorch's ``p.grad = None`` counts as 0."""
    return as_float(x.grad or 0.0, f"the grad of {x.label or 'a Value'}")


def _write(nodes: Sequence[Value], grads: Sequence[float]) -> None:
    """Write gradients, all of them even if Ctrl-C arrives meanwhile."""
    try:
        for node, grad in zip(nodes, grads):  # noqa: B905 - hot loop
            node.grad = grad
    except BaseException:  # a single call into C is slower, but nothing can interrupt it
        any(map(setattr, nodes, repeat("grad"), grads))  # each returns None: to the end
        raise


def error_signals(
    order: Sequence[Value], seeds: Mapping[Value, float], *, allow_nonfinite: bool = True
) -> dict[Value, float]:
    """Return ∂(Σ seed · root)/∂node for every node that signals reach: the backward sweep.

    Parameters
    ----------
    order : sequence of Value
        A topological order, operands before results.
    seeds : mapping from Value to float
        Where the sweep starts, and with what.
    allow_nonfinite : bool
        Go ahead although a gradient is nan.

    Returns
    -------
    dict from Value to float
        Of the nodes with operands in `order`, results before operands, then of leaves and others
        that were given a seed or are operands of theirs. No node is changed.

    Notes
    -----
    Linear in the number of wires.

    References
    ----------
    Linnainmaa, 1970; Rumelhart, Hinton and Williams, 1986.
    """
    inner, signals, others = _checked(_sweep(order, seeds), allow_nonfinite)
    return dict(zip(inner, signals, strict=True)) | others


def _sweep(order: Sequence[Value], seeds: Mapping[Value, float]) -> Swept:
    """Return the nodes that have operands, their signals, and what has arrived at others.

    Each wire adds upstream · local to the signal of its operand. A signal is complete when its
    node is reached, so only those still incomplete are in the dict: few, and in the processor's
    cache. What arrives at a `Call` is a vector, which it sends back to its operands at once.
    """
    arrived: dict[Any, Any] = dict(seeds)
    inner = [node for node in reversed(order) if node.parents]  # at leaves, what arrives stays
    signals, received = [], arrived.get
    for node in inner:
        parents = node.parents
        upstream = arrived.pop(node, None)  # nothing where a call above does not depend on it
        local_grads: Any = () if upstream is None else node.local_grads
        signals.append(upstream or 0.0)
        if len(local_grads) == 1:
            (parent,), (local,) = parents, local_grads
            arrived[parent] = received(parent, -0.0) + upstream * local
        elif len(local_grads) == 2:  # most nodes have two: unpacked, they take half the time
            (first, second), (local, other) = parents, local_grads
            if local is not None:
                arrived[first] = received(first, -0.0) + upstream * local
            if other is not None:
                arrived[second] = received(second, -0.0) + upstream * other
        elif type(local_grads) is tuple:
            for parent, local in zip(parents, local_grads):  # noqa: B905 - hot loop
                if local is not None:
                    arrived[parent] = received(parent, -0.0) + upstream * local
        else:  # of a call, which sends all back at once
            local_grads.send_back(node, upstream, arrived)
    return inner, signals, arrived


def _checked(swept: Swept, allow_nonfinite: bool) -> Swept:
    """Return `swept`; raise NumericalError if the gradient of a leaf would be nan."""
    inner, signals, leaves = swept
    if _anomaly.get() or not (allow_nonfinite or isfinite(sum(leaves.values()))):
        _require_numbers(inner, dict(zip(inner, signals, strict=True)) | leaves)
    return swept


def _require_numbers(inner: Sequence[Value], signals: Mapping[Value, Any]) -> None:
    """Raise NumericalError if a gradient is nan, naming the first wire that carried such a number.

    Under `detect_anomaly`, also if one is inf.
    """
    is_good: Callable[[Any], bool] = isfinite if _anomaly.get() else lambda x: not isnan(x)
    bad = {x for x, signal in signals.items() if not is_good(signal)}
    wires: list[tuple[Any, Any]] = [(node, x) for node in inner for x in node.parents if x in bad]
    carriers = [wire for wire in wires if _carries(*wire, signals, is_good)] or wires
    if carriers:
        node, x = carriers[0]
        raise NumericalError(
            f"the gradient of {describe(x)} is {float(signals[x])}: it arrived from "
            f"{describe(node)}{'' if _anomaly.get() else _REMEDY}"
        )


def _carries(node: Value, x: Any, signals: Mapping[Value, Any], is_good: Any) -> bool:
    """Return whether a node sends an operand a bad signal; a call, which is opaque, may."""
    pairs = zip(node.parents, node.local_grads, strict=False)  # of a call there are none
    sent = [signals[node] * local for y, local in pairs if y is x and local is not None]
    return not all(map(is_good, sent)) or not node.local_grads


def require_finite(root: Value) -> None:
    """Raise NumericalError if `root` is inf or nan, naming the node that first was."""
    if isfinite(float_of(root)):
        return
    first = first_nonfinite(root) or root
    raise NumericalError(
        f"backward from {describe(root)}, which is not finite; the first node that went "
        f"non-finite is {describe(first)}. Scale its operands or guard them with where, or "
        "pass allow_nonfinite=True to go ahead"
    )


# Gradients as graphs --------------------------------------------------------------------------


def partial_values(node: Value) -> list[Scalar]:
    """Return the local gradients of `node` as numbers or Values computed from its operands.

    Raises
    ------
    GraphChangedError
        If one no longer equals the local gradient stored when the node was made.
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
        f"{describe(node)} was recorded when ∂/∂({describe(parent)}) was {stored!r}, now it is "
        f"{now!r}: data was assigned after the graph was built. Build the graph again before "
        "asking for its derivatives as a graph"
    )


def gradient_graphs(
    order: Sequence[Value], seeds: Mapping[Value, Any], *, allow_nonfinite: bool = True
) -> dict[Value, Any]:
    """Return the error signals, as `error_signals` does, as Values that can be differentiated.

    Nodes that get no gradient are left out.
    """
    signals: dict[Value, Any] = dict(seeds)
    for node in reversed(order):
        if not node.parents or node not in signals:
            continue
        products = products_of(node, signals[node])
        for parent, term in zip(node.parents[::-1], products[::-1], strict=True):
            if isinstance(parent, Value) and term is not None:
                signals[parent] = signals[parent] + term if parent in signals else term
    if _anomaly.get() or not allow_nonfinite:
        numbers = {x: getattr(signal, "data", signal) for x, signal in signals.items()}
        _require_numbers([x for x in reversed(order) if x in numbers], numbers)
    return signals


def products_of(node: Value, upstream: Any) -> Sequence[Any]:
    """Return upstream · local gradient for each operand, as Values; a call pulls vectors back."""
    if isinstance(upstream, Signals):
        return node.pull_back_as_graph(upstream)  # type: ignore[attr-defined, no-any-return]
    return [product(upstream, partial) for partial in partial_values(node)]


def product(a: Any, b: Any) -> Any:
    """Multiply, making no node for a factor of exactly 1."""
    if isinstance(b, float) and b == 1.0:
        return a
    return b if isinstance(a, float) and a == 1.0 and isinstance(b, Scalar) else a * b


def gradients(
    y: Value, xs: Any, *, create_graph: bool = False, allow_nonfinite: bool = False
) -> Any:
    """Return ∂y/∂x for each Value in `xs`, leaving every `grad` as it is.

    The counterpart of ``torch.autograd.grad``.

    Parameters
    ----------
    y : Value
        Root of a graph already built.
    xs : tree of Values
        One Value, or a list, tuple or dict of them; interior nodes are allowed.
    create_graph : bool
        Return Values that can be differentiated again, instead of floats.
    allow_nonfinite : bool
        Go ahead although `y` is inf or nan, or a gradient is nan.

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
    create_graph = flag(create_graph, "create_graph")
    allow_nonfinite = flag(allow_nonfinite, "allow_nonfinite")
    if (current := recorder()) is not None:
        return rebuild(iter(current.gradients(y, leaves, create_graph, allow_nonfinite)))
    if not allow_nonfinite:
        require_finite(y)
    # Nodes below the only x need no signals; of several, one may be below another.
    order = topological_order(y, until=leaves if len(leaves) == 1 else (), leaves=False)
    for x in leaves:
        if isinstance(x, Intermediate):
            x.require_unread(order)
    if not create_graph:
        signals = error_signals(order, {y: 1.0}, allow_nonfinite=allow_nonfinite)
        return rebuild(signals.get(x, 0.0) for x in leaves)
    with enable_grad():
        graphs = gradient_graphs(order, {y: 1.0}, allow_nonfinite=allow_nonfinite)
    found = (graphs.get(x, 0.0) for x in leaves)
    return rebuild(y if isinstance(y, Value) else Value(y) for y in found)
