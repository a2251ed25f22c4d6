"""Handwritten digits of 8 × 8 pixels, from the data set that ships with scikit-learn."""

from __future__ import annotations

from scalargrad.data.dataset import Split, sklearn_datasets, split_every


def digits() -> Split[list[float], int]:
    """Load 1,797 handwritten digits, every fifth of them held out.

    Returns
    -------
    Split
        1,437 digits to train on and 360 held out. An input is the 64 pixels of an 8 × 8 image,
        row by row, from 0 (paper) to 1 (ink); its target is the digit, 0 to 9.

    Raises
    ------
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
    images = sklearn_datasets().load_digits()
    return split_every((images.data / 16.0).tolist(), images.target.tolist(), 5)
