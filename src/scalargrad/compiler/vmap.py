"""vmap: turn a function of one example into a function of many."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalargrad.compiler.call.outline import Place, outlined
from scalargrad.compiler.call.results import filler
from scalargrad.compiler.out_axes import arranged
from scalargrad.compiler.trace.batching import UnlikeError, example
from scalargrad.compiler.trace.side_effects import run_for_all
from scalargrad.compiler.trace.trace import Trace, current_trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.table.validation import function, listed
from scalargrad.tree import is_array


def vmap(
    f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0, out_axes: Any = 0
) -> Callable[..., Any]:
    """Return a function that applies `f` to each example: ``[f(x) for x in xs]``.

    Parameters
    ----------
    f : callable
        A function of one example.
    in_axes : int, None or sequence of them
        For each positional argument, 0 if it holds one entry per example, None if all
        examples share it. A single setting serves all arguments. Keyword arguments are shared.
    out_axes : int, None, or tuple, list or dict of them
        The position of the axis of examples in the result; None for a result that all examples
        share, which is returned once. A tuple, list or dict has a setting for each part.

    Returns
    -------
    callable
        Returns a list with one result per example. If a mapped argument is a NumPy array, it
        returns arrays instead, as JAX does: of a function that returns a tuple, a tuple of arrays.

    Raises
    ------
    OperandError
        If the mapped arguments differ in length, or none is mapped; if results differ in shape
        where arrays are returned, or from each other where `out_axes` is None.

    Notes
    -----
    Among lists an axis is a level of nesting. Results that are Values make arrays of objects.

    Inside a compiled function, `f` is recorded once for all examples, which become lanes of the
    same instructions. As `f` then runs once, on Values that stand for all examples, a condition
    that depends on them is a TraceError: choose with `where`, `maximum` or `clip` instead. So is
    what `f` would change again for each example: a counter, an iterator, a list. `take` looks up
    an entry for each example, and random numbers are drawn for one example after the other. If the
    examples differ in more than their numbers (in length, say), and inside another vmap, each is
    recorded by itself. Numbers of examples are float64, whatever the type of their array. 10,000
    examples or more are shared by threads, as many as there are cores or as the environment
    variable SCALARGRAD_THREADS says; results do not depend on their number.

    Examples
    --------
    >>> vmap(lambda w, x: w * x, in_axes=(None, 0))(10.0, [1.0, 2.0])
    [10.0, 20.0]
    >>> vmap(lambda x: [x, x * x], out_axes=1)([1.0, 2.0, 3.0])
    [[1.0, 2.0, 3.0], [1.0, 4.0, 9.0]]
    """
    function(f, "f", "vmap(lambda x: x * x)")
    if in_axes is not None and not isinstance(in_axes, int):
        in_axes = listed(in_axes, "in_axes", "0 and None")

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = (in_axes,) * len(args) if in_axes is None or isinstance(in_axes, int) else in_axes
        results = _results(f, (args, axes, kwargs), _count(args, axes))
        arrays = any(axis is not None and is_array(x) for x, axis in zip(args, axes, strict=True))
        return arranged(results, out_axes, arrays)

    return mapped


def _results(f: Callable[..., Any], call: tuple[Any, Any, Any], count: int) -> list[Any]:
    """Return the result for each example."""
    trace = current_trace()
    if trace is not None and count > 1 and not trace.lanes.count:
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
    if outline.__class__ is Place:
        return [*columns[0]]
    rows = zip(*columns, strict=True) if columns else itertools.repeat((), n)
    return [*map(filler(outline), rows)]


def _count(args: Sequence[Any], axes: Sequence[int | None]) -> int:
    """Return the number of examples."""
    if len(axes) != len(args) or not all(map(_is_axis, axes)):
        raise OperandError(
            f"vmap: in_axes {shown(tuple(axes))} for {len(args)} arguments: give 0 or None for each"
        )
    mapped = [x for x, axis in zip(args, axes, strict=True) if axis is not None]
    for x in mapped:
        if not holds_entries(x):
            raise OperandError(
                f"vmap: a mapped argument is a {type(x).__name__}, which holds no examples in "
                "order: give a list or an array, or None in in_axes if the examples share it"
            )
    counts = set(map(len, mapped))
    if len(counts) != 1:
        raise OperandError(
            f"vmap: the mapped arguments hold {sorted(counts) or 'no'} examples: map at least one, "
            "and give all the same length"
        )
    return counts.pop()


def _is_axis(axis: Any) -> bool:
    return axis is None or (isinstance(axis, int) and axis == 0)


#: What is indexed, if at all, by something else than numbers in order.
_UNORDERED = (Mapping, set, frozenset)


def holds_entries(x: Any) -> bool:
    """Return whether something has entries by number: a sequence or an array."""
    if not hasattr(x, "__getitem__"):
        return False
    if hasattr(x, "shape"):
        return bool(x.shape)
    return hasattr(x, "__len__") and not isinstance(x, _UNORDERED)
