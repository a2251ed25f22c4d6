"""least_squares: linear models in closed form, SciPy's curve_fit, and the end of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from scalargrad import DomainError, NumericalError, OperandError, exp, log, sqrt
from scalargrad.fitting import interval, least_squares, positive

RNG = np.random.default_rng(6)
TIMES = np.linspace(0.0, 8.0, 30)
MEASURED = 2.0 * np.exp(-0.3 * TIMES) + RNG.normal(0, 0.02, 30)


def decay(p: Any, times: Any, measured: Any) -> Any:
    """Return the residuals of an exponential."""
    return [p["height"] * exp(-p["rate"] * t) - y for t, y in zip(times, measured, strict=True)]


@pytest.mark.parametrize("how", [{}, {"method": "lm"}, {"sparse": True}])
def test_least_squares_covariance_of_a_linear_regression(how: Any) -> None:
    """The covariance is s²(XᵀX)⁻¹; residuals may be an array."""
    X = np.column_stack([np.ones(30), TIMES, TIMES**2])  # noqa: N806
    y = X @ [1.0, -2.0, 0.5] + RNG.normal(0, 0.3, 30)
    fit = least_squares(lambda b: y - X @ b, np.zeros(3), **how)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    residual_sum = np.sum((y - X @ best) ** 2)
    assert fit.success
    assert fit.fun == pytest.approx(residual_sum)
    np.testing.assert_allclose(fit.x, best, rtol=1e-7)
    np.testing.assert_allclose(
        fit.covariance, residual_sum / 27 * np.linalg.inv(X.T @ X), rtol=1e-7
    )
    b, low = fit.profile("x[1]", points=3, width=1.0)[1:]
    assert low[::2] == pytest.approx([residual_sum * (1 + 1 / 27)] * 2)
    assert b[2] - b[1] == pytest.approx(fit.standard_errors[1])


@pytest.mark.parametrize("method", ["trf", "lm"])
@pytest.mark.parametrize("transforms", [None, positive, {"rate": interval(0.0, 30.0)}])
@pytest.mark.parametrize("start", [(1.0, 1.0), (5.0, 20.0)])
def test_least_squares_of_a_decay_agrees_with_curve_fit(
    method: str, transforms: Any, start: Any
) -> None:
    """Parameters and errors agree, with transforms too, and from a distant start."""
    fit = least_squares(
        decay, dict(zip(("height", "rate"), start, strict=True)), TIMES, MEASURED, method=method,
        transforms=transforms,
    )  # fmt: skip
    best, covariance = optimize.curve_fit(
        lambda t, a, b: a * np.exp(-b * t), TIMES, MEASURED, p0=(2.0, 0.3)
    )
    assert [*fit.x.values()] == pytest.approx(best, rel=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-2)


@pytest.mark.parametrize("method", ["trf", "lm"])
def test_least_squares_shortens_a_step_out_of_the_domain(method: str) -> None:
    """The first Gauss-Newton step leads to a negative operand."""
    fit = least_squares(lambda a: [log(a) - 1.0, sqrt(a) - 1.6], 40.0, method=method)
    assert fit.success
    assert fit.x == pytest.approx(2.662, abs=0.01)


def test_least_squares_errors() -> None:
    """Undefined starts, unsuitable options, and residuals of the wrong number or type."""
    with pytest.raises(DomainError, match="height = -1"):
        least_squares(lambda p: [log(p["height"])], {"height": -1.0})
    with pytest.raises(DomainError, match="lm"):
        least_squares(decay, {"height": 1.0, "rate": 1.0}, TIMES, MEASURED, method="lm",
                      bounds={"rate": (0, 2)})  # fmt: skip
    with pytest.raises(DomainError, match="sparse"):
        least_squares(lambda p: [p], 1.0, method="lm", sparse=True)
    with pytest.raises(OperandError, match="1 residuals"):
        least_squares(lambda p: [p[0] - p[1]], [1.0, 2.0], method="lm")
    with pytest.raises(OperandError, match="result"):
        least_squares(lambda p: "none", [1.0, 2.0])
    with pytest.raises(OperandError, match="no numbers"):
        least_squares(lambda p: [], [1.0, 2.0])
    exact = least_squares(lambda p: [p[0] - 1, p[1] - 2], [0.0, 0.0])
    assert exact.x == pytest.approx([1.0, 2.0])
    with pytest.raises(NumericalError, match="2 residuals"):
        exact.covariance  # noqa: B018


def test_least_squares_bounds_callback_and_max_evaluations() -> None:
    """The callback is called whenever the sum of squares decreases, and may stop."""
    x0 = {"height": 1.0, "rate": 1.0}
    fit = least_squares(decay, x0, TIMES, MEASURED, bounds={"rate": (0.5, None)})
    assert fit.x["rate"] == pytest.approx(0.5, abs=1e-4)
    seen: list[float] = []

    def watch(x: Any, value: float) -> bool:
        seen.append(value)
        return len(seen) == 2

    stopped = least_squares(decay, x0, TIMES, MEASURED, callback=watch)
    assert not stopped.success
    assert stopped.fun == seen[-1] < seen[0]
    few = least_squares(decay, x0, TIMES, MEASURED, max_evaluations=2)
    assert not few.success


#: Sizes of data; the wide run adds those between the extremes.
SCALES = [1e-12, 1e12, *(pytest.param(x, marks=pytest.mark.wide) for x in (1e-6, 1e6))]
INSTANTS = np.linspace(0.0, 1.0, 8)
ERRORS = np.random.default_rng(0).normal(0.0, 0.01, 8)


@pytest.mark.parametrize("start", [0.0, 1.0, pytest.param(1e-3, marks=pytest.mark.wide)])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "how", [{"method": "trf"}, {"method": "lm"}, {"sparse": True}, {"bounds": (0.0, None)}], ids=str
)
def test_least_squares_finds_a_line_through_data_of_any_size(
    how: Any, scale: float, start: float
) -> None:
    """For data of size 1e-12 or 1e12, SciPy alone reports success at the start."""
    y = scale * (3.0 + 2.0 * INSTANTS + ERRORS)

    def residuals(p: Any) -> Any:
        return [b - p[0] - p[1] * a for a, b in zip(INSTANTS, y, strict=True)]

    fit = least_squares(residuals, [start * scale] * 2, **how)
    assert fit.success
    np.testing.assert_allclose(fit.x, np.polyfit(INSTANTS, y, 1)[::-1], rtol=1e-6)


@pytest.mark.parametrize("unit", SCALES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", ["trf", "lm"])
def test_least_squares_finds_a_decay_in_any_units(method: str, scale: float, unit: float) -> None:
    """Height and rate are those of curve_fit for numbers near 1."""
    y = 3.0 * np.exp(-2.0 * INSTANTS) + ERRORS

    def residuals(p: Any) -> Any:
        pairs = zip(INSTANTS * unit, y * scale, strict=True)
        return [b - p[0] * exp(-p[1] * a) for a, b in pairs]

    fit = least_squares(residuals, [scale, 1.0 / unit], method=method)
    (height, rate), _ = optimize.curve_fit(
        lambda t, a, b: a * np.exp(-b * t), INSTANTS, y, [1.0, 1.0]
    )
    assert fit.success
    np.testing.assert_allclose(fit.x, [height * scale, rate / unit], rtol=1e-6)


def test_max_evaluations_limits_all_rounds_of_least_squares() -> None:
    """Here the start and one further point."""
    y = 1e-12 * (3.0 + 2.0 * INSTANTS + ERRORS)
    fit = least_squares(
        lambda p: [b - p**3 * a for a, b in zip(INSTANTS, y, strict=True)], 1.0, max_evaluations=2
    )
    assert (fit.success, fit.evaluations) == (False, 2)
