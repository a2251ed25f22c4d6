"""Weights are saved as safetensors, atomically, and read back with suspicion."""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad import StateError, nn
from scalargrad.errors import MissingPackageError

pytest.importorskip("safetensors.numpy", reason="saving needs the extra [data]")


def model(seed: int = 0) -> nn.Sequential:
    """Build 2 → 3 → 1."""
    return nn.Sequential(nn.Linear(2, 3, rng=seed), nn.ReLU(), nn.Linear(3, 1, rng=seed + 1))


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


def test_pytorch_reads_our_file(tmp_path: Path) -> None:
    """A PyTorch model of the same architecture loads it as its state, and computes the same."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    safetensors = pytest.importorskip("safetensors.torch", reason="PyTorch is the oracle")
    ours, path = model(), tmp_path / "model.safetensors"
    nn.save_model(ours, path)
    kit = torch.nn
    theirs = kit.Sequential(kit.Linear(2, 3), kit.ReLU(), kit.Linear(3, 1)).double()
    theirs.load_state_dict(safetensors.load_file(path))
    x = [0.7, -1.3]
    expected = theirs(torch.tensor(x, dtype=torch.float64)).item()
    assert ours(x)[0].data == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_we_read_pytorchs_file(tmp_path: Path, dtype: str) -> None:
    """In any floating-point type that Python can hold."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    safetensors = pytest.importorskip("safetensors.torch", reason="PyTorch is the oracle")
    theirs = torch.nn.Linear(2, 3, dtype=getattr(torch, dtype))
    path = tmp_path / "theirs.safetensors"
    safetensors.save_file(theirs.state_dict(), path)
    ours = nn.Linear(2, 3)
    nn.load_model(ours, path)
    assert ours.state_dict()["weight"] == theirs.weight.tolist()


def test_scalars_and_empty_rectangles_are_kept(tmp_path: Path) -> None:
    """A lone number has no dimensions, a layer without inputs no numbers."""
    path = tmp_path / "a.safetensors"
    nn.save_file({"lone": 2.0, "none": [[], []]}, path)
    assert nn.load_file(path) == {"lone": 2.0, "none": [[], []]}


def test_what_is_no_rectangle_is_not_saved(tmp_path: Path) -> None:
    """And no file appears."""
    with pytest.raises(StateError, match="w is not a rectangle"):
        nn.save_file({"w": [[1.0], [1.0, 2.0]]}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("numbers", [[[[]], []], 10**400, np.ma.array([1.0], mask=[True]), 1j])
def test_what_no_floats_hold_is_not_saved(tmp_path: Path, numbers: Any) -> None:
    """The entry is named: these were errors of NumPy's about something else."""
    with pytest.raises(StateError, match="w is not a rectangle of numbers"):
        nn.save_file({"w": numbers}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_saved(tmp_path: Path) -> None:
    """As the numbers that they hold, also those of PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is one kind of array")
    weights = {"a": np.array([[1, 2]]), "b": np.float32(0.5), "c": torch.ones(2)}
    nn.save_file(weights, tmp_path / "a")
    assert nn.load_file(tmp_path / "a") == {"a": [[1.0, 2.0]], "b": 0.5, "c": [1.0, 1.0]}


def test_no_file_is_written_that_cannot_be_read(tmp_path: Path) -> None:
    """Without an entry it has no header; the header's name is refused for an entry."""
    nn.save_file({}, tmp_path / "none")
    assert nn.load_file(tmp_path / "none") == {}
    with pytest.raises(StateError, match="__metadata__ is the header's"):
        nn.save_file({"__metadata__": [1.0]}, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written beside and put in place in one step."""
    path = tmp_path / "model.safetensors"
    nn.save_model(model(0), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        nn.save_model(model(1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_architecture_is_refused_though_its_shapes_fit(tmp_path: Path) -> None:
    """Tanh in place of ReLU would compute something else in silence."""
    path = tmp_path / "model.safetensors"
    nn.save_model(model(), path)
    other = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    before = other.state_dict()
    with pytest.raises(StateError, match=r"(?s)another architecture.*ReLU.*Tanh"):
        nn.load_model(other, path)
    assert other.state_dict() == before
    assert nn.load_model(other, path, strict=False) == ([], [])
    assert other.state_dict() == model().state_dict()


def test_other_sizes_are_listed(tmp_path: Path) -> None:
    """The shapes of both sides stand in the message."""
    path = tmp_path / "model.safetensors"
    nn.save_model(model(), path)
    wider = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with pytest.raises(StateError, match=r"0\.weight should be 4 × 2, but is 3 × 2"):
        nn.load_model(wider, path)


def test_a_truncated_file_is_refused_at_every_length(tmp_path: Path) -> None:
    """Wherever it was cut off."""
    path = tmp_path / "model.safetensors"
    nn.save_model(nn.Linear(1, 1), path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(StateError, match="not a whole safetensors file"):
            nn.load_file(path)


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch.load would have executed is text to us."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StateError, match="another format"):
        nn.load_model(model(), path)
    assert not (tmp_path / "unpickled").exists()


def entry(shape: list[int], end: int, dtype: str = "F64") -> dict[str, Any]:
    """Describe one tensor as the header does."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


HOSTILE: list[tuple[dict[str, Any], bytes, str]] = [
    ({"w": entry([10**15], 8)}, b"\0" * 8, "not a whole"),
    ({"w": entry([2], 8)}, b"\0" * 8, "not a whole"),
    ({"w": entry([1], 10**12)}, b"\0" * 8, "not a whole"),
    ({"w": entry([10**9, 0], 0)}, b"", "which no weights have"),
    ({"w": entry([1] * 50, 8)}, b"\0" * 8, "which no weights have"),
    ({"w": entry([1], 8, "I64")}, b"\0" * 8, "of type I64"),
    ({"w": entry([4], 8, "BF16")}, b"\0" * 8, "of type BF16"),
]


@pytest.mark.parametrize(("header", "data", "message"), HOSTILE)
def test_hostile_headers_are_refused(
    tmp_path: Path, header: dict[str, Any], data: bytes, message: str
) -> None:
    """Sizes that lie, endless empty lists, depths and types no weights have."""
    with pytest.raises(StateError, match=message):
        nn.load_file(craft(tmp_path / "hostile", header, data))


def test_a_missing_file_is_the_usual_error(tmp_path: Path) -> None:
    """Nothing is dressed up where Python's own error is clear."""
    with pytest.raises(FileNotFoundError):
        nn.load_file(tmp_path / "absent")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(MissingPackageError, match="python -m pip install safetensors"):
        nn.save_model(model(), tmp_path / "a")
