"""Descent on a surface that is not convex, Taylor's prediction, and over-fitting (Toronto)."""

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
    """Compute ln(1 + (u² - 1)²) + 10v²: minima at u = ±1, a saddle between, a plateau far out."""
    u, v = p
    return log(1 + (u**2 - 1) ** 2) + 10 * v**2


def descend(start: tuple[float, float], tilt: float, steps: int = 150) -> list[float]:
    """Descend on examples that tilt the surface by ±tilt·u, one at a step."""
    rng = random.Random(1)
    parameters = [Parameter(x) for x in start]
    optimizer = SGD(parameters, lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        (surface(parameters) + rng.choice((-tilt, tilt)) * parameters[0]).backward()
        optimizer.step()
    return [p.data for p in parameters]


def test_the_surface_has_a_saddle_and_a_plateau() -> None:
    """Curvatures -2 and 20 at (0, 0), 8 and 20 at (1, 0), and a slope that falls off as 4/u."""
    np.testing.assert_allclose(hessian(surface)([0.0, 0.0]), np.diag([-2.0, 20.0]), atol=1e-12)
    np.testing.assert_allclose(hessian(surface)([1.0, 0.0]), np.diag([8.0, 20.0]), atol=1e-12)
    for u in (40.0, 400.0):
        slope = value_and_grad(surface)([u, 0.0])[1][0]
        assert slope == pytest.approx(4 / u, rel=0.01)


def test_descent_rests_at_the_saddle_and_single_examples_leave_it() -> None:
    """From (0, 1.2) the gradient has no part along u; an example's has."""
    assert descend((0.0, 1.2), tilt=0.0) == pytest.approx([0.0, 0.0], abs=1e-9)
    u, v = descend((0.0, 1.2), tilt=1.5)
    assert abs(u) > 0.7
    assert abs(v) < 1e-9


def test_taylor_s_prediction_improves_as_eta_shrinks() -> None:
    """What E(w) - η‖∇E‖² misses is ½η²·∇EᵀH∇E and less: a quarter at half the step."""
    w = [1.8, 0.4]
    cost, slope = value_and_grad(surface)(w)
    misses = []
    for eta in (1e-3, 5e-4, 2.5e-4):
        after = surface([a - eta * g for a, g in zip(w, slope, strict=True)])
        misses.append(after - (cost - eta * sum(g * g for g in slope)))
    second = 0.5 * 2.5e-4**2 * np.array(slope) @ np.array(hessian(surface)(w)) @ np.array(slope)
    assert misses[-1] == pytest.approx(second, rel=0.01)
    assert all(a / b == pytest.approx(4, rel=0.02) for a, b in itertools.pairwise(misses))


def test_a_polynomial_of_high_degree_fits_everything_and_early_stopping_helps() -> None:
    """Degree 9 passes through ten points; stopped by held-out points it errs less on others."""
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
