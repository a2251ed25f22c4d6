"""Refuse what is an argument and around a function at once, where its code tells which is which.

While a function is recorded, the lists, dicts, arrays and dataclasses among its arguments are
copies, in which traced numbers stand for the given ones; and a program serves all objects of one
structure. What it closes over is the object itself. So ``a is b``, ``a in registry``,
``registry.index(a)`` and ``weights[a]`` would come out otherwise than eagerly if an argument were
also what the function closes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scalargrad.compiler.guards.held_objects import HeldObjects
from scalargrad.compiler.guards.names_read import EQUALS, IN, IS
from scalargrad.compiler.guards.object_state import PLAIN, is_stateful
from scalargrad.errors import TraceError
from scalargrad.value import Value

#: What asks which object one is, and what asks whether one is among others. ``id`` is left out: the
#: text of any dataclass asks for it.
_ASKS, _SEARCHES = {IS, "is_"}, {IN, EQUALS, "index", "count", "remove"}
_NUMBERS = PLAIN | {Value}


def is_interchangeable(x: Any) -> bool:
    """Return whether a program serves others in the place of such an argument."""
    return type(x).__hash__ is None or is_stateful(type(x))


def _equals_itself_alone(kind: Any) -> bool:
    return kind.__eq__ is object.__eq__


class ArgumentAliases(NamedTuple):
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
    ) -> ArgumentAliases | None:
        """Return what code with these names tells apart; None if that is nothing.

        It leads to all that was `met`; `items` are in containers, and `keys` are looked up. What
        has an equality of its own equals its copy.
        """
        asks = not _ASKS.isdisjoint(names)
        searched = items if not _SEARCHES.isdisjoint(names) else keys
        found = met if asks else [x for x in searched if _equals_itself_alone(type(x))]
        around = {id(x): x for x in found if is_interchangeable(x)}
        return cls(around, asks) if around or asks else None

    def require(self, compiled: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise TraceError if an argument is around the function, or two are one list."""
        given = [*args, *kwargs.values()]
        held = HeldObjects(given, enters_rows=False).met
        both = next((x for i, x in held.items() if i in self.around), None)
        if both is not None:
            raise TraceError(
                f"{compiled!r} is given a {type(both).__name__} that it also reads by a name, and "
                "its code tells objects apart (by is, in, == or a look-up); as a program serves "
                "all arguments alike, that would come out otherwise: let it close over the "
                "object, as in jit(lambda x: f(object, x)), or pass all that it is compared with "
                "as arguments"
            )
        lists = [x for x in given for x in _lists(x)] if self.asks else []
        twice = next((x for i, x in enumerate(lists) if any(x is y for y in lists[:i])), None)
        if twice is not None:
            raise TraceError(
                f"{compiled!r} is given a {type(twice).__name__} twice, and its code asks by `is` "
                "which is which; as a program has a copy for each argument, that would come out "
                "otherwise: pass it once, as in jit(lambda x: f(x, x))"
            )


def _lists(x: Any) -> Iterator[Any]:
    """Yield an argument and what is in it, if these are lists, dicts or arrays.

    Within objects, what is the same stays the same in the copy.
    """
    if type(x).__hash__ is None and not is_stateful(type(x)):
        yield x
    if isinstance(x, list | dict | tuple):
        inside = [*(x.values() if isinstance(x, dict) else x)]
        if not {*map(type, inside)} <= _NUMBERS:
            for y in inside:
                yield from _lists(y)
