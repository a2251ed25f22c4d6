"""Computations with the results of vmap outside of it: losses, selections, gradients in jit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, draws

import scalargrad as sg
from scalargrad import grad, jit, value_and_grad, vmap

Function = Callable[..., Any]

#: Number of examples from which on code outside vmap is compiled as a loop over examples.
COUNT = 260
TARGETS = np.sin(np.arange(4.0 * COUNT)).reshape(4, COUNT)


def trajectory(k: Any, x: Any) -> list[Any]:
    """Return four states of a recurrence."""
    found = []
    for _ in range(4):
        x = 0.8 * x + 0.1 * sg.sin(k * x)
        found.append(x)
    return found


def sum_of_sums(paths: Any, targets: Any) -> Any:
    """Return a sum over examples of sums."""
    return sum(
        sum((p - t) ** 2 for p, t in zip(ps, ts, strict=True))
        for ps, ts in zip(paths, targets, strict=True)
    )


def single_sum(paths: Any, targets: Any) -> Any:
    """Return one sum of many terms, which also computes with the targets."""
    pairs = [z for ps, ts in zip(paths, targets, strict=True) for z in zip(ps, ts, strict=True)]
    return sg.sum([(2.0 * (t - 0.5) - 2.0 * (p - 0.5)) ** 2 / 4.0 for p, t in pairs])


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (sum_of_sums, "constants"), (sum_of_sums, "list"),
        (single_sum, "array"), (single_sum, "constants"),
    ],
)  # fmt: skip
def test_jitted_gradient_of_a_loss_outside_vmap_matches_eager_code(
    loss: Function, kind: str
) -> None:
    """Over all states of all examples, with captured targets or targets as arguments."""
    targets: Any = TARGETS if kind == "array" else TARGETS.tolist()

    def total(k: Any, xs: Any, *targets: Any) -> Any:
        paths = [*zip(*vmap(lambda x: trajectory(k, x))(xs), strict=True)]
        return loss(paths, *(targets or (TARGETS.tolist(),)))

    args = 0.7, draws(COUNT), *([] if kind == "constants" else [targets])
    f = value_and_grad(total, argnums=(0, 1))
    assert close(jit(f)(*args), f(*args))


@pytest.mark.parametrize("classes", [3, 33])
def test_jitted_gradient_of_cross_entropy_outside_vmap(classes: int) -> None:
    """The derivative of -log softmax(z)[label] is softmax(z) - onehot(label)."""
    xs, labels = [0.03 * k for k in range(COUNT)], [(7 * k) % classes for k in range(COUNT)]

    def loss(weights: Any) -> Any:
        scores = vmap(lambda x: [w * x for w in weights])(xs)
        chosen = [row[label] for row, label in zip(scores, labels, strict=True)]
        sums = [sum(sg.exp(z) for z in row) for row in scores]
        return -sum(sg.log(sg.exp(z) / total) for z, total in zip(chosen, sums, strict=True))

    def cross_entropy(weights: Any) -> Any:
        scores = vmap(lambda x: [w * x for w in weights])(xs)
        return sg.losses.cross_entropy(scores, labels, reduction="sum")

    weights = [math.cos(k) for k in range(classes)]
    softmax = np.exp(np.outer(xs, weights))
    softmax /= softmax.sum(1, keepdims=True)
    expected = xs @ (softmax - np.eye(classes)[labels])
    for f in (loss, cross_entropy):
        assert jit(grad(f))(weights) == pytest.approx(expected, rel=1e-11, abs=1e-11)


def test_an_unused_result_of_vmap_has_no_adjoint_in_jit() -> None:
    """√0 in an example that is left out would have an infinite derivative."""

    def loss(xs: Any) -> Any:
        results = vmap(lambda x: x * 2.0)(xs)
        return sum([sg.sqrt(y) for y in results][1:])

    slopes = jit(grad(loss))([0.0, 2.0, 8.0, *[2.0] * COUNT])
    assert slopes[:4] == pytest.approx([0.0, 0.5, 0.25, 0.5], rel=1e-15)


def test_jit_does_not_join_results_on_which_a_later_vmap_depends() -> None:
    """A joined loop would depend on itself; compiling it once did not end."""
    xs = np.linspace(-1.0, 1.0, COUNT).tolist()

    def f(p: Any) -> Any:
        s = vmap(lambda x: sg.tanh(x * p))(xs)
        first = sg.exp(s[0])
        t = vmap(lambda x: x * first)(xs)
        return sum([first, *map(sg.exp, t[1:])]) + sum(a**3 for a in s) + sum(b**4 for b in t)

    assert close(jit(value_and_grad(f))(0.5), value_and_grad(f)(0.5))
