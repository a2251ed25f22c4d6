"""Activation modules, which apply an operation to every number of the input, and dropout."""

from __future__ import annotations

from typing import Any, ClassVar

from scalargrad.checks.arguments import (
    check_choice,
    check_list,
    check_number,
    check_positive,
    check_scalar,
)
from scalargrad.checks.numbers import is_real
from scalargrad.engine.draws import drawn
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
    """Base class of modules that apply the same function to every number."""

    operation: ClassVar[Any]

    def apply_one(self, x: Any) -> Any:
        """Apply the activation to one number."""
        return self.operation(x)

    def forward(self, x: Any) -> Any:
        """Apply the activation to a number, or to every number in nested lists.

        Returns
        -------
        The results, nested as `x`; Values where `x` has Values.
        """
        if hasattr(x, "tolist"):
            x = x.tolist()
        if isinstance(x, list | tuple):
            return [self.forward(part) for part in x]
        return self.apply_one(x)


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
        Slope for x < 0; dimensionless.

    Raises
    ------
    OperandError
        If `negative_slope` is neither a number nor a Value.
    DomainError
        If `negative_slope` is not finite.

    Examples
    --------
    >>> LeakyReLU(0.1)([-2.0, 3.0])
    [-0.2, 3.0]
    """

    _repr_names = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_scalar(negative_slope, "LeakyReLU: negative_slope")

    def apply_one(self, x: Any) -> Any:
        """Apply `leaky_relu` to one number."""
        return leaky_relu(x, self.negative_slope)


class ELU(ElementwiseModule):
    """Apply the exponential linear unit: x where x > 0, else alpha · (e^x - 1).

    Parameters
    ----------
    alpha : float
        Minus the limit for x → -∞.

    Raises
    ------
    OperandError
        If `alpha` is neither a number nor a Value.
    DomainError
        If `alpha` is not finite.

    Examples
    --------
    >>> ELU()([0.0, 3.0])
    [0.0, 3.0]
    """

    _repr_names = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_scalar(alpha, "ELU: alpha")

    def apply_one(self, x: Any) -> Any:
        """Apply `elu` to one number."""
        return elu(x, self.alpha)


class GELU(ElementwiseModule):
    """Apply the Gaussian error linear unit, x · Φ(x).

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Use the exact form with the error function, or the approximation with tanh.

    Raises
    ------
    DomainError
        If `approximate` is neither "none" nor "tanh".

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

    _repr_names = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = check_choice(approximate, "GELU: approximate", ("none", "tanh"))

    def apply_one(self, x: Any) -> Any:
        """Apply `gelu` to one number."""
        return gelu(x, approximate=self.approximate)


class Softplus(ElementwiseModule):
    """Apply the soft ReLU, ln(1 + e^(βx)) / β.

    Parameters
    ----------
    beta : float
        Sharpness β; larger values are closer to ReLU.
    threshold : float
        Where βx > threshold, the result is x, as in PyTorch. The operation `softplus` is exact
        everywhere.

    Examples
    --------
    >>> Softplus()([1000.0])
    [1000.0]
    """

    _repr_names = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = check_positive(beta, "Softplus: beta")
        self.threshold = check_number(threshold, "Softplus: threshold", finite=False)

    def apply_one(self, x: Any) -> Any:
        """Apply the soft ReLU to one number."""
        scaled = x if self.beta == 1.0 else x * self.beta
        soft = softplus(scaled)
        return where(scaled > self.threshold, x, soft if self.beta == 1.0 else soft / self.beta)


class Threshold(ElementwiseModule):
    """Return x where x > threshold, and a constant elsewhere.

    Parameters
    ----------
    threshold : float
        The threshold, in the unit of x.
    value : float
        The constant.

    Raises
    ------
    OperandError
        If `threshold` or `value` is neither a number nor a Value.
    DomainError
        If `threshold` is nan, or `value` is not finite.

    Notes
    -----
    This is PyTorch's definition. For the perceptron's hard threshold, 1 or 0, use `Step`.

    Examples
    --------
    >>> Threshold(0.1, 20.0)([0.0, 0.5])
    [20.0, 0.5]
    """

    _repr_names = ("threshold", "value")

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = check_scalar(threshold, "Threshold: threshold", finite=False)
        self.value = check_scalar(value, "Threshold: value", finite=False)

    def apply_one(self, x: Any) -> Any:
        """Apply the threshold to one number."""
        below = where(le(x, self.threshold), self.value, x)  # nan is neither above nor below
        return where(gt(x, self.threshold), x, below)


class Step(ElementwiseModule):
    """Apply the hard threshold of the perceptron: 1 where x > 0, else 0; the gradient is 0.

    At 0 the result is 0, Toronto's convention. UCSB's perceptron fires at 0: use `ge` for that.

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
    """Return the input unchanged; any constructor arguments are ignored, as in PyTorch.

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
    """Convert scores to probabilities, e^xᵢ / Σ e^xⱼ, along the innermost dimension.

    Parameters
    ----------
    dim : int, optional
        The dimension to normalize. It must be the innermost: -1, or its index from 0.

    Raises
    ------
    OperandError
        When called, if `dim` is not the innermost dimension of the input.

    Notes
    -----
    Large scores do not overflow.

    Examples
    --------
    >>> Softmax(dim=-1)([0.0, 0.0])
    [0.5, 0.5]
    """

    _repr_names = ("dim",)

    function = staticmethod(softmax)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Normalize a list of n scores, or each innermost list of nested lists."""
        return self._normalize(x, 0)

    def _normalize(self, x: Any, level: int) -> Any:
        scores = check_list(x.tolist() if hasattr(x, "tolist") else x, "x", "scores")
        if any(isinstance(part, list | tuple) for part in scores):
            return [self._normalize(part, level + 1) for part in scores]
        if self.dim not in {None, -1, level}:
            raise OperandError(
                f"{self!r} supports only the innermost dimension, which is {level} here; use dim=-1"
            )
        return self.function(scores)


class LogSoftmax(Softmax):
    """Compute the logarithm of `Softmax`, where small probabilities do not underflow to -∞.

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
        Random generator or seed; default: the module ``random``.

    Attributes
    ----------
    rng : random.Random, or None for the module ``random``
        To resume a run exactly, save and restore the state of this generator.

    Raises
    ------
    DomainError
        If p is not in [0, 1].

    Notes
    -----
    A compiled function draws a new mask at each call, the same as an eager call would draw. In
    evaluation mode, see `eval`, the input is returned unchanged. A dropped number is multiplied
    by 0, so it stays in the graph and receives the gradient 0.

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
        p = check_scalar(p, "Dropout: p", finite=False)
        if not 0.0 <= p <= 1.0:
            raise DomainError(f"Dropout: p is {p}; a probability must be in [0, 1]")
        self.p = p
        self.rng = None if rng is None else generator(rng)

    def apply_one(self, x: Any) -> Any:
        """Drop or scale one number."""
        if not self.training or (is_real(self.p) and self.p == 0.0):
            return x
        scale = 1.0 / (1.0 - self.p) if self.p < 1.0 else 0.0
        return x * ((drawn(generator(self.rng).random) >= self.p) * scale)

    def extra_repr(self) -> str:
        """Return p, in PyTorch's format."""
        return f"p={self.p}, inplace=False"
