"""Write labels as print has them, without characters that hide or move a cursor; measure them.

Long ones have aliases, so that boxes, wires and formulas stay readable; a legend has both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar
from unicodedata import category, lookup

from rich.cells import cell_len

from scalargrad.names import free_names

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


Node = TypeVar("Node", bound=Hashable)

_LONGEST = 21  # columns of a name that is shown as it is
_MOST_INITIALS, _FEW_LETTERS = 6, 3
_WORD = re.compile(r"\d+|[^\W\d_](?:[^\W\d_A-Z]+|[A-Z]*(?![a-z]))")
_INDICES = re.compile(r"\[[\d, ]+\]$")


def aliases(names: Mapping[Node, str]) -> tuple[dict[Node, str], dict[str, str]]:
    """Return short names, and the long name that each alias among them stands for.

    An alias consists of initials. The elements of one tensor share theirs: what stands in
    brackets at the end of a name is kept.

    Examples
    --------
    >>> short, legend = aliases({1: "x", 2: "the_learning_rate_of_the_first_layer"})
    >>> short, legend
    ({1: 'x', 2: 'tlrotf'}, {'tlrotf': 'the_learning_rate_of_the_first_layer'})
    >>> aliases({1: "decoder.blocks.0.attention.weight[3, 14]"})[0]
    {1: 'db0aw[3, 14]'}
    """
    taken = {_INDICES.sub("", name) for name in names.values() if not is_long(name)}
    known: dict[str, str] = {}  # aliases by what they stand for
    short: dict[Node, str] = {}
    for node, name in names.items():
        if not is_long(name):
            short[node] = name
            continue
        indices = found[0] if (found := _INDICES.search(name)) else ""
        stem = name.removesuffix(indices)
        if stem not in known:
            alias = _initials(stem)
            free = free_names(f"{alias}_", taken, start=2)
            known[stem] = next(free) if alias in taken else alias
            taken.add(known[stem])
        short[node] = f"{known[stem]}{indices}"
    return short, {alias: stem for stem, alias in known.items()}


def is_long(name: str) -> bool:
    """Return whether a name, or a line of one, is too long to be shown as it is."""
    return max(map(cell_len, name.split("\n"))) > _LONGEST


def _initials(name: str) -> str:
    """Return the first letters of the words of a name, and its numbers; of one word, some letters.

    Examples
    --------
    >>> _initials("layers.12.queryWeight"), _initials("supercalifragilistic"), _initials("→→")
    ('l12qW', 'sup', 'name')
    """
    words = _WORD.findall(name)
    if len(words) < 2:
        return words[0][:_FEW_LETTERS] if words else "name"
    initials = (word if word.isdigit() else word[0] for word in words)
    return "".join(initials)[:_MOST_INITIALS]
