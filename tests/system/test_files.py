"""Files are written whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from scalargrad.system.files import make_folder, require_writable, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The new content stands there, and nothing else is left in the folder."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk gives up in the middle, the old content stands and no rubbish stays."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file a link names is replaced, not the link."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions, and no such pipes")
def test_the_permissions_of_a_file_stay(tmp_path: Path) -> None:
    """One that others may not read was theirs to read after the next write."""
    path = tmp_path / "private"
    write_atomically(path, b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"new")


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions, and no such pipes")
def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A file took the place of a pipe, and for root that of a device such as /dev/null."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        for write in (lambda path: write_atomically(path, b"a"), require_writable):
            with pytest.raises(OSError, match="it is a device or a pipe, no file"):
                write(path)
    assert pipe.is_fifo()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message says which folder to create."""
    with pytest.raises(FileNotFoundError, match=r"create the folder .*nowhere"):
        write_atomically(tmp_path / "nowhere" / "x.txt", b"")


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    """Before anything is written, and by the check that comes before the work."""
    for write in (require_writable, lambda path: write_atomically(path, b"")):
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            write(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_can_be_written_or_not_before_there_is_anything_to_write(tmp_path: Path) -> None:
    """The check leaves the folder and an old file as they are."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    require_writable(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match=r"create the folder .*nowhere"):
        require_writable(tmp_path / "nowhere" / "x.txt")


def refused(self: Path, *args: object, **kwargs: object) -> None:
    """Stand in for a disk that takes nothing, and name the file as Python does."""
    raise PermissionError(13, "Permission denied", str(self))


@pytest.mark.parametrize("method", ["open", "touch"])
def test_unfinished_files_are_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The message is about the file asked for, and the error of the kind it was."""
    monkeypatch.setattr(Path, method, refused)
    write = require_writable if method == "touch" else lambda path: write_atomically(path, b"")
    with pytest.raises(PermissionError, match=r"Permission denied.*weights\.json'$"):
        write(tmp_path / "weights.json")


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """The next file written there takes it along; one that is being written stays."""
    left, under_way = tmp_path / ".scalargrad-a", tmp_path / ".scalargrad-b"
    for path in (left, under_way):
        path.write_bytes(b"half")
    os.utime(left, (0.0, time.time() - 7200.0))
    own = tmp_path / "a"
    write_atomically(own, b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([under_way, own])


def test_a_folder_that_is_a_file_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that it exists, which is why it was named."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "within"):
        with pytest.raises(NotADirectoryError, match="in, a file: name a folder"):
            make_folder(path)
    assert make_folder(tmp_path / "a" / "b").is_dir()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(PermissionError, match="the folder c cannot be made: Permission denied"):
        make_folder("c")
