"""The reviews and their bags of words."""

from __future__ import annotations

import zlib

import pytest

from scalargrad.data import bag_of_words, sentiment, words
from scalargrad.errors import OperandError


def test_reviews_are_balanced_and_distinct() -> None:
    """Each part is half positive, and no review occurs twice."""
    train, held_out = sentiment()
    assert (len(train.inputs), len(held_out.inputs)) == (166, 42)
    for part in (train, held_out):
        assert 2 * sum(part.targets) == len(part.targets)
    assert len({*train.inputs, *held_out.inputs}) == 208


def test_a_single_word_does_not_give_the_label_away() -> None:
    """No word stands in even half of the reviews of one kind and in none of the other."""
    inputs, targets = sentiment().train
    bags = [set(words(review)) for review in inputs]
    for word in set().union(*bags):
        good = sum(word in bag for bag, y in zip(bags, targets, strict=True) if y)
        bad = sum(word in bag for bag, y in zip(bags, targets, strict=True) if not y)
        assert min(good, bad) > 0 or max(good, bad) < 41


def test_reviews_hold_negations_of_both_kinds() -> None:
    """Not, never or nothing occurs in positive reviews and in negative ones."""
    inputs, targets = sentiment().train
    negated = {
        y
        for review, y in zip(inputs, targets, strict=True)
        if {"not", "never", "nothing"} & set(words(review))
    }
    assert negated == {0, 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), ("It's 5 o'clock, café!", ["it's", "o'clock", "café"]), ("A-b_c", ["a", "b", "c"])],
)
def test_words_are_letters_only(text: str, expected: list[str]) -> None:
    """Digits, punctuation and underscores part words; apostrophes inside and accents stay."""
    assert words(text) == expected


def test_a_bag_counts_words_at_their_checksum() -> None:
    """The position is CRC-32 modulo the size, as zlib and every zip file have it."""
    assert bag_of_words("123456789 well well") == {zlib.crc32(b"well") % 10_000: 2.0}
    assert bag_of_words("") == {}


def test_words_that_share_a_position_add_up() -> None:
    """In a bag of size 1 every word falls into entry 0."""
    assert bag_of_words("one two three", size=1) == {0: 3.0}


def test_a_bag_of_no_size_is_refused() -> None:
    """A bag needs at least one position."""
    with pytest.raises(OperandError, match="size is 0"):
        bag_of_words("word", size=0)
