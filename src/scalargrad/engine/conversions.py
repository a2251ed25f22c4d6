"""Python's conversion, copy and pickle protocols of a Value.

A leaf can be copied and pickled. Conversions to a plain number, such as ``float(x)``, raise
OperandError, because the gradient would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scalargrad.engine.active_derivatives import active_derivatives
from scalargrad.engine.branch_log import LOG_ATTRIBUTE
from scalargrad.engine.other_names import OTHER_NAMES
from scalargrad.engine.recorder import recorder
from scalargrad.errors import GraphError, OperandError
from scalargrad.system.short_repr import format_value


class PythonProtocols:
    """Mixin that refuses conversions to plain numbers, and copies and pickles leaves."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        x: Any = self
        if is_differentiated(x):
            return _SameValue(x), ()
        return _restore, (type(x), x.data, x.grad, x.label), self.__getstate__()

    def __getstate__(self) -> Any:
        """Return the attributes and slots that a derived class adds, or None, as pickle does."""
        kind: Any = type(self)
        attributes = {name: x for name, x in self.__dict__.items() if name != LOG_ATTRIBUTE}
        if not kind.__slots__ or kind is kind._node:  # most; a search for slots takes long
            return attributes or None
        state: Any = object.__getstate__(self)
        _, slots = state
        more = {name: x for name, x in slots.items() if name not in kind._node.__slots__}
        return (attributes, more) if attributes or more else None


def is_differentiated(x: Any) -> bool:
    """Return True if a Value is computed from others, or a function is differentiated by it."""
    return x.op is not None or any(x is leaf for y in active_derivatives.get() for leaf in y.leaves)


class _SameValue:
    """Copy of a Value within a running derivative: the Value itself, as for a float."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self) -> Any:
        if not active_derivatives.get() and recorder() is None:
            self.__reduce__()
        return self._value

    def __reduce__(self) -> NoReturn:
        """Raise GraphError: only leaves can be pickled."""
        x = self._value
        computed = f"was computed by {x.op.name}" if x.op else "is an argument being differentiated"
        raise GraphError(
            f"only leaves can be copied and pickled, and {x!r} {computed}: copy its .detach(), or "
            "save the program that computes it"
        )


def _restore(kind: Any, data: float, grad: float, label: str) -> Any:
    """Rebuild a pickled leaf; the attributes of a derived class follow as state."""
    leaf = kind.__new__(kind)
    kind._node.__init__(leaf, data, label)
    leaf.grad = grad
    return leaf


#: Methods that would lose the gradient, with the error message of each; {} stands for the Value.
#: NumPy calls methods with the names of other libraries on the entries of object arrays.
_REFUSED = {
    "__invert__": "~ is not defined for {}: use scalargrad.logical_not(x), or the opposite "
    "comparison",
    "__float__": "float() or a math function of {} would drop the gradient: use .data for the "
    "number, or scalargrad's function of the same name (scalargrad.sin for math.sin) to keep the "
    "gradient; an array that Values are assigned to needs dtype=object",
    "__int__": "int() of {} would drop the gradient: use scalargrad.take(values, floor(x)) for "
    "an entry, scalargrad.floor(x) for a whole number, and int(….data) for a size, outside "
    "compiled functions",
    "__trunc__": "trunc() of {} would drop the gradient: use .data for the number, or "
    "where(x < 0, ceil(x), floor(x)) of scalargrad",
    "as_integer_ratio": "a fraction of {} would drop the gradient: use .data for the number; "
    "scalargrad.mean instead of statistics.mean keeps the gradient",
    "__index__": "{} cannot be used as an index, a size or a number of steps: use "
    "scalargrad.take(values, floor(x)) for an entry, and int(….data) for a size, outside compiled "
    "functions",
    **{
        name: f"{name} of {{}}: write {replacement}, with scalargrad's functions"
        for name, replacement in OTHER_NAMES.items()
    },
}


def _refusal(message: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *_: object, **_kwargs: object) -> NoReturn:
        raise OperandError(message.format(format_value(self)))

    return refuse


for _name, _message in _REFUSED.items():
    setattr(PythonProtocols, _name, _refusal(_message))
