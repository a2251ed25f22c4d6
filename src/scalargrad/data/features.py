"""Categorical features: a row of a table for each value, and a hash bucket for each cross."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import listed, text, whole


class Vocabulary:
    """Known values, each with a row of its own; row 0 is for all others.

    Parameters
    ----------
    values : iterable of hashable
        Such as the users of a log. Memory grows with these, not with all that exist.

    Examples
    --------
    >>> devices = Vocabulary(["phone", "desktop", "phone"])
    >>> len(devices), devices.row("desktop"), devices.row("watch")
    (3, 2, 0)
    """

    __slots__ = ("_rows",)

    def __init__(self, values: Iterable[Hashable]) -> None:
        given = [_hashable(value) for value in listed(values, "values", "names or numbers")]
        self._rows = {value: row for row, value in enumerate(dict.fromkeys(given), 1)}

    def row(self, value: Hashable) -> int:
        """Return the row of a value, 0 if it has none."""
        return self._rows.get(_hashable(value), 0)

    def __len__(self) -> int:
        return len(self._rows) + 1

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self._rows)} values"


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise OperandError(
            f"the value {shown(value)} cannot be looked up; give text or numbers"
        ) from None
    return value


def crossed(*values: object, buckets: int) -> int:
    """Return the bucket of a combination of values, such as a user and an item.

    Parameters
    ----------
    *values
        The values to combine; they are hashed as text.
    buckets : int
        Number of buckets, which bounds the memory however many combinations there are.

    Returns
    -------
    int
        In 0 … buckets - 1, the same in every run and on every machine. Two combinations may share
        a bucket.

    Raises
    ------
    OperandError
        If `buckets` is under 1.

    References
    ----------
    Weinberger et al., Feature hashing for large scale multitask learning, 2009.

    Examples
    --------
    >>> crossed("device", "phone", "topic", "news", buckets=1000)
    992
    """
    buckets = whole(buckets, "buckets", 1)
    written = "\x1f".join(map(str, values))
    return zlib.crc32(text(written, "what is crossed").encode()) % buckets
