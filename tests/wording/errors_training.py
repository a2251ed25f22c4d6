"""Errors of training, optimisers, schedules, and work in parallel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

from scalargrad import Parameter, Value, losses, nn, no_grad, optim
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


# fit ---------------------------------------------------------------------------------------------


def model_is_no_module() -> None:
    """Name one instead of giving it."""
    fit("MLP", INPUTS, TARGETS, loss=losses.mse_loss, optimizer=optim.SGD([_w()]))  # type: ignore[arg-type]


def loss_is_a_name() -> None:
    """Text."""
    _fit(loss="mse")


def loss_returns_a_list() -> None:
    """As with no reduction."""
    _fit(loss=partial(losses.mse_loss, reduction="none"))


def loss_is_a_plain_number() -> None:
    """Whatever the parameters."""
    _fit(loss=_one)


def _one(predictions: Any, targets: Any) -> float:
    return 1.0


def optimizer_is_a_name() -> None:
    """Forget to make one."""
    _fit(optimizer="Adam")


def optimizer_of_another_model() -> None:
    """Warn of it."""
    _fit(optimizer=optim.SGD(nn.Linear(2, 1, rng=0).parameters()))


def schedule_of_another_optimizer() -> None:
    """Warn of it."""
    other = optim.SGD(nn.Linear(2, 1, rng=0).parameters())
    _fit(scheduler=lr_scheduler.StepLR(other, 3))


def callback_is_not_in_a_list() -> None:
    """One function."""
    _fit(callbacks=print)


def metrics_with_one_name() -> None:
    """Twice the same."""
    _fit(metrics=[losses.accuracy, losses.accuracy])


def epochs_are_a_float() -> None:
    """One and a half."""
    _fit(epochs=1.5)


def resume_without_a_checkpoint() -> None:
    """No file to go on from."""
    _fit(resume=True)


def patience_without_held_out_examples() -> None:
    """Nothing to watch."""
    _fit(patience=3)


def split_that_holds_out_nothing() -> None:
    """Hold out a share of too few."""
    _fit(validation_split=0.01)


def fewer_targets_than_inputs() -> None:
    """One is missing."""
    _fit(y=TARGETS[:-1])


def inputs_are_text() -> None:
    """No list."""
    _fit(X="rows")


def input_of_another_length() -> None:
    """Give it last."""
    _fit(X=[*INPUTS[:-1], [1.0]])


def input_that_is_not_a_number() -> None:
    """NaN among those held out."""
    _fit(validation_data=([[math.nan, 1.0]], [0.0]))


def class_that_the_model_does_not_know() -> None:
    """Give it last."""
    _fit(y=[0, 1, 1, 7], model=nn.Linear(2, 3, rng=0), loss=losses.cross_entropy)


def classes_one_and_two() -> None:
    """Warn of it."""
    _fit(y=[1, 2, 1, 2], loss=losses.binary_cross_entropy_with_logits)


def classes_one_and_zero_for_the_hinge_loss() -> None:
    """Warn of it."""
    _fit(y=[0, 1, 0, 1], loss=losses.hinge_loss)


def accuracy_of_probabilities() -> None:
    """Warn of it."""
    model = nn.Sequential(nn.Linear(2, 1, rng=0), nn.Sigmoid())
    _fit(y=[0, 1, 0, 1], model=model, loss=losses.binary_cross_entropy, metrics=[losses.accuracy])


def training_without_graphs() -> None:
    """Within no_grad."""
    with no_grad():
        _fit()


def loss_that_no_parameter_is_under() -> None:
    """Predictions are detached."""
    _fit(loss=_detached)


def _detached(predictions: Any, targets: Any) -> Any:
    return losses.mse_loss([[p.detach() for p in row] for row in predictions], targets)


def optimizer_of_another_kind_cannot_be_compiled() -> None:
    """With jit=True."""
    _fit(optimizer=_Descent(), jit=True)


class _Descent:
    def step(self) -> None:
        """Move on."""

    zero_grad = step

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {}

    def load_state_dict(self, state: Any) -> None:
        """Take on such a state."""


def step_that_is_too_long() -> None:
    """Numbers overflow."""
    model = nn.Linear(2, 1, rng=0)
    _fit(model=model, optimizer=optim.SGD(model.named_parameters(), lr=1e200), epochs=9)


def history_without_a_column() -> None:
    """Ask for one of others."""
    History([{"epoch": 1, "loss": 0.5}])["val_loss"]


# optim -------------------------------------------------------------------------------------------


def gradient_that_is_infinite() -> None:
    """No parameter moves."""
    optim.SGD([_w(math.inf)], lr=0.1).step()


def new_value_that_is_infinite() -> None:
    """No parameter moves."""
    optim.SGD([_w(-1e308)], lr=10.0).step()


def no_parameters() -> None:
    """Give an empty list."""
    optim.SGD([])


def parameter_given_twice() -> None:
    """In one list."""
    optim.SGD([w := _w(), w])


def result_for_a_parameter() -> None:
    """Of an operation."""
    optim.SGD([_w() * 2.0])


def table_for_parameters() -> None:
    """Rows of a layer."""
    optim.SGD(nn.Linear(2, 2, rng=0).weight)


def negative_rate() -> None:
    """Uphill."""
    optim.SGD([_w()], lr=-0.1)


def nesterov_without_momentum() -> None:
    """Give none."""
    optim.SGD([_w()], nesterov=True)


def beta_of_one() -> None:
    """No average."""
    optim.Adam([_w()], betas=(0.9, 1.0))


def parameters_of_a_group_exchanged() -> None:
    """In its list."""
    optimizer = optim.SGD([_w(), _w()])
    optimizer.param_groups[0]["params"].reverse()
    optimizer.step()


def state_of_another_optimizer() -> None:
    """With other parameters."""
    optim.SGD([_w(), _w()]).load_state_dict(optim.SGD([_w()]).state_dict())


def norm_of_a_gradient_is_infinite() -> None:
    """Where that is to be an error."""
    optim.clip_grad_norm_([_w(math.inf)], 1.0)


def step_beyond_one_cycle() -> None:
    """Go on after its end."""
    optimizer = optim.SGD([_w()], lr=0.1)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, 2, cycle_momentum=False)
    for _ in range(4):
        schedule.step()


def cycle_of_a_momentum_that_is_not_there() -> None:
    """Adagrad's."""
    lr_scheduler.OneCycleLR(optim.Adagrad([_w()]), 1.0, 10)


def milestones_that_do_not_match() -> None:
    """One too many."""
    optimizer = optim.SGD([_w()])
    parts = [lr_scheduler.StepLR(optimizer, 3), lr_scheduler.StepLR(optimizer, 3)]
    lr_scheduler.SequentialLR(optimizer, parts, [1, 2])


def schedule_over_no_optimizer() -> None:
    """Give a name."""
    lr_scheduler.StepLR("Adam", 3)  # type: ignore[arg-type]


def state_of_another_schedule() -> None:
    """Without an epoch."""
    lr_scheduler.StepLR(optim.SGD([_w()]), 3).load_state_dict({})


# parallel ----------------------------------------------------------------------------------------


def _root(x: float) -> float:
    if x < 0.0:
        raise ValueError("a negative number has no root")
    return math.sqrt(x)


def _sum(w: float, xs: list[float]) -> float:
    return w * sum(xs)


def point_that_fails() -> None:
    """After another."""
    sweep(_root, [4.0, -1.0], quiet=True)


def results_of_other_points() -> None:
    """Finished earlier."""
    sweep(_root, [1.0], finished={1: 1.0}, quiet=True)


def no_workers() -> None:
    """0 processes."""
    sweep(_root, [1.0], 0, quiet=True)


def nothing_to_sum_over() -> None:
    """No data."""
    sum_over(_sum, [])


def arrays_of_two_lengths() -> None:
    """As one data set."""
    sum_over(_sum, ([1, 2], [1]))


def too_many_chunks() -> None:
    """More than there are items."""
    sum_over(_sum, [1, 2], chunks=3)


def result_of_a_chunk_that_is_a_value() -> None:
    """Not its number."""
    sum_over(lambda w, xs: Value(1.0), [1, 2])(None)


def map_that_gives_too_little() -> None:
    """One result for two chunks."""

    def mapping(f: Any, items: Iterable[Any]) -> list[Any]:
        return [f(x) for x in items][:1]

    sum_over(_sum, [1.0, 2.0], mapping)(1.0)
