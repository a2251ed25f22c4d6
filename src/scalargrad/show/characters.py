"""Write labels as print has them, without characters that hide or move a cursor; measure them."""

from __future__ import annotations

import re
from collections.abc import Collection
from unicodedata import category, lookup

from rich.cells import cell_len

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # they belong to scripts and to emoji of several parts


def visible(text: str, *, lines: bool = True) -> str:
    r"""Replace characters that cannot be printed, or cannot stand in XML, by visible signs.

    An ASCII control character becomes its sign, anything else U+FFFD. Line feeds stay where a
    text may have several `lines`.

    Examples
    --------
    >>> visible("tab\t, bell\a, turned\u202e"), visible("two\nlines", lines=False)
    ('tab␉, bell␇, turned�', 'two␊lines')
    """
    if text.isprintable():
        return text
    return "".join(c if lines and c == "\n" else _shown(c) for c in text)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    hidden = category(character) in _UNSEEN and character not in _JOINERS
    return "\ufffd" if hidden or code & 0xFFFE == 0xFFFE else character  # those are not characters


_LETTERS = "alpha|beta|gamma|delta|epsilon|eta|theta|lambda|mu|rho|sigma|tau|phi|omega"
_SPELLED = re.compile(rf"({_LETTERS})(?:_?(\d+)|_$)?(?=$|[\[_⁰¹²³⁴⁵⁶⁷⁸⁹])", re.IGNORECASE)
_POWER = re.compile(r"(?<=[\w)])\^(\d+)(?![\w.^])")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def printed(label: str) -> str:
    """Return a label as print has it: θ₀ for theta0, x² for x^2.

    Examples
    --------
    >>> printed("theta0"), printed("sigma_12"), printed("Lambda"), printed("beta[1]")
    ('θ₀', 'σ₁₂', 'Λ', 'β[1]')
    >>> printed("betas"), printed("x0")
    ('betas', 'x0')
    >>> printed("x^2"), printed("sigma^2 + y^10"), printed("x^y")
    ('x²', 'σ² + y¹⁰', 'x^y')
    """
    label = _POWER.sub(lambda power: power[1].translate(_RAISED), label)
    found = _SPELLED.match(label)
    return _greek(found) + label[found.end() :] if found else label


def _greek(found: re.Match[str]) -> str:
    letter = lookup(f"GREEK SMALL LETTER {found[1].upper().replace('LAMBDA', 'LAMDA')}")
    index = (found[2] or "").translate(LOWERED)
    return (letter.upper() if found[1][0].isupper() else letter) + index


_NUMBERED = re.compile(r"\b[^\W\d_]+\d+\b")


def indexed(text: str, names: Collection[str]) -> str:
    """Return a text in which names have their indices below, as in formulas and drawings.

    Examples
    --------
    >>> indexed("v1 = x·y of 12", {"v1", "x", "y"})
    'v₁ = x·y of 12'
    """
    return _NUMBERED.sub(lambda x: x[0].translate(LOWERED) if x[0] in names else x[0], text)


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
