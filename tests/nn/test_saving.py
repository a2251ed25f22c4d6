"""Weights are saved as safetensors, atomically, and read back with suspicion."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad import StateError, nn


def model(seed: int = 0, hidden: int = 3) -> nn.Sequential:
    """Build 2 → 3 → 1."""
    first, last = nn.Linear(2, hidden, rng=seed), nn.Linear(hidden, 1, rng=seed + 1)
    return nn.Sequential(first, nn.ReLU(), last)


def craft(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    """Write a safetensors file by hand, after its specification."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_weights_come_back_to_the_last_bit(tmp_path: Path) -> None:
    """Another model of the same architecture then computes the same."""
    path = tmp_path / "model.safetensors"
    saved, loaded = model(0), model(7)
    nn.save_model(saved, path, metadata={"epoch": "12"})
    assert nn.load_model(loaded, path) == ([], [])
    assert loaded.state_dict() == saved.state_dict()
    header = nn.load_metadata(path)
    assert header["architecture"] == str(saved)
    assert header["epoch"] == "12"


def test_what_can_be_saved_is_read_as_it_was(tmp_path: Path) -> None:
    """Scalars, empty rectangles, arrays of any kind, and nothing at all."""
    given = {"lone": 2.0, "none": [[], []], "a": np.array([[1, 2]]), "b": np.float32(0.5)}
    nn.save_file(given, tmp_path / "a")
    found = {"lone": 2.0, "none": [[], []], "a": [[1.0, 2.0]], "b": 0.5}
    assert nn.load_file(tmp_path / "a") == found
    nn.save_file({}, tmp_path / "none")
    assert nn.load_file(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "numbers",
    [[[1.0], [1.0, 2.0]], [[[]], []], 10**400, np.ma.array([1.0], mask=[True]), 1j],
)
def test_what_is_no_rectangle_of_floats_is_not_saved(tmp_path: Path, numbers: Any) -> None:
    """The entry is named, and no file appears; nor for an entry with the header's name."""
    with pytest.raises(StateError, match="rectangle"):
        nn.save_file({"w": numbers}, tmp_path / "a")
    with pytest.raises(StateError, match="__metadata__"):
        nn.save_file({"__metadata__": [1.0]}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_another_architecture_is_refused_though_its_shapes_fit(tmp_path: Path) -> None:
    """Tanh in place of ReLU would compute something else in silence; other sizes do not fit."""
    path = tmp_path / "model.safetensors"
    nn.save_model(model(), path)
    other = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    before = other.state_dict()
    with pytest.raises(StateError, match="architecture"):
        nn.load_model(other, path)
    assert other.state_dict() == before
    assert nn.load_model(other, path, strict=False) == ([], [])
    assert other.state_dict() == model().state_dict()
    with pytest.raises(StateError, match="weight"):
        nn.load_model(model(hidden=4), path)


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch.load would have executed is text to us."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StateError, match="format"):
        nn.load_model(model(), path)
    assert not (tmp_path / "unpickled").exists()


def entry(shape: list[int], end: int, dtype: str = "F64") -> dict[str, Any]:
    """Describe one tensor as the header does."""
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}


@pytest.mark.parametrize(
    ("header", "data", "noun"),
    [
        (entry([10**15], 8), b"\0" * 8, "complete"),
        (entry([2], 8), b"\0" * 8, "complete"),
        (entry([10**9, 0], 0), b"", "shape"),
        (entry([1] * 50, 8), b"\0" * 8, "shape"),
        (entry([1], 8, "I64"), b"\0" * 8, "type"),
    ],
)
def test_hostile_headers_are_refused(
    tmp_path: Path, header: dict[str, Any], data: bytes, noun: str
) -> None:
    """Sizes that lie, endless empty lists, depths and types no weights have."""
    with pytest.raises(StateError, match=noun):
        nn.load_file(craft(tmp_path / "hostile", header, data))
