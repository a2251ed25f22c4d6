"""An error after some epochs leaves their history with the error, whatever raised it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from scalargrad import GraphError, NumericalError, ScalargradError, TraceError, Value
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import OneCycleLR
from scalargrad.train import History, fit

X, Y = [[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]]


def trained(epochs: int, **options: Any) -> History:
    """Train a line on three points."""
    line = Linear(1, 1, rng=0)
    optimizer = SGD(line.parameters(), lr=options.pop("lr", 0.1))
    chosen = {"loss": mse_loss, **options}
    return fit(line, X, Y, optimizer=optimizer, epochs=epochs, quiet=True, **chosen)


class Failing:
    """Raises an error of a foreign class at one of its calls."""

    def __init__(self, call: int) -> None:
        self.calls, self.call = 0, call

    def __call__(self, *_: Any) -> float:
        """Count."""
        self.calls += 1
        if self.calls == self.call:
            raise KeyError("the seventh seal")
        return 0.0


class FailingSchedule:
    """A schedule of one's own, which raises at its third step."""

    def __init__(self) -> None:
        self.step = Failing(3)

    def get_last_lr(self) -> list[float]:
        """Return the rate."""
        return [0.1]

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Any) -> None:
        """Load nothing."""


@pytest.mark.parametrize(
    ("options", "completed"),
    [
        ({"callbacks": [Failing(3)]}, 3),
        ({"metrics": {"mine": Failing(4)}}, 2),  # called once before the first step
        ({"scheduler": FailingSchedule()}, 2),
    ],
    ids=["callback", "metric", "schedule"],
)
def test_an_error_of_the_users_own_has_the_epochs_before_it(
    options: dict[str, Any], completed: int
) -> None:
    """It stays the error it is, and the rows equal those of a run that ended in time."""
    with pytest.raises(KeyError, match="seventh seal") as caught:
        trained(9, **options)
    history = vars(caught.value)["history"]
    assert history["loss"] == trained(completed)["loss"]
    assert history.stopped == "KeyError"
    [note] = caught.value.__notes__
    assert (
        note == f"{completed} epochs were completed; what they measured is this error's `history`"
    )


@pytest.mark.parametrize("jit", [False, None])
def test_a_loss_that_overflows_has_the_epochs_before_it(jit: bool | None) -> None:
    """Steps that are far too large diverge after some epochs."""
    with pytest.raises(NumericalError) as caught:
        trained(999, lr=50.0, jit=jit)
    history = caught.value.history
    assert isinstance(history, History)
    assert len(history) > 9
    assert "a smaller learning rate" in caught.value.__notes__[-1]
    assert history["loss"] == pytest.approx(trained(len(history), lr=50.0, jit=False)["loss"])


def test_a_loss_that_cannot_be_recorded_any_more_has_the_epochs_before_it() -> None:
    """It branches on a number for the first time when the loss has become small."""
    seen: list[float] = []

    def loss(predictions: list[list[Value]], targets: list[list[float]]) -> Value:
        found: Value = mse_loss(predictions, targets)
        if found < 0.1:
            seen.append(found.data)
        return found

    with pytest.raises(TraceError) as caught:
        trained(200, loss=loss, jit=True)
    history = caught.value.history
    assert isinstance(history, History)
    assert len(history) > 1
    assert min(history["loss"]) >= 0.1


def test_an_error_in_the_first_epoch_has_an_empty_history_and_no_note() -> None:
    """Nothing was completed that could be told of."""
    with pytest.raises(KeyError) as caught:
        trained(9, metrics={"mine": Failing(2)})
    assert len(vars(caught.value)["history"]) == 0
    assert not hasattr(caught.value, "__notes__")


def test_one_epoch_is_one_epoch() -> None:
    """The note is English."""
    with pytest.raises(KeyError) as caught:
        trained(9, callbacks=[Failing(1)])
    assert caught.value.__notes__[0].startswith("1 epoch was completed;")


def test_an_error_of_a_run_inside_keeps_the_history_of_that_run() -> None:
    """A callback that trains another model: what failed has failed there."""

    def inner(model: Any, history: History) -> None:
        del model
        if len(history) == 2:
            trained(9, callbacks=[Failing(5)])

    with pytest.raises(KeyError) as caught:
        trained(9, callbacks=[inner])
    assert len(vars(caught.value)["history"]) == 5
    assert len(caught.value.__notes__) == 1


def test_an_error_takes_its_history_to_another_process() -> None:
    """As the workers of a sweep send their errors."""
    with pytest.raises(NumericalError) as caught:
        trained(999, lr=50.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.history == caught.value.history


def test_an_error_before_training_has_no_history() -> None:
    """There was no run."""
    with pytest.raises(ScalargradError) as caught:
        trained(0)
    assert caught.value.history is None


@pytest.mark.parametrize("jit", [True, False])
def test_an_error_of_a_schedule_leaves_the_numbers_of_the_last_step(jit: bool) -> None:
    """Three steps along a slope of 2 at a rate of 0.5: also where steps are compiled."""
    model = Linear(1, 1, rng=0)
    *_, bias = model.parameters()
    start = bias.data
    optimizer = SGD(model.parameters(), lr=0.5)
    schedule = OneCycleLR(
        optimizer, [0.5], total_steps=2, div_factor=1, final_div_factor=1, cycle_momentum=False
    )
    with pytest.raises(GraphError, match="OneCycleLR has 2 steps"):
        fit(
            model,
            [[0.0]],
            [2.0],
            loss=lambda predictions, targets: predictions[0][0] * targets[0],
            optimizer=optimizer,
            scheduler=schedule,
            epochs=5,
            jit=jit,
            quiet=True,
        )
    assert bias.data == pytest.approx(start - 3 * 0.5 * 2.0, rel=1e-12)
    assert bias.grad == 2.0
