"""The signature of a call: the key that chooses its program, and the numbers that it runs on.

Static arguments are part of the key, whether they are passed by position or by name. For
``f(2.0, "relu", n=3)`` with n static, the numbers are ``[2.0]``, and the key has the rest.
"""

from __future__ import annotations

import inspect
import marshal
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import AT_ONCE, FLOAT64, KINDS, SPACE, Key, Walk, replaced
from scalargrad.compiler.guards.comparable import is_read_whole
from scalargrad.engine.tree import nesting_error
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value


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
            f"jit needs a function, not {format_value(function)}, which cannot be called"
        )
    if not numbers and not names:
        return frozenset()
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):  # a builtin without one
        return frozenset([*numbers, *names])
    kinds = {p.kind for p in parameters}
    places = [p.name for p in parameters if p.kind in _POSITIONAL]
    known, count = {p.name for p in parameters}, len(places)
    is_open = inspect.Parameter.VAR_POSITIONAL in kinds
    found: set[int | str] = {*numbers, *names}
    for k in numbers:
        if k < (0 if is_open else -count) or (k >= count and not is_open):
            raise OperandError(
                f"jit: static_argnums has {k}, but the function has {count} arguments"
            )
        found |= {k % count, places[k]} if k < count else {k}
    for name in names:
        if name not in known and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise OperandError(
                f"jit: static_argnames has {format_value(name)}, but the arguments are "
                f"{', '.join(known)}"
            )
        found |= {places.index(name)} if name in places else {name}
    return frozenset(found)


class Layout:
    """The places of floats in the bytes that `marshal` writes of nested containers.

    It writes types, lengths, keys and numbers of all that is nested, in one pass; a list of
    dataclasses as their class and attributes. All bytes but those of numbers are compared.

    Parameters
    ----------
    args : tuple
        Arguments of a call that hold numbers and text alone.

    Attributes
    ----------
    key : tuple
        What a walk finds besides numbers.
    parts : list of (tuple, slice)
        The key of each argument, and which of the numbers are its own.
    size : int
        The number of bytes: more than of the arguments if these hold whole numbers as well.
    """

    def __init__(self, args: tuple[Any, ...]) -> None:
        def written(numbers: Iterable[float]) -> Any:
            return _written(replaced(args, {}, (), iter(numbers))[0])[1]

        self.parts: list[tuple[Key, slice]] = []
        count = 0
        for x in args:
            walk = Walk()
            walk.take_one(x)
            self.parts.append(((*walk.key,), slice(count, count + len(walk.leaves))))
            count += len(walk.leaves)
        self.key = (*chain.from_iterable(key for key, _ in self.parts),)
        #: Two numbers whose bytes all differ stand for each number.
        first, second = (written(repeat(x)) for x in _UNLIKE)
        self.size = len(first)
        self._mask = np.where(first == second, np.uint8(255), np.uint8(0))
        self._fixed = (first & self._mask).tobytes()
        bytes_of = np.flatnonzero(first != second).reshape(-1, 8)
        order = written(map(float, range(len(bytes_of))))[bytes_of].view(FLOAT64).ravel()
        #: Where the bytes of each number are, in the order of the walk.
        self._places = bytes_of[order.argsort()].ravel()

    def numbers(self, data: Any) -> Floats | None:
        """Return the numbers in these bytes, in the order of a walk; None if they lie otherwise."""
        if (data & self._mask).tobytes() != self._fixed:
            return None
        return data[self._places].view(FLOAT64)  # type: ignore[no-any-return]


def _written(args: Sequence[Any]) -> tuple[list[Any], Any]:
    """Return the numbers and containers among arguments, and the bytes of these.

    Raises
    ------
    ValueError
        If there are objects, such as Values; or dataclasses that may be in another argument, too.
    """
    written = [x for x in args if type(x) in _WRITTEN]
    try:
        found = marshal.dumps(written, _VERSION)
    except ValueError:
        others = {type(x) for x in args if type(x) not in _WRITTEN}
        if sum(map(_holds_records, written)) != 1 or not others <= AT_ONCE:
            raise
        found = marshal.dumps([*map(_bare, written)], _VERSION)
    return written, np.frombuffer(found, np.uint8)


def _bare(x: Any) -> Any:
    """Return a list of dataclasses, each another one, as their class and what they hold."""
    if not _holds_records(x):
        return x
    kind = type(x[0])
    are_others = {*map(type, x)} == {kind} and len({*map(id, x)}) == len(x)
    return (id(kind), [*map(SPACE, x)]) if are_others else x


def _holds_records(x: Any) -> bool:
    return type(x) is list and len(x) > 0 and KINDS[type(x[0])].is_record


#: The kinds of parameters that an argument by position may stand for.
_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
#: This version of marshal's format does not tell which text is interned.
_VERSION = 2
#: Numbers whose bytes are 1 and 2.
_UNLIKE = np.array([[1] * 8, [2] * 8], np.uint8).view(np.float64).ravel().tolist()
#: Types whose numbers marshal writes.
_WRITTEN: set[Any] = {float, list, tuple, dict}
_NESTED = _WRITTEN - {float}
#: How many bytes are written of arguments whose layout is remembered, and the most layouts.
_SIZES, _LAYOUTS = range(200, 2**20), 16
#: So many numbers in a row are found as fast without.
_MANY = 500


def _is_worth_a_layout(x: Any) -> bool:
    """Return whether an argument is a dict, or a list of such, of dataclasses or many numbers."""
    kind = type(x)
    is_full = kind in _NESTED and len(x) > 0
    rows = kind is not dict and is_full and (type(x[0]) in _NESTED or _holds_records(x))
    return kind is dict or rows or (is_full and len(x) >= _MANY)


class Signature:
    """Finds the signatures of calls of one function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    """

    def __init__(self, function: Callable[..., Any], static: frozenset[int | str]) -> None:
        self._function, self._static = function, static
        self._layouts: dict[int, Layout] = {}  # by size
        self._keys: dict[tuple[type, ...], Key] = {}  # of numbers that need no conversion

    def remember(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Remember how the numbers of a call lie, to find those of calls alike at once."""
        given = (*args, *kwargs.values())
        worth = any(map(_is_worth_a_layout, given))
        if not worth or not is_read_whole([_bare(x) for x in given if type(x) in _NESTED]):
            return
        try:
            written, data = _written(given)
        except ValueError:
            return
        if len(data) in _SIZES:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            layout = Layout((*written,))
            self._layouts[layout.size] = layout

    def _remembered(self, given: Sequence[Any]) -> tuple[list[Any], Layout, Floats] | None:
        """Return the arguments that a layout says all about, that layout, and their numbers."""
        try:
            written, data = _written(given)
        except ValueError:
            return None
        layout = self._layouts.get(len(data))
        numbers = None if layout is None else layout.numbers(data)
        return None if layout is None or numbers is None else (written, layout, numbers)

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Key, Any, list[Any]]:
        """Return the key of the program, the numbers of arguments, and the objects among them.

        Raises
        ------
        TraceError
            If an argument is refused; the message names it.
        OperandError
            If an argument contains itself, or is nested too deep.
        """
        is_named = kwargs or self._static
        if not is_named and self._keys and (key := self._keys.get((*map(type, args),))):
            return key, [*args], []
        parts: dict[int, tuple[Key, slice]] = {}
        row: list[float] = []
        if self._layouts:
            known = self._remembered((*args, *kwargs.values()) if kwargs else args)
            if known is not None:
                written, layout, numbers = known
                if len(written) == len(args) and not is_named:
                    return layout.key, numbers, []
                row = numbers.tolist()
                parts = dict(zip(map(id, written), layout.parts, strict=True))
        walk = self._walk(args, kwargs, parts, row)
        key = (*walk.key,)
        if len(key) == len(args) and AT_ONCE.issuperset(map(type, args)):
            self._keys[(*map(type, args),)] = key
        return key, walk.leaves, walk.objects

    def _walk(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parts: dict[int, tuple[Key, slice]],
        row: list[float],
    ) -> Walk:
        """Return a walk over the arguments of a call, of which some are known by id."""
        is_named = kwargs or self._static
        walk = Walk(self._function)
        given: Iterable[tuple[int | str, Any]] = enumerate(args)
        try:
            for walk.given, x in chain(given, kwargs.items()) if kwargs else given:
                if is_named:
                    walk.key.append(walk.given)
                    if walk.given in self._static:
                        walk.whole(x)
                        continue
                if parts and id(x) in parts:
                    key, own = parts[id(x)]
                    walk.key += key
                    walk.leaves += row[own]
                else:  # `take_one`, inlined
                    kind = KINDS[type(x)]
                    walk.key.append(kind)
                    kind.take_one(x, walk)
        except RecursionError as error:
            raise nesting_error([(walk.where, x)], error) from None
        return walk
