"""Refuse gradients by a result of a compiled call from which its program has computed another.

No gradient flows from one result of a program to another. Nor does one flow to a derivative of a
result, which is a program of the same inputs; eagerly, the derivative is computed from the result
where a slope is: that of y = tanh x is 1 - y².
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scalargrad.errors import GraphError
from scalargrad.value import Value

#: An index among the results of a call, and whether a derivative of that result is meant.
Reader = tuple[int, bool]


def readers_of(node: Any) -> Iterator[tuple[Any, Reader]]:
    """Yield the call that a node is a result of, and those of which it is a derivative."""
    is_derivative = False
    while isinstance(node, Value) and node._call is not None:
        yield node._call, (node.index, is_derivative)  # type: ignore[attr-defined] # an Output
        node, is_derivative = node._call[3], True


def first_read(results: Sequence[Any], order: Iterable[Value]) -> Any:
    """Return the first of some results from which nodes in `order` were computed in their call.

    None if none was.
    """
    calls = {id(x._call): x._call for x in results}
    readers: dict[int, list[Reader]] = {key: [] for key in calls}
    for x in order:
        if x._call is not None:
            for call, reader in readers_of(x):
                readers.get(id(call), []).append(reader)
    for key, call in calls.items():
        asked = [x for x in results if x._call is call]
        read = call[1].read_by(readers[key], [x.index for x in asked]) if readers[key] else ()
        if any(read):
            return asked[read.index(True)]
    return None


def note_swept(nodes: Iterable[Any]) -> None:
    """Note on the calls of results that `backward` went through these.

    Only where a result is computed from another, whose `grad` then lacks a part.
    """
    for x in nodes:
        for call, reader in readers_of(x):
            if reader[1] or call[1].reads_results:
                call[4].add(reader)


def require_unread(results: Sequence[Any], order: Iterable[Value]) -> None:
    """Raise GraphError if nodes in `order` were computed from results within their call."""
    found = first_read(results, order)
    if found is not None:
        raise refusal(found)


def refusal(result: Any) -> GraphError:
    """Return the error for a gradient by a result from which others were computed."""
    return GraphError(
        f"gradients are taken by a result of the compiled {result.name}, from which it has "
        "computed another result, or a derivative, within its program: take them inside it, or "
        "compute the other outside"
    )
