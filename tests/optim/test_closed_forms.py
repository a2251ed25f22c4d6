"""Every option of every optimiser against numbers worked out by hand from its paper."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest

from scalargrad import Parameter
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam

#: Adam's betas, not both one number; with them 1 - βᵗ is 1/2 and 1/4, then 3/4 and 7/16.
BETAS = (0.5, 0.75)

#: An optimiser, the gradients of its steps, and where a parameter that starts at 2 ends.
CASES: dict[str, tuple[Callable[[Any], Optimizer], list[float], float]] = {
    "SGD": (lambda p: SGD(p, lr=0.1), [3.0, 1.0], 2.0 - 0.3 - 0.1),
    "SGD, weight_decay": (lambda p: SGD(p, lr=0.1, weight_decay=0.5), [3.0], 2.0 - 0.1 * 4.0),
    # v = 3, then 0.5 · 3 + 1
    "SGD, momentum": (lambda p: SGD(p, lr=0.1, momentum=0.5), [3.0, 1.0], 2.0 - 0.3 - 0.25),
    # the first step is not dampened: v = 3, then 0.5 · 3 + 0.75 · 1
    "SGD, dampening": (
        lambda p: SGD(p, lr=0.1, momentum=0.5, dampening=0.25),
        [3.0, 1.0],
        2.0 - 0.3 - 0.225,
    ),
    # steps along 3 + 0.5 · 3, then 1 + 0.5 · 2.5
    "SGD, nesterov": (
        lambda p: SGD(p, lr=0.1, momentum=0.5, nesterov=True),
        [3.0, 1.0],
        2.0 - 0.45 - 0.225,
    ),
    "SGD, maximize": (lambda p: SGD(p, lr=0.1, maximize=True), [3.0], 2.3),
    # m = 3/2, v = 9/4; corrected 3 and 9
    "Adam, eps": (lambda p: Adam(p, lr=0.1, betas=BETAS, eps=1.0), [3.0], 2.0 - 0.1 * 3 / (3 + 1)),
    # then m = 1/4, v = 31/16; corrected 1/3 and 31/7
    "Adam, betas": (
        lambda p: Adam(p, lr=0.1, betas=BETAS, eps=1.0),
        [3.0, -1.0],
        1.925 - 0.1 / 3 / (sqrt(31 / 7) + 1),
    ),
    "Adam, weight_decay": (
        lambda p: Adam(p, lr=0.1, betas=BETAS, eps=1.0, weight_decay=0.5),
        [3.0],
        2.0 - 0.1 * 4 / (4 + 1),
    ),
    # v = 27/16 after 9/4, which stays the largest; m = 3/4, corrected 1
    "Adam, amsgrad": (
        lambda p: Adam(p, lr=0.1, betas=BETAS, eps=1.0, amsgrad=True),
        [3.0, 0.0],
        1.925 - 0.1 / (sqrt((9 / 4) / (7 / 16)) + 1),
    ),
    "Adam, maximize": (
        lambda p: Adam(p, lr=0.1, betas=BETAS, eps=1.0, maximize=True),
        [3.0],
        2.075,
    ),
    # w shrinks by 1 - 0.1 · 0.5 first
    "AdamW, weight_decay and eps": (
        lambda p: AdamW(p, lr=0.1, betas=BETAS, eps=1.0, weight_decay=0.5),
        [3.0],
        2.0 * 0.95 - 0.075,
    ),
    "AdamW, betas": (
        lambda p: AdamW(p, lr=0.1, betas=BETAS, eps=1.0, weight_decay=0.5),
        [3.0, -1.0],
        1.825 * 0.95 - 0.1 / 3 / (sqrt(31 / 7) + 1),
    ),
    "AdamW, amsgrad": (
        lambda p: AdamW(p, lr=0.1, betas=BETAS, eps=1.0, weight_decay=0.0, amsgrad=True),
        [3.0, 0.0],
        1.925 - 0.1 / (sqrt((9 / 4) / (7 / 16)) + 1),
    ),
    "AdamW, maximize": (
        lambda p: AdamW(p, lr=0.1, betas=BETAS, eps=1.0, weight_decay=0.5, maximize=True),
        [3.0],
        2.0 * 0.95 + 0.075,
    ),
    # a hundredth of lr is its weight decay if none is given, and lr a thousandth
    "AdamW, defaults": (AdamW, [3.0], 2.0 * (1 - 1e-5) - 1e-3),
    # eps beside the uncorrected root 3/2: lr · √(1/4) / (1/2) · (3/2) / (3/2 + 1)
    "SparseAdam, eps": (
        lambda p: SparseAdam(p, lr=0.1, betas=BETAS, eps=1.0),
        [3.0],
        2.0 - 0.1 * 1.5 / 2.5,
    ),
    "SparseAdam, betas": (
        lambda p: SparseAdam(p, lr=0.1, betas=BETAS, eps=1.0),
        [3.0, -1.0],
        1.94 - 0.1 * sqrt(7 / 16) / (3 / 4) * (1 / 4) / (sqrt(31 / 16) + 1),
    ),
    "SparseAdam, maximize": (
        lambda p: SparseAdam(p, lr=0.1, betas=BETAS, eps=1.0, maximize=True),
        [3.0],
        2.06,
    ),
    # mean square 9/4
    "RMSprop, alpha and eps": (
        lambda p: RMSprop(p, lr=0.1, alpha=0.75, eps=1.0),
        [3.0],
        2.0 - 0.1 * 3 / (1.5 + 1),
    ),
    "RMSprop, weight_decay": (
        lambda p: RMSprop(p, lr=0.1, alpha=0.75, eps=1.0, weight_decay=0.5),
        [3.0],
        2.0 - 0.1 * 4 / (2 + 1),
    ),
    # steps 6/5, then 1/2 of it and 3 over the root of 63/16, plus 1
    "RMSprop, momentum": (
        lambda p: RMSprop(p, lr=0.1, alpha=0.75, eps=1.0, momentum=0.5),
        [3.0, 3.0],
        1.88 - 0.1 * (0.6 + 3 / (sqrt(63 / 16) + 1)),
    ),
    # variance 9/4 - (3/4)²
    "RMSprop, centered": (
        lambda p: RMSprop(p, lr=0.1, alpha=0.75, eps=1.0, centered=True),
        [3.0],
        2.0 - 0.1 * 3 / (sqrt(27 / 16) + 1),
    ),
    "RMSprop, maximize": (
        lambda p: RMSprop(p, lr=0.1, alpha=0.75, eps=1.0, maximize=True),
        [3.0],
        2.12,
    ),
    # sums 7 + 9 and 25; rates 0.1 and 0.1 / 1.5
    "Adagrad, lr_decay, initial_accumulator_value and eps": (
        lambda p: Adagrad(p, lr=0.1, lr_decay=0.5, initial_accumulator_value=7.0, eps=1.0),
        [3.0, 3.0],
        2.0 - 0.1 * 3 / (4 + 1) - 0.1 / 1.5 * 3 / (5 + 1),
    ),
    "Adagrad, weight_decay": (
        lambda p: Adagrad(p, lr=0.1, weight_decay=0.5, eps=1.0),
        [3.0],
        2.0 - 0.1 * 4 / (4 + 1),
    ),
    "Adagrad, maximize": (
        lambda p: Adagrad(p, lr=0.1, eps=1.0, maximize=True),
        [3.0],
        2.0 + 0.1 * 3 / (3 + 1),
    ),
}


@pytest.mark.parametrize("many", [1, 40])
@pytest.mark.parametrize(("make", "gradients", "expected"), CASES.values(), ids=CASES.keys())
def test_an_option_does_what_its_paper_says(
    make: Callable[[Any], Optimizer], gradients: list[float], expected: float, many: int
) -> None:
    """A parameter alone, and forty that move at once."""
    parameters = [Parameter(2.0) for _ in range(many)]
    optimizer = make(parameters)
    for gradient in gradients:
        for p in parameters:
            p.grad = gradient
        optimizer.step()
    assert [p.data for p in parameters] == pytest.approx([expected] * many, rel=1e-9)


@pytest.mark.parametrize("many", [1, 40])
def test_a_new_velocity_is_not_dampened(many: int) -> None:
    """As in PyTorch: after steps without momentum, and after the state was cleared.

    Steps along 2, then v = 3, then 0.5 · 3 + 0.75 · 1, then v = 1.
    """
    parameters = [Parameter(2.0) for _ in range(many)]
    optimizer = SGD(parameters, lr=0.1, dampening=0.25)
    for gradient, momentum, cleared in [(2, 0, 0), (3, 0.5, 0), (1, 0.5, 0), (1, 0.5, 1)]:
        optimizer.param_groups[0]["momentum"] = momentum
        if cleared:
            optimizer.state.clear()
        for p in parameters:
            p.grad = float(gradient)
        optimizer.step()
    expected = 2.0 - 0.2 - 0.3 - 0.225 - 0.1
    assert [p.data for p in parameters] == pytest.approx([expected] * many, rel=1e-9)
