"""Instructions carried out in one pass over memory compute what they computed one by one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad.compiler.backend.llvm import merge
from scalargrad.compiler.backend.llvm.extents import Extents
from scalargrad.compiler.packing.instructions import Apply, Instruction
from scalargrad.ops import relu

ACTIVATIONS: list[Callable[[Any], Any]] = [sg.relu, sg.tanh, abs, lambda x: x * sg.sigmoid(x)]


def network(seed: int) -> tuple[Callable[..., Any], list[float], Any]:
    """Return a loss of a small random network over a batch, its parameters and the batch."""
    rng = random.Random(seed)
    sizes = [rng.randint(1, 5), *(rng.randint(1, 9) for _ in range(rng.randint(1, 4))), 1]
    acts = [rng.choice(ACTIVATIONS) for _ in sizes]
    decay, skip = rng.random() < 0.5, rng.random() < 0.5
    xs = np.random.default_rng(seed).normal(size=(rng.randint(2, 70), sizes[0]))
    count = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    parameters = [rng.gauss(0, 1) for _ in range(count)]

    def loss(p: Any, xs: Any) -> Any:
        total = 0.0
        for row in xs:
            values, k = list(row), 0
            for act, (a, b) in zip(acts, itertools.pairwise(sizes), strict=False):
                before = values
                values = []
                for j in range(b):
                    s = p[k + a]
                    for i in range(a):
                        s = s + p[k + i] * before[i]
                    k += a + 1
                    values.append(act(s) + before[j] if skip and a == b else act(s))
            total = total + values[0] * values[0]
        penalty = sum(x * x for x in p) if decay else 0.0
        return total + 0.1 * penalty

    return loss, parameters, xs.tolist()


def step(seed: int) -> Any:
    """Return loss, gradient and updated parameters of a network, compiled anew."""
    loss, parameters, xs = network(seed)

    def whole(p: Any, xs: Any) -> Any:
        value, gradient = sg.value_and_grad(loss)(p, xs)
        return value, gradient, [x - 0.1 * g for x, g in zip(p, gradient, strict=True)]

    compiled = sg.jit(whole)
    compiled(parameters, xs)
    value, gradient, updated = compiled(parameters, xs)
    return [float(value), *map(float, gradient), *map(float, updated)]


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(24))
def test_merged_programs_have_the_same_digits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of any size merged, and none merged, agree to the last bit."""
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(merge, "LEAST", 4)
    merged = step(seed)
    monkeypatch.setattr(merge, "LEAST", 10**9)
    assert [x.hex() for x in merged] == [x.hex() for x in step(seed)]


def test_lanes_are_not_handed_over_a_change_of_what_they_are_computed_from() -> None:
    """An operation stays where it is if its operand is overwritten before it is read."""
    program: list[Instruction] = [
        Apply(relu, 1000, 400, (0,)),
        Apply(relu, 0, 400, (500,)),
        Apply(relu, 2000, 400, (1000,)),
    ]
    found = merge.merged(program, slice(0, 2400))
    assert len(found) == 3


def test_readers_are_those_of_the_number_last_written() -> None:
    """A cell read after it has been written again belongs to the later instruction."""
    program: list[Instruction] = [
        Apply(relu, 10, 4, (0,)),
        Apply(relu, 20, 4, (10,)),
        Apply(relu, 10, 4, (0,)),
        Apply(relu, 30, 4, (10,)),
    ]
    found = Extents(program, slice(30, 34))
    assert found.only_reader(0) == 1
    assert found.only_reader(2) == 3
    assert found.only_reader(3) is None
