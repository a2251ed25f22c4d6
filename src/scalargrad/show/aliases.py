"""Short names for long ones, so that boxes, wires and formulas stay readable; a legend has both."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import TypeVar

from rich.cells import cell_len

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
            known[stem] = _unused(_initials(stem), taken)
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
    >>> _initials("1234567890_of_b")
    '123'
    """
    words = _WORD.findall(name)
    if len(words) < 2:
        return words[0][:_FEW_LETTERS] if words else "name"
    initials = ""
    for word in words:
        initial = word if word.isdigit() else word[0]
        if len(initials + initial) > _MOST_INITIALS:
            break
        initials += initial
    return initials or words[0][:_FEW_LETTERS]


def _unused(alias: str, taken: set[str]) -> str:
    """Return an alias no name has, with a number if need be."""
    number, found = 1, alias
    while found in taken:
        number += 1
        found = f"{alias}_{number}"
    return found
