"""Data sets: points in the plane and a curve, drawn by a seed, and handwritten digits.

The classes are numbered from 0. A loss that wants -1 and 1 is given ``2 * y - 1``.
"""

from __future__ import annotations

import math
import random
from typing import Any, Generic, NamedTuple, TypeVar

from scalargrad.system.packages import optional_dependency
from scalargrad.table.validation import fraction, number, size, whole

__all__ = ["Dataset", "Split", "blobs", "circles", "digits", "moons", "sine", "spirals", "xor"]

X = TypeVar("X")
Y = TypeVar("Y")


class Dataset(NamedTuple, Generic[X, Y]):
    """Examples: n inputs and n targets, in plain Python.

    Attributes
    ----------
    inputs : list of length n
        One input per example, most often a list of floats.
    targets : list of length n
        One target per example: a class (int) or a number (float).

    Examples
    --------
    >>> inputs, targets = Dataset([[0.0, 1.0], [1.0, 1.0]], [1, 0])
    >>> targets
    [1, 0]
    """

    inputs: list[X]
    targets: list[Y]


class Split(NamedTuple, Generic[X, Y]):
    """A data set with a fixed split into examples to train on and examples held out.

    Attributes
    ----------
    train, held_out : Dataset
        With no example in common.
    """

    train: Dataset[X, Y]
    held_out: Dataset[X, Y]


def split_every(inputs: list[X], targets: list[Y], period: int) -> Split[X, Y]:
    """Hold out every `period`-th example, starting with the first.

    Examples
    --------
    >>> split_every(["a", "b", "c", "d"], [0, 1, 2, 3], 3).held_out
    Dataset(inputs=['a', 'd'], targets=[0, 3])
    """

    def subset(held: bool) -> Dataset[X, Y]:
        rows = [i for i in range(len(inputs)) if (i % period == 0) == held]
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


#: The largest seed that NumPy and scikit-learn take.
_LARGEST_SEED = 2**32 - 1


def _points(inputs: Any, targets: Any) -> Points:
    return Dataset(inputs.tolist(), [int(y) for y in targets])


def moons(n: int = 100, noise: float = 0.1, seed: int = 0) -> Points:
    """Make two interleaving half circles.

    Parameters
    ----------
    n : int
        Number of points, half of them in each class.
    noise : float
        Standard deviation of the normal noise added to each coordinate; the circles' radius is 1.
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
    n, noise = size(n, "n", 1), number(noise, "noise", 0.0)
    seed = whole(seed, "seed", 0, _LARGEST_SEED)
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
    """Make a circle inside a larger one.

    Parameters
    ----------
    n : int
        Number of points, half of them in each class.
    noise : float
        Standard deviation of the normal noise added to each coordinate.
    factor : float
        Radius of the inner circle, in [0, 1); the outer has 1.
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
        If scikit-learn, whose ``make_circles`` this is, is not installed.

    Examples
    --------
    >>> inputs, targets = circles(50, noise=0.0, factor=0.25)
    >>> sorted({round(math.hypot(*x), 6) for x in inputs})
    [0.25, 1.0]
    """
    n, noise, factor = size(n, "n", 1), number(noise, "noise", 0.0), fraction(factor, "factor")
    seed = whole(seed, "seed", 0, _LARGEST_SEED)
    make = sklearn_datasets().make_circles
    return _points(*make(n_samples=n, noise=noise, factor=factor, random_state=seed))


def blobs(n: int = 100, classes: int = 3, spread: float = 1.0, seed: int = 0) -> Points:
    """Make one round cloud of points per class, about centres drawn from [-10, 10]².

    Parameters
    ----------
    n : int
        Number of points, shared evenly among the classes.
    classes : int
        Number of clouds.
    spread : float
        Standard deviation of each coordinate about its centre.
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
        If scikit-learn, whose ``make_blobs`` this is, is not installed.

    Examples
    --------
    >>> sorted(blobs(6, classes=3).targets)
    [0, 0, 1, 1, 2, 2]
    """
    n, classes, spread = size(n, "n", 1), size(classes, "classes", 1), number(spread, "spread", 0.0)
    seed = whole(seed, "seed", 0, _LARGEST_SEED)
    make = sklearn_datasets().make_blobs
    return _points(*make(n_samples=n, centers=classes, cluster_std=spread, random_state=seed))


def spirals(
    n: int = 100, classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> Points:
    """Make spiral arms wound into each other, one per class.

    Parameters
    ----------
    n : int
        Number of points, dealt to the classes in turn.
    classes : int
        Number of arms.
    turns : float
        How often an arm winds about the origin, in full turns.
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
    Lang and Witbrock, Learning to tell two spirals apart, 1988, whose task this is.

    Examples
    --------
    >>> inputs, targets = spirals(4, noise=0.0)
    >>> targets
    [0, 1, 0, 1]
    >>> [round(math.hypot(*x), 3) for x in inputs]
    [0.5, 0.5, 1.0, 1.0]
    """
    n, classes, noise = size(n, "n", 1), size(classes, "classes", 1), number(noise, "noise", 0.0)
    turns = number(turns, "turns", -1e6, 1e6)
    rng = random.Random(whole(seed, "seed"))
    inputs = []
    for i in range(n):
        radius = (i // classes + 1) / -(-n // classes)
        angle = 2 * math.pi * (turns * radius + i % classes / classes)
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        inputs.append([x + rng.gauss(0, noise), y + rng.gauss(0, noise)])
    return Dataset(inputs, [i % classes for i in range(n)])


def xor(n: int = 4, noise: float = 0.0, seed: int = 0) -> Points:
    """Make exclusive or: class 1 where exactly one of two bits is set.

    Parameters
    ----------
    n : int
        Number of points; the four corners (0, 0), (0, 1), (1, 0), (1, 1) come in turn.
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
    n, noise = size(n, "n", 1), number(noise, "noise", 0.0)
    rng = random.Random(whole(seed, "seed"))
    corners = [(i // 2 % 2, i % 2) for i in range(n)]
    inputs = [[bit + rng.gauss(0, noise) for bit in corner] for corner in corners]
    return Dataset(inputs, [a ^ b for a, b in corners])


def sine(n: int = 2000, noise: float = 0.0, seed: int = 0) -> Dataset[list[float], float]:
    """Sample y = sin x at n points spread evenly over [-π, π], both ends included.

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
    n, noise = size(n, "n", 2), number(noise, "noise", 0.0)
    rng = random.Random(whole(seed, "seed"))
    xs = [math.pi * (2 * i / (n - 1) - 1) for i in range(n)]
    return Dataset([[x] for x in xs], [math.sin(x) + rng.gauss(0, noise) for x in xs])


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
    whole(size, "size", 2, _LARGEST)
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
