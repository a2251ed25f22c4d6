"""Limits on gradients, against steps that are too long."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scalargrad.errors import DomainError, NumericalError
from scalargrad.value import Value


def _as_list(parameters: Iterable[Value] | Value) -> list[Value]:
    return [parameters] if isinstance(parameters, Value) else list(parameters)


def clip_grad_norm_(
    parameters: Iterable[Value] | Value,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients together so that their norm is at most `max_norm`.

    Parameters
    ----------
    parameters : iterable of Parameters
        ``optimizer.active_parameters()`` costs only what was touched.
    max_norm : float
        In loss unit / parameter unit.
    norm_type : float
        p of the norm (Σ |g|^p)^(1/p); ``math.inf`` takes the largest |g|.
    error_if_nonfinite : bool
        Raise instead of scaling by a norm that is inf or nan.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    NumericalError
        If asked for, when the norm is inf or nan; no gradient is changed then.
    DomainError
        If `norm_type` is not positive.

    Notes
    -----
    As in PyTorch, the factor is min(1, max_norm / (norm + 1e-6)).

    References
    ----------
    Pascanu, Mikolov and Bengio, 2013.

    Examples
    --------
    >>> v, w = Value(0.0), Value(0.0)
    >>> v.grad, w.grad = 3.0, 4.0
    >>> clip_grad_norm_([v, w], max_norm=1.0)
    5.0
    >>> round(v.grad, 6), round(w.grad, 6)
    (0.6, 0.8)
    """
    if not norm_type > 0.0:
        raise DomainError(f"clip_grad_norm_: norm_type is {norm_type}; it must be positive")
    moving = [p for p in _as_list(parameters) if p.grad]
    norm = _norm([p.grad for p in moving], norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise NumericalError(f"the norm of the gradients is {norm}; none was changed")
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1.0:
        for parameter in moving:
            parameter.grad *= factor
    return norm


def _norm(grads: list[float], p: float) -> float:
    if p == 2.0:
        return math.hypot(*grads)
    largest = max(map(abs, grads), default=0.0)
    if not math.isfinite(math.fsum(grads)):
        return math.nan if any(g != g for g in grads) else math.inf
    if p == math.inf or largest == 0.0:
        return largest
    # Scaled by the largest, no power overflows.
    return float(largest * math.fsum((abs(g) / largest) ** p for g in grads) ** (1.0 / p))


def clip_grad_value_(parameters: Iterable[Value] | Value, clip_value: float) -> None:
    """Limit every gradient to the interval [-clip_value, clip_value].

    Parameters
    ----------
    parameters : iterable of Parameters
        ``optimizer.active_parameters()`` costs only what was touched.
    clip_value : float
        In loss unit / parameter unit.

    Notes
    -----
    A nan stays nan.

    Examples
    --------
    >>> w = Value(0.0)
    >>> w.grad = -3.0
    >>> clip_grad_value_(w, 1.0)
    >>> w.grad
    -1.0
    """
    limit = float(clip_value)
    for parameter in _as_list(parameters):
        if parameter.grad and abs(parameter.grad) > limit:
            parameter.grad = math.copysign(limit, parameter.grad)
