"""Atomic file writes: a file appears whole or not at all."""

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

#: The prefix of the names of unfinished files.
_PREFIX = ".scalargrad-"


def file_path(path: Any, name: str = "path") -> str:
    """Return the path of a file or folder as text.

    Raises
    ------
    OperandError
        If it is not a path, or one that no system of files could have.

    Examples
    --------
    >>> file_path(Path("a.txt"))
    'a.txt'
    """
    if isinstance(path, str | os.PathLike):
        found = os.fspath(path)
        with suppress(UnicodeEncodeError):
            if isinstance(found, str) and os.fsencode(found) and "\0" not in found:
                return found
    raise OperandError(
        f"{name} is {format_value(path)}, of type {type(path).__name__}; give a path (str)"
    )


def write_atomically(path: str | os.PathLike[str], content: bytes, *, durable: bool = True) -> Path:
    """Write a file so that `path` holds either what it held before or all of `content`.

    The content goes to a new file beside it, which then takes its place in one step, and its
    permissions; a symbolic link is followed.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    content : bytes
        The contents of the file.
    durable : bool
        Whether to wait until a power cut could not undo it; what can be made again need not.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to, or `path` is a device or a pipe; an
        old file is left as it was.
    OperandError
        If `path` is not a path.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole").name
    'a.txt'
    """
    with _unfinished(path) as (target, unfinished):
        with unfinished.open("xb") as file:
            with suppress(OSError):  # there is none, or the system has no such thing
                shutil.copymode(target, unfinished)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(target)
    return Path(path)


def write_table(path: str | os.PathLike[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write rows as comma-separated values, whole or not at all; floats keep every digit."""
    import csv  # loaded by whoever writes a table
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return write_atomically(path, text.getvalue().encode())


def require_writable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before the work whose result it will hold.

    Parameters
    ----------
    path : str or path
        Nothing is written to it.

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
    with _unfinished(path) as (_, probe):
        probe.touch(exist_ok=False)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those above it, where there is none yet.

    Raises
    ------
    OSError
        If it cannot be made, or `path` is a file.

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
        raise NotADirectoryError(f"{path} is, or lies in, a file: name a folder") from None
    except OSError as error:
        raise type(error)(f"the folder {path} cannot be made: {error.strerror or error}") from None
    return folder


def _target(path: str | os.PathLike[str]) -> Path:
    """Return the file that is to be replaced, behind any links."""
    target = Path(os.path.realpath(file_path(path)))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: create the folder {target.parent}")
    if target.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder")
    if target.exists() and not target.is_file():  # it would be gone: another takes its place
        raise OSError(f"{path} cannot be written: it is a device or a pipe, no file")
    return target


@contextmanager
def _unfinished(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """Give the file that is to be replaced, and a new name beside it, which is gone at the end.

    An error names the file asked for, not that one.
    """
    target = _target(path)
    unfinished = target.with_name(f"{_PREFIX}{secrets.token_hex(8)}")
    try:
        try:
            yield target, unfinished
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        reason = f"{error.strerror or error}; it cannot be written"
        raise OSError(error.errno, reason, str(path)) from None
