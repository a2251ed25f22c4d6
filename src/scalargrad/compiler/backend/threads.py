"""Threads of this process that share the parts of one call."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scalargrad.errors import OperandError

T = TypeVar("T")
R = TypeVar("R")


def threads() -> int:
    """Return the number of threads, by default that of the cores this process may use.

    The environment variable SCALARGRAD_THREADS sets another number; it changes no result.

    Raises
    ------
    OperandError
        If SCALARGRAD_THREADS is not a whole number from 1 on.
    """
    wanted = os.environ.get("SCALARGRAD_THREADS", "")
    if not wanted:
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    if not wanted.isdecimal() or int(wanted) < 1:
        raise OperandError(f"SCALARGRAD_THREADS is {wanted!r}: give a whole number from 1 on")
    return int(wanted)


def shared(work: Callable[[T], R], parts: Sequence[T], count: int) -> list[R]:
    """Return ``[work(part) for part in parts]``, computed by `count` threads, this one included.

    Each thread takes the next part when it is free, so that a slow one holds up no other.
    """
    left = deque(enumerate(parts))
    found: dict[int, R] = {}

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
    """Return the pool of this many threads, made once."""
    return ThreadPoolExecutor(count, thread_name_prefix="scalargrad")


if hasattr(os, "register_at_fork"):  # the threads of a pool do not survive a fork
    os.register_at_fork(after_in_child=executor.cache_clear)
