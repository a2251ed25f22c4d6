"""Gradient descent, plain or with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from scalargrad.errors import DomainError
from scalargrad.optim.group_step import Rule
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.options import Group, flags
from scalargrad.optim.rules import sgd
from scalargrad.table.validation import number


class SGD(Optimizer):
    """Gradient descent, w ← w - lr · ∂loss/∂w, on a batch of any size.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Learning rate, in parameter unit² / loss unit.
    momentum, dampening : float
        velocity ← momentum · velocity + (1 - dampening) · gradient, and a step along it. A group
        without velocities takes a step without dampening.
    weight_decay : float
        λ of the L2 penalty ½λw².
    nesterov : bool
        Nesterov's momentum.
    maximize : bool
        Ascend instead.

    Raises
    ------
    DomainError
        If an option is negative, or nesterov lacks momentum or has dampening.

    Notes
    -----
    Without momentum and weight decay, entries of tables that no gradient reached are not
    visited.

    References
    ----------
    Robbins and Monro, 1951; Sutskever, Martens, Dahl and Hinton, 2013.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> w = Parameter(3.0)
    >>> optimizer = SGD([w], lr=0.25)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> w.data
    0.75
    """

    state_names = ("momentum_buffer",)

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        options |= {"weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize}
        super().__init__(params, options)

    def check(self, group: Group) -> None:
        """Raise DomainError if an option is negative, or nesterov lacks what it needs."""
        super().check(group)
        group["dampening"] = number(group["dampening"], "dampening")
        flags(group, "nesterov")
        if group["nesterov"] and (group["momentum"] == 0.0 or group["dampening"] != 0.0):
            raise DomainError("nesterov needs momentum > 0 and dampening = 0")

    def has_state(self, group: Group) -> bool:
        """Return True with momentum."""
        return bool(group["momentum"])

    def is_sparse(self, group: Group) -> bool:
        """Return True without momentum and weight decay."""
        return not (group["momentum"] or group["weight_decay"])

    def next_group(self, group: Group) -> Group:
        """Return a group as its next step takes it, which is its first where it has no velocity."""
        following = super().next_group(group)
        if following["momentum"] and following["dampening"]:
            following["step"] = 2 if any(p in self.state for p in group["params"]) else 1
        return following

    def rule(self, group: Group) -> Rule:
        """Return `rules.sgd` with these options."""
        return partial(
            sgd,
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"] if group["step"] > 1 else 0.0,
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
        )
