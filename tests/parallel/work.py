"""Functions for workers in tests, at the top level of a module so that they can be pickled."""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Any

from scalargrad import exp, jit, log1p, value_and_grad


def loss(w: Any, points: Any) -> Any:
    """Return the logistic loss of a line over a chunk."""
    return sum(log1p(exp(-y * (w[0] * x + w[1]))) for x, y in points)


compiled_value_and_grad = jit(value_and_grad(loss))


def value_and_slope(w: Any, points: Any) -> Any:
    """Return value and gradient, by a compiled function."""
    return compiled_value_and_grad(w, points)


#: Numbers whose sum depends on the order in which they are added.
POINTS = [(math.sin(3.0 * i) * 10.0 ** (i % 3), math.copysign(1.0, math.cos(i))) for i in range(90)]
WEIGHTS = [0.3, -0.1]

_buffer = [0.0, 0.0]


def sum_and_count(w: float, points: Any) -> list[float]:
    """Return results in a list that is reused at each call."""
    _buffer[:] = [w * sum(points), len(points)]
    return _buffer


def die_once(marker: str) -> None:
    """Kill the current process, unless a marker file exists."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def value_and_slope_unless_killed(params: tuple[Any, str], points: Any) -> Any:
    """Return `value_and_slope`, but kill the process once, at the chunk with point 45."""
    w, marker = params
    if POINTS[45] in points:
        die_once(marker)
    return value_and_slope(w, points)


def square_unless_killed(point: tuple[int, str]) -> int:
    """Return the square of a number, but kill the process once, at 3."""
    x, marker = point
    if x == 3:
        die_once(marker)
    return x * x


def kill_process(*_: Any) -> None:
    """Kill the current process."""
    os.kill(os.getpid(), signal.SIGKILL)


def root(x: float) -> float:
    """Return a square root; -1 raises an error."""
    return math.sqrt(x)


def root_of(_: Any, chunk: list[float]) -> float:
    """Return the square root of the first number of a chunk."""
    return math.sqrt(chunk[0])


def exit_at_seven(x: int) -> int:
    """Return a number; call sys.exit for 7."""
    return sys.exit(x) if x == 7 else x


def return_unpicklable(_: Any) -> Any:
    """Return a function that cannot be pickled as a result."""
    return lambda: None


def interrupt_parent(x: int) -> int:
    """Return a number; at 2, send Ctrl-C to the parent process."""
    if x == 2:
        time.sleep(0.2)  # while the result of 1 arrives
        os.kill(os.getppid(), signal.SIGINT)
    if x >= 2:
        time.sleep(0.2)
    return x


def run_pickled(task: bytes) -> Any:
    """Call a function that was pickled with its arguments."""
    f, args = pickle.loads(task)
    return f(*args)


def process(*_: Any) -> int:
    """Return the id of the current process."""
    return os.getpid()


def identity_of_data(_: Any, chunk: Any) -> int:
    """Return the address of a chunk, which changes if a process reads it again."""
    return id(chunk)


recorded_arrays: list[Any] = []


def record_array(_: Any, chunk: Any) -> float:
    """Record the properties of an array, and try to write to it."""
    array, other = chunk
    numbers = array.tolist()
    if array.flags.writeable:
        array[:] = 9
    recorded_arrays.append(
        (array.dtype, array.shape, array.flags.writeable, numbers, other.tolist())
    )
    return 0.0


def scaled_sum(w: float, xs: list[float]) -> float:
    """Return a multiple of a sum."""
    return w * sum(xs)
