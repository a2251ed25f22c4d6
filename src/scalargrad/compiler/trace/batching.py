"""Make one example of those that vmap is given: its numbers have a lane for each of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import float_from, number_of
from scalargrad.compiler.guards.comparable import exact, exact_items
from scalargrad.compiler.guards.memory_order import objects_like, of_objects_like
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.passes.kinds import Held, Stacked, of_lanes
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.errors import OperandError, TraceError
from scalargrad.table.numbers import is_real
from scalargrad.tree import is_object_array, like, own_attributes
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
        return _batched_numeric(trace, examples)
    return _batched(trace, [examples[k] for k in range(len(examples))])


def _stacked(trace: Trace, lanes: int, first: int, step: int) -> Traced:
    """Write a node whose lanes are numbers of a `WholeArray`, `step` apart."""
    made = trace.traced(
        of_lanes(Stacked, lanes), (trace.constant(float(first)), trace.constant(float(step)))
    )
    trace.plainness.mark(made.index, True)
    return made


def _batched(trace: Trace, examples: Sequence[Any]) -> Any:
    """Return an example whose numbers have a lane for each of `examples`; see `example`."""
    first = examples[0]
    if all(x is first for x in examples):
        return first
    if is_scalar(first):
        return _batched_numbers(trace, examples)
    if hasattr(type(first), "dtype") and hasattr(first, "ravel"):
        return _batched_arrays(trace, examples)
    if any(type(x) is not type(first) or own_attributes(x) for x in examples):
        raise UnlikeError
    if isinstance(first, dict):
        if any(exact_items([*x]) != exact_items([*first]) for x in examples):
            raise UnlikeError
        return like(first, [_batched(trace, [x[key] for x in examples]) for key in first])
    if isinstance(first, list | tuple):
        if any(len(x) != len(first) for x in examples):
            raise UnlikeError
        return like(first, [_batched(trace, column) for column in zip(*examples, strict=True)])
    if not is_of_library(type(first)) or any(exact(x) != exact(first) for x in examples):
        raise UnlikeError  # what a user's class takes for equal may hold other numbers
    return first


def _batched_numbers(trace: Trace, numbers: Sequence[Any]) -> Any:
    if not all(map(is_scalar, numbers)):
        raise UnlikeError
    if any(isinstance(x, Value) for x in numbers):
        return trace.lanes.batch(numbers)
    return _held(trace, _floats(numbers), numbers[0])


def _held(trace: Trace, numbers: Floats, first: Any) -> Any:
    """Write a node with these lanes, unless they are the same number."""
    bits = numbers.tobytes()
    if bits == bits[:8] * len(numbers):
        return first
    made = trace.traced(Held(bits), ())
    trace.plainness.mark(made.index, True)
    return made


def _batched_numeric(trace: Trace, examples: Any) -> Any:
    found = of_objects_like(examples[0, ...])
    for place in np.ndindex(found.shape):
        column = examples[:, *place]
        found[place] = _held(trace, _floats(column), column[0].item())
    if examples.ndim == 1:
        return found[()]
    return found if any(isinstance(x, Value) for x in found.flat) else examples[0]


def _batched_arrays(trace: Trace, arrays: Sequence[Any]) -> Any:
    if any(getattr(x, "shape", None) != arrays[0].shape for x in arrays):
        raise UnlikeError
    columns = zip(*[x.ravel().tolist() for x in arrays], strict=True)
    found = objects_like(arrays[0], [_batched(trace, column) for column in columns])
    differ = is_object_array(arrays[0]) or any(isinstance(x, Value) for x in found.flat)
    return found if differ else arrays[0]


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


def is_scalar(x: Any) -> bool:
    """Return whether something is a Value or a plain number, but no bool."""
    return isinstance(x, Value) or (is_real(x) and not isinstance(x, bool))
