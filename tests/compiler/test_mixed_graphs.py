"""Graphs of which some pieces are compiled: gradients by any node are those of eager code.

Or they are refused, where a piece has computed one of its results from another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import GraphError, Value, gradients, jit, vmap

pytestmark = pytest.mark.usefixtures("backend")

HELD = [Value(0.3), Value(-0.6)]
LAYER = sg.nn.Linear(2, 2, rng=0)
#: The leaves by which gradients are taken, besides three other nodes.
NODES = 3 + len(HELD) + len(LAYER.parameters())

UNARY: list[Callable[[Any], Any]] = [
    sg.tanh, sg.sin, sg.sigmoid, lambda x: 0.5 * x, lambda x: x * x, lambda x: x + 1.0, lambda x: x,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a - b, sg.maximum,
]  # fmt: skip


def piece(seed: int) -> Callable[[list[Any]], Any]:
    """Return a function of two Values that returns some of its nodes, in one structure or other."""

    def f(xs: list[Any]) -> Any:
        generator = random.Random(seed)
        known = [*xs, *HELD[: generator.randint(0, 2)]]
        known += LAYER(known[:2]) if generator.random() < 0.2 else []
        for _ in range(generator.randint(1, 8)):
            a, b = generator.choice(known), generator.choice(known)
            unary = generator.random() < 0.5
            known.append(generator.choice(UNARY)(a) if unary else generator.choice(BINARY)(a, b))
        some = [generator.choice(known) for _ in range(generator.randint(1, 4))]
        last = known[-1]
        kinds: list[Callable[[], Any]] = [
            lambda: some,
            lambda: {"first": some[0], "all": some},
            lambda: np.array([*some, known[0]], dtype=object),
            lambda: [*some, *vmap(lambda x: [y := sg.tanh(x), y * some[0]])(xs)],
            lambda: [*some, *map(twice, gradients(some[0] * last, xs, create_graph=True))],
            lambda: [sg.grad(lambda y: y * y * known[1])(some[0]), last],
        ]
        return generator.choice(kinds)()

    return f


def twice(x: Any) -> Any:
    """Return 2 x, which is a node of its own, as a gradient need not be."""
    return 2.0 * x


def values(tree: Any) -> list[Value]:
    """Return the numbers of a result as Values, in order."""
    if isinstance(tree, Value | float):
        return [tree if isinstance(tree, Value) else Value(tree)]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [x for part in parts for x in values(part)]


def slopes(pieces: Sequence[Any], seed: int) -> list[Any]:
    """Build a graph of pieces and of single operations, and differentiate it in three ways."""
    generator = random.Random(seed)
    leaves = [Value(generator.uniform(-1.0, 1.0)) for _ in range(3)]
    for x in [*HELD, *LAYER.parameters()]:
        x.grad = 0.0
    known = [*leaves]
    for _ in range(generator.randint(1, 6)):
        a, b = generator.choice(known[-8:]), generator.choice(known[-8:])
        if generator.random() < 0.6:
            known += values(generator.choice(pieces)([a, b]))[:4]
        else:
            known.append(generator.choice(BINARY)(a, b))
    root = 0.7 * known[-1] + sum(generator.choice(known) for _ in range(3))
    wrt = [generator.choice(known) for _ in range(3)]
    wrt += [*leaves, *HELD, *LAYER.parameters()]
    first = asked(lambda: gradients(root, wrt))
    graphs = asked(lambda: gradients(root, wrt, create_graph=True))
    assert (first is None) == (graphs is None)
    total = sum(x * x for x in graphs or [])
    second = asked(lambda: gradients(total, leaves)) if graphs else None
    root.backward()
    return [first, second, *(asked(partial(getattr, x, "grad")) for x in wrt)]


def asked(run: Callable[[], Any]) -> Any:
    """Return what a function returns; None if it raises GraphError."""
    try:
        return run()
    except GraphError:
        return None


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(60, light=12))
def test_random_graphs_of_compiled_pieces(seed: int) -> None:
    """Thirty graphs of four pieces each: no gradient differs, and leaves always have theirs."""
    pieces = [piece(4 * seed + k) for k in range(4)]
    compiled = [jit(f) for f in pieces]
    for k in range(30):
        expected = slopes(pieces, 1000 * seed + k)
        try:
            found = slopes(compiled, 1000 * seed + k)
        except GraphError:  # a piece takes a gradient by one result of another beside its sibling
            continue
        assert None not in found[-NODES:]
        for numbers, right in zip(found, expected, strict=True):
            assert numbers is None or numbers == pytest.approx(right, rel=1e-8, abs=1e-10), k
