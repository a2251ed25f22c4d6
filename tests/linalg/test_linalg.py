"""linalg: NumPy's results, derivatives against differences, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import DomainError, OperandError, Value, grad, gradcheck, hessian, jit, linalg, vmap

pytestmark = pytest.mark.behaviour

RNG = np.random.default_rng(7)
N = 4
GENERAL = RNG.normal(size=(N, N))
DEFINITE = GENERAL @ GENERAL.T + np.eye(N)
RIGHT = RNG.normal(size=N)
SEVERAL = RNG.normal(size=(N, 3))
LOWER = np.linalg.cholesky(DEFINITE)

#: A function, its arguments, and NumPy's result.
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "cholesky": (linalg.cholesky, (DEFINITE,), LOWER),
    "logdet": (linalg.logdet, (DEFINITE,), np.linalg.slogdet(DEFINITE)[1]),
    "logdet of a factor": (
        lambda a: linalg.logdet(a, factored=True), (LOWER,), np.linalg.slogdet(DEFINITE)[1]
    ),
    "solve": (linalg.solve, (GENERAL, RIGHT), np.linalg.solve(GENERAL, RIGHT)),
    "solve several": (linalg.solve, (GENERAL, SEVERAL), np.linalg.solve(GENERAL, SEVERAL)),
    "inv": (linalg.inv, (GENERAL,), np.linalg.inv(GENERAL)),
    "lower": (linalg.triangular_solve, (LOWER, RIGHT), np.linalg.solve(LOWER, RIGHT)),
    "upper": (
        lambda a, b: linalg.triangular_solve(a, b, lower=False),
        (LOWER.T, SEVERAL), np.linalg.solve(LOWER.T, SEVERAL),
    ),
    "transposed": (
        lambda a, b: linalg.triangular_solve(a, b, transpose_a=True),
        (LOWER, RIGHT), np.linalg.solve(LOWER.T, RIGHT),
    ),
    "matrices": (linalg.matmul, (GENERAL, SEVERAL), GENERAL @ SEVERAL),
    "matrix and vector": (linalg.matmul, (GENERAL, RIGHT), GENERAL @ RIGHT),
    "vector and matrix": (linalg.matmul, (RIGHT, SEVERAL), RIGHT @ SEVERAL),
    "vectors": (linalg.matmul, (RIGHT, RIGHT), RIGHT @ RIGHT),
}  # fmt: skip


def as_floats(x: Any) -> Any:
    """Return numbers and Values as an array of floats."""
    return np.vectorize(float)(np.vectorize(lambda y: getattr(y, "data", y))(x))


@pytest.mark.parametrize("case", CASES)
def test_linalg_results_agree_with_numpy(case: str) -> None:
    """On floats, on Values and compiled; arrays give arrays, lists lists."""
    f, args, expected = CASES[case]
    lists = [x.tolist() for x in args]
    values = [np.vectorize(Value, otypes=[object])(x) for x in args]
    for found in (f(*args), f(*lists), f(*values), jit(f)(*args), jit(f)(*lists)):
        assert as_floats(found) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if np.ndim(expected):
        assert isinstance(f(*args), np.ndarray)
        assert isinstance(f(*lists), list)


@pytest.mark.parametrize("case", CASES)
def test_linalg_derivatives_agree_with_differences(case: str) -> None:
    """First and second derivatives, eager and compiled, and under vmap."""
    f, args, _ = CASES[case]
    indices = tuple(range(len(args)))

    def loss(*args: Any) -> Any:
        return sum(np.cos(0.5 * x) for x in np.ravel(f(*args)))

    assert gradcheck(loss, *args)
    slope = grad(loss, argnums=indices)
    assert gradcheck(grad(loss), *args, eps=1e-5, atol=1e-4)
    compiled = jit(sg.value_and_grad(loss, argnums=indices))(*args)[1]
    pairs = zip(compiled, slope(*args), strict=True)
    assert all(x == pytest.approx(y, rel=1e-8, abs=1e-10) for x, y in pairs)
    assert jit(hessian(loss))(*args) == pytest.approx(hessian(loss)(*args), rel=1e-7, abs=1e-9)
    both = [np.stack([x, 1.5 * x]) for x in args]
    expected = [loss(*args), loss(*[1.5 * x for x in args])]
    assert jit(vmap(loss))(*both) == pytest.approx(expected, rel=1e-9)


def test_cholesky_logdet_and_triangular_solve_in_a_gaussian_process() -> None:
    """For 40 points, the compiled gradient by three parameters is that of matrix algebra."""
    x = np.linspace(0.0, 4.0, 40)
    y = np.sin(x) + 0.1 * np.cos(7 * x)
    far = (x[:, None] - x) ** 2

    def likelihood(p: Any) -> Any:
        scale, length, noise = p
        kernel = [
            [scale**2 * np.exp(-0.5 * ((s - t) / length) ** 2) + (noise**2 if s == t else 0.0)
             for t in x.tolist()] for s in x.tolist()
        ]  # fmt: skip
        factor = linalg.cholesky(kernel)
        z = linalg.triangular_solve(factor, y.tolist())
        return -0.5 * linalg.matmul(z, z) - 0.5 * linalg.logdet(factor, factored=True)

    scale, length, noise = point = [1.2, 0.7, 0.3]
    shape = np.exp(-0.5 * far / length**2)
    inverse = np.linalg.inv(scale**2 * shape + noise**2 * np.eye(40))
    alpha = inverse @ y
    weights = 0.5 * (np.outer(alpha, alpha) - inverse)
    slopes = [2 * scale * shape, scale**2 * shape * far / length**3, 2 * noise * np.eye(40)]
    found = jit(grad(likelihood))(point)
    assert found == pytest.approx([np.sum(weights * s) for s in slopes], rel=1e-9)


@pytest.mark.parametrize(
    ("f", "args", "words"),
    [
        (linalg.cholesky, ([[1.0, 2.0], [2.0, 1.0]],), r"positive definite: the pivot 1 is -3"),
        (linalg.logdet, ([[-1.0]],), "logdet"),
        (linalg.solve, ([[1.0, 2.0], [2.0, 4.0]], [1.0, 1.0]), "singular: its column 1"),
        (linalg.solve, ([[1.0, 2.0], [0.0, 0.0]], [1.0, 1.0]), "singular: its row 1"),
        (linalg.inv, ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]],), "singular"),
        (linalg.triangular_solve, ([[1.0, 2.0], [2.0, 0.0]], [1.0, 1.0]), r"a\[1\]\[1\] is 0"),
    ],
)
def test_linalg_of_singular_and_indefinite_matrices_is_an_error(
    f: Any, args: tuple[Any, ...], words: str
) -> None:
    """The error names the entry, the number and the remedy, also for gradients."""
    for run in (f, jit(f), jit(grad(lambda *args: np.sum(np.array(f(*args)))))):
        with pytest.raises(DomainError, match=words):
            run(*args)


def test_solve_of_scaled_rows_or_columns() -> None:
    """Rows or columns scaled by 1e-30 do not make a matrix singular."""
    small = 1e-30 * GENERAL
    assert linalg.solve(small, 1e-30 * RIGHT) == pytest.approx(np.linalg.solve(GENERAL, RIGHT))
    for scaled in (
        np.diag([1, 1e-30, 1, 1e9]) @ GENERAL,
        GENERAL @ np.diag([1, 1e-30, 1, 5]),
    ):
        assert linalg.solve(scaled, RIGHT) == pytest.approx(np.linalg.solve(scaled, RIGHT))


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (linalg.cholesky, ([[1.0, 2.0]],)), (linalg.cholesky, ([1.0],)), (linalg.inv, ([],)),
        (linalg.solve, ([[1.0]], [1.0, 2.0])), (linalg.solve, ([[1.0]], [[1.0], [2.0]])),
        (linalg.matmul, ([[1.0]], [[1.0], [2.0]])), (linalg.matmul, ([[1.0], [1.0, 2.0]], [1.0])),
        (linalg.matmul, ("ab", [1.0])), (linalg.inv, ([["a"]],)),
    ],
)  # fmt: skip
def test_linalg_refuses_wrong_shapes(f: Any, args: tuple[Any, ...]) -> None:
    """The error names the argument and its shape."""
    with pytest.raises(OperandError, match=r"^[ab]"):
        f(*args)
