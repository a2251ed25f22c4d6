"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes, *, durable: bool = True) -> Path:
    """Write a file so that `path` holds either what it held before or all of `content`.

    The content goes to a new file beside it, which then takes its place in one step; a
    symbolic link is followed.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    content : bytes
        What the file is to hold.
    durable : bool
        Whether to wait until a power cut could not undo it; what can be made again need not.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to; an old file is left as it was.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole").name
    'a.txt'
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: create the folder {target.parent}")
    unfinished = target.with_name(f".scalargrad-{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return Path(path)
