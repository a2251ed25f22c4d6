"""Losses, regularization penalties and metrics, with PyTorch's names and definitions."""

from __future__ import annotations

from scalargrad.losses import functional, modules
from scalargrad.losses.functional import *
from scalargrad.losses.modules import *
from scalargrad.losses.modules import Loss

__all__ = ["Loss"]
__all__ += functional.__all__
__all__ += modules.__all__
