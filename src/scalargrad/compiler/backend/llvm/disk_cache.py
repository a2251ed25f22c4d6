"""The cache of machine code on disk, keyed by a hash of what the code was compiled from.

A damaged file counts as missing. A folder that cannot be written to is not an error. The least
recently used files are removed when the cache grows too large.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import platformdirs

from scalargrad.system.files import write_atomically

#: The size limit, in bytes.
MOST = 256 * 2**20
#: One in this many writes checks the limit.
SELDOM = 16

_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger("scalargrad")


def folder() -> Path:
    """Return the folder of the cache of this user."""
    return Path(platformdirs.user_cache_dir("scalargrad")) / "code"


def name_of(*parts: str) -> str:
    """Return the name of the file for code compiled from these texts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:32]


def read(name: str) -> bytes | None:
    """Return the code kept under a name; None if there is none, or it is damaged."""
    path = folder() / name
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(code).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return code


def write(name: str, code: bytes) -> None:
    """Keep code under a name, if the folder can be written to."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_atomically(folder() / name, hashlib.sha256(code).digest() + code, durable=False)
        if int(name[:8], 16) % SELDOM == 0:
            _tidy()
    except OSError as error:
        _say_once(str(error))


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


said: set[str] = set()


def _say_once(error: str) -> None:
    if not said:
        _log.warning("machine code of jit cannot be kept for other processes: %s", error)
    said.add(error)
