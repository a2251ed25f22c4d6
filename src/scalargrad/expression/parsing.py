"""parse: from the text of an expression to its graph."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.errors import ExpressionError
from scalargrad.expression.reader import Reader
from scalargrad.expression.tokens import ExpressionText, scan
from scalargrad.ops import TABLE
from scalargrad.value import Scalar, Value

if TYPE_CHECKING:
    import numpy.typing as npt


def parse(text: str, /, **values: Scalar | Sequence[Scalar] | npt.NDArray[Any]) -> Value:
    """Read ``q = x + y; f = q * z`` into a graph and return the last Value, here f.

    Parameters
    ----------
    text : str
        Statements ``name = expression``, or bare expressions, separated by semicolons or
        line ends; ``#`` starts a comment. Expressions are made of names, decimal numbers,
        ``+ - * /``, powers as ``x^2`` or ``x**2``, comparisons, ``pi``, ``e`` and every
        operation of the table by name; ``σ`` and ``logistic`` are the sigmoid, ``ln`` is log,
        ``max`` and ``min`` are maximum and minimum. Reductions are written ``sum(a, b, c)``
        and ``dot((w0, w1), (x0, x1), b)``, or with vectors by name, ``dot(w, x, b)``.
    **values : real number or Value, or list, tuple or array of them
        What the names stand for. A number becomes a leaf labelled with its name; a Value is
        used as it is. A list or array is a vector, whose entries are named w0, w1, ….

    Returns
    -------
    Value
        The result of the last statement. What is assigned to a name has it as its label.

    Raises
    ------
    ExpressionError
        If the text is not such an expression; a name is unknown, is given or assigned
        twice, or is that of a constant or an operation; or a value is not used. The message
        marks the column.
    DomainError
        If an operation is applied outside its domain.
    OperandError
        If a value is not a real number.

    Notes
    -----
    What has no name in it is computed at once, without a node: ``2 * 3`` is 6. A second
    name, as in ``y = x``, is an `identity` node of its own. Comparisons are nodes, so
    ``where(x > 0, x, 0)`` records the choice. Names are compared in Unicode's normal form
    NFKC, as in Python. Nothing is evaluated as Python code.

    Examples
    --------
    >>> parse("q = x + y; f = q * z", x=-2, y=5, z=-4)
    Value(data=-12.0, grad=0.0, label='f')
    >>> parse("sigmoid(w*x) > 0.5", w=2, x=1).data
    1.0
    >>> round(parse("σ(dot(w, x, b)) + λ*dot(w, w)/2", w=[2, -3], x=[-1, -2], b=-3, λ=0.1).data, 6)
    1.381059
    >>> parse("f = floot(x)", x=1)
    Traceback (most recent call last):
        ...
    scalargrad.errors.ExpressionError: column 5: no operation is named floot. Did you mean floor?
        f = floot(x)
            ^
    """
    try:
        source = ExpressionText(text)
        scan(source)
        return Reader(source, values).read(_structure(source))
    except (RecursionError, MemoryError):
        raise ExpressionError(
            "the expression is nested too deeply for the stack that is left: give parts names"
        ) from None


def _structure(source: ExpressionText) -> ast.Module:
    """Return the syntax tree of text that has passed the scan."""
    try:
        return ast.parse("\n".join(source.python))
    except IndentationError as error:
        advice = "begin all statements in one column, and bracket what goes over several lines"
        raise _marked(source, error, advice) from None
    except SyntaxError as error:
        advice = "is an operator such as *, or a bracket, missing or too many?"
        if error.msg.startswith("cannot assign"):
            advice = "the left side is one name, as in f = x**2"
        raise _marked(source, error, advice) from None


def _marked(source: ExpressionText, error: SyntaxError, advice: str) -> ExpressionError:
    """Return a syntax error as one that marks its place, which Python may put past the end."""
    row = min(error.lineno or 1, len(source.lines)) - 1
    line = source.lines[row]
    indent = len(line) - len(line.lstrip(" \t"))
    column = max(source.column(row, (error.offset or 1) - 1), indent)
    reason = re.split(r"[.;] ", error.msg)[0]
    if reason == "invalid syntax" and re.search(r"[\w)]\s*$", line[:column]):
        word = re.search(r"(\w+)\s+$", line[:column])
        if word is not None and word[1] in TABLE:
            advice = f"call it, {word[1]}(…)"
        elif re.match(r"[\w(]", line[column:]):
            advice = f"{advice} A product is written with *, as in a*b"
    return source.error(row, column, f"{reason}: {advice}")


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
