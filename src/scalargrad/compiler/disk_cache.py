"""The cache on disk of machine code and of programs, under a hash of what they were made of.

A damaged file counts as missing. A folder that cannot be written to is not an error. The least
recently used files are removed when the cache grows too large.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
from pathlib import Path

from scalargrad.system.files import write_atomically

#: The size limit, in bytes.
MOST = 256 * 2**20
#: One in so many writes checks the limit; each does of what takes more than this part of it.
SELDOM, LARGE = 16, 256

_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger("scalargrad")


def folder() -> Path:
    """Return the folder of the cache of this user."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("scalargrad")) / "code"


def name_of(*parts: str) -> str:
    """Return the name of the file for what is made from these texts."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read(name: str) -> bytes | None:
    """Return what is kept under a name; None if there is nothing, or it is damaged."""
    path = folder() / name
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, kept = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(kept).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return kept


def write(name: str, kept: bytes) -> None:
    """Keep something under a name, if the folder can be written to."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_atomically(folder() / name, hashlib.sha256(kept).digest() + kept, durable=False)
        if int(name[:8], 16) % SELDOM == 0 or len(kept) > MOST // LARGE:
            _tidy()
    except OSError as error:
        _warn(error.strerror)


def _tidy() -> None:
    """Remove the least recently used files until the cache is below its limit."""
    files = []
    for path in folder().iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process removes files, too
            files.append((path.stat(), path))
    files.sort(key=lambda found: found[0].st_mtime, reverse=True)
    total = 0
    for status, path in files:
        total += status.st_size
        if total > MOST:
            path.unlink(missing_ok=True)


@functools.cache
def _warn(reason: str | None) -> None:
    """Say once, for each reason, that nothing is kept."""
    place = folder()
    _log.warning("what jit compiles cannot be kept for other processes in %s: %s", place, reason)
