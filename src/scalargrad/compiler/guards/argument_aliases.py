"""Argument aliases: what is an argument and around a function at once, where its code asks by `is`.

Of ``jit(lambda a: 2.0 if a is base else 1.0)(base)``: while a function is recorded, the lists,
tuples, dicts, arrays and dataclasses among its arguments are copies, in which traced numbers stand
for the given ones. What it closes over is the object itself.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from scalargrad.compiler.guards.names_read import IS
from scalargrad.compiler.guards.object_state import PLAIN, attributes, is_record, is_stateful
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.tree import is_object_array
from scalargrad.value import Value

#: What asks which object one is. ``id`` is left out: the text of any dataclass asks for it.
_ASKS = {IS, "is_"}
_NUMBERS = PLAIN | {Value}
#: The tuple that holds nothing, of which there is one.
_EMPTY: Any = ()


@functools.cache
def _is_copied(kind: Any) -> bool:
    """Return whether copies of such arguments are given to the function that is recorded."""
    is_object = issubclass(kind, Table) or is_stateful(kind)
    is_held = kind.__hash__ is None or issubclass(kind, tuple)
    return is_record(kind) or (is_held and not is_object)


def told_from_copies(names: Mapping[str, Any], met: Iterable[Any]) -> dict[int, Any] | None:
    """Return what was `met`, by identity, if code with these names tells it from a copy."""
    return None if _ASKS.isdisjoint(names) else {id(x): x for x in _copied(met, ())}


def require_apart(around: dict[int, Any], call: tuple[Any, ...]) -> None:
    """Raise TraceError if an argument is around the function, or two are one list."""
    compiled, args, kwargs, _, _, objects = call
    outer = [*args, *kwargs.values()]
    given = _copied(outer, objects)
    lists = [x for x in given if not (is_record(x.__class__) or isinstance(x, tuple))]
    lists += [x for x in outer if isinstance(x, tuple) and x]  # a batch may hold a pair twice
    often = Counter(map(id, lists))
    for x in given:
        if id(x) in around or often[id(x)] > 1:
            how = "that it also reads by a name" if id(x) in around else "twice"
            raise TraceError(
                f"{compiled!r} is given a {type(x).__name__} {how}, and its code asks by `is` "
                "which is which; as a program has a copy of each argument, that would come out "
                "otherwise: pass it once, as in jit(lambda x: f(x, x)), or let the function close "
                "over it, as in jit(lambda x: f(object, x))"
            )


def _copied(args: Iterable[Any], objects: Iterable[Any]) -> list[Any]:
    """Return those arguments of which the function gets copies, and those in them.

    It gets the very `objects`.
    """
    found: list[Any] = []
    known = {*map(id, objects)}
    ahead = [x for x in args if id(x) not in known]
    while ahead:
        found += [x for x in ahead if _is_copied(x.__class__)]
        new = {id(x): x for x in ahead if id(x) not in known}
        known |= new.keys()
        inside = chain.from_iterable(map(_inside, new.values()))
        ahead = [x for x in inside if type(x) not in _NUMBERS]
    return [x for x in found if x is not _EMPTY]


def _inside(x: Any) -> Iterable[Any]:
    """Return the arguments within one."""
    if isinstance(x, dict):
        return dict.values(x)
    if is_record(x.__class__):
        return attributes(x).values()
    if isinstance(x, list | tuple):
        return x
    return x.ravel().tolist() if is_object_array(x) else ()
