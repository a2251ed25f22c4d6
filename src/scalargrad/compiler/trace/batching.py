"""Make one example of those that vmap is given: its numbers have a lane for each of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import Fresh, Walk, float_from, is_leaf, number_of, rebuilt
from scalargrad.compiler.passes.kinds import Held, Stacked, of_lanes
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.errors import OperandError, TraceError
from scalargrad.value import Value


class UnlikeError(Exception):
    """Examples differ in more than their numbers, so they cannot share one recording."""


def example(trace: Trace, examples: Any) -> Any:
    """Return an example whose numbers have a lane for each of the examples.

    Raises
    ------
    UnlikeError
        If the examples differ in more than their numbers.
    """
    if isinstance(examples, WholeArray):
        return examples.examples(functools.partial(_stacked, trace))
    if type(examples) is np.ndarray and examples.dtype.kind in "fiu":
        return rebuilt([examples[0]], Fresh(iter(_batched_arrays(trace, examples)), {}))[0]
    return _batched(trace, [examples[k] for k in range(len(examples))])


def _stacked(trace: Trace, lanes: int, first: int, step: int) -> Traced:
    """Write a node whose lanes are numbers of a `WholeArray`, `step` apart."""
    made = trace.traced(
        of_lanes(Stacked, lanes), (trace.constant(float(first)), trace.constant(float(step)))
    )
    trace.plainness.mark(made.index, plain=True)
    return made


def _batched(trace: Trace, examples: Sequence[Any]) -> Any:
    """Return an example whose numbers have a lane for each of `examples`; see `example`."""
    first = examples[0]
    if all(map(is_leaf, examples)):
        return _batched_numbers(trace, examples)
    walks = walked_alike(examples)
    if not walks:
        if all(x is first for x in examples):
            return first
        raise UnlikeError
    columns = zip(*[walk.leaves for walk in walks], strict=True)
    numbers = chain.from_iterable(_numbers(trace, column) for column in columns)
    return rebuilt([first], Fresh(numbers, {}))[0]


def walked_alike(trees: Sequence[Any]) -> list[Walk]:
    """Return the walks over trees that differ in nothing but numbers; none of others."""
    walks = [Walk() for _ in trees]
    try:
        for walk, x in zip(walks, trees, strict=True):
            walk.take_one(x)
    except (TraceError, OperandError, RecursionError):  # what is no argument
        return []
    return walks if all(walk.key == walks[0].key for walk in walks) else []


def _numbers(trace: Trace, leaves: Sequence[Any]) -> Iterable[Any]:
    """Yield what takes the place of numbers, or of those of arrays, at one place in examples."""
    first = leaves[0]
    if all(x is first for x in leaves):
        return [first]
    if not isinstance(first, np.ndarray):
        return [_batched_numbers(trace, leaves)]
    return _batched_arrays(trace, leaves)


def _batched_arrays(trace: Trace, arrays: Any) -> list[Any]:
    """Return what takes the place of each number of some arrays, or the first if all are alike."""
    columns = np.reshape(arrays, (len(arrays), -1)).T
    found = [_held(trace, _floats(column), column[0].item()) for column in columns]
    return found if any(isinstance(x, Value) for x in found) else [arrays[0]]


def _batched_numbers(trace: Trace, numbers: Sequence[Any]) -> Any:
    if all(x is numbers[0] for x in numbers):
        return numbers[0]
    if any(isinstance(x, Value) for x in numbers):
        return trace.lanes.batch(numbers)
    return _held(trace, _floats(numbers), numbers[0])


def _held(trace: Trace, numbers: Floats, first: Any) -> Any:
    """Write a node with these lanes, unless they are the same number."""
    bits = numbers.tobytes()
    if bits == bits[:8] * len(numbers):
        return first
    made = trace.traced(Held(bits), ())
    trace.plainness.mark(made.index, plain=True)
    return made


def _floats(numbers: Any) -> Floats:
    """Return numbers as floats.

    Raises
    ------
    UnlikeError
        If an integer among them equals no float.
    """
    try:
        if isinstance(numbers, np.ndarray):
            return np.asarray(number_of(numbers), np.float64)
        return np.array([*map(float_from, numbers)])
    except (TraceError, OperandError):
        raise UnlikeError from None
