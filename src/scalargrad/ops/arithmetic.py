"""Sums, products, quotients and powers."""

from __future__ import annotations

import builtins
import math
from typing import Any, overload

from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import (
    ATOM,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Domain,
    Notation,
    call,
    infix,
)
from scalargrad.opdef.operation import Binary, Operand, R_co, Unary, composite, primitive
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.exponential import log
from scalargrad.ops.rounding import floor
from scalargrad.ops.selection import eq, gt, ne, where

__all__ = ["abs", "add", "div", "mul", "neg", "pow", "reciprocal", "square", "sub"]


@primitive(
    Binary,
    symbol="+",
    partials=lambda y, a, b: (1.0, 1.0),
    pattern="distributor",
    python=infix("+", SUM),
)
def add(a: float, b: float) -> float:
    """Add two numbers, a + b.

    Notes
    -----
    A distributor: each operand receives the upstream gradient.

    Examples
    --------
    >>> add(2.0, 3.0)
    5.0
    """
    return a + b


@primitive(
    Binary,
    symbol="-",
    partials=lambda y, a, b: (1.0, -1.0),
    pattern="distributor",
    python=infix("-", SUM),
    mathml=Notation("<mrow>{0}<mo>−</mo>{1}</mrow>", SUM, (SUM, SUM + 1)),
)
def sub(a: float, b: float) -> float:
    """Subtract, a - b.

    Examples
    --------
    >>> sub(2.0, 3.0)
    -1.0
    """
    return a - b


@primitive(
    Binary,
    symbol="*",
    partials=lambda y, a, b: (b, a),
    pattern="swap multiplier",
    python=infix("*", PRODUCT),
    text=Notation("{0}·{1}", PRODUCT, (PRODUCT, PRODUCT + 1)),
)
def mul(a: float, b: float) -> float:
    """Multiply two numbers, a · b.

    Notes
    -----
    A swap multiplier: each operand receives the upstream gradient times the other operand.

    Examples
    --------
    >>> mul(2.0, 3.0)
    6.0
    """
    return a * b


@primitive(
    Binary,
    symbol="/",
    partials=lambda y, a, b: (1 / b, -y / b),
    domain=Domain((-3.0, 3.0), (0.5, 3.0), valid=lambda a, b: ne(b, 0.0), guard=1, divides=True),
    text=infix("/", PRODUCT),
    mathml=Notation("<mfrac>{0}{1}</mfrac>", PRODUCT, (1, 1)),
    javascript=infix("/", PRODUCT),
)
def div(a: float, b: float) -> float:
    """Divide, a / b.

    Raises
    ------
    DomainError
        If b is 0; it is a DivisionByZeroError.

    Examples
    --------
    >>> div(3.0, 2.0)
    1.5
    """
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0.0 or a != a:
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


@primitive(
    Unary,
    symbol="-",
    partials=lambda y, x: (-1.0,),
    pattern="sign flip",
    python=Notation("-{0}", SIGN, (SIGN,)),
    mathml=Notation("<mrow><mo>−</mo>{0}</mrow>", SIGN, (SIGN,)),
    javascript=Notation("-{0}", SIGN, (ATOM,)),  # JavaScript reads --x as a decrement
)
def neg(x: float) -> float:
    """Negate, -x.

    Examples
    --------
    >>> neg(2.0)
    -2.0
    """
    return -x


@primitive(
    Unary,
    symbol="|x|",
    partials=lambda y, x: (where(x > 0, 1.0, where(x < 0, -1.0, x * 0.0)),),
    domain=Domain(gap=lambda x: x),
    text=Notation("|{0}|"),
    mathml=Notation("<mrow><mo>|</mo>{0}<mo>|</mo></mrow>"),
    javascript=call("Math.abs", 1),
)
def abs(x: float) -> float:
    """Take the absolute value, |x|.

    Notes
    -----
    At the kink, x = 0, the slope is taken as 0 (PyTorch's choice).

    Examples
    --------
    >>> abs(-2.0)
    2.0
    """
    return math.fabs(x)


def _pow_valid(base: Symbol, exponent: Symbol) -> Symbol:
    whole = eq(floor(exponent), exponent)
    return where(base > 0, 1.0, where(base < 0, whole, exponent >= 0))


class Power(Binary):
    """The operation `pow`; with a modulus, it calls Python's `pow` for integers."""

    @overload
    def __call__(self, base: float, exp: float, mod: None = None) -> float: ...
    @overload
    def __call__(self, base: int, exp: int, mod: int) -> int: ...
    @overload
    def __call__(
        self, base: Operand[R_co], exp: Operand[R_co] | float, mod: None = None
    ) -> R_co: ...
    @overload
    def __call__(self, base: float, exp: Operand[R_co], mod: None = None) -> R_co: ...
    def __call__(self, base: Any, exp: Any, mod: Any = None) -> Any:
        """Raise to a power; with a modulus, all arguments are integers."""
        if mod is None:
            return self.of(base, exp)
        if any(hasattr(x, "_apply") for x in (base, exp, mod)):
            raise OperandError(
                "pow with a modulus takes integers only: write remainder(pow(base, exp), mod)"
            )
        return builtins.pow(base, exp, mod)


def _pow_partials(y: Symbol, base: Symbol, exponent: Symbol) -> tuple[Any, ...]:
    # At exponent 0 the slope by the base is 0, written such that its own partials are right.
    zero = exponent / where(abs(base) > 0, base, 1.0) * y
    return (
        where(eq(exponent, 0.0), zero, exponent * base ** (exponent - 1)),
        where(where(eq(base, 0.0), gt(exponent, 0.0), 0.0), 0.0, y * log(base)),
    )


@primitive(
    Power,
    symbol="**",
    partials=_pow_partials,
    domain=Domain(
        (0.3, 3.0),
        (-2.0, 2.0),
        valid=_pow_valid,
        needs="a base > 0, or base < 0 and a whole exponent, or base 0 and an exponent >= 0",
        remedy=lambda base, exponent: base > 0,
        divides=True,  # 0 ** -1 is a division by 0
    ),
    text=Notation("{0}^{1}", POWER, (ATOM, POWER)),
    mathml=Notation("<msup>{0}{1}</msup>", POWER, (ATOM, 1)),
    # In C and IEEE 754, pow(1, y) and pow(-1, ±inf) are 1; in JavaScript, some of them are nan.
    javascript="""\
(x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y))""",
)
def pow(base: float, exponent: float) -> float:
    """Raise to a power, base ** exponent.

    Raises
    ------
    DomainError
        If a negative base has a fractional exponent.
    DivisionByZeroError
        If base 0 has a negative exponent.

    Notes
    -----
    The partials follow PyTorch. By the base, the partial is exponent · base ** (exponent - 1), and
    0 for exponent 0. By the exponent, it is result · ln(base): 0 for base 0 and a positive
    exponent, -inf at 0 ** 0 (where PyTorch has 0), and nan for a negative base.

    Examples
    --------
    >>> pow(2.0, 3.0)
    8.0
    """
    try:
        return math.pow(base, exponent)
    except (OverflowError, ValueError):
        if base < 0.0 and not exponent.is_integer():
            return math.nan
        odd = math.fmod(exponent, 2.0) in {1.0, -1.0}
        return math.copysign(math.inf, base) if odd else math.inf


@composite(
    Unary,
    symbol="x²",
    partials=lambda y, x: (2 * x,),
    text=Notation("{0}²", POWER, (ATOM,)),
    mathml=Notation("<msup>{0}<mn>2</mn></msup>", POWER, (ATOM,)),
)
def square(x: Symbol) -> Symbol:
    """Square, x².

    Examples
    --------
    >>> square(3.0)
    9.0
    """
    return x * x


@composite(
    Unary,
    symbol="1/x",
    partials=lambda y, x: (-y / x,),
    domain=Domain((0.5, 3.0), valid=lambda x: ne(x, 0.0), divides=True),
    text=Notation("1/{0}", PRODUCT, (PRODUCT + 1,)),
    mathml=Notation("<mfrac><mn>1</mn>{0}</mfrac>", PRODUCT, (1,)),
)
def reciprocal(x: Symbol) -> Symbol:
    """Take the reciprocal, 1/x.

    Raises
    ------
    DomainError
        If x is 0; it is a DivisionByZeroError.

    Examples
    --------
    >>> reciprocal(4.0)
    0.25
    """
    return 1 / x
