"""jacobian and hessian with sparse=True: elements, patterns, and requirements."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse
from scipy.sparse.linalg import spsolve

import scalargrad as sg
from scalargrad import NumericalError, OperandError, TraceError, Value, cos, hessian, jacobian, sin
from scalargrad.fitting import least_squares


def rosenbrock(x: Any) -> Any:
    """Return the chained Rosenbrock function."""
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def test_hessian_sparse_of_a_chain_is_tridiagonal() -> None:
    """For 500 parameters it agrees with SciPy's explicit formula."""
    x = np.random.default_rng(0).normal(size=500)
    compute = hessian(rosenbrock, sparse=True)
    for at in (x, x[::-1].copy()):
        found = compute(at)
        assert isinstance(found, sparse.csr_array)
        assert found.nnz == 3 * 500 - 2
        np.testing.assert_allclose(found.toarray(), optimize.rosen_hess(at), rtol=1e-12)


def bratu(u: Any) -> Any:
    """Return the residuals of u″ + exp(u) = 0 between two zeros."""
    triples = zip([0.0, *u], u, [*u[1:], 0.0], strict=False)
    return [a - 2 * b + c + sg.exp(b) / (len(u) + 1) ** 2 for a, b, c in triples]


def test_jacobian_sparse_in_newtons_method_for_bratus_problem() -> None:
    """The solution is known; the error falls with the square of the step."""
    theta = optimize.brentq(lambda t: t - math.sqrt(2.0) * math.cosh(t / 4), 1.0, 2.0)
    errors = []
    for n in (49, 99):
        slopes, u = jacobian(bratu, sparse=True), np.zeros(n)
        for _ in range(6):
            u = u - spsolve(slopes(u).tocsc(), np.array(bratu(u)))
        x = np.linspace(0, 1, n + 2)[1:-1]
        exact = -2 * np.log(np.cosh((x - 0.5) * theta / 2) / np.cosh(theta / 4))
        errors.append(np.abs(u - exact).max())
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_jacobian_sparse_of_a_stencil_has_five_elements_per_row() -> None:
    """Fewer at the border; it agrees with the dense Jacobian."""

    def residual(u: Any) -> Any:
        padded = np.zeros((10, 10), dtype=object)
        padded[1:-1, 1:-1] = u
        inner = padded[1:-1, 1:-1]
        neighbors = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        return neighbors - 4 * inner + np.exp(inner)

    u = np.random.default_rng(1).normal(size=(8, 8))
    found = jacobian(residual, sparse=True)(u)
    assert (found.shape, found.nnz) == ((64, 64), 5 * 64 - 4 * 8)
    np.testing.assert_allclose(found.toarray(), jacobian(residual)(u).reshape(64, 64), rtol=1e-12)


CAMERAS, POINTS = 10, 40
_RNG = random.Random(2)
OBSERVATIONS = [(_RNG.randrange(CAMERAS), _RNG.randrange(POINTS)) for _ in range(300)]


def bundle_adjustment(p: dict[str, Any], measured: Any) -> Any:
    """Return the residuals of a bundle adjustment with rotating and shifting cameras."""
    found = []
    for (c, k), (u, v) in zip(OBSERVATIONS[: len(measured)], measured, strict=True):
        angle, x, y, focus = p["cameras"][c]
        px, py, pz = p["points"][k]
        depth = 5.0 - px * sin(angle) + pz * cos(angle)
        found += [focus * (px * cos(angle) + pz * sin(angle) + x) / depth - u,
                  focus * (py + y) / depth - v]  # fmt: skip
    return found


def test_jacobian_sparse_of_a_bundle_adjustment() -> None:
    """Each row has elements for one camera and one point, except for unused parameters."""
    rng = np.random.default_rng(3)
    at = {"cameras": rng.normal(size=(CAMERAS, 4)), "points": rng.normal(size=(POINTS, 3))}
    measured = rng.normal(size=(40, 2))
    found = jacobian(bundle_adjustment, sparse=True)(at, measured)
    assert found.shape == (80, 4 * CAMERAS + 3 * POINTS)
    assert found.nnz == 40 * (5 + 6)
    dense = jacobian(bundle_adjustment)(at, measured)
    rows = [np.concatenate([row["cameras"].ravel(), row["points"].ravel()]) for row in dense]
    np.testing.assert_allclose(found.toarray(), rows, rtol=1e-11, atol=1e-12)


@pytest.mark.wide
def test_least_squares_sparse_fits_a_bundle_adjustment() -> None:
    """In a few evaluations, although cameras and points may shift together."""
    rng = np.random.default_rng(4)
    true = {"cameras": rng.normal([0.0, 0.0, 0.0, 1.0], [0.5, 0.1, 0.1, 0.1], (CAMERAS, 4)),
            "points": rng.normal(0.0, 0.5, (POINTS, 3))}  # fmt: skip
    measured = np.reshape([float(x) for x in bundle_adjustment(true, np.zeros((300, 2)))], (300, 2))
    start = {key: x + rng.normal(0.0, 0.02, x.shape) for key, x in true.items()}
    fit = least_squares(
        bundle_adjustment, start, measured + rng.normal(0.0, 1e-3, (300, 2)), sparse=True
    )
    assert fit.success
    assert fit.evaluations < 30
    freedom = 600 - 4 * CAMERAS - 3 * POINTS
    assert fit.fun == pytest.approx(1e-6 * freedom, rel=4 * (2 / freedom) ** 0.5)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6))
def test_jacobian_sparse_equals_the_dense_one(seed: int, width: int, height: int) -> None:
    """For random functions, some of whose results are inputs or constants."""
    rng = random.Random(seed)
    terms = [[rng.randrange(width) for _ in range(rng.randrange(4))] for _ in range(height)]

    def f(x: Any, scale: float = 1.0) -> Any:
        found: list[Any] = []
        for row in terms:
            y: Any = 1.0
            for k in row:
                y = y * x[k] if len(row) % 2 else y + sin(x[k]) * scale
            found.append(x[row[0]] if len(row) == 1 else y)
        return found

    x = [rng.gauss(0.0, 1.0) for _ in range(width)]
    found = jacobian(f, sparse=True)(x, scale=2.0)
    np.testing.assert_allclose(found.toarray(), jacobian(f)(x, scale=2.0), atol=1e-12)
    assert found.nnz <= sum(len({*row}) for row in terms)


def test_jacobian_sparse_of_columns_that_share_one_row() -> None:
    """One product for both columns would add their elements in that row."""
    found = jacobian(lambda x: [x[0] * x[1], *[k * y for y in x for k in range(9)]], sparse=True)
    assert found([2.0, 3.0]).toarray()[:3].tolist() == [[3.0, 2.0], [0.0, 0.0], [1.0, 0.0]]


def test_jacobian_sparse_of_several_arguments() -> None:
    """Columns are in the order of argnums; other arguments and captured state may change."""
    factor = [3.0]

    def f(a: float, b: list[float], c: Any) -> Any:
        return {"u": a * b[0] * factor[0], "v": [b[1] * c["k"], a]}

    compute = jacobian(f, argnums=(1, -3), sparse=True)
    found = compute(2.0, [5.0, 7.0], {"k": 11.0})
    np.testing.assert_array_equal(found.toarray(), [[6.0, 0.0, 15.0], [0.0, 11.0, 0.0], [0, 0, 1]])
    factor[0] = 1.0
    found = compute(2.0, [5.0, 7.0], {"k": 13.0})
    np.testing.assert_array_equal(found.toarray(), [[2.0, 0.0, 5.0], [0.0, 13.0, 0.0], [0, 0, 1]])
    assert compute(2.0, [5.0, 7.0, 9.0], {"k": 1.0}).shape == (3, 4)


def test_jacobian_sparse_pattern_follows_captured_state() -> None:
    """A new pattern is traced if the function reads other elements."""
    indices = [0, 1]
    compute = jacobian(lambda x: [x[k] ** 2 for k in indices], sparse=True)
    assert compute([1.0, 2.0]).toarray().tolist() == [[2.0, 0.0], [0.0, 4.0]]
    indices[0] = 1
    assert compute([1.0, 2.0]).toarray().tolist() == [[0.0, 4.0], [0.0, 4.0]]


def test_jacobian_sparse_of_where_and_vmap() -> None:
    """Both operands of where are in the pattern; under vmap each example has its own row."""
    choose = jacobian(lambda x: [sg.where(x[0] > 0, x[1], x[2])], sparse=True)
    assert choose([1.0, 2.0, 3.0]).toarray().tolist() == [[0.0, 1.0, 0.0]]
    assert choose([-1.0, 2.0, 3.0]).toarray().tolist() == [[0.0, 0.0, 1.0]]
    mapped = jacobian(sg.vmap(lambda x: x * x), sparse=True)(np.arange(20.0))
    assert mapped.nnz == 20
    np.testing.assert_array_equal(mapped.diagonal(), 2 * np.arange(20.0))


def test_jacobian_and_hessian_sparse_errors() -> None:
    """A branch, an auxiliary result, Values, jit around it, wrong argnums, an infinite slope."""
    with pytest.raises(TraceError, match="where"):
        jacobian(lambda x: [x[0] if x[0] > 0 else x[1]], sparse=True)([1.0, 2.0])
    with pytest.raises(OperandError, match="has_aux"):
        hessian(lambda x: (x, x), has_aux=True, sparse=True)
    with pytest.raises(OperandError, match="jit"):
        jacobian(lambda x: [x], sparse=True)(Value(1.0))
    with pytest.raises(OperandError, match="jit"):
        sg.jit(lambda x: jacobian(lambda y: [y], sparse=True)(x).sum())(1.0)
    with pytest.raises(OperandError, match="argnums"):
        jacobian(lambda x: [x], argnums=1, sparse=True)(1.0)
    with pytest.raises(NumericalError):
        jacobian(lambda x: [sg.sqrt(x)], sparse=True)(0.0)
