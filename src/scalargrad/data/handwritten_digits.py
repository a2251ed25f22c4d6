"""Handwritten digits of 8 × 8 pixels, from the data set that ships with scikit-learn."""

from __future__ import annotations

from typing import Any

from scalargrad.data.dataset import Split, sklearn_datasets, split_every
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import whole

#: The most pixels along a side: with more, the digits would not fit into memory.
_LARGEST = 256


def digits(size: int = 8) -> Split[list[float], int]:
    """Load 1,797 handwritten digits, every fifth of them held out.

    Parameters
    ----------
    size : int
        Pixels along a side. The images have 8 × 8 pixels; for any other size, such as MNIST's 28,
        they are interpolated linearly.

    Returns
    -------
    Split
        1,437 digits to train on and 360 held out. An input is the size² pixels of an image, row
        by row, from 0 (paper) to 1 (ink); its target is the digit, 0 to 9.

    Raises
    ------
    OperandError
        If `size` is under 2 or over 256.
    MissingPackageError
        If scikit-learn is not installed.

    References
    ----------
    Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI repository, 1998.

    Examples
    --------
    >>> train, held_out = digits()
    >>> len(train.inputs), len(held_out.inputs), len(train.inputs[0])
    (1437, 360, 64)
    """
    if not 2 <= whole(size, "size") <= _LARGEST:
        raise OperandError(
            f"size is {shown(size)}: an image has 2 × 2 to {_LARGEST} × {_LARGEST} pixels"
        )
    images = sklearn_datasets().load_digits()
    pixels = images.data / 16.0 if size == 8 else _enlarged(images.images / 16.0, size)
    return split_every(pixels.tolist(), images.target.tolist(), 5)


def _enlarged(images: Any, size: int) -> Any:
    """Interpolate square images linearly, along rows and along columns; corners stay corners."""
    import numpy as np

    old = images.shape[1]
    place = np.linspace(0, old - 1, size)
    weights = np.maximum(0.0, 1.0 - abs(place[:, None] - np.arange(old)))
    return np.einsum("ri,nij,cj->nrc", weights, images, weights).reshape(len(images), size**2)
