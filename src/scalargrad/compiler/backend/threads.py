"""Share work among threads: how many there are, the pool, and a map over parts of the work."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scalargrad.compiler.passes.memory import Floats
from scalargrad.errors import OperandError

T = TypeVar("T")


def threads() -> int:
    """Return the number of threads: as many as cores that this process may use.

    SCALARGRAD_THREADS sets another number; it changes no result.

    Raises
    ------
    OperandError
        If it is not a whole number from 1 on.
    """
    wanted = os.environ.get("SCALARGRAD_THREADS", "")
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores()
    if not wanted.isdecimal() or int(wanted) < 1:
        raise OperandError(f"SCALARGRAD_THREADS is {wanted!r}: give a whole number from 1 on")
    return int(wanted)


def _cores() -> int:
    return os.cpu_count() or 1


def shared(work: Callable[[T], Floats], parts: Sequence[T], count: int) -> list[Floats]:
    """Return ``[work(part) for part in parts]``, computed by several threads, this one included.

    Each takes the next part when it is free, so none waits for one that is busy elsewhere.
    """
    left = deque(enumerate(parts))
    found: dict[int, Floats] = {}

    def take_on() -> None:
        while True:
            try:
                k, part = left.popleft()
            except IndexError:
                return
            found[k] = work(part)

    others = [executor(count - 1).submit(take_on) for _ in range(count - 1)]
    try:
        take_on()
    finally:
        left.clear()
        for other in others:
            if not other.cancel():
                other.result()
    return [found[k] for k in range(len(parts))]


@functools.cache
def executor(count: int) -> ThreadPoolExecutor:
    """Return the pool with this number of threads, always the same one."""
    return ThreadPoolExecutor(count, thread_name_prefix="scalargrad")


if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=executor.cache_clear)
