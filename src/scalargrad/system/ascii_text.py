"""ASCII spellings of mathematical characters, for terminals whose encoding lacks them."""

from __future__ import annotations

import unicodedata

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
