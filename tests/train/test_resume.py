"""Checkpoints: a stopped run continues as if it had not been stopped, or an error says why not."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, drawn
from scalargrad.errors import StateError, TrainingWarning
from scalargrad.losses import HuberLoss, l2_penalty, mse_loss
from scalargrad.nn import Dropout, Linear, Module
from scalargrad.optim import SGD, Adam
from scalargrad.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR
from scalargrad.train import History, fit

from .helpers import (
    INPUTS,
    TARGETS,
    Descent,
    fraction_within,
    halving_scheduler,
    linear,
    mean_squares,
    noisy_network,
    train_points,
)


def run(path: Path, epochs: int, model: Module | None = None, **options: Any) -> Any:
    """Train a network with dropout, momentum, a schedule and held-out data."""
    random.seed(11)
    model = model or noisy_network()
    optimizer = options.pop("optimizer", None) or Descent(model.parameters(), lr=0.05, momentum=0.9)
    history = fit(
        model,
        INPUTS,
        TARGETS,
        **{
            "loss": mean_squares,
            "optimizer": optimizer,
            "scheduler": halving_scheduler(optimizer) if isinstance(optimizer, Descent) else None,
            "epochs": epochs,
            "batch_size": 2,
            "validation_split": 0.3,
            "metrics": [fraction_within],
            "gradient_tolerance": 0.0,
            "checkpoint": path,
            "quiet": True,
            **options,
        },
    )
    return history, model.state_dict(), optimizer.state_dict(), random.random()


@pytest.mark.parametrize("options", [{}, {"patience": 20}, {"batch_size": None, "shuffle": False}])
def test_fit_resumed_equals_an_uninterrupted_run_bit_for_bit(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """History, weights, momentum, rate, every generator and the file agree exactly."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    expected = run(whole, 8, **options)
    run(halves, 5, **options)
    assert run(halves, 8, resume=True, **options) == expected
    assert whole.read_bytes() == halves.read_bytes()


@pytest.mark.parametrize(
    ("jit", "stops", "epochs", "options"),
    [
        (True, [1, 5], 8, {"batch_size": 4}),
        (None, [20, 45], 50, {"batch_size": None, "copies": 7}),
    ],
)
def test_fit_resumed_with_compiled_steps_is_equal_bit_for_bit(
    jit: bool | None, stops: list[int], epochs: int, options: dict[str, Any], tmp_path: Path
) -> None:
    """Steps are compiled from the first on, or by fit's own choice after some."""

    def train(name: str, epochs: int) -> Any:
        found = train_points(jit, noisy_network, partial(Adam, lr=0.05), validation_split=0.3,
                        patience=50, schedule=partial(CosineAnnealingLR, T_max=9), resume=True,
                        epochs=epochs, checkpoint=tmp_path / name, **options)  # fmt: skip
        return found[:-1]  # the module's generator was seeded again

    expected = train("whole", epochs)
    for epoch in stops:
        train("parts", epoch)
    assert train("parts", epochs) == expected
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()


class NoisyLinear(Linear):
    """A layer that adds noise from a NumPy generator in a list."""

    def __init__(self, source: Any) -> None:
        super().__init__(2, 1, rng=1)
        self.sources = [source]

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = super().forward(x)
        return [y[0] + drawn(self.sources[0].normal) + drawn(_global.random)]


_global = np.random.default_rng(5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.default_rng(3),
        lambda: np.random.Generator(np.random.MT19937(3)),
        lambda: np.random.Generator(np.random.Philox(3)),
    ],
)
@pytest.mark.parametrize("jit", [False, True])
def test_fit_resumed_restores_numpy_generators(tmp_path: Path, make: Any, jit: bool) -> None:
    """Generators in attributes of a module, at any depth, and those that its code names."""

    def train(name: str, epochs: int) -> Any:
        _global.bit_generator.state = np.random.default_rng(5).bit_generator.state
        model = NoisyLinear(make())
        moving = SGD(model.parameters(), lr=0.05)
        return run(tmp_path / name, epochs, model, optimizer=moving, jit=jit, resume=True)

    expected = train("whole", 6)
    train("parts", 2)
    assert train("parts", 6) == expected


def test_fit_resumes_from_the_last_checkpoint_after_an_error(tmp_path: Path) -> None:
    """An error in epoch 7 loses only the epochs since the last checkpoint, at 6.

    Checkpoints are written at the given interval and at the end.
    """
    path, found = tmp_path / "run.json", list[bytes]()

    def read_checkpoint(model: Module, history: History) -> None:
        found.append(path.read_bytes() if path.exists() else b"")
        if len(history) == 7:
            raise MemoryError

    expected = run(tmp_path / "whole", 8, checkpoint_every=3)
    with pytest.raises(MemoryError):
        run(path, 8, callbacks=[read_checkpoint], checkpoint_every=3)
    assert [found.index(x) for x in found] == [0, 0, 0, 3, 3, 3, 6]
    seen: list[int] = []
    again = run(path, 8, callbacks=[lambda model, history: seen.append(len(history))],
                resume=True, checkpoint_every=3)  # fmt: skip
    assert again == expected
    assert seen == [7, 8]
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_fit_resumed_after_early_stopping_does_not_continue(tmp_path: Path) -> None:
    """Resuming returns the same history and the best weights."""
    path = tmp_path / "run.json"
    options: dict[str, Any] = {"patience": 1, "min_delta": 1e9}
    ended = run(path, 50, **options)
    assert len(ended[0]) == 2
    assert run(path, 50, resume=True, **options)[:2] == ended[:2]


# Other runs --------------------------------------------------------------------------------------


def doubled_squares(predictions: list[Any], targets: list[float]) -> Any:
    """Return twice the squared error."""
    return mean_squares(predictions, targets) * 2.0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch_size", {"batch_size": 3}),
        ("loss", {"loss": doubled_squares}),
        ("loss", {"loss": HuberLoss(delta=2.0)}),
        ("regularizer", {"regularizer": l2_penalty}),
        ("scheduler", {"scheduler": None}),
        ("seed", {"seed": 1}),
        ("patience", {"patience": 3}),
        ("training examples", {"validation_split": 0.5}),
        ("missing", {"model": linear()}),
    ],
)
def test_fit_resume_names_a_different_setting(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """Another setting, and weights that do not fit the model."""
    run(tmp_path / "run.json", 2)
    with pytest.raises(StateError, match=name):
        run(tmp_path / "run.json", 4, resume=True, **options)


def resume_run(
    path: Path,
    epochs: int,
    *,
    rate: float = 0.1,
    gamma: float | None = 0.9,
    xs: Any = INPUTS,
    ys: Any = TARGETS,
    loss: Any = mse_loss,
    kind: Any = SGD,
) -> Any:
    """Resume with an optimizer and a schedule of scalargrad."""
    model = linear()
    optimizer = kind(model.parameters(), lr=rate)
    schedule = None if gamma is None else ExponentialLR(optimizer, gamma)
    options: dict[str, Any] = {"checkpoint": path, "resume": True, "quiet": True}
    options |= {"loss": loss, "optimizer": optimizer, "scheduler": schedule}
    fit(model, xs, [[y] for y in ys], epochs=epochs, **options)
    return model.state_dict(), optimizer.state_dict()


def test_fit_resume_compares_the_initial_learning_rate(tmp_path: Path) -> None:
    """A rate that a scheduler has changed is not a difference."""
    resume_run(tmp_path / "parts", 3)
    assert resume_run(tmp_path / "parts", 6) == resume_run(tmp_path / "whole", 6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lr was 0.1 and is 0.2", {"rate": 0.2}),
        ("scheduler", {"gamma": 0.8}),
        ("optimizer", {"kind": Adam}),
        ("examples", {"xs": [[1.0, 2.0], *INPUTS[1:]]}),
        ("examples", {"ys": [2.0, *TARGETS[1:]]}),
        ("loss", {"loss": lambda p, t: mse_loss(p, t) * 2.0}),
    ],
)
def test_fit_resume_names_another_rate_scheduler_or_data(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """The error has both values."""
    resume_run(tmp_path / "run.json", 2)
    with pytest.raises(StateError, match=name):
        resume_run(tmp_path / "run.json", 4, **options)


# Files -------------------------------------------------------------------------------------------


class Proportional(Module):
    """A module that overrides `parameters`, as in micrograd."""

    def __init__(self, number: Any) -> None:
        self.factor = number(0.5)

    def parameters(self) -> list[Any]:
        """Return the factor."""
        return [self.factor]

    def forward(self, x: Any) -> Any:
        """Return the prediction."""
        return self.factor * x


@pytest.mark.parametrize("options", [{"checkpoint": "run.json"}, {"patience": 1}])
def test_fit_refuses_to_checkpoint_values_that_are_not_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """A run resumed without them would start again with the optimizer state of another model."""
    monkeypatch.chdir(tmp_path)
    for number in Value, Parameter:
        model = Proportional(number)
        train = partial(fit, model, [1.0, 2.0], [2.0, 4.0], loss=mean_squares, quiet=True, epochs=2,
                        validation_data=([1.0], [2.0]), **options)  # fmt: skip
        optimizer = SGD(model.parameters(), lr=0.1)
        if number is Parameter:
            assert train(optimizer=optimizer)["loss"]
        else:
            with pytest.raises(StateError, match="Parameter"):
                train(optimizer=optimizer)
            assert model.factor.data == 0.5


def test_fit_refuses_to_checkpoint_parameters_outside_the_model(tmp_path: Path) -> None:
    """A resumed run would start from their initial values again."""
    model, offset = Proportional(Parameter), Parameter(1.0)

    def loss(predictions: Any, targets: Any) -> Any:
        return mean_squares([p + offset for p in predictions], targets)

    path = tmp_path / "run.json"
    with pytest.warns(TrainingWarning), pytest.raises(StateError, match="1 of the 2"):
        fit(model, [1.0, 2.0], [2.0, 4.0], loss=loss, optimizer=SGD([model.factor, offset]),
            checkpoint=path, quiet=True)  # fmt: skip
    assert not path.exists()
    assert (model.factor.data, offset.data) == (0.5, 1.0)


def assert_resume_fails(path: Path) -> None:
    """Assert that resuming from a file raises an error of one line and changes nothing."""
    model = noisy_network()
    optimizer = Descent(model.parameters(), lr=0.05, momentum=0.9)
    random.seed(11)

    def state() -> Any:
        drops = [x.rng.getstate() for x in model.modules() if isinstance(x, Dropout) and x.rng]
        return copy.deepcopy((model.state_dict(), optimizer.state_dict(), random.getstate(), drops))

    before = state()
    with pytest.raises(StateError, match=r"^[^\n]*run\.json[^\n]*$"):
        run(path, 4, model, optimizer=optimizer, patience=5, resume=True)
    assert state() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: "[" * 100_000,
        lambda text: json.dumps({"format": "other 9", "state": 1}),
        lambda text: json.dumps({"format": json.loads(text)["format"]}),
        lambda text: json.dumps({**json.loads(text), "state": [1.0]}),
    ],
    ids=["half", "empty", "a list", "bottomless", "another format", "no state", "another state"],
)
def test_fit_resume_from_a_damaged_file_names_it(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    """For any content of the file, the error names it."""
    path = tmp_path / "run.json"
    run(path, 2, patience=5)
    path.write_text(damage(path.read_text()))
    assert_resume_fails(path)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r'"step", \d+', '"step", "3"'),
        (r'"step", \d+', f'"step", 1{"0" * 400}'),
        (r'"last_epoch", \d+', '"last_epoch", -1'),
        (r'"val_loss", [^]]+', f'"val_loss", 1{"0" * 400}'),
        (r'"best_epoch", \d+', '"best_epoch", 9'),
        (r'("best_state", .*"\S*bias", )[^]]+', r'\1["a"'),
        (r'("rng", \[\{"tuple": \[)3', r"\g<1>7"),
    ],
    ids=lambda x: x[:20],
)
def test_fit_resume_from_a_file_with_one_bad_number_changes_nothing(
    tmp_path: Path, pattern: str, replacement: str
) -> None:
    """Every number is checked before any part changes, including the best state."""
    path = tmp_path / "run.json"

    def prepare_run(epochs: int, model: Module, **options: Any) -> Any:
        adam = Adam(model.parameters())
        options |= {"optimizer": adam, "scheduler": ExponentialLR(adam, 0.5), "patience": 5}
        return adam, lambda: run(path, epochs, model, **options)

    prepare_run(2, noisy_network())[1]()
    text = path.read_text()
    damaged = re.sub(pattern, replacement, text)
    assert damaged != text
    path.write_text(damaged)
    model = noisy_network()
    adam, resume_run = prepare_run(4, model, resume=True)
    before = copy.deepcopy((model.state_dict(), adam.state_dict()))
    with pytest.raises(StateError, match=r"^[^\n]*run\.json[^\n]*$"):
        resume_run()
    assert (model.state_dict(), adam.state_dict()) == before


@pytest.mark.parametrize("file", ["nowhere/a.json", ".", "file/a.json"])
def test_fit_checks_the_checkpoint_path_before_training(tmp_path: Path, file: str) -> None:
    """A missing folder, a folder in place of the file, and a file in place of a folder."""
    (tmp_path / "file").write_text("")
    calls: list[int] = []

    def recording(predictions: list[Any], targets: list[float]) -> Any:
        calls.append(1)
        return mean_squares(predictions, targets)

    with pytest.raises(StateError, match="checkpoint"):
        run(tmp_path / file, 2, loss=recording)
    assert not calls


def test_fit_error_of_a_full_disk_has_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error at the third checkpoint has three epochs, and the model has their weights."""
    expected = run(tmp_path / "whole", 3)
    writes: list[int] = []
    usual = Path.open

    def full(path: Path, *args: Any, **kwargs: Any) -> Any:
        writes.append(1)
        if len(writes) == 3:
            raise OSError(28, "No space left on device", str(path))
        return usual(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    model = noisy_network()
    with pytest.raises(StateError, match=r"space.*run\.json") as caught:
        run(tmp_path / "run.json", 9, model)
    history: Any = caught.value.history
    assert history.rows == expected[0].rows
    assert model.state_dict() == expected[1]
