"""Estimate the width of a text in pixels, no less than in any font a browser may choose.

Also break long lines of it.
"""

from __future__ import annotations

import re

from rich.cells import cell_len

#: Widths in the widest of the usual fonts, DejaVu Sans, as a share of the letters' size.
_NARROW, _WIDE, _SIGNS = "fijlrt.,:;'|!()[] ", "mwMWO@%", "−+×÷=<>≤≥≠≈·Σ√"
_COMMON, _CAPITAL, _TWO_CELLS = 0.64, 0.72, 1.05


def text_width(text: str, size: float) -> float:
    """Return the width of a text whose letters are so many pixels high.

    Examples
    --------
    >>> round(text_width("−max", 16), 1), round(text_width("x", 16), 1)
    (49.8, 10.2)
    """
    return size * sum(map(_share, text))


def _share(letter: str) -> float:
    if cell_len(letter) != 1:
        return _TWO_CELLS * cell_len(letter) / 2
    if letter in _NARROW:
        return 0.42
    if letter in _WIDE:
        return 0.99
    if letter in _SIGNS:
        return 0.84
    return _CAPITAL if letter.isupper() else _COMMON


_BETWEEN_WORDS = re.compile(r"(?<=[ _.,/])(?=\w)")


def wrapped(text: str, columns: int) -> str:
    """Break lines of more columns between words; a longer word stays whole.

    Examples
    --------
    >>> print(wrapped("w: weight_of_the_first", 10))
    w: weight_
    of_the_
    first
    """
    lines: list[str] = []
    for line in text.split("\n"):
        lines.append("")
        for word in _BETWEEN_WORDS.split(line):
            if lines[-1] and cell_len(lines[-1] + word.rstrip()) > columns:
                lines.append("")
            lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)
