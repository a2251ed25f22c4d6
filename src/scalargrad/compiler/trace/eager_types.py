"""The class of a traced number, as eager code would find it.

``match`` and `functools.singledispatch` ask for ``x.__class__``, which `Traced` answers as the
eager number would: float, Value or Parameter. An object cannot answer ``type(x)``, nor deny that it
is a Value, as which it is implemented. So in the namespaces of traced functions, `Type` stands in
place of `type`, and functions of this module in place of `isinstance` and `hasattr`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import GenericAlias
from typing import Any

from scalargrad.compiler.guards.libraries import is_of_library
from scalargrad.compiler.trace.traced import Traced, TracedParameter, in_force, refuse_own_attribute
from scalargrad.engine.value import Parameter, Value

_TRACED = {Traced, TracedParameter}


class _TypeOfTypes(type):
    """The class of `Type`, which behaves as `type` but for traced numbers."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        found = type(*args, **kwargs)
        if found in _TRACED and len(args) == 1:
            return in_force(args[0]).eager_class(args[0])
        return found

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, type)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, type)

    def __eq__(cls, other: object) -> bool:
        return other is type or other is cls

    def __hash__(cls) -> int:
        return hash(type)


class Type(type, metaclass=_TypeOfTypes):
    """Stands in place of `type` while a function is traced."""

    __class_getitem__: Any = classmethod(GenericAlias)


def is_eager_instance(x: Any, kinds: Any, /) -> bool:
    """Return True if an object is an instance of classes in eager evaluation."""
    if type(x) not in _TRACED:
        return isinstance(x, kinds)
    return _agreed(x, lambda example: isinstance(example, kinds))


def has_eager_attribute(x: Any, name: str, /) -> bool:
    """Return True if an object has an attribute in eager evaluation."""
    if type(x) not in _TRACED:
        return hasattr(x, name)
    if not hasattr(x, name):
        refuse_own_attribute(x, name)
        return False
    return _agreed(x, lambda example: hasattr(example, name))


def _agreed(x: Traced, ask: Callable[[Any], bool]) -> bool:
    """Return the answer for numbers of all classes that a traced number may have."""
    trace = in_force(x)
    answers = {ask(_example(kind)) for kind in trace.eager_classes(x)}
    return answers.pop() if len(answers) == 1 else trace.refused("class")


def _example(kind: Any) -> Any:
    """Return a number of a class; of a user's, no code is called."""
    base: Any = next(x for x in kind.__mro__ if is_of_library(x))
    return _VALUES[kind] if kind in _VALUES else base.__new__(kind, 0)


_VALUES: dict[type, Value] = {Value: Value(0.0), Parameter: Parameter(0.0)}
#: Builtins, and what stands in their places.
_REPLACED: dict[str, Any] = {"type": Type, "isinstance": is_eager_instance}
_REPLACED["hasattr"] = has_eager_attribute


@contextmanager
def eager_types(namespaces: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Within the ``with`` block, answer `type` and `isinstance` as eager code in namespaces."""
    pairs = [(space, name) for space in namespaces for name in _REPLACED if name not in space]
    try:
        for space, name in pairs:
            space[name] = _REPLACED[name]
        yield
    finally:
        for space, name in pairs:
            if space.get(name) is _REPLACED[name]:
                del space[name]
