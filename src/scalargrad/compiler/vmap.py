"""vmap: turn a function of one example into a function of many.

Results are lists, or are stacked in arrays along the axes that `out_axes` names. In a trace, the
function runs once, on nodes with one lane for each example:

    vmap(lambda x: x * a)([1.0, 2.0])     %1 = 1, 2         2 lanes
                                          %2 = mul(%1, a)   2 lanes
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalargrad.checks.arguments import check_function, check_list
from scalargrad.checks.numbers import is_real
from scalargrad.compiler.call.outline import Place, filler, outlined
from scalargrad.compiler.trace.example_lanes import UnlikeError, example
from scalargrad.compiler.trace.side_effects import run_for_all
from scalargrad.compiler.trace.trace import Trace, current_trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.engine.tree import (
    flatten,
    flatten_like,
    is_array,
    like,
    nesting_error,
    object_array,
)
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value


def vmap(
    f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0, out_axes: Any = 0
) -> Callable[..., Any]:
    """Return a function that applies `f` to each example: ``[f(x) for x in xs]``.

    Parameters
    ----------
    f : callable
        A function of one example.
    in_axes : int, None or sequence of them
        For each positional argument, 0 if it has one entry per example, None if all examples
        share it. A single setting applies to all arguments. Keyword arguments are shared.
    out_axes : int, None, or tuple, list or dict of them
        The position of the axis of examples in the result; None for a result that all examples
        share, which is returned once. A tuple, list or dict has a setting for each part.

    Returns
    -------
    callable
        Returns a list with one result per example. If a mapped argument is a NumPy array, it
        returns arrays instead, as in JAX: for a function that returns a tuple, a tuple of arrays.

    Raises
    ------
    OperandError
        If the mapped arguments differ in length, or none is mapped; if results differ in shape
        where arrays are returned, or from each other where `out_axes` is None.

    Notes
    -----
    For lists, `out_axes` is 0 or None. Results that are Values make arrays of objects.

    Inside a compiled function, `f` is traced once for all examples, which become lanes of the same
    instructions. Because `f` runs once, on Values that represent all examples, a condition that
    depends on them raises TraceError: choose with `where`, `maximum` or `clip` instead. So does a
    side effect for each example, on a counter, an iterator or a list. `take` looks up an entry for
    each example, and random numbers are drawn for one example after the other. If the examples
    differ in more than their numbers (in length, for instance), and inside another vmap, each is
    traced separately. Numbers of examples are float64, whatever the type of their array. 10,000
    examples or more are distributed over threads, one for each core, or as many as the environment
    variable SCALARGRAD_THREADS specifies; results do not depend on their number.

    Examples
    --------
    >>> vmap(lambda w, x: w * x, in_axes=(None, 0))(10.0, [1.0, 2.0])
    [10.0, 20.0]
    >>> vmap(lambda x: (x * x, 7.0), out_axes=(0, None))([1.0, 2.0])
    ([1.0, 4.0], 7.0)
    """
    check_function(f, "f", "vmap(lambda x: x * x)")
    if in_axes is not None and not isinstance(in_axes, int):
        in_axes = check_list(in_axes, "in_axes", "0 and None")

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = (in_axes,) * len(args) if in_axes is None or isinstance(in_axes, int) else in_axes
        results = _results(f, (args, axes, kwargs), _count(args, axes))
        arrays = any(axis is not None and is_array(x) for x, axis in zip(args, axes, strict=True))
        return stacked(results, out_axes, arrays)

    return mapped


def _results(f: Callable[..., Any], call: tuple[Any, Any, Any], count: int) -> list[Any]:
    """Return the result for each example."""
    trace = current_trace()
    if trace is not None and count > 1 and not (trace.lanes.count or trace.unrolls):
        with contextlib.suppress(UnlikeError):
            return _at_once(f, call, trace, count)
    args, axes, kwargs = call
    return [f(*_entries(args, axes, k), **kwargs) for k in range(count)]


def _entries(args: Sequence[Any], axes: Sequence[int | None], k: int) -> list[Any]:
    """Return the arguments of one example."""
    return [x if axis is None else x[k] for x, axis in zip(args, axes, strict=True)]


def _at_once(f: Callable[..., Any], call: tuple[Any, Any, Any], trace: Trace, n: int) -> list[Any]:
    """Run a function of one example on all of them, and return its result for each."""
    args, axes, kwargs = call
    lanes, start = trace.lanes, len(trace.ops)
    with lanes.one_example(n):
        one = [x if axis is None else example(trace, x) for x, axis in zip(args, axes, strict=True)]
        run = functools.partial(f, *one, **kwargs)
        result = run_for_all(run, [f, one, kwargs], trace)
    values: list[Any] = []
    outline = outlined(result, values)
    wide = {x.index: x for x in values if isinstance(x, Traced) and lanes.size(x.index) > 1}
    taken = {index: lanes.unbatch(x, n) for index, x in wide.items()}
    found = (x.index for x in values if isinstance(x, Traced))
    lanes.shared.update(x for x in found if x not in wide and x >= start)
    columns = [
        taken[x.index] if isinstance(x, Traced) and x.index in taken else itertools.repeat(x, n)
        for x in values
    ]
    if type(outline) is Place:
        return [*columns[0]]
    rows = zip(*columns, strict=True) if columns else itertools.repeat((), n)
    return [*map(filler(outline), rows)]


def _count(args: Sequence[Any], axes: Sequence[int | None]) -> int:
    """Return the number of examples."""
    if len(axes) != len(args) or not all(map(_is_axis, axes)):
        raise OperandError(
            f"vmap: in_axes is {format_value(tuple(axes))} for {len(args)} arguments; it must be 0 "
            "or None for each"
        )
    mapped = [x for x, axis in zip(args, axes, strict=True) if axis is not None]
    for x in mapped:
        if not holds_entries(x):
            raise OperandError(
                f"vmap: a mapped argument is a {type(x).__name__}, which has no examples in order: "
                "pass a list or an array, or use None in in_axes if the examples share it"
            )
    counts = set(map(len, mapped))
    if len(counts) != 1:
        raise OperandError(
            f"vmap: the mapped arguments have {sorted(counts) or 'no'} examples: map at least one, "
            "and all with the same length"
        )
    return counts.pop()


def _is_axis(axis: Any) -> bool:
    return axis is None or (isinstance(axis, int) and axis == 0)


#: Types whose objects, if they can be indexed, are not indexed by numbers in order.
_UNORDERED = (Mapping, set, frozenset)


def holds_entries(x: Any) -> bool:
    """Return True for a sequence or an array."""
    if not hasattr(x, "__getitem__"):
        return False
    if hasattr(x, "shape"):
        return bool(x.shape)
    return hasattr(x, "__len__") and not isinstance(x, _UNORDERED)


def stacked(results: list[Any], out_axes: Any, arrays: bool) -> Any:
    """Return the results of all examples stacked as vmap returns them.

    Parameters
    ----------
    results : list
        One for each example.
    out_axes : int, None, or tuple, list or dict of them
        The position of the axis of examples, for the whole result or for parts of it.
    arrays : bool
        Whether to stack into arrays rather than lists.
    """
    if isinstance(out_axes, tuple | list | dict):
        return _of_parts(
            results, out_axes, lambda part, axes: stacked(part, axes, arrays), "out_axes"
        )
    if out_axes is None:
        return _shared(results)
    if isinstance(out_axes, bool) or not isinstance(out_axes, int):
        raise OperandError(
            f"vmap: out_axes has {format_value(out_axes)}: use the number of an axis, None for a "
            "result that all examples share, or a tuple or dict of them for the parts of the result"
        )
    if not arrays and out_axes:
        raise OperandError(
            f"vmap: out_axes is {out_axes}, but the result is a list with one entry for each "
            "example: pass an array to vmap, or transpose the list by zip(*results)"
        )
    if not arrays:
        return results
    if not results:
        raise OperandError(
            "vmap: there are no examples, so the shape of the result is not known: check their "
            "number before the call"
        )
    try:
        return _in_arrays(results, out_axes)
    except RecursionError as error:
        raise nesting_error([("a result of vmap", results[0])], error) from None


def _of_parts(
    results: Sequence[Any], model: Any, combine: Callable[[list[Any], Any], Any], what: str
) -> Any:
    """Combine corresponding parts of the results, in a container like `model`."""
    is_dict = isinstance(model, dict)
    kind, keys = (dict, [*model]) if is_dict else (type(model), range(len(model)))
    for result in results:
        same = isinstance(result, kind) and len(result) == len(model)
        if not same or (is_dict and result.keys() != model.keys()):
            raise OperandError(
                f"vmap: {what} is {format_value(model)}, but the function returned "
                f"{format_value(result)}: both must have the same parts"
            )
    parts = [combine([result[key] for result in results], model[key]) for key in keys]
    return like(model, parts)


def _in_arrays(results: list[Any], axis: int) -> Any:
    """Stack numbers and arrays along an axis, in the containers of one result."""
    first = results[0]
    if first is None and all(x is None for x in results):
        return None
    if isinstance(first, dict | list | tuple):
        return _of_parts(results, first, lambda part, _: _in_arrays(part, axis), "the first result")
    return _stacked(results, axis)


def _stacked(results: list[Any], axis: int) -> Any:
    import numpy as np

    kinds = {type(x): x for x in results}
    for kind, x in kinds.items():
        if not (issubclass(kind, Value | np.ndarray) or is_real(x)):
            raise OperandError(
                f"vmap: the function returned {format_value(x)}, of type {kind.__name__}, which "
                "cannot be in an array of numbers: return numbers, or pass lists to vmap"
            )
    shapes = {np.shape(x) for x in results} if any(map(is_array, kinds.values())) else {()}
    if len(shapes) != 1:
        raise OperandError(
            f"vmap: results have shapes {sorted(shapes)}: return the same shape for all examples, "
            "or pass lists to vmap"
        )
    dimensions = len(next(iter(shapes))) + 1
    if not -dimensions <= axis < dimensions:
        raise OperandError(
            f"vmap: out_axes is {axis}, but must be from {-dimensions} to {dimensions - 1}: the "
            f"results have {dimensions - 1} axes without that of the examples"
        )
    if any(issubclass(kind, Value) for kind in kinds):
        return object_array(results)
    return (
        np.stack(results, axis=axis) if dimensions > 1 else np.array(results)
    )  # faster for numbers


def _shared(results: list[Any]) -> Any:
    """Return the result that all examples share."""
    if not results:
        raise OperandError(
            "vmap: out_axes is None for a result of no examples: compute it outside vmap"
        )
    first = results[0]
    if not all(x is first for x in results):
        names = "what the first example returns", "what the others return"
        numbers = flatten(first, names[0])[0]
        rows = [flatten_like(x, first, names[1], names[0]) for x in results]
        if not all(_is_same([*zip(numbers, row, strict=True)]) for row in rows):
            found = format_value(first) if current_trace() is None else "a result of the examples"
            raise OperandError(
                f"vmap: out_axes is None for {found}, which differs from example to example: use "
                "an axis"
            )
    return first


def _is_same(pairs: list[tuple[Any, Any]]) -> bool:
    """Return True if numbers are equal in pairs, and computed in the same way."""
    seen = set()
    while pairs:
        a, b = pairs.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if isinstance(a, Traced) and isinstance(b, Traced):
            same = a.index == b.index
        elif isinstance(a, Value) and isinstance(b, Value):
            same = a.op is not None and a.op is b.op and len(a.parents) == len(b.parents)
            pairs += zip(a.parents, b.parents, strict=False)
        else:
            same = is_real(a) and is_real(b) and float(a).hex() == float(b).hex()
        if not same:
            return False
    return True
