"""Derivatives under vmap, under jit: the numbers of eager evaluation, computed without it."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    clip,
    exp,
    floor,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    logsumexp,
    maximum,
    relu,
    value_and_grad,
    vjp,
    vmap,
    where,
)

Function = Callable[..., Any]

#: Functions of two parameters and one example: smooth, linear, with kinks, of few of them.
FUNCTIONS: dict[str, Function] = {
    "linear": lambda p, t: p[0] * t + p[1],
    "exponential": lambda p, t: p[0] * exp(-p[1] * t),
    "kinks": lambda p, t: relu(p[0] * t - 1.0) * p[1] + maximum(t, p[1]) + clip(t, 0.5, 1.5),
    "choice": lambda p, t: where(t > 1.0, p[0] * t, p[1] * p[0]),
    "reduction": lambda p, t: logsumexp([p[0] * t, p[1], t]),
    "constant between jumps": lambda p, t: floor(p[0] * t) + p[1],
    "of parameters only": lambda p, t: p[0] * p[1],
    "of the example only": lambda p, t: t * t,
    "of nothing": lambda p, t: 3.0,
}
DIRECTION = [1.0, 0.5]
DERIVATIVES: dict[str, Callable[[Function], Function]] = {
    "grad": grad,
    "by the example": lambda f: grad(f, argnums=1),
    "value_and_grad": value_and_grad,
    "hessian": hessian,
    "second, by the example": lambda f: grad(grad(f, argnums=1), argnums=1),
    "jacobian": lambda f: jacobian(lambda p, t: [f(p, t), p[0], t]),
    "jacfwd": lambda f: jacfwd(lambda p, t: {"y": f(p, t), "z": (p[1], t)}),
    "jacrev, twice": lambda f: jacrev(jacrev(lambda p, t: [f(p, t), p[0] * t])),
    "jvp": lambda f: lambda p, t: jvp(lambda q: f(q, t), (p,), (DIRECTION,)),
    "vjp": lambda f: lambda p, t: vjp(lambda q: f(q, t), p)[1](1.0),
    "hvp": lambda f: lambda p, t: hvp(lambda q: f(q, t), (p,), (DIRECTION,)),
}


def flat(x: Any) -> Iterator[float]:
    """Yield the numbers of a tree."""
    if isinstance(x, dict):
        x = [*x.values()]
    if isinstance(x, list | tuple | np.ndarray):
        for y in x:
            yield from flat(y)
    else:
        yield float(x)


@pytest.mark.alike
@pytest.mark.parametrize("examples", [3, 300])
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_of_examples(name: str, examples: int) -> None:
    """A few examples are results one by one, many are together; no call is eager."""
    ts = 0.11 + 1.7 * np.arange(examples) / examples
    for kind, f in FUNCTIONS.items():
        mapped = vmap(DERIVATIVES[name](f), in_axes=(None, 0))
        compiled = jit(mapped)
        compiled([1.1, 0.9], ts)
        profile = cProfile.Profile()
        found = profile.runcall(compiled, [1.3, 0.7], ts)
        assert [*flat(found)] == pytest.approx([*flat(mapped([1.3, 0.7], ts))], rel=1e-12), kind
        assert f.__code__ not in {entry.code for entry in profile.getstats()}, kind
