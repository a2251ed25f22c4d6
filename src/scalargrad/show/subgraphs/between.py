"""Assign nodes that use no parameters to calls: those between a call's inputs and its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

from scalargrad.value import Value


class Nested(Protocol):
    """Something that can be nested in another of its kind."""

    def outwards(self) -> Iterator[Self]:
        """Yield this one and those around it, innermost first."""


N = TypeVar("N", bound=Nested)


def between(
    order: Sequence[Value], of: Mapping[Value, N], readers: Mapping[Value, Sequence[Value]]
) -> dict[Value, N]:
    """Return the call of each node that depends on nodes of a call and that the same call reads.

    A node computed from parameters alone belongs to the call that reads it, if it is only one.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    of : mapping from Value to call
        The nodes whose call is known.
    readers : mapping from Value to sequence of Value
        What reads each node.
    """
    operands = {node: [x for x in node.parents if isinstance(x, Value)] for node in order}
    before = _around_neighbours(order, of, operands)
    after = _around_neighbours(order[::-1], of, readers)
    found: dict[Value, N] = {}
    for node in order:
        call = None
        if node in of or not node.parents or node not in after:
            continue
        if node in before:
            call = around([before[node], after[node]])
        elif all(reader in of or reader in found for reader in readers[node]):
            call = after[node]
        if call is not None:
            found[node] = call
    return found


def _around_neighbours(
    order: Sequence[Value], of: Mapping[Value, N], neighbours: Mapping[Value, Sequence[Value]]
) -> dict[Value, N | None]:
    """Return, for each node, the innermost call around all calls among its neighbours, if any."""
    found: dict[Value, N | None] = {}
    for node in order:
        if node in of:
            found[node] = of[node]
        elif met := [found[x] for x in neighbours[node] if x in found]:
            found[node] = around(met)
    return found


def around(calls: Iterable[N | None]) -> N | None:
    """Return the innermost call that contains all of `calls`, if there is one."""
    distinct = list(dict.fromkeys(calls))
    if len(distinct) == 1:
        return distinct[0]
    if None in distinct:
        return None
    chains = [list(call.outwards())[::-1] for call in distinct if call is not None]
    shared = common_beginning(chains)
    return shared[-1] if shared else None


def common_beginning(chains: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the common beginning of all chains.

    Examples
    --------
    >>> common_beginning(["layers", "lag"])
    ['l', 'a']
    """
    links = zip(*chains, strict=False)
    shared: list[Any] = []
    for first, *others in links:
        if any(link != first for link in others):
            break
        shared.append(first)
    return shared
