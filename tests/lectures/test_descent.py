"""Descent on a nonconvex surface, Taylor's prediction, and overfitting (Toronto)."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, hessian, log, value_and_grad
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD, Adam
from scalargrad.train import fit


def surface(p: Any) -> Any:
    """Return ln(1 + (u² - 1)²) + 10v²: minima at u = ±1, a saddle between, a distant plateau."""
    u, v = p
    return log(1 + (u**2 - 1) ** 2) + 10 * v**2


def descend(start: tuple[float, float], tilt: float, steps: int = 150) -> list[float]:
    """Descend on examples that tilt the surface by ±tilt·u, one at each step."""
    rng = random.Random(1)
    parameters = [Parameter(x) for x in start]
    optimizer = SGD(parameters, lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        (surface(parameters) + rng.choice((-tilt, tilt)) * parameters[0]).backward()
        optimizer.step()
    return [p.data for p in parameters]


def test_hessian_of_the_surface_at_its_saddle_and_minimum() -> None:
    """Curvatures -2 and 20 at (0, 0), 8 and 20 at (1, 0), and a slope of 4/u on the plateau."""
    np.testing.assert_allclose(hessian(surface)([0.0, 0.0]), np.diag([-2.0, 20.0]), atol=1e-12)
    np.testing.assert_allclose(hessian(surface)([1.0, 0.0]), np.diag([8.0, 20.0]), atol=1e-12)
    for u in (40.0, 400.0):
        slope = value_and_grad(surface)([u, 0.0])[1][0]
        assert slope == pytest.approx(4 / u, rel=0.01)


def test_sgd_ends_at_the_saddle_but_leaves_it_with_single_examples() -> None:
    """From (0, 1.2) the gradient has no component along u; that of an example has."""
    assert descend((0.0, 1.2), tilt=0.0) == pytest.approx([0.0, 0.0], abs=1e-9)
    u, v = descend((0.0, 1.2), tilt=1.5)
    assert abs(u) > 0.7
    assert abs(v) < 1e-9


def test_taylor_prediction_error_of_a_gradient_step_is_quadratic() -> None:
    """The error of E(w) - η‖∇E‖² is about ½η²·∇EᵀH∇E: a quarter at half the step."""
    w = [1.8, 0.4]
    cost, slope = value_and_grad(surface)(w)
    misses = []
    for eta in (1e-3, 5e-4, 2.5e-4):
        after = surface([a - eta * g for a, g in zip(w, slope, strict=True)])
        misses.append(after - (cost - eta * sum(g * g for g in slope)))
    second = 0.5 * 2.5e-4**2 * np.array(slope) @ np.array(hessian(surface)(w)) @ np.array(slope)
    assert misses[-1] == pytest.approx(second, rel=0.01)
    assert all(a / b == pytest.approx(4, rel=0.02) for a, b in itertools.pairwise(misses))


def test_fit_patience_reduces_overfitting_of_a_polynomial() -> None:
    """Degree 9 passes through ten points; with early stopping its held-out error is smaller."""
    rng = np.random.default_rng(3)
    x, held_x = np.linspace(-0.9, 0.9, 10), np.linspace(-1.0, 1.0, 60)
    t, held_t = (np.sin(np.pi * a) + rng.normal(0, 0.25, len(a)) for a in (x, held_x))
    design, held = (np.polynomial.legendre.legvander(a, 9) for a in (x, held_x))
    exact = np.linalg.solve(design, t)
    assert np.mean((design @ exact - t) ** 2) < 1e-20

    model = Linear(9, 1, rng=0)
    history = fit(
        model,
        design[:, 1:].tolist(),
        t.tolist(),
        loss=lambda y, t: mse_loss([z for (z,) in y], t),
        optimizer=Adam(model.parameters(), lr=0.03),
        epochs=400,
        batch_size=None,
        validation_data=(held[:, 1:].tolist(), held_t.tolist()),
        patience=20,
        jit=False,
        quiet=True,
    )
    assert len(history) < 400
    assert min(history["val_loss"]) < np.mean((held @ exact - held_t) ** 2) / 2
