"""Python's requests to any object: to be a number of another kind, a copy, or pickled.

A Value is none of Python's own kinds of number, as its gradient would be lost there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scalargrad.errors import GraphError, OperandError
from scalargrad.grad_mode import derivatives, recorder
from scalargrad.other_names import OTHER_NAMES
from scalargrad.system.short_repr import shown
from scalargrad.table.compared import KEPT


class PythonProtocols:
    """Refuses to become a plain number, and makes copies of leaves."""

    __slots__ = ()

    def __invert__(self) -> NoReturn:
        raise OperandError(
            f"~ of {self!r} would be a number, and true, as ~True is: write "
            "scalargrad.logical_not(x), or the opposite comparison"
        )

    def __float__(self) -> NoReturn:
        raise OperandError(
            f"float() or a math function of {self!r} would drop the gradient: use .data for "
            "the number, or scalargrad's op of the same name (scalargrad.sin for math.sin) "
            "to keep the gradient; an array that Values are assigned to has dtype=object"
        )

    def __int__(self) -> NoReturn:
        raise OperandError(f"int() of {self!r} would drop the gradient: use int(….data)")

    def __trunc__(self) -> NoReturn:
        raise OperandError(
            f"trunc() of {self!r} would drop the gradient: use .data for the number, or "
            "where(x < 0, ceil(x), floor(x)) of scalargrad"
        )

    def as_integer_ratio(self) -> NoReturn:
        """Refuse to become a fraction, as which the functions of `statistics` compute."""
        raise OperandError(
            f"a fraction of {self!r} would drop the gradient: use .data for the number; in place "
            "of statistics.mean, scalargrad.mean keeps the gradient"
        )

    def __index__(self) -> NoReturn:
        raise OperandError(
            f"{self!r} is no index, size or number of steps: use int(….data), or for an entry "
            "scalargrad.take(values, i)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        x: Any = self
        if is_differentiated(x):
            return _SameValue(x), ()
        return _restore, (type(x), x.data, x.grad, x.label), self.__getstate__()

    def __getstate__(self) -> Any:
        """Return the attributes and slots that a derived class adds, or None, as pickle does."""
        kind: Any = type(self)
        attributes = {name: x for name, x in self.__dict__.items() if name != KEPT}
        if not kind.__slots__ or kind is kind._node:  # most; a search for slots takes long
            return attributes or None
        state: Any = object.__getstate__(self)
        _, slots = state
        more = {name: x for name, x in slots.items() if name not in kind._node.__slots__}
        return (attributes, more) if attributes or more else None


def is_differentiated(x: Any) -> bool:
    """Return whether a gradient flows through a Value to others, or to what asks for it."""
    return x.op is not None or any(x is leaf for y in derivatives.get() for leaf in y.leaves)


class _SameValue:
    """Makes the copy of a Value that a function under way computes with: itself, as of a float."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self) -> Any:
        if not derivatives.get() and recorder() is None:
            self.__reduce__()
        return self._value

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        x = self._value
        computed = (
            f"was computed by {x.op.name}" if x.op else "is what a function is differentiated by"
        )
        raise GraphError(
            f"only leaves can be copied and pickled, and {x!r} {computed}: take its .detach(), or "
            "keep the program that computes it"
        )


def _restore(kind: Any, data: float, grad: float, label: str) -> Any:
    """Rebuild a pickled leaf; what its class adds follows as state."""
    leaf = kind.__new__(kind)
    kind._node.__init__(leaf, data, label)
    leaf.grad = grad
    return leaf


def _under_another_name(name: str) -> Callable[..., NoReturn]:
    def refused(self: Any, *_: object, **_named: object) -> NoReturn:
        raise OperandError(
            f"{name} of {shown(self)}: write {OTHER_NAMES[name]}, with scalargrad's functions"
        )

    return refused


# The names of other libraries, which NumPy calls on the entries of an object array, too.
for _name in OTHER_NAMES:
    setattr(PythonProtocols, _name, _under_another_name(_name))
