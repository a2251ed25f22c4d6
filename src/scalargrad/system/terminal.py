"""Terminals that cannot show every character: text is put into those they have."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: What stands for a character that an encoding lacks, one for one, so that tables stay aligned.
_STANDS_FOR = {
    "∂": "d", "≈": "~", "−": "-", "·": "*", "×": "x", "→": ">", "←": "<", "↑": "^", "↓": "v",
    "≤": "<", "≥": ">", "∞": "8", "√": "V", "∑": "S", "Σ": "S", "σ": "s", "δ": "d", "λ": "l",
    "π": "p", "μ": "u", "…": ".", "⋯": ".", "—": "-", "–": "-", "“": '"', "”": '"', "’": "'",
    "│": "|", "─": "-", "━": "-", "┃": "|", "╸": "-", "╺": "-", "●": "o", "▶": ">",
}  # fmt: skip


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded: the handler of errors registered below."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_plain, lacking)), error.end


def _plain(character: str) -> str:
    """Return one ASCII character for another.

    Examples
    --------
    >>> _plain("∂"), _plain("²"), _plain("丁")
    ('d', '2', '?')
    """
    found = _STANDS_FOR.get(character) or unicodedata.normalize("NFKD", character)[:1]
    return found if found.isascii() else "?"


codecs.register_error("scalargrad.plain", _stand_in)


def make_tolerant(stream: Any) -> None:
    """Let a text stream print characters that its encoding lacks as others, instead of failing.

    A stream that replaces them in its own way, and one that is no text file, stay as they are.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="scalargrad.plain")


def console(**options: Any) -> Console:
    """Return a console of Rich's, over a stream that takes every character."""
    from rich.console import Console

    make_tolerant(sys.stderr if options.get("stderr") else sys.stdout)
    return Console(**options)
