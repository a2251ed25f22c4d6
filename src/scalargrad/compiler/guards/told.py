"""What is read only if code names it: what functions and classes tell of themselves."""

from __future__ import annotations

import inspect
from abc import get_cache_token
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Any


def _annotations(x: Any) -> list[Any] | None:
    with suppress(NameError):  # of a class that is not there yet
        return [*inspect.get_annotations(x).items()]
    return None


#: What functions and classes tell of themselves, and how to ask them.
TOLD: dict[str, Callable[[Any], Any]] = {
    **{x: attrgetter(x) for x in ("__name__", "__qualname__", "__doc__", "__module__")},
    "__annotations__": _annotations,
    "__subclasses__": lambda x: type.__subclasses__(x) if isinstance(x, type) else (),
}


def registered() -> tuple[Any]:
    """Return what changes whenever a class is registered with an abstract one."""
    return (get_cache_token(),)
