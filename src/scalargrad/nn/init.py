"""Initializers of weights, with the names of ``torch.nn.init``.

Each fills a Parameter, or nested lists of Parameters, in place and returns it. `rng` is a
``random.Random`` or a seed. By default the module ``random`` is used, which ``random.seed`` makes
reproducible.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from scalargrad.checks.arguments import check_choice, check_integer, check_number
from scalargrad.checks.numbers import as_float
from scalargrad.engine.draws import drawn
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError
from scalargrad.nn.state import flatten_nested, parameter_shape
from scalargrad.system.short_repr import format_value

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

Rng: TypeAlias = "random.Random | int | None"
T = TypeVar("T")

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def generator(rng: Rng) -> Any:
    """Return the random generator for `rng`: itself, a new one for a seed, or module ``random``.

    Examples
    --------
    >>> generator(7).random() == random.Random(7).random()
    True
    """
    if rng is None:
        return random
    methods = ("uniform", "gauss", "random")
    if isinstance(rng, random.Random) or all(callable(getattr(rng, x, None)) for x in methods):
        return rng
    return random.Random(check_integer(rng, "rng, unless it is a random.Random,"))


def sample(source: Any, method: str, *args: float) -> Any:
    """Draw a number; from module ``random``, compiled functions draw a new one at each call.

    Examples
    --------
    >>> sample(generator(7), "uniform", 0.0, 1.0) == random.Random(7).uniform(0.0, 1.0)
    True
    """
    draw = getattr(source, method)
    return drawn(draw, *args) if source is random else draw(*args)


def _fill(tensor: T, draw: Callable[[], Any]) -> T:
    parameters = list(flatten_nested(tensor))
    for parameter in parameters:
        if not isinstance(parameter, Parameter):
            raise OperandError(f"initializers fill Parameters, not {format_value(parameter)}")
    for parameter in parameters:
        number = draw()
        if isinstance(number, Value):  # while a function is traced
            parameter.__init__(number, parameter.label)
        else:
            parameter.data = number
    return tensor


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, rng: Rng = None) -> T:
    """Draw every parameter from the uniform distribution on [a, b].

    Examples
    --------
    >>> w = uniform_([Parameter(0.0), Parameter(0.0)], 2.0, 3.0, rng=0)
    >>> [2.0 <= p.data <= 3.0 for p in w]
    [True, True]
    """
    source, low, high = generator(rng), check_number(a, "a"), check_number(b, "b")
    return _fill(tensor, lambda: sample(source, "uniform", low, high))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, rng: Rng = None) -> T:
    """Draw every parameter from the normal distribution with this mean and standard deviation.

    Examples
    --------
    >>> normal_(Parameter(0.0), mean=3.0, std=0.0, rng=0).data
    3.0
    """
    source, center, scale = (
        generator(rng),
        check_number(mean, "mean"),
        check_number(std, "std", 0.0),
    )
    return _fill(tensor, lambda: sample(source, "gauss", center, scale))


def constant_(tensor: T, val: float) -> T:
    """Set every parameter to `val`.

    Examples
    --------
    >>> constant_(Parameter(0.0), 0.1).data
    0.1
    """
    constant = as_float(val, "val")
    return _fill(tensor, lambda: constant)


def zeros_(tensor: T) -> T:
    """Set every parameter to 0.

    Examples
    --------
    >>> zeros_(Parameter(2.0)).data
    0.0
    """
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Set every parameter to 1.

    Examples
    --------
    >>> ones_(Parameter(2.0)).data
    1.0
    """
    return constant_(tensor, 1.0)


def calculate_gain(nonlinearity: Any, param: float | None = None) -> float:
    """Return the gain that compensates for how an activation reduces the standard deviation.

    Parameters
    ----------
    nonlinearity : {"linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"}
        The activation after the layer.
    param : float, optional
        Slope of leaky_relu for negative inputs; default 0.01.

    Returns
    -------
    float
        Dimensionless.

    Raises
    ------
    DomainError
        If the gain of the activation is not known.

    Examples
    --------
    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    name = check_choice(nonlinearity, "nonlinearity", [*_GAINS, "leaky_relu"])
    if name == "leaky_relu":
        slope = 0.01 if param is None else check_number(param, "the slope of leaky_relu")
        return math.sqrt(2.0 / (1.0 + slope * slope))
    return _GAINS[name]


def _fans(tensor: Any) -> tuple[int, int]:
    """Return the fan-in and the fan-out: the numbers of inputs and of outputs."""
    shape = parameter_shape(tensor)
    if shape is None or len(shape) != 2:
        raise OperandError(
            "fan-in and fan-out are defined only for weights in the form of nout lists of nin "
            "Parameters; use uniform_ or normal_ for other parameters"
        )
    nout, nin = shape
    return nin, nout


def xavier_uniform_(tensor: T, gain: float = 1.0, rng: Rng = None) -> T:
    """Draw weights from U(-a, a), a = gain · √(6 / (nin + nout)).

    References
    ----------
    Glorot and Bengio, 2010, equation 16.

    Examples
    --------
    >>> w = [[Parameter(0.0) for _ in range(3)] for _ in range(3)]
    >>> all(abs(p.data) <= 1.0 for row in xavier_uniform_(w, rng=0) for p in row)
    True
    """
    bound = check_number(gain, "gain", 0.0) * math.sqrt(6.0 / max(1, sum(_fans(tensor))))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor: T, gain: float = 1.0, rng: Rng = None) -> T:
    """Draw weights from the normal distribution with std gain · √(2 / (nin + nout)).

    References
    ----------
    Glorot and Bengio, 2010.

    Examples
    --------
    >>> w = xavier_normal_([[Parameter(0.0)]], rng=0)
    >>> w[0][0].data == random.Random(0).gauss(0.0, 1.0)
    True
    """
    return normal_(
        tensor,
        0.0,
        check_number(gain, "gain", 0.0) * math.sqrt(2.0 / max(1, sum(_fans(tensor)))),
        rng,
    )


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    mode = check_choice(mode, "mode", ["fan_in", "fan_out"])
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: Rng = None,
) -> T:
    """Draw weights from U(-b, b), b = gain · √(3 / fan).

    Parameters
    ----------
    tensor : nout lists of nin Parameters
        The weights, filled in place.
    a : float
        Slope of leaky_relu for negative inputs.
    mode : {"fan_in", "fan_out"}
        Preserve the variance of activations (fan = nin), or of gradients (fan = nout).
    nonlinearity : str
        The activation after the layer; see `calculate_gain`.
    rng : random.Random or int, optional
        Random generator or seed.

    References
    ----------
    He, Zhang, Ren and Sun, 2015.

    Examples
    --------
    >>> w = kaiming_uniform_([[Parameter(0.0), Parameter(0.0)]], a=5**0.5, rng=0)
    >>> all(abs(p.data) <= 0.5**0.5 for p in w[0])
    True
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: Rng = None,
) -> T:
    """Draw weights from the normal distribution with std gain / √fan; see `kaiming_uniform_`.

    References
    ----------
    He, Zhang, Ren and Sun, 2015, equation 10.

    Examples
    --------
    >>> w = kaiming_normal_([[Parameter(0.0)]], nonlinearity="linear", rng=0)
    >>> w[0][0].data == random.Random(0).gauss(0.0, 1.0)
    True
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), rng)
