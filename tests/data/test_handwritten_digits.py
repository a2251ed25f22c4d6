"""The handwritten digits."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
from scipy.ndimage import zoom

from scalargrad.data import digits
from scalargrad.errors import OperandError


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


def test_digits_are_enlarged_linearly() -> None:
    """At 28 × 28 corners stay, ink stays within what it was, and rows follow SciPy's zoom."""
    small, large = digits().train, digits(28).train
    assert small.targets == large.targets
    image, big = np.array(small.inputs[3]).reshape(8, 8), np.array(large.inputs[3]).reshape(28, 28)
    assert big[0, 0] == image[0, 0]
    assert big[-1, -1] == image[-1, -1]
    np.testing.assert_allclose(big, zoom(image, 3.5, order=1), atol=1e-12)


def test_an_image_of_one_pixel_is_refused() -> None:
    """There would be nothing to read."""
    with pytest.raises(OperandError, match="size is 1"):
        digits(1)
