"""The signature of a call: the key that chooses its program, and the numbers that it runs on.

Static arguments are part of the key, however they are passed.
"""

from __future__ import annotations

import inspect
import marshal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import FLOAT64, rebuilt, taken_at_once, visit
from scalargrad.compiler.call.objects import (
    MARSHAL,
    Key,
    LongKey,
    Visit,
    attributes_of,
    has_space,
    is_size,
    names_alike,
)
from scalargrad.compiler.guards.memory_order import laid_out
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown


def static_of(
    function: Callable[..., Any], numbers: Sequence[int], names: Sequence[str]
) -> frozenset[int | str]:
    """Return the positions and names of the static arguments of a function.

    Raises
    ------
    OperandError
        If `function` cannot be called, or does not have these arguments.
    """
    if not callable(function):
        raise OperandError(
            f"jit was given {shown(function)}, which cannot be called: give a function"
        )
    if not numbers and not names:
        return frozenset()
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without one
        return frozenset([*numbers, *names])
    open_ended = {p.kind for p in parameters} & {inspect.Parameter.VAR_POSITIONAL}
    any_name = inspect.Parameter.VAR_KEYWORD in {p.kind for p in parameters}
    places = [p.name for p in parameters if p.kind in _POSITIONAL]
    known = {p.name for p in parameters}
    found: set[int | str] = set()
    for k in numbers:
        if not (open_ended or -len(places) <= k < len(places)):
            raise OperandError(f"jit: static_argnums {k}, and there are {len(places)} arguments")
        found |= {k, places[k]} if 0 <= k < len(places) else {k}
        found |= {k + len(places), places[k]} if not open_ended and k < 0 else set()
    for name in names:
        if name not in known and not any_name:
            raise OperandError(f"jit: static_argnames {shown(name)} is none of {', '.join(known)}")
        found |= {name, places.index(name)} if name in places else {name}
    return frozenset(found)


_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class ArgumentName:
    """Says which argument of a call is meant, if a message asks for it.

    Attributes
    ----------
    given : int or str
        Its position or name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.given: int | str = 0

    def __str__(self) -> str:
        if isinstance(self.given, str):
            return f"the argument {self.given}"
        try:
            parameters = [*inspect.signature(self._function).parameters.values()]
        except (TypeError, ValueError):  # a builtin without one
            parameters = []
        named = self.given < len(parameters) and parameters[self.given].kind in _POSITIONAL
        return f"the argument {parameters[self.given].name if named else self.given + 1}"


class Layout:
    """How numbers lie in nested lists, tuples, dicts and dataclasses, common to calls alike.

    `marshal` writes types, lengths, keys and numbers of all that is nested, in one pass. All bytes
    but those of numbers are compared.

    Parameters
    ----------
    args : tuple
        Arguments of a call: floats in lists, tuples, dicts and dataclasses, beside text, bools and
        None, and what stands for arrays.
    key
        What was found by visiting them.
    leaves : sequence of float or array
        The numbers found.
    apart : tuple of int
        Which arguments are arrays.
    """

    def __init__(
        self, args: tuple[Any, ...], key: Key, leaves: Sequence[Any], apart: tuple[int, ...]
    ) -> None:
        def written(numbers: Iterable[float]) -> Any:
            return _written(_in_columns(rebuilt(args, iter(numbers), {}))[0])

        self.key, self.apart = key, apart
        #: Where arrays are among the numbers.
        self._arrays = [k for k, x in enumerate(leaves) if x.__class__ is np.ndarray]
        count = len(leaves) - len(self._arrays)
        self.records = _in_columns(args)[1]
        #: Two numbers whose bytes all differ stand for each number.
        first, second = (written(repeat(x)) for x in _UNLIKE)
        self._mask = np.where(first == second, np.uint8(255), np.uint8(0))
        self._fixed = (first & self._mask).tobytes()
        bytes_of = np.flatnonzero(first != second).reshape(-1, 8)
        order = written(map(float, range(count)))[bytes_of].view(FLOAT64).ravel().astype(np.int64)
        #: Where the bytes of each number are, in the order in which `visit` finds them.
        self._places = bytes_of[order.argsort()].ravel()

    @property
    def size(self) -> int:
        """The number of bytes that `marshal` writes."""
        return len(self._mask)

    def leaves(self, data: Any, arrays: dict[int, Floats]) -> Floats | list[Any] | None:
        """Return the numbers in these bytes, and the arrays, as `visit` finds them.

        None if they lie otherwise.
        """
        if (*arrays,) != self.apart or (data & self._mask).tobytes() != self._fixed:
            return None
        found: Floats = data[self._places].view(FLOAT64)
        if not arrays:
            return found
        row: list[Any] = found.tolist()
        for k, array in zip(self._arrays, arrays.values(), strict=True):
            row.insert(k, array)
        return row


def _without_arrays(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[int, Floats]]:
    """Return arguments with a text of its shape for each array, and these arrays by position."""
    arrays = {k: x for k, x in enumerate(args) if x.__class__ is np.ndarray and x.dtype is FLOAT64}
    if not arrays:
        return args, arrays
    return tuple([str(laid_out(x)) if k in arrays else x for k, x in enumerate(args)]), arrays


def _written(args: Any) -> Any:
    return np.frombuffer(marshal.dumps(args, MARSHAL), np.uint8)


#: Where dataclasses are: for each part of arguments that was looked at, its class and that of the
#: dataclasses which it holds or is; None of others.
Records = list[tuple[type, type] | None]


def _in_columns(args: tuple[Any, ...]) -> tuple[Any, Records]:
    """Return arguments with what dataclasses hold in place of these, and where these are, if any.

    Raises
    ------
    ValueError
        If dataclasses in a list are of several classes or hold attributes of other names, or one is
        met twice.
    """
    records: Records = []
    ids: set[int] = set()
    found = tuple([_held_by(x, records, ids) for x in args])
    return (found, records) if any(records) else (args, [])


def _held_by(x: Any, records: Records, ids: set[int]) -> Any:
    kind = x.__class__
    is_row = kind in _ROWS and len(x) > 0
    inner = x[0].__class__ if is_row else kind
    if has_space(inner):
        records.append((kind, inner))
        return _all_held_by(x if is_row else [x], records, ids)
    records.append(None)
    if _is_bare(x):
        return x
    if kind is dict:
        return {name: _held_by(y, records, ids) for name, y in x.items()}
    return kind([_held_by(y, records, ids) for y in x])


def _is_bare(x: Any) -> bool:
    """Return whether there is no dataclass in containers, by the first item of each."""
    kind = x.__class__
    if kind in _ROWS:
        return not x or _is_bare(x[0])
    return all(map(_is_bare, x.values())) if kind is dict else not has_space(kind)


def _all_held_by(xs: Sequence[Any], records: Records, ids: set[int]) -> Any:
    before = len(ids)
    ids.update(map(id, xs))
    if [*map(type, xs)].count(type(xs[0])) < len(xs) or len(ids) < before + len(xs):
        raise ValueError(xs)
    spaces = [*map(attributes_of, xs)]
    if _is_bare(spaces[0]):
        return spaces
    names, held = names_alike(spaces), [*chain.from_iterable(map(dict.values, spaces))]
    if names is None:
        raise ValueError(xs)
    return names, [_held_by(held[k :: len(names)], records, ids) for k in range(len(names))]


#: Numbers whose bytes are 1 and 2.
_UNLIKE = np.array([[1] * 8, [2] * 8], np.uint8).view(np.float64).ravel().tolist()
_ROWS: set[Any] = {list, tuple}
_NESTED: set[Any] = {*_ROWS, dict}
#: Types that marshal tells from others, which it writes as the bytes in their memory.
_WRITTEN: set[Any] = {float, str, bool, type(None)}
#: How many numbers arguments have whose layout is remembered, and the most layouts.
_COUNTS, _LAYOUTS = range(16, 2**17), 16
#: Of fewer tokens, a key with dataclasses is found as fast without.
_LONG = 40


def _has_layout(x: Any) -> bool:
    """Return whether marshal tells all about an argument."""
    kind = x.__class__
    if kind in _NESTED:
        return all(map(_has_layout, chain(x, x.values()) if kind is dict else x))
    if has_space(kind):
        return all(is_size(y) or _has_layout(y) for y in attributes_of(x).values())
    return kind in _WRITTEN


class Signature:
    """Finds the signatures of calls of one function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: frozenset[int | str],
    ) -> None:
        self._function, self._static = function, static
        self._is_traced_whole = not static
        self._layouts: dict[int, Layout] = {}  # by size
        self._has_records = False

    def remember(self, args: tuple[Any, ...], kwargs: Any, key: Key, leaves: Sequence[Any]) -> None:
        """Remember how the numbers of a call lie, to find those of calls alike at once."""
        is_nested = len(key) > 2 * len(args)  # numbers in a row are found as fast without
        if not (is_nested and self._is_traced_whole and len(leaves) in _COUNTS) or kwargs:
            return
        if len(self._layouts) >= _LAYOUTS:
            self._layouts.clear()
        args, arrays = _without_arrays(args)
        with suppress(ValueError):
            records = _has_layout(args) and _in_columns(args)[1]
            if len(key) >= _LONG if records else records == [] and not arrays:
                layout = Layout(args, key, leaves, (*arrays,))
                self._layouts[layout.size] = layout
                self._has_records |= len(layout.records) > 0

    def _remembered(self, args: tuple[Any, ...]) -> tuple[Key, Floats | list[Any]] | None:
        """Return the key and the numbers of a call if its layout is known."""
        args, arrays = _without_arrays(args)
        try:
            columns, records = _in_columns(args) if self._has_records else (args, [])
            data = _written(columns)
        except ValueError:  # objects, such as Values
            return None
        layout = self._layouts.get(data.size)
        if layout is None:
            return None
        leaves = layout.leaves(data, arrays) if layout.records == records else None
        if leaves is None:
            del self._layouts[data.size]
            return None
        return layout.key, leaves

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Key, Any, list[Any]]:
        """Return the key of the program, the numbers of arguments, and the objects among them.

        Raises
        ------
        TraceError
            If an argument is refused; the message names it.
        OperandError
            If an argument contains itself.
        """
        if self._layouts and not kwargs:
            known = self._remembered(args)
            if known is not None:
                return *known, []
        if self._is_traced_whole and not kwargs:
            found = taken_at_once(args)  # twice as fast
            if found is not None:
                return *found, []
        walk = Visit()
        try:
            walk.where = name = ArgumentName(self._function)
            given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
            for name.given, x in given:
                if self._static or kwargs:
                    walk.key.append(name.given)
                if name.given in self._static:
                    walk.whole(x)
                else:
                    visit(x, walk)
        except RecursionError:
            raise OperandError(
                "an argument contains itself, or is nested too deeply to be searched for numbers: "
                "give a list of its numbers"
            ) from None
        return LongKey(walk.key), walk.leaves, walk.objects
