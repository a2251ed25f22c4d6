"""Claims about writing files."""

from __future__ import annotations

from pathlib import Path

import pytest

from scalargrad.files import write_atomically


def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C or a full disk halfway leaves the old content, and nothing beside it."""
    path = tmp_path / "figures.md"
    path.write_bytes(b"old")

    def interrupted(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message says which folder to create."""
    with pytest.raises(FileNotFoundError, match=r"create the folder .*nowhere"):
        write_atomically(tmp_path / "nowhere" / "x.txt", b"")
