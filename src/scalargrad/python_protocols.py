"""Python's requests to any object: to be a number of another kind, a copy, or pickled.

A Value is none of Python's own kinds of number, as its gradient would be lost there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scalargrad.errors import GraphError, OperandError
from scalargrad.grad_mode import derivatives, recorder
from scalargrad.other_names import OTHER_NAMES
from scalargrad.system.short_repr import format_value
from scalargrad.table.compared import KEPT


class PythonProtocols:
    """Refuses to become a plain number, and makes copies of leaves."""

    __slots__ = ()

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


#: What is asked of numbers and would lose the gradient, each with what is said instead. NumPy calls
#: the names of other libraries on the entries of an object array, too.
_REFUSED = {
    "__invert__": "~ of {} would be a number, and true, as ~True is: write "
    "scalargrad.logical_not(x), or the opposite comparison",
    "__float__": "float() or a math function of {} would drop the gradient: use .data for the "
    "number, or scalargrad's op of the same name (scalargrad.sin for math.sin) to keep the "
    "gradient; an array that Values are assigned to has dtype=object",
    "__int__": "int() of {} would drop the gradient: for an entry write scalargrad.take(values, "
    "floor(x)), for a whole number scalargrad.floor(x); for a size, outside compiled functions, "
    "int(….data)",
    "__trunc__": "trunc() of {} would drop the gradient: use .data for the number, or "
    "where(x < 0, ceil(x), floor(x)) of scalargrad",
    "as_integer_ratio": "a fraction of {} would drop the gradient: use .data for the number; in "
    "place of statistics.mean, scalargrad.mean keeps the gradient",
    "__index__": "{} cannot be used as an index, a size or a number of steps: for an entry write "
    "scalargrad.take(values, floor(x)); for a size, outside compiled functions, int(….data)",
    **{
        name: f"{name} of {{}}: write {written}, with scalargrad's functions"
        for name, written in OTHER_NAMES.items()
    },
}


def _refusal(message: str) -> Callable[..., NoReturn]:
    def refused(self: Any, *_: object, **_named: object) -> NoReturn:
        raise OperandError(message.format(format_value(self)))

    return refused


for _name, _message in _REFUSED.items():
    setattr(PythonProtocols, _name, _refusal(_message))
