"""Data sets: random points in the plane, a sine curve, and handwritten digits.

Classes are numbered from 0. For a loss that takes -1 and 1, pass ``2 * y - 1``.
"""

from __future__ import annotations

import math
import random
from typing import Any, Generic, NamedTuple, TypeVar

from scalargrad.checks.arguments import check_fraction, check_integer, check_number, check_size
from scalargrad.system.packages import optional_dependency

__all__ = ["Dataset", "Split", "blobs", "circles", "digits", "moons", "sine", "spirals", "xor"]

X = TypeVar("X")
Y = TypeVar("Y")


class Dataset(NamedTuple, Generic[X, Y]):
    """Examples: n inputs and n targets, in plain Python.

    Attributes
    ----------
    inputs : list of length n
        The input of each example, usually a list of floats.
    targets : list of length n
        The target of each example: a class (int) or a number (float).

    Examples
    --------
    >>> inputs, targets = Dataset([[0.0, 1.0], [1.0, 1.0]], [1, 0])
    >>> targets
    [1, 0]
    """

    inputs: list[X]
    targets: list[Y]


class Split(NamedTuple, Generic[X, Y]):
    """A data set with a fixed split into training and test examples.

    Attributes
    ----------
    train : Dataset
        The training examples.
    held_out : Dataset
        The other examples, for validation or tests.
    """

    train: Dataset[X, Y]
    held_out: Dataset[X, Y]


def split_every(inputs: list[X], targets: list[Y], period: int) -> Split[X, Y]:
    """Split examples: every `period`-th, starting with the first, is held out.

    Examples
    --------
    >>> split_every(["a", "b", "c", "d"], [0, 1, 2, 3], 3).held_out
    Dataset(inputs=['a', 'd'], targets=[0, 3])
    """

    def subset(is_held_out: bool) -> Dataset[X, Y]:
        rows = [i for i in range(len(inputs)) if (i % period == 0) == is_held_out]
        return Dataset([inputs[i] for i in rows], [targets[i] for i in rows])

    return Split(subset(False), subset(True))


def sklearn_datasets() -> Any:
    """Return the module ``sklearn.datasets``.

    Raises
    ------
    MissingPackageError
        If scikit-learn is not installed.
    """
    with optional_dependency("this data needs"):
        import sklearn.datasets
    return sklearn.datasets


Points = Dataset[list[float], int]


#: Maximum seed of NumPy and scikit-learn.
_LARGEST_SEED = 2**32 - 1


def _points(inputs: Any, targets: Any) -> Points:
    return Dataset(inputs.tolist(), [int(y) for y in targets])


def moons(n: int = 100, noise: float = 0.1, seed: int = 0) -> Points:
    """Return points on two interleaving half circles.

    Parameters
    ----------
    n : int
        Number of points, half of them in each class.
    noise : float
        Standard deviation of the normal noise added to each coordinate; the circles have radius 1.
    seed : int
        Equal seeds give equal points.

    Returns
    -------
    Dataset
        n inputs of length 2, and n classes, 0 (upper) or 1 (lower).

    Raises
    ------
    OperandError
        If `n` is under 1.
    MissingPackageError
        If NumPy is not installed.

    Notes
    -----
    The points are those of scikit-learn's ``make_moons`` with this seed.

    Examples
    --------
    >>> inputs, targets = moons(4, noise=0.0)
    >>> sorted(targets)
    [0, 0, 1, 1]
    """
    n, noise = check_size(n, "n", 1), check_number(noise, "noise", 0.0)
    seed = check_integer(seed, "seed", 0, _LARGEST_SEED)
    with optional_dependency("moons need"):
        import numpy as np
    rng = np.random.RandomState(seed)
    upper, lower = np.linspace(0, np.pi, n // 2), np.linspace(0, np.pi, n - n // 2)
    above = np.stack([np.cos(upper), np.sin(upper)], 1)
    below = np.stack([1 - np.cos(lower), 1 - np.sin(lower) - 0.5], 1)
    order = rng.permutation(n)
    points = np.concatenate([above, below])[order]
    return _points(points + rng.normal(scale=noise, size=points.shape), order >= n // 2)


def circles(n: int = 100, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> Points:
    """Return points on two concentric circles.

    Parameters
    ----------
    n : int
        Number of points, half of them in each class.
    noise : float
        Standard deviation of the normal noise added to each coordinate.
    factor : float
        Radius of the inner circle, in [0, 1); the outer circle has radius 1.
    seed : int
        Equal seeds give equal points.

    Returns
    -------
    Dataset
        n inputs of length 2, and n classes, 0 (outer) or 1 (inner).

    Raises
    ------
    OperandError
        If `n` is under 1.
    MissingPackageError
        If scikit-learn is not installed; its ``make_circles`` computes the points.

    Examples
    --------
    >>> inputs, targets = circles(50, noise=0.0, factor=0.25)
    >>> sorted({round(math.hypot(*x), 6) for x in inputs})
    [0.25, 1.0]
    """
    n, noise, factor = (
        check_size(n, "n", 1),
        check_number(noise, "noise", 0.0),
        check_fraction(factor, "factor"),
    )
    seed = check_integer(seed, "seed", 0, _LARGEST_SEED)
    make = sklearn_datasets().make_circles
    return _points(*make(n_samples=n, noise=noise, factor=factor, random_state=seed))


def blobs(n: int = 100, classes: int = 3, spread: float = 1.0, seed: int = 0) -> Points:
    """Return a normally distributed cluster of points for each class, centered in [-10, 10]².

    Parameters
    ----------
    n : int
        Number of points, divided evenly among the classes.
    classes : int
        Number of clusters.
    spread : float
        Standard deviation of each coordinate within a cluster.
    seed : int
        Equal seeds give equal points.

    Returns
    -------
    Dataset
        n inputs of length 2, and n classes from 0 to classes - 1.

    Raises
    ------
    OperandError
        If `n` or `classes` is under 1.
    MissingPackageError
        If scikit-learn is not installed; its ``make_blobs`` computes the points.

    Examples
    --------
    >>> sorted(blobs(6, classes=3).targets)
    [0, 0, 1, 1, 2, 2]
    """
    n, classes, spread = (
        check_size(n, "n", 1),
        check_size(classes, "classes", 1),
        check_number(spread, "spread", 0.0),
    )
    seed = check_integer(seed, "seed", 0, _LARGEST_SEED)
    make = sklearn_datasets().make_blobs
    return _points(*make(n_samples=n, centers=classes, cluster_std=spread, random_state=seed))


def spirals(
    n: int = 100, classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> Points:
    """Return points on interleaved spiral arms, one for each class.

    Parameters
    ----------
    n : int
        Number of points; point i is in class i mod classes.
    classes : int
        Number of arms.
    turns : float
        Number of full rotations of an arm about the origin.
    noise : float
        Standard deviation of the normal noise added to each coordinate; arms end at radius 1.
    seed : int
        Equal seeds give equal points.

    Returns
    -------
    Dataset
        n inputs of length 2, and n classes from 0 to classes - 1.

    Raises
    ------
    OperandError
        If `n` or `classes` is under 1.

    Notes
    -----
    Point k of m of an arm has radius (k + 1)/m and angle 2π(turns · radius + class/classes).

    References
    ----------
    Lang and Witbrock, Learning to tell two spirals apart, 1988, who introduced the task.

    Examples
    --------
    >>> inputs, targets = spirals(4, noise=0.0)
    >>> targets
    [0, 1, 0, 1]
    >>> [round(math.hypot(*x), 3) for x in inputs]
    [0.5, 0.5, 1.0, 1.0]
    """
    n, classes, noise = (
        check_size(n, "n", 1),
        check_size(classes, "classes", 1),
        check_number(noise, "noise", 0.0),
    )
    turns = check_number(turns, "turns", -1e6, 1e6)
    rng = random.Random(check_integer(seed, "seed"))
    inputs = []
    for i in range(n):
        radius = (i // classes + 1) / -(-n // classes)
        angle = 2 * math.pi * (turns * radius + i % classes / classes)
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        inputs.append([x + rng.gauss(0, noise), y + rng.gauss(0, noise)])
    return Dataset(inputs, [i % classes for i in range(n)])


def xor(n: int = 4, noise: float = 0.0, seed: int = 0) -> Points:
    """Return the exclusive or: two bits, and class 1 if exactly one of them is set.

    Parameters
    ----------
    n : int
        Number of points; the corners (0, 0), (0, 1), (1, 0), (1, 1) are repeated in this order.
    noise : float
        Standard deviation of the normal noise added to each coordinate.
    seed : int
        Equal seeds give equal points.

    Returns
    -------
    Dataset
        n inputs of length 2, and n classes, 0 or 1.

    Raises
    ------
    OperandError
        If `n` is under 1.

    Examples
    --------
    >>> xor()
    Dataset(inputs=[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], targets=[0, 1, 1, 0])
    """
    n, noise = check_size(n, "n", 1), check_number(noise, "noise", 0.0)
    rng = random.Random(check_integer(seed, "seed"))
    corners = [(i // 2 % 2, i % 2) for i in range(n)]
    inputs = [[bit + rng.gauss(0, noise) for bit in corner] for corner in corners]
    return Dataset(inputs, [a ^ b for a, b in corners])


def sine(n: int = 2000, noise: float = 0.0, seed: int = 0) -> Dataset[list[float], float]:
    """Return y = sin x at n evenly spaced points in [-π, π], both ends included.

    Parameters
    ----------
    n : int
        Number of points.
    noise : float
        Standard deviation of the normal noise added to y.
    seed : int
        Equal seeds give equal noise.

    Returns
    -------
    Dataset
        n inputs of length 1, x in radians, and n targets y, dimensionless.

    Raises
    ------
    OperandError
        If `n` is under 2.

    Examples
    --------
    >>> inputs, targets = sine(3)
    >>> [round(x, 4) for (x,) in inputs], [round(y, 4) for y in targets]
    ([-3.1416, 0.0, 3.1416], [-0.0, 0.0, 0.0])
    """
    n, noise = check_size(n, "n", 2), check_number(noise, "noise", 0.0)
    rng = random.Random(check_integer(seed, "seed"))
    xs = [math.pi * (2 * i / (n - 1) - 1) for i in range(n)]
    return Dataset([[x] for x in xs], [math.sin(x) + rng.gauss(0, noise) for x in xs])


#: Maximum number of pixels along a side; larger images would not fit into memory.
_MAX_PIXELS = 256


def digits(size: int = 8) -> Split[list[float], int]:
    """Load 1,797 handwritten digits, every fifth of them held out.

    Parameters
    ----------
    size : int
        Number of pixels along a side. The original images have 8 × 8 pixels; for other sizes, such
        as MNIST's 28, they are interpolated linearly.

    Returns
    -------
    Split
        1,437 training examples and 360 held out. An input is the size² pixels of an image, row by
        row, from 0 (paper) to 1 (ink); the target is the digit, 0 to 9.

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
    check_integer(size, "size", 2, _MAX_PIXELS)
    images = sklearn_datasets().load_digits()
    pixels = images.data / 16.0 if size == 8 else _resize(images.images / 16.0, size)
    return split_every(pixels.tolist(), images.target.tolist(), 5)


def _resize(images: Any, size: int) -> Any:
    """Interpolate square images bilinearly; the corner pixels keep their values."""
    import numpy as np

    old = images.shape[1]
    coordinates = np.linspace(0, old - 1, size)
    weights = np.maximum(0.0, 1.0 - abs(coordinates[:, None] - np.arange(old)))
    return np.einsum("ri,nij,cj->nrc", weights, images, weights).reshape(len(images), size**2)
