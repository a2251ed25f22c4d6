"""Losses, regularisers and metrics, by PyTorch's names and definitions."""

from __future__ import annotations

from scalargrad.losses import modules
from scalargrad.losses.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    l1_penalty,
    l2_penalty,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)
from scalargrad.losses.metrics import accuracy, confusion_matrix, error_rate, zero_one_loss
from scalargrad.losses.modules import *
from scalargrad.losses.modules import Loss

__all__ = [
    "Loss",
    "accuracy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "confusion_matrix",
    "cross_entropy",
    "error_rate",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "smooth_l1_loss",
    "zero_one_loss",
]
__all__ += modules.__all__
