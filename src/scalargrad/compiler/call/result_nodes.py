"""Make nodes of the graph for the results of a call that depend on Values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
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
        #: The different sets of operands, and which of them each result depends on.
        self._sets = [*dict.fromkeys(operands)]
        place = {places: k for k, places in enumerate(self._sets)}
        self._which = [place[places] for places in operands]
        #: Whether each result depends on all operands, as in most functions.
        self._are_plain = all(reached) and self._sets == [None]
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
            sets = [parents if x is None else tuple([parents[k] for k in x]) for x in self._sets]
            read = [sets[k] for k in self._which]
            each = zip(numbers, places, self._reached, read)  # noqa: B905 - as above
            nodes = [
                (Output(x, i, source, operands) if operands else Value(x)) if moves else x
                for x, i, moves, operands in each  # a result that depends on nothing is a leaf
            ]
        found = list(nodes)
        if along is not None and isinstance(found[along[0]], Output):
            found[along[0]]._row = along[1]
        return found

    def leaves(self, numbers: list[float]) -> list[Value | float]:
        """Return each result as a Value without parents if it depends on a Value."""
        reached = zip(numbers, self._reached)  # noqa: B905 - the numbers hold guards too
        return [Value(x) if moves else x for x, moves in reached]
