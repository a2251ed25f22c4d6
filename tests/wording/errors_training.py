"""Errors of training, optimisers, schedules, and work in parallel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from scalargrad import Parameter, Value, losses, nn, optim
from scalargrad.optim import lr_scheduler
from scalargrad.parallel import sum_over, sweep
from scalargrad.train import History, fit

INPUTS, TARGETS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 2.0]], [1.0, -1.0, 0.0, 3.0]


def _fit(X: Any = INPUTS, y: Any = TARGETS, **options: Any) -> None:  # noqa: N803 - fit's names
    model = options.pop("model", None) or nn.Linear(2, 1, rng=0)
    options = {"loss": losses.mse_loss, "optimizer": optim.SGD(model.parameters()), **options}
    fit(model, X, y, **{"epochs": 2, "quiet": True, **options})


def _w(grad: float = 1.0) -> Parameter:
    w = Parameter(1.0, "w")
    w.grad = grad
    return w


def _one(predictions: Any, targets: Any) -> float:
    return 1.0


def _detached(predictions: Any, targets: Any) -> Any:
    return losses.mse_loss([[p.detach() for p in row] for row in predictions], targets)


def schedule_of_another_optimizer() -> None:
    """Warn of it."""
    other = optim.SGD(nn.Linear(2, 1, rng=0).parameters())
    _fit(scheduler=lr_scheduler.StepLR(other, 3))


def step_that_is_too_long() -> None:
    """Numbers overflow."""
    model = nn.Linear(2, 1, rng=0)
    _fit(model=model, optimizer=optim.SGD(model.parameters(), lr=1e200), epochs=9)


def parameters_of_a_group_exchanged() -> None:
    """In its list."""
    optimizer = optim.SGD([_w(), _w()])
    optimizer.param_groups[0]["params"].reverse()
    optimizer.step()


# parallel ----------------------------------------------------------------------------------------


def _root(x: float) -> float:
    if x < 0.0:
        raise ValueError("a negative number has no root")
    return math.sqrt(x)


def _sum(w: float, xs: list[float]) -> float:
    return w * sum(xs)


CASES: dict[str, Callable[[], object]] = {
    # fit
    "loss_is_a_name": lambda: _fit(loss="mse"),
    "loss_returns_a_list": lambda: _fit(loss=partial(losses.mse_loss, reduction="none")),
    "loss_is_a_plain_number": lambda: _fit(loss=_one),
    "optimizer_is_a_name": lambda: _fit(optimizer="Adam"),
    "callback_is_not_in_a_list": lambda: _fit(callbacks=print),
    "metrics_with_one_name": lambda: _fit(metrics=[losses.accuracy, losses.accuracy]),
    "epochs_are_a_float": lambda: _fit(epochs=1.5),
    "resume_without_a_checkpoint": lambda: _fit(resume=True),
    "patience_without_held_out_examples": lambda: _fit(patience=3),
    "split_that_holds_out_nothing": lambda: _fit(validation_split=0.01),
    "fewer_targets_than_inputs": lambda: _fit(y=TARGETS[:-1]),
    "inputs_are_text": lambda: _fit(X="rows"),
    "input_of_another_length": lambda: _fit(X=[*INPUTS[:-1], [1.0]]),
    "input_that_is_not_a_number": lambda: _fit(validation_data=([[math.nan, 1.0]], [0.0])),
    "class_that_the_model_does_not_know": lambda: _fit(
        y=[0, 1, 1, 7], model=nn.Linear(2, 3, rng=0), loss=losses.cross_entropy
    ),
    "classes_one_and_two": lambda: _fit(
        y=[1, 2, 1, 2], loss=losses.binary_cross_entropy_with_logits
    ),
    "classes_one_and_zero_for_the_hinge_loss": lambda: _fit(y=[0, 1, 0, 1], loss=losses.hinge_loss),
    "loss_that_no_parameter_is_under": lambda: _fit(loss=_detached),
    "history_without_a_column": lambda: History([{"epoch": 1, "loss": 0.5}])["val_loss"],
    # optim
    "gradient_that_is_infinite": lambda: optim.SGD([_w(math.inf)], lr=0.1).step(),
    "new_value_that_is_infinite": lambda: optim.SGD([_w(-1e308)], lr=10.0).step(),
    "no_parameters": lambda: optim.SGD([]),
    "parameter_given_twice": lambda: optim.SGD([w := _w(), w]),
    "result_for_a_parameter": lambda: optim.SGD([_w() * 2.0]),
    "table_for_parameters": lambda: optim.SGD(nn.Linear(2, 2, rng=0).weight),
    "negative_rate": lambda: optim.SGD([_w()], lr=-0.1),
    "nesterov_without_momentum": lambda: optim.SGD([_w()], nesterov=True),
    "alpha_of_one": lambda: optim.RMSprop([_w()], alpha=1.0),
    "accumulator_below_zero": lambda: optim.Adagrad([_w()], initial_accumulator_value=-1.0),
    "three_betas": lambda: optim.SparseAdam([_w()], betas=(0.9, 0.99, 0.9)),  # type: ignore[arg-type]
    "beta_of_one": lambda: optim.Adam([_w()], betas=(0.9, 1.0)),
    "state_of_another_optimizer": lambda: optim.SGD([_w(), _w()]).load_state_dict(
        optim.SGD([_w()]).state_dict()
    ),
    "norm_of_a_gradient_is_infinite": lambda: optim.clip_grad_norm_([_w(math.inf)], 1.0),
    "schedule_over_no_optimizer": lambda: lr_scheduler.StepLR("Adam", 3),  # type: ignore[arg-type]
    "state_of_another_schedule": lambda: lr_scheduler.StepLR(optim.SGD([_w()]), 3).load_state_dict(
        {}
    ),
    "point_that_fails": lambda: sweep(_root, [4.0, -1.0], quiet=True),
    "results_of_other_points": lambda: sweep(_root, [1.0], finished={1: 1.0}, quiet=True),
    "number_for_an_executor": lambda: sweep(_root, [1.0], 2, quiet=True),
    "nothing_to_sum_over": lambda: sum_over(_sum, []),
    "arrays_of_two_lengths": lambda: sum_over(_sum, ([1, 2], [1])),
    "too_many_chunks": lambda: sum_over(_sum, [1, 2], chunks=3),
    "result_of_a_chunk_that_is_a_value": lambda: sum_over(lambda w, xs: Value(1.0), [1, 2])(None),
}
