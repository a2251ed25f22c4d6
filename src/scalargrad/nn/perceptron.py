"""The multi-layer perceptron and its parts, with micrograd's signatures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scalargrad.checks.arguments import check_list, check_size, is_word
from scalargrad.engine.value import Parameter, Scalar, Value
from scalargrad.errors import OperandError
from scalargrad.nn.init import Rng, generator, sample
from scalargrad.nn.inputs import check_length, is_batch
from scalargrad.nn.module import Module
from scalargrad.opdef.operation import Unary
from scalargrad.ops import TABLE, dot
from scalargrad.ops.activations import ELUOperation, LeakyReLUOperation
from scalargrad.system.short_repr import format_value

__all__ = ["MLP", "Layer", "Neuron"]


Activation = Callable[[Value], Value]

#: Classes of operations that can be called with one operand.
_ONE_OPERAND = (Unary, LeakyReLUOperation, ELUOperation)


def _resolve_activation(activation: str | Activation) -> Activation:
    """Return the activation function: the operation of that name, or the function itself."""
    if callable(activation):
        return activation
    op = TABLE.get(activation) if is_word(activation, TABLE) else None
    if not isinstance(op, _ONE_OPERAND):
        known = [x for x, op in TABLE.items() if isinstance(op, _ONE_OPERAND) and x[0] != "_"]
        raise OperandError(
            f"activation {format_value(activation)} is neither a function nor the name of an "
            f"operation with one operand: {', '.join(sorted(known))}"
        )
    return op


def _unique(parts: Iterable[Iterable[Any]]) -> list[Any]:
    """Return the parameters of all parts in order; shared parameters occur once."""
    return [*dict.fromkeys(itertools.chain.from_iterable(parts))]


class Neuron(Module):
    """An artificial neuron, activation(Σ wᵢxᵢ + b).

    Parameters
    ----------
    nin : int
        Number of inputs.
    nonlin : bool
        Apply the activation; with False, the neuron is linear.
    activation : str or callable
        Name of an operation with one operand, or a function from Value to Value.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Notes
    -----
    As in micrograd, the weights are drawn from ``uniform(-1, 1)`` in order, and the bias is 0.
    Equal seeds therefore give equal networks. A call creates two nodes.

    Examples
    --------
    >>> neuron = Neuron(2, activation="tanh", rng=0)
    >>> neuron
    tanhNeuron(2)
    >>> neuron([0.0, 0.0]).data
    0.0
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        activation: str | Activation = "relu",
        *,
        rng: Rng = None,
    ) -> None:
        source, nin = generator(rng), check_size(nin, "nin")
        self.w = [Parameter(sample(source, "uniform", -1, 1), f"w{i}") for i in range(nin)]
        self.b = Parameter(0.0, "b")
        self.nonlin = nonlin
        self.activation = _resolve_activation(activation)

    def __call__(self, x: Sequence[Scalar]) -> Value:
        """Compute the neuron's output.

        Parameters
        ----------
        x : sequence of length nin
            Inputs.

        Returns
        -------
        Value

        Raises
        ------
        OperandError
            If `x` is not a sequence of length nin.
        """
        if not isinstance(x, list | tuple) or len(x) != len(self.w):
            x = check_length(x, len(self.w), self)
        weighted: Value = dot(self.w, x, self.b)
        return self.activation(weighted) if self.nonlin else weighted

    def parameters(self) -> list[Any]:
        """Return the weights, then the bias."""
        return _unique((self.w, (self.b,)))

    def __repr__(self) -> str:
        name = getattr(self.activation, "__name__", "Custom")
        kind = getattr(self.activation, "symbol", None) or name
        return f"{kind if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """A layer of neurons with the same inputs.

    Parameters
    ----------
    nin, nout : int
        Number of inputs, and of neurons.
    rng : random.Random or int, optional
        Random generator or seed for all neurons; default: the module ``random``.
    **options
        Passed to each `Neuron`.

    Examples
    --------
    >>> Layer(3, 2)
    Layer of [ReLUNeuron(3), ReLUNeuron(3)]
    """

    def __init__(self, nin: int, nout: int, *, rng: Rng = None, **options: Any) -> None:
        source, inputs = generator(rng), check_size(nin, "nin")
        count = check_size(nout, "nout")
        self.neurons = [Neuron(inputs, rng=source, **options) for _ in range(count)]

    def __call__(self, x: Sequence[Scalar]) -> Any:
        """Compute every neuron's output.

        Returns
        -------
        list of nout Values, or one Value
            One Value if nout is 1, as in micrograd.
        """
        outputs = [neuron(x) for neuron in self.neurons]
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self) -> list[Any]:
        """Return the parameters of all neurons in order."""
        return _unique([neuron.parameters() for neuron in self.neurons])

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: a sequence of layers, of which the last is linear.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nouts : sequence of int
        Number of neurons in each layer.
    activation : str or callable
        The activation of every layer but the last: the name of an operation with one operand, or
        a function from Value to Value.
    rng : random.Random or int, optional
        Random generator or seed for all layers; default: the module ``random``.

    References
    ----------
    Rumelhart, Hinton and Williams, 1986. Signature and order of random draws: A. Karpathy,
    micrograd, 2020.

    Examples
    --------
    >>> model = MLP(2, [16, 16, 1])
    >>> len(model.parameters())
    337
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: str | Activation = "relu",
        *,
        rng: Rng = None,
    ) -> None:
        layers = check_list(nouts, "nouts", "whole numbers")
        sizes, source = [nin, *layers], generator(rng)
        self.layers = [
            Layer(n, m, nonlin=i != len(layers) - 1, activation=activation, rng=source)
            for i, (n, m) in enumerate(itertools.pairwise(sizes))
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        """Compute the network's output.

        Parameters
        ----------
        x : sequence of length nin, or a batch of these
            The input. A batch is a list of inputs, or an array with one in each row.

        Returns
        -------
        list of Values, or one Value; for a batch, a list of these
            The output of the last `Layer`.
        """
        if is_batch(x):
            return [self(row) for row in x]
        output: Any = x
        for i, layer in enumerate(self.layers):
            output = layer([output] if i and isinstance(output, Value) else output)
        return output

    def parameters(self) -> list[Any]:
        """Return the parameters of all layers in order."""
        return _unique([layer.parameters() for layer in self.layers])

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
