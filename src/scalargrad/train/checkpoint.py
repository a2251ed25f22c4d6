"""Checkpoints: everything a run of training needs to go on as if it had never stopped.

A checkpoint is JSON text: reading one can give numbers, text and lists, and never runs code.
Python writes a float with the digits that give back the same float, so nothing is rounded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scalargrad.errors import StateError
from scalargrad.system.files import write_atomically

_FORMAT = "scalargrad checkpoint 1"


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
    """
    content = {"format": _FORMAT, "state": _encode(state, "state")}
    write_atomically(path, json.dumps(content).encode())


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote, equal to the last bit.

    Raises
    ------
    StateError
        If the file is truncated, or is not a checkpoint.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        state: dict[str, Any] = _decode(content["state"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(
            f"{path} is not a checkpoint, or was cut short ({error}): start again without "
            "resume, or name another file"
        ) from error
    return state


def _encode(part: Any, where: str) -> Any:
    """Turn tuples and dicts, which JSON would change, into lists that say what they were."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list):
        return [_encode(x, f"{where}[{i}]") for i, x in enumerate(part)]
    if isinstance(part, tuple):
        return {"tuple": [_encode(x, f"{where}[{i}]") for i, x in enumerate(part)]}
    if isinstance(part, dict):
        pairs = [[_encode(k, where), _encode(x, f"{where}[{k!r}]")] for k, x in part.items()]
        return {"dict": pairs}
    raise StateError(
        f"{where} is of type {type(part).__name__}, which a checkpoint cannot hold: only "
        "numbers, text, None, lists, tuples and dicts can be saved"
    )


def _decode(part: Any) -> Any:
    if isinstance(part, list):
        return [_decode(x) for x in part]
    if not isinstance(part, dict):
        return part
    ((kind, content),) = part.items()
    if kind == "tuple":
        return tuple(_decode(x) for x in content)
    if kind != "dict":
        raise ValueError(f"it holds an unknown {kind!r}")
    return {_decode(key): _decode(x) for key, x in content}
