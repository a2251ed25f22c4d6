"""minimize: optima and standard errors in closed form, trees, undefined steps, stopping."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import optimize
from tests.interrupts import press_ctrl_c

from scalargrad import DomainError, NumericalError, OperandError, exp, lgamma, log, softplus, sqrt
from scalargrad.fitting import (
    FitResult,
    Infeasible,
    interval,
    least_squares,
    minimize,
    ordered,
    positive,
    simplex,
)

METHODS = ["BFGS", "CG", "L-BFGS-B", "Newton-CG", "trust-exact", "trust-krylov", "trust-ncg"]
SAMPLE = np.random.default_rng(3).normal(5.0, 2.0, 40)


def normal_loss(p: Any, data: Any) -> Any:
    """Return the negative log-likelihood of a normal sample, up to a constant."""
    return sum(log(p["scale"]) + ((x - p["mean"]) / p["scale"]) ** 2 / 2 for x in data)


@pytest.mark.parametrize("options", [{}, {"transforms": {"scale": positive}}, {"jit": False}])
def test_minimize_standard_errors_of_a_normal_sample(options: Any) -> None:
    """They are σ/√n and σ/√(2n), with and without a transform."""
    fit = minimize(normal_loss, {"mean": 4.0, "scale": 1.5}, SAMPLE, tol=1e-8, **options)
    assert fit.success
    assert fit.x == pytest.approx({"mean": SAMPLE.mean(), "scale": SAMPLE.std()}, rel=1e-6)
    n, scale = len(SAMPLE), SAMPLE.std()
    errors = {"mean": scale / n**0.5, "scale": scale / (2 * n) ** 0.5}
    assert fit.standard_errors == pytest.approx(errors, rel=1e-5)
    assert fit.fun == pytest.approx(n * math.log(scale) + n / 2)
    assert fit.names == ["mean", "scale"]
    rows = [line.split() for line in repr(fit).splitlines()]
    for name in fit.names:
        assert [name, f"{fit.x[name]:.4f}", f"{errors[name]:.3f}"] in rows


def test_minimize_of_a_gamma_sample_agrees_with_mpmath() -> None:
    """Root of the likelihood equation, and inverse of the information by the trigamma function."""
    data = np.random.default_rng(4).gamma(2.5, 1.5, 60).tolist()

    def minus_log_likelihood(p: Any, data: Any) -> Any:
        shape, scale = p
        return sum(
            lgamma(shape) + shape * log(scale) - (shape - 1) * log(x) + x / scale for x in data
        )

    fit = minimize(minus_log_likelihood, (1.0, 1.0), data, transforms=positive, tol=1e-9)
    n, mean = len(data), math.fsum(data) / len(data)
    gap = math.log(mean) - math.fsum(map(math.log, data)) / n
    shape = mpmath.findroot(lambda k: mpmath.log(k) - mpmath.psi(0, k) - gap, 2.5)
    scale = mean / shape
    assert fit.x == pytest.approx((float(shape), float(scale)), rel=1e-6)
    cross = n / scale
    information = mpmath.matrix([[n * mpmath.psi(1, shape), cross], [cross, n * shape / scale**2]])
    covariance = mpmath.inverse(information)
    expected = [[float(covariance[i, j]) for j in range(2)] for i in range(2)]
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-5)


def test_minimize_covariance_on_a_simplex_is_that_of_a_multinomial_sample() -> None:
    """It is (diag(p) - ppᵀ) / n, whose rows sum to 0."""
    counts = [10, 20, 30, 40]
    fit = minimize(
        lambda p: -sum(c * log(x) for c, x in zip(counts, p, strict=True)),
        [0.25] * 4, transforms=simplex, tol=1e-9,
    )  # fmt: skip
    p = np.array(counts) / 100
    np.testing.assert_allclose(fit.x, p, rtol=1e-6)
    np.testing.assert_allclose(fit.covariance, (np.diag(p) - np.outer(p, p)) / 100, atol=1e-8)


def test_minimize_of_a_logistic_regression_agrees_with_scipy() -> None:
    """Coefficients, and the Hessian XᵀWX."""
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(200), rng.normal(size=(200, 3))])  # noqa: N806
    y = (rng.uniform(size=200) < 1 / (1 + np.exp(-X @ [0.5, 1.0, -1.0, 0.0]))) * 1.0

    def loss(w: Any, X: Any, y: Any) -> Any:  # noqa: N803
        return np.sum([softplus(s) for s in X @ w]) - y @ (X @ w)

    fit = minimize(loss, np.zeros(4), X, y, tol=1e-8)
    peer = optimize.minimize(lambda w: np.sum(np.logaddexp(0, X @ w)) - y @ X @ w, np.zeros(4))
    np.testing.assert_allclose(fit.x, peer.x, atol=1e-4)
    chance = 1 / (1 + np.exp(-X @ fit.x))
    information = X.T @ ((chance * (1 - chance))[:, None] * X)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-9)


@dataclass(frozen=True)
class Point:
    """A tree with text in it."""

    x: float
    rest: tuple[float, list[float]]
    name: str = "kept"


TREES = [
    (2.0, ["x"]),
    ([2.0, 3.0], ["x[0]", "x[1]"]),
    ((2, 3.0), ["x[0]", "x[1]"]),
    ({"a": {"b": 2.0}, "c": [3.0]}, ["a.b", "c[0]"]),
    (np.array([[2.0, 3.0]]), ["x[0][0]", "x[0][1]"]),
    (Point(2.0, (3.0, [4.0])), ["x", "rest[0]", "rest[1][0]"]),
]


def numbers(tree: Any) -> list[Any]:
    """Return the numbers of a tree."""
    if isinstance(tree, Point):
        return [tree.x, *numbers(tree.rest)]
    if isinstance(tree, dict):
        return numbers(list(tree.values()))
    return [x for part in tree for x in numbers(part)] if hasattr(tree, "__len__") else [tree]


@pytest.mark.parametrize(("x0", "names"), TREES, ids=lambda x: type(x).__name__)
def test_minimize_returns_parameters_in_the_shape_of_x0(x0: Any, names: list[str]) -> None:
    """So are standard errors, which are 1 for half a sum of squares."""
    fit = minimize(lambda p: sum((x - 1.0) ** 2 for x in numbers(p)) / 2, x0)
    assert fit.names == names
    for tree, number in ((fit.x, 1.0), (fit.standard_errors, 1.0)):
        assert type(tree) is type(x0)
        assert [float(x) for x in numbers(tree)] == pytest.approx([number] * len(names))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", [30.0, 0.01])
def test_minimize_continues_after_a_step_out_of_the_domain(
    method: str, start: float, capsys: Any
) -> None:
    """From a distant start, first steps are undefined or overflow, and are not repeated eagerly."""
    printing = lambda p: (print("run"), p["a"] - log(p["a"]) + exp(p["a"]) / 100)[1]  # noqa: E731
    fit = minimize(printing, {"a": start}, method=method, tol=1e-9)
    assert capsys.readouterr().out.count("run") == 1 + (method[:2] in {"Ne", "tr"})  # traces
    root = float(mpmath.findroot(lambda a: 1 - 1 / a + mpmath.exp(a) / 100, 1.0))
    assert fit.x["a"] == pytest.approx(root, rel=1e-5)


def sir(p: Any, cases: list[int]) -> Any:
    """Return the negative Poisson log-likelihood of the cases of an epidemic."""
    susceptible, infected, total = 762.0, 1.0, 0.0
    for count in cases:
        for _ in range(10):
            infections = p["contact"] * susceptible * infected / 7630
            recoveries = p["recovery"] * infected / 10
            susceptible, infected = susceptible - infections, infected + infections - recoveries
        total = total + infected - count * log(infected)
    return total


CASES = [3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4]


@pytest.mark.parametrize("start", [(0.5, 0.1), (4.0, 1.0), (0.1, 0.05)])
def test_minimize_fits_an_epidemic_where_scipy_alone_fails(start: tuple[float, float]) -> None:
    """A step to more infected than people is shortened."""
    fit = minimize(sir, dict(zip(("contact", "recovery"), start, strict=True)), CASES)
    assert fit.success
    assert fit.x == pytest.approx({"contact": 1.73844, "recovery": 0.47798}, abs=2e-4)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_infeasible_shortens_a_step_of_minimize(method: str, jit: bool) -> None:
    """From 30, where the curvature is small, the step to a parabola's minimum is far too long."""
    errors: list[str] = []

    def barrier(x: Any) -> Any:
        if x < 0.05:
            if not jit:
                errors.append("below")
            raise Infeasible("below 0.05")
        return x - log(x)

    fit = minimize(barrier, 30.0, method=method, jit=jit)
    assert fit.success
    assert fit.x == pytest.approx(1.0, abs=1e-4)
    assert errors or jit
    with pytest.raises(DomainError, match=r"x = 0: below 0\.05"):
        minimize(barrier, 0.0, jit=jit)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, np.linalg.LinAlgError])
@pytest.mark.parametrize("search", [minimize, least_squares])
def test_minimize_and_least_squares_pass_on_other_exceptions(
    search: Any, error: Any, jit: bool
) -> None:
    """Such an error is a mistake in the model; ZeroDivisionError and Infeasible are not."""

    def wrong(x: Any) -> Any:
        if x < 2.0:
            raise error("a mistake")
        return 8.0 * (x - 1.0)

    with pytest.raises(error, match="a mistake"):
        search(wrong, 9.0, jit=jit)

    def undefined_below(x: Any) -> Any:
        return x + 1.0 / (0.0 if x < 0.5 else x)

    assert minimize(undefined_below, 9.0, jit=jit).x == pytest.approx(1.0, abs=1e-5)


#: Sizes of data; the wide run adds those between the extremes.
SCALES = [1e-12, 1e12, *(pytest.param(x, marks=pytest.mark.wide) for x in (1e-6, 1e6))]
TIMES = np.linspace(0.0, 1.0, 8)
NOISE = np.random.default_rng(0).normal(0.0, 0.01, 8)


@pytest.mark.parametrize("start", [0.0, 1.0, pytest.param(1e-3, marks=pytest.mark.wide)])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_minimize_finds_a_line_through_data_of_any_size(
    method: str, scale: float, start: float
) -> None:
    """For small data SciPy alone reports success at the start: its tolerances are absolute."""
    y = scale * (3.0 + 2.0 * TIMES + NOISE)

    def squares(p: Any) -> Any:
        return sum((b - p[0] - p[1] * a) ** 2 for a, b in zip(TIMES, y, strict=True))

    fit = minimize(squares, [start * scale] * 2, method=method)
    expected = np.polyfit(TIMES, y, 1)[::-1]
    assert fit.success
    np.testing.assert_allclose(fit.x, expected, rtol=1e-4)


@pytest.mark.parametrize("unit", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_minimize_finds_parameters_of_different_sizes(method: str, unit: float) -> None:
    """An intercept near 3 and a slope near 2 / unit."""
    y = 3.0 + 2.0 * TIMES + NOISE

    def squares(p: Any) -> Any:
        return sum((b - p[0] - p[1] * a * unit) ** 2 for a, b in zip(TIMES, y, strict=True))

    fit = minimize(squares, [0.0, 0.0], method=method)
    slope, intercept = np.polyfit(TIMES, y, 1)
    assert fit.success
    np.testing.assert_allclose(fit.x, [intercept, slope / unit], rtol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_minimize_finds_the_minimum_of_rosenbrocks_function_in_any_unit(
    method: str, scale: float
) -> None:
    """It is at (1, 1), and 0 there."""

    def valley(p: Any) -> Any:
        return scale * ((1.0 - p[0]) ** 2 + 100.0 * (p[1] - p[0] ** 2) ** 2)

    fit = minimize(valley, [-1.2, 1.0], method=method)
    assert fit.success
    np.testing.assert_allclose(fit.x, [1.0, 1.0], rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_minimize_reaches_bounds_of_any_size(scale: float) -> None:
    """Of (p₀ + s)² + (p₁ - p₀ - 2s)², at p₀ = 0, p₁ is 2s."""
    fit = minimize(
        lambda p: (p[0] + scale) ** 2 + (p[1] - p[0] - 2.0 * scale) ** 2,
        [scale, 0.0],
        bounds=(0.0, 5.0 * scale),
    )
    assert fit.success
    np.testing.assert_allclose(np.array(fit.x) / scale, [0.0, 2.0], atol=1e-5)


def test_max_iterations_limits_all_rounds_of_minimize() -> None:
    """A fit that reaches the limit is not a success."""
    y = 1e-12 * (3.0 + 2.0 * TIMES + NOISE)

    def squares(p: Any) -> Any:
        return sum((b - p[0] - p[1] * a) ** 2 for a, b in zip(TIMES, y, strict=True))

    fit = minimize(squares, [0.0, 0.0], max_iterations=2)
    assert (fit.success, fit.iterations) == (False, 2)


BAD_STARTS: dict[str, tuple[Callable[[Any], Any], Any, type[Exception]]] = {
    "rate": (lambda p: log(p["rate"]) + p["other"], {"other": 1.0, "rate": -2.0}, DomainError),
    "power": (lambda p: exp(p["power"]), {"power": 800.0}, NumericalError),
    "b[1]": (lambda p: 1.0 / p["b"][1], {"b": [1.0, 0.0]}, DomainError),
    "slope": (lambda p: sqrt(p["slope"]), {"slope": 0.0}, NumericalError),
}


@pytest.mark.parametrize("name", BAD_STARTS)
@pytest.mark.parametrize("jit", [True, False])
def test_minimize_at_an_undefined_start_names_the_parameter(name: str, jit: bool) -> None:
    """The error has the value of the parameter, too."""
    f, x0, error = BAD_STARTS[name]
    with pytest.raises(error) as raised:
        minimize(f, x0, jit=jit)
    assert f"{name} = " in str(raised.value)


START = {"a": 0.5, "b": [0.2, 0.8]}
WRONG_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"transforms": {"a": interval(1.0, 2.0)}}, "a = 0.5"),
    ({"transforms": {"b": ordered, "c": positive}}, "'c'"),
    ({"transforms": {"b": [positive]}}, "1 parts"),
    ({"transforms": {"a": [positive]}}, "a: "),
    ({"transforms": "positive"}, "positive"),
    ({"bounds": {"b": (0.5, 1.0)}}, r"b\[0\] is 0.2"),
    ({"bounds": (1.0, 0.0)}, "a are 1 and 0"),
    ({"bounds": (0.0, None), "transforms": positive}, "bounds and transforms"),
    ({"bounds": (0.0, None), "method": "BFGS"}, "BFGS"),
    ({"method": "simplex"}, "simplex"),
    ({"x0": []}, "at least one"),
    ({"x0": {"a": "half"}}, "half"),
]


@pytest.mark.parametrize(("options", "words"), WRONG_OPTIONS)
def test_minimize_refuses_unsuitable_transforms_and_bounds(
    options: dict[str, Any], words: str
) -> None:
    """The errors name the part of x0."""
    with pytest.raises((DomainError, OperandError), match=words):
        minimize(lambda p: p["a"] * p["a"], **{"x0": START, **options})


def test_standard_errors_of_undetermined_parameters_name_them() -> None:
    """The standard errors raise an error; the fit is valid, and its table has no errors."""
    fit = minimize(lambda p: p["a"] ** 2 + (p["b"] - p["c"]) ** 2, {"a": 1.0, "b": 2.0, "c": 3.0})
    with pytest.raises(NumericalError, match="b, c"):
        fit.standard_errors  # noqa: B018
    assert fit.x == pytest.approx({"a": 0.0, "b": 2.5, "c": 2.5}, abs=1e-5)
    assert repr(fit).count("?") == 3
    with pytest.raises(NumericalError, match="with b"):
        minimize(lambda p: p["a"] ** 2 + 0.0 * p["b"], START | {"b": 0.0}).standard_errors  # noqa: B018


def test_standard_errors_of_a_parameter_at_its_bound_are_nan() -> None:
    """The other parameter has its standard error for a fixed first one."""
    fit = minimize(
        lambda p: (p[0] + 1) ** 2 / 2 + (p[1] - p[0] - 2) ** 2 / 8, [1.0, 0.0], bounds=(0, 5)
    )
    assert fit.x == pytest.approx([0.0, 2.0], abs=1e-5)
    assert math.isnan(fit.standard_errors[0])
    assert fit.standard_errors[1] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "options",
    [{}, {"transforms": {"scale": positive}}, {"method": "trust-ncg"}],
    ids=["plain", "transform", "trust-ncg"],
)
def test_profile_minimizes_over_the_other_parameters(options: Any) -> None:
    """For the mean of a normal sample, n/2 · log of the mean square about it, plus n/2."""
    n = len(SAMPLE)
    fit = minimize(normal_loss, {"mean": 4.0, "scale": 1.5}, SAMPLE, **options)
    profile = fit.profile("mean", points=7, width=2.0)
    assert len(profile.values) == 7
    reach = 2 * SAMPLE.std() / n**0.5
    assert profile.values[-1] == pytest.approx(SAMPLE.mean() + reach, rel=1e-4)
    lowest = [n / 2 * math.log(np.mean((SAMPLE - m) ** 2)) + n / 2 for m in profile.values]
    assert profile.minima == pytest.approx(lowest, rel=1e-6)
    profile = fit.profile("scale", points=3)
    lowest = [n * math.log(s) + n * SAMPLE.var() / s**2 / 2 for s in profile.values]
    assert profile.minima == pytest.approx(lowest, rel=1e-6)


def test_profile_of_a_single_bounded_or_undefined_parameter() -> None:
    """It is cut off at a bound, and nan where undefined; parameters on a simplex have none."""
    one = minimize(lambda p: (p[0] - 2.0) ** 2, [1.0])
    assert one.profile("x[0]", points=3).minima == pytest.approx([4.5, 0.0, 4.5], abs=1e-6)
    near = minimize(lambda p: (p[0] - 0.1) ** 2 / 2 + p[1] ** 2, [1.0, 1.0], bounds=(0.0, 9.0))
    assert near.profile("x[0]", points=5).values[0] == 0.0
    steep = minimize(lambda p: p["a"] - log(p["a"]), {"a": 2.0})
    assert math.isnan(steep.profile("a").minima[0])
    assert len(steep.profile("a").values) == 11
    shares = minimize(
        lambda p: -log(p["a"][0]) - log(p["a"][1]) + (p["b"] - 1.0) ** 2,
        {"a": [0.3, 0.7], "b": 2.0}, transforms={"a": simplex},
    )  # fmt: skip
    assert shares.profile("b", points=3).values[1] == pytest.approx(1.0, abs=1e-4)
    for name in ("a[0]", "c"):
        with pytest.raises(OperandError, match=name.replace("[", r"\[")):
            shares.profile(name)


def test_minimize_callback_receives_each_iteration_and_may_stop() -> None:
    """The callback gets parameters in their structure, and decreasing values."""
    seen: list[tuple[Any, float]] = []

    def watch(x: Any, value: float) -> bool:
        seen.append((x, value))
        return len(seen) == 3

    fit = minimize(normal_loss, {"mean": 0.0, "scale": 9.0}, SAMPLE, callback=watch)
    assert fit.iterations == len(seen) == 3
    assert not fit.success
    assert "callback" in fit.message
    assert (fit.x, fit.fun) == seen[-1]
    assert [value for _, value in seen] == sorted((value for _, value in seen), reverse=True)


def test_minimize_verbose_and_stop_iteration(capsys: pytest.CaptureFixture[str]) -> None:
    """Verbose 0, 1 and 2 print nothing, one line, and a line per iteration."""

    def stop(_: Any, value: float) -> None:
        if value < 2.0:
            raise StopIteration

    for verbose in range(3):
        fit = minimize(lambda x: (x - 1.0) ** 2 + 1.0, 9.0, callback=stop, verbose=verbose)
        assert fit.message == "the callback asked to stop"
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == (0, 1, 1 + fit.iterations)[verbose]
    assert fit.message in lines[-1]
    assert f"iteration {fit.iterations}" in lines[-2]


def fit_with_interrupt(when: int) -> FitResult:
    """Fit, with Ctrl-C pressed during an evaluation."""
    calls: list[int] = []

    def f(p: Any) -> Any:
        calls.append(1)
        if len(calls) == when:
            press_ctrl_c()
        return normal_loss(p, SAMPLE)

    return minimize(f, {"mean": 0.0, "scale": 9.0}, jit=False)


@pytest.mark.usefixtures("default_sigint_handler")
def test_minimize_interrupted_by_ctrl_c_returns_the_best_point() -> None:
    """The result has standard errors, but is not a success."""
    fit = fit_with_interrupt(6)
    assert not fit.success
    assert fit.message == "interrupted"
    assert fit.fun < normal_loss({"mean": 0.0, "scale": 9.0}, SAMPLE)
    assert fit.evaluations == 6
    assert set(fit.x) == {"mean", "scale"}


def test_minimize_succeeds_at_the_limit_of_rounding() -> None:
    """After adding a million, e^x - 2x has ten digits: enough for ln 2."""
    for limit in (5, None):
        fit = minimize(lambda x: 1e6 + exp(x) - 2.0 * x, 3.0, tol=1e-14, max_iterations=limit)
        assert fit.success == (limit is None)
    assert fit.x == pytest.approx(math.log(2.0), abs=1e-6)


WITHOUT = """
import sys
sys.modules["scipy"] = None
import scalargrad
for f in (scalargrad.fitting.minimize, scalargrad.fitting.least_squares):
    try:
        f(abs, 1.0)
    except scalargrad.MissingPackageError as error:
        print(error)
"""


def test_minimize_and_least_squares_without_scipy_say_what_to_install() -> None:
    """The message has the command, as for other optional packages."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"{name} needs scipy: python -m pip install scipy" for name in ("minimize", "least_squares")
    ]


@pytest.mark.parametrize("f", [lambda x: x, lambda x: -x * x], ids=["line", "parabola"])
@pytest.mark.parametrize("method", ["Newton-CG", "trust-exact", "trust-krylov", "trust-ncg"])
def test_minimize_says_that_a_function_is_unbounded_below(method: str, f: Any) -> None:
    """The fit is not successful, and its message gives the reason."""
    fit = minimize(f, 1.0, method=method)
    assert (fit.success, fit.message) == (False, "the function is unbounded below")
