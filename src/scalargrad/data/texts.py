"""Texts: names, and reviews with the bags of words that stand for them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from importlib import resources
from itertools import chain
from typing import Literal

from scalargrad.data.datasets import Dataset, Split, split_every
from scalargrad.table.validation import choice, instance, whole

__all__ = ["bag_of_words", "hotel_reviews", "names", "sentiment", "words"]

Kind = Literal["country", "capital", "element"]
KINDS = ("country", "capital", "element")


def names(kind: Kind | None = None) -> list[str]:
    """List the names of 195 countries, their capitals, and 118 chemical elements.

    Parameters
    ----------
    kind : {"country", "capital", "element"}, optional
        By default names of every kind.

    Returns
    -------
    list of str
        Countries in alphabetical order, then capitals in the same order, then elements by number.

    Raises
    ------
    DomainError
        If there is no such kind.

    Notes
    -----
    The data file states where its entries come from and which choices it makes.

    Examples
    --------
    >>> names("element")[:3]
    ['Hydrogen', 'Helium', 'Lithium']
    """
    rows = _rows("facts.tsv")
    countries, capitals = zip(*[row[1:] for row in rows if row[0] == "country"], strict=True)
    elements = [name for kind, name, _ in rows if kind == "element"]
    found = dict(zip(KINDS, (countries, capitals, elements), strict=True))
    kinds = KINDS if kind is None else (choice(kind, "kind", KINDS),)
    return [name for x in kinds for name in found[x]]


LABELS = ("negative", "positive")


def sentiment() -> Split[str, int]:
    """Load 208 short reviews written for this package, half of each kind, a fifth held out.

    Returns
    -------
    Split
        Reviews as text, and their labels: 0 negative, 1 positive.

    Notes
    -----
    Reviews come in pairs on one subject, one for and one against, and a pair is never torn
    apart by the split: what is held out is about subjects not trained on.

    Examples
    --------
    >>> train, held_out = sentiment()
    >>> train.inputs[0], LABELS[train.targets[0]]
    ('I loved every minute of it and would happily watch it again.', 'positive')
    """
    rows = _rows("sentiment.tsv")
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    train, held_out = split_every(pairs, [None] * len(pairs), 5)
    return Split(_reviews(chain(*train.inputs)), _reviews(chain(*held_out.inputs)))


def hotel_reviews() -> Dataset[str, int]:
    """Return five reviews of a hotel, of the five kinds on which UCSB's lecture shows sentiment.

    Returns
    -------
    Dataset
        Positive with a complaint that is negated; negative, listing what was missing; enthusiastic
        in one line; negative with one good point; calm and positive.

    Examples
    --------
    >>> hotel_reviews().targets
    [1, 0, 1, 0, 1]
    """
    return _reviews(_rows("hotel_reviews.tsv"))


def _rows(name: str) -> list[list[str]]:
    """Return the rows of a table beside this file, without its comments and its head."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]


def _reviews(rows: Iterable[list[str]]) -> Dataset[str, int]:
    labels, reviews = zip(*rows, strict=True)
    return Dataset([*reviews], [LABELS.index(label) for label in labels])


def words(text: str) -> list[str]:
    """Split a text into its words, in lower case and without punctuation.

    Examples
    --------
    >>> words("Not bad at all: it's GREAT!")
    ['not', 'bad', 'at', 'all', "it's", 'great']
    """
    instance(text, "text", str, "text (str)")
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())


def bag_of_words(text: str, size: int = 10_000) -> dict[int, float]:
    """Count the words of a text as a sparse vector of length `size`.

    Parameters
    ----------
    text : str
        Any text.
    size : int
        Length of the vector.

    Returns
    -------
    dict from int to float
        The entries that are not 0: position of a word, in [0, size), to how often it occurs.

    Raises
    ------
    OperandError
        If `size` is under 1.

    Notes
    -----
    A word's position is its CRC-32 modulo `size`, the same in every run and on every machine,
    so no list of words is kept and a word never seen has a position too. Two words may
    share one: among 700 words and 10,000 positions some 24 pairs do.

    References
    ----------
    Weinberger et al., Feature hashing for large scale multitask learning, 2009.

    Examples
    --------
    >>> sorted(bag_of_words("good, good, bad").values())
    [1.0, 2.0]
    """
    size = whole(size, "size", 1)
    counts: dict[int, float] = {}
    for word in words(text):
        position = zlib.crc32(word.encode()) % size
        counts[position] = counts.get(position, 0.0) + 1.0
    return counts
