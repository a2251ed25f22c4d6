"""vmap and take mean what the loops and lookups they replace mean, compiled or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, grad, jit, sigmoid, vmap

pytestmark = pytest.mark.usefixtures("backend")


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
