"""The maximum that `softmax` subtracts from its scores, as pictures and step pages show it.

In a graph this maximum is a plain number. It depends on the scores, so pages compute it again at
other inputs, and name the scores: x - max(x, y).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.engine.branch_log import SCORES_ATTRIBUTE
from scalargrad.engine.value import Value


class MaxScore(float):
    """Maximum of the scores of a `softmax`, a constant operand that stores these scores."""

    __slots__ = ("scores",)

    def __new__(cls, value: float, scores: Sequence[Any] = ()) -> MaxScore:
        """Create the maximum, with the scores of which it is the maximum."""
        score = super().__new__(cls, value)
        score.scores = tuple(scores)
        return score

    scores: tuple[Any, ...]


def operands_for_display(node: Value) -> tuple[Value | float, ...]:
    """Return the operands of a node; the maximum that `softmax` subtracts is a MaxScore.

    Examples
    --------
    >>> from scalargrad import softmax
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> exponential, _ = softmax([x, y])[0].parents
    >>> _, largest = operands_for_display(exponential.parents[0])
    >>> largest, [score.label for score in largest.scores]
    (2.0, ['x', 'y'])
    """
    scores = getattr(node, SCORES_ATTRIBUTE, None)
    if scores is None:
        return node.parents
    x, largest = node.parents
    assert isinstance(largest, float)
    return x, MaxScore(largest, scores)
