"""Gradients in vmap of functions that capture other gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Value, exp, grad, jit, jvp, sin, vmap

X, YS = 1.25, [0.5, -0.75, 2.0]


def slope(x: Any, y: Any) -> Any:
    """Return the derivative 2xy of z·z·y at x, by grad."""
    return grad(lambda z: z * z * y)(x)


#: Functions of a shared number x and an example y, and their closed forms.
CASES: list[tuple[Callable[[Any, Any], Any], Callable[[float, float], float]]] = [
    (lambda x, y: grad(lambda z: z * z * slope(x, y))(x), lambda x, y: 4 * x * x * y),
    (lambda x, y: grad(lambda z: z * slope(x, y))(x), lambda x, y: 2 * x * y),
    (
        lambda x, y: grad(lambda z, s: exp(z * s))(x, slope(x, y)),
        lambda x, y: 2 * x * y * float(exp(2 * x * x * y)),
    ),
    (
        lambda x, y: grad(lambda z, s: sin(-z) * s + z * y)(x, slope(x, y)),
        lambda x, y: -2 * x * y * float(sin(x + 1.5707963267948966)) + y,
    ),
    (
        lambda x, y: jvp(lambda z: z * z * slope(x, y), (x,), (1.0,))[1],
        lambda x, y: 4 * x * x * y,
    ),
    (
        lambda x, y: grad(lambda z: z * z * grad(lambda v: v * v * slope(x, y))(x))(x),
        lambda x, y: 8 * x**3 * y,
    ),
]


@pytest.mark.parametrize(("f", "expected"), CASES)
@pytest.mark.parametrize("kind", [float, Value], ids=["float", "Value"])
def test_grad_in_jitted_vmap_is_the_gradient_of_each_example(
    f: Any, expected: Any, kind: Any
) -> None:
    """With respect to a shared number."""
    compiled = jit(lambda x, ys: vmap(lambda y: f(x, y))(ys))
    for _ in range(2):
        found = compiled(kind(X), YS)
        assert [float(getattr(y, "data", y)) for y in found] == pytest.approx(
            [expected(X, y) for y in YS], rel=1e-13
        )
