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
    name : str
        Name of the external function in LLVM IR, unique in this process.
    address : int
        Address of the C function, valid as long as this object exists.
    failures : int
        Number of calls that raised an exception.
    error : BaseException
        Exception of the last of these calls.
    """

    def __init__(self, op: Custom) -> None:
        self.name = f"callback{next(_numbers)}.{re.sub('[^a-zA-Z0-9]', '_', op.name)}"
        self.failures = 0
        self.error: BaseException | None = None
        self._apply: Callable[..., float] = op.function
        kind = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * op.arity)
        self._function = kind(self._call)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value

    def _call(self, *operands: float) -> float:
        try:
            return self._apply(*operands)
        except BaseException as error:  # noqa: BLE001 - `raising_errors` raises it again
            self.error = error
            self.failures += 1
            return math.nan


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
    """Run machine code in the block; raise CallbackError if a callback failed meanwhile.

    A failure in another thread at the same time counts, too: a needless error is harmless, because
    the call is then made eagerly. An interrupt (KeyboardInterrupt, SystemExit) is raised itself.
    """
    before = [x.failures for x in callbacks]
    yield
    for callback, count in zip(callbacks, before, strict=True):
        if callback.failures != count:
            error = callback.error
            if isinstance(error, Exception):
                raise CallbackError(error) from error
            assert error is not None
            raise error
