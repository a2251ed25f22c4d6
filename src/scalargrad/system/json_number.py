"""Numbers as JSON can hold them, in pages and in exported files."""

from __future__ import annotations

from math import isfinite


def json_number(x: float | None) -> float | str | None:
    """Return a number as JSON can hold it: inf and nan as text, from which `float` reads them back.

    None stays None.

    Examples
    --------
    >>> json_number(0.5), json_number(float("inf"))
    (0.5, 'inf')
    """
    return x if x is None or isfinite(x) else str(x)
