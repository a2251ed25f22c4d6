"""Refuse what is an argument and around a function at once, where its code tells which is which.

While a function is recorded, the lists, dicts, arrays and dataclasses among its arguments are
copies, in which traced numbers stand for the given ones. What it closes over is the object itself.
So ``a is b``, ``a in registry``, ``registry.index(a)`` and ``weights[a]`` would come out otherwise
than eagerly if an argument were also what the function closes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scalargrad.compiler.guards.names_read import EQUALS, IN, IS
from scalargrad.compiler.guards.object_state import PLAIN, attributes, is_object, is_record
from scalargrad.errors import TraceError
from scalargrad.tree import is_object_array
from scalargrad.value import Value

#: What asks which object one is, and what asks whether one is among others. ``id`` is left out: the
#: text of any dataclass asks for it.
_ASKS, _SEARCHES = {IS, "is_"}, {IN, EQUALS, "index", "count", "remove"}
_NUMBERS = PLAIN | {Value}


def is_copied(x: Any) -> bool:
    """Return whether a copy of such an argument is given to the function that is recorded."""
    kind: Any = type(x)
    return is_record(kind) or (kind.__hash__ is None and not is_object(x))


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
        around = {id(x): x for x in found if is_copied(x)}
        return cls(around, asks) if around or asks else None

    def require(self, call: tuple[Any, ...]) -> None:
        """Raise TraceError if an argument is around the function, or two are one list."""
        compiled, args, kwargs, _, _, objects = call
        given = _copied([*args, *kwargs.values()], objects)
        both = next((x for x in given if id(x) in self.around), None)
        if both is not None:
            raise TraceError(
                f"{compiled!r} is given a {type(both).__name__} that it also reads by a name, and "
                "its code tells objects apart (by is, in, == or a look-up); as a program serves "
                "all arguments alike, that would come out otherwise: let it close over the "
                "object, as in jit(lambda x: f(object, x)), or pass all that it is compared with "
                "as arguments"
            )
        lists = [x for x in given if self.asks and not is_record(x.__class__)]
        twice = next((x for i, x in enumerate(lists) if any(x is y for y in lists[:i])), None)
        if twice is not None:
            raise TraceError(
                f"{compiled!r} is given a {type(twice).__name__} twice, and its code asks by `is` "
                "which is which; as a program has a copy for each argument, that would come out "
                "otherwise: pass it once, as in jit(lambda x: f(x, x))"
            )


def _copied(args: Iterable[Any], objects: Iterable[Any]) -> list[Any]:
    """Return those arguments of which the function gets copies, and those in them.

    It gets the very `objects`.
    """
    found: list[Any] = []
    known: set[int] = {*map(id, objects)}
    ahead = [x for x in args if id(x) not in known]
    while ahead:
        x = ahead.pop()
        if is_copied(x):
            found.append(x)
        if id(x) not in known:
            known.add(id(x))
            inside = _inside(x)
            ahead += [] if {*map(type, inside)} <= _NUMBERS else inside
    return found


def _inside(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [*x.values()]
    if is_object_array(x):
        items: list[Any] = x.ravel().tolist()
        return items
    if is_record(x.__class__):
        return [*attributes(x).values()]
    return [*x] if isinstance(x, list | tuple) else []
