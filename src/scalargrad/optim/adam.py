"""Adam and its variants."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from scalargrad.optim.group_step import Rule
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.options import Group, flags, fractions
from scalargrad.optim.rules import adam, sparse_adam

Betas = tuple[float, float]


class Adam(Optimizer):
    """Adam: step along the running mean of the gradient, scaled to a length of about lr.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Learning rate, in parameter unit.
    betas : two floats in [0, 1)
        Memory of the mean of the gradient, and of its square.
    eps : float
        Added to the root, in loss unit / parameter unit.
    weight_decay : float
        λ of the L2 penalty ½λw², whose gradient is scaled too; see `AdamW`.
    amsgrad : bool
        Divide by the largest running mean so far.
    maximize : bool
        Ascend instead.

    Raises
    ------
    DomainError
        If an option is out of its range.

    References
    ----------
    Kingma and Ba, 2015; Reddi, Kale and Kumar, 2018 (amsgrad).

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> w = Parameter(3.0)
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)
    2.5
    """

    state_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    decoupled = False

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options: Group = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "amsgrad": amsgrad, "maximize": maximize})

    def check(self, group: Group) -> None:
        """Raise DomainError if an option is out of its range."""
        super().check(group)
        fractions(group, "betas", 2)
        flags(group, "amsgrad")

    def rule(self, group: Group) -> Rule:
        """Return `rules.adam` with these options."""
        return partial(
            adam,
            lr=group["lr"],
            betas=group["betas"],
            corrections=_corrections(group),
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.decoupled,
            amsgrad=group["amsgrad"],
        )


def _corrections(group: Group) -> tuple[float, float]:
    first, second = (1.0 - beta ** group["step"] for beta in group["betas"])
    return first, second


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: w shrinks by lr · weight_decay · w.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize
        As for `Adam`.
    weight_decay : float
        Fraction by which weights shrink in a step, divided by lr.

    References
    ----------
    Loshchilov and Hutter, 2019.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> w = Parameter(1.0)
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.data
    0.75
    """

    decoupled = True

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class SparseAdam(Optimizer):
    """Adam for lookup tables such as Embedding's: it visits only the entries a gradient touched.

    Parameters
    ----------
    params, lr, betas, eps, maximize
        As for `Adam`.

    Raises
    ------
    DomainError
        If an option is out of its range.

    Notes
    -----
    The running means of entries not touched stay as they are, instead of decaying. Parameters
    of no table are visited in every step; PyTorch refuses those.

    Examples
    --------
    >>> from scalargrad.nn import Embedding
    >>> table = Embedding(10_000, 1, rng=0)
    >>> optimizer = SparseAdam(table.parameters(), lr=0.5)
    >>> table(7)[0].backward()
    >>> optimizer.active_parameters() == list(table.weight[7])
    True
    """

    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, group: Group) -> None:
        """Raise DomainError if an option is out of its range."""
        super().check(group)
        fractions(group, "betas", 2)

    def is_sparse(self, group: Group) -> bool:
        """Return True."""
        del group
        return True

    def rule(self, group: Group) -> Rule:
        """Return `rules.sparse_adam` with these options."""
        return partial(
            sparse_adam,
            lr=group["lr"],
            betas=group["betas"],
            corrections=_corrections(group),
            eps=group["eps"],
        )
