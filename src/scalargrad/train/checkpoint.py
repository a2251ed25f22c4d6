"""Checkpoints: everything that a training run needs to continue as if it had never stopped.

A checkpoint is JSON text: reading one can give numbers, text and lists, and never runs code.
Python writes a float with the digits that give back the same float, so nothing is rounded. A
digest of the content tells a damaged file from a whole one, down to a single digit.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from scalargrad.errors import StateError
from scalargrad.system.files import write_atomically
from scalargrad.system.one_line import shown

_FORMAT = "scalargrad checkpoint 2"


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write the state of a run; the file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file, replaced if it exists.
    state : dict
        Numbers, text, None, lists, tuples and dicts of them, nested in any way.

    Raises
    ------
    StateError
        If the state holds anything else; the message names it.
    OSError
        If the file cannot be written.
    """
    written = encoded(state, "state")
    content = {"format": _FORMAT, "sha256": _digest(written), "state": written}
    write_atomically(path, json.dumps(content).encode())


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote, equal to the last bit.

    Raises
    ------
    StateError
        If the file cannot be read, is damaged, or is not a checkpoint.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {shown(content['format'])}")
        if content["sha256"] != _digest(content["state"]):
            raise ValueError("its content is not what was written")
        state = decoded(content["state"])
        if not isinstance(state, dict):
            raise ValueError(f"its state is a {type(state).__name__}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = " ".join(f"{error}".split())
        raise StateError(
            f"{path} is not a checkpoint, or is damaged ({reason}): start again without "
            "resume, or name another file"
        ) from error
    return state


def _digest(written: Any) -> str:
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def encoded(part: Any, where: str) -> Any:
    """Turn tuples and dicts, which JSON would change, into lists that say what they were."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list):
        return [encoded(x, f"{where}[{i}]") for i, x in enumerate(part)]
    if isinstance(part, tuple):
        return {"tuple": [encoded(x, f"{where}[{i}]") for i, x in enumerate(part)]}
    if isinstance(part, dict):
        pairs = [[encoded(k, where), encoded(x, f"{where}[{k!r}]")] for k, x in part.items()]
        return {"dict": pairs}
    raise StateError(
        f"{where} is of type {type(part).__name__}, which a checkpoint cannot hold: only "
        "numbers, text, None, lists, tuples and dicts can be saved"
    )


def decoded(part: Any) -> Any:
    """Return what `encoded` was given."""
    if isinstance(part, list):
        return [decoded(x) for x in part]
    if not isinstance(part, dict):
        return part
    ((kind, content),) = part.items()
    if kind == "tuple":
        return tuple(decoded(x) for x in content)
    if kind != "dict":
        raise ValueError(f"it holds an unknown {kind!r}")
    return {decoded(key): decoded(x) for key, x in content}
