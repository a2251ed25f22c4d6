"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scalargrad.system.files import write_atomically


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


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message says which folder to create."""
    with pytest.raises(FileNotFoundError, match=r"create the folder .*nowhere"):
        write_atomically(tmp_path / "nowhere" / "x.txt", b"")
