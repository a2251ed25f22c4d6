"""cached_property: the class of functools without its lock.

Before Python 3.12, functools acquires one lock for all instances while an attribute is computed.
First calls of compiled functions would wait for each other, and a process that is forked meanwhile
would deadlock, because the thread that owns the lock does not exist in it.
"""

from __future__ import annotations

import functools
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")


class cached_property(functools.cached_property[T]):  # noqa: N801 - the name in functools
    """An attribute that is computed when it is first read, and then cached.

    Threads that read it at the same time may each compute it.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        if instance is None:
            return self
        assert self.attrname is not None
        value: T = self.func(instance)
        instance.__dict__[self.attrname] = value
        return value
