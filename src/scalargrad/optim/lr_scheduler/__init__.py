"""Schedules: how the learning rate changes from epoch to epoch, by PyTorch's names.

Each step starts from the current rate, as in PyTorch: several schedules of one optimiser multiply,
and a rate set by hand is not overwritten. A warm-up is a LinearLR followed by another schedule in a
SequentialLR.
"""

from __future__ import annotations

from scalargrad.optim.lr_scheduler.combined import ChainedScheduler as ChainedScheduler
from scalargrad.optim.lr_scheduler.combined import SequentialLR as SequentialLR
from scalargrad.optim.lr_scheduler.cycles import (
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
)
from scalargrad.optim.lr_scheduler.cycles import OneCycleLR as OneCycleLR
from scalargrad.optim.lr_scheduler.decay import CosineAnnealingLR as CosineAnnealingLR
from scalargrad.optim.lr_scheduler.decay import LinearLR as LinearLR
from scalargrad.optim.lr_scheduler.decay import PolynomialLR as PolynomialLR
from scalargrad.optim.lr_scheduler.factors import ConstantLR as ConstantLR
from scalargrad.optim.lr_scheduler.factors import ExponentialLR as ExponentialLR
from scalargrad.optim.lr_scheduler.factors import LambdaLR as LambdaLR
from scalargrad.optim.lr_scheduler.factors import MultiStepLR as MultiStepLR
from scalargrad.optim.lr_scheduler.factors import StepLR as StepLR
from scalargrad.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from scalargrad.optim.lr_scheduler.scheduler import LRScheduler as LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
