"""Inputs of an expression as text, as the command line and the playground read them."""

from __future__ import annotations

from collections.abc import Iterable

from scalargrad.errors import ExpressionError
from scalargrad.expression.parsing import parse
from scalargrad.value import Value


def parse_assigned(expression: str, assignments: Iterable[str] | None) -> Value:
    """Parse an expression with its inputs given as ``name=number`` or ``name=number,number``."""
    values: dict[str, float | list[float]] = {}
    for assignment in assignments or []:
        name, equals, number = assignment.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ExpressionError(
                f"{assignment!r} is not an input: write name=number without spaces, as in x=-2"
            )
        if name.strip() in values:
            raise ExpressionError(f"the input {name.strip()} is given twice: leave one out")
        values[name.strip()] = _given(name.strip(), number)
    return parse(expression.lstrip(" "), **values)


def _given(name: str, written: str) -> float | list[float]:
    """Read a number, ``-2`` or ``pi/2``, or the entries of a vector, separated by commas."""
    try:
        numbers = [_number(part) for part in written.split(",")]
    except ExpressionError:
        if "−" in written:
            raise ExpressionError(
                f"the input {name} is {written!r}, with − (U+2212, MINUS SIGN): write -"
            ) from None
        raise ExpressionError(
            f"the input {name} is {written!r}: write a number, as in {name}=-2 or {name}=pi/2, "
            f"or those of a vector, {name}=2,-3"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return parse(written).data
