"""RMSprop and Adagrad: a learning rate for every parameter, from the size of its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from scalargrad.optim.group_step import Rule
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.options import Group, at_least_zero, flags, fractions
from scalargrad.optim.rules import adagrad, rmsprop


class RMSprop(Optimizer):
    """RMSprop: divide the gradient by the root of the running mean of its square.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Learning rate, in parameter unit.
    alpha : float in [0, 1)
        Memory of the mean.
    eps : float
        Added to the root, in loss unit / parameter unit.
    weight_decay, momentum : float
        As for `SGD`.
    centered : bool
        Divide by the root of the variance instead.
    maximize : bool
        Ascend instead.

    Raises
    ------
    DomainError
        If an option is out of its range.

    References
    ----------
    Hinton, 2012, lecture 6e; Graves, 2013 (centered).

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> w = Parameter(3.0)
    >>> optimizer = RMSprop([w], lr=0.25, alpha=0.75)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)
    2.5
    """

    state_names = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        options |= {"momentum": momentum, "centered": centered, "maximize": maximize}
        super().__init__(params, options)

    def check(self, group: Group) -> None:
        """Raise DomainError if an option is out of its range."""
        super().check(group)
        fractions(group, "alpha")
        flags(group, "centered")

    def rule(self, group: Group) -> Rule:
        """Return `rules.rmsprop` with these options."""
        options = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")
        return partial(rmsprop, **{name: group[name] for name in options})


class Adagrad(Optimizer):
    """Adagrad: divide the gradient by the root of the sum of all its squares so far.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Learning rate, in parameter unit.
    lr_decay : float
        Step t uses lr / (1 + (t - 1) · lr_decay).
    weight_decay : float
        As for `SGD`.
    initial_accumulator_value : float
        The initial value of the sum.
    eps : float
        Added to the root, in loss unit / parameter unit.
    maximize : bool
        Ascend instead.

    Raises
    ------
    DomainError
        If an option is negative.

    Notes
    -----
    Without weight decay, entries of tables that no gradient reached are not visited.

    References
    ----------
    Duchi, Hazan and Singer, 2011.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> w = Parameter(3.0)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)
    2.5
    """

    state_names = ("sum",)

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        options |= {"initial_accumulator_value": initial_accumulator_value, "maximize": maximize}
        super().__init__(params, options)

    def check(self, group: Group) -> None:
        """Raise DomainError if an option is negative."""
        super().check(group)
        at_least_zero(group, "lr_decay", "initial_accumulator_value")

    def first_state(self, group: Group) -> tuple[float, ...]:
        """Return the sum to start with."""
        return (group["initial_accumulator_value"],)

    def is_sparse(self, group: Group) -> bool:
        """Return True without weight decay."""
        return not group["weight_decay"]

    def rule(self, group: Group) -> Rule:
        """Return `rules.adagrad` with these options."""
        return partial(
            adagrad,
            lr=group["lr"] / (1.0 + (group["step"] - 1) * group["lr_decay"]),
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
