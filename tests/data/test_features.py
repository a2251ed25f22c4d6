"""Vocabularies and crosses."""

from __future__ import annotations

import zlib

import pytest

from scalargrad.data import Vocabulary, crossed
from scalargrad.errors import OperandError


def test_each_value_has_a_row_and_the_others_share_one() -> None:
    """Rows in the order in which values are met, from 1; 0 for what was not."""
    words = Vocabulary(["b", "a", "b", "c"])
    assert [words.row(x) for x in ("b", "a", "c", "d")] == [1, 2, 3, 0]
    assert (len(words), repr(words)) == (4, "Vocabulary of 3 values")


def test_a_cross_is_a_checksum() -> None:
    """CRC-32 of what is crossed, parted by a character that no name has."""
    expected = zlib.crc32(b"user\x1f3\x1fitem\x1f7") % 1000
    assert crossed("user", 3, "item", 7, buckets=1000) == expected
    assert crossed("ab", "c", buckets=2**32) != crossed("a", "bc", buckets=2**32)


def test_crosses_spread_over_the_buckets() -> None:
    """Of 1,000 pairs in 1,000 buckets about 1/e of the buckets stay empty."""
    found = {crossed(u, i, buckets=1000) for u in range(40) for i in range(25)}
    assert len(found) == pytest.approx(632, abs=60)


def test_no_buckets_are_refused() -> None:
    """A bucket is needed."""
    with pytest.raises(OperandError, match="buckets is 0"):
        crossed(1, buckets=0)
