"""The class of a traced number, as eager code would find it.

``match`` and `functools.singledispatch` ask for ``x.__class__``, which `Traced` answers as the
eager number would: float, Value or Parameter. An object cannot answer ``type(x)``, nor deny that it
is a Value, as which it is implemented. So in the namespaces of traced functions, `Type` stands in
place of `type`, and `is_eager_instance` in place of `isinstance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import GenericAlias
from typing import Any

from scalargrad.compiler.trace.traced import Traced, TracedParameter, in_force

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
    if type(x) in _TRACED:
        return issubclass(in_force(x).eager_class(x), kinds)
    return isinstance(x, kinds)


#: Builtins, and what stands in their places.
_REPLACED: dict[str, Any] = {"type": Type, "isinstance": is_eager_instance}


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
