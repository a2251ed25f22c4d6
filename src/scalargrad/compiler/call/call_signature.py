"""The signature of a call: the key that chooses its program, and the numbers that it runs on.

Static arguments are part of the key, however they are passed.
"""

from __future__ import annotations

import inspect
import marshal
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, chain, repeat
from typing import Any

import numpy as np

from scalargrad.compiler.call.arguments import FLOAT64, Numbers, rebuilt, taken_at_once, visit
from scalargrad.compiler.call.objects import MARSHAL, Key, LastWalk, Visit, is_object
from scalargrad.compiler.guards.frozen import frozen
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.value import Value


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


def visit_static(x: Any, where: str, key: list[Hashable]) -> None:
    """Add a static argument to the key, with its attributes if it is an object."""
    if not is_object(x):
        key.append(frozen(x, where))
        return
    walk = Visit()
    walk.part(x)
    key += [*walk.key, *walk.module_values]


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
    """How numbers lie in nested lists, tuples and dicts, and what calls alike have in common.

    `marshal` writes types, lengths, keys and numbers of all that is nested, in one pass. All bytes
    but those of numbers are compared.

    Parameters
    ----------
    args : tuple
        Arguments of a call: floats in lists, tuples and dicts, beside text, bools and None.
    key, leaves
        What was found by visiting them.
    """

    def __init__(self, args: tuple[Any, ...], key: Key, leaves: Sequence[Any]) -> None:
        #: Two numbers whose bytes all differ stand for each number.
        first, second = (_written(rebuilt(args, repeat(x), {})) for x in _UNLIKE)
        self._numbers = np.flatnonzero(first != second)
        self._fixed = np.flatnonzero(first == second)
        self._size, self._then = first.size, first[self._fixed].tobytes()
        self.key = key
        ends = [*accumulate([getattr(x, "size", 1) for x in leaves])]
        blocks = [k for k, x in enumerate(leaves) if isinstance(x, Numbers)]
        #: Where those lie that `visit` hands on as arrays.
        self._blocks = [slice(ends[k] - leaves[k].size, ends[k]) for k in blocks]

    def leaves(self, args: tuple[Any, ...]) -> list[Any] | None:
        """Return the numbers of arguments, as `visit` finds them; None if they lie otherwise."""
        try:
            data = _written(args)
        except ValueError:  # objects, such as Values
            return None
        if data.size != self._size or data[self._fixed].tobytes() != self._then:
            return None
        row = data[self._numbers].view(FLOAT64)
        found: list[Any] = row.tolist()
        for block in reversed(self._blocks):
            found[block] = [row[block].view(Numbers)]
        return found


def _written(args: tuple[Any, ...]) -> Any:
    return np.frombuffer(marshal.dumps(args, MARSHAL), np.uint8)


#: Numbers whose bytes are 1 and 2.
_UNLIKE = np.array([[1] * 8, [2] * 8], np.uint8).view(np.float64).ravel().tolist()
_NESTED: set[Any] = {list, tuple, dict}
#: Types that marshal tells from others, which it writes as the bytes in their memory.
_WRITTEN: set[Any] = {float, str, bool, type(None)}
#: The sizes in bytes of arguments whose layout is remembered, and the most layouts.
_SIZES, _LAYOUTS = range(128, 2**16), 16


def _has_layout(x: Any) -> bool:
    """Return whether marshal tells all about an argument."""
    kind = x.__class__
    if kind in _NESTED:
        return all(map(_has_layout, chain(x, x.values()) if kind is dict else x))
    return kind in _WRITTEN


def _lengths(args: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple([len(x) if x.__class__ in _NESTED else -1 for x in args])


class Signature:
    """Finds the signatures of calls of one function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    names : NamesRead
        What the function reads of objects.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: frozenset[int | str],
        names: NamesRead,
    ) -> None:
        self._function, self._static, self._names = function, static, names
        self._is_traced_whole = not static
        self._last_walk = LastWalk()
        self._layouts: dict[tuple[int, ...], Layout] = {}  # by the lengths of arguments

    def remember(self, args: tuple[Any, ...], kwargs: Any, key: Key, leaves: list[Any]) -> None:
        """Remember how the numbers of a call lie, to find those of calls alike at once."""
        is_nested = len(key) > 2 * len(args)  # numbers in a row are found as fast without
        if not (is_nested and self._is_traced_whole) or kwargs or not _has_layout(args):
            return
        if len(self._layouts) >= _LAYOUTS:
            self._layouts.clear()
        if _written(args).size in _SIZES:
            self._layouts[_lengths(args)] = Layout(args, key, leaves)

    def of(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Key, list[Any], list[Value]]:
        """Return the key of the program, the numbers of arguments, and the Values of objects.

        Raises
        ------
        TraceError
            If an argument is refused; the message names it.
        OperandError
            If an argument contains itself.
        """
        if self._layouts and not kwargs and (layout := self._layouts.get(_lengths(args))):
            numbers = layout.leaves(args)
            if numbers is not None:
                return layout.key, numbers, []
            self._layouts.pop(_lengths(args), None)
        if self._is_traced_whole and not kwargs:
            found = taken_at_once(args)  # twice as fast
            if found is not None:
                return *found, []
        walk = Visit(self._last_walk, self._names.read)
        try:
            walk.where = name = ArgumentName(self._function)
            given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
            for name.given, x in given:
                if self._static or kwargs:
                    walk.key.append(name.given)
                if name.given in self._static:
                    visit_static(x, f"static argument {name.given!r}", walk.key)
                else:
                    visit(x, walk)
        except RecursionError:
            raise OperandError(
                "an argument contains itself, or is nested too deeply to be searched for numbers: "
                "give a list of its numbers"
            ) from None
        module_values = walk.finish()
        return tuple(walk.key), walk.leaves, module_values
