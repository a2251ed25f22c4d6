"""Nestings of numbers that a step of a scan is given and returns: compared, and built again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from operator import is_
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import INPUT
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced, TracedParameter
from scalargrad.tree import object_array
from scalargrad.value import Value

#: The deepest nesting that is followed.
_DEEPEST = 20
#: Leaves that are what they say.
_ATOMS = (int, bool, str, type(None))


class Nesting:
    """Numbers in lists, tuples, dicts and arrays.

    Parameters
    ----------
    trace : Trace
        The recording under way.
    is_entry : bool
        Whether it is given to a step, as a row of an array is.

    Attributes
    ----------
    shape
        Equal to that of another nesting which differs in nothing but traced numbers of one kind.
    traced : list of Traced
        The traced numbers in it, in order.
    containers : list
        The lists, dicts and arrays in it.
    is_known : bool
        Whether there is nothing else.
    """

    def __init__(self, trace: Trace, tree: Any, *, is_entry: bool = False) -> None:
        self._trace, self.tree, self._is_entry = trace, tree, is_entry
        self.traced: list[Traced] = []
        self.containers: list[Any] = []
        self.is_known = True
        self._places: dict[int, int] = {}
        self.shape = self._of(tree, 0)

    @property
    def nodes(self) -> Integers:
        """The nodes of the traced numbers."""
        return np.array([x.index for x in self.traced], np.int64)

    @property
    def distinct(self) -> int:
        """How many objects the traced numbers are."""
        return len({*map(id, self.traced)})

    def has_stayed(self) -> bool:
        """Return whether it holds the very numbers and containers that it held."""
        now = Nesting(self._trace, self.tree, is_entry=self._is_entry)
        pairs = (now.traced, self.traced), (now.containers, self.containers)
        return now.shape == self.shape and all(
            len(x) == len(y) and all(map(is_, x, y)) for x, y in pairs
        )

    def _of(self, x: Any, depth: int) -> Any:
        if isinstance(x, Value):
            return self._of_value(x)
        if type(x) is float:
            return struct.pack("d", x)
        if type(x) in _ATOMS:
            return type(x), x
        parts = _parts(x, are_views=self._is_entry) if depth < _DEEPEST else None
        if parts is None:
            self.is_known = False
            return object()  # equal to nothing
        if not isinstance(x, tuple):
            self.containers.append(x)
        return type(x), parts[0], self._place(x), [self._of(y, depth + 1) for y in parts[1]]

    def _of_value(self, x: Value) -> Any:
        if not isinstance(x, Traced):
            return id(x)
        self.traced.append(x)
        if type(x) not in {Traced, TracedParameter} or x.trace is not self._trace:
            self.is_known = False
            return object()
        return _kind_of(self._trace, x), self._place(x)

    def _place(self, x: Any) -> int:
        """Return where something stood first, so that what is one thing stays one."""
        return self._places.setdefault(id(x), len(self._places))


def _kind_of(trace: Trace, x: Traced) -> tuple[Any, ...]:
    """Return what decides, besides its number, what is written for a traced number."""
    plainness, node = trace.plainness, x.index
    kind = type(x), trace.ops[node], plainness.of(node), plainness.is_truth(node)
    return *kind, trace.is_copied(node)


def _are_inputs(trace: Trace, xs: list[Traced]) -> bool:
    """Return whether traced numbers are inputs, all plain or all Values."""
    nodes = [x.index for x in xs]
    is_input = {*map(trace.ops.__getitem__, nodes)} == {INPUT}
    marks = {*map(trace.plainness.mark_of, nodes)} if is_input else ()
    return len(marks) == 1


class Entries:
    """What further steps are given.

    Parameters
    ----------
    trees : list
        An entry for each step.
    like : Nesting
        What they are compared with.

    Attributes
    ----------
    are_alike : bool
        Whether they differ from it in nothing but traced numbers of one kind.
    traced, containers : list
        Those in all of them.
    """

    def __init__(self, trace: Trace, trees: list[Any], like: Nesting) -> None:
        self._count, self.containers = len(trees), list[Any]()
        self.traced: list[Traced]
        if type(like.tree) is Traced and {*map(type, trees)} == {Traced}:  # without containers
            self.traced = trees
            is_own = all(x.trace is trace for x in trees)
            told = [trees[0]] if is_own and _are_inputs(trace, trees) else trees
            kinds = {_kind_of(trace, x) for x in told} if is_own else set()
            self.are_alike = kinds == {_kind_of(trace, like.tree)}
            return
        found = [like if x is like.tree else Nesting(trace, x, is_entry=True) for x in trees]
        self.are_alike = all(x.shape == like.shape for x in found)
        self.traced = [y for x in found for y in x.traced]
        self.containers = [y for x in found for y in x.containers]

    def __len__(self) -> int:
        return self._count

    @property
    def nodes(self) -> Integers:
        """The nodes of the traced numbers, a row for each entry."""
        found = np.array([x.index for x in self.traced], np.int64)
        return found.reshape(self._count, -1)


def _parts(x: Any, *, are_views: bool = False) -> tuple[Any, list[Any]] | None:
    """Return the keys and the items of a container; None for anything else.

    With `are_views`, arrays may be views, such as rows, of others.
    """
    kind = type(x)
    if kind in {list, tuple} or _is_named_tuple(kind):
        return len(x), [*x]
    if kind is dict and all(type(key) in _ATOMS for key in x):
        return [(type(key), key) for key in x], [*x.values()]
    if kind is np.ndarray and x.dtype == object:
        flags, items = x.flags, x.ravel().tolist()
        if (
            flags.c_contiguous
            and flags.writeable
            and (flags.owndata or are_views)
            and not any(map(_parts, items))
        ):
            return x.shape, items
    return None


def _is_named_tuple(kind: type) -> bool:
    return kind.__bases__ == (tuple,) and hasattr(kind, "_fields") and hasattr(kind, "_make")


def built(x: Any, numbers: Iterator[Any], made: dict[int, Any]) -> Any:
    """Return a nesting like `x` with other traced numbers, its containers new ones.

    Parameters
    ----------
    numbers : iterator
        One for each place of a traced number, in order.
    made : dict
        By the identity of containers, what stands for them; what is one container stays one.
    """
    if isinstance(x, Traced):
        return next(numbers)
    parts = _parts(x)
    if parts is None:
        return x
    items = [built(y, numbers, made) for y in parts[1]]
    if id(x) not in made:
        made[id(x)] = _filled(x, items)
    return made[id(x)]


def _filled(x: Any, items: list[Any]) -> Any:
    """Return a container like `x` of these items; a tuple that holds the very same is the same."""
    if isinstance(x, dict):
        return dict(zip(x, items, strict=True))
    if isinstance(x, np.ndarray):
        return object_array(items).reshape(x.shape)
    if type(x) is list:
        return items
    if all(map(is_, x, items)):
        return x
    return tuple(items) if type(x) is tuple else type(x)(*items)
