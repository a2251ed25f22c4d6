"""What is read only if code names it: what functions and classes tell of themselves, settings."""

from __future__ import annotations

import inspect
from abc import get_cache_token
from collections.abc import Callable
from contextlib import suppress
from decimal import getcontext
from operator import attrgetter
from typing import Any

import numpy as np


def _annotations(x: Any) -> list[Any] | None:
    with suppress(NameError):  # of a class that is not there yet
        return [*inspect.get_annotations(x).items()]
    return None


def _decimals() -> tuple[Any]:
    """Return the context of decimals, without what has occurred in it."""
    *numbers, _, traps = getcontext().__reduce__()[1]
    return ((*numbers, *traps),)


#: What functions and classes tell of themselves, and how to ask them.
TOLD: dict[str, Callable[[Any], Any]] = {
    **{x: attrgetter(x) for x in ("__name__", "__qualname__", "__doc__", "__module__")},
    "__annotations__": _annotations,
    "__subclasses__": lambda x: type.__subclasses__(x) if isinstance(x, type) else (),
}
#: Settings of the thread or process: the names that ask for them, and how to read them.
SETTINGS = {
    "the context of decimals": ({"Decimal", "decimal"}, _decimals),
    "numpy.geterr()": ({"geterr", "FloatingPointError"}, lambda: (tuple(np.geterr().items()),)),
    "what is registered with abstract classes": ({"ABCMeta"}, lambda: (get_cache_token(),)),
}
