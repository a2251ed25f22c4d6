"""Examples on their way into training: checked, split, put in order and cut into batches."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scalargrad.errors import OperandError
from scalargrad.value import Value


class Examples(NamedTuple):
    """Inputs and as many targets."""

    inputs: list[Any]
    targets: list[Any]

    def at(self, rows: Sequence[int]) -> Examples:
        """Return the examples with these numbers, in this order."""
        return Examples([self.inputs[i] for i in rows], [self.targets[i] for i in rows])


def examples(inputs: Any, targets: Any, what: str) -> Examples:
    """Return inputs and targets as lists; arrays become lists of plain floats.

    Raises
    ------
    OperandError
        If there are none, or not as many targets as inputs.
    """
    listed = Examples(_listed(inputs), _listed(targets))
    n, m = len(listed.inputs), len(listed.targets)
    if n != m or not n:
        raise OperandError(f"{what} has {n} inputs and {m} targets: give one target per input")
    return listed


def _listed(rows: Any) -> list[Any]:
    return rows.tolist() if hasattr(rows, "tolist") else list(rows)


def hold_out(given: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Split off a fraction of the examples, drawn by seed.

    Raises
    ------
    OperandError
        If one of the two parts would be empty.
    """
    rows = list(range(len(given.inputs)))
    random.Random(seed).shuffle(rows)
    held = round(fraction * len(rows))
    if not 0 < held < len(rows):
        raise OperandError(
            f"validation_split={fraction} holds out {held} of {len(rows)} examples: give a "
            "fraction that leaves some on both sides"
        )
    return given.at(sorted(rows[held:])), given.at(sorted(rows[:held]))


def batches(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Cut row numbers into batches of `size`; the last may be smaller.

    >>> list(batches([3, 1, 2], 2))
    [[3, 1], [2]]
    """
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def plain(prediction: Any) -> Any:
    """Return a prediction as floats, so that its graph can be freed.

    >>> plain([Value(1.0), Value(2.0)])
    [1.0, 2.0]
    """
    if isinstance(prediction, Value):
        return prediction.data
    if isinstance(prediction, list | tuple):
        return [plain(x) for x in prediction]
    return prediction
