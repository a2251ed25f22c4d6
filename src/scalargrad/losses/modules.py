"""Loss functions as objects that store their options, with PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from scalargrad.losses.functional import (
    IGNORED,
    Reduction,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class Loss:
    """A loss function with its options; calling it computes the loss.

    Attributes
    ----------
    options : dict
        Keyword arguments of `function`.
    """

    function: ClassVar[Callable[..., Any]]

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __call__(self, input: Any, target: Any) -> Any:
        """Compute the loss of predictions and targets, as `function` does."""
        return type(self).function(input, target, **self.options)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({options})"


class MSELoss(Loss):
    """The squared error; see `mse_loss`.

    Examples
    --------
    >>> MSELoss(reduction="sum")([1.0, 2.0], [0.0, 0.0])
    5.0
    """

    function = staticmethod(mse_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


class L1Loss(Loss):
    """The absolute error; see `l1_loss`.

    Examples
    --------
    >>> L1Loss()([1.0, -2.0], [0.0, 0.0])
    1.5
    """

    function = staticmethod(l1_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


class HuberLoss(Loss):
    """Huber's loss; see `huber_loss`.

    Examples
    --------
    >>> HuberLoss()([3.0], [0.0])
    2.5
    """

    function = staticmethod(huber_loss)

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class SmoothL1Loss(Loss):
    """The smooth L1 loss; see `smooth_l1_loss`.

    Examples
    --------
    >>> SmoothL1Loss()([3.0], [0.0])
    2.5
    """

    function = staticmethod(smooth_l1_loss)

    def __init__(self, *, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class BCELoss(Loss):
    """The cross-entropy of probabilities; see `binary_cross_entropy`.

    Examples
    --------
    >>> BCELoss()([0.0], [1.0])
    100.0
    """

    function = staticmethod(binary_cross_entropy)

    def __init__(self, weight: Any = None, *, reduction: Reduction = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class BCEWithLogitsLoss(Loss):
    """The cross-entropy of logits; see `binary_cross_entropy_with_logits`.

    Examples
    --------
    >>> BCEWithLogitsLoss()([1e4], [1.0])
    0.0
    """

    function = staticmethod(binary_cross_entropy_with_logits)

    def __init__(
        self, weight: Any = None, *, reduction: Reduction = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class HingeLoss(Loss):
    """The hinge loss of two classes; see `hinge_loss`.

    Examples
    --------
    >>> HingeLoss()([0.5, -3.0], [1.0, -1.0])
    0.25
    """

    function = staticmethod(hinge_loss)

    def __init__(self, *, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(margin=margin, reduction=reduction)


class CrossEntropyLoss(Loss):
    """The multi-class cross-entropy; see `cross_entropy`.

    Examples
    --------
    >>> CrossEntropyLoss()([[1e4, 0.0], [0.0, 1e4]], [0, 1])
    0.0
    """

    function = staticmethod(cross_entropy)

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        *,
        ignore_index: int = IGNORED,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )


class NLLLoss(Loss):
    """The negative log-likelihood; see `nll_loss`.

    Examples
    --------
    >>> NLLLoss()([-0.5, -1.0], 1)
    1.0
    """

    function = staticmethod(nll_loss)

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        *,
        ignore_index: int = IGNORED,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence; see `kl_div`.

    Examples
    --------
    >>> KLDivLoss(reduction="sum")([0.0, -1.0], [1.0, 0.0])
    0.0
    """

    function = staticmethod(kl_div)

    def __init__(
        self, *, reduction: Reduction | Literal["batchmean"] = "mean", log_target: bool = False
    ) -> None:
        super().__init__(reduction=reduction, log_target=log_target)


class MultiMarginLoss(Loss):
    """The multi-class hinge loss; see `multi_margin_loss`.

    Examples
    --------
    >>> MultiMarginLoss()([2.0, 0.0], 0)
    0.0
    """

    function = staticmethod(multi_margin_loss)

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Sequence[float] | None = None,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(p=p, margin=margin, weight=weight, reduction=reduction)
