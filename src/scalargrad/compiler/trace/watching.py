"""Intercept attribute access on Values while a function is being traced.

``data`` and ``grad`` of a Value are plain slots. While a function is traced, properties replace
them, because a program would repeat the number that was read; methods that compute no number of the
program are replaced, too. When no function is traced in any thread, the slots are restored, and
reading them takes no additional time.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

from scalargrad.checks.numbers import as_float
from scalargrad.compiler.trace.effects import Guards
from scalargrad.engine.conversions import is_differentiated
from scalargrad.engine.recorder import recorder, refuse_if_recorded
from scalargrad.engine.value import Value
from scalargrad.system.short_repr import is_describing

_plain: dict[str, Any] = {
    name: getattr(Value, name)
    for name in ("data", "grad", "detach", "backward", "__init__", "__repr__", "__reduce__")
}
#: Returns the recorder in force, which is a trace and answers more than the engine asks.
_trace: Callable[[], Any] = recorder
_number: Callable[[Value], Any] = _plain["data"].__get__
#: The traces under way, in any thread.
_under_way: set[object] = set()
_ended = 0
#: From 3.13 on, Python looks up the attributes of a class anew at each use once it has been changed
#: a thousand times. After so many recordings, the properties stay: slower than slots, but not that.
_MOST = 100 if sys.version_info >= (3, 13) else 10**9


class Lock:
    """A lock that a child process replaces, as the thread that held it may not exist there.

    Attributes
    ----------
    lock : RLock
        To be held by a ``with`` statement.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _locks.add(self)


_locks = weakref.WeakSet[Lock]()


def _unlock() -> None:
    """Replace all locks."""
    for x in [*_locks]:
        x.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
_counting = Lock()
_guards = Guards()


def data_of(x: Value) -> float:
    """Return the data of a Value as a float, whoever records."""
    number = _number(x)
    where = f"the data of {x.label or 'a Value'}"
    return number if type(number) is float else as_float(number, where)


def make_leaf(x: Value) -> None:
    """Make a Value a leaf without a number, whoever records."""
    x.op, x.parents, x.local_grads, x.label = None, (), (), ""
    _plain["grad"].__set__(x, 0.0)


def watch(trace: object) -> None:
    """Ask recorders for what is read, assigned and called, until `unwatch` of the same trace."""
    with _counting.lock:
        _under_way.add(trace)
        _guards.place()
        if vars(Value)["data"] is not _WATCHED["data"]:
            _put(_WATCHED)


def unwatch(trace: object) -> None:
    """Ask no more, if no other trace is under way; done again, it does nothing.

    Ctrl-C at any line of it leaves it to be done again.
    """
    global _ended  # noqa: PLW0603 - of all threads
    with _counting.lock:
        _under_way.discard(trace)
        if not _under_way:
            _guards.remove()
        if not _under_way and _ended < _MOST and vars(Value)["data"] is _WATCHED["data"]:
            _put(_plain)
            _ended += 1


def _put(members: dict[str, Any]) -> None:
    """Set members of Value, all of them at once: Python looks for Ctrl-C only between calls."""
    deque(map(setattr, repeat(Value), members, members.values()), maxlen=0)


def _slot(name: str) -> property:
    slot = _plain[name]

    def read(x: Value) -> Any:
        if (current := _trace()) is not None and not is_describing():
            current.asked(x, f"{name} read")
        return slot.__get__(x)

    def assign(x: Value, number: Any) -> None:
        if (current := _trace()) is not None and hasattr(x, "label"):  # a new one has none
            current.asked(x, f"{name} assigned")
        slot.__set__(x, number)

    return property(read, assign)


def _init(x: Value, data: Any, label: Any = "", *more: Any, **named: Any) -> None:
    current = _trace()
    is_leaf = isinstance(label, str) and not more and not named
    if current is not None and isinstance(data, Value):
        current.name(x, data) if is_leaf else current.refused("given")
    else:
        _plain["__init__"](x, data, label, *more, **named)


def _detach(x: Value) -> Any:
    current = _trace()
    return _plain["detach"](x) if current is None else current.detach(x)


def _backward(x: Value, **how: Any) -> None:
    refuse_if_recorded("backward")
    _plain["backward"](x, **how)


def _repr(x: Value) -> str:
    if (current := _trace()) is not None and not is_describing():
        current.asked(x, "text")
    text: str = _plain["__repr__"](x)
    return text


def _reduce(x: Value) -> Any:
    current = _trace()
    if current is None or is_differentiated(x):
        return _plain["__reduce__"](x)
    return partial(current.copy_of, x), ()


_WATCHED = {"data": _slot("data"), "grad": _slot("grad"), "detach": _detach}
_WATCHED |= {"backward": _backward, "__init__": _init, "__repr__": _repr, "__reduce__": _reduce}
