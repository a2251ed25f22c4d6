"""Compiled functions compared with the loops they stand for, with gradients and theirs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from scalargrad import Value, gradients, jit

Function = Callable[..., Any]


def table(rows: int, columns: int, seed: int) -> list[list[float]]:
    """Return random numbers."""
    generator = random.Random(seed)
    return [[generator.uniform(-1.0, 1.0) for _ in range(columns)] for _ in range(rows)]


def numbers(tree: Any) -> list[Any]:
    """Return the numbers and Values of any nesting."""
    if isinstance(tree, dict):
        return numbers(list(tree.values()))
    if isinstance(tree, np.ndarray):
        return numbers(tree.tolist())
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in numbers(part)]
    return [tree]


def close(found: list[Any], expected: list[Any]) -> bool:
    """Return whether numbers agree to rounding."""
    pairs = zip(map(plain, found), map(plain, expected), strict=True)
    return all(math.isclose(x, y, rel_tol=1e-11, abs_tol=1e-12) for x, y in pairs)


def plain(x: Any) -> float:
    """Return a number or the number of a Value."""
    return x.data if isinstance(x, Value) else float(x)


def leaves(tree: Any) -> Any:
    """Return nested lists of numbers as Values."""
    return [leaves(x) for x in tree] if isinstance(tree, list) else Value(tree)


def check(f: Function, *args: Any) -> None:
    """Compare results, their gradients, and the gradient of these, with eager ones."""
    compiled = jit(f)
    compiled(*args)
    expected, found = numbers(f(*args)), numbers(compiled(*args))
    assert close(found, expected)
    wrt = [x for x in numbers(args) if isinstance(x, Value)]
    for mine, eager in zip(found, expected, strict=True):
        if isinstance(eager, Value) and wrt:
            assert close(gradients(mine, wrt), gradients(eager, wrt))
    pairs = [x for x in zip(found, expected, strict=True) if isinstance(x[1], Value)]
    if pairs and wrt:
        mine, eager = (_second(y, wrt) for y in pairs[0])
        assert close(mine, eager)


def _second(y: Any, wrt: list[Value]) -> list[float]:
    """Return the gradient of the squared norm of a gradient."""
    slopes = gradients(y, wrt, create_graph=True)
    norm = sum((g * g for g in slopes), start=wrt[0] * 0.0)
    found: list[float] = gradients(norm, wrt)
    return found
