"""The backward pass: one sweep over a graph, behind `Value.backward` and every derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from itertools import repeat
from math import isfinite
from typing import Any

from scalargrad.errors import GraphChangedError, NumericalError, OperandError
from scalargrad.grad_mode import Switch, enable_grad, recorder
from scalargrad.graph import describe, first_nonfinite, topological_order
from scalargrad.system.one_line import shown
from scalargrad.table.symbol import evaluate
from scalargrad.table.validation import flag
from scalargrad.tree import flatten
from scalargrad.value import Scalar, Value

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
    if root._call is not None and root.stands_on_leaves() and not _anomaly.get():  # type: ignore[attr-defined]
        pairs = zip(root.parents, root.local_grads, strict=True)
        sums = [(x._grad or 0.0) + local for x, local in pairs]  # type: ignore[union-attr, operator]
        _write((root, *root.parents), (1.0, *sums))  # type: ignore[arg-type]
        root.note_swept()  # type: ignore[attr-defined] # an Output
        return
    ahead = topological_order(root)
    ahead.reverse()  # a copy would touch every node
    grads, _ = _sweep(ahead, {root: 1.0}, onto_grad=True)
    _write(ahead, grads)


def _write(nodes: Sequence[Value], grads: Sequence[float]) -> None:
    """Write gradients, all of them even if Ctrl-C arrives meanwhile."""
    try:
        for node, grad in zip(nodes, grads):  # noqa: B905 - hot loop
            node._grad = grad
    except BaseException:  # a single call into C is slower, but nothing can interrupt it
        any(map(setattr, nodes, repeat("_grad"), grads))  # each returns None: to the end
        raise


def error_signals(order: Sequence[Value], seeds: Mapping[Value, float]) -> dict[Value, float]:
    """Return ∂(Σ seed · root)/∂node for every node: the backward sweep.

    Parameters
    ----------
    order : sequence of Value
        A topological order, operands before results.
    seeds : mapping from Value to float
        Where the sweep starts, and with what.

    Returns
    -------
    dict from Value to float
        Of the nodes in `order`, results before operands, then of others that were given a seed or
        are operands of theirs. No node is changed.

    Notes
    -----
    Linear in the number of wires.

    References
    ----------
    Linnainmaa, 1970; Rumelhart, Hinton and Williams, 1986.
    """
    ahead = [*reversed(order)]
    signals, others = _sweep(ahead, seeds)
    return dict(zip(ahead, signals, strict=True)) | others


def _sweep(  # noqa: C901, PLR0912 - the hot loop: a function for each wire would double its time
    ahead: list[Value], seeds: Mapping[Value, float], *, onto_grad: bool = False
) -> tuple[list[float], dict[Value, float]]:
    """Return the error signal of each node, results before operands, and those of other nodes.

    Each wire adds upstream · local to the signal of its operand. A signal is complete when its
    node is reached, so only those still incomplete are in the dict: few, and in the processor's
    cache. Results of one compiled call may change the order of the nodes ahead. With `onto_grad`,
    the grad of a leaf is added to its signal; PyTorch's habit of ``p.grad = None`` counts as 0.
    """
    under_way = dict(seeds)
    checking = _anomaly.get()
    calls: Any = None
    by_call = len(ahead) > 1 and not checking  # a call with one result is a node like others
    signals: list[float] = []
    nodes = iter(ahead)
    for node in nodes:
        upstream = under_way.pop(node, 0.0)
        signals.append(upstream)
        parents: tuple[Any, ...] = node.parents
        if parents:
            if node.__class__ is not Value and node._call is not None and by_call:
                calls = calls or node.call_signals(ahead, len(signals) - 1)  # type: ignore[attr-defined] # an Output
                if node in calls.waiting or calls.send(signals, under_way, nodes):
                    continue
            if len(parents) == 2:  # most nodes have two: unpacked, they take half the time
                first, second = parents
                local, other = node.local_grads
                if local is not None:
                    under_way[first] = under_way.get(first, -0.0) + upstream * local
                if other is not None:
                    under_way[second] = under_way.get(second, -0.0) + upstream * other
            else:
                for parent, local in zip(parents, node.local_grads):  # noqa: B905 - hot loop
                    if local is not None:
                        under_way[parent] = under_way.get(parent, -0.0) + upstream * local
            if checking:
                _require_finite_signals(node, under_way)
                if onto_grad and node._call is not None:
                    node.note_swept()  # type: ignore[attr-defined] # an Output
        elif onto_grad:
            signals[-1] += node._grad or 0.0
    if onto_grad and calls:
        calls.note_swept()
    return signals, under_way


def _require_finite_signals(node: Value, signals: Mapping[Value, Scalar]) -> None:
    for parent in node.parents:
        if isinstance(parent, Value) and not isfinite(signal := _number(signals.get(parent, 0.0))):
            raise NumericalError(
                f"the gradient of {describe(parent)} is {signal}: it arrived from {describe(node)}"
            )


def _number(x: Scalar) -> float:
    return x._number if isinstance(x, Value) else x


def require_finite(root: Value) -> None:
    """Raise NumericalError if `root` is inf or nan, naming the node that first was."""
    if isfinite(root._number):
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
    own: list[Scalar] | None = node.op.partial_nodes(node)
    if own is not None:
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
    now = _number(recomputed)
    if now == stored or (now != now and stored != stored):
        return
    raise GraphChangedError(
        f"{describe(node)} was recorded when ∂/∂({describe(parent)}) was {stored!r}, now it is "
        f"{now!r}: data was assigned after the graph was built. Build the graph again before "
        "asking for its derivatives as a graph"
    )


def gradient_graphs(order: Sequence[Value], seeds: Mapping[Value, Scalar]) -> dict[Value, Scalar]:
    """Return the error signals, as `error_signals` does, as Values that can be differentiated.

    Nodes that get no gradient are left out.
    """
    signals: dict[Value, Scalar] = dict(seeds)
    checking = _anomaly.get()
    for node in reversed(order):
        if not node.parents or node not in signals:
            continue
        upstream = signals[node]
        partials = partial_values(node)
        for parent, partial in zip(node.parents[::-1], partials[::-1], strict=True):
            if isinstance(parent, Value):
                contribution = product(upstream, partial)
                known = signals.get(parent)
                signals[parent] = contribution if known is None else known + contribution
        if checking:
            _require_finite_signals(node, signals)
    return signals


def product(a: Scalar, b: Scalar) -> Scalar:
    """Multiply, making no node for a factor of exactly 1."""
    if isinstance(a, float) and a == 1.0:
        return b
    if isinstance(b, float) and b == 1.0:
        return a
    return a * b


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
        Go ahead although `y` is inf or nan.

    Returns
    -------
    tree of float or Value
        Shaped as `xs`, in y unit / x unit; 0.0 where `y` does not depend on x.

    Raises
    ------
    OperandError
        If `y` is a plain number, or `xs` holds one.
    NumericalError
        If `y` is not finite.
    GraphChangedError
        With `create_graph`, if data was assigned after the graph was built.
    GraphError
        If x is a result of a compiled call, and another result was computed from it in there.

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
        raise OperandError(f"y is {shown(y)}, a plain number: it does not depend on any Value")
    create_graph = flag(create_graph, "create_graph")
    allow_nonfinite = flag(allow_nonfinite, "allow_nonfinite")
    if (current := recorder()) is not None:
        return rebuild(iter(current.gradients(y, leaves, create_graph, allow_nonfinite)))
    if not allow_nonfinite:
        require_finite(y)
    # What is below the only x needs no signals; of several, one may be below another.
    order = topological_order(y, until=leaves if len(leaves) == 1 else ())
    results: list[Any] = [x for x in leaves if x._call is not None]
    if results:
        results[0].require_unread(results, order)
    if not create_graph:
        signals = error_signals(order, {y: 1.0})
        return rebuild(signals.get(x, 0.0) for x in leaves)
    with enable_grad():
        graphs = gradient_graphs(order, {y: 1.0})
    return rebuild(_as_value(graphs.get(x, 0.0)) for x in leaves)


def _as_value(x: Scalar) -> Value:
    return x if isinstance(x, Value) else Value(x)
