"""State dicts: parameters as named, nested lists of plain numbers, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scalargrad.errors import OperandError, StateError
from scalargrad.nn.sparse import Table
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import as_float, is_real
from scalargrad.value import Parameter, Value

Shape = tuple[int, ...]

#: The most dimensions of nested containers that are read as a rectangle.
_MOST_DIMENSIONS = 8


class IncompatibleKeys(NamedTuple):
    """The names on which a module and a state disagree; PyTorch's names."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def parameter_shape(part: Any) -> Shape | None:
    """Return the lengths of nested lists of Parameters, () for a lone one, None for others."""
    if isinstance(part, Table):
        return (len(part), len(part[0]) if part else 0)
    return _shape(part, lambda x: isinstance(x, Parameter), _MOST_DIMENSIONS)


def _shape(part: Any, is_leaf: Callable[[Any], bool], depth: int) -> Shape | None:
    if is_leaf(part):
        return ()
    if not isinstance(part, list | tuple) or not part or not depth:
        return None
    shapes = {_shape(x, is_leaf, depth - 1) for x in part}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(part), *inner)


def number_shape(numbers: Any, expected: Shape) -> Shape | None:
    """Return the shape of nested lists of numbers, None for anything else.

    Lists without any number have the shape `expected`, where that has none either.
    """
    if 0 in expected and not list(flat(numbers)):
        return expected
    return _shape(numbers, is_real, _MOST_DIMENSIONS)


def flat(part: Any) -> Iterator[Any]:
    """Yield the items of nested lists and tuples, in order."""
    if isinstance(part, list | tuple):
        for x in part:
            yield from flat(x)
    else:
        yield part


def state_of(tensors: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the data of named rectangles of Parameters as nested lists of floats."""
    return {name: _data(name, part) for name, part in tensors}


def require_kept(kind: str, parameters: Iterable[Any], tensors: Iterable[tuple[str, Any]]) -> None:
    """Raise StateError if a state of these tensors would leave out one of a module's parameters."""
    kept = {id(x) for _, part in tensors for x in flat(part)}
    for parameter in parameters:
        if id(parameter) not in kept:
            raise StateError(
                f"{kind}.parameters() has {format_value(parameter)}, which its state would leave "
                "out: a state holds the Parameters in attributes. Write Parameter(0.5), not "
                "Value(0.5), "
                "and assign it to an attribute, or to a list or dict in one"
            )


def _data(name: str, part: Any) -> Any:
    if isinstance(part, Parameter):
        return part.data
    if isinstance(part, Value):  # in a table that a compiled function returned
        raise StateError(
            f"{name} holds numbers that were computed, not Parameters: assign their .data to those "
            "of a Parameter each, in a module of the same sizes"
        )
    return [_data(name, x) for x in part]


def load_state(
    kind: str, tensors: Iterable[tuple[str, Any]], state: Mapping[str, Any], strict: bool
) -> IncompatibleKeys:
    """Write `state` into named rectangles of Parameters, all of it or, on an error, nothing."""
    own = dict(tensors)
    numbers = {
        name: x.tolist() if hasattr(x, "tolist") else x for name, x in state.items() if name in own
    }
    keys = IncompatibleKeys(
        [name for name in own if name not in state], [name for name in state if name not in own]
    )
    misshapen = list(_misshapen(own, numbers))
    if misshapen or (strict and any(keys)):
        raise StateError(_complaint(kind, keys, misshapen))
    try:
        found = {name: [as_float(x, name) for x in flat(part)] for name, part in numbers.items()}
    except OperandError as error:
        raise StateError(
            f"this state does not fit {kind}, and nothing was changed: {error}"
        ) from error
    for name, floats in found.items():
        for parameter, number in zip(flat(own[name]), floats, strict=True):
            parameter.data = number
    return keys


def _misshapen(own: Mapping[str, Any], numbers: Mapping[str, Any]) -> Iterator[str]:
    for name, part in numbers.items():
        expected = parameter_shape(own[name]) or ()
        found = number_shape(part, expected)
        if found is None:
            yield f"{name} should be {shape_text(expected)}, but is not a rectangle of numbers"
        elif found != expected:
            yield f"{name} should be {shape_text(expected)}, but is {shape_text(found)}"


def shape_text(shape: Iterable[int]) -> str:
    """Write a shape as people say it.

    Examples
    --------
    >>> shape_text((3, 2)), shape_text(())
    ('3 × 2', 'one number')
    """
    return " × ".join(map(str, shape)) or "one number"


def _complaint(kind: str, keys: IncompatibleKeys, misshapen: list[str]) -> str:
    lines = {
        "missing": ", ".join(keys.missing_keys),
        "unexpected": ", ".join(map(str, keys.unexpected_keys)),
        "misshapen": "; ".join(misshapen),
    }
    listed = "".join(f"\n  {what}: {names}" for what, names in lines.items() if names)
    return (
        f"this state does not fit {kind}, and nothing was changed{listed}\n"
        "Build the module with the sizes it was saved with; strict=False accepts missing and "
        "unexpected names"
    )
