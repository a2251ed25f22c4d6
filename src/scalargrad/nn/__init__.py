"""Neural networks on scalars, by PyTorch's names: lists of Values in, lists of Values out."""

from __future__ import annotations

from scalargrad.losses.modules import BCELoss as BCELoss
from scalargrad.losses.modules import BCEWithLogitsLoss as BCEWithLogitsLoss
from scalargrad.losses.modules import CrossEntropyLoss as CrossEntropyLoss
from scalargrad.losses.modules import HingeLoss as HingeLoss
from scalargrad.losses.modules import HuberLoss as HuberLoss
from scalargrad.losses.modules import L1Loss as L1Loss
from scalargrad.losses.modules import MSELoss as MSELoss
from scalargrad.losses.modules import MultiMarginLoss as MultiMarginLoss
from scalargrad.losses.modules import NLLLoss as NLLLoss
from scalargrad.losses.modules import SmoothL1Loss as SmoothL1Loss
from scalargrad.nn import init as init
from scalargrad.nn.activation import ELU as ELU
from scalargrad.nn.activation import GELU as GELU
from scalargrad.nn.activation import Identity as Identity
from scalargrad.nn.activation import LeakyReLU as LeakyReLU
from scalargrad.nn.activation import ReLU as ReLU
from scalargrad.nn.activation import Sigmoid as Sigmoid
from scalargrad.nn.activation import SiLU as SiLU
from scalargrad.nn.activation import Softplus as Softplus
from scalargrad.nn.activation import Step as Step
from scalargrad.nn.activation import Tanh as Tanh
from scalargrad.nn.activation import Threshold as Threshold
from scalargrad.nn.container import Flatten as Flatten
from scalargrad.nn.container import Sequential as Sequential
from scalargrad.nn.dropout import Dropout as Dropout
from scalargrad.nn.embedding import Embedding as Embedding
from scalargrad.nn.embedding import EmbeddingBag as EmbeddingBag
from scalargrad.nn.linear import Linear as Linear
from scalargrad.nn.module import Module as Module
from scalargrad.nn.perceptron import MLP as MLP
from scalargrad.nn.perceptron import Layer as Layer
from scalargrad.nn.perceptron import Neuron as Neuron
from scalargrad.nn.saving import load_file as load_file
from scalargrad.nn.saving import load_metadata as load_metadata
from scalargrad.nn.saving import load_model as load_model
from scalargrad.nn.saving import save_file as save_file
from scalargrad.nn.saving import save_model as save_model
from scalargrad.nn.softmax import LogSoftmax as LogSoftmax
from scalargrad.nn.softmax import Softmax as Softmax
from scalargrad.nn.state import IncompatibleKeys as IncompatibleKeys
from scalargrad.nn.summary import Summary as Summary
from scalargrad.nn.summary import summary as summary

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "IncompatibleKeys",
    "L1Loss",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "MultiMarginLoss",
    "NLLLoss",
    "Neuron",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Step",
    "Summary",
    "Tanh",
    "Threshold",
    "init",
    "load_file",
    "load_metadata",
    "load_model",
    "save_file",
    "save_model",
    "summary",
]
