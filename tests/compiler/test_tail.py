"""Small groups at the end of a program are joined, and no digit changes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from tests.seeds import seeds

from scalargrad import jit, sigmoid, sin, sqrt, tanh, value_and_grad
from scalargrad.compiler.explain.programs_of import programs_of
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
    (path,) = programs_of(compiled)
    parts = path.function.values.parts
    count = sum(len(x.instructions) for _, x in parts if isinstance(x, Packed))
    return [x.hex() for x in leaves(found)], count


def leaves(tree: Any) -> list[float]:
    """Return the numbers in lists and tuples."""
    return [x for part in tree for x in leaves(part)] if isinstance(tree, list | tuple) else [tree]


class Elementwise:
    """Formulas of sums of many products, layer by layer, in any order and any number of outputs."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        generator = random.Random(seed)
        self.state = [[generator.uniform(-1, 1) for _ in range(60)] for _ in range(3)]

    def __call__(self, p: Numbers, m: Numbers, v: Numbers) -> Any:
        """Return the numbers of the last formulas, and some of those before."""
        generator = random.Random(self.seed)
        layers: list[list[Any]] = []
        for layer in range(generator.randint(2, 4)):
            width, terms = generator.randint(3, 9), 5 + layer
            rows = [generator.sample([*p, *m], 2 * terms) for _ in range(width)]
            layers.append([sum(a * b for a, b in zip(x[::2], x[1::2], strict=True)) for x in rows])
        known = [layers]
        for _ in range(generator.randint(1, 3)):
            before, formula = known[-1], generator.choice(FORMULAS)
            order = generator.sample(range(len(before)), len(before))
            made = {k: formula(before[k], v, generator.random() < 0.5) for k in order}
            known.append([made[k] for k in range(len(before))])
        found = [x for layer in known[-1] for x in layer]
        found += [x for step in known[1:-1] for layer in step for x in layer[::2]]
        generator.shuffle(found)
        return found


def rolled(x: Numbers, k: int) -> Numbers:
    """Return the same numbers, beginning with number k."""
    return [*x[k:], *x[:k]]


def of_neighbours(x: Numbers, v: Numbers, turned: bool) -> list[Any]:
    """Return sums of two products of numbers from the same group."""
    pairs = [(x, rolled(x, 1)), (rolled(x, 2), rolled(x, 3))]
    (a, b), (c, d) = reversed(pairs) if turned else pairs
    return [i * j + k * m for i, j, k, m in zip(a, b, c, d, strict=True)]


def of_others(x: Numbers, v: Numbers, turned: bool) -> list[Any]:
    """Return sums of a number and of a product, of which either is recorded first."""
    made: dict[str, list[Any]] = {}
    for name in ("single", "factor", "other")[:: -1 if turned else 1]:
        op = {"single": tanh, "factor": sigmoid, "other": sin}[name]
        made[name] = [op(a + 0.3 * b) for a, b in zip(x, v, strict=False)]
    found = zip(made["single"], made["factor"], made["other"], strict=True)
    return [0.7 * a + b * c for a, b, c in found]


def of_updates(x: Numbers, v: Numbers, turned: bool) -> list[Any]:
    """Return updates by a rate, or by each number's own."""
    return [a - (0.1 if turned else b) * b for a, b in zip(x, v, strict=False)]


FORMULAS = [of_neighbours, of_others, of_updates]


def digits(make: Any, seed: int) -> list[str]:
    """Return all digits of a function compiled anew."""
    step = make(seed)
    return [x.hex() for x in leaves(jit(step)(*step.state))]


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(200, light=40))
def test_joining_formulas_of_all_kinds_changes_no_digit(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are made of, in whatever order they are recorded and returned."""
    found = {}
    for fewest in (0, 10**9):
        monkeypatch.setattr(tail, "FEWEST", fewest)
        found[fewest] = digits(Elementwise, seed)
    assert found[0] == found[10**9]
    step = Elementwise(seed)
    expected = leaves(step(*step.state))
    assert [float.fromhex(x) for x in found[0]] == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(20))
def test_joining_changes_no_digit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few lanes are joined, and where none are."""
    found = {}
    for fewest in (0, 64, 10**9):
        monkeypatch.setattr(tail, "FEWEST", fewest)
        found[fewest], _ = run(seed)
    assert found[0] == found[64] == found[10**9]


def test_the_updates_of_all_layers_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update takes as many instructions as its formula has operations, not so many a layer."""
    _, joined = run(1, tuple)
    monkeypatch.setattr(tail, "FEWEST", 10**9)
    _, apart = run(1, tuple)
    assert joined < 0.8 * apart


@pytest.mark.parametrize("seed", range(4))
def test_a_joined_step_is_what_the_eager_one_is(seed: int) -> None:
    """The same numbers, but for rounding."""
    found = [float.fromhex(x) for x in run(seed)[0]]
    step = Step(seed)
    assert found == pytest.approx(leaves(twice(step(*step.state))), rel=1e-11, abs=1e-13)
