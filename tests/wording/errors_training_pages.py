"""Errors of `watch`: arguments that do not match, and models that a page cannot repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scalargrad import Parameter, custom_op, dot, grad, relu, watch
from scalargrad.losses import binary_cross_entropy_with_logits, mse_loss
from scalargrad.nn import MLP, Linear

_X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
_Y = [0, 1, 1, 0]


def _watched(
    model: Any = None, *, x: Any = _X, y: Any = _Y, loss: Any = mse_loss, **options: Any
) -> Any:
    return watch(model or MLP(2, [2, 1], rng=0), x, y, loss=loss, **options)


def _units(mix: Any) -> Any:
    first, second = Linear(2, 2, rng=0), Linear(2, 1, rng=1)
    return lambda x: second(mix(first(x)))


def a_step_that_was() -> None:
    """Record an earlier step."""
    page = _watched()
    page.record(step=3)
    page.record(step=2)


def a_model_with_a_branch() -> None:
    """Branch on a computed number."""
    line = Linear(2, 1, rng=0)
    _watched(lambda x: line(x)[0] if line(x)[0] > 0 else line(x)[0] * 0.0)


def a_model_with_a_derivative() -> None:
    """Compute a derivative in the model."""
    line = Linear(2, 1, rng=0)
    _watched(lambda x: grad(lambda a: line([a, x[1]])[0] ** 2)(x[0]))


@custom_op(partials=lambda y, x: (2.0 * x,))
def _my_square(x: float) -> float:
    return x * x


def a_dot_of_parameters() -> None:
    """Multiply parameters by parameters."""
    weights = [Parameter(1.0), Parameter(2.0)]
    _watched(lambda x: dot(weights, weights))


def a_penalty_inside_the_loss() -> None:
    """Add a penalty to the loss."""
    model = MLP(2, [2, 1], rng=0)
    _watched(model, loss=lambda p, t: mse_loss(p, t) + 0.1 * model.parameters()[0] ** 2)


def an_example_whose_loss_is_nan() -> None:
    """Pass an input that is nan."""
    inputs = [*_X[:2], [math.nan, 0.0], _X[3]]
    _watched(x=inputs, loss=binary_cross_entropy_with_logits)


CASES: dict[str, Callable[[], object]] = {
    "inputs_of_two_lengths": lambda: _watched(x=[[0.0, 1.0], [0.0]], y=[0, 1]),
    "an_input_that_is_a_number": lambda: _watched(x=[0.0, 1.0], y=[0, 1]),
    "more_inputs_than_targets": lambda: _watched(y=[0, 1]),
    "a_target_that_is_a_word": lambda: _watched(
        y=["a", "b", "c", "d"], loss=lambda p, t: mse_loss(p, p)
    ),
    "too_few_names_of_features": lambda: _watched(feature_names=["a"]),
    "too_few_names_of_classes": lambda: _watched(target_names=["a"]),
    "a_plane_of_one_input": lambda: _watched(plane=(0, 0)),
    "a_plane_of_an_input_before_the_first": lambda: _watched(plane=(-1, 0)),
    "epochs_without_an_optimizer": lambda: _watched(epochs=3),
    "an_option_of_training_without_epochs": lambda: _watched(batch_size=3),
    "more_parameters_than_a_page_may_have": lambda: _watched(MLP(2, [20, 20, 1], rng=0), limit=500),
    "more_examples_than_a_page_may_have": lambda: _watched(x=[[0.0, 1.0]] * 1001, y=[0] * 1001),
    "a_model_that_returns_a_number": lambda: _watched(lambda x: 1.0),
    "a_model_without_units": lambda: _watched(_units(lambda h: [h[0] + h[1], h[0]])),
    "a_unit_with_two_outputs": lambda: _watched(_units(lambda h: [h[0], relu(h[0])])),
    "an_operation_of_ones_own": lambda: _watched(MLP(2, [2, 1], activation=_my_square, rng=0)),
    "a_loss_with_a_branch": lambda: _watched(
        loss=lambda p, t: sum(x if x > 0 else -x for x in p) * (1.0 / len(t))
    ),
    "a_dot_of_inputs": lambda: _watched(lambda x: dot(x, x)),
    "a_loss_that_is_a_sum": lambda: _watched(loss=lambda p, t: mse_loss(p, t, reduction="sum")),
    "two_losses": lambda: _watched(loss=lambda p, t: [p[0] * 1.0, p[0] * 2.0]),
    "losses_that_add_up_to_infinity": lambda: _watched(y=[1e154] * 4),
}
