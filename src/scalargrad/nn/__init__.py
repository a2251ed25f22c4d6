"""Neural networks on scalars, by PyTorch's names: lists of Values in, lists of Values out."""

from __future__ import annotations

from scalargrad.losses import modules
from scalargrad.losses.modules import *
from scalargrad.nn import activation, container, perceptron, recurrent, saving
from scalargrad.nn import init as init
from scalargrad.nn.activation import *
from scalargrad.nn.activation import LogSoftmax as LogSoftmax
from scalargrad.nn.activation import Softmax as Softmax
from scalargrad.nn.attention import MultiheadAttention as MultiheadAttention
from scalargrad.nn.container import *
from scalargrad.nn.dropout import Dropout as Dropout
from scalargrad.nn.embedding import Embedding as Embedding
from scalargrad.nn.embedding import EmbeddingBag as EmbeddingBag
from scalargrad.nn.functional_call import functional_call as functional_call
from scalargrad.nn.linear import Linear as Linear
from scalargrad.nn.module import Module as Module
from scalargrad.nn.normalization import LayerNorm as LayerNorm
from scalargrad.nn.normalization import RMSNorm as RMSNorm
from scalargrad.nn.perceptron import *
from scalargrad.nn.recurrent import *
from scalargrad.nn.saving import *
from scalargrad.nn.state import IncompatibleKeys as IncompatibleKeys
from scalargrad.nn.summary import Summary as Summary
from scalargrad.nn.summary import summary as summary

__all__ = [
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "IncompatibleKeys",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "Module",
    "MultiheadAttention",
    "RMSNorm",
    "Softmax",
    "Summary",
    "functional_call",
    "init",
    "summary",
]
__all__ += modules.__all__
__all__ += activation.__all__
__all__ += container.__all__
__all__ += perceptron.__all__
__all__ += recurrent.__all__
__all__ += saving.__all__
