"""Large arrays are read where they lie, with the digits and the care of arrays that are copied."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import dot, jit, softplus, tanh, value_and_grad, vmap
from scalargrad import sum as added
from scalargrad.compiler.backend import blocks, choice

pytestmark = pytest.mark.usefixtures("backend")

RNG = np.random.default_rng(0)


def loss(w: Any, xs: Any, labels: Any) -> Any:
    """Return the logistic loss of samples labelled -1 and 1."""
    return added(vmap(lambda x, label: softplus(-label * dot(w, x)))(xs, labels))


def logistic(w: Any, xs: Any, labels: Any) -> tuple[float, Any]:
    """Return the same and its gradient in w by NumPy."""
    margins = -labels * (xs @ w)
    slopes = -labels / (1.0 + np.exp(-margins))
    return float(np.logaddexp(0.0, margins).sum()), slopes @ xs


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


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "another": np.array,
    "spread": spread,
    "unaligned": unaligned,
    "column by column": np.asfortranarray,
    "bytes the other way round": lambda xs: xs.astype(">f8"),
    "a part of a larger one": lambda xs: np.concatenate([xs[:3], xs, xs[:5]])[3:-5],
    "not to be written": lambda xs: np.frombuffer(xs.tobytes()).reshape(xs.shape),
}


@pytest.mark.parametrize("count", [4_001, 20_003, 24_576])
def test_the_digits_are_the_same_however_an_array_lies_in_memory(count: int) -> None:
    """In place or copied, whatever the number of rows; and they are those of NumPy's formulas."""
    w, xs = RNG.normal(size=5), RNG.normal(size=(count, 5))
    labels = np.sign(xs[:, 0] + 0.1)
    compiled = jit(value_and_grad(loss))
    value, gradient = compiled(w, xs, labels)
    expected = logistic(w, xs, labels)
    assert value == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9)
    for name, layout in LAYOUTS.items():
        again = compiled(w, layout(xs), layout(labels))
        assert again[0] == value, name
        np.testing.assert_array_equal(again[1], gradient, err_msg=name)


def test_what_is_written_into_an_array_between_calls_is_seen() -> None:
    """Nothing of an earlier call stays: neither of the same array nor of one that was copied."""
    compiled = jit(lambda xs: added(vmap(lambda x: tanh(x[0]) * x[1])(xs)))
    xs, others = RNG.normal(size=(20_001, 2)), RNG.normal(size=(20_001, 2))
    for given in (xs, spread(others), xs, others, spread(xs)):
        given[7] = RNG.normal(size=2)
        expected = (np.tanh(given[:, 0]) * given[:, 1]).sum()
        assert compiled(given) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("count", [24_576, 20_003])
def test_arrays_in_one_row_and_backwards_and_twice(count: int) -> None:
    """No group of lanes reads beyond an array, and one array may stand for two."""
    xs = RNG.normal(size=count)
    squares = jit(vmap(lambda x: x * x))
    np.testing.assert_array_equal(squares(xs), xs * xs)
    backwards = jit(lambda xs: vmap(lambda x: x + 1.0)(xs[::-1]))
    np.testing.assert_array_equal(backwards(xs), xs[::-1] + 1.0)
    products = jit(lambda xs, ys: added(vmap(lambda x, y: x * y)(xs, ys)))
    assert products(xs, xs) == pytest.approx(xs @ xs, rel=1e-12)
    rows = np.ascontiguousarray(np.stack([xs, 2 * xs]))
    of_columns = jit(lambda rows: vmap(lambda x: x[0] + x[1])(rows.T))
    np.testing.assert_array_equal(of_columns(rows), 3 * xs)


def test_threads_read_arrays_of_their_own() -> None:
    """Calls at once are given the arrays they were made with."""
    compiled = jit(value_and_grad(loss))
    w = RNG.normal(size=3)
    data = [RNG.normal(size=(20_000, 3)) for _ in range(4)]
    labels = np.ones(20_000)
    expected = [compiled(w, xs, labels)[0] for xs in data]
    found: list[list[float]] = [[] for _ in data]

    def call(k: int) -> None:
        found[k] += [compiled(w, data[k], labels)[0] for _ in range(5)]

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[x] * 5 for x in expected]


def test_large_arrays_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model in registers, rows are read in place; where lanes are packed, they are copied."""
    borrowed = []
    run = blocks.BlockExecutable.run

    def noted(self: Any) -> None:
        borrowed.append([stop - start for start, stop in self._borrowed])
        run(self)

    monkeypatch.setattr(blocks.BlockExecutable, "run", noted)
    count = 20_002
    xs, labels, wide = RNG.normal(size=(count, 5)), np.ones(count), RNG.normal(size=(count, 70))
    for given in (xs, xs[1:], wide):
        jit(value_and_grad(loss))(np.ones(given.shape[1]), given, labels[: len(given)])
    in_place = [[5 * count], [5 * (count - 1)], []]
    assert borrowed == (in_place if choice.has_llvm() else [[], [], []])
