"""What references, context variables, views and the like lead to."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from io import BytesIO, StringIO
from operator import attrgetter
from typing import Any

_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ABSENT = "nothing"


def kept_by(x: Any) -> list[Any]:
    """Return what a reference, a context variable, a view or the like leads to."""
    return [reader(x) for kinds, reader in REFERENCES if isinstance(x, kinds)][:1]


def current_value(x: ContextVar[Any]) -> Any:
    """Return what a context variable is set to, or its default."""
    try:
        return x.get()
    except LookupError:
        return _ABSENT


def _target(x: Any) -> Any:
    """Return what a weak proxy stands for."""
    return x.__init__.__self__


BUFFERS = (BytesIO, StringIO)
#: How to read objects of some classes. A thread's own attributes are another dict in each thread.
REFERENCES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (weakref.ref, lambda x: x()),
    (weakref.ProxyTypes, _target),
    (weakref.WeakValueDictionary, dict),
    (weakref.WeakSet, list),
    (ContextVar, current_value),
    (threading.local, vars),
    (BaseException, attrgetter("args")),
    (BUFFERS, lambda x: x.closed or (x.tell(), x.getvalue())),
    (_DICT_VIEWS, list),
)
