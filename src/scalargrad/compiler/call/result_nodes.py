"""Make nodes of the graph for the results of a call that depend on Values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

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
        sets = [*dict.fromkeys(operands)]
        #: What takes each different set of operands from all, and which each result depends on.
        self._sets = [_taker(places) for places in sets]
        place = {places: k for k, places in enumerate(sets)}
        self._which = [place[places] for places in operands]
        #: Whether each result depends on all operands, as in most functions.
        self._are_plain = all(reached) and sets == [None]
        #: Whether the only result does: a call then makes the node itself.
        self.is_single = self._are_plain and len(reached) == 1

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
        places = range(len(self._reached))  # the numbers hold guards too
        nodes: Iterable[Any]
        if self._are_plain:
            nodes = map(Output, numbers, places, repeat(source), repeat(parents))
        else:
            # Results that depend on the same operands share the tuple: sorting a graph is faster.
            sets = [take(parents) for take in self._sets]
            each = zip(numbers, places, self._reached, self._which)  # noqa: B905 - as above
            nodes = [
                (Output(x, i, source, sets[k]) if sets[k] else Value(x)) if moves else x
                for x, i, moves, k in each  # a result that depends on nothing is a leaf
            ]
        found = list(nodes)
        if along is not None and isinstance(found[along[0]], Output):
            found[along[0]]._row = along[1]
        return found

    def leaves(self, numbers: list[float]) -> list[Value | float]:
        """Return each result as a Value without parents if it depends on a Value."""
        reached = zip(numbers, self._reached)  # noqa: B905 - the numbers hold guards too
        return [Value(x) if moves else x for x, moves in reached]


def _taker(places: tuple[int, ...] | None) -> Callable[[tuple[Value, ...]], tuple[Value, ...]]:
    """Return what takes the operands at these places from all; None stands for all places."""
    if places is None:
        return itemgetter(slice(None))
    first, count = min(places, default=0), len(places)
    return itemgetter(*places) if count > 1 else itemgetter(slice(first, first + count))
