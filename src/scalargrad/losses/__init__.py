"""Losses, regularisers and metrics, by PyTorch's names and definitions."""

from __future__ import annotations

from scalargrad.losses import modules
from scalargrad.losses.classification import binary_cross_entropy as binary_cross_entropy
from scalargrad.losses.classification import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from scalargrad.losses.classification import cross_entropy as cross_entropy
from scalargrad.losses.classification import hinge_loss as hinge_loss
from scalargrad.losses.classification import kl_div as kl_div
from scalargrad.losses.classification import multi_margin_loss as multi_margin_loss
from scalargrad.losses.classification import nll_loss as nll_loss
from scalargrad.losses.metrics import accuracy as accuracy
from scalargrad.losses.metrics import confusion_matrix as confusion_matrix
from scalargrad.losses.metrics import error_rate as error_rate
from scalargrad.losses.metrics import zero_one_loss as zero_one_loss
from scalargrad.losses.modules import *
from scalargrad.losses.modules import Loss as Loss
from scalargrad.losses.penalties import l1_penalty as l1_penalty
from scalargrad.losses.penalties import l2_penalty as l2_penalty
from scalargrad.losses.regression import huber_loss as huber_loss
from scalargrad.losses.regression import l1_loss as l1_loss
from scalargrad.losses.regression import mse_loss as mse_loss
from scalargrad.losses.regression import smooth_l1_loss as smooth_l1_loss

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
