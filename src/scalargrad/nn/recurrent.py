"""Recurrent cells, which compute the state of the next time step: RNN, GRU and LSTM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from scalargrad.checks.arguments import check_choice, check_flag, check_list, check_size
from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import as_input_list, check_length, is_batch
from scalargrad.nn.linear import affine
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import ParameterMatrix, Vector
from scalargrad.ops import (
    add,
    relu,
    sigmoid,
    tanh,
)

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """Base class of recurrent cells: the parameters, in PyTorch's layout, and batches.

    Attributes
    ----------
    weight_ih, weight_hh : k·hidden_size rows of input_size and of hidden_size Parameters
        Weights of the input and of the state, with the rows of the k gates stacked.
    bias_ih, bias_hh : Vector of k·hidden_size Parameters, or None
    """

    gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        self.input_size = check_size(input_size, "input_size")
        self.hidden_size = check_size(hidden_size, "hidden_size", 1)
        rows = self.gates * self.hidden_size
        self.weight_ih = ParameterMatrix.zeros(rows, self.input_size, "w_ih")
        self.weight_hh = ParameterMatrix.zeros(rows, self.hidden_size, "w_hh")
        self.bias_ih = Vector.full(rows, 0.0, "b_ih") if check_flag(bias, "bias") else None
        self.bias_hh = Vector.full(rows, 0.0, "b_hh") if bias else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw all parameters from U(-1/√hidden_size, 1/√hidden_size)."""
        source, bound = init.generator(rng), 1.0 / math.sqrt(self.hidden_size)
        for tensor in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh):
            if tensor is not None:
                init.uniform_(tensor, -bound, bound, rng=source)

    def _next_states(self, input: Any, states: Sequence[Any]) -> tuple[list[Any], ...]:
        """Return the next states, for each example of a batch; a state of None means zeros."""
        x = as_input_list(input, self)
        if is_batch(x):
            columns = [
                [None] * len(x) if s is None else check_length(s, len(x), self) for s in states
            ]
            each = [self._next_states(row[0], row[1:]) for row in zip(x, *columns, strict=True)]
            return tuple([*column] for column in zip(*each, strict=True))
        zeros = [0.0] * self.hidden_size
        current = [zeros if s is None else check_length(s, self.hidden_size, self) for s in states]
        from_x = affine(self.weight_ih, check_length(x, self.input_size, self), self.bias_ih)
        from_h = affine(self.weight_hh, current[0], self.bias_hh)
        starts = range(0, len(from_x), self.hidden_size)
        gates = ([sums[i : i + self.hidden_size] for i in starts] for sums in (from_x, from_h))
        return self._step(*gates, *current)

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        """Compute the next states from W x + b and W h + b of each gate."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next state.

        Parameters
        ----------
        input : list of input_size scalars, or for a batch a list of N of these
            The input.
        hx : list of hidden_size scalars, or N of these; for an LSTM a pair (h, c); optional
            The previous state; default: zeros.

        Returns
        -------
        list of hidden_size Values, or N of these; for an LSTM a pair (h, c)

        Raises
        ------
        OperandError
            If the length of an input or of a state does not match the cell.
        """
        return self._next_states(input, [hx])[0]

    def extra_repr(self) -> str:
        """Return sizes, in PyTorch's format."""
        without = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{without}"


class RNNCell(RNNCellBase):
    """A step of Elman's recurrent network, h′ = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the state.
    bias : bool
        Add biases.
    nonlinearity : {"tanh", "relu"}
        The activation.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Raises
    ------
    DomainError
        If `nonlinearity` is neither "tanh" nor "relu".

    References
    ----------
    Elman, Finding structure in time, 1990.

    Examples
    --------
    >>> cell, h = RNNCell(1, 3, rng=0), None
    >>> for x in [0.5, -1.0, 2.0]:
    ...     h = cell([x], h)
    >>> cell, len(h)
    (RNNCell(1, 3), 3)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        rng: Rng = None,
    ) -> None:
        self.nonlinearity = check_choice(nonlinearity, "nonlinearity", ["tanh", "relu"])
        super().__init__(input_size, hidden_size, bias, rng=rng)

    def _step(self, from_x: Any, from_h: Any, *_: list[Any]) -> tuple[list[Any], ...]:
        activation = tanh if self.nonlinearity == "tanh" else relu
        return ([activation(a + b) for a, b in zip(from_x[0], from_h[0], strict=True)],)

    def extra_repr(self) -> str:
        """Return sizes and options other than the defaults, in PyTorch's format."""
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class GRUCell(RNNCellBase):
    """A gated recurrent unit: h′ = (1 - z) · n + z · h, n = tanh(W x + b + r · (W h + b)).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the state.
    bias : bool
        Add biases.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Notes
    -----
    The gates are in PyTorch's order: reset r, update z, new n.

    References
    ----------
    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.

    Examples
    --------
    >>> len(GRUCell(2, 3, rng=0)([1.0, 2.0]))
    3
    """

    gates = 3

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden = []
        for r, z, n, r_h, z_h, n_h, h in zip(*from_x, *from_h, states[0], strict=True):
            update, candidate = sigmoid(z + z_h), tanh(n + sigmoid(r + r_h) * n_h)
            hidden.append((1.0 - update) * candidate + update * h)
        return (hidden,)


class LSTMCell(RNNCellBase):
    """A long short-term memory: c′ = f · c + i · g, h′ = o · tanh c′.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the states h and c.
    bias : bool
        Add biases.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Notes
    -----
    The gates are in PyTorch's order: input i, forget f, cell g (a tanh), output o.

    References
    ----------
    Hochreiter and Schmidhuber, Long short-term memory, 1997; Gers, Schmidhuber and Cummins, 2000.

    Examples
    --------
    >>> h, c = LSTMCell(2, 3, rng=0)([1.0, 2.0])
    >>> len(h), len(c)
    (3, 3)
    """

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next pair of states (h, c) from the pair `hx`; see `RNNCellBase.forward`."""
        states = [None, None] if hx is None else check_list(hx, "hx", "the states h and c")
        if len(states) != 2:
            raise OperandError(f"LSTMCell: hx has {len(states)} items; give the pair (h, c)")
        return self._next_states(input, states)

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden, cells = [], []
        for c, *sums in zip(states[1], *from_x, *from_h, strict=True):
            i, f, g, o = map(add, sums[:4], sums[4:])
            cells.append(sigmoid(f) * c + sigmoid(i) * tanh(g))
            hidden.append(sigmoid(o) * tanh(cells[-1]))
        return hidden, cells
