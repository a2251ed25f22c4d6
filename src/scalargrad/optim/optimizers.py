"""SGD, Adam and its kin, RMSprop and Adagrad: options by PyTorch's names, each with its rule."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from scalargrad.errors import DomainError
from scalargrad.optim import rules
from scalargrad.optim.optimizer import Optimizer, Rule
from scalargrad.optim.state import Group

Betas = tuple[float, float]


class SGD(Optimizer):
    """Gradient descent, w ← w - lr · ∂loss/∂w, on a batch of any size.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Learning rate, in parameter unit² / loss unit.
    momentum, dampening : float
        velocity ← momentum · velocity + (1 - dampening) · gradient, and a step along it. The first
        step of a group is taken without dampening.
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
    formula = staticmethod(rules.sgd)

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
        if group["nesterov"] and (group["momentum"] == 0.0 or group["dampening"] != 0.0):
            raise DomainError("nesterov needs momentum > 0 and dampening = 0")

    def is_sparse(self, group: Group) -> bool:
        """Return True without momentum and weight decay."""
        return not (group["momentum"] or group["weight_decay"])

    def rule(self, group: Group) -> Rule:
        """Return `rules.sgd` with these options, in the first step without dampening."""
        rule = super().rule(group)
        first = group["dampening"] and group["step"] == 1
        return partial(rule, dampening=0.0) if first else rule


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
    nonnegative_state = frozenset({"exp_avg_sq", "max_exp_avg_sq"})
    formula = staticmethod(rules.adam)
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

    def rule(self, group: Group) -> Rule:
        """Return `rules.adam` with these options."""
        options = {"corrections": _corrections(group), "decoupled": self.decoupled}
        return partial(super().rule(group), **options)


def _corrections(group: Group) -> Betas:
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
    >>> w.grad = 0.0
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
    nonnegative_state = frozenset({"exp_avg_sq"})
    formula = staticmethod(rules.sparse_adam)

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

    def is_sparse(self, group: Group) -> bool:
        """Return True."""
        del group
        return True

    def rule(self, group: Group) -> Rule:
        """Return `rules.sparse_adam` with these options."""
        return partial(super().rule(group), corrections=_corrections(group))


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
    nonnegative_state = frozenset({"square_avg"})
    formula = staticmethod(rules.rmsprop)

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
    nonnegative_state = frozenset({"sum"})

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

    def first_state(self, group: Group) -> tuple[float, ...]:
        """Return the sum to start with."""
        return (group["initial_accumulator_value"],)

    def is_sparse(self, group: Group) -> bool:
        """Return True without weight decay."""
        return not group["weight_decay"]

    def rule(self, group: Group) -> Rule:
        """Return `rules.adagrad` with these options."""
        lr = group["lr"] / (1.0 + (group["step"] - 1) * group["lr_decay"])
        return partial(rules.adagrad, lr=lr, eps=group["eps"], weight_decay=group["weight_decay"])
