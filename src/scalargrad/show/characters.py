"""Write labels as print has them, without characters that hide, or move the cursor."""

from __future__ import annotations

import re
from unicodedata import category, lookup

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
_SPELLED = re.compile(rf"({_LETTERS})(?:_?(\d+)|_$)?(?=$|[\[_])", re.IGNORECASE)
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def printed(label: str) -> str:
    """Return a label as print has it: θ₀ for theta0.

    Examples
    --------
    >>> printed("theta0"), printed("sigma_12"), printed("Lambda"), printed("beta[1]")
    ('θ₀', 'σ₁₂', 'Λ', 'β[1]')
    >>> printed("betas"), printed("x0")
    ('betas', 'x0')
    """
    found = _SPELLED.match(label)
    return _greek(found) + label[found.end() :] if found else label


def _greek(found: re.Match[str]) -> str:
    letter = lookup(f"GREEK SMALL LETTER {found[1].upper().replace('LAMBDA', 'LAMDA')}")
    return (letter.upper() if found[1][0].isupper() else letter) + (found[2] or "").translate(
        LOWERED
    )
