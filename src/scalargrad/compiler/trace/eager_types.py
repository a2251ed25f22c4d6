"""The class of a traced number, as eager code would find it.

``isinstance(x, float)``, ``match`` and `functools.singledispatch` ask for ``x.__class__``, which
`Traced` answers as the eager number would: float, Value or Parameter. An object cannot answer
``type(x)``, so in the namespaces of traced functions `Type` stands in place of `type`.
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


@contextmanager
def eager_types(namespaces: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Within the ``with`` block, let `type` answer as in eager code in these namespaces."""
    changed = [space for space in namespaces if "type" not in space]
    try:
        for space in changed:
            space["type"] = Type
        yield
    finally:
        for space in changed:
            if space.get("type") is Type:
                del space["type"]
