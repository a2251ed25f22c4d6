"""Dropout: random units set to zero during training, against overfitting."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import DomainError
from scalargrad.nn.activation import ElementwiseModule
from scalargrad.nn.init import Rng, generator
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import scalar
from scalargrad.transforms.draws import drawn


class Dropout(ElementwiseModule):
    """Set each number to 0 with probability p while training; scale the others by 1 / (1 - p).

    Parameters
    ----------
    p : float
        Probability in [0, 1].
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Attributes
    ----------
    rng : random.Random, or None for the module ``random``
        To resume a run exactly, keep and restore its state.

    Raises
    ------
    DomainError
        If p is not in [0, 1].

    Notes
    -----
    A compiled function draws another mask at each call, the one an eager call would draw.
    After `eval` numbers pass unchanged. A dropped number is multiplied by 0, so that it stays
    in the graph and receives the gradient 0.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014.

    Examples
    --------
    >>> drop = Dropout(0.5, rng=0)
    >>> drop([1.0, 1.0, 1.0, 1.0])
    [2.0, 2.0, 0.0, 0.0]
    >>> drop.eval()([1.0, 1.0])
    [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        p = scalar(p, "Dropout: p", finite=False)
        if not 0.0 <= p <= 1.0:
            raise DomainError(f"Dropout: p is {p}, but a probability lies in [0, 1]")
        self.p = p
        self.rng = None if rng is None else generator(rng)

    def unit(self, x: Any) -> Any:
        """Drop or scale one number."""
        if not self.training or (is_real(self.p) and self.p == 0.0):
            return x
        scale = 1.0 / (1.0 - self.p) if self.p < 1.0 else 0.0
        return x * ((drawn(generator(self.rng).random) >= self.p) * scale)

    def extra_repr(self) -> str:
        """Return p, as PyTorch prints it."""
        return f"p={self.p}, inplace=False"
