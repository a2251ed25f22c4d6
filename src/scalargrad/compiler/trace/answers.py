"""How a Value answers while a function is recorded: what it notes, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from scalargrad import ops
from scalargrad.compiler.trace.deferred import DETACH
from scalargrad.compiler.trace.refusal import refuse
from scalargrad.compiler.trace.trace import check_finished, current_trace
from scalargrad.ops.methods import is_truth
from scalargrad.table.numbers import is_real
from scalargrad.value import Parameter, Value

_local_grads: Any = Value.__dict__["local_grads"]
_grad: Any = Value.__dict__["grad"]
_set_local_grads, _set_grad = _local_grads.__set__, _grad.__set__
_data: Any = Value.__dict__["data"]
_init = Value.__init__
_INNER = (
    "autodiff",
    "transforms.functional",
    "graph",
    "transforms.jacobians",
    "table.eager",
    "table.operation",
    "transforms.evaluation",
)
_INSIDE = {f"scalargrad.{name}" for name in _INNER}


class _Born:
    """The slot `local_grads`, written once for each node: last when it is made."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        return _local_grads.__get__(node, kind)

    def __set__(self, node: Value, local_grads: tuple[float | None, ...]) -> None:
        _set_local_grads(node, local_grads)
        trace = current_trace()
        if trace is not None:
            trace.nodes.append(node)
            trace.unfinished = None


class _Grad:
    """The slot `grad`. Making a node writes it too, but then `local_grads` follows."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        if node is not None and current_trace() is not None:
            refuse(".grad was read", "return the value and use grad or value_and_grad")
        return _grad.__get__(node, kind)

    def __set__(self, node: Value, number: float) -> None:
        trace = current_trace()
        if trace is not None:
            if trace.unfinished is not None:
                check_finished(trace)
            trace.unfinished = node
        _set_grad(node, number)


def _read_inside() -> bool:
    """Return whether `data` is read for a message or a check, not by the user's program."""
    return sys._getframe(2).f_globals.get("__name__") in _INSIDE


class _Data:
    """The property `data`."""

    def __get__(self, node: Value | None, kind: type | None = None) -> Any:
        if node is not None and current_trace() is not None and not _read_inside():
            refuse(
                ".data was read",
                "compute with the Value itself, .detach() it to stop its gradient, compare it "
                "with < or >, or use where and maximum",
            )
        return _data.__get__(node, kind)

    def __set__(self, node: Value, number: float) -> None:
        if current_trace() is not None:
            refuse(".data was assigned", "return the new number and assign it outside")
        _data.__set__(node, number)


def _comparison(name: str) -> Callable[[Value, Any], Any]:
    usual, op = getattr(Value, f"__{name}__"), ops.TABLE[name]

    def compare(self: Value, other: Any) -> Any:
        if current_trace() is None or not (is_real(other) or isinstance(other, Value)):
            return usual(self, other)
        return op.of(self, other)

    return compare


def _equality(name: str) -> Callable[[Value, Any], Any]:
    usual, op = getattr(Value, f"__{name}__"), ops.TABLE[name]

    def compare(self: Value, other: Any) -> Any:
        if current_trace() is None or self is other:
            return usual(self, other)
        if is_real(other) or (is_truth(self) and is_truth(other)):
            return op.of(self, other)
        if isinstance(other, Value):
            refuse(
                "two Values were compared with == or !=",
                f"use scalargrad.{name}(a, b) for their numbers, `is` for their identity",
            )
        return NotImplemented

    return compare


def _hash(self: Value) -> int:
    """Refuse to find a number in a set or a dict, where its Value would count by identity."""
    trace = current_trace()
    asking = sys._getframe(1).f_globals.get("__name__") or ""
    if trace is None or asking.startswith("scalargrad."):
        return object.__hash__(self)
    if trace.numbers.stands_for_one(self):
        refuse(
            "a number was looked up in a set or a dict, or put into one",
            "make what is looked up a static argument, as in jit(f, static_argnames='k'), compare "
            "it with ==, or look it up in a list by scalargrad.take(values, i)",
        )
    return object.__hash__(self)


def _truth(self: Value) -> bool:
    trace = current_trace()
    answer: bool = self._data != 0.0
    if trace is not None:
        if trace.lanes is not None and trace.lanes.depends(self):
            refuse(
                "a condition depends on the examples of vmap, which take one way together",
                "choose with where, maximum, minimum or clip (.detach() does not help), or "
                "loop over the examples without vmap",
            )
        trace.guards.append((self, answer))
    return answer


def _refusal(name: str, what: str, remedy: str) -> Callable[..., Any]:
    usual = getattr(Value, name, None)

    def answer(self: Value, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is not None:
            refuse(what, remedy)
        if usual is None:
            raise TypeError(f"{type(self).__name__} has no {name}")
        return usual(self, *args, **kwargs)

    return answer


def _text(name: str, what: str) -> Callable[..., str]:
    usual = getattr(Value, name)

    def answer(self: Value, specification: str = "") -> str:
        if current_trace() is None:
            return str(usual(self, *([specification] if name == "__format__" else [])))
        if not _is_message():
            refuse(what, _TEXT)
        label = f", label={self.label!r}" if self.label else ""
        kind = Parameter if isinstance(self, Parameter) else Value
        shown = f"{kind.__name__}(data={self._data}{label})"
        return format(self._data, specification) if specification else shown

    return answer


def _is_message() -> bool:
    """Return whether a Value is written into a message of ours, arrays of them by NumPy."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("numpy."):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")).startswith("scalargrad.")


def _detach(self: Value) -> Value:
    if current_trace() is None:
        return _usual_detach(self)
    return DETACH(self)


_usual_detach = Value.detach


def _alias(self: Value, data: float | Value, label: str = "", *operands: object) -> None:
    """Make a Value; of a recorded Value, a second name for it."""
    if current_trace() is None or operands or not isinstance(data, Value):
        _init(self, data, label, *operands)
        return
    self._data, self.op, self.parents = data._data, ops.identity, (data,)
    self.grad, self.label = 0.0, label
    self.local_grads = (1.0,)


_NUMBER = (
    "compute with the Value itself, or with scalargrad's operation of the same name; an array that "
    "Values are put into needs dtype=object"
)
_WHOLE = (
    "for values[i] write scalargrad.take(values, i), for floor division a // b; "
    "a number of steps or a size is a static argument, as in jit(f, static_argnames='n')"
)
_TEXT = "return the value and print it outside, or print within scalargrad.disable_jit()"

#: By attribute of Value, what stands in for it.
ANSWERS: dict[str, Any] = {
    "local_grads": _Born(),
    "grad": _Grad(),
    "data": _Data(),
    "__init__": _alias,
    "__bool__": _truth,
    "__hash__": _hash,
    "detach": _detach,
    "backward": _refusal(
        "backward", ".backward() was called", "return the value; call backward() on the result"
    ),
    "zero_grad": _refusal("zero_grad", ".zero_grad() was called", "do so outside"),
    "__float__": _refusal("__float__", "float() or a math function was called", _NUMBER),
    "__repr__": _text("__repr__", "a Value was printed"),
    "__format__": _text("__format__", "a Value was made into text"),
}
ANSWERS |= {f"__{name}__": _comparison(name) for name in ("lt", "le", "gt", "ge")}
ANSWERS |= {f"__{name}__": _equality(name) for name in ("eq", "ne")}
ANSWERS |= {
    f"__{name}__": _refusal(f"__{name}__", f"{name}() was called", _NUMBER)
    for name in ("trunc", "floor", "ceil")
}
ANSWERS |= {
    f"__{name}__": _refusal(f"__{name}__", f"{name}() was called", _WHOLE)
    for name in ("int", "index")
}
