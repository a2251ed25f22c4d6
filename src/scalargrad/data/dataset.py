"""Data sets: inputs and targets, sometimes split in two."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from scalargrad.system.packages import needed

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

    def chosen(held: bool) -> Dataset[X, Y]:
        rows = [i for i in range(len(inputs)) if (i % period == 0) == held]
        return Dataset([inputs[i] for i in rows], [targets[i] for i in rows])

    return Split(chosen(False), chosen(True))


def sklearn_datasets() -> Any:
    """Return the module ``sklearn.datasets``.

    Raises
    ------
    MissingPackageError
        If scikit-learn is not installed.
    """
    with needed("this data needs"):
        import sklearn.datasets
    return sklearn.datasets
