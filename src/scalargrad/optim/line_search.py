"""Backtracking line search: lower the learning rate until a step decreases the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scalargrad.checks.arguments import (
    check_fraction,
    check_function,
    check_instance,
    check_positive,
)
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, NumericalError
from scalargrad.optim.optimizer import Optimizer, write_data

#: Maximum number of halvings of a step. After more, rounding would swallow a step of length 1.
_MAX_HALVINGS = 60


def backtracking_line_search(
    optimizer: Optimizer,
    objective: Callable[[], Value],
    *,
    factor: float = 0.5,
    sufficient_decrease: float = 0.0,
) -> float:
    """Take one step of an optimizer, lowering its learning rate until the step reduces the loss.

    Parameters
    ----------
    optimizer : Optimizer
        The search starts from its learning rates, and leaves the rates of the successful step.
    objective : callable
        Computes the loss, a Value, from the current parameters. It is called once with a graph,
        and then without one for each rate tried.
    factor : float
        Factor on the learning rates after a failed step, in (0, 1); ½ halves them.
    sufficient_decrease : float
        c in [0, 1) of Armijo's condition: the loss must fall by more than Σ c · lr · gradient²,
        where lr is the learning rate of each parameter. With 0, any decrease is enough.

    Returns
    -------
    float
        The loss after the step, in its unit. If no rate reduces the loss, nothing is changed and
        this is the loss before: within rounding, the parameters are at a minimum.

    Raises
    ------
    DomainError
        If `factor` is not in (0, 1), or `sufficient_decrease` not in [0, 1).

    References
    ----------
    Armijo, 1966; Nocedal and Wright, Numerical Optimization, 2006, algorithm 3.1.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> w = Parameter(3.0)
    >>> optimizer = SGD([w], lr=8.0)
    >>> backtracking_line_search(optimizer, lambda: w * w)
    0.0
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """
    check_instance(optimizer, "optimizer", Optimizer, "one of scalargrad.optim")
    check_function(objective, "objective", "lambda: loss(model)")
    factor = check_fraction(check_positive(factor, "factor"), "factor")
    sufficient_decrease = check_fraction(sufficient_decrease, "sufficient_decrease")
    optimizer.zero_grad()
    loss = check_instance(objective(), "what objective returns", Value, "the loss, a Value")
    loss.backward()
    data = {p: p.data for group in optimizer.param_groups for p in group["params"]}
    before = optimizer.state_dict()
    rates = [group["lr"] for group in optimizer.param_groups]
    for _ in range(_MAX_HALVINGS):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        loss_after = _loss_after_step(optimizer, objective)
        if loss_after < loss.data - sufficient_decrease * _predicted_decrease(optimizer):
            return loss_after
        write_data([*data], [*data.values()])
        optimizer.load_state_dict(before)
        rates = [rate * factor for rate in rates]
    return loss.data


def _loss_after_step(optimizer: Optimizer, objective: Callable[[], Any]) -> float:
    """Return the loss after one step, or inf if the step or the loss is undefined."""
    try:
        optimizer.step()
        with no_grad():
            loss: float = objective().data
    except (DomainError, NumericalError):
        return float("inf")
    return loss


def _predicted_decrease(optimizer: Optimizer) -> float:
    """Return the decrease of the loss that a step predicts to first order, Σ lr · g²."""
    return math.fsum(
        group["lr"] * parameter.grad**2
        for group in optimizer.param_groups
        for parameter in group["params"]
    )
