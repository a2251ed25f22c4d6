"""Files are written completely or not at all: histories, pages, models and experiments."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.experiments import Plan, xor
from scalargrad import Value, draw, walk
from scalargrad.nn import Linear, save_model
from scalargrad.train import History

HISTORY = History([{"epoch": 1, "loss": 0.5}])
CSV = b"epoch,loss\n1,0.5\n"
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions, and no pipes")

#: Functions that write a file of this name.
WRITERS: dict[str, Callable[[Path], object]] = {
    "a.csv": HISTORY.to_csv,
    "a.html": lambda path: walk(Value(2.0, "x") * 3.0).save(path),
    "a.svg": lambda path: draw(Value(2.0, "x") * 3.0).save(path),
    "a.safetensors": lambda path: save_model(Linear(1, 1, rng=0), path),
}


every_writer = pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS)


@every_writer
def test_saved_file_replaces_the_old_one(
    name: str, write: Callable[[Path], object], tmp_path: Path
) -> None:
    """The file has the new content, and the folder has no other files."""
    path = tmp_path / name
    path.write_bytes(b"old")
    write(path)
    assert path.read_bytes() != b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_to_csv_failure_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If writing fails halfway, the file keeps its old content and no temporary file remains."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        HISTORY.to_csv(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_to_csv_follows_a_symbolic_link(tmp_path: Path) -> None:
    """The target of a symbolic link is replaced, not the link."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    HISTORY.to_csv(link)
    assert link.is_symlink()
    assert target.read_bytes() == CSV


@posix
def test_to_csv_keeps_the_permissions_of_a_file(tmp_path: Path) -> None:
    """A private file stays private after it is written again."""
    path = tmp_path / "private"
    path.write_bytes(b"old")
    path.chmod(0o600)
    HISTORY.to_csv(path)
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, CSV)


@posix
@every_writer
def test_save_refuses_a_pipe(name: str, write: Callable[[Path], object], tmp_path: Path) -> None:
    """A pipe, or a device such as /dev/null, is not replaced by a file."""
    pipe, link = tmp_path / name, tmp_path / f"link to {name}"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match="pipe"):
            write(path)
    assert pipe.is_fifo()


def test_to_csv_errors_name_the_folder(tmp_path: Path) -> None:
    """A missing folder, and a folder in place of the file, are errors; nothing is written."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        HISTORY.to_csv(tmp_path / "nowhere" / "x.txt")
    with pytest.raises(IsADirectoryError, match="folder"):
        HISTORY.to_csv(tmp_path)
    assert not list(tmp_path.iterdir())


def test_plan_folder_that_is_a_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes before training; so does one of permissions."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "within"):
        with pytest.raises(NotADirectoryError, match="file"):
            xor(Plan(path, quiet=True))

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", deny)
    with pytest.raises(PermissionError, match="denied"):
        xor(Plan(tmp_path / "c", quiet=True))
