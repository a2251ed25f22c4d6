"""Compare compiled functions with eager ones: results, gradients and second derivatives."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.compiler.loops import close, numbers

from scalargrad import Value, gradients, jit

Function = Callable[..., Any]


def table(rows: int, columns: int, seed: int) -> list[list[float]]:
    """Return rows of random numbers in [-1, 1]."""
    generator = random.Random(seed)
    return [[generator.uniform(-1.0, 1.0) for _ in range(columns)] for _ in range(rows)]


def leaves(tree: Any) -> Any:
    """Return nested lists of numbers as Values."""
    return [leaves(x) for x in tree] if isinstance(tree, list) else Value(tree)


def check(f: Function, *args: Any) -> None:
    """Assert that results, gradients and second derivatives are those of an eager call."""
    compiled = jit(f)
    compiled(*args)
    expected, found = numbers(f(*args)), numbers(compiled(*args))
    assert close(found, expected)
    wrt = [x for x in numbers(args) if isinstance(x, Value)]
    pairs = [x for x in zip(found, expected, strict=True) if isinstance(x[1], Value)]
    if not pairs or not wrt:
        return
    for mine, eager in pairs[:8]:
        assert close(gradients(mine, wrt), gradients(eager, wrt))
    total, by_hand = (
        sum(((k + 1.0) * y for k, y in enumerate(ys)), 0.0 * wrt[0])
        for ys in zip(*pairs, strict=True)
    )
    assert close(gradients(total, wrt), gradients(by_hand, wrt))
    mine, eager = pairs[0]
    assert close(second(mine, wrt), second(eager, wrt))


def second(y: Any, wrt: list[Value]) -> list[float]:
    """Return the gradient of the squared norm of a gradient."""
    slopes = gradients(y, wrt, create_graph=True)
    norm = sum((g * g for g in slopes), start=wrt[0] * 0.0)
    found: list[float] = gradients(norm, wrt)
    return found
