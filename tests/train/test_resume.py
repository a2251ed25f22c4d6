"""Checkpoints, and runs that go on from them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad.errors import StateError
from scalargrad.nn import Module
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
    with pytest.raises(StateError, match=r"'batch_size': 2.*'batch_size': 3"):
        run(tmp_path, 4, resume=True, batch_size=3)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    """Weights that do not fit the model are an error that lists them."""
    run(tmp_path, 2)
    with pytest.raises(StateError, match="missing"):
        run(tmp_path, 4, linear(), resume=True)


@pytest.mark.parametrize(
    ("part", "content"),
    [("history", {"weights": 1}), ("random", 3), ("rng", [(3, (), None)]), ("optimizer", {})],
)
def test_a_checkpoint_without_a_runs_state_is_refused(
    tmp_path: Path, part: str, content: Any
) -> None:
    """A file of the right format whose parts were exchanged is a clear error."""
    run(tmp_path, 2)
    path = tmp_path / "run.json"
    save_checkpoint(path, {**load_checkpoint(path), part: content})
    with pytest.raises(StateError, match=r"run\.json holds no state of this run"):
        run(tmp_path, 4, resume=True)


HOSTILE: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another format": lambda text: json.dumps({"format": "other 9", "state": 1}),
    "a list": lambda text: "[1, 2]",
    "no state": lambda text: json.dumps({"format": json.loads(text)["format"]}),
    "an unknown container": lambda text: text.replace('{"dict"', '{"set"', 1),
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
