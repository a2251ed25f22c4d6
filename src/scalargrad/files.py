"""Writing files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write `content` to `path`: the file appears under its name only when it is complete.

    Parameters
    ----------
    path : str or path
        Where to write; its folder must exist.
    content : bytes
        The whole file.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to. Nothing is created then, and
        an existing file stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "note.txt"), b"done").read_text()
    'done'
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: create the folder {path.parent}")
    unfinished = path.with_name(f".scalargrad-{secrets.token_hex(8)}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
