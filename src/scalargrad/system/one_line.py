"""Show any object in one line of a message, whatever its own text is or raises."""

from __future__ import annotations

from typing import Any

_MOST = 60


def shown(x: Any) -> str:
    """Return how an argument is shown in a message: one line of at most 60 characters.

    Examples
    --------
    >>> shown(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…'
    """
    try:
        return shortened(repr(x))
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise anything
        return f"a {type(x).__name__}"


def shortened(text: str) -> str:
    r"""Return text as one line of at most 60 characters; "…" stands for the rest.

    Examples
    --------
    >>> shortened("two\nlines")
    'two lines'
    """
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
