"""Backtracking line search: a learning rate that is halved until the loss falls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scalargrad.errors import DomainError, NumericalError
from scalargrad.grad_mode import no_grad
from scalargrad.optim.optimizer import Optimizer, write_data
from scalargrad.table.validation import fraction, function, instance, positive
from scalargrad.value import Value

#: The most halvings of a step: after more, a step of length 1 would be lost to rounding.
_MOST = 60


def backtracking_line_search(
    optimizer: Optimizer,
    objective: Callable[[], Value],
    *,
    factor: float = 0.5,
    sufficient_decrease: float = 0.0,
) -> float:
    """Take one step of an optimiser, with its learning rate lowered until the loss falls.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates are where the search starts; they stay as low as the search left them.
    objective : callable
        Computes the loss, a Value, from the parameters as they are; called once with a graph
        and then without one for each rate that is tried.
    factor : float
        What a learning rate is multiplied by after a failure, in (0, 1); ½ halves it.
    sufficient_decrease : float
        c in [0, 1) of Armijo's condition: the loss must fall by more than c · lr · ‖gradient‖²,
        where lr is that of each parameter. With 0 it must fall.

    Returns
    -------
    float
        The loss after the step, in its unit. If no rate lowers it, nothing is changed and it is
        that from before: the parameters are at a minimum, as far as rounding tells.

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
    instance(optimizer, "optimizer", Optimizer, "one of scalargrad.optim")
    function(objective, "objective", "lambda: loss(model)")
    factor = fraction(positive(factor, "factor"), "factor")
    sufficient_decrease = fraction(sufficient_decrease, "sufficient_decrease")
    optimizer.zero_grad()
    loss = instance(objective(), "what objective returns", Value, "the loss, a Value")
    loss.backward()
    data = {p: p.data for group in optimizer.param_groups for p in group["params"]}
    before = optimizer.state_dict()
    rates = [group["lr"] for group in optimizer.param_groups]
    for _ in range(_MOST):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        found = _loss_after_a_step(optimizer, objective)
        if found < loss.data - sufficient_decrease * _first_order(optimizer):
            return found
        write_data([*data], [*data.values()])
        optimizer.load_state_dict(before)
        rates = [rate * factor for rate in rates]
    return loss.data


def _loss_after_a_step(optimizer: Optimizer, objective: Callable[[], Any]) -> float:
    """Return the loss after one step; inf if the step, or the loss there, is undefined."""
    try:
        optimizer.step()
        with no_grad():
            found: float = objective().data
    except (DomainError, NumericalError):
        return float("inf")
    return found


def _first_order(optimizer: Optimizer) -> float:
    """Return the decrease of the loss that a step promises to first order, Σ lr · g²."""
    return math.fsum(
        group["lr"] * parameter.grad**2
        for group in optimizer.param_groups
        for parameter in group["params"]
    )
