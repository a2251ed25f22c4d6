"""Neural networks on scalars, with PyTorch's names: lists of Values in, lists of Values out."""

from __future__ import annotations

from scalargrad.losses import modules
from scalargrad.losses.modules import *
from scalargrad.nn import (
    activation,
    attention,
    container,
    embedding,
    init,
    linear,
    normalization,
    perceptron,
    recurrent,
    saving,
)
from scalargrad.nn.activation import *
from scalargrad.nn.attention import *
from scalargrad.nn.container import *
from scalargrad.nn.embedding import *
from scalargrad.nn.linear import *
from scalargrad.nn.module import Module, functional_call
from scalargrad.nn.normalization import *
from scalargrad.nn.perceptron import *
from scalargrad.nn.recurrent import *
from scalargrad.nn.saving import *
from scalargrad.nn.state import IncompatibleKeys
from scalargrad.nn.summary import Summary, summary

__all__ = [
    "IncompatibleKeys",
    "Module",
    "Summary",
    "functional_call",
    "init",
    "summary",
]
__all__ += modules.__all__
__all__ += activation.__all__
__all__ += container.__all__
__all__ += perceptron.__all__
__all__ += linear.__all__
__all__ += recurrent.__all__
__all__ += normalization.__all__
__all__ += attention.__all__
__all__ += embedding.__all__
__all__ += saving.__all__
