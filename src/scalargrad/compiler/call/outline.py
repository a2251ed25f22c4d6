"""Outlines: the structure of a function's result, with a placeholder for each number of a call.

`outlined` makes one from the result of a trace: of ``{"loss": y, "n": 3}``, with y a traced number,
it is ``{"loss": Place(0), "n": 3}``. It is filled with the numbers of each call.
"""

from __future__ import annotations

import functools
import gc
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from enum import Enum
from itertools import groupby, repeat
from operator import itemgetter
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.checks.numbers import is_real
from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.guards.object_state import PLAIN, attributes, is_stateful
from scalargrad.compiler.trace.traced import Traced
from scalargrad.engine.recorder import recorder
from scalargrad.engine.tree import (
    children,
    is_dataclass_object,
    is_object_array,
    like,
    object_array,
)
from scalargrad.engine.value import Value
from scalargrad.errors import TraceError
from scalargrad.nn.sparse import ParameterMatrix


class Place:
    """The place of a Value in an outline, which is like the result in all else."""

    def __init__(self, index: int) -> None:
        self.index = index


#: The most objects that are searched for traced numbers, breadth first, and what holds none.
_MANY = 10_000
_CLOSED = (str, int, float, bytes, Value, ModuleType, type)


def has_arrays(outline: Any) -> bool:
    """Return whether an outline holds arrays."""
    if isinstance(outline, np.ndarray):
        return is_object_array(outline)
    return any(has_arrays(x) for _, x in children(outline) or ())


def outlined(tree: Any, values: list[Value], known: dict[int, Place] | None = None) -> Any:
    """Return the outline of a result; its Values are added to `values`.

    Parameters
    ----------
    known : dict from int to Place, optional
        The places of Values, by identity. With it, one that is returned several times has one
        place. It is one node then, as it is eagerly: a gradient by it counts whatever was computed
        from it.
    """
    if isinstance(tree, Value):
        place = None if known is None else known.get(id(tree))
        if place is None:
            place = Place(len(values))
            values.append(tree)
        if known is not None:
            known[id(tree)] = place
        return place
    of = functools.partial(outlined, values=values, known=known)
    if isinstance(tree, dict):
        _require_known_keys(tree)
        return like(tree, map(of, tree.values()))
    if isinstance(tree, list | tuple) and not isinstance(tree, ParameterMatrix):
        return like(tree, map(of, tree))
    if is_object_array(tree) and type(tree) is np.ndarray:
        return object_array([*map(of, tree.ravel().tolist())]).reshape(tree.shape)
    if is_dataclass_object(tree):
        return _record(type(tree), {name: of(x) for name, x in attributes(tree).items()})
    _require_constant(tree)
    return tree


def _record(kind: type, parts: dict[str, Any]) -> Any:
    """Return a dataclass with these attributes; not initialised."""
    made: Any = object.__new__(kind)
    for name, x in parts.items():
        object.__setattr__(made, name, x)
    return made


def _require_known_keys(named: Any) -> None:
    """Raise TraceError if a dict that leaves a recording has keys which another call may not."""
    for x in named if recorder() is None else ():
        if isinstance(x, tuple | frozenset):
            _require_known_keys(x)
        elif isinstance(x, Value) or is_stateful(type(x)):
            raise TraceError(
                "a compiled function returned a dict whose keys are or contain Values or objects, "
                "which other calls may not have: return a list of pairs, or use names as keys"
            )


def _require_constant(x: Any) -> None:
    """Raise TraceError unless all results may have the same object: a text, a number, None."""
    plain = type(x) in PLAIN or isinstance(x, Enum | np.generic | range)
    if not plain and not (isinstance(x, np.ndarray) and not x.dtype.hasobject):
        raise TraceError(
            f"a compiled function returned an object of class {type(x).__qualname__}: return "
            "numbers, Values, text, or lists, tuples, dicts, arrays and dataclasses of them"
        )


def holds_results(x: Any, made: Container[int] = ()) -> bool:
    """Return True if a traced number can be reached from an object, or an object of these ids.

    By whatever its class keeps objects in, as the collector of cycles knows it.
    """
    seen: dict[int, Any] = {}
    ahead = deque([x])
    while ahead and len(seen) < _MANY:
        y = ahead.popleft()
        if isinstance(y, Traced) or id(y) in made:
            return True
        if id(y) not in seen and not isinstance(y, _CLOSED):
            seen[id(y)] = y
            ahead += _inside(y)
    return False


def _inside(x: Any) -> list[Any]:
    if isinstance(x, FunctionType):
        return [x.__closure__, x.__defaults__, x.__kwdefaults__, vars(x)]
    if isinstance(x, np.ndarray) and x.dtype.hasobject:  # which the collector does not look into
        return [x.tolist()]
    return gc.get_referents(x)


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result that an outline describes, with what was computed for each place."""
    return filler(outline)(found)


def filler(outline: Any, *, of_array: bool = False) -> Callable[[Any], Any]:
    """Return a function that fills an outline: one expression, which makes all of the result.

    Parameters
    ----------
    of_array : bool
        Whether what was computed is an array of floats, rather than a list.
    """
    names: dict[str, Any] = {"like": like, "record": _record, "filled_array": _filled_array}
    return eval(f"lambda x: {_Expression(names, of_array).of(outline)}", names)  # type: ignore[no-any-return]


#: The most levels of an expression: Python reads about 200. `_CONSTANT` marks constants.
_DEEP, _CONSTANT = 50, "constant"


class _Expression:
    """The expression that makes a result of ``x``, what was computed.

    Parameters
    ----------
    names : dict from str to object
        The objects that it names, to which constants are added.
    of_array : bool
        As of `filler`.
    """

    def __init__(self, names: dict[str, Any], of_array: bool) -> None:
        self.names, self.of_array = names, of_array

    def of(self, outline: Any, depth: int = 0) -> str:
        """Return the expression of an outline, which is inside so many others."""
        kind = type(outline)
        if kind is Place:
            return f"x.item({outline.index})" if self.of_array else f"x[{outline.index}]"
        if is_object_array(outline):
            return self._array([*outline.flat], outline.shape)
        if kind is dict:
            pairs = zip(map(self.name, outline), self._each(outline.values(), depth), strict=True)
            return f"{{{', '.join(map(': '.join, pairs))}}}"
        if isinstance(outline, list | tuple | dict):
            parts = outline.values() if isinstance(outline, dict) else outline
            items = self._items(parts, depth)
            found = f"({items}{',' * bool(items)})" if kind is tuple else f"[{items}]"
            return found if kind in {list, tuple} else f"like({self.name(outline)}, {found})"
        if is_dataclass_object(outline):
            return f"record({self.name(kind)}, {self.of(attributes(outline), depth)})"
        return self.name(outline) + ".copy()" * isinstance(outline, np.ndarray)

    def name(self, constant: Any) -> str:
        """Return the name of an object."""
        name = f"c{len(self.names)}"
        self.names[name] = constant
        return name

    def _each(self, parts: Iterable[Any], depth: int) -> list[str]:
        """Return the expressions of parts; each that is deep is a function of its own."""
        if depth < _DEEP:
            return [*map(self.of, parts, repeat(depth + 1))]
        return [f"{self.name(filler(x, of_array=self.of_array))}(x)" for x in parts]

    def _items(self, parts: Iterable[Any], depth: int) -> str:
        """Return items of a list; constants, and those at consecutive places, are taken at once."""
        found: list[str] = []
        for begin, group in groupby(enumerate(parts), _begin):
            items = [x for _, x in group]
            if begin is None or len(items) == 1:
                found += self._each(items, depth)
            elif begin == _CONSTANT:
                found.append(f"*{self.name(items)}")
            else:
                first = items[0].index
                row = f"x[{first}:{first + len(items)}]"
                found.append(f"*{row}.tolist()" if self.of_array else f"*{row}")
        return ", ".join(found)

    def _array(self, entries: list[Any], shape: tuple[int, ...]) -> str:
        """Return what makes an array: of floats or bools if all entries are, else of objects."""
        if self.of_array and {Place, float}.issuperset(map(type, entries)):
            return f"{self.name(_template_filler(entries, shape))}(x)"
        return f"filled_array([{self._items(entries, 0)}], {shape})"


def _begin(item: tuple[int, Any]) -> int | str | None:
    """Return where a row begins that has consecutive places, or that an item is a constant."""
    k, x = item
    return x.index - k if isinstance(x, Place) else _CONSTANT if type(x) in PLAIN else None


def _filled_array(items: list[Any], shape: tuple[int, ...]) -> Any:
    kinds = set(map(type, items))
    kind: Any = float if kinds == {float} or all(is_real(x) for x in items) else object
    kind = bool if kinds == {bool} else kind
    array = np.empty(shape, dtype=kind)
    array.ravel()[:] = items
    return array


def _template_filler(entries: list[Any], shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """Return what makes an array of which some numbers are constant, as in many gradients."""
    template = np.array([0.0 if isinstance(x, Place) else x for x in entries])
    computed = [k for k, x in enumerate(entries) if isinstance(x, Place)]
    where, of = _indices(computed), _indices([entries[k].index for k in computed])
    if len(computed) == len(entries) and isinstance(of, slice):
        return itemgetter(of) if len(shape) == 1 else lambda x: x[of].reshape(shape)

    def fill(found: Floats) -> Floats:
        numbers = template.copy()
        numbers[where] = found[of]
        return numbers.reshape(shape)

    return fill


def _indices(numbers: list[int]) -> Integers | slice:
    """Return indices as a slice if they are consecutive, else as an array."""
    first, count = min(numbers, default=0), len(numbers)
    if numbers == [*range(first, first + count)]:
        return slice(first, first + count)
    return np.array(numbers, np.int64)
