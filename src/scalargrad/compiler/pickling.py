"""Pickle compiled functions by module and name, as functions are, and find them again."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def place_of(jitted: Any) -> tuple[str, str]:
    """Return the module and the name under which a compiled function can be imported.

    A function such as ``jit(value_and_grad(loss))`` bears the name of ``loss``, under which another
    object is found. It is referred to by the name of the variable that holds it in its module, if
    there is one.
    """
    module, name = (getattr(jitted, x, "") for x in ("__module__", "__qualname__"))
    found, function = found_at(module, name), jitted.__wrapped__
    if found is jitted or found is function or getattr(found, "__wrapped__", None) is function:
        return module, name
    names = [k for k, x in vars(sys.modules.get(module, object)).items() if x is jitted]
    return (module, names[0]) if names else ("", name)


def found_at(module: str, name: str) -> Any:
    """Return what a name stands for in a module in this process; None if nothing."""
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return found
