"""Gradient clipping, by norm and by value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scalargrad.checks.arguments import check_flag, check_list, check_number
from scalargrad.engine.recorder import refuse_if_recorded
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.system.short_repr import format_value


def _as_list(parameters: Iterable[Value] | Value) -> list[Value]:
    iterable = [parameters] if isinstance(parameters, Value) else parameters
    members = check_list(iterable, "parameters", "Parameters", ordered=False)
    for parameter in members:
        if not isinstance(parameter, Value):
            raise OperandError(f"parameters must be Parameters, not {format_value(parameter)}")
    return members


def clip_grad_norm_(
    parameters: Iterable[Value] | Value,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> float:
    """Scale all gradients by one factor so that their norm is at most `max_norm`.

    Parameters
    ----------
    parameters : iterable of Parameters
        Pass ``optimizer.active_parameters()`` to skip matrix entries without a gradient.
    max_norm : float
        Maximum norm, in loss unit / parameter unit.
    norm_type : float
        2 for the Euclidean norm, or ``math.inf`` for the largest |g|.
    error_if_nonfinite : bool
        Raise an error if the norm is inf or nan. This is the default here, but not in PyTorch.

    Returns
    -------
    float
        The norm before scaling.

    Raises
    ------
    NumericalError
        If the norm is inf or nan, unless `error_if_nonfinite` is False; no gradient is changed.
    DomainError
        If `norm_type` is neither 2 nor inf, or `max_norm` is negative.

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
    refuse_if_recorded("clip")
    limit = check_number(max_norm, "max_norm", 0.0, finite=False)
    if (power := check_number(norm_type, "norm_type", finite=False)) not in {2.0, math.inf}:
        raise DomainError(f"norm_type is {power:g}; give 2 or math.inf")
    moving = [p for p in _as_list(parameters) if p.grad]
    norm = math.hypot(*[p.grad for p in moving])
    if power == math.inf and math.isfinite(norm):
        norm = max((abs(p.grad) for p in moving), default=0.0)
    if check_flag(error_if_nonfinite, "error_if_nonfinite") and not math.isfinite(norm):
        raise NumericalError(
            f"the norm of the gradients is {norm}; no gradient was changed. Lower the learning "
            "rate, or look for the operation under detect_anomaly()"
        )
    factor = factor_for(norm, limit)
    if factor != 1.0:
        for parameter in moving:
            parameter.grad *= factor
    return norm


def factor_for(norm: float, max_norm: float) -> float:
    """Return the factor that scales gradients of this norm to `max_norm`, at most 1."""
    factor = max_norm / (norm + 1e-6)
    return 1.0 if factor >= 1.0 else factor


def clip_grad_value_(parameters: Iterable[Value] | Value, clip_value: float) -> None:
    """Clip every gradient to the interval [-clip_value, clip_value].

    Parameters
    ----------
    parameters : iterable of Parameters
        Pass ``optimizer.active_parameters()`` to skip matrix entries without a gradient.
    clip_value : float
        Maximum |gradient|, in loss unit / parameter unit.

    Raises
    ------
    DomainError
        If `clip_value` is negative.

    Notes
    -----
    A gradient that is nan stays nan.

    Examples
    --------
    >>> w = Value(0.0)
    >>> w.grad = -3.0
    >>> clip_grad_value_(w, 1.0)
    >>> w.grad
    -1.0
    """
    refuse_if_recorded("clip")
    limit = check_number(clip_value, "clip_value", 0.0, finite=False)
    for parameter in _as_list(parameters):
        if parameter.grad and abs(parameter.grad) > limit:
            parameter.grad = math.copysign(limit, parameter.grad)
