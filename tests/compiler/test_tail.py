"""Small groups at the end of a program are joined, and no digit changes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from scalargrad import jit, sqrt, tanh, value_and_grad
from scalargrad.compiler.packing import tail
from scalargrad.compiler.packing.instructions import Packed

pytestmark = pytest.mark.usefixtures("backend")

Numbers = Sequence[Any]


def network(sizes: Sequence[int], p: Numbers, x: Numbers) -> Any:
    """Compute a network of one output, parameters layer by layer."""
    at = 0
    for wide, high in itertools.pairwise(sizes):
        found = []
        for _ in range(high):
            w, b = p[at : at + wide], p[at + wide]
            found.append(tanh(sum(a * c for a, c in zip(w, x, strict=True)) + b))
            at += wide + 1
        x = found
    return x[0]


class Step:
    """A step of Adam, or of descent with momentum, on the squared errors of a network."""

    def __init__(self, seed: int) -> None:
        generator = random.Random(seed)
        self.sizes = [generator.randint(2, 5), generator.randint(5, 9), generator.randint(4, 7), 1]
        count = sum((a + 1) * b for a, b in itertools.pairwise(self.sizes))
        self.state = [[generator.uniform(-1, 1) for _ in range(count)] for _ in range(2)]
        self.state.append([generator.uniform(0.1, 1) for _ in range(count)])
        self.rows = [[generator.uniform(-1, 1) for _ in range(self.sizes[0])] for _ in range(20)]
        self.is_adam = bool(seed % 2)

    def loss(self, p: Numbers) -> Any:
        """Return the sum of squared errors, and a penalty."""
        fit = sum((network(self.sizes, p, row) - row[0]) ** 2 for row in self.rows)
        return fit + 1e-3 * sum(x * x for x in p)

    def __call__(self, p: Numbers, m: Numbers, v: Numbers) -> Any:
        """Return the loss, what is carried, and some of it twice."""
        value, g = value_and_grad(self.loss)(p)
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        if self.is_adam:
            v = [0.99 * a + 0.01 * b * b for a, b in zip(v, g, strict=True)]
            p = [x - 0.1 * a / (sqrt(b) + 1e-8) for x, a, b in zip(p, m, v, strict=True)]
        else:
            p = [x - 0.1 * a for x, a in zip(p, m, strict=True)]
        return value, p, m, v


def twice(found: Any) -> Any:
    """Return some results twice, and some that are computed from others."""
    value, p, m, v = found
    return value, p, m, v, [-x for x in p[:5]], p[3], [a * value for a in m[-4:]]


def run(seed: int, more: Any = twice) -> tuple[list[str], int]:
    """Return all digits of a step compiled anew, and its number of instructions."""
    step = Step(seed)
    compiled = jit(lambda p, m, v: more(step(p, m, v)))
    found = compiled(*step.state)
    ((path,),) = compiled._paths.values()
    parts = path.function.values.parts
    count = sum(len(x.instructions) for _, x in parts if isinstance(x, Packed))
    return [x.hex() for x in leaves(found)], count


def leaves(tree: Any) -> list[float]:
    """Return the numbers in lists and tuples."""
    return [x for part in tree for x in leaves(part)] if isinstance(tree, list | tuple) else [tree]


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(20))
def test_joining_changes_no_digit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few lanes are joined, and where none are."""
    found = {}
    for fewest in (0, 64, 10**9):
        monkeypatch.setattr(tail, "_FEWEST", fewest)
        found[fewest], _ = run(seed)
    assert found[0] == found[64] == found[10**9]


def test_the_updates_of_all_layers_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update takes as many instructions as its formula has operations, not so many a layer."""
    _, joined = run(1, tuple)
    monkeypatch.setattr(tail, "_FEWEST", 10**9)
    _, apart = run(1, tuple)
    assert joined < 0.8 * apart


@pytest.mark.parametrize("seed", range(4))
def test_a_joined_step_is_what_the_eager_one_is(seed: int) -> None:
    """The same numbers, but for rounding."""
    found = [float.fromhex(x) for x in run(seed)[0]]
    step = Step(seed)
    assert found == pytest.approx(leaves(twice(step(*step.state))), rel=1e-11, abs=1e-13)
