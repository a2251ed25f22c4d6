"""Refuse what is an argument and around a function at once, where its code tells which is which.

While a function is recorded, the lists, dicts, arrays and objects among its arguments are copies,
in which traced numbers stand for the given ones. What it closes over is no copy. So ``a is b``,
``a in registry``, ``registry.index(a)`` and ``weights[a]`` would come out otherwise than eagerly
if an argument were also what the function closes over.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from types import MethodType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.names_read import EQUALS, IN, IS
from scalargrad.compiler.guards.object_state import PLAIN, attributes, is_stateful
from scalargrad.compiler.guards.references import bound_parts
from scalargrad.errors import TraceError
from scalargrad.value import Value

#: What asks which object one is, and what asks whether one is among others. ``id`` is left out: the
#: text of any dataclass asks for it.
_ASKS, _SEARCHES = {IS, "is_"}, {IN, EQUALS, "index", "count", "remove"}
_CONTAINERS, _NUMBERS = (list, dict, tuple), PLAIN | {Value}


def is_copied(x: Any) -> bool:
    """Return whether a recording has a copy of such an argument."""
    return type(x).__hash__ is None or is_stateful(type(x))


def _equals_itself_alone(kind: Any) -> bool:
    return kind.__eq__ is object.__eq__


class ToldApart(NamedTuple):
    """What code would tell from a copy of it.

    Attributes
    ----------
    around : dict from int to object
        What is around the function, by identity, and must be no argument.
    asks : bool
        Whether the code asks by ``is``. Then no list may be two arguments, either.
    """

    around: dict[int, Any]
    asks: bool

    @classmethod
    def of(
        cls,
        names: Mapping[str, Any],
        met: Iterable[Any],
        items: Iterable[Any],
        keys: Iterable[Any],
    ) -> ToldApart | None:
        """Return what code with these names tells apart; None if that is nothing.

        It leads to all that was `met`; `items` are in containers, and `keys` are looked up. What
        has an equality of its own equals its copy.
        """
        asks = not _ASKS.isdisjoint(names)
        searched = items if not _SEARCHES.isdisjoint(names) else keys
        found = met if asks else [x for x in searched if _equals_itself_alone(type(x))]
        around = {id(x): x for x in found if is_copied(x)}
        return cls(around, asks) if around or asks else None

    def require(self, compiled: object, function: Any, arguments: Iterable[Any]) -> None:
        """Raise TraceError if an argument of `function` is around it, or two are one list."""
        met: set[int] = set()
        for x, is_twice in _given([*_bound_to(function), *arguments], met):
            what = f"{compiled!r} is given a {type(x).__name__}"
            if id(x) in self.around:
                raise TraceError(
                    f"{what} that it also reads by a name, and its code tells objects apart (by "
                    "is, in, == or a look-up); as a program has copies of its arguments, that "
                    "would come out otherwise: let it close over the object, as in jit(lambda x: "
                    "f(object, x)), or pass all that it is compared with as arguments"
                )
            if is_twice and self.asks:
                raise TraceError(
                    f"{what} twice, and its code asks by `is` which is which; as a program has a "
                    "copy for each argument, that would come out otherwise: pass it once, as in "
                    "jit(lambda x: f(x, x))"
                )


def _bound_to(function: Any) -> Iterator[Any]:
    """Yield what a method or partial function passes on, or an object that is called."""
    while isinstance(function, MethodType | functools.partial):
        function, *rest = bound_parts(function)
        yield from rest
    if is_stateful(type(function)):
        yield function


def _given(arguments: Iterable[Any], met: set[int]) -> Iterator[tuple[Any, bool]]:
    """Yield what is among arguments and copied; and whether it is a list that came before.

    Within objects, what is the same stays the same in the copy.
    """
    for x in arguments:
        if type(x) in _NUMBERS:
            continue
        is_object = is_stateful(type(x))
        if id(x) in met:
            if not is_object and not isinstance(x, tuple):
                yield x, True
            continue
        met.add(id(x))
        yield x, False
        if isinstance(x, _CONTAINERS):
            inside = [*(x.values() if isinstance(x, dict) else x)]
            if not {*map(type, inside)} <= _NUMBERS:
                yield from _given(inside, met)
        elif is_object:
            yield from ((y, False) for y, _ in _given(attributes(x).values(), met))
