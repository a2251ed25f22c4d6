"""What an engineer who knows JAX tries before adopting the package, by the site alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from scalargrad import grad, hvp, jit, scan, sqrt, tanh, value_and_grad, vmap
from scalargrad.export import load

np = pytest.importorskip("numpy")

XS = [-0.5, 0.1, 0.9]


def test_parameters_in_a_dict_give_gradients_in_a_dict() -> None:
    """As `jax.value_and_grad` does; d(tanh(wx + b)²)/dw = 2·t·(1 - t²)·x."""

    def loss(p: dict[str, Any], x: float) -> Any:
        return tanh(p["w"] * x + p["b"]) ** 2

    value, slope = value_and_grad(loss)({"w": 0.7, "b": 0.2}, 0.5)
    t = math.tanh(0.7 * 0.5 + 0.2)
    assert value == pytest.approx(t * t)
    assert slope == pytest.approx({"w": 2 * t * (1 - t * t) * 0.5, "b": 2 * t * (1 - t * t)})


def test_gradients_of_each_example_come_from_vmap_of_grad() -> None:
    """One compiled function; 1 - tanh² at each point."""
    each = jit(vmap(grad(tanh)))
    assert each(XS) == pytest.approx([1 - math.tanh(x) ** 2 for x in XS], rel=1e-12)


def test_a_training_loop_is_a_scan() -> None:
    """Gradient descent on (w - 3)² contracts by 1 - 2·rate a step."""

    @jit
    def step(w: Any, rate: Any) -> Any:
        value, slope = value_and_grad(lambda w: (w - 3.0) ** 2)(w)
        return w - rate * slope, value

    last, values = scan(step, 0.0, [0.1] * 50)
    assert last == pytest.approx(3 - 3 * 0.8**50, rel=1e-12)
    assert values[0] == 9.0


def test_what_was_packed_can_be_seen_and_curvature_needs_no_matrix() -> None:
    """`explain` names tanh over all examples; `hvp` of Σx⁴ is 12·x²·v."""
    fast = jit(lambda w: sum(tanh(w * x) for x in XS))
    assert "tanh" in fast.explain(0.3)
    _, product = hvp(lambda v: sum(x**4 for x in v), [1.0, 2.0], [1.0, 0.5])
    assert product == pytest.approx([12.0, 24.0])


def test_a_compiled_function_leaves_python(tmp_path: Path) -> None:
    """As C it is named after its file; as JSON it runs without the code that made it."""
    square = jit(lambda x: 0.5 * x * x)
    assert "void square(" in square.export(tmp_path / "square.c", 2.0)[0].read_text("utf-8")
    (file,) = square.export(tmp_path / "square.json", 2.0)
    assert load(file)([3.0]) == [4.5]


def test_arrays_go_in_and_come_out_as_in_jax() -> None:
    """Losses and gradients of each example: vectors of 4, and a matrix of 4 × 2."""
    points = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0], [2.0, 2.0]])
    each = jit(vmap(value_and_grad(lambda w, x: (w @ x) ** 2), in_axes=(None, 0)))
    w = np.array([0.3, -0.2])
    losses, slopes = each(w, points)
    assert losses == pytest.approx((points @ w) ** 2)
    assert slopes == pytest.approx(2 * (points @ w)[:, None] * points)


def test_adam_is_a_scan_over_state() -> None:
    """Parameters and both moments are carried; 300 steps reach the minimum."""

    @jit
    def step(state: Any, _: Any) -> Any:
        p, m, v = state
        value, slope = value_and_grad(lambda p: (p[0] - 1) ** 2 + (p[1] + 2) ** 2)(p)
        m = [0.9 * a + 0.1 * s for a, s in zip(m, slope, strict=True)]
        v = [0.999 * a + 0.001 * s * s for a, s in zip(v, slope, strict=True)]
        p = [x - 0.1 * a / (sqrt(b) + 1e-8) for x, a, b in zip(p, m, v, strict=True)]
        return (p, m, v), value

    (p, _, _), values = scan(step, ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]), length=300)
    assert p == pytest.approx([1.0, -2.0], abs=1e-4)
    assert len(values) == 300
