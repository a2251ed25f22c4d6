"""Replace characters in labels that cannot be seen, move the cursor or reverse the text."""

from __future__ import annotations

from unicodedata import category

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
