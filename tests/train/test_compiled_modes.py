"""Which steps are taken as programs, and what happens when a run is stopped between them."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, detect_anomaly, mean, tanh
from scalargrad.errors import TraceError
from scalargrad.losses import (
    mse_loss,
)
from scalargrad.nn import MLP, Dropout, Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import CosineAnnealingLR
from scalargrad.train import fit
from scalargrad.train.carried import Carried
from scalargrad.train.compiled import Compiled

from .alike import HEIGHTS, OPTIMIZERS, Made, assert_alike, trained
from .helpers import Descent


class Counting(Module):
    """A model that remembers how often it was called."""

    def __init__(self) -> None:
        self.weight, self.calls = Parameter(0.5), 0

    def forward(self, x: Any) -> Any:
        """Compute."""
        self.calls += 1
        return [self.weight * x[0] / self.calls]


class Turned(Module):
    """A model that takes every other example as it is: it is as before after two."""

    def __init__(self) -> None:
        self.weight, self.is_odd = Parameter(0.5), False

    def forward(self, x: Any) -> Any:
        """Compute."""
        self.is_odd = not self.is_odd
        return [self.weight * x[0] * (1.0 if self.is_odd else 0.5)]


class Logging(Module):
    """A model that notes its calls, and counts the notes."""

    def __init__(self) -> None:
        self.weight, self.notes = Parameter(0.5), [0.0]

    def forward(self, x: Any) -> Any:
        """Compute."""
        self.notes.append(1.0)
        return [self.weight * x[0] / len(self.notes)]


class Caching(Module):
    """A model that makes plain numbers at its first call, and reads them at all others."""

    def __init__(self) -> None:
        self.weight, self.table = Parameter(0.5), dict[int, list[float]]()
        self.factor: float | None = None

    def forward(self, x: Any) -> Any:
        """Compute."""
        if self.factor is None:
            self.factor = 0.75
        if len(x) not in self.table:
            self.table[len(x)] = [0.5 + i for i in range(len(x))]
        return [self.weight * self.factor * x[0] * self.table[len(x)][1]]


class Recurrent(Module):
    """A model with a state that goes on from example to example, without its gradient."""

    def __init__(self) -> None:
        self.weight, self.state = Parameter(0.5), Value(0.1)

    def forward(self, x: Any) -> Any:
        """Compute."""
        found = tanh(self.weight * x[0] + self.state)
        self.state = found.detach()
        return [found * (2.0 if found.data > 0 else 1.0)]


class Turning(Module):
    """A model that takes its factors from an iterator."""

    def __init__(self) -> None:
        self.weight, self.turns = Parameter(0.5), itertools.cycle([0.5, 0.7, 0.9])

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.weight * x[0] * next(self.turns)]


class Hidden(SGD):
    """An optimiser whose options are hidden in a closure."""

    def rule(self, group: Any) -> Any:
        """Return a rule."""
        return lambda p, grad, velocity: (p - group["lr"] * grad, velocity)


class Layerwise(SGD):
    """An optimiser whose rate depends on the size of the weights, as that of LARS does."""

    def rule(self, group: Any) -> Any:
        """Return a rule."""
        size = math.hypot(*[p.data for p in group["params"]])
        return super().rule({**group, "lr": group["lr"] / size})


class Noisy(SGD):
    """An optimiser that does something of its own."""

    def step(self, closure: Any = None) -> Any:
        """Move on."""
        return super().step(closure)


class Choosing(SGD):
    """An optimiser that has fewer gradients clipped than it takes."""

    def active_parameters(self) -> list[Any]:
        """Return some."""
        return super().active_parameters()[:3]


class Ramped(SGD):
    """An optimiser that looks at a parameter where its options are read."""

    @property
    def param_groups(self) -> Any:
        """The groups, with a rate that follows a weight."""
        for group in self.groups:
            group["lr"] = 0.1 / (1.0 + abs(group["params"][0].data))
        return self.groups

    @param_groups.setter
    def param_groups(self, groups: Any) -> None:
        self.groups = groups


def _clipping_none(parameters: list[Any]) -> SGD:
    optimizer = SGD(parameters)
    vars(optimizer)["active_parameters"] = list
    return optimizer


_generator = np.random.RandomState(4)


def _noise(predictions: list[Any], targets: list[Any]) -> Any:
    return mse_loss(predictions, targets) * _generator.uniform(0.9, 1.1)


_seen: list[int] = []


def _spying(predictions: list[Any], targets: list[Any]) -> Any:
    _seen.append(len(predictions))
    return mse_loss(predictions, targets)


_outside, _further = Parameter(0.5, "scale"), Parameter(0.1, "shift")


EAGER: dict[str, tuple[str, dict[str, Any]]] = {
    "another optimiser": ("not a scalargrad.optim.Optimizer", {"optimizer": Descent}),
    "a step of its own": ("Noisy has its own step", {"optimizer": Noisy}),
    "a rule of its own": ("Hidden has its own rule", {"optimizer": Hidden}),
    "a rate by the weights": ("Layerwise has its own rule", {"optimizer": Layerwise}),
    "gradients of its own choice": (
        "Choosing has its own active_parameters",
        {"optimizer": Choosing, "clip_grad_norm": 0.01},
    ),
    "groups of its own": ("Ramped has its own param_groups", {"optimizer": Ramped}),
    "a method of the object's": (
        "SGD has its own active_parameters",
        {"optimizer": _clipping_none, "clip_grad_norm": 0.01},
    ),
    "a counter": ("changes Counting.calls", {"make": Counting}),
    "a flag": ("changes at each call what it reads", {"make": Turned, "batch_size": 2}),
    "a list": ("changes the global _seen", {"loss": _spying}),
    "a log": ("changes Logging.notes", {"make": Logging}),
    "a state": (r"\.data was read", {"make": Recurrent}),
    "an iterator": (
        "which a program could not advance",
        {"make": Turning, "optimizer": partial(SGD, lr=0.01)},
    ),
    "a table": (
        "set or a dict",
        {"loss": lambda p, y: mse_loss(p, y) * (2.0 if y[0][0] in {t for (t,) in HEIGHTS} else 1)},
    ),
    "a type": (
        "more than numbers and shapes",
        {"loss": lambda p, y: mse_loss(p, y) * (2.0 if isinstance(y[0][0], float) else 1.0)},
    ),
    "the type of a later example": (
        "more than numbers and shapes",
        {
            "loss": lambda p, y: mse_loss(p, [[t * (1 + isinstance(t, int))] for (t,) in y]),
            "targets": [*HEIGHTS[:-1], [1]],
            "shuffle": False,
        },
    ),
    "noise": ("random number was drawn", {"loss": _noise}),
    "a stranger": (
        "the step reads scale, which neither the model nor the optimiser has",
        {"loss": lambda p, y: mse_loss(p, y) * _outside + _further},
    ),
    "data": (r"\.data was read", {"loss": lambda p, y: mse_loss(p, y) * p[0][0].data}),
    "text": ("not all nested alike", {"targets": [[1.0, 2.0], *HEIGHTS[1:]],
                                      "loss": lambda p, y: mean([x[0] for x in p])}),
    "Values": ("holds Values", {"targets": [[Parameter(y)] for (y,) in HEIGHTS]}),
}  # fmt: skip


@pytest.mark.parametrize(("reason", "options"), EAGER.values(), ids=EAGER.keys())
@pytest.mark.usefixtures("early")
def test_what_cannot_be_recorded_is_trained_eagerly(
    reason: str, options: dict[str, Any], steps: list[int]
) -> None:
    """By itself fit goes on eagerly, every number the same; with jit=True it says why."""

    def run(jit: bool | None) -> Made:
        _generator.seed(7)
        return trained(jit, **{"optimizer": partial(SGD, lr=0.1), **options})

    found, expected = run(None), run(False)
    assert found[0].rows == expected[0].rows
    assert found[1] == expected[1]
    assert steps == []
    with pytest.raises(TraceError, match=reason):
        run(True)


def test_a_cache_that_the_first_step_fills_is_recorded(steps: list[int]) -> None:
    """The trial leaves it empty; a second recording tells it from a log, which is refused."""
    found = trained(True, Caching, validation_split=0.3)
    assert len(steps) > 0
    assert_alike(found, trained(False, Caching, validation_split=0.3))


@pytest.mark.usefixtures("early")
def test_what_could_not_be_recorded_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One refusal is enough: each try takes as long as recording."""
    tried: list[Carried] = []
    usual = Carried.load

    def noting(carried: Carried) -> None:
        tried.append(carried)
        usual(carried)

    monkeypatch.setattr(Carried, "load", noting)
    options: dict[str, Any] = EAGER["data"][1]
    trained(None, **{"optimizer": partial(SGD, lr=0.1), **options})
    assert len(tried) == 1


@pytest.mark.usefixtures("early")
def test_by_itself_fit_starts_eagerly_and_goes_on_compiled(steps: list[int]) -> None:
    """Each size of batch has its own warm-up; evaluation follows the steps."""
    found = trained(None, validation_split=0.3, patience=50)
    assert sorted(steps) == [2] * 2 + [4] * 8
    assert_alike(found, trained(False, validation_split=0.3, patience=50))


def test_short_runs_stay_eager(steps: list[int]) -> None:
    """Where starting the compiler would take longer than training, nothing is recorded."""
    found = trained(None)
    assert steps == []
    assert found == trained(False)


def test_two_runs_of_one_script_agree_to_the_last_bit() -> None:
    """What is recorded, and when, follows from the script alone."""
    assert trained(True, optimizer=OPTIMIZERS["adam"]) == trained(
        True, optimizer=OPTIMIZERS["adam"]
    )


@pytest.mark.parametrize("jit", [None, True])
@pytest.mark.parametrize("torn", [1, 2, 5])
@pytest.mark.usefixtures("early")
def test_a_resumed_run_equals_one_never_stopped(
    jit: bool | None, torn: int, tmp_path: Path, steps: list[int]
) -> None:
    """To the last bit, whether it was stopped before or after programs took over."""

    def make() -> Module:
        return Sequential(Linear(2, 4, rng=1), Dropout(0.2, rng=4), Tanh(), Linear(4, 1, rng=2))

    def run(path: Path, epochs: int) -> Made:
        return trained(jit, make, OPTIMIZERS["momentum"], validation_split=0.3, patience=50,
                       schedule=partial(CosineAnnealingLR, T_max=9), checkpoint=path,
                       epochs=epochs, resume=True)  # fmt: skip

    whole, parts = tmp_path / "whole.json", tmp_path / "parts.json"
    expected = run(whole, 8)
    taken = len(steps)
    run(parts, torn)
    assert run(parts, 8) == expected
    assert len(steps) == 2 * taken > 0
    assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.usefixtures("early")
def test_an_eager_run_resumes_eagerly(tmp_path: Path, steps: list[int]) -> None:
    """What could not be recorded is not tried again."""
    options: dict[str, Any] = {"make": Counting, "checkpoint": tmp_path / "run.json"}
    trained(None, **options)
    _, data, *_ = trained(None, epochs=8, resume=True, **options)
    assert steps == []
    assert all(map(math.isfinite, data))


@pytest.mark.usefixtures("pythons_handler")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_leaves_what_whole_steps_have_made(
    presses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed in step 10, model and state are those after 10 steps; pressed twice, after 9."""
    usual, runs = Compiled.step, []

    def pressing(compiled: Compiled, rows: Any) -> Any:
        runs.append(len(rows))
        for _ in range(presses if len(runs) == 10 else 0):
            signal.raise_signal(signal.SIGINT)
        return usual(compiled, rows)

    monkeypatch.setattr(Compiled, "step", pressing)
    found = trained(True, optimizer=OPTIMIZERS["adam"], batch_size=4, epochs=6)
    monkeypatch.undo()
    assert (len(found[0]), found[0].stopped) == (2, "interrupted")

    taken: list[int] = []

    def ending(predictions: list[Any], targets: list[Any]) -> Any:
        taken.append(len(targets))
        if len(taken) == 12 - presses:
            raise KeyboardInterrupt
        return mse_loss(predictions, targets)

    expected = trained(False, optimizer=OPTIMIZERS["adam"], batch_size=4, epochs=6, loss=ending)
    assert_alike(found, expected)


def test_under_detect_anomaly_steps_are_eager(steps: list[int]) -> None:
    """It looks at every gradient on the way, which a program does not have."""
    with detect_anomaly():
        trained(True, validation_split=0.3)
    assert steps == []


_WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.train import fit
line = Linear(1, 1, rng=0)
for jit in (None, True):
    print(fit(line, [[1.0]], [[2.0]], loss=mse_loss, optimizer=SGD(line.parameters(), lr=0.1),
              epochs=2, quiet=True, jit=jit).stopped)
"""


def test_without_numpy_fit_is_eager_and_a_program_an_error() -> None:
    """The base installation trains; jit=True names what to install."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_NUMPY], capture_output=True, text=True, check=False
    )
    assert done.stdout == "all epochs done\n"
    assert "MissingPackageError: jit=True needs numpy: python -m pip install numpy" in done.stderr


@pytest.mark.long
def test_a_large_batch_is_recorded_at_once(tmp_path: Path, steps: list[int]) -> None:
    """Also where more epochs follow than were asked for first: the bits are those of one run."""

    def run(path: Path, epochs: int) -> Made:
        return trained(
            None, lambda: MLP(2, [150, 150, 1], rng=1), partial(SGD, lr=1e-9),
            checkpoint=path, epochs=epochs, resume=True, batch_size=5,
        )  # fmt: skip

    expected = run(tmp_path / "whole.json", 3)
    assert steps == [5, 5, 4] * 3
    run(tmp_path / "parts.json", 1)
    assert run(tmp_path / "parts.json", 3) == expected


def test_sparse_examples_meet_too_few_weights_to_be_recorded_at_once(steps: list[int]) -> None:
    """However many weights there are: recording each example would take longer than its step."""
    words = [{3: 1.0, 40_000: 2.0}, {5: 1.0}, {7: -1.0}]
    model = Linear(100_000, 1, rng=0)
    fit(
        model, words, [[1.0], [2.0], [3.0]], loss=mse_loss, epochs=2, batch_size=1, quiet=True,
        optimizer=SGD(model.parameters(), lr=1e-3),
    )  # fmt: skip
    assert steps == []
