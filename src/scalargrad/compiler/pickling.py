"""Pickle compiled functions by module and name, as functions are, and find them again."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple


class Reference(NamedTuple):
    """A reference to a compiled function: the module and name under which it can be imported."""

    module: str
    name: str

    @classmethod
    def of(cls, jitted: Any) -> Reference:
        """Return the reference to a compiled function.

        A function such as ``jit(value_and_grad(loss))`` bears the name of ``loss``, under which
        another object is found. It is referred to by the name of the variable that holds it in its
        module, if there is one.
        """
        module, name = (getattr(jitted, x, "") for x in ("__module__", "__qualname__"))
        reference = cls(module, name)
        if reference._leads_to(jitted):
            return reference
        names = [k for k, x in vars(sys.modules.get(module, object)).items() if x is jitted]
        return cls(module, names[0]) if names else cls("", name)

    def _leads_to(self, jitted: Any) -> bool:
        found = self.find()
        function = jitted.__wrapped__
        return found is not None and (
            found is jitted or found is function or getattr(found, "__wrapped__", None) is function
        )

    def find(self) -> Any:
        """Return what the name stands for in this process; None if nothing."""
        try:
            found: Any = importlib.import_module(self.module)
            for part in self.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError):
            return None
        return found
