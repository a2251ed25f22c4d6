"""Labels as displayed text: typeset, without invisible characters, and their width.

Examples: θ₀ for theta0, x² for x^2, and ␇ for a bell character.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from unicodedata import category, lookup

from rich.cells import cell_len

#: Unicode categories of control and format characters, surrogates and separators.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
#: Invisible characters that are kept: parts of words in some scripts, and of emoji.
_JOINERS = "\u200c\u200d"


def replace_invisible(text: str, *, lines: bool = True) -> str:
    r"""Replace characters that are invisible, or are not allowed in XML, by visible ones.

    An ASCII control character becomes its symbol, any other U+FFFD. Line feeds are kept if `lines`
    is true.

    Examples
    --------
    >>> replace_invisible("tab\t, bell\a, turned\u202e")
    'tab␉, bell␇, turned�'
    >>> replace_invisible("two\nlines", lines=False)
    'two␊lines'
    """
    if text.isprintable():
        return text
    return "".join(c if lines and c == "\n" else _visible_character(c) for c in text)


def _visible_character(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    is_invisible = category(character) in _INVISIBLE and character not in _JOINERS
    is_noncharacter = code & 0xFFFE == 0xFFFE
    return "\ufffd" if is_invisible or is_noncharacter else character


_GREEK_NAMES = "alpha|beta|gamma|delta|epsilon|eta|theta|lambda|mu|rho|sigma|tau|phi|omega"
_SPELLED = re.compile(rf"({_GREEK_NAMES})(?:_?(\d+)|_$)?(?=$|[\[_⁰¹²³⁴⁵⁶⁷⁸⁹])", re.IGNORECASE)
_POWER = re.compile(r"(?<=[\w)])\^(\d+)(?![\w.^])")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def typeset_label(label: str) -> str:
    """Return a label with Greek letters and exponents: θ₀ for theta0, x² for x^2.

    Examples
    --------
    >>> [typeset_label(x) for x in ("theta0", "sigma_12", "Lambda", "beta[1]")]
    ['θ₀', 'σ₁₂', 'Λ', 'β[1]']
    >>> [typeset_label(x) for x in ("x^2", "sigma^2 + y^10")]
    ['x²', 'σ² + y¹⁰']
    >>> [typeset_label(x) for x in ("betas", "x0", "x^y")]
    ['betas', 'x0', 'x^y']
    """
    label = _POWER.sub(lambda power: power[1].translate(_SUPERSCRIPTS), label)
    match = _SPELLED.match(label)
    return _greek_letter(match) + label[match.end() :] if match else label


def _greek_letter(match: re.Match[str]) -> str:
    letter = lookup(f"GREEK SMALL LETTER {match[1].upper().replace('LAMBDA', 'LAMDA')}")
    index = (match[2] or "").translate(SUBSCRIPTS)
    return (letter.upper() if match[1][0].isupper() else letter) + index


_NUMBERED = re.compile(r"\b[^\W\d_]+\d+\b")


def typeset_indices(text: str, names: Collection[str]) -> str:
    """Return a text in which the numbers of names are subscripts, as in formulas and drawings.

    Examples
    --------
    >>> typeset_indices("v1 = x·y of 12", {"v1", "x", "y"})
    'v₁ = x·y of 12'
    """
    return _NUMBERED.sub(lambda x: x[0].translate(SUBSCRIPTS) if x[0] in names else x[0], text)


#: Characters that are narrow, wide, or mathematical signs.
_NARROW, _WIDE, _SIGNS = "fijlrt.,:;'|!()[] ", "mwMWO@%", "−+×÷=<>≤≥≠≈·Σ√"
#: Widths of other letters, of capitals, and of East Asian characters, relative to the font size,
#: in DejaVu Sans, which is the widest of the usual fonts.
_LETTER_WIDTH, _CAPITAL_WIDTH, _EAST_ASIAN_WIDTH = 0.64, 0.72, 1.05


def text_width(text: str, size: float) -> float:
    """Return the width of a text of this font size, in pixels.

    Examples
    --------
    >>> round(text_width("−max", 16), 1), round(text_width("x", 16), 1)
    (49.8, 10.2)
    """
    return size * sum(map(_relative_width, text))


def _relative_width(letter: str) -> float:
    if cell_len(letter) != 1:
        return _EAST_ASIAN_WIDTH * cell_len(letter) / 2
    if letter in _NARROW:
        return 0.42
    if letter in _WIDE:
        return 0.99
    if letter in _SIGNS:
        return 0.84
    return _CAPITAL_WIDTH if letter.isupper() else _LETTER_WIDTH
