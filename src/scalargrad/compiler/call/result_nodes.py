"""Make nodes of the graph for the results of a call that depend on Values."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.call.output import Output, Source
from scalargrad.value import Value


class ResultNodes:
    """Makes the nodes for the results of a path.

    Parameters
    ----------
    reached : tuple of bool
        For each result, whether it depends on a Value; if not, it stays a number.
    operands : sequence of tuple of int, or None
        For each result, the indices of the operands it depends on; None for all of them.
    """

    def __init__(
        self, reached: tuple[bool, ...], operands: Sequence[tuple[int, ...] | None]
    ) -> None:
        self._reached = reached
        #: The different sets of operands, and which of them each result depends on.
        self._sets = [*dict.fromkeys(operands)]
        place = {places: k for k, places in enumerate(self._sets)}
        self._which = [place[places] for places in operands]
        self._is_partial = any(places is not None for places in self._sets)
        #: Whether the only result depends on all operands: a call then makes the node itself.
        self.is_single = reached == (True,) and not self._is_partial

    def outputs(
        self,
        numbers: list[float],
        source: Source,
        parents: tuple[Value, ...],
        along: tuple[int, tuple[float, ...]] | None,
    ) -> list[Value | float]:
        """Return each result as a node if it depends on a Value, else as a number.

        `along` is a result's index and its gradient, if that was computed with the numbers.
        """
        index, row = along or (-1, None)
        if not self._is_partial:
            return [
                Output(x, i, source, parents, row if i == index else None) if reached else x
                for i, (x, reached) in enumerate(zip(numbers, self._reached))  # noqa: B905 - guards
            ]
        # Results that depend on the same operands share the tuple: the graph is sorted faster.
        read = [parents if x is None else tuple([parents[k] for k in x]) for x in self._sets]
        return [
            _node(x, i, source, read[k], row if i == index else None) if reached else x
            for i, (x, reached, k) in enumerate(
                zip(numbers, self._reached, self._which, strict=False)
            )
        ]

    def leaves(self, numbers: list[float]) -> list[Value | float]:
        """Return each result as a Value without parents if it depends on a Value."""
        reached = zip(numbers, self._reached)  # noqa: B905 - the numbers hold guards too
        return [Value(x) if moves else x for x, moves in reached]


def _node(
    number: float,
    index: int,
    source: Source,
    parents: tuple[Value, ...],
    row: tuple[float, ...] | None,
) -> Value:
    """Return a result as a node; as a leaf if it depends on nothing."""
    return Output(number, index, source, parents, row) if parents else Value(number)
