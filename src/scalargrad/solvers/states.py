"""Functions of a tree of numbers as functions of lists, which are carried from step to step."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import OperandError
from scalargrad.linalg import is_open, number
from scalargrad.ops import where
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import function
from scalargrad.tree import flatten
from scalargrad.value import Value

Numbers = list[Any]
State = dict[str, Any]


class Equations:
    """A function that returns as many numbers as it is given, and where to begin.

    Parameters
    ----------
    name : str
        Of the solver that was called, for messages.
    f : callable
        ``f(x, *further)``
    x0 : tree of n numbers

    Attributes
    ----------
    initial : list
        The numbers of `x0`.
    argument, example, remedy : str
        What the solver calls `x0`, a function that it takes, and what that is to return.

    Raises
    ------
    OperandError
        If `f` is not a function, or `x0` holds no numbers.
    """

    argument = "x0"
    example = "lambda x: x * x - 2"
    remedy = "as many equations as unknowns"

    def __init__(self, name: str, f: Any, x0: Any) -> None:
        self.name, self._f = name, function(f, "f", self.example)
        leaves, self._rebuild = flatten(x0, self.argument)
        self.initial = [x if isinstance(x, Value) else as_float(x, self.argument) for x in leaves]
        if not leaves:
            raise OperandError(
                f"{self.argument} is {shown(x0)}, which holds no numbers: give one at least"
            )

    def shaped(self, x: Numbers) -> Any:
        """Return numbers in the shape of `x0`."""
        return self._rebuild(iter(x))

    def computed(self, x: Numbers, *further: Any) -> Numbers:
        """Return the n numbers of f(x, *further).

        Raises
        ------
        OperandError
            If there are not n.
        """
        returned = self._f(self.shaped(x), *further)
        found, _ = flatten(returned, f"what f of {self.name} returns")
        if len(found) != len(x):
            raise OperandError(
                f"{self.name}: f returned {counted(len(found), 'number')} for "
                f"{counted(len(x), 'unknown')}: give {self.remedy}"
            )
        return found


def constant(x: Any) -> Any:
    """Return a number through which no gradient flows: a float, unless it is being recorded."""
    return x.detach() if is_open(x) else number(x)


def moved(x: Numbers, share: Any, step: Numbers) -> Numbers:
    """Return x + share · step."""
    return [y + share * z for y, z in zip(x, step, strict=True)]


def select(condition: Any, first: Numbers, second: Numbers) -> Numbers:
    """Return the first numbers if a condition holds, else the second."""
    return [where(condition, x, y) for x, y in zip(first, second, strict=True)]
