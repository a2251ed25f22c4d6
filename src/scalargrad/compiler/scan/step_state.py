"""What a step function can reach, to see whether its calls change any of it."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.names_read import of_library
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.guards.refused import is_followed
from scalargrad.compiler.trace.side_effects import Snapshot
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.value import Parameter, Value

#: The most objects that are looked into.
_MANY = 10_000
#: What is held, and has no contents that are looked into.
_CLOSED = (int, float, str, bytes, Value)
#: Types of numbers and text, and nothing more.
_NUMBERS = {*PLAIN, np.float64, Value, Parameter}


class StepState(Snapshot):
    """A snapshot of everything that a step function can reach, and of what a recording has noted.

    Parameters
    ----------
    trace : Trace
        The recording under way.
    f : callable
        The step function.
    """

    def __init__(self, trace: Trace, f: Any) -> None:
        super().__init__([f])
        self._trace, self._noted = trace, trace.noted()
        met = self.met.values()
        named = [x for x in met if isinstance(x, FunctionType | type)]
        own = [x for x in named if not of_library(x.__module__)]
        arrays = [x for x in met if isinstance(x, np.ndarray)]
        self._members = [(x, _members(x)) for x in (*own, *arrays)]
        held = [y for x in self.found.values() for y in x.before.values()]
        traced = [y for y in held if isinstance(y, Traced)]
        #: The nodes of the numbers of the recording that it can reach.
        self.nodes = {x.index for x in traced if x.trace is trace}
        closed = [y for y in held if isinstance(y, _CLOSED) and not isinstance(y, Traced)]
        self._labels = [(y, y.label) for y in closed if isinstance(y, Value)]
        #: Whether a change of any of it can be seen.
        self.are_seen = (
            len(met) < _MANY and all(map(is_followed, met)) and {*map(type, closed)} <= _NUMBERS
        )

    def have_changed(self) -> bool:
        """Return whether anything has changed."""
        return (
            self._trace.noted() != self._noted
            or bool(self.generators.advanced())
            or any(_members(x) != members for x, members in self._members)
            or any(x.label != label for x, label in self._labels)
            or bool(self.changed())
        )


def _members(x: Any) -> list[Any]:
    """Return what makes up a class or a function of a user's, or an array besides its numbers."""
    if isinstance(x, np.ndarray):
        return [x.shape, x.strides, repr(x.dtype)]
    own = [x.__name__, x.__qualname__, x.__doc__]
    if isinstance(x, FunctionType):
        return [*own, id(x.__code__)]
    return [*own, *[(name, id(y)) for name, y in vars(x).items()]]
