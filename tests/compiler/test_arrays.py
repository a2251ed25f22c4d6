"""Large arrays in jit: elements, memory layouts, and changes between calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close

from scalargrad import Value, dot, grad, jit, mean, softplus, tanh, value_and_grad, vmap
from scalargrad import sum as added

#: An array large enough to be traced as a whole, of 400 examples.
ROWS = np.linspace(-1.0, 1.0, 1200).reshape(400, 3)


def score(w: Any, x: Any) -> Any:
    """Return a number computed from one example."""
    return tanh(w * x[0]) + x[1] * x[2]


def results_of(xs: Any) -> Any:
    """Return the results of all examples."""
    return vmap(lambda x: x[0] * x[1])(xs)


#: Functions of an array.
USES: dict[str, Callable[..., Any]] = {
    "rows": vmap(lambda x: score(2.0, x)),
    "slice of rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[1:390:2]),
    "columns": lambda xs: vmap(lambda x: x[1] * x[5])(xs.T),
    "broadcast row": lambda xs: vmap(lambda x: score(2.0, x))(
        np.broadcast_to(xs[1], xs.shape, subok=True)
    ),
    "indexed rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[[3, 1, 1]]),
    "loop": lambda xs: sum(x * y for x, y, _ in xs),
    "NumPy functions": lambda xs: (
        xs.sum() + xs.dot(np.ones(3))[1] + np.add(xs, 1.0)[0] * np.outer(xs[0], xs[1])[2]
    ),
    "in": lambda xs: (
        (5.0 if xs[0, 0] in xs[1:3] else 6.0) + (0.5 if np.asarray(xs)[0, 0] in [xs[1, 1]] else 0.0)
    ),
    "whole array": lambda xs: xs,
    "gradient": lambda xs: grad(lambda xs: sum(vmap(lambda x: score(2.0, x))(xs)))(xs)[3],
    "shared array": lambda xs: vmap(lambda x, w: x[0] * w[1, 1], (0, None))(xs, xs),
    "condition": lambda xs: xs.shape[0] * (2.0 if sum(results_of(xs)) > 80.0 else 3.0),
    "slice of results": lambda xs: [results_of(xs)[1:3], results_of(xs)[::-1]],
    "partial sums": lambda xs: [*itertools.accumulate(results_of(xs))][::37],
    "sums": lambda xs: [
        sum(results, start) + added(results) * mean(results) + results.sum()
        for results in [results_of(xs)]
        for start in (0, 3.5)
    ],
    "element after vmap": lambda xs: sum(results_of(xs)) * xs[1, 1],
}


@pytest.mark.parametrize("name", USES)
def test_jit_of_array_operations_matches_eager_code(name: str) -> None:
    """With the numbers of each call."""
    compiled = jit(USES[name])
    for xs in (ROWS, ROWS * ROWS - 0.3, ROWS):
        assert close(compiled(xs), USES[name](xs))


def sum_and_element(w: Any, xs: Any) -> Any:
    """Return the sum over examples, and one of the results."""
    found = vmap(lambda x: score(w, x))(xs)
    return sum(found), found[2] * w


def test_jit_of_a_value_and_an_array_has_gradients() -> None:
    """Of one result and of the sum of two."""
    expected, w = Value(0.7), Value(0.7)
    for x in sum_and_element(expected, ROWS):
        x.backward()
    first, second = jit(sum_and_element)(w, ROWS)
    (first + second).backward()
    assert w.grad == pytest.approx(expected.grad, rel=1e-12)


# Large arrays in place ----------------------------------------------------------------------------

RNG = np.random.default_rng(0)


def loss(w: Any, xs: Any, labels: Any) -> Any:
    """Return the logistic loss of examples labelled -1 and 1."""
    return added(vmap(lambda x, label: softplus(-label * dot(w, x)))(xs, labels))


def strided(xs: Any) -> Any:
    """Return an array with equal elements that are not contiguous."""
    wider = np.zeros((*xs.shape[:-1], 2 * xs.shape[-1]))
    wider[..., ::2] = xs
    return wider[..., ::2]


def unaligned(xs: Any) -> Any:
    """Return an array with equal elements whose address is not a multiple of eight."""
    room = np.zeros(xs.nbytes + 8, np.uint8)
    found = room[4 : 4 + xs.nbytes].view(np.float64).reshape(xs.shape)
    found[...] = xs
    return found


LAYOUTS: list[Callable[[Any], Any]] = [
    np.array,
    strided,
    unaligned,
    np.asfortranarray,
    lambda xs: xs.astype(">f8"),
    lambda xs: np.concatenate([xs[:3], xs, xs[:5]])[3:-5],
    lambda xs: np.frombuffer(xs.tobytes()).reshape(xs.shape),
]


@pytest.mark.parametrize(("count", "columns"), [(4_001, 5), (20_003, 5), (20_003, 70)])
def test_digits_of_jit_do_not_depend_on_the_memory_layout_of_arrays(
    count: int, columns: int
) -> None:
    """Read in place or copied; the results are those of NumPy's formulas."""
    w, xs = RNG.normal(size=columns) / columns, RNG.normal(size=(count, columns))
    labels = np.sign(xs[:, 0] + 0.1)
    compiled = jit(value_and_grad(loss))
    value, gradient = compiled(w, xs, labels)
    margins = -labels * (xs @ w)
    assert value == pytest.approx(np.logaddexp(0.0, margins).sum(), rel=1e-12)
    slopes = (-labels / (1.0 + np.exp(-margins))) @ xs
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-9)
    for layout in LAYOUTS:
        again = compiled(w, layout(xs), layout(labels))
        assert again[0] == value
        np.testing.assert_array_equal(again[1], gradient)


def test_jit_of_a_function_that_catches_errors_on_a_large_array() -> None:
    """Reading one element of a whole array retraces the function; it must not see an error."""

    def first(xs: Any) -> Any:
        try:
            return xs[1, 0] + added(vmap(lambda x: x[0] * x[1])(xs))
        except Exception:  # noqa: BLE001
            return 0.0 * added(vmap(lambda x: x[0])(xs))

    xs = RNG.normal(size=(1000, 2))
    assert jit(first)(xs) == pytest.approx(xs[1, 0] + xs[:, 0] @ xs[:, 1])


def test_jit_sees_changes_of_an_array_between_calls() -> None:
    """Whether the array is read in place or copied."""
    compiled = jit(lambda xs: added(vmap(lambda x: tanh(x[0]) * x[1])(xs)))
    xs, others = RNG.normal(size=(20_001, 2)), RNG.normal(size=(20_001, 2))
    for array in (xs, strided(others), xs, others, strided(xs)):
        array[7] = RNG.normal(size=2)
        expected = (np.tanh(array[:, 0]) * array[:, 1]).sum()
        assert compiled(array) == pytest.approx(expected, rel=1e-10)
