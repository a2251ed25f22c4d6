"""Optimizers, learning-rate schedules and gradient clipping, by PyTorch's names."""

from __future__ import annotations

from scalargrad.optim import lr_scheduler, rules
from scalargrad.optim.clipping import clip_grad_norm_, clip_grad_value_
from scalargrad.optim.line_search import backtracking_line_search
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop, SparseAdam
from scalargrad.optim.state import torch_state_dict

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "SparseAdam",
    "backtracking_line_search",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "rules",
    "torch_state_dict",
]
