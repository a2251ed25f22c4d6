"""cached_property: that of functools without its lock.

Before Python 3.12, functools holds a lock while an attribute is computed, one for all instances.
First calls of compiled functions would wait for one another, and a process that is forked during
one would wait for ever: the thread that holds the lock does not exist there.
"""

from __future__ import annotations

import functools
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")


class cached_property(functools.cached_property[T]):  # noqa: N801 - the name in functools
    """An attribute that is computed when it is first read, and then kept.

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
        found: T = self.func(instance)
        instance.__dict__[self.attrname] = found
        return found
