"""Comparisons, logic, and the operations that select among their operands.

On Values the operators ``<``, ``<=``, ``>`` and ``>=``, and ``==`` and ``!=`` with a number,
compare data and return a bool. The functions return a node instead, 1 for true and 0 for false,
with gradient 0, so that a comparison can be part of a graph. Every number except 0 is true,
including NaN. An operation that selects an operand routes the gradient to it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, overload

from scalargrad.checks.numbers import as_floats, is_real
from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import COMPARISON, Domain, Notation, infix
from scalargrad.opdef.operation import (
    Binary,
    FixedArityOperation,
    Operand,
    R_co,
    Reduction,
    Unary,
    composite,
    primitive,
)
from scalargrad.opdef.symbol import Symbol

__all__ = [
    "clip", "eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not",
    "logical_or", "lt", "maximum", "minimum", "ne", "where",
]  # fmt: skip


# Comparisons. Their code is generated from their signs; the bodies are never called -------------


_DISTINCT = Domain(gap=lambda a, b: a - b)


def _comparison(sign: str, label: str = "") -> Callable[[Callable[..., float]], Binary]:
    """Define a comparison by its sign in Python and, if that differs, its sign in formulas."""
    return primitive(
        Binary,
        is_boolean=True,
        symbol=label or sign,
        partials=lambda y, a, b: (0.0, 0.0),
        domain=_DISTINCT,
        comparison=infix(sign, COMPARISON),
        text=infix(label or sign, COMPARISON),
    )


@_comparison("<")
def lt(a: float, b: float) -> float:
    """Compare: 1 where a < b, else 0; the gradient is 0.

    Examples
    --------
    >>> lt(2.0, 3.0)
    1.0
    """
    return 1.0 if a < b else 0.0


@_comparison("<=", "≤")
def le(a: float, b: float) -> float:
    """Compare: 1 where a <= b, else 0; the gradient is 0.

    Examples
    --------
    >>> le(2.0, 3.0)
    1.0
    """
    return 1.0 if a <= b else 0.0


@_comparison(">")
def gt(a: float, b: float) -> float:
    """Compare: 1 where a > b, else 0; the gradient is 0.

    Examples
    --------
    >>> gt(2.0, 3.0)
    0.0
    """
    return 1.0 if a > b else 0.0


@_comparison(">=", "≥")
def ge(a: float, b: float) -> float:
    """Compare: 1 where a >= b, else 0; the gradient is 0.

    Examples
    --------
    >>> ge(2.0, 3.0)
    0.0
    """
    return 1.0 if a >= b else 0.0


@_comparison("==", "=")
def eq(a: float, b: float) -> float:
    """Compare: 1 where a == b, else 0; the gradient is 0.

    Examples
    --------
    >>> eq(2.0, 3.0)
    0.0
    """
    return 1.0 if a == b else 0.0


@_comparison("!=", "≠")
def ne(a: float, b: float) -> float:
    """Compare: 1 where a != b, else 0; the gradient is 0.

    Examples
    --------
    >>> ne(2.0, 3.0)
    1.0
    """
    return 1.0 if a != b else 0.0


# Selection --------------------------------------------------------------------------------------


#: Types of most conditions that are not nodes.
_PLAIN = {bool, float, int}


class Where(FixedArityOperation):
    """The operation `where`; it creates no node if its condition is a plain number."""

    lazy = True

    @overload
    def __call__(self, condition: bool | float, x: float, other: float, /) -> float: ...
    @overload
    def __call__(
        self, condition: Operand[R_co] | float, x: Operand[R_co], other: Operand[R_co] | float, /
    ) -> R_co: ...
    @overload
    def __call__(
        self, condition: Operand[R_co] | float, x: float, other: Operand[R_co], /
    ) -> R_co: ...
    @overload
    def __call__(self, condition: Operand[R_co], x: float, other: float, /) -> R_co: ...
    def __call__(self, condition: Any, x: Any, other: Any, /) -> Any:
        if type(x) is float is type(other) and type(condition) in _PLAIN:
            return x if condition else other
        if hasattr(condition, "_apply") or not is_real(condition):
            return self.apply_cached(condition, x, other)
        x, other = (arm if hasattr(arm, "_apply") else self.as_operand(arm) for arm in (x, other))
        return x if condition else other


def _where_partials(_y: Symbol, condition: Symbol, _x: Symbol, _other: Symbol) -> tuple[Any, ...]:
    return 0.0, where(condition, 1.0, 0.0), where(condition, 0.0, 1.0)


@primitive(
    Where,
    partials=_where_partials,
    domain=Domain(gap=lambda condition, x, other: condition),
    pattern="router",
)
def where(condition: float, x: float, other: float) -> float:
    """Return `x` if the condition is true (not 0), else `other`.

    If the condition is a number or bool, the selected operand itself is returned and no node is
    created. If it is a Value (a comparison such as ``gt(x, 0)``), a node is created.

    Parameters
    ----------
    condition : Value or float
        Dimensionless; it receives no gradient.
    x, other : Value or float
        The results for a condition that is not 0, and for 0; both in the same unit.

    Notes
    -----
    A router: only the selected operand receives gradient. Both operands are computed before one
    is selected, so guard an argument outside its domain *inside* the operand:
    ``where(x > 0, log(where(x > 0, x, 1)), 0)``.

    Examples
    --------
    >>> where(2.0 > 1.0, 5.0, 7.0)
    5.0
    """
    return x if condition else other


class Extremum(Reduction):
    """A reduction whose operands are separate arguments, as in ``maximum(a, b)``."""

    @overload
    def __call__(self, *values: float) -> float: ...
    @overload
    def __call__(self, *values: Operand[R_co] | float) -> R_co: ...
    def __call__(self, *values: Any) -> Any:
        if values and (floats := as_floats(values)) is not None:
            return self.function(floats)
        if not values:
            raise OperandError(f"{self.name} of no numbers is undefined: give at least one")
        if isinstance(values[0], list | tuple):
            raise OperandError(
                f"{self.name} takes numbers as separate arguments, not a list: write "
                f"{self.name}(*values)"
            )
        return self.of(*values)


def _tie_partials(result: Any, operands: Sequence[Any]) -> list[Any]:
    """Return partials that split the gradient evenly among the operands equal to the result."""
    totals = hits = [eq(x, result) for x in operands]
    while len(totals) > 1:  # in pairs, so that expressions of many operands are not deeply nested
        totals = [a + b for a, b in zip(totals[::2], totals[1::2])] + totals[len(totals) & ~1 :]  # noqa: B905
    total = totals[0]
    return [where(total, hit / where(total, total, 1.0), math.nan) for hit in hits]


def _larger(a: Any, b: Any) -> Any:
    return where(b > a, b, where(ne(b, b), b, a))


def _smaller(a: Any, b: Any) -> Any:
    return where(b < a, b, where(ne(b, b), b, a))


@primitive(
    Extremum,
    symbol="max",
    partials=_tie_partials,
    domain=Domain(gap=lambda *operands: _lead(operands)),
    javascript="(...operands) => operands.reduce((top, x) => (x > top || x !== x ? x : top))",
    pattern="router",
    expression=lambda operands: functools.reduce(_larger, operands),
)
def maximum(operands: Sequence[float]) -> float:
    """Return the largest operand, or NaN if one is NaN.

    Notes
    -----
    A router: the largest operand receives the whole gradient. In a tie it is split evenly, as in
    PyTorch.

    Examples
    --------
    >>> maximum(2.0, 5.0, 3.0)
    5.0
    """
    largest = operands[0]
    for x in operands:
        if x > largest or x != x:
            largest = x
    return largest


@primitive(
    Extremum,
    symbol="min",
    partials=_tie_partials,
    domain=Domain(gap=lambda *operands: _lead([-x for x in operands])),
    javascript="(...operands) => operands.reduce((top, x) => (x < top || x !== x ? x : top))",
    pattern="router",
    expression=lambda operands: functools.reduce(_smaller, operands),
)
def minimum(operands: Sequence[float]) -> float:
    """Return the smallest operand, or NaN if one is NaN.

    Notes
    -----
    A router: the smallest operand receives the whole gradient. In a tie it is split evenly, as in
    PyTorch.

    Examples
    --------
    >>> minimum(2.0, 5.0, 3.0)
    2.0
    """
    smallest = operands[0]
    for x in operands:
        if x < smallest or x != x:
            smallest = x
    return smallest


def _lead(operands: Sequence[Any]) -> Any:
    """Return the difference of the two largest operands; inf of a single one."""
    ranked: list[tuple[Any, ...]] = [(x,) for x in operands]
    while len(ranked) > 1:  # in pairs, as `_tie_partials`
        pairs = zip(ranked[::2], ranked[1::2])  # noqa: B905
        ranked = [
            (maximum(a[0], b[0]), maximum(minimum(a[0], b[0]), *a[1:], *b[1:])) for a, b in pairs
        ] + ranked[len(ranked) & ~1 :]
    first, *second = ranked[0]
    return first - second[0] if second else math.inf


class Clip(FixedArityOperation):
    """The operation `clip`, whose bounds are optional."""

    @overload
    def __call__(self, x: float, min: float | None = None, max: float | None = None) -> float: ...
    @overload
    def __call__(
        self,
        x: Operand[R_co],
        min: Operand[R_co] | float | None = None,
        max: Operand[R_co] | float | None = None,
    ) -> R_co: ...
    @overload
    def __call__(
        self, x: float, min: Operand[R_co], max: Operand[R_co] | float | None = None
    ) -> R_co: ...
    @overload
    def __call__(self, x: float, min: float | None, max: Operand[R_co]) -> R_co: ...
    def __call__(self, x: Any, min: Any = None, max: Any = None) -> Any:
        low = -math.inf if min is None else min
        high = math.inf if max is None else max
        if (floats := as_floats((x, low, high))) is not None:
            return self.of_floats(*floats)
        return self.apply_cached(x, low, high)


@composite(
    Clip,
    partials=lambda y, x, low, high: (
        where(x >= low, where(x <= high, 1.0, 0.0), 0.0),
        where(low < high, where(x < low, 1.0, 0.0), 0.0),
        where(low > high, 1.0, where(x > high, 1.0, 0.0)),
    ),
    domain=Domain(
        (-3.0, 3.0),
        (-2.0, -0.5),
        (0.5, 2.0),
        gap=lambda x, low, high: where(low < high, _nearer(x - low, x - high), low - high),
    ),
    text=Notation("clip({0}, {1}, {2})"),
    pattern="router",
)
def clip(x: Symbol, min: Symbol, max: Symbol) -> Symbol:
    """Limit `x` to the interval [min, max]; both bounds are optional.

    Parameters
    ----------
    x : Value or float
        The number to limit.
    min, max : Value or float, optional
        The bounds, in the unit of `x`. A bound that replaces `x` receives the gradient.

    Notes
    -----
    At a bound the slope is 1, as in PyTorch. If min > max, the result is max. If any operand is
    NaN, the result is NaN.

    Examples
    --------
    >>> clip(5.0, 0.0, 1.0)
    1.0
    """
    raised = where(x < min, min, where(x >= min, x, x + min))  # x + min: a NaN stays NaN
    return where(raised > max, max, where(raised <= max, raised, raised + max))


def _nearer(a: Any, b: Any) -> Any:
    """Return the number that is nearer to 0."""
    return where(a * a < b * b, a, b)


# Logic, and predicates of a number --------------------------------------------------------------

_TRUTH: dict[str, Any] = {
    "is_boolean": True,
    "partials": lambda y, *operands: (0.0,) * len(operands),
}


@composite(
    Binary, symbol="and", domain=Domain(gap=lambda a, b: where(a, ne(b, 0.0), 0.0)), **_TRUTH
)
def logical_and(a: Symbol, b: Symbol) -> Symbol:
    """Return 1 if both are true, else 0; the gradient is 0.

    Examples
    --------
    >>> logical_and(2.0 > 1.0, 2.0 > 3.0)
    0.0
    """
    return where(a, ne(b, 0.0), 0.0)


@composite(Binary, symbol="or", domain=Domain(gap=lambda a, b: where(a, 1.0, ne(b, 0.0))), **_TRUTH)
def logical_or(a: Symbol, b: Symbol) -> Symbol:
    """Return 1 if at least one is true, else 0; the gradient is 0.

    Examples
    --------
    >>> logical_or(2.0 > 1.0, 2.0 > 3.0)
    1.0
    """
    return where(a, 1.0, ne(b, 0.0))


@composite(Unary, symbol="not", domain=Domain(gap=lambda x: x), **_TRUTH)
def logical_not(x: Symbol) -> Symbol:
    """Return 1 if x is false (0), else 0; the gradient is 0.

    Examples
    --------
    >>> logical_not(2.0 > 1.0)
    0.0
    """
    return eq(x, 0.0)


@composite(Unary, is_boolean=True, partials=lambda y, x: (0.0,))
def isnan(x: Symbol) -> Symbol:
    """Return 1 if x is NaN, else 0; the gradient is 0.

    Examples
    --------
    >>> isnan(float("nan")), isnan(2.0)
    (1.0, 0.0)
    """
    return ne(x, x)


@composite(Unary, is_boolean=True, partials=lambda y, x: (0.0,))
def isinf(x: Symbol) -> Symbol:
    """Return 1 if x is infinite, else 0; the gradient is 0.

    Examples
    --------
    >>> isinf(float("-inf")), isinf(2.0)
    (1.0, 0.0)
    """
    return eq(abs(x), math.inf)


@composite(Unary, is_boolean=True, partials=lambda y, x: (0.0,))
def isfinite(x: Symbol) -> Symbol:
    """Return 1 if x is neither infinite nor NaN, else 0; the gradient is 0.

    Examples
    --------
    >>> isfinite(2.0), isfinite(float("nan"))
    (1.0, 0.0)
    """
    return lt(abs(x), math.inf)
