"""State dicts: convert named tensors of Parameters to nested lists of numbers, and back.

For example, the tensors ``{"weight": ParameterMatrix, "bias": Vector}`` of a Linear have the state
``{"weight": [[0.5, 0.25]], "bias": [0.0]}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scalargrad.checks.numbers import as_float, is_real
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError, StateError
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.system.short_repr import format_value

Shape = tuple[int, ...]

#: Maximum number of dimensions of a tensor.
_MAX_DIMENSIONS = 8


class IncompatibleKeys(NamedTuple):
    """The names in which a module and a state differ; the fields are named as in PyTorch."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def parameter_shape(part: Any) -> Shape | None:
    """Return the shape of nested lists of Parameters, () for a single one, None for other parts."""
    if isinstance(part, ParameterMatrix):
        return (len(part), len(part[0]) if part else 0)
    return _shape(part, lambda x: isinstance(x, Parameter), _MAX_DIMENSIONS)


def _shape(part: Any, is_leaf: Callable[[Any], bool], depth: int) -> Shape | None:
    if is_leaf(part):
        return ()
    if not isinstance(part, list | tuple) or not part or not depth:
        return None
    shapes = {_shape(x, is_leaf, depth - 1) for x in part}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(part), *inner)


def number_shape(numbers: Any, expected: Shape) -> Shape | None:
    """Return the shape of nested lists of numbers, or None for anything else.

    Lists without numbers have the shape `expected` if a tensor of that shape is empty too.
    """
    if 0 in expected and not list(flatten_nested(numbers)):
        return expected
    return _shape(numbers, is_real, _MAX_DIMENSIONS)


def flatten_nested(part: Any) -> Iterator[Any]:
    """Yield the items of nested lists and tuples, in order."""
    if isinstance(part, list | tuple):
        for x in part:
            yield from flatten_nested(x)
    else:
        yield part


def to_state_dict(tensors: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the data of named tensors of Parameters as nested lists of floats."""
    return {name: _to_lists(name, part) for name, part in tensors}


def require_in_state(
    kind: str, parameters: Iterable[Any], tensors: Iterable[tuple[str, Any]]
) -> None:
    """Raise StateError if the state of a module would lack one of its parameters."""
    in_state = {id(x) for _, part in tensors for x in flatten_nested(part)}
    for parameter in parameters:
        if id(parameter) not in in_state:
            raise StateError(
                f"{kind}.parameters() returns {format_value(parameter)}, which its state would "
                "lack: a state contains the Parameters in attributes. Write Parameter(0.5), not "
                "Value(0.5), and assign it to an attribute, or put it in a list or dict in one"
            )


def _to_lists(name: str, part: Any) -> Any:
    if isinstance(part, Parameter):
        return part.data
    if isinstance(part, Value):  # in a parameter matrix that a compiled function returned
        raise StateError(
            f"{name} contains computed Values, not Parameters: assign the .data of each to the "
            ".data of the Parameter in a module of the same sizes"
        )
    return [_to_lists(name, x) for x in part]


def load_state(
    kind: str, tensors: Iterable[tuple[str, Any]], state: Mapping[str, Any], strict: bool
) -> IncompatibleKeys:
    """Write `state` into named tensors of Parameters; on an error, change nothing."""
    own = dict(tensors)
    numbers = {
        name: x.tolist() if hasattr(x, "tolist") else x for name, x in state.items() if name in own
    }
    keys = IncompatibleKeys(
        [name for name in own if name not in state], [name for name in state if name not in own]
    )
    misshapen = list(_shape_errors(own, numbers))
    if misshapen or (strict and any(keys)):
        raise StateError(_format_mismatch(kind, keys, misshapen))
    try:
        floats_by_name = {
            name: [as_float(x, name) for x in flatten_nested(part)]
            for name, part in numbers.items()
        }
    except OperandError as error:
        raise StateError(
            f"this state does not fit {kind}, and nothing was changed: {error}"
        ) from error
    for name, floats in floats_by_name.items():
        for parameter, number in zip(flatten_nested(own[name]), floats, strict=True):
            parameter.data = number
    return keys


def _shape_errors(own: Mapping[str, Any], numbers: Mapping[str, Any]) -> Iterator[str]:
    for name, part in numbers.items():
        expected = parameter_shape(own[name]) or ()
        shape = number_shape(part, expected)
        if shape is None:
            yield f"{name} must be {format_shape(expected)}, but is not a rectangle of numbers"
        elif shape != expected:
            yield f"{name} must be {format_shape(expected)}, but is {format_shape(shape)}"


def format_shape(shape: Iterable[int]) -> str:
    """Format a shape for messages.

    Examples
    --------
    >>> format_shape((3, 2)), format_shape(())
    ('3 × 2', 'one number')
    """
    return " × ".join(map(str, shape)) or "one number"


def _format_mismatch(kind: str, keys: IncompatibleKeys, misshapen: list[str]) -> str:
    lines = {
        "missing": ", ".join(keys.missing_keys),
        "unexpected": ", ".join(map(str, keys.unexpected_keys)),
        "misshapen": "; ".join(misshapen),
    }
    details = "".join(f"\n  {what}: {names}" for what, names in lines.items() if names)
    return (
        f"this state does not fit {kind}, and nothing was changed{details}\n"
        "Build the module with the same sizes as the saved one; strict=False allows missing and "
        "unexpected names"
    )
