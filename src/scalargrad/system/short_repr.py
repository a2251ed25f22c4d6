"""Short texts for messages: any object in one line, exceptions, and counts with their noun."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

#: Maximum length of a text, in characters.
_MAX_LENGTH = 60
#: True while `format_value` calls the `repr` of an object.
_describing: ContextVar[bool] = ContextVar("describing", default=False)


def is_describing() -> bool:
    """Return True while `format_value` formats an object for a message."""
    return _describing.get()


def format_value(x: Any) -> str:
    """Format any object for a message, as one line of at most 60 characters.

    Examples
    --------
    >>> format_value(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…'
    """
    token = _describing.set(True)
    try:
        return shorten(repr(x))
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise anything
        return f"a {type(x).__name__}"
    finally:
        _describing.reset(token)


def format_error(error: BaseException) -> str:
    """Format an exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def pluralize(count: int, word: str) -> str:
    """Format a count with its noun, in the plural unless the count is 1.

    Examples
    --------
    >>> pluralize(1, "name"), pluralize(2000, "name")
    ('1 name', '2,000 names')
    """
    return f"{count:,} {word}{'s' * (count != 1)}"


def shorten(text: str) -> str:
    r"""Shorten text to one line of at most 60 characters, ending in "…" if it was longer.

    Examples
    --------
    >>> shorten("two\nlines")
    'two lines'
    """
    text = " ".join(text.split())
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
