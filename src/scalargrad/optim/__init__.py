"""Optimisers, learning-rate schedules and gradient clipping, by PyTorch's names."""

from __future__ import annotations

from scalargrad.optim import lr_scheduler as lr_scheduler
from scalargrad.optim import rules as rules
from scalargrad.optim.clipping import clip_grad_norm_ as clip_grad_norm_
from scalargrad.optim.clipping import clip_grad_value_ as clip_grad_value_
from scalargrad.optim.line_search import backtracking_line_search as backtracking_line_search
from scalargrad.optim.optimizer import Optimizer as Optimizer
from scalargrad.optim.optimizers import SGD as SGD
from scalargrad.optim.optimizers import Adagrad as Adagrad
from scalargrad.optim.optimizers import Adam as Adam
from scalargrad.optim.optimizers import AdamW as AdamW
from scalargrad.optim.optimizers import RMSprop as RMSprop
from scalargrad.optim.optimizers import SparseAdam as SparseAdam
from scalargrad.optim.state import torch_state_dict as torch_state_dict

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
