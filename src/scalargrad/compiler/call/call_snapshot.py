"""Leave things as they were where a call is refused after its function has run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.compiler.guards.snapshot import Snapshot
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.value import Value


class CallSnapshot:
    """What a function and its arguments hold now: objects, numbers of Values, random generators.

    Parameters
    ----------
    parts : iterable
        The function and its arguments.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        parts = [*parts]
        self._generators = Generators(parts)
        self._held = Snapshot(parts)
        self._numbers = [(x, x.data, x.grad, x.label) for x in self._values()]

    def put_back(self) -> None:
        """Undo all changes."""
        for x, number, grad, label in self._numbers:
            if x.data is not number:
                x.data = number
            if x.grad is not grad:
                x.grad = grad
            x.label = label
        self._held.put_back()
        self._generators.rewind()

    def _values(self) -> list[Value]:
        """Return all Values that are held."""
        held = [x for found in self._held.found.values() for x in found.before.values()]
        return [*{x: None for x in held if isinstance(x, Value)}]
