"""Changes to JSON that leave it JSON: libFuzzer's own changes of bytes hardly get past a parser."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

#: What stands where something else was meant to.
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3, 7, 625, 2**32, 2**63, -(2**63), 10**400),
    *(0.5, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *("", "x", "\ud800", "a\0b", [], {}, [[]], [None], {"": None}, {"dict": []}, {"tuple": []}),
]


def mutated(data: bytes, most: int, seed: int, by_bytes: Callable[[bytes, int], bytes]) -> bytes:
    """Return a document with one to four parts replaced, repeated, removed, wrapped or moved.

    Parameters
    ----------
    data : bytes
        The document, after a header of 8 bytes where it is one of safetensors.
    most : int
        How many bytes there may be.
    seed : int
        Fixes the draws.
    by_bytes : function of bytes and `most`
        Changes what is no JSON, and one document in eight.
    """
    rng = random.Random(seed)
    length = int.from_bytes(data[:8], "little")
    framed = data[8:9] == b"{" and length <= len(data) - 8
    text, tail = (data[8 : 8 + length], data[8 + length :]) if framed else (data, b"")
    try:
        document = [json.loads(text)]
    except (ValueError, RecursionError):
        return by_bytes(data, most)
    if rng.random() < 1 / 8:
        return by_bytes(data, most)
    for _ in range(rng.randint(1, 4)):
        _change(document, rng)
    if len(document) != 1:  # the whole was removed or repeated
        return by_bytes(data, most)
    try:
        written = json.dumps(document[0]).encode()
    except (ValueError, RecursionError):
        return by_bytes(data, most)
    if framed:
        written = len(written).to_bytes(8, "little") + written + tail
    return written if len(written) <= most else data[:most]


def _change(document: list[Any], rng: random.Random) -> None:
    """Change one part, at any depth with the same chance."""
    places = list(_places(document))
    if not places:
        return
    owner, key = rng.choice(places)
    other_owner, other_key = rng.choice(places)
    part, other = owner[key], other_owner[other_key]
    kind = rng.randrange(6)
    if kind == 0 and isinstance(owner, dict):
        owner[rng.choice(["", "x", str(other_key)])] = owner.pop(key)
    elif kind == 1:
        del owner[key]
    elif kind == 2 and isinstance(owner, list):
        owner.insert(key, json.loads(json.dumps(part)))
    elif kind == 3:
        owner[key] = rng.choice([[part], {"x": part}, {"tuple": part}, {"dict": part}])
    elif kind == 4:
        owner[key] = json.loads(json.dumps(other))
    else:
        owner[key] = json.loads(json.dumps(rng.choice(ODD)))


def _places(owner: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where each part stands; of long lists the first and the last few."""
    keys = list(owner) if isinstance(owner, dict) else range(len(owner))
    for key in keys if len(keys) <= 16 else [*keys[:8], *keys[-8:]]:
        yield owner, key
        if isinstance(owner[key], dict | list):
            yield from _places(owner[key])
