"""Neural networks on scalars: neurons, layers and multi-layer perceptrons."""

from __future__ import annotations

from scalargrad.nn.module import Module as Module
from scalargrad.nn.perceptron import MLP as MLP
from scalargrad.nn.perceptron import Layer as Layer
from scalargrad.nn.perceptron import Neuron as Neuron
