"""Losses as objects that keep their options, by PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from scalargrad.losses import functional

if TYPE_CHECKING:
    from inspect import Signature

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


def _of_options(function: Callable[..., Any]) -> Signature:
    """Return the signature of a loss without predictions and targets."""
    from inspect import signature  # loaded by whoever makes one

    found = signature(function)
    return found.replace(parameters=[*found.parameters.values()][2:])


class _OptionsSignature:
    """The attribute ``__signature__`` of classes of losses, worked out when it is asked for."""

    def __get__(self, loss: object, owner: type[Loss]) -> Signature:
        if owner is Loss or owner.__init__ is not Loss.__init__:
            raise AttributeError(f"{owner.__name__} has the signature of its __init__")
        return _of_options(owner.function)


class Loss:
    """A loss function with its options; calling it computes the loss.

    Attributes
    ----------
    options : dict
        What is passed on to `function`.
    """

    function: ClassVar[Callable[..., Any]]
    __signature__ = _OptionsSignature()

    def __init__(self, *args: Any, **options: Any) -> None:
        given = _of_options(type(self).function).bind(*args, **options)
        given.apply_defaults()
        self.options = dict(given.arguments)

    def __call__(self, input: Any, target: Any) -> Any:
        """Compute the loss of predictions and targets, as `function` does."""
        return type(self).function(input, target, **self.options)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({shown})"


class MSELoss(Loss):
    """The squared error; see `mse_loss`.

    Examples
    --------
    >>> MSELoss(reduction="sum")([1.0, 2.0], [0.0, 0.0])
    5.0
    """

    function = staticmethod(functional.mse_loss)


class L1Loss(Loss):
    """The absolute error; see `l1_loss`.

    Examples
    --------
    >>> L1Loss()([1.0, -2.0], [0.0, 0.0])
    1.5
    """

    function = staticmethod(functional.l1_loss)


class HuberLoss(Loss):
    """Huber's loss; see `huber_loss`.

    Examples
    --------
    >>> HuberLoss()([3.0], [0.0])
    2.5
    """

    function = staticmethod(functional.huber_loss)


class SmoothL1Loss(Loss):
    """The smooth L1 loss; see `smooth_l1_loss`.

    Examples
    --------
    >>> SmoothL1Loss()([3.0], [0.0])
    2.5
    """

    function = staticmethod(functional.smooth_l1_loss)


class BCELoss(Loss):
    """The cross-entropy of probabilities; see `binary_cross_entropy`.

    Examples
    --------
    >>> BCELoss()([0.0], [1.0])
    100.0
    """

    function = staticmethod(functional.binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    """The cross-entropy of logits; see `binary_cross_entropy_with_logits`.

    Examples
    --------
    >>> BCEWithLogitsLoss()([1e4], [1.0])
    0.0
    """

    function = staticmethod(functional.binary_cross_entropy_with_logits)


class HingeLoss(Loss):
    """The hinge loss of two classes; see `hinge_loss`.

    Examples
    --------
    >>> HingeLoss()([0.5, -3.0], [1.0, -1.0])
    0.25
    """

    function = staticmethod(functional.hinge_loss)


class CrossEntropyLoss(Loss):
    """The multi-class cross-entropy; see `cross_entropy`.

    Examples
    --------
    >>> CrossEntropyLoss()([[1e4, 0.0], [0.0, 1e4]], [0, 1])
    0.0
    """

    function = staticmethod(functional.cross_entropy)


class NLLLoss(Loss):
    """The negative log-likelihood; see `nll_loss`.

    Examples
    --------
    >>> NLLLoss()([-0.5, -1.0], 1)
    1.0
    """

    function = staticmethod(functional.nll_loss)


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence; see `kl_div`.

    Examples
    --------
    >>> KLDivLoss(reduction="sum")([0.0, -1.0], [1.0, 0.0])
    0.0
    """

    function = staticmethod(functional.kl_div)


class MultiMarginLoss(Loss):
    """The multi-class hinge loss; see `multi_margin_loss`.

    Examples
    --------
    >>> MultiMarginLoss()([2.0, 0.0], 0)
    0.0
    """

    function = staticmethod(functional.multi_margin_loss)
