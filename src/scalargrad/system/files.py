"""Atomic file writes: a file is written completely or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value

#: Prefix of the names of temporary files.
_PREFIX = ".scalargrad-"


def file_path(path: Any, name: str = "path") -> str:
    """Return the path of a file or folder as a string.

    Raises
    ------
    OperandError
        If it is not a path, or not a valid one.

    Examples
    --------
    >>> file_path(Path("a.txt"))
    'a.txt'
    """
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        with suppress(UnicodeEncodeError):
            if isinstance(text, str) and os.fsencode(text) and "\0" not in text:
                return text
    raise OperandError(
        f"{name} is {format_value(path)}, of type {type(path).__name__}; give a path (str)"
    )


def write_atomically(path: str | os.PathLike[str], content: bytes, *, durable: bool = True) -> Path:
    """Write a file atomically: `path` has either its old content or all of `content`.

    The content is written to a temporary file in the same folder, which then replaces the target in
    one step and keeps its permissions. Symbolic links are followed.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist.
    content : bytes
        The contents of the file.
    durable : bool
        Whether to wait until the data are on disk and survive a power cut.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to, or `path` is a device or a pipe. An
        existing file is not changed.
    OperandError
        If `path` is not a path.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole").name
    'a.txt'
    """
    with _temporary_file(path) as (target, temporary):
        with temporary.open("xb") as file:
            with suppress(OSError):  # the file is new, or the system has no permissions
                shutil.copymode(target, temporary)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    return Path(path)


def write_table(path: str | os.PathLike[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write rows as comma-separated values, atomically; floats keep every digit."""
    import csv  # imported only when a table is written
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return write_atomically(path, text.getvalue().encode())


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise an error if a file cannot be written; called before long computations.

    Parameters
    ----------
    path : str or path
        The file; it is not changed.

    Raises
    ------
    OSError
        If its folder does not exist or cannot be written to, or `path` is a folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     require_writable(Path(folder) / "a.txt")
    """
    with _temporary_file(path) as (_, probe):
        probe.touch(exist_ok=False)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents if they do not exist.

    Raises
    ------
    OSError
        If it cannot be created, or `path` is a file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as parent:
    ...     make_folder(Path(parent) / "a" / "b").name
    'b'
    """
    folder = Path(file_path(path, "folder"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(f"{path} is a file, or is inside a file; give a folder") from None
    except OSError as error:
        raise type(error)(
            f"the folder {path} cannot be created: {error.strerror or error}"
        ) from None
    return folder


def _target(path: str | os.PathLike[str]) -> Path:
    """Return the file that will be replaced, with symbolic links resolved."""
    target = Path(os.path.realpath(file_path(path)))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: create the folder {target.parent}")
    if target.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder")
    if target.exists() and not target.is_file():  # replacing it would delete it
        raise OSError(f"{path} cannot be written: it is a device or a pipe, not a file")
    return target


@contextmanager
def _temporary_file(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """Yield the file to replace and a temporary path in its folder, which is deleted at the end.

    Errors name `path`, not the temporary file.
    """
    target = _target(path)
    temporary = target.with_name(f"{_PREFIX}{secrets.token_hex(8)}")
    try:
        try:
            yield target, temporary
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = f"{error.strerror or error}; it cannot be written"
        raise OSError(error.errno, reason, str(path)) from None
