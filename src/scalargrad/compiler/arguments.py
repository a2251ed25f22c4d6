"""Arguments: what about a call decides which program runs, and the numbers it runs on.

Numbers (ints too) and Values are traced; the shape around them, and everything that is neither,
is part of the key under which a program is kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from scalargrad.errors import TraceError
from scalargrad.ops.numbers import is_real
from scalargrad.value import Parameter, Value

Key = tuple[Hashable, ...]


class Frozen:
    """An argument that is not traced, compared by its content where it is an array."""

    def __init__(self, content: Any, where: str) -> None:
        self.content = content
        kind = type(content)
        self._key: Hashable = (kind, content)
        if hasattr(content, "tobytes"):
            self._key = (kind, content.dtype.str, content.shape, content.tobytes())
        try:
            self._hash = hash(self._key)
        except TypeError:
            raise TraceError(
                f"{where} is a {kind.__name__}, which cannot be hashed: a compiled function takes "
                "numbers, Values, lists, tuples, dicts and arrays of them, and as static arguments "
                "what is hashable"
            ) from None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self._key == other._key


def visit(x: Any, key: list[Hashable], leaves: list[Any]) -> None:
    """Add the numbers of an argument to `leaves`, and its shape to `key`."""
    kind = x.__class__
    if kind is float or kind is int:
        key.append(0)
        leaves.append(x)
    elif isinstance(x, Value):
        key.append(2 if isinstance(x, Parameter) else 1)
        leaves.append(x)
    elif isinstance(x, list | tuple):
        key.append((kind, len(x)))
        for item in x:
            visit(item, key, leaves)
    elif isinstance(x, dict):
        key.append((kind, *x))
        for item in x.values():
            visit(item, key, leaves)
    elif kind is not bool and is_real(x):
        key.append(0)
        leaves.append(float(x))
    elif hasattr(x, "dtype") and hasattr(x, "ravel"):
        _visit_array(x, key, leaves)
    else:
        key.append(Frozen(x, "an argument"))


def _visit_array(array: Any, key: list[Hashable], leaves: list[Any]) -> None:
    if array.dtype.kind in "fiub":
        key.append(("array", array.shape))
        leaves.append(array)
        return
    key.append(("objects", array.shape))
    for item in array.ravel().tolist():
        visit(item, key, leaves)


def rebuilt(x: Any, fresh: Iterator[Value]) -> Any:
    """Return an argument with its numbers replaced, in the order `visit` found them."""
    if isinstance(x, Value) or (is_real(x) and not isinstance(x, bool)):
        return next(fresh)
    if isinstance(x, dict):
        return type(x)(zip(x, [rebuilt(item, fresh) for item in x.values()], strict=True))
    if isinstance(x, list | tuple):
        items = [rebuilt(item, fresh) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if hasattr(x, "dtype") and hasattr(x, "ravel"):
        replaced = x.astype(object)
        replaced.flat = [rebuilt(item, fresh) for item in x.ravel().tolist()]
        return replaced
    return x


def fresh_leaves(leaves: list[Any]) -> list[Value]:
    """Return a new Value for each number among the leaves, arrays number by number."""
    fresh: list[Value] = []
    for x in leaves:
        if isinstance(x, Value):
            kind = Parameter if isinstance(x, Parameter) else Value
            fresh.append(kind(x._data, x.label))
        elif hasattr(x, "ravel"):
            fresh += [Value(float(number)) for number in x.ravel().tolist()]
        else:
            fresh.append(Value(float(x)))
    return fresh


class Place:
    """Where a Value stood in a result."""

    def __init__(self, index: int) -> None:
        self.index = index


class ArrayOutline:
    """An array of objects, as a list."""

    def __init__(self, shape: tuple[int, ...], items: list[Any]) -> None:
        self.shape = shape
        self._items = items
        self._places = _stretch(items)

    def filled(self, found: Sequence[Any]) -> Any:
        """Return the array, of floats where they are all numbers."""
        if self._places is not None:
            items = found[self._places]
        else:
            items = [filled(x, found) for x in self._items]
        kinds = set(map(type, items))
        kind = float if kinds == {float} or all(is_real(x) for x in items) else object
        array = np.empty(self.shape, dtype=kind)
        array.ravel()[:] = items
        return array


def _stretch(items: list[Any]) -> slice | None:
    """Return the places of items if they are nothing else and in order."""
    if not items or not all(isinstance(x, Place) for x in items):
        return None
    first = items[0].index
    found = slice(first, first + len(items))
    return found if [x.index for x in items] == list(range(found.start, found.stop)) else None


def outlined(tree: Any, values: list[Value]) -> Any:
    """Return a result with a `Place` for each Value, which is added to `values`."""
    if isinstance(tree, Value):
        values.append(tree)
        return Place(len(values) - 1)
    if isinstance(tree, dict):
        return type(tree)(zip(tree, [outlined(x, values) for x in tree.values()], strict=True))
    if isinstance(tree, list | tuple):
        items = [outlined(x, values) for x in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if getattr(getattr(tree, "dtype", None), "kind", "") == "O":
        return ArrayOutline(tree.shape, [outlined(x, values) for x in tree.ravel().tolist()])
    return tree


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result an outline describes, with what was found in each place."""
    if isinstance(outline, Place):
        return found[outline.index]
    if isinstance(outline, dict):
        return type(outline)(
            zip(outline, [filled(x, found) for x in outline.values()], strict=True)
        )
    if isinstance(outline, list | tuple):
        items = [filled(x, found) for x in outline]
        return type(outline)(*items) if hasattr(outline, "_fields") else type(outline)(items)
    if isinstance(outline, ArrayOutline):
        return outline.filled(found)
    return outline.copy() if isinstance(outline, np.ndarray) else outline
