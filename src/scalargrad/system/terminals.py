"""Terminals whose encoding lacks characters: these are printed in ASCII instead of failing."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("−–─━┄┆", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("╭╮╰╯├┤┌┐└┘┬┴┼", "+"),
        **dict.fromkeys("·×◆", "*"),
        **dict.fromkeys("▶▸", ">"),
        **dict.fromkeys("●•", "o"),
        "∂": "d",
        "≈": "~",
        "√": "sqrt ",
        "Σ": "sum",
        "→": "->",
        "←": "<-",
        "…": "...",
        "÷": "/",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "∘": "o",
        "∞": "inf",
        "⋮": ":",
        "♦": "*",
        "✓": "+",
        "σ": "sigma",
        "δ": "delta",
        "λ": "lambda",
        "η": "eta",
        "π": "pi",
        "ₙ": "n",
        "ᵀ": "'",
        **dict.fromkeys("\N{COMBINING MACRON}\N{COMBINING OVERLINE}", "'"),
    }
)


def ascii_text(text: str) -> str:
    """Write text in ASCII.

    Examples
    --------
    >>> ascii_text("∂f/∂w₀ ≈ −4·x²")
    'df/dw0 ~ -4*x2'
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN)).translate(_PLAIN)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return letters.encode("ascii", "replace").decode()


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded: the handler of errors registered below."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return ascii_text(lacking), error.end


def _stand_in_or_byte(error: UnicodeError) -> tuple[str | bytes, int]:
    """Do as `_stand_in`; a byte of a file's name that was no text is printed as it is."""
    if isinstance(error, UnicodeEncodeError):
        first = ord(error.object[error.start])
        if first in _BYTES:
            return bytes([first - _BYTES.start + 0x80]), error.start + 1
    return _stand_in(error)


#: The surrogates that stand for bytes 0x80 … 0xFF (PEP 383).
_BYTES = range(0xDC80, 0xDD00)
#: The handler of errors instead of each that would fail; the second is that of the C locale.
_TOLERANT = {"strict": "scalargrad.plain", "surrogateescape": "scalargrad-bytes"}
codecs.register_error(_TOLERANT["strict"], _stand_in)
codecs.register_error(_TOLERANT["surrogateescape"], _stand_in_or_byte)
#: The fewest columns of a console: rich prints nothing at all where there are none.
_NARROWEST = 20


def make_tolerant(stream: Any) -> None:
    """Let a text stream print characters that its encoding lacks in ASCII, instead of failing.

    A stream that replaces them in its own way, and one that is not a text file, stay as they are.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors in _TOLERANT:
        stream.reconfigure(errors=_TOLERANT[stream.errors])


def console(**options: Any) -> Console:
    """Return a console of Rich's, over a stream that takes every character."""
    from rich.console import Console

    make_tolerant(sys.stderr if options.get("stderr") else sys.stdout)
    found = Console(**options)
    found.width = max(found.width, _NARROWEST)
    return found


def forget_absurd_width(environment: MutableMapping[str, str]) -> None:
    """Remove a COLUMNS of almost nothing, which some programs set where there is no terminal."""
    columns = environment.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < _NARROWEST:
        del environment["COLUMNS"]
