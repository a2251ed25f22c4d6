"""Stack the results of vmap, in arrays or lists, along the axes that out_axes names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.trace.trace import current_trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.table.numbers import is_real
from scalargrad.tree import is_array, like
from scalargrad.value import Value


def arranged(results: list[Any], out_axes: Any, arrays: bool) -> Any:
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
            results, out_axes, lambda part, axes: arranged(part, axes, arrays), "out_axes"
        )
    if out_axes is None:
        return _shared(results)
    if isinstance(out_axes, bool) or not isinstance(out_axes, int):
        raise OperandError(
            f"vmap: out_axes holds {shown(out_axes)}: give the number of an axis, None for what "
            "all examples share, or a tuple or dict of them for the parts of the result"
        )
    if not results and (arrays or out_axes):
        raise OperandError(
            "vmap: there are no examples, so the shape of the result is not known: ask for their "
            "number before"
        )
    if arrays:
        return _in_arrays(results, out_axes)
    return _in_lists(results, out_axes % (_depth(results[0]) + 1) if out_axes < 0 else out_axes)


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
                f"vmap: {what} is {shown(model)}, but the function returned {shown(result)}: both "
                "need the same parts"
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
                f"vmap: the function returned {shown(x)}, of type {kind.__name__}, which no "
                "array of numbers holds: return numbers, or give vmap lists"
            )
    shapes = {np.shape(x) for x in results} if any(map(is_array, kinds.values())) else {()}
    if len(shapes) != 1:
        raise OperandError(
            f"vmap: results have shapes {sorted(shapes)}: return one shape for all examples, or "
            "give vmap lists"
        )
    dimensions = len(next(iter(shapes))) + 1
    if not -dimensions <= axis < dimensions:
        raise OperandError(
            f"vmap: out_axes is {axis}, but with the axis of examples the results have "
            f"{dimensions}: give {-dimensions} to {dimensions - 1}"
        )
    if any(issubclass(kind, Value) for kind in kinds):
        cells = np.empty(len(results), dtype=object)
        cells[:] = results
        return cells
    return (
        np.stack(results, axis=axis) if dimensions > 1 else np.array(results)
    )  # faster for numbers


def _in_lists(results: list[Any], axis: int) -> list[Any]:
    """Move the axis of examples to its position among the levels of nested lists."""
    if axis == 0:
        return results
    lengths = {len(x) if isinstance(x, list) else None for x in results}
    if len(lengths) != 1 or None in lengths:
        raise OperandError(
            f"vmap: out_axes asks for axis {axis} of {shown(results[0])}: among lists it needs "
            "results that are lists, nested as deep and of one length"
        )
    (length,) = lengths
    return [_in_lists([x[i] for x in results], axis - 1) for i in range(length or 0)]


def _depth(result: Any) -> int:
    return 1 + _depth(result[0]) if isinstance(result, list) and result else 0


def _shared(results: list[Any]) -> Any:
    """Return the result that all examples share."""
    if not results:
        raise OperandError(
            "vmap: out_axes is None for a result of no examples: compute it outside vmap"
        )
    first = results[0]
    if not all(_is_same(x, first) for x in results):
        found = shown(first) if current_trace() is None else "what is computed of each example"
        raise OperandError(
            f"vmap: out_axes is None for {found}, which differs from example to example: give an "
            "axis"
        )
    return first


def _is_same(a: Any, b: Any) -> bool:
    """Return whether two results are equal numbers, computed in the same way."""
    pairs, seen = [(a, b)], set()
    while pairs:
        a, b = pairs.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        parts = _parts_beside(a, b)
        if parts is None:
            return False
        pairs += parts
    return True


def _parts_beside(a: Any, b: Any) -> Sequence[tuple[Any, Any]] | None:
    """Return the pairs of parts that must be equal; None if two results differ in structure."""
    if isinstance(a, Traced) and isinstance(b, Traced):
        return [] if a.index == b.index else None
    if isinstance(a, Value) and isinstance(b, Value):
        alike = a.op is not None and a.op is b.op and len(a.parents) == len(b.parents)
        return list(zip(a.parents, b.parents, strict=True)) if alike else None
    if isinstance(a, dict) and isinstance(b, dict):
        return [(a[key], b[key]) for key in a] if a.keys() == b.keys() else None
    if isinstance(a, list | tuple) and type(a) is type(b):
        return list(zip(a, b, strict=True)) if len(a) == len(b) else None
    if is_array(a) and is_array(b):
        same = a.shape == b.shape
        return list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)) if same else None
    return [] if is_real(a) and is_real(b) and float(a).hex() == float(b).hex() else None
