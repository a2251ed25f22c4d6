"""Interpret the argument `workers`: a number of processes, or a function like ``map``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.parallel.processes import available
from scalargrad.system.short_repr import shown

#: Applies a function to each item of an iterable, and gives the results in order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def as_workers(workers: Any) -> int | Map:
    """Return a number of processes, or a map.

    Raises
    ------
    OperandError
        If it is neither, or not a valid number of processes.
    """
    if isinstance(workers, int) and not isinstance(workers, bool):
        if workers == -1:
            return available()
        if workers >= 1:
            return workers
        raise OperandError(
            f"workers is {workers}: give a number of processes from 1 on, or -1 for one per core"
        )
    found = getattr(workers, "map", workers)
    if not callable(found) or (isinstance(workers, type) and workers is not map):
        raise OperandError(
            f"workers is {shown(workers)}, of type {type(workers).__name__}: give a number of "
            "processes, something with a map such as an executor, or a map such as pool.map"
        )

    def applied(f: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        results = found(f, items)
        if isinstance(results, Iterable):
            return results
        raise OperandError(f"workers is not a map: it returned {shown(results)}, not all results")

    return applied


def shares_memory(workers: Any) -> bool:
    """Return whether work stays in this process, so that nothing need be sent."""
    return isinstance(workers, ThreadPoolExecutor) or workers is map


def one_for_each(map: Map, f: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call a function with each item by a map, whose results are counted.

    Raises
    ------
    OperandError
        If there are more results than items, or fewer.
    """
    found = list(map(f, items))
    if len(found) != len(items):
        raise OperandError(
            f"workers gave {len(found)} results for {len(items)} chunks: give a map that returns "
            "one for each"
        )
    return found
