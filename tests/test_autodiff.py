"""backward and gradients: results, all-or-nothing writes, errors and memory."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.garbage_collection import assert_no_garbage
from tests.inner import topological_order
from tests.interrupts import is_interrupted

import scalargrad as sg
from scalargrad import NumericalError, Value, detect_anomaly, grad, gradients, jit, ops, sqrt, where

# Results of backward ----------------------------------------------------------------------------


def test_backward_accumulates_in_leaves_and_overwrites_interior_nodes() -> None:
    """Leaves accumulate exactly; interior nodes hold the adjoints of the last backward pass."""
    w, x = Value(0.3), Value(1.7)
    z = w * x
    y = sg.sigmoid(z) * z
    y.backward()
    once = (w.grad, x.grad, z.grad, y.grad)
    y.backward()
    assert (w.grad, x.grad) == (2.0 * once[0], 2.0 * once[1])
    assert (z.grad, y.grad) == once[2:]
    y.backward()
    assert (w.grad, x.grad) == (3.0 * once[0], 3.0 * once[1])


def test_backward_uses_only_the_adjoints_of_its_own_pass() -> None:
    """An interior node shared by two roots passes on this pass's adjoint, not its old gradient."""
    x = Value(2.0)
    shared = x * 3.0
    (shared * shared).backward()
    assert (x.grad, shared.grad) == (36.0, 12.0)
    (shared + 1.0).backward()
    assert (x.grad, shared.grad) == (39.0, 1.0)
    other = Value(2.0)
    other.grad = 7.0
    (x * x + 2.0 * x - 4 / x + 1).backward()
    assert (x.grad, other.grad) == (46.0, 7.0)


def test_backward_ignores_data_changed_after_the_forward_pass() -> None:
    """Local gradients are those of the forward pass."""
    w, x = Value(2.0), Value(3.0)
    y = w * x + w.exp() + x**2
    w.data, x.data = -100.0, 0.0
    y.backward()
    assert w.grad == pytest.approx(3.0 + math.exp(2.0), rel=1e-15)
    assert x.grad == 2.0 + 6.0


def test_backward_of_zero_times_infinity_is_nan() -> None:
    """A zero adjoint does not hide an infinite local gradient, nor the reverse."""
    x = Value(0.0)
    (sqrt(x) * 0.0).backward(allow_nonfinite=True)
    assert math.isnan(x.grad)
    y = Value(0.0)
    (0.0 * y + sqrt(y)).backward()
    assert y.grad == math.inf


# All or nothing ---------------------------------------------------------------------------------


def snapshot(root: Value) -> list[float]:
    """Return every gradient of a graph."""
    return [node.grad for node in topological_order(root)]


def example() -> Value:
    """Return the root of a small graph with fan-out whose leaves already have gradients."""
    xs = [Value(0.5), Value(-1.5), Value(2.0)]
    for i, x in enumerate(xs):
        x.grad = float(i + 1)
    hidden = [(x * xs[0] + 1.0).tanh() for x in xs]
    return ops.sum(hidden) * hidden[0]


def test_backward_interrupted_writes_all_gradients_or_none() -> None:
    """Ctrl-C at any line of backward leaves all gradients old or, after the write, all new."""
    root = example()
    old = snapshot(root)
    root.backward()
    new = snapshot(root)
    states = []
    for line in range(1, 10_000):
        root = example()
        interrupted = is_interrupted(root.backward, line)
        states.append(snapshot(root))
        assert states[-1] in (old, new)
        if not interrupted:
            break
    assert len(states) > 50
    assert states[0] == old
    assert states[-1] == new


# Non-finite numbers -----------------------------------------------------------------------------


def test_backward_of_a_nonfinite_root_names_the_first_nonfinite_node() -> None:
    """The message names the exponential that overflowed, not the sum of it."""
    x = Value(800.0, "x")
    y = x.exp() * 2.0 + 1.0
    with pytest.raises(NumericalError) as caught:
        y.backward()
    assert "exp(x=800) = inf" in str(caught.value)
    assert isinstance(caught.value, ArithmeticError)
    assert x.grad == 0.0
    with pytest.raises(NumericalError, match=r"exp\(x=800\)"):
        gradients(y, x)
    with pytest.raises(NumericalError, match="x = nan"):
        (Value(math.nan, "x") * 2.0).backward()


def test_allow_nonfinite_permits_a_nonfinite_root() -> None:
    """The pass runs, and gradients may be finite."""
    x = Value(800.0)
    y = x.exp() + x * 2.0
    y.backward(allow_nonfinite=True)
    assert x.grad == math.inf
    z = Value(math.inf)
    (z + 1.0).backward(allow_nonfinite=True)
    assert z.grad == 1.0
    assert gradients(z * 3.0, z, allow_nonfinite=True) == 3.0


def _logistic(x: Any) -> Any:
    return 1.0 / (1.0 + (-x).exp())


def _distance(x: Any) -> Any:
    return ((x - 3.0) ** 2) ** 0.5


@pytest.mark.parametrize(
    ("f", "at", "origin"), [(_logistic, -800.0, "exp"), (_distance, 3.0, "pow")]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_backward_never_writes_nan_into_a_leaf(
    f: Any, at: float, origin: str, compiled: bool
) -> None:
    """If 0 meets inf in the backward pass, the error names the node, and nothing is written."""
    g = jit(f) if compiled else f
    several: Any = lambda x: (g(x), 2.0 * x)  # noqa: E731
    x = Value(at, "x")
    x.grad = 7.0
    derivatives: list[Callable[[], Any]] = [
        lambda: g(x).backward(),
        lambda: ops.sum(several(x)).backward(),
        lambda: gradients(g(x), x),
        lambda: gradients(g(x), x, create_graph=True),
        lambda: grad(g)(at),
        lambda: jit(grad(g))(at),
    ]
    for derive in derivatives:
        with pytest.raises(NumericalError, match=origin):
            derive()
    assert x.grad == 7.0
    assert math.isnan(gradients(g(x), x, allow_nonfinite=True))
    g(x).backward(allow_nonfinite=True)
    assert math.isnan(x.grad)


def test_detect_anomaly_names_the_node_with_the_nonfinite_gradient() -> None:
    """The error names the node whose gradient is infinite and the node it came from."""
    x = Value(0.0, "x")
    y = sqrt(x) * 2.0
    with detect_anomaly(), pytest.raises(NumericalError) as caught:
        y.backward()
    assert "sqrt(x=0)" in str(caught.value)
    assert [node.grad for node in topological_order(y)] == [0.0] * 3
    y.backward()
    assert x.grad == math.inf
    with detect_anomaly(), pytest.raises(NumericalError, match="nan"):  # 0 · inf
        (sqrt(x) * 0.0).backward()


# gradients --------------------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_an_unrelated_input_is_zero(create_graph: bool) -> None:
    """Without a path it is 0.0, as a float or as a Value that can be differentiated again."""
    x, unrelated = Value(2.0), Value(1.0)
    found = gradients(x * x, [x, unrelated], create_graph=create_graph)
    if create_graph:
        assert [type(g) for g in found] == [Value, Value]
        assert gradients(found[1], [x, unrelated]) == [0.0, 0.0]
        found = [g.data for g in found]
    assert found == [4.0, 0.0]
    assert type(found[1]) is float


def test_gradients_with_create_graph_detects_a_changed_leaf() -> None:
    """A recomputed partial that differs from the stored one is an error."""
    w, x = Value(2.0, "w"), Value(3.0, "x")
    y = w * x
    w.data = 5.0
    assert gradients(y, [w, x]) == [3.0, 2.0]
    with pytest.raises(sg.GraphChangedError) as caught:
        gradients(y, x, create_graph=True)
    assert "was 2.0, now it is 5.0" in str(caught.value)


# Memory and depth -------------------------------------------------------------------------------


def values_alive() -> int:
    """Return the number of Values in memory."""
    return sum(issubclass(type(x), Value) for x in gc.get_objects())


def every_kind_of_node(x: Value) -> Value:
    """Return a result that depends on x through hundreds of nodes of every kind."""
    y = ops.sum([op(x) for op in (ops.exp, ops.sigmoid, ops.gelu, ops.tanh, ops.asinh)])
    y = ops.maximum(y, x, 2.0) * ops.dot([x, y], [y, 3.0], x) ** 2 - where(ops.gt(x, 0.0), y, x)
    for _ in range(200):
        y = (y * 0.5 + x).tanh()
    return y


@pytest.mark.parametrize(
    "use",
    [
        lambda y, _: y.backward(),
        lambda y, x: gradients(gradients(y, x, create_graph=True), x, create_graph=True),
        topological_order,
        lambda y, x: repr((y, x)),
    ],
)
def test_backward_and_gradients_leave_no_garbage(use: Callable[[Value, Value], Any]) -> None:
    """Dropping a graph of every kind of node frees it at once; the collector finds nothing.

    A second graph is tested, because code is generated for the first: without a GIL, Python leaves
    functions and code to its collector.
    """
    x = Value(0.7, "x")
    use(every_kind_of_node(x), x)
    with assert_no_garbage():
        before = values_alive()
        y = every_kind_of_node(x)
        assert values_alive() > before + 600
        use(y, x)
        del y
        assert values_alive() == before


@pytest.mark.parametrize("steps", [20_000, pytest.param(500_000, marks=pytest.mark.wide)])
def test_backward_of_a_long_chain_needs_no_recursion(steps: int) -> None:
    """Up to a million nodes are built, differentiated and freed without recursion."""
    x = y = Value(1.0)
    for _ in range(steps):
        y = y * 1.000001 + 1e-9
    y.backward()
    assert x.grad == pytest.approx(math.exp(1e-6 * steps), rel=1e-6)
    del y


def test_backward_visits_each_shared_node_once() -> None:
    """Sixty diamonds in a row have 2⁶⁰ paths, but only 61 nodes."""
    x = y = Value(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    with sg.no_grad():
        assert gradients(y, x, create_graph=True).data == 2.0**60
