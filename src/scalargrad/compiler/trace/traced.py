"""Traced numbers: Values that represent nodes of a trace; arithmetic on them appends nodes."""

from __future__ import annotations

import abc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from scalargrad import ops
from scalargrad.checks.numbers import SMALL, is_real
from scalargrad.compiler.guards.libraries import is_installed_file, is_library_file
from scalargrad.compiler.trace.refusal import PACKAGE
from scalargrad.engine.recorder import recorder
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import TraceError
from scalargrad.opdef.operation import Operation
from scalargrad.ops.methods import is_boolean
from scalargrad.system.attributes import has_attribute
from scalargrad.system.short_repr import is_describing

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace

_frame, _ABC = sys._getframe, abc.ABCMeta.register.__code__.co_filename


class Traced(Value):
    """A node of a program that is being recorded.

    It holds neither a number nor operands: the recording does. Questions whose answer could differ
    from call to call (``.data``, ``float``, ``repr``) are refused; the truth of a condition is
    answered, and becomes a guard.

    Attributes
    ----------
    trace : Trace
        The recording it belongs to.
    index : int
        Its node there.
    """

    __slots__ = ("index", "trace")

    trace: Trace
    index: int

    def __new__(cls, data: float, label: str = "") -> Value:  # type: ignore[misc]
        """Return a new leaf, as ``type(x)(0.0)`` does of a Value."""
        return (Parameter if issubclass(cls, Parameter) else Value)(data, label)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The class of the eager number, to other code than this package's."""
        frame: Any = _frame(1)
        if frame.f_code.co_filename == _ABC:
            frame = frame.f_back
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE) or recorder() is not self.trace:
            return type(self)
        return self.trace.eager_class(self, or_else=type(self) if is_installed_file(file) else None)

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse to read an attribute that a number among the arguments may have."""
        if not is_library_file(_frame(1).f_code.co_filename):
            refuse_own_attribute(self, name)
        raise AttributeError(f"a Value has no attribute {name!r}")

    def _apply(self, op: Operation, operands: tuple[Any, ...], _checked: bool = True) -> Value:
        made: Value = in_force(self).node(op, operands)
        return made

    def _refuse(self, question: str) -> NoReturn:
        in_force(self).refused(question)

    def _holds(self) -> bool:
        """Return whether a condition is true; one on examples of vmap is taken for true."""
        return in_force(self).truth(self.index, of_all=True)

    def detach(self) -> Value:
        """Return a node with the same number, through which no gradient flows."""
        detached: Value = in_force(self).detach(self)
        return detached

    @property
    def op(self) -> Operation | None:  # type: ignore[override]
        """The operation that made this node; None for a leaf."""
        self.trace.questions += 1
        op = self.trace.ops[self.index]
        return op if isinstance(op, Operation) else None

    def __repr__(self) -> str:
        if is_describing():
            return "Value(…)"
        if self.trace.is_open:
            self._refuse("text")
        return "<a number of a recording that is over>"

    def __bool__(self) -> bool:
        return in_force(self).truth(self.index)

    def __eq__(self, other: object) -> bool:
        return in_force(self).equal(self, other, ops.eq)  # type: ignore[no-any-return]

    def __ne__(self, other: object) -> bool:
        return in_force(self).equal(self, other, ops.ne)  # type: ignore[no-any-return]

    def __hash__(self) -> int:
        self.trace.questions += 1
        if self.trace.is_open and in_force(self).plainness.of(self.index):
            self._refuse("hash")
        return object.__hash__(self)

    def __copy__(self) -> Value:
        trace = in_force(self)
        if trace.plainness.of(self.index) or not trace.is_leaf(self.index):
            return self
        copied: Value = trace.copy_of(self)
        return copied

    def __deepcopy__(self, _memo: object) -> Value:
        return self.__copy__()

    def _as_float(self) -> NoReturn:
        self._refuse("kind")

    #: What floats have and Values do not, so that hasattr(x, "is_integer") is not answered wrongly.
    is_integer = hex = fromhex = real = imag = property(_as_float)


class TracedParameter(Traced, Parameter):
    """A node that stands for a Parameter."""

    __slots__ = ()


# Python's own errors, as of n << 2, name the class by what a reader knows.
Traced.__name__, TracedParameter.__name__ = "Value", "Parameter"


def in_force(x: Traced) -> Trace:
    """Return the recording of a traced number, which must be under way in this thread.

    Raises
    ------
    TraceError
        If it is over, or under way in another thread.
    """
    trace = x.trace
    if recorder() is not trace:
        refuse_stray(x)
    return trace


def refuse_own_attribute(x: Traced, name: str) -> None:
    """Refuse to read an attribute that a number among the arguments may have, and a Value has not.

    A user has given it to a Value, or it is one of another class of numbers.
    """
    if name.startswith("__") and name.endswith("__"):  # Python asks for these
        return
    *types, given_attributes = x.trace.require_types()
    kinds = {*types} - {float, Value, Parameter}
    may_have = any(has_attribute(kind, name) or "__dict__" in dir(kind) for kind in kinds)
    if may_have or name in given_attributes:
        x.trace.refused("own attribute")


def refuse_stray(x: Traced) -> NoReturn:
    """Raise TraceError for a traced number whose recording is not under way in this thread."""
    if x.trace.is_open:
        x.trace.refused("elsewhere")
    raise TraceError(
        "a Value computed inside a compiled function was used after the function had been traced, "
        "when it has no number: return it from the function, or pass it as an argument and a result"
    )


def _binary(op: Any, *, reflected: bool) -> Callable[..., Any]:
    """Return an operation as a method, of the first or the second of two operands."""

    def method(x: Traced, y: Any) -> Any:
        trace, kind = x.trace, type(y)
        if recorder() is not trace:
            refuse_stray(x)
        if kind is Traced and y.trace is trace:
            other = y.index
        elif kind is float or (kind is int and -SMALL < y < SMALL):
            other = trace.constant(float(y))
        else:
            other = trace.beside(y, op)
            if other is NotImplemented:
                return other
        if reflected:
            return trace.appended(op, other, x.index)
        return trace.appended(op, x.index, other)

    return method


def _power(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method for powers; those of plain floats must be finite.

    Where a power of Values is infinite, Python raises OverflowError for floats.
    """

    def power(x: Traced, y: Any) -> Any:
        made = method(x, y)
        is_plain = x.trace.plainness.of
        if made is not NotImplemented and is_plain(x.index) and is_plain(made.index):
            x.trace.finite.append(made.index)
        return made

    return power


def _unary(op: Any) -> Callable[..., Any]:
    """Return an operation as a method."""
    return lambda x: in_force(x).appended(op, x.index, -1)


def _refused(question: str) -> Callable[..., NoReturn]:
    """Return a method that refuses a question."""
    return lambda x, *_, **__: x._refuse(question)


def _junction(op: Any, joined: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method for ``&``, ``|`` or ``^``, which combine bools into a bool."""

    def method(x: Traced, y: Any) -> Any:
        trace = in_force(x)
        if trace.is_truth(x) and trace.is_truth(y):
            return trace.compared(op, x, y)
        if (is_real(y) or isinstance(y, Value)) and not (is_boolean(x) and is_boolean(y)):
            x._refuse("junction")
        return joined(x, y)

    return method


_BINARY = {name: name for name in ("add", "sub", "mul", "pow")}
_BINARY |= {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder"}
for _python, _name in _BINARY.items():
    for _prefix, _is_reflected in (("", False), ("r", True)):
        _method = _binary(ops.TABLE[_name], reflected=_is_reflected)
        _method = _power(_method) if _name == "pow" else _method
        setattr(Traced, f"__{_prefix}{_python}__", _method)
for _name in ("neg", "abs"):
    setattr(Traced, f"__{_name}__", _unary(ops.TABLE[_name]))
for _name in ("exp", "log", "tanh", "sigmoid", "relu"):
    setattr(Traced, _name, _unary(ops.TABLE[_name]))
#: What has no answer that would hold at each call, by the question that is refused.
_REFUSED = {"format": "text", "float": "float", "int": "int", "index": "int", "invert": "invert"}
_REFUSED |= {"trunc": "rounding", "floor": "rounding", "ceil": "rounding", "reduce": "data read"}
for _python, _name in _REFUSED.items():
    setattr(Traced, f"__{_python}__", _refused(_name))
Traced.backward = _refused("backward")  # type: ignore[method-assign]
Traced.as_integer_ratio = _refused("float")  # type: ignore[attr-defined]
for _name in ("data", "grad"):
    setattr(Traced, _name, property(_refused(f"{_name} read"), _refused(f"{_name} assigned")))
#: Another call may give a Value of another name; one that is given here is ignored.
Traced.label = property(  # type: ignore[assignment]
    lambda x: "" if is_describing() else x._refuse("label"), lambda *_: None
)
for _name in ("parents", "local_grads"):
    setattr(Traced, _name, property(_refused("graph")))
for _python, _name in {"and": "logical_and", "or": "logical_or", "xor": "ne"}.items():
    _method = _junction(ops.TABLE[_name], getattr(Value, f"__{_python}__"))
    setattr(Traced, f"__{_python}__", _method)
    setattr(Traced, f"__r{_python}__", _method)
