"""Callbacks: custom operations, which machine code calls in Python.

A custom operation has no LLVM form. It becomes an external function of the program, whose address
is that of a C function that `ctypes` makes of the Python function:

    @custom_op(partials=…)      declare double @callback0.my_sin(double)
    def my_sin(x): …            %v1 = call double @callback0.my_sin(double %v0)

An exception cannot pass through machine code. The callback stores it and returns nan; when the
program has run, it is raised as the cause of a CallbackError.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from scalargrad.ops.custom import Custom


class CallbackError(Exception):
    """A custom operation raised an exception in machine code.

    Attributes
    ----------
    error : Exception
        That exception, with its traceback.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Callback:
    """A custom operation as a C function.

    Parameters
    ----------
    op : Custom

    Attributes
    ----------
    operation : str
        Name of the operation.
    name : str
        Name of the external function in LLVM IR, unique in this process.
    address : int
        Address of the C function, valid as long as this object exists.
    """

    def __init__(self, op: Custom) -> None:
        self.operation = op.name
        self.name = f"callback{next(_numbers)}.{re.sub('[^a-zA-Z0-9]', '_', op.name)}"
        self._failed = threading.local()
        self._apply: Callable[..., float] = op.function
        kind = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * op.arity)
        self._function = kind(self._call)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value

    def _call(self, *operands: float) -> float:
        try:
            return self._apply(*operands)
        except BaseException as error:  # noqa: BLE001 - `raising_errors` raises it again
            self._failed.error = error
            return math.nan

    def exchange_error(self, error: BaseException | None) -> BaseException | None:
        """Return the exception of the last failure in this thread, and replace it."""
        previous: BaseException | None = getattr(self._failed, "error", None)
        self._failed.error = error
        return previous


_numbers = itertools.count()
_by_operation: WeakKeyDictionary[Custom, Callback] = WeakKeyDictionary()
_by_name: WeakValueDictionary[str, Callback] = WeakValueDictionary()


def callback_of(op: Custom) -> Callback:
    """Return the callback of a custom operation, always the same object."""
    found = _by_operation.get(op)
    if found is None:
        found = _by_operation.setdefault(op, Callback(op))
        _by_name[found.name] = found
    return found


def callbacks_among(names: Iterable[str]) -> list[Callback]:
    """Return the callbacks among external functions of a program."""
    return [_by_name[name] for name in names if name in _by_name]


@contextmanager
def raising_errors(callbacks: Sequence[Callback]) -> Iterator[None]:
    """Run machine code in the block; raise CallbackError if a callback fails in this thread.

    An interrupt (KeyboardInterrupt, SystemExit) is raised itself. Blocks may be nested, if a custom
    operation calls a compiled function.
    """
    outer = [x.exchange_error(None) for x in callbacks]
    yield
    inner = [x.exchange_error(error) for x, error in zip(callbacks, outer, strict=True)]
    error = next((x for x in inner if x is not None), None)
    if isinstance(error, Exception):
        raise CallbackError(error) from error
    if error is not None:
        raise error
