"""Derivatives of models as programs, which a search calls at trial points, some of them bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.jit_mode import mode_here
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import NumericalError


class AtTrials(Jitted[..., Any]):
    """A compiled function that raises at once where a number is not finite.

    Other compiled functions are then called eagerly, for an error with a full message: that takes a
    thousand times as long as the program, and no search reads it.
    """

    def _not_finite(self, *_: Any) -> Any:
        raise NumericalError("the function or its derivative is not finite")

    def repeatedly(self) -> Callable[..., Any]:
        """Return this function for calls between which what it closes over stays as it is."""
        return self if mode_here() == "check" else self.repeated()
