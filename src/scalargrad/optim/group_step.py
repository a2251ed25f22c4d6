"""One step of a group of parameters: its rule with its options, on numbers or on arrays."""

from __future__ import annotations

import importlib.util
import struct
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import repeat
from math import isfinite, nan
from typing import Any, NamedTuple

from scalargrad.optim import rules
from scalargrad.optim.state_columns import StateColumns
from scalargrad.value import Value

Rule = Callable[..., tuple[Any, ...]]

#: The rules that take arrays; a user's rule may take single numbers only.
_OF_ARRAYS = {getattr(rules, name) for name in rules.__all__}


class GroupStep(NamedTuple):
    """How the parameters of a group move in a step.

    Attributes
    ----------
    rule : callable
        Takes a parameter, its gradient and its state; returns the new ones.
    first : tuple of float
        The state before the first step.
    maximize : bool
        Whether the step goes up.
    remembers : bool
        Whether the state is kept.
    """

    rule: Rule
    first: tuple[float, ...]
    maximize: bool
    remembers: bool

    @property
    def takes_arrays(self) -> bool:
        """Whether the rule is one of this package's, which take arrays."""
        return isinstance(self.rule, partial) and self.rule.func in _OF_ARRAYS

    def on_arrays(self, rows: Any, data: Any, grads: Any, state: StateColumns) -> Update:
        """Move the parameters in these rows at once; what is undefined becomes inf or nan."""
        import numpy as np

        known = state.arrays(rows, self.first)
        with np.errstate(all="ignore"):
            new, *columns = self.rule(data, -grads if self.maximize else grads, *known)
        return Update(rows, new, columns if self.remembers else ())

    def on_numbers(self, data: float, grad: float, state: Sequence[float]) -> tuple[Any, ...]:
        """Return a parameter's new number and state; nan where the rule divides by 0."""
        try:
            return self.rule(data, -grad if self.maximize else grad, *state)
        except ZeroDivisionError:
            return (nan, *state)


class Update(NamedTuple):
    """The result of a step for some parameters: new numbers, and the columns of their state."""

    rows: Any
    data: Any
    columns: Sequence[Any]


def arrays_of(parameters: Sequence[Value]) -> tuple[Any, Any] | None:
    """Return the numbers and the gradients of parameters; None if one of them is no number."""
    import numpy as np

    pack = struct.Struct(f"{len(parameters)}d").pack  # twice as fast as NumPy from a list
    try:
        data, grads = pack(*[p.data for p in parameters]), pack(*[p.grad for p in parameters])
    except struct.error:  # None, for example
        return None
    return np.frombuffer(data), np.frombuffer(grads)


def write_data(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write the numbers of parameters, all of them even if Ctrl-C arrives meanwhile."""
    try:
        for parameter, number in zip(parameters, numbers, strict=True):
            parameter.data = number
    except BaseException:  # a single call into C is slower, but nothing can interrupt it
        deque(map(setattr, parameters, repeat("data"), numbers), maxlen=0)
        raise


def all_finite(*arrays: Any) -> bool:
    """Return whether all numbers are finite, as they are if the sum of their squares is."""
    import numpy as np

    return all(isfinite(np.vdot(x, x)) or np.isfinite(x).all() for x in arrays)


@cache
def has_numpy() -> bool:
    """Return whether NumPy is installed."""
    return importlib.util.find_spec("numpy") is not None
