"""Plain characters for terminals whose encoding lacks those of mathematics."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TextIO

_NAME = "scalargrad.plain"
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


def degrade(stream: TextIO) -> None:
    """Have a stream write plain characters where its encoding has none of ours.

    A stream that already does something else than to raise an error is left as it is.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and getattr(stream, "errors", "") == "strict":
        codecs.register_error(_NAME, _replaced)
        reconfigure(errors=_NAME)


def plain(text: str) -> str:
    """Write text in ASCII.

    Examples
    --------
    >>> plain("∂f/∂w₀ ≈ −4·x²")
    'df/dw0 ~ -4*x2'
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN)).translate(_PLAIN)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return letters.encode("ascii", "replace").decode()


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return plain(error.object[error.start : error.end]), error.end
