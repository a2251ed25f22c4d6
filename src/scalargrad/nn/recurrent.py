"""Cells of recurrent networks: one step in time, from an input and a state to the next state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import are_rows, listed_inputs, of_length
from scalargrad.nn.linear import affine
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import Table, Vector
from scalargrad.ops import add, relu, sigmoid, tanh
from scalargrad.table.validation import choice, flag, listed, size

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """The base of the cells: parameters, as PyTorch lays them out, and batches.

    Attributes
    ----------
    weight_ih, weight_hh : k·hidden_size rows of input_size and of hidden_size Parameters
        From the input and from the state; the k gates one below the other.
    bias_ih, bias_hh : Vector of k·hidden_size Parameters, or None
    """

    gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        self.input_size = size(input_size, "input_size")
        self.hidden_size = size(hidden_size, "hidden_size", 1)
        rows = self.gates * self.hidden_size
        self.weight_ih = Table.zeros(rows, self.input_size, "w_ih")
        self.weight_hh = Table.zeros(rows, self.hidden_size, "w_hh")
        self.bias_ih = Vector.full(rows, 0.0, "b_ih") if flag(bias, "bias") else None
        self.bias_hh = Vector.full(rows, 0.0, "b_hh") if bias else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw all parameters from U(-1/√hidden_size, 1/√hidden_size)."""
        source, bound = init.generator(rng), 1.0 / math.sqrt(self.hidden_size)
        for tensor in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh):
            if tensor is not None:
                init.uniform_(tensor, -bound, bound, rng=source)

    def _next(self, input: Any, states: Sequence[Any]) -> tuple[list[Any], ...]:
        """Return the next states, of each example of a batch; a state of None is zeros."""
        x = listed_inputs(input, self)
        if are_rows(x):
            given = [[None] * len(x) if s is None else of_length(s, len(x), self) for s in states]
            each = [self._next(at[0], at[1:]) for at in zip(x, *given, strict=True)]
            return tuple([*column] for column in zip(*each, strict=True))
        zeros = [0.0] * self.hidden_size
        now = [zeros if s is None else of_length(s, self.hidden_size, self) for s in states]
        new = affine(self.weight_ih, of_length(x, self.input_size, self), self.bias_ih)
        old = affine(self.weight_hh, now[0], self.bias_hh)
        starts = range(0, len(new), self.hidden_size)
        gates = ([sums[i : i + self.hidden_size] for i in starts] for sums in (new, old))
        return self._step(*gates, *now)

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        """Compute the next states from W x + b and W h + b of each gate."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next state.

        Parameters
        ----------
        input : list of input_size scalars, or a list of such for each of N examples
        hx : list of hidden_size scalars, or N of them; an LSTM's is a pair (h, c); optional
            The state before; zeros by default.

        Returns
        -------
        list of hidden_size Values, or N of them; of an LSTM, a pair (h, c)

        Raises
        ------
        OperandError
            If a length is not the cell's.
        """
        return self._next(input, [hx])[0]

    def extra_repr(self) -> str:
        """Return sizes, as PyTorch prints them."""
        without = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{without}"


class RNNCell(RNNCellBase):
    """A step of Elman's recurrent network, h′ = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the state.
    bias : bool
        Whether to add biases.
    nonlinearity : {"tanh", "relu"}
        What is applied to the sums.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Raises
    ------
    DomainError
        If `nonlinearity` is another.

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
        self.nonlinearity = choice(nonlinearity, "nonlinearity", ["tanh", "relu"])
        super().__init__(input_size, hidden_size, bias, rng=rng)

    def _step(self, new: Any, old: Any, *_: list[Any]) -> tuple[list[Any], ...]:
        squash = tanh if self.nonlinearity == "tanh" else relu
        return ([squash(a + b) for a, b in zip(new[0], old[0], strict=True)],)

    def extra_repr(self) -> str:
        """Return sizes and what differs from the defaults, as PyTorch prints them."""
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class GRUCell(RNNCellBase):
    """A gated recurrent unit: h′ = (1 - z) · n + z · h, n = tanh(W x + b + r · (W h + b)).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the state.
    bias : bool
        Whether to add biases.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

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

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        found = []
        for r, z, n, r_h, z_h, n_h, h in zip(*new, *old, states[0], strict=True):
            update, candidate = sigmoid(z + z_h), tanh(n + sigmoid(r + r_h) * n_h)
            found.append((1.0 - update) * candidate + update * h)
        return (found,)


class LSTMCell(RNNCellBase):
    """A long short-term memory: c′ = f · c + i · g, h′ = o · tanh c′.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the states h and c.
    bias : bool
        Whether to add biases.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

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
        states = [None, None] if hx is None else listed(hx, "hx", "the states h and c")
        if len(states) != 2:
            raise OperandError(f"LSTMCell: hx has {len(states)} items; give the pair (h, c)")
        return self._next(input, states)

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden, cells = [], []
        for c, *sums in zip(states[1], *new, *old, strict=True):
            i, f, g, o = map(add, sums[:4], sums[4:])
            cells.append(sigmoid(f) * c + sigmoid(i) * tanh(g))
            hidden.append(sigmoid(o) * tanh(cells[-1]))
        return hidden, cells
