"""Checkpoints, and runs that go on from them."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import Parameter, Value, drawn
from scalargrad.errors import StateError, TrainingWarning
from scalargrad.losses import HuberLoss, l2_penalty, mse_loss
from scalargrad.nn import Dropout, Linear, Module
from scalargrad.optim import SGD, Adam
from scalargrad.optim.lr_scheduler import ExponentialLR
from scalargrad.train import History, fit
from scalargrad.train.checkpoint import load_checkpoint, save_checkpoint

from .helpers import INPUTS, TARGETS, Descent, Halving, linear, noisy, squares, within


def run(folder: Path, epochs: int, model: Module | None = None, **options: Any) -> Any:
    """Train a network with dropout, momentum, a schedule and held-out data."""
    random.seed(11)
    model = model or noisy()
    optimizer = Descent(model.parameters(), lr=0.05, momentum=0.9)
    history = fit(
        model,
        INPUTS,
        TARGETS,
        **{
            "loss": squares,
            "optimizer": optimizer,
            "scheduler": Halving(optimizer),
            "epochs": epochs,
            "batch_size": 2,
            "validation_split": 0.3,
            "metrics": [within],
            "gradient_tolerance": 0.0,
            "checkpoint": folder / "run.json",
            "quiet": True,
            **options,
        },
    )
    return history, model.state_dict(), optimizer.state_dict(), random.random()


@pytest.mark.parametrize("options", [{}, {"patience": 20}, {"batch_size": None, "shuffle": False}])
def test_a_resumed_run_equals_one_never_stopped_bit_for_bit(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """History, weights, momentum, rate and every generator agree exactly."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    expected = run(whole, 8, **options)
    run(halves, 5, **options)
    assert run(halves, 8, resume=True, **options) == expected
    assert (whole / "run.json").read_bytes() == (halves / "run.json").read_bytes()


class Proportional(Module):
    """A factor that its own `parameters` returns, as in micrograd."""

    def __init__(self, number: Any) -> None:
        self.factor = number(0.5)

    def parameters(self) -> list[Any]:
        """Return it."""
        return [self.factor]

    def forward(self, x: Any) -> Any:
        """Return the prediction."""
        return self.factor * x


@pytest.mark.parametrize("options", [{"checkpoint": "run.json"}, {"patience": 1}])
def test_numbers_that_no_checkpoint_would_hold_are_refused_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """A run resumed without them would start anew, with the optimiser's state of another model."""
    monkeypatch.chdir(tmp_path)
    for number in Value, Parameter:
        model = Proportional(number)
        train = partial(fit, model, [1.0, 2.0], [2.0, 4.0], loss=squares, quiet=True, epochs=2)
        given = {"validation_data": ([1.0], [2.0]), **options}
        if number is Parameter:
            assert train(optimizer=SGD(model.parameters(), lr=0.1), **given)["loss"]
        else:
            with pytest.raises(StateError, match=r"Parameter\(0\.5\), not Value\(0\.5\)"):
                train(optimizer=SGD(model.parameters(), lr=0.1), **given)
            assert model.factor.data == 0.5


def test_parameters_beside_the_models_are_refused_with_a_checkpoint(tmp_path: Path) -> None:
    """A resumed run would begin with their first numbers again."""
    model, offset = Proportional(Parameter), Parameter(1.0)

    def loss(predictions: Any, targets: Any) -> Any:
        return squares([p + offset for p in predictions], targets)

    path = tmp_path / "run.json"
    with (
        pytest.warns(TrainingWarning, match="1 of the 2 parameters"),
        pytest.raises(
            StateError, match=r"1 of the 2 .* Parameter\(data=1\.0.* attributes of the m"
        ),
    ):
        fit(model, [1.0, 2.0], [2.0, 4.0], loss=loss, optimizer=SGD([model.factor, offset]),
            checkpoint=path, quiet=True)  # fmt: skip
    assert not path.exists()
    assert (model.factor.data, offset.data) == (0.5, 1.0)


class Centred(Module):
    """A factor of inputs from which their running mean is subtracted."""

    def __init__(self) -> None:
        self.factor, self.mean = Parameter(0.5), Parameter(0.0)

    def forward(self, x: Any) -> Any:
        """Return the prediction; while training, move the mean."""
        if self.training:
            self.mean.data += 0.1 * (x - self.mean.data)
        return self.factor * (x - self.mean.data)


def test_a_running_mean_that_is_a_parameter_is_resumed(tmp_path: Path) -> None:
    """Bit for bit, and the optimiser, which finds no gradient there, leaves it alone."""

    def loss_after(epochs: int, **options: Any) -> tuple[float, float]:
        model = Centred()
        sgd = SGD(model.parameters(), lr=0.05)
        given = {"loss": squares, "optimizer": sgd, "epochs": epochs, "quiet": True, **options}
        history = fit(model, [1.0, 2.0, 4.0], [2.0, 4.0, 8.0], **given)
        return history["loss"][-1], model.mean.data

    kept = {"checkpoint": tmp_path / "run.json", "resume": True}
    loss_after(3, **kept)
    assert loss_after(6, **kept) == loss_after(6)


def test_a_resumed_run_with_nothing_left_to_do_says_so(tmp_path: Path) -> None:
    """It was interrupted after more epochs than are asked for now."""

    def interrupt(_: Any, history: History) -> None:
        if len(history) == 4:
            raise KeyboardInterrupt

    history, *_ = run(tmp_path, 8, callbacks=[interrupt])
    assert history.stopped == "interrupted"
    history, *_ = run(tmp_path, 2, resume=True)
    assert (len(history), history.stopped) == (3, "all epochs done")


_global = np.random.default_rng(5)


class Shaken(Linear):
    """Adds noise, by a generator of NumPy's that it holds in a list, to what it computes."""

    def __init__(self, source: Any) -> None:
        super().__init__(2, 1, rng=1)
        self.sources = [source]

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = super().forward(x)
        return [y[0] + drawn(self.sources[0].normal) + drawn(_global.random)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.default_rng(3),
        lambda: np.random.RandomState(3),
        lambda: np.random.Generator(np.random.MT19937(3)),
        lambda: np.random.Generator(np.random.Philox(3)),
        lambda: np.random.Generator(np.random.SFC64(3)),
    ],
)
@pytest.mark.parametrize("jit", [False, True])
def test_numpys_generators_go_on_where_they_stood(tmp_path: Path, make: Any, jit: bool) -> None:
    """Those that a module holds, however deep, and those that its code names."""

    def trained(path: Path, epochs: int) -> Any:
        _global.bit_generator.state = np.random.default_rng(5).bit_generator.state
        model = Shaken(make())
        return run(path, epochs, model, optimizer=SGD(model.parameters(), lr=0.05), jit=jit,
                   scheduler=None, resume=True)  # fmt: skip

    (tmp_path / "parts").mkdir()
    expected = trained(tmp_path, 6)
    trained(tmp_path / "parts", 2)
    assert trained(tmp_path / "parts", 6) == expected


def test_a_run_torn_apart_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    """An error in epoch 6 loses nothing but the epochs since the last checkpoint, at 4."""
    (tmp_path / "whole").mkdir()
    expected = run(tmp_path / "whole", 8, checkpoint_every=2)

    def tear(model: Module, history: History) -> None:
        if len(history) == 6:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(tmp_path, 8, callbacks=[tear], checkpoint_every=2)
    assert len(load_checkpoint(tmp_path / "run.json")["history"]["rows"]) == 4
    assert run(tmp_path, 8, resume=True, checkpoint_every=2) == expected


def test_without_a_file_a_resumed_run_starts_from_scratch(tmp_path: Path) -> None:
    """resume=True may stand in a script from its first run on."""
    (tmp_path / "other").mkdir()
    assert run(tmp_path, 3, resume=True) == run(tmp_path / "other", 3)


def test_a_run_that_early_stopping_ended_does_not_go_on(tmp_path: Path) -> None:
    """Resuming gives back the same history and the best weights."""
    options: dict[str, Any] = {"patience": 1, "min_delta": 1e9}
    ended = run(tmp_path, 50, **options)
    assert len(ended[0]) == 2
    again = run(tmp_path, 50, resume=True, **options)
    assert again[:2] == ended[:2]


def test_checkpoints_come_as_often_as_asked_and_at_the_end(tmp_path: Path) -> None:
    """With one every third epoch of seven, the file holds 3, 6 and at last 7 epochs."""
    found: list[int] = []

    def look(model: Module, history: History) -> None:
        path = tmp_path / "run.json"
        found.append(len(load_checkpoint(path)["history"]["rows"]) if path.exists() else 0)

    run(tmp_path, 7, callbacks=[look], checkpoint_every=3)
    assert found == [0, 0, 0, 3, 3, 3, 6]
    assert len(load_checkpoint(tmp_path / "run.json")["history"]["rows"]) == 7


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    """Other options than those of the run that wrote the file are an error that shows both."""
    run(tmp_path, 2)
    with pytest.raises(StateError, match=r"differs from this one: batch_size was 2 and is 3\."):
        run(tmp_path, 4, resume=True, batch_size=3)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    """Weights that do not fit the model are an error that lists them."""
    run(tmp_path, 2)
    with pytest.raises(StateError, match="missing"):
        run(tmp_path, 4, linear(), resume=True)


def other(predictions: list[Any], targets: list[float]) -> Any:
    """Return twice the squared error."""
    return squares(predictions, targets) * 2.0


def count(predictions: list[Any], targets: list[float]) -> float:
    """Return how many examples there are."""
    return float(len(targets))


DIFFERENT: list[tuple[dict[str, Any], str]] = [
    ({"loss": other}, r"loss was squares #\w+ and is other #\w+"),
    ({"loss": HuberLoss(delta=2.0)}, r"and is HuberLoss\(reduction='mean', delta=2.0\)"),
    ({"regularizer": l2_penalty}, "regularizer was None and is l2_penalty"),
    ({"metrics": [within, count]}, r"metrics was within=.*count=count"),
    ({"metrics": []}, r"metrics was within=within #\w+ and is "),
    ({"scheduler": None}, "scheduler was Halving and is None"),
    ({"seed": 1}, "the training examples are others.*seed was 0 and is 1"),
    ({"shuffle": False}, "shuffle was True and is False"),
    ({"gradient_tolerance": None}, "gradient_tolerance was True and is False"),
    ({"patience": 3}, "patience was False and is True"),
    ({"validation_split": 0.5}, "number of examples was 4 and is 3"),
]


@pytest.mark.parametrize(("options", "message"), DIFFERENT)
def test_what_differs_from_the_run_is_named(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """And nothing is changed."""
    run(tmp_path, 2)
    with pytest.raises(StateError, match=message):
        run(tmp_path, 4, resume=True, **options)


def resumed(
    folder: Path,
    epochs: int,
    *,
    rate: float = 0.1,
    gamma: float | None = 0.9,
    xs: Any = INPUTS,
    ys: Any = TARGETS,
    loss: Any = mse_loss,
    kind: Any = SGD,
) -> Any:
    """Go on, with an optimiser and a schedule of this package."""
    model = linear()
    optimizer = kind(model.parameters(), lr=rate)
    schedule = None if gamma is None else ExponentialLR(optimizer, gamma)
    options: dict[str, Any] = {"checkpoint": folder / "run.json", "resume": True, "quiet": True}
    options |= {"loss": loss, "optimizer": optimizer, "scheduler": schedule}
    fit(model, xs, [[y] for y in ys], epochs=epochs, **options)
    return model.state_dict(), optimizer.state_dict()


def test_the_rate_that_a_schedule_has_changed_is_no_difference(tmp_path: Path) -> None:
    """What counts is the rate at the beginning."""
    (tmp_path / "whole").mkdir()
    resumed(tmp_path, 3)
    assert resumed(tmp_path, 6) == resumed(tmp_path / "whole", 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.2}, r"one: lr was 0\.1 and is 0\.2\. Give"),
        (
            {"gamma": 0.8},
            r"scheduler was ExponentialLR\(gamma=0\.9\) and is ExponentialLR\(gamma=0",
        ),
        ({"gamma": None}, r"scheduler was ExponentialLR\(gamma=0\.9\) and is None"),
        ({"kind": Adam}, "optimizer was SGD and is Adam, betas was None"),
        ({"xs": [[1.0, 2.0], *INPUTS[1:]]}, "one: the training examples are others"),
        ({"ys": [2.0, *TARGETS[1:]]}, "one: the training examples are others"),
        ({"xs": INPUTS[1:], "ys": TARGETS[1:]}, "number of examples was 6 and is 5"),
        ({"loss": partial(mse_loss, reduction="sum")}, r"is mse_loss\(reduction=sum\)"),
        ({"loss": lambda p, t: mse_loss(p, t) * 2.0}, r"<lambda> #\w+"),
    ],
)
def test_another_rate_schedule_or_data_is_named(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """With both numbers."""
    resumed(tmp_path, 2)
    with pytest.raises(StateError, match=message):
        resumed(tmp_path, 4, **options)


def test_two_lambdas_are_told_apart(tmp_path: Path) -> None:
    """By the constants in them."""
    resumed(tmp_path, 2, loss=lambda p, t: mse_loss(p, t) * 2.0)
    resumed(tmp_path, 3, loss=lambda p, t: mse_loss(p, t) * 2.0)
    with pytest.raises(StateError, match=r"loss was .*<lambda>"):
        resumed(tmp_path, 4, loss=lambda p, t: mse_loss(p, t) * 3.0)


MISFITS: dict[str, tuple[str, Any]] = {
    "history": ("history", {"weights": 1}),
    "rows": ("history", {"rows": [{"loss": "x"}], "stopped": "", "best_epoch": None}),
    "random": ("random", 3),
    "rng": ("rng", [(3, (), None)]),
    "rngs": ("rng", []),
    "huge rng": ("rng", [(3, (10**30,) * 625, None)] * 3),
    "optimizer": ("optimizer", {}),
    "model": ("model", {"0.weight": [[1.0]]}),
    "huge": ("model", {"0.weight": 10**400}),
    "ended": ("ended", "yes"),
    "warm_up": ("warm_up", "soon"),
    "patience": ("patience", {"best_loss": "x", "best_epoch": 1, "best_state": None}),
    "epoch": ("patience", {"best_loss": 1.0, "best_epoch": -1, "best_state": None}),
    "best": ("patience", {"best_loss": 1.0, "best_epoch": 1, "best_state": {"0.weight": 1.0}}),
}


@pytest.mark.parametrize(("part", "content"), MISFITS.values(), ids=MISFITS.keys())
def test_a_checkpoint_without_a_runs_state_changes_nothing(
    tmp_path: Path, part: str, content: Any
) -> None:
    """A file of the right format, part of which was exchanged: model, optimiser and draws stay."""
    run(tmp_path, 2, patience=5)
    path = tmp_path / "run.json"
    save_checkpoint(path, {**load_checkpoint(path), part: content})
    model = noisy()
    optimizer = Descent(model.parameters(), lr=0.05, momentum=0.9)
    random.seed(5)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), random.getstate()))
    generators = [x.rng.getstate() for x in model.modules() if isinstance(x, Dropout) and x.rng]
    with pytest.raises(StateError, match=r"^[^\n]*run\.json holds no state of this run[^\n]*$"):
        fit(
            model,
            INPUTS,
            TARGETS,
            loss=squares,
            optimizer=optimizer,
            scheduler=Halving(optimizer),
            batch_size=2,
            validation_split=0.3,
            metrics=[within],
            gradient_tolerance=0.0,
            patience=5,
            checkpoint=path,
            resume=True,
            quiet=True,
        )
    assert (model.state_dict(), optimizer.state_dict(), random.getstate()) == before
    again = [x.rng.getstate() for x in model.modules() if isinstance(x, Dropout) and x.rng]
    assert again == generators


def test_every_changed_digit_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    """Wherever a byte is lost, doubled or exchanged, the error is one line and nothing changes."""
    resumed(tmp_path, 2)
    path, rng = tmp_path / "run.json", random.Random(3)
    content = path.read_bytes()
    for _ in range(150):
        i = rng.randrange(len(content))
        new = rng.choice([b"", content[i : i + 1] * 2, b"7", b"]", b'"', b"e9", b"\xff"])
        if content[i : i + 1] in {b" ", new}:  # space between two parts says nothing
            continue
        path.write_bytes(content[:i] + new + content[i + 1 :])
        with pytest.raises(StateError, match=r"^[^\n]*run\.json[^\n]*$"):
            resumed(tmp_path, 4)


def test_a_checkpoint_that_cannot_be_written_is_found_before_the_first_step(
    tmp_path: Path,
) -> None:
    """No folder, a folder in its place, a file in the place of a folder."""
    (tmp_path / "file").write_text("")
    calls: list[int] = []

    def seeing(predictions: list[Any], targets: list[float]) -> Any:
        calls.append(1)
        return squares(predictions, targets)

    for path in (tmp_path / "nowhere" / "a.json", tmp_path, tmp_path / "file" / "a.json"):
        with pytest.raises(StateError, match="the checkpoint cannot be written"):
            run(tmp_path, 2, loss=seeing, checkpoint=path)
    assert not calls


def test_a_full_disk_leaves_the_history_and_what_was_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error at the third checkpoint has three epochs, and the model has their weights."""
    (tmp_path / "whole").mkdir()
    expected = run(tmp_path / "whole", 3)
    writes: list[int] = []
    usual = Path.open

    def full(path: Path, *args: Any, **kwargs: Any) -> Any:
        writes.append(1)
        if len(writes) == 3:
            raise OSError(28, "No space left on device", str(path))
        return usual(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    model = noisy()
    with pytest.raises(StateError, match=r"was not written: .*No space left.*run\.json") as caught:
        run(tmp_path, 9, model)
    history = caught.value.history
    assert isinstance(history, History)
    assert history.rows == expected[0].rows
    assert model.state_dict() == expected[1]


def test_a_file_that_cannot_be_read_is_a_state_error(tmp_path: Path) -> None:
    """A folder, say."""
    with pytest.raises(StateError, match="is not a checkpoint"):
        load_checkpoint(tmp_path)


def signed(text: str, state: Any) -> str:
    """Return a file with another content that has the digest it should have."""
    digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    return json.dumps({**json.loads(text), "state": state, "sha256": digest})


HOSTILE: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another format": lambda text: json.dumps({"format": "other 9", "state": 1}),
    "a list": lambda text: "[1, 2]",
    "no state": lambda text: json.dumps({"format": json.loads(text)["format"]}),
    "another number": lambda text: text.replace("2.5", "2.25"),
    "an unknown container": lambda text: signed(text, {"set": []}),
    "no dict": lambda text: signed(text, [1.0]),
    "two containers": lambda text: signed(text, {"dict": [], "tuple": []}),
    "a list for a key": lambda text: signed(text, {"dict": [[[], 1.0]]}),
    "bottomless": lambda text: "[" * 100_000,
    "an unhashable key": lambda text: text.replace(
        '"state": {"dict": [["', '"state": {"dict": [[[], "'
    ),
}


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE.keys())
def test_damaged_and_foreign_files_are_clear_errors(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    """Whatever the file holds, the error names it and says what to do."""
    path = tmp_path / "run.json"
    save_checkpoint(path, {"a": (1, 2.5)})
    path.write_text(damage(path.read_text()))
    with pytest.raises(StateError, match=r"run\.json is not a checkpoint.*start again without"):
        load_checkpoint(path)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_KEYS = st.integers() | st.text() | st.tuples(st.integers(), st.text())
_TREES = st.recursive(
    _LEAVES,
    lambda part: (
        st.lists(part) | st.lists(part).map(tuple) | st.dictionaries(_KEYS, part, max_size=3)
    ),
)


@given(state=st.dictionaries(st.text(), _TREES, max_size=4))
def test_what_is_saved_is_what_is_loaded(
    state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any nesting comes back equal, tuples as tuples and numbered keys as numbers."""
    path = tmp_path_factory.mktemp("states") / "state.json"
    save_checkpoint(path, state)
    assert repr(load_checkpoint(path)) == repr(state)


def test_infinities_and_nan_survive(tmp_path: Path) -> None:
    """Numbers that are not finite are saved too."""
    save_checkpoint(tmp_path / "a.json", {"x": [math.inf, -math.inf, math.nan, -0.0]})
    assert repr(load_checkpoint(tmp_path / "a.json")["x"]) == "[inf, -inf, nan, -0.0]"


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    """The error says where in the state the stranger stands, and no file appears."""
    with pytest.raises(StateError, match=r"state\['optimizer'\]\[0\] is of type object"):
        save_checkpoint(tmp_path / "a.json", {"optimizer": [object()]})
    assert not list(tmp_path.iterdir())
