"""Refuse results that hold what a function makes anew at each call, and a program could not."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from types import FunctionType, MethodType
from typing import Any

from scalargrad.compiler.call.copied_objects import is_hashed_object
from scalargrad.compiler.call.outline import holds_results
from scalargrad.compiler.guards.held_objects import HeldObjects
from scalargrad.compiler.guards.object_state import PLAIN, is_stateful
from scalargrad.compiler.guards.ways import variables
from scalargrad.errors import TraceError


def require_known(result: HeldObjects, sources: Iterable[Any]) -> None:
    """Raise TraceError for what all results would share, unless `sources` lead to it.

    Else it was made by the call, and eager results each have their own.
    """
    shared = [x for part in result.met.values() for x in _shared(part)]
    known = HeldObjects(sources, follows_code=True).met if shared else {}
    made = next((x for x in shared if id(x) not in known), None)
    if made is not None and not holds_results(made):  # of those, the outline says more
        raise TraceError(
            f"a compiled function returned a {type(made).__name__} that it makes: as an "
            "exception, in a function or a set, or as a key of a dict, its program could not make "
            "another for each result; make it outside, or return what it is made of"
        )


def _shared(x: Any) -> list[Any]:
    """Return what a part of a result shares with other results, as it is not copied for each."""
    kind = type(x)
    if issubclass(kind, dict | set | frozenset) and not {*map(type, x)} <= PLAIN:
        is_copied = issubclass(kind, set) or kind is frozenset
        keys = [y for y in x if not is_hashed_object(y)] if is_copied else x
        found = HeldObjects(keys).met.values()
        held = [y for y in found if is_stateful(type(y)) or is_hashed_object(y)]
        return held + [z for y in found if not isinstance(y, tuple | frozenset) for z in _shared(y)]
    if issubclass(kind, MethodType):
        return [x.__self__] if is_stateful(type(x.__self__)) else []
    if issubclass(kind, FunctionType):
        held = [*variables(x).values(), *(x.__defaults__ or ())]
        return [y for y in held if is_stateful(type(y)) or type(y).__hash__ is None]
    is_shared = issubclass(kind, BaseException | Random | type)
    return [x] if is_shared and "<locals>" in getattr(x, "__qualname__", "<locals>") else []
