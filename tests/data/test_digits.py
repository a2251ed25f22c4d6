"""The handwritten digits."""

from __future__ import annotations

import sklearn.datasets

from scalargrad.data import digits


def test_digits_are_scikit_learns_split_in_two() -> None:
    """Both parts together are the whole set, scaled to [0, 1], each image once."""
    train, held_out = digits()
    whole = sklearn.datasets.load_digits()
    expected = sorted(zip((whole.data / 16).tolist(), whole.target.tolist(), strict=True))
    found = [*zip(*train, strict=True), *zip(*held_out, strict=True)]
    assert sorted(found) == expected
    assert min(map(min, train.inputs)) == 0.0
    assert max(map(max, train.inputs)) == 1.0


def test_every_digit_is_held_out() -> None:
    """The held-out fifth holds each of the ten digits at least 25 times."""
    _, held_out = digits()
    assert len(held_out.targets) == 360
    assert min(held_out.targets.count(digit) for digit in range(10)) >= 25
