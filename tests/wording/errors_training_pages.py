"""Errors of watch: what does not fit together, and what a page cannot repeat."""

from __future__ import annotations

import math
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


def inputs_of_two_lengths() -> None:
    """One number is missing."""
    _watched(x=[[0.0, 1.0], [0.0]], y=[0, 1])


def an_input_that_is_a_number() -> None:
    """Give a list where a list of lists is needed."""
    _watched(x=[0.0, 1.0], y=[0, 1])


def more_inputs_than_targets() -> None:
    """One for each."""
    _watched(y=[0, 1])


def a_target_that_is_a_word() -> None:
    """Classes are numbers."""
    _watched(y=["a", "b", "c", "d"], loss=lambda p, t: mse_loss(p, p))


def too_few_names_of_features() -> None:
    """One for each input."""
    _watched(feature_names=["a"])


def too_few_names_of_classes() -> None:
    """One for each class."""
    _watched(target_names=["a"])


def a_plane_of_one_input() -> None:
    """Two different ones span it."""
    _watched(plane=(0, 0))


def epochs_without_an_optimizer() -> None:
    """Nothing to train with."""
    _watched(epochs=3)


def an_option_of_training_without_epochs() -> None:
    """Give what would be ignored."""
    _watched(batch_size=3)


def more_parameters_than_a_page_may_have() -> None:
    """Exceed a limit that can be raised."""
    _watched(MLP(2, [20, 20, 1], rng=0), limit=500)


def more_examples_than_a_page_may_have() -> None:
    """Give more than can be drawn."""
    _watched(x=[[0.0, 1.0]] * 1001, y=[0] * 1001)


def a_step_that_was() -> None:
    """Time goes forward."""
    page = _watched()
    page.record(step=3)
    page.record(step=2)


def a_model_that_returns_a_number() -> None:
    """Return what cannot be trained."""
    _watched(lambda x: 1.0)


def a_model_without_units() -> None:
    """Nothing in it is a weighted sum."""
    _watched(_units(lambda h: [h[0] + h[1], h[0]]))


def a_unit_with_two_outputs() -> None:
    """One of them before its activation."""
    _watched(_units(lambda h: [h[0], relu(h[0])]))


def a_model_with_a_branch() -> None:
    """Ask what is another answer for each example."""
    line = Linear(2, 1, rng=0)
    _watched(lambda x: line(x)[0] if line(x)[0] > 0 else line(x)[0] * 0.0)


def a_model_with_a_derivative() -> None:
    """Differentiate on the way."""
    line = Linear(2, 1, rng=0)
    _watched(lambda x: grad(lambda a: line([a, x[1]])[0] ** 2)(x[0]))


@custom_op(partials=lambda y, x: (2.0 * x,))
def _my_square(x: float) -> float:
    return x * x


def an_operation_of_ones_own() -> None:
    """Use a Python function as activation."""
    _watched(MLP(2, [2, 1], activation=_my_square, rng=0))


def a_loss_with_a_branch() -> None:
    """Ask for the sign of a prediction."""
    _watched(loss=lambda p, t: sum(x if x > 0 else -x for x in p) * (1.0 / len(t)))


def a_dot_of_inputs() -> None:
    """Weigh inputs by inputs."""
    _watched(lambda x: dot(x, x))


def a_dot_of_parameters() -> None:
    """Weigh parameters by parameters."""
    weights = [Parameter(1.0), Parameter(2.0)]
    _watched(lambda x: dot(weights, weights))


def a_loss_that_is_a_sum() -> None:
    """Take no mean over examples."""
    _watched(loss=lambda p, t: mse_loss(p, t, reduction="sum"))


def a_penalty_inside_the_loss() -> None:
    """Add what belongs to training."""
    model = MLP(2, [2, 1], rng=0)
    _watched(model, loss=lambda p, t: mse_loss(p, t) + 0.1 * model.parameters()[0] ** 2)


def two_losses() -> None:
    """Return two Values."""
    _watched(loss=lambda p, t: [p[0] * 1.0, p[0] * 2.0])


def an_example_whose_loss_is_nan() -> None:
    """Give one input that is nan."""
    inputs = [*_X[:2], [math.nan, 0.0], _X[3]]
    _watched(x=inputs, loss=binary_cross_entropy_with_logits)


def losses_that_add_up_to_infinity() -> None:
    """Each of them is finite."""
    _watched(y=[1e154] * 4)
