"""Activation functions of neural networks."""

from __future__ import annotations

import math
from typing import Any, overload

from scalargrad.checks.arguments import check_choice
from scalargrad.opdef.declaration import ATOM, SUM, Domain, Notation
from scalargrad.opdef.operation import (
    Binary,
    FixedArityOperation,
    Operand,
    R_co,
    Unary,
    composite,
    primitive,
)
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.arithmetic import abs
from scalargrad.ops.exponential import bell, erfc, exp, expm1, log1p
from scalargrad.ops.rounding import rint
from scalargrad.ops.selection import eq, where

__all__ = [
    "elu",
    "gelu",
    "gelu_tanh",
    "identity",
    "leaky_relu",
    "logsigmoid",
    "relu",
    "sigmoid",
    "silu",
    "softplus",
]

_KINK = Domain(gap=lambda x: x)

#: With a slope or scale of 1, both sides have one slope at 0.
_KINK_UNLESS_ONE = Domain(
    (-3.0, 3.0), (0.05, 1.0), gap=lambda x, scale: where(eq(scale, 1.0), 1.0, x)
)


@composite(
    Binary, partials=lambda _, y, x: (-1.0, 0.0), text=Notation("1 - {0}", SUM, (SUM + 1, SUM))
)
def _one_minus(y: Symbol, x: Symbol) -> Symbol:
    """Return 1 - y for y = σ(x), as a function of y; for x >= 0 as e^-|x| · y, to be accurate."""
    return where(x < 0, 1 - y, exp(-abs(x)) * y)


@composite(
    Unary,
    symbol="σ",
    partials=lambda y, x: (y * _one_minus(y, x),),
    text=Notation("σ({0})"),
)
def sigmoid(x: Symbol) -> Symbol:
    """Apply the logistic function, σ(x) = 1 / (1 + e^-x); its slope is σ(1 - σ).

    Notes
    -----
    Computed from e^-|x|, which cannot overflow.

    Examples
    --------
    >>> sigmoid(0.0)
    0.5
    """
    decay = exp(-abs(x))
    return where(x < 0, decay, 1.0) / (1 + decay)


@composite(Unary, partials=lambda y, x: (sigmoid(x),))
def softplus(x: Symbol) -> Symbol:
    """Apply softplus, a smooth ReLU, ln(1 + e^x), stable for large |x|; its slope is σ(x).

    Notes
    -----
    Computed as max(x, 0) + ln(1 + e^-|x|).

    Examples
    --------
    >>> softplus(1000.0)
    1000.0
    """
    return relu(x) + log1p(exp(-abs(x)))


@composite(Unary, symbol="lnσ", partials=lambda y, x: (sigmoid(-x),))
def logsigmoid(x: Symbol) -> Symbol:
    """Take the logarithm of the logistic function, ln σ(x) = -ln(1 + e^-x); its slope is σ(-x).

    Examples
    --------
    >>> logsigmoid(-1000.0)
    -1000.0
    """
    return -softplus(-x)


@composite(
    Unary,
    symbol="ReLU",
    partials=lambda y, x: (where(y <= 0, 0.0, 1.0),),
    domain=_KINK,
    pattern="router",
)
def relu(x: Symbol) -> Symbol:
    """Apply the rectified linear unit, max(x, 0).

    Notes
    -----
    At the kink, x = 0, the slope is taken as 0 (PyTorch's choice). ReLU of NaN is NaN.

    Examples
    --------
    >>> relu(-2.0)
    0.0
    """
    return where(x <= 0, 0.0, x)


class LeakyReLUOperation(FixedArityOperation):
    """The operation `leaky_relu`, whose slope has a default and may be a Value, to be trained."""

    @overload
    def __call__(self, x: float, negative_slope: float = 0.01) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], negative_slope: Operand[R_co] | float = 0.01) -> R_co: ...
    @overload
    def __call__(self, x: float, negative_slope: Operand[R_co]) -> R_co: ...
    def __call__(self, x: Any, negative_slope: Any = 0.01) -> Any:
        return self.of(x, negative_slope)


@composite(
    LeakyReLUOperation,
    symbol="LeakyReLU",
    partials=lambda y, x, negative_slope: (
        where(x > 0, 1.0, negative_slope),
        where(x > 0, 0.0, x),
    ),
    domain=_KINK_UNLESS_ONE,
)
def leaky_relu(x: Symbol, negative_slope: Symbol) -> Symbol:
    """Apply the leaky ReLU: x where x > 0, else negative_slope · x.

    Notes
    -----
    At 0 the slope is `negative_slope` (PyTorch's choice).

    Examples
    --------
    >>> leaky_relu(-2.0)
    -0.02
    """
    return where(x > 0, x, negative_slope * x)


class ELUOperation(FixedArityOperation):
    """The operation `elu`, whose scale has a default and may be a Value, to be trained."""

    @overload
    def __call__(self, x: float, alpha: float = 1.0) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], alpha: Operand[R_co] | float = 1.0) -> R_co: ...
    @overload
    def __call__(self, x: float, alpha: Operand[R_co]) -> R_co: ...
    def __call__(self, x: Any, alpha: Any = 1.0) -> Any:
        return self.of(x, alpha)


@composite(
    ELUOperation,
    symbol="ELU",
    partials=lambda y, x, alpha: (
        where(x <= 0, alpha * exp(x), 1.0),
        where(x > 0, 0.0, expm1(x)),
    ),
    domain=_KINK_UNLESS_ONE,
)
def elu(x: Symbol, alpha: Symbol) -> Symbol:
    """Apply the exponential linear unit: x where x > 0, else alpha · (e^x - 1).

    References
    ----------
    Clevert, Unterthiner and Hochreiter, 2016, equation 15.

    Examples
    --------
    >>> elu(2.0)
    2.0
    """
    return where(x > 0, x, alpha * expm1(x))


@composite(
    Unary,
    symbol="SiLU",
    partials=lambda y, x: (sigmoid(x) * (1 + x * _one_minus(sigmoid(x), x)),),
)
def silu(x: Symbol) -> Symbol:
    """Apply the sigmoid linear unit (swish), x · σ(x).

    Examples
    --------
    >>> silu(0.0)
    0.0
    """
    return x * sigmoid(x)


def _normal_density(x: Symbol) -> Symbol:
    return bell(x, 0.5) * (1 / math.sqrt(2 * math.pi))


def _normal_distribution(x: Symbol) -> Symbol:
    return 0.5 * erfc(x * -math.sqrt(0.5))


class Gelu(Unary):
    """The operation `gelu`, with the argument `approximate` of PyTorch."""

    @overload
    def __call__(self, x: float, /, approximate: str = "none") -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], /, approximate: str = "none") -> R_co: ...
    def __call__(self, x: Any, /, approximate: str = "none") -> Any:
        form = check_choice(approximate, "gelu: approximate", ("none", "tanh"))
        return gelu_tanh(x) if form == "tanh" else self.of(x)


@composite(
    Gelu,
    symbol="GELU",
    partials=lambda y, x: (_normal_distribution(x) + x * _normal_density(x),),
)
def gelu(x: Symbol) -> Symbol:
    """Apply the Gaussian error linear unit, x · Φ(x), where Φ is the normal distribution function.

    With ``approximate="tanh"``, `gelu_tanh` is applied.

    References
    ----------
    Hendrycks and Gimpel, 2016.

    Examples
    --------
    >>> gelu(0.0)
    0.0
    """
    return x * _normal_distribution(x)


# The gate of GELU's tanh form is σ(u), where u = c(x + 0.044715x³). Both coefficients of u are
# split into leading digits, whose product with a short number or its cube is exact, and a rest.

#: The factor c.
_GATE = 2.0 * math.sqrt(2.0 / math.pi)
_LINEAR, _LINEAR_REST = 219320838056 / 2**37, 3.0874305383944692e-12
_CUBIC, _CUBIC_REST = 2394270 / 2**25, 9.849412989412621e-09


def _gelu_gate(x: Symbol) -> tuple[Symbol, Symbol, Symbol, Symbol]:
    """Return |x|, du/dx, and e^-|u| as root · root · rest, accurate where it is tiny.

    The absolute rounding error of u is the relative error of e^-u. Therefore u is split into a
    part that is exact in a float and a small rest. |x| is limited to 22: beyond, e^-|u| is 0.
    """
    size = where(x < 0, where(x < -22.0, 22.0, -x), where(x > 22.0, 22.0, x))  # slope 1 at 0
    short = rint(64.0 * size) * 0.015625  # exact, as / 64 is
    cube = short * short * short
    root = exp(-0.5 * (_LINEAR * short + _CUBIC * cube))
    steep = _GATE * (1 + 0.044715 * (size * size + size * short + short * short))
    rest = _LINEAR_REST * short + _CUBIC_REST * cube + (size - short) * steep
    return size, _GATE * (1 + 3 * 0.044715 * (size * size)), root, exp(-rest)


def _gelu_tanh_curvature(x: Symbol) -> Symbol:
    """Return the second derivative of `gelu_tanh`."""
    size, slope, root, rest = _gelu_gate(x)
    decay = root * root * rest
    factor = 2 * slope + _GATE * 6 * 0.044715 * (size * size)
    factor = factor - size * (slope * slope) * (1 - decay) / (1 + decay)
    return factor * root * rest / ((1 + decay) * (1 + decay)) * root


@composite(Unary, partials=lambda y, x: (_gelu_tanh_curvature(x),))
def _gelu_tanh_slope(x: Symbol) -> Symbol:
    """Return the derivative of `gelu_tanh`."""
    size, steep, root, rest = _gelu_gate(x)
    decay = root * root * rest
    uphill = size * steep * root * rest / (1 + decay) * root
    slope = where(x < 0, decay - uphill, 1 + uphill) / (1 + decay)
    return slope + 0.0 * x  # nan at ±inf, as in PyTorch


@composite(Unary, symbol="GELUₜ", partials=lambda y, x: (_gelu_tanh_slope(x),))
def gelu_tanh(x: Symbol) -> Symbol:
    """Apply GELU in its tanh form, ½x(1 + tanh(√(2/π)(x + 0.044715x³))).

    Notes
    -----
    Computed with ½(1 + tanh u) = σ(2u), which is accurate for negative x.

    References
    ----------
    Hendrycks and Gimpel, 2016, section 2.

    Examples
    --------
    >>> gelu_tanh(0.0)
    0.0
    """
    return x * sigmoid(_GATE * (x + 0.044715 * (x * x * x)))


@primitive(
    Unary,
    symbol="id",
    partials=lambda y, x: (1.0,),
    python=Notation("{0}", ATOM, (ATOM,)),
    pattern="distributor",
)
def identity(x: float) -> float:
    """Return x as a new node with the same data.

    Examples
    --------
    >>> identity(2.5)
    2.5
    """
    return x
