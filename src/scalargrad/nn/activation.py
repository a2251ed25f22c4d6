"""Activation modules: one operation of the table, applied to every number of the input; dropout."""

from __future__ import annotations

from typing import Any, ClassVar

from scalargrad.errors import DomainError, OperandError
from scalargrad.nn.init import Rng, generator
from scalargrad.nn.module import Module
from scalargrad.ops import (
    elu,
    gelu,
    gt,
    le,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    step,
    tanh,
    where,
)
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import choice, listed, number, positive, scalar
from scalargrad.transforms.draws import drawn

__all__ = [
    "ELU",
    "GELU",
    "Dropout",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "Threshold",
]


class ElementwiseModule(Module):
    """Base class of modules that treat every number alike."""

    operation: ClassVar[Any]

    def unit(self, x: Any) -> Any:
        """Apply the activation to one number."""
        return self.operation(x)

    def forward(self, x: Any) -> Any:
        """Apply the activation to a number, or to every number in nested lists.

        Returns
        -------
        As `x`, with Values in place of Values
        """
        if hasattr(x, "tolist"):
            x = x.tolist()
        if isinstance(x, list | tuple):
            return [self.forward(part) for part in x]
        return self.unit(x)


class ReLU(ElementwiseModule):
    """Apply the rectified linear unit, max(x, 0); see the operation `relu`.

    Examples
    --------
    >>> ReLU()([-2.0, 3.0])
    [0.0, 3.0]
    """

    operation = relu


class SiLU(ElementwiseModule):
    """Apply the sigmoid linear unit (swish), x · σ(x); see the operation `silu`.

    Examples
    --------
    >>> SiLU()([0.0])
    [0.0]
    """

    operation = silu


class Tanh(ElementwiseModule):
    """Apply the hyperbolic tangent; see the operation `tanh`.

    Examples
    --------
    >>> Tanh()([0.0])
    [0.0]
    """

    operation = tanh


class Sigmoid(ElementwiseModule):
    """Apply the logistic function, 1 / (1 + e^-x); see the operation `sigmoid`.

    Examples
    --------
    >>> Sigmoid()([0.0])
    [0.5]
    """

    operation = sigmoid


class LeakyReLU(ElementwiseModule):
    """Apply the leaky ReLU: x where x > 0, else negative_slope · x.

    Parameters
    ----------
    negative_slope : float
        Dimensionless.

    Raises
    ------
    OperandError
        If it is neither a number nor a Value.
    DomainError
        If it is not finite.

    Examples
    --------
    >>> LeakyReLU(0.1)([-2.0, 3.0])
    [-0.2, 3.0]
    """

    _shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = scalar(negative_slope, "LeakyReLU: negative_slope")

    def unit(self, x: Any) -> Any:
        """Apply `leaky_relu` to one number."""
        return leaky_relu(x, self.negative_slope)


class ELU(ElementwiseModule):
    """Apply the exponential linear unit: x where x > 0, else alpha · (e^x - 1).

    Parameters
    ----------
    alpha : float
        Minus the value for x → -∞.

    Raises
    ------
    OperandError
        If it is neither a number nor a Value.
    DomainError
        If it is not finite.

    Examples
    --------
    >>> ELU()([0.0, 3.0])
    [0.0, 3.0]
    """

    _shown = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = scalar(alpha, "ELU: alpha")

    def unit(self, x: Any) -> Any:
        """Apply `elu` to one number."""
        return elu(x, self.alpha)


class GELU(ElementwiseModule):
    """Apply the Gaussian error linear unit, x · Φ(x).

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Exact by the error function, or in its tanh form.

    Raises
    ------
    DomainError
        If `approximate` is another.

    References
    ----------
    Hendrycks and Gimpel, 2016.

    Examples
    --------
    >>> GELU()
    GELU(approximate='none')
    >>> round(GELU()(0.5), 12), round(GELU(approximate="tanh")(0.5), 12)
    (0.345731230637, 0.345714009825)
    """

    _shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = choice(approximate, "GELU: approximate", ("none", "tanh"))

    def unit(self, x: Any) -> Any:
        """Apply `gelu` to one number."""
        return gelu(x, approximate=self.approximate)


class Softplus(ElementwiseModule):
    """Apply the soft ReLU, ln(1 + e^(βx)) / β.

    Parameters
    ----------
    beta : float
        Sharpness; the larger, the nearer to ReLU.
    threshold : float
        Where βx exceeds it, x itself is returned, as PyTorch does; the operation `softplus`
        alone is exact everywhere.

    Examples
    --------
    >>> Softplus()([1000.0])
    [1000.0]
    """

    _shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = positive(beta, "Softplus: beta")
        self.threshold = number(threshold, "Softplus: threshold", finite=False)

    def unit(self, x: Any) -> Any:
        """Apply the soft ReLU to one number."""
        scaled = x if self.beta == 1.0 else x * self.beta
        soft = softplus(scaled)
        return where(scaled > self.threshold, x, soft if self.beta == 1.0 else soft / self.beta)


class Threshold(ElementwiseModule):
    """Keep x where it exceeds a threshold, else put a constant in its place.

    Parameters
    ----------
    threshold : float
        In the unit of x.
    value : float
        What stands in for an x that does not exceed it.

    Raises
    ------
    OperandError
        If one is neither a number nor a Value.
    DomainError
        If `threshold` is nan, or `value` is not finite.

    Notes
    -----
    PyTorch's definition. The perceptron's hard threshold, 1 or 0, is `Step`.

    Examples
    --------
    >>> Threshold(0.1, 20.0)([0.0, 0.5])
    [20.0, 0.5]
    """

    _shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = scalar(threshold, "Threshold: threshold", finite=False)
        self.value = scalar(value, "Threshold: value", finite=False)

    def unit(self, x: Any) -> Any:
        """Apply the threshold to one number."""
        below = where(le(x, self.threshold), self.value, x)  # a NaN is neither
        return where(gt(x, self.threshold), x, below)


class Step(ElementwiseModule):
    """Apply the hard threshold of the perceptron: 1 where x > 0, else 0; the gradient is 0.

    Toronto's convention at 0; UCSB's perceptron fires there too, as `ge` does.

    References
    ----------
    McCulloch and Pitts, 1943; Rosenblatt, 1958.

    Examples
    --------
    >>> Step()([-0.5, 0.0, 0.5])
    [0.0, 0.0, 1.0]
    """

    operation = step


class Identity(Module):
    """Return the input as it is; any arguments are accepted and ignored, as in PyTorch.

    Examples
    --------
    >>> Identity()([1.0, 2.0])
    [1.0, 2.0]
    """

    def __init__(self, *ignored: Any, **options: Any) -> None:
        del ignored, options

    def forward(self, x: Any) -> Any:
        """Return `x`."""
        return x


class Softmax(Module):
    """Turn scores into probabilities, e^xᵢ / Σ e^xⱼ, along the innermost lists.

    Parameters
    ----------
    dim : int, optional
        Which nesting level is normalised: the innermost, -1 or its number counted from 0.
        Others are not offered.

    Raises
    ------
    OperandError
        When called, if `dim` is not the innermost level of the input.

    Notes
    -----
    Stable for large scores.

    Examples
    --------
    >>> Softmax(dim=-1)([0.0, 0.0])
    [0.5, 0.5]
    """

    _shown = ("dim",)

    function = staticmethod(softmax)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Normalise a list of n scores, or each innermost list of nested ones."""
        return self._normalised(x, 0)

    def _normalised(self, x: Any, level: int) -> Any:
        scores = listed(x.tolist() if hasattr(x, "tolist") else x, "x", "scores")
        if any(isinstance(part, list | tuple) for part in scores):
            return [self._normalised(part, level + 1) for part in scores]
        if self.dim not in {None, -1, level}:
            raise OperandError(
                f"{self!r} was given scores whose innermost level is {level}: use dim=-1"
            )
        return self.function(scores)


class LogSoftmax(Softmax):
    """Return the logarithms of `Softmax`, without rounding small ones to -∞.

    Parameters
    ----------
    dim : int, optional
        As for `Softmax`.

    Examples
    --------
    >>> LogSoftmax(dim=-1)([0.0, -1000.0])
    [0.0, -1000.0]
    """

    function = staticmethod(log_softmax)


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
