"""Weights are saved as safetensors, atomically; damaged and hostile files are refused."""

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
    """Return a network 2 → 3 → 1."""
    first, last = nn.Linear(2, hidden, rng=seed), nn.Linear(hidden, 1, rng=seed + 1)
    return nn.Sequential(first, nn.ReLU(), last)


def craft(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    """Write a safetensors file byte by byte, following its specification."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_save_model_and_load_model_round_trip(tmp_path: Path) -> None:
    """The weights are equal to the last bit, and the header has the metadata."""
    path = tmp_path / "model.safetensors"
    saved, loaded = model(0), model(7)
    nn.save_model(saved, path, metadata={"epoch": "12"})
    assert nn.load_model(loaded, path) == ([], [])
    assert loaded.state_dict() == saved.state_dict()
    header = nn.load_metadata(path)
    assert header["architecture"] == str(saved)
    assert header["epoch"] == "12"


def test_save_file_and_load_file_round_trip(tmp_path: Path) -> None:
    """Scalars, empty tensors, arrays of several types, and an empty dict."""
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
def test_save_file_refuses_other_than_rectangles_of_floats(tmp_path: Path, numbers: Any) -> None:
    """The error names the entry, and no file is created; the name of the header is refused too."""
    with pytest.raises(StateError, match="rectangle"):
        nn.save_file({"w": numbers}, tmp_path / "a")
    with pytest.raises(StateError, match="__metadata__"):
        nn.save_file({"__metadata__": [1.0]}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_load_model_refuses_another_architecture_of_the_same_shapes(tmp_path: Path) -> None:
    """Tanh instead of ReLU would silently compute something else; other sizes do not fit."""
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
    """Creates a directory when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def test_load_model_refuses_a_pickle_and_never_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.load would execute it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StateError, match="format"):
        nn.load_model(model(), path)
    assert not (tmp_path / "unpickled").exists()


def entry(shape: list[int], end: int, dtype: str = "F64") -> dict[str, Any]:
    """Return the header entry of one tensor."""
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
def test_load_file_refuses_hostile_headers(
    tmp_path: Path, header: dict[str, Any], data: bytes, noun: str
) -> None:
    """Wrong sizes, too many empty lists or dimensions, and types that weights do not have."""
    with pytest.raises(StateError, match=noun):
        nn.load_file(craft(tmp_path / "hostile", header, data))
