"""vmap and take mean what the loops and lookups they replace mean, compiled or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, Value, grad, gradients, jit, sigmoid, take, vmap

pytestmark = pytest.mark.usefixtures("machine")


def score(w: Any, x: Any) -> Any:
    """Return a logistic unit's output."""
    return sigmoid(w[0] * x[0] + w[1] * x[1])


def test_vmap_is_the_loop() -> None:
    """Mapped over examples that share weights, compiled as well, and differentiated."""
    w, xs = [0.5, -0.3], [[1.0, 2.0], [3.0, 4.0], [-1.0, 0.0]]
    mapped = vmap(score, in_axes=(None, 0))
    expected = [score(w, x) for x in xs]
    assert mapped(w, xs) == expected
    assert jit(mapped)(w, xs) == pytest.approx(expected)
    assert jit(mapped)(w, np.array(xs)) == pytest.approx(expected)
    total = grad(lambda w: sum(jit(mapped)(w, xs)))
    assert total(w) == pytest.approx(grad(lambda w: sum(mapped(w, xs)))(w))


def test_vmap_over_one_argument_takes_keywords_along() -> None:
    """in_axes defaults to 0, and keyword arguments are shared."""
    assert vmap(lambda x, n: x * n)([1.0, 2.0], [3.0, 4.0]) == [3.0, 8.0]
    assert vmap(lambda x, n: x * n)([1.0, 2.0], n=3.0) == [3.0, 6.0]


@pytest.mark.parametrize(
    ("axes", "args", "named"),
    [
        (0, ([1.0], [1.0, 2.0]), r"\[1, 2\]"),
        (None, (1.0,), "no"),
        ((0,), ([1.0], [2.0]), "2 arguments"),
        (1, ([1.0],), "0 or None"),
    ],
)
def test_arguments_that_do_not_match_are_refused(axes: Any, args: Any, named: str) -> None:
    """The error says how many examples each argument holds."""
    with pytest.raises(OperandError, match=named):
        vmap(lambda *x: x, in_axes=axes)(*args)


def test_take_chooses_at_each_call() -> None:
    """One program serves all indices, and the gradient goes to the entry chosen."""
    table = [Value(10.0), Value(20.0), Value(30.0)]
    compiled = jit(lambda index: take(table, index) ** 2)
    for k in (0, 2, 1, 2):
        y = compiled(k)
        assert y.data == table[k].data ** 2
        assert gradients(y, table) == [2 * v.data * (i == k) for i, v in enumerate(table)]
    with pytest.raises(IndexError):
        compiled(7)
    assert len(compiled._paths) == 1


def test_take_of_rows_gives_a_row() -> None:
    """A table of embeddings yields the row of a token, eagerly the very row."""
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert take(rows, 1) is rows[1]
    assert jit(lambda token: take(rows, token))(1) == [3.0, 4.0]


@pytest.mark.parametrize("index", [-1, 3, 0.5])
def test_take_refuses_an_index_outside(index: float) -> None:
    """Negative, too large and fractional indices raise IndexError."""
    with pytest.raises(IndexError, match="0 to 2"):
        take([1.0, 2.0, 3.0], index)
