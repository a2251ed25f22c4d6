"""What is read only if code names it: what functions and classes tell of themselves, settings."""

from __future__ import annotations

from abc import get_cache_token
from contextlib import suppress
from decimal import getcontext
from typing import Any

import numpy as np

_DERIVED = "__subclasses__"
#: What functions and classes tell of themselves.
TOLD = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", _DERIVED)


def told(x: Any, name: str) -> tuple[Any]:
    """Return what a function or class tells of itself; None if it does not."""
    with suppress(AttributeError, NameError, TypeError):
        found = getattr(x, name)
        return (tuple(found()) if name == _DERIVED else found,)
    return (None,)


def _decimals() -> tuple[Any]:
    """Return the context of decimals, without what has occurred in it."""
    *numbers, _, traps = getcontext().__reduce__()[1]
    return ((*numbers, *traps),)


#: Settings of the thread or process: the names that ask for them, and how to read them.
SETTINGS = {
    "the context of decimals": ({"Decimal", "decimal"}, _decimals),
    "numpy.geterr()": ({"geterr", "FloatingPointError"}, lambda: (tuple(np.geterr().items()),)),
    "what is registered with abstract classes": ({"ABCMeta"}, lambda: (get_cache_token(),)),
}
