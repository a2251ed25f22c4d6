"""Argument aliases: what is an argument and around a function at once, where its code asks by `is`.

Of ``jit(lambda a: 2.0 if a is base else 1.0)(base)``: while a function is recorded, the lists,
dicts, arrays and dataclasses among its arguments are copies, in which traced numbers stand for the
given ones. What it closes over is the object itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scalargrad.compiler.guards.names_read import IS
from scalargrad.compiler.guards.object_state import PLAIN, attributes, is_object, is_record
from scalargrad.errors import TraceError
from scalargrad.tree import is_object_array
from scalargrad.value import Value

#: What asks which object one is. ``id`` is left out: the text of any dataclass asks for it.
_ASKS = {IS, "is_"}
_NUMBERS = PLAIN | {Value}


def is_copied(x: Any) -> bool:
    """Return whether a copy of such an argument is given to the function that is recorded."""
    kind: Any = type(x)
    return is_record(kind) or (kind.__hash__ is None and not is_object(x))


class ArgumentAliases(NamedTuple):
    """What is around a function whose code asks by ``is``, by identity: it must be no argument."""

    around: dict[int, Any]

    @classmethod
    def of(cls, names: Mapping[str, Any], met: Iterable[Any]) -> ArgumentAliases | None:
        """Return what was `met`, if code with these names tells it from a copy."""
        if _ASKS.isdisjoint(names):
            return None
        return cls({id(x): x for x in met if is_copied(x)})

    def require(self, call: tuple[Any, ...]) -> None:
        """Raise TraceError if an argument is around the function, or two are one list."""
        compiled, args, kwargs, _, _, objects = call
        given = _copied([*args, *kwargs.values()], objects)
        both = next((x for x in given if id(x) in self.around), None)
        if both is not None:
            raise TraceError(
                f"{compiled!r} is given a {type(both).__name__} that it also reads by a name, and "
                "its code asks by `is` which is which; as a program serves all arguments alike, "
                "that would come out otherwise: let it close over the object, as in "
                "jit(lambda x: f(object, x)), or pass all that it is compared with as arguments"
            )
        lists = [x for x in given if not is_record(x.__class__)]
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
