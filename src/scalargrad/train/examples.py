"""Prepare examples for training: check them, copy them, and split off a held-out part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_list, check_number
from scalargrad.checks.numbers import is_real, widen
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value


class Examples(NamedTuple):
    """Inputs, and one target for each."""

    inputs: list[Any]
    targets: list[Any]

    def at(self, rows: Sequence[int]) -> Examples:
        """Return the examples at these indices, in this order."""
        return Examples([self.inputs[i] for i in rows], [self.targets[i] for i in rows])


def examples(inputs: Any, targets: Any, what: str) -> Examples:
    """Return copies of inputs and targets as lists; arrays become lists of floats.

    NumPy arrays and numbers inside a list are converted to 64 bits.

    Raises
    ------
    OperandError
        If there are no examples, or the numbers of inputs and targets differ.
    """
    found = Examples(_as_list(inputs, f"X of {what}"), _as_list(targets, f"y of {what}"))
    n, m = len(found.inputs), len(found.targets)
    if n != m or not n:
        raise OperandError(
            f"{what} has {n} inputs and {m} targets: give at least one input, and a target for each"
        )
    return found


def _as_list(rows: Any, what: str) -> list[Any]:
    if hasattr(rows, "to_numpy") and not hasattr(rows, "tolist"):  # a DataFrame
        rows = rows.to_numpy()
    if getattr(getattr(rows, "dtype", None), "kind", "") in {"M", "m"}:
        raise OperandError(
            f"{what} contains dates: convert them to numbers first, for example to days"
        )
    if hasattr(rows, "tolist"):
        found = rows.tolist()
        return found if isinstance(found, list) else [found]
    if isinstance(rows, str | bytes | dict | set | frozenset):
        raise OperandError(
            f"{what} is {format_value(rows)}; give a list with one entry for each example"
        )
    found = [x.tolist() if _is_tensor(x) else x for x in check_list(rows, what, "examples")]
    return [_copy_example(widen(x, "iuf")) for x in found]


def _copy_example(x: Any) -> Any:
    """Return a deep copy of the lists, dicts and arrays of an example."""
    if type(x) in {list, tuple}:
        return x[:] if {*map(type, x)} <= {float, int, bool} else type(x)(map(_copy_example, x))
    if type(x) is dict:
        return {key: _copy_example(part) for key, part in x.items()}
    return x.copy() if type(x).__name__ == "ndarray" else x


def _is_tensor(x: Any) -> bool:
    """Return True if an example is a tensor or a series of PyTorch or pandas."""
    return type(x).__module__.partition(".")[0] in {"torch", "pandas"} and hasattr(x, "tolist")


def split(given: Examples, fraction: Any, data: Any, seed: int) -> tuple[Examples, Examples | None]:
    """Return training examples and held-out ones: a random fraction, or separate data.

    Raises
    ------
    OperandError
        If fraction and data are combined, or one part would be empty.
    """
    fraction = check_number(fraction, "validation_split", 0.0, 1.0)
    if data is not None:
        if fraction:
            raise OperandError(
                "validation_split and validation_data cannot be combined: give one of them"
            )
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise OperandError(f"validation_data is {format_value(data)}; give (inputs, targets)")
        return given, examples(data[0], data[1], "the validation data")
    if not fraction:
        return given, None
    rows = list(range(len(given.inputs)))
    random.Random(seed).shuffle(rows)
    count = round(fraction * len(rows))
    if not 0 < count < len(rows):
        raise OperandError(
            f"validation_split={fraction} holds out {count} of {len(rows)} examples: give a "
            "fraction that leaves at least one example in each part"
        )
    return given.at(sorted(rows[count:])), given.at(sorted(rows[:count]))


def numbers_in(x: Any) -> Sequence[float]:
    """Return the numbers in an example, including the keys and entries of dicts."""
    if is_real(x):
        return [x]
    if isinstance(x, dict):
        x = [part for pair in x.items() for part in pair]
    if not isinstance(x, list | tuple):
        return []
    if {*map(type, x)} <= {float, int, bool}:
        return x
    return [number for part in x for number in numbers_in(part)]


def detach_values(prediction: Any) -> Any:
    """Return a prediction with floats in place of Values, so that its graph can be freed.

    >>> detach_values([Value(1.0), Value(2.0)])
    [1.0, 2.0]
    """
    if isinstance(prediction, Value):
        return prediction.data
    if isinstance(prediction, list | tuple):
        return [detach_values(x) for x in prediction]
    return prediction
