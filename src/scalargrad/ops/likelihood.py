"""The logarithm of a probability, clamped as PyTorch clamps it."""

from __future__ import annotations

from typing import Any

from scalargrad.ops.exponential import log, log1p
from scalargrad.ops.selection import clip, where
from scalargrad.table.declaration import ATOM, Notation
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Binary, composite
from scalargrad.table.symbol import Symbol

__all__ = ["log_loss"]

_SMALLEST = 9.999999960041972e-13  # PyTorch's: 1e-12 rounded to a 32-bit float
_SLOPE = "(({0} − {1}) / clip({0}·(1 − {0}), 1e−12, inf))"


def _partials_of_slope(_: Symbol, p: Symbol, t: Symbol) -> tuple[Any, ...]:
    size = clip(p * (1 - p), _SMALLEST)
    bend = t * ((1 - p) / size) ** 2 + (1 - t) * (p / size) ** 2  # finite at 0 and 1, too
    return where(size > _SMALLEST, bend, 1 / size), -1 / size


@composite(Binary, partials=_partials_of_slope, text=Notation(_SLOPE, ATOM, (4, 4)))
def _slope(p: Symbol, t: Symbol) -> Symbol:
    """Return the slope by p of `log_loss`; its own, t / p² + (1 - t) / (1 - p)², cannot cancel."""
    return (p - t) / clip(p * (1 - p), _SMALLEST)


@composite(
    Binary,
    symbol="log loss",
    partials=lambda _, p, t: (_slope(p, t), clip(log1p(-p), -100.0) - clip(log(p), -100.0)),
    domain=Domain(
        (0.05, 0.95),
        (0.0, 1.0),
        valid=lambda p, t: where(p >= 0, p <= 1, 0.0),
        safe=0.5,
        needs="0 <= p <= 1 (it is a probability)",
    ),
)
def log_loss(p: Symbol, t: Symbol) -> Symbol:
    """Compute -(t ln p + (1 - t) ln(1 - p)), the log loss in nats of predicting p for target t.

    Raises
    ------
    DomainError
        If p is not in [0, 1].

    Notes
    -----
    As in PyTorch, each logarithm is at least -100 and the denominator p(1 - p) of the slope
    at least 1e-12, so that p = 0 and p = 1 give finite numbers.

    Examples
    --------
    >>> log_loss(0.0, 1.0)
    100.0
    >>> round(log_loss(0.5, 1.0), 12)
    0.69314718056
    """
    return -(t * clip(log(p), -100.0) + (1 - t) * clip(log1p(-p), -100.0))
