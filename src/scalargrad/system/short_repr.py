"""Show any object in one line of a message, whatever its own text is or raises."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

_MOST = 60
_describing: ContextVar[bool] = ContextVar("describing", default=False)


def is_describing() -> bool:
    """Return True while `format_value` formats an object for a message."""
    return _describing.get()


def format_value(x: Any) -> str:
    """Return an argument as a message shows it: one line of at most 60 characters.

    Examples
    --------
    >>> format_value(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…'
    """
    token = _describing.set(True)
    try:
        return shortened(repr(x))
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise anything
        return f"a {type(x).__name__}"
    finally:
        _describing.reset(token)


def format_error(error: BaseException) -> str:
    """Return an exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def pluralize(count: int, word: str) -> str:
    """Return a count with its noun, which gets an s unless there is one.

    Examples
    --------
    >>> pluralize(1, "name"), pluralize(2000, "name")
    ('1 name', '2,000 names')
    """
    return f"{count:,} {word}{'s' * (count != 1)}"


def shortened(text: str) -> str:
    r"""Return text as one line of at most 60 characters; "…" stands for the rest.

    Examples
    --------
    >>> shortened("two\nlines")
    'two lines'
    """
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
