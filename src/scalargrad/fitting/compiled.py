"""Compiled derivatives of models, for searches whose trial points may be undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.jit_mode import mode_here
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import NumericalError


class RaisingJitted(Jitted[..., Any]):
    """A compiled function that raises an error immediately if a number is not finite.

    Other compiled functions are then called eagerly, for an error with a full message. That takes a
    thousand times longer, and a search does not use the message.
    """

    def _not_finite(self, *_: Any) -> Any:
        raise NumericalError("the function or its derivative is not finite")

    def bind_closure(self) -> Callable[..., Any]:
        """Return this function for calls between which its captured variables do not change."""
        return self if mode_here() == "check" else self.repeated()
