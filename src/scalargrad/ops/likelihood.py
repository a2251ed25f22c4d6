"""The logarithm of a probability, clamped as PyTorch clamps it."""

from __future__ import annotations

from typing import Any

from scalargrad.ops.exponential import log, log1p
from scalargrad.ops.selection import clip, where
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Binary, composite
from scalargrad.table.symbol import Symbol

__all__ = ["log_loss"]

_SMALLEST = 9.999999960041972e-13  # PyTorch's: 1e-12 rounded to a 32-bit float


def _bounded(logarithm: Symbol) -> Symbol:
    return clip(logarithm, -100.0)


def _partials(_: Symbol, p: Symbol, t: Symbol) -> tuple[Any, ...]:
    return (p - t) / clip(p * (1 - p), _SMALLEST), _bounded(log1p(-p)) - _bounded(log(p))


@composite(
    Binary,
    symbol="log loss",
    partials=_partials,
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
    return -(t * _bounded(log(p)) + (1 - t) * _bounded(log1p(-p)))
