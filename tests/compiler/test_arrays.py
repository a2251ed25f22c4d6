"""Arrays of many numbers, given or closed over, are their numbers, however they lie in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close

from scalargrad import Value, dot, grad, jit, mean, softplus, tanh, value_and_grad, vmap
from scalargrad import sum as added

#: Many enough to stay whole while a function is recorded, and as many as in any example.
ROWS = np.linspace(-1.0, 1.0, 1200).reshape(400, 3)


def score(w: Any, x: Any) -> Any:
    """Return a number for an example."""
    return tanh(w * x[0]) + x[1] * x[2]


def results_of(xs: Any) -> Any:
    """Return the results of all examples."""
    return vmap(lambda x: x[0] * x[1])(xs)


#: What functions do with arrays.
USES: dict[str, Callable[..., Any]] = {
    "rows": vmap(lambda x: score(2.0, x)),
    "some rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[1:390:2]),
    "columns": lambda xs: vmap(lambda x: x[1] * x[5])(xs.T),
    "one row again and again": lambda xs: vmap(lambda x: score(2.0, x))(
        np.broadcast_to(xs[1], xs.shape, subok=True)
    ),
    "chosen rows": lambda xs: vmap(lambda x: score(2.0, x))(xs[[3, 1, 1]]),
    "a loop": lambda xs: sum(x * y for x, y, _ in xs),
    "numpy's functions": lambda xs: (
        xs.sum() + xs.dot(np.ones(3))[1] + np.add(xs, 1.0)[0] * np.outer(xs[0], xs[1])[2]
    ),
    "contained": lambda xs: (
        (5.0 if xs[0, 0] in xs[1:3] else 6.0) + (0.5 if np.asarray(xs)[0, 0] in [xs[1, 1]] else 0.0)
    ),
    "the array": lambda xs: xs,
    "a gradient by it": lambda xs: grad(lambda xs: sum(vmap(lambda x: score(2.0, x))(xs)))(xs)[3],
    "shared by examples": lambda xs: vmap(lambda x, w: x[0] * w[1, 1], (0, None))(xs, xs),
    "a condition": lambda xs: xs.shape[0] * (2.0 if sum(results_of(xs)) > 80.0 else 3.0),
    "some results": lambda xs: [results_of(xs)[1:3], results_of(xs)[::-1]],
    "partial sums": lambda xs: [*itertools.accumulate(results_of(xs))][::37],
    "sums": lambda xs: [
        sum(results, start) + added(results) * mean(results) + results.sum()
        for results in [results_of(xs)]
        for start in (0, 3.5)
    ],
    "a number asked for late": lambda xs: sum(results_of(xs)) * xs[1, 1],
}


@pytest.mark.parametrize("name", USES)
def test_whatever_is_done_with_an_array_is_done_with_its_numbers(name: str) -> None:
    """Compiled, with other numbers as well, a function returns what it returns of floats."""
    compiled = jit(USES[name])
    for xs in (ROWS, ROWS * ROWS - 0.3, ROWS):
        assert close(compiled(xs), USES[name](xs))


def both(w: Any, xs: Any) -> Any:
    """Return the sum over examples, and one of them."""
    found = vmap(lambda x: score(w, x))(xs)
    return sum(found), found[2] * w


def test_values_beside_an_array_have_gradients() -> None:
    """Of one result and of several."""
    expected, w = Value(0.7), Value(0.7)
    for x in both(expected, ROWS):
        x.backward()
    first, second = jit(both)(w, ROWS)
    (first + second).backward()
    assert w.grad == pytest.approx(expected.grad, rel=1e-12)


# Large arrays in place ----------------------------------------------------------------------------

RNG = np.random.default_rng(0)


def loss(w: Any, xs: Any, labels: Any) -> Any:
    """Return the logistic loss of samples labelled -1 and 1."""
    return added(vmap(lambda x, label: softplus(-label * dot(w, x)))(xs, labels))


def spread(xs: Any) -> Any:
    """Return an array of the same numbers that do not lie one after the other."""
    wider = np.zeros((*xs.shape[:-1], 2 * xs.shape[-1]))
    wider[..., ::2] = xs
    return wider[..., ::2]


def unaligned(xs: Any) -> Any:
    """Return an array of the same numbers, four bytes from where numbers should begin."""
    room = np.zeros(xs.nbytes + 8, np.uint8)
    found = room[4 : 4 + xs.nbytes].view(np.float64).reshape(xs.shape)
    found[...] = xs
    return found


LAYOUTS: list[Callable[[Any], Any]] = [
    np.array,
    spread,
    unaligned,
    np.asfortranarray,
    lambda xs: xs.astype(">f8"),
    lambda xs: np.concatenate([xs[:3], xs, xs[:5]])[3:-5],
    lambda xs: np.frombuffer(xs.tobytes()).reshape(xs.shape),
]


@pytest.mark.parametrize(("count", "columns"), [(4_001, 5), (20_003, 5), (20_003, 70)])
def test_the_digits_are_the_same_however_an_array_lies_in_memory(count: int, columns: int) -> None:
    """In place or copied, whatever the number of rows; and they are those of NumPy's formulas."""
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


def test_an_error_that_a_function_catches_is_not_its_result() -> None:
    """That one number of a whole array is read; the function is recorded again, with all."""

    def first(xs: Any) -> Any:
        try:
            return xs[1, 0] + added(vmap(lambda x: x[0] * x[1])(xs))
        except Exception:  # noqa: BLE001
            return 0.0 * added(vmap(lambda x: x[0])(xs))

    xs = RNG.normal(size=(1000, 2))
    assert jit(first)(xs) == pytest.approx(xs[1, 0] + xs[:, 0] @ xs[:, 1])


def test_what_is_written_into_an_array_between_calls_is_seen() -> None:
    """Nothing of an earlier call stays: neither of the same array nor of one that was copied."""
    compiled = jit(lambda xs: added(vmap(lambda x: tanh(x[0]) * x[1])(xs)))
    xs, others = RNG.normal(size=(20_001, 2)), RNG.normal(size=(20_001, 2))
    for given in (xs, spread(others), xs, others, spread(xs)):
        given[7] = RNG.normal(size=2)
        expected = (np.tanh(given[:, 0]) * given[:, 1]).sum()
        assert compiled(given) == pytest.approx(expected, rel=1e-10)
