"""Text data: names, reviews, and their representation as bags of words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from importlib import resources
from itertools import chain
from typing import Literal

from scalargrad.checks.arguments import check_choice, check_instance, check_integer
from scalargrad.data.datasets import Dataset, Split, split_every

__all__ = ["bag_of_words", "hotel_reviews", "names", "sentiment", "words"]

Kind = Literal["country", "capital", "element"]
KINDS = ("country", "capital", "element")


def names(kind: Kind | None = None) -> list[str]:
    """Return the names of 195 countries, their capitals, and 118 chemical elements.

    Parameters
    ----------
    kind : {"country", "capital", "element"}, optional
        The kind of names to return; default: all of them.

    Returns
    -------
    list of str
        Countries in alphabetical order, then capitals in the same order, then elements by number.

    Raises
    ------
    DomainError
        If `kind` is another string.

    Notes
    -----
    The sources of the names, and how they were selected, are documented in the data file.

    Examples
    --------
    >>> names("element")[:3]
    ['Hydrogen', 'Helium', 'Lithium']
    """
    rows = _rows("facts.tsv")
    countries, capitals = zip(*[row[1:] for row in rows if row[0] == "country"], strict=True)
    elements = [name for kind, name, _ in rows if kind == "element"]
    by_kind = dict(zip(KINDS, (countries, capitals, elements), strict=True))
    kinds = KINDS if kind is None else (check_choice(kind, "kind", KINDS),)
    return [name for x in kinds for name in by_kind[x]]


#: Names of the classes of reviews, by their number.
LABELS = ("negative", "positive")


def sentiment() -> Split[str, int]:
    """Load 208 short reviews, half of them positive; a fifth is held out.

    Returns
    -------
    Split
        Reviews as text, and their labels: 0 negative, 1 positive.

    Notes
    -----
    The reviews were written for this package, in pairs of a positive and a negative one about the
    same subject. The split keeps pairs together, so the reviews held out are about other subjects
    than the training examples.

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
    """Return five hotel reviews, like those in UCSB's lecture on sentiment analysis.

    Returns
    -------
    Dataset
        A positive review with a negated complaint, a negative one that lists deficiencies, an
        enthusiastic one of a single line, a negative one with one good point, and a calm positive
        one.

    Examples
    --------
    >>> hotel_reviews().targets
    [1, 0, 1, 0, 1]
    """
    return _reviews(_rows("hotel_reviews.tsv"))


def _rows(name: str) -> list[list[str]]:
    """Return the rows of a TSV file of this package, without comments and the header line."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]


def _reviews(rows: Iterable[list[str]]) -> Dataset[str, int]:
    labels, reviews = zip(*rows, strict=True)
    return Dataset([*reviews], [LABELS.index(label) for label in labels])


def words(text: str) -> list[str]:
    """Split a text into words, in lower case and without punctuation.

    Examples
    --------
    >>> words("Not bad at all: it's GREAT!")
    ['not', 'bad', 'at', 'all', "it's", 'great']
    """
    check_instance(text, "text", str, "text (str)")
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())


def bag_of_words(text: str, size: int = 10_000) -> dict[int, float]:
    """Return the word counts of a text as a sparse vector of length `size`.

    Parameters
    ----------
    text : str
        Any text.
    size : int
        Length of the vector.

    Returns
    -------
    dict from int to float
        The nonzero entries: maps the index of a word, in [0, size), to its number of occurrences.

    Raises
    ------
    OperandError
        If `size` is under 1.

    Notes
    -----
    The index of a word is its CRC-32 modulo `size`, the same in every run and on every machine. No
    vocabulary is needed, and new words have an index too. Two words may have the same index: of 700
    words and 10,000 indices, about 24 pairs collide.

    References
    ----------
    Weinberger et al., Feature hashing for large scale multitask learning, 2009.

    Examples
    --------
    >>> sorted(bag_of_words("good, good, bad").values())
    [1.0, 2.0]
    """
    size = check_integer(size, "size", 1)
    counts: dict[int, float] = {}
    for word in words(text):
        index = zlib.crc32(word.encode()) % size
        counts[index] = counts.get(index, 0.0) + 1.0
    return counts
