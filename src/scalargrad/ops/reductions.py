"""Reductions: operations of any number of operands, each of which creates one node."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, overload

from scalargrad.checks.arguments import check_list, check_number, check_scalars
from scalargrad.checks.numbers import as_floats
from scalargrad.engine.recorder import trace_as
from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import ATOM, SUM, Notation
from scalargrad.opdef.operation import (
    Binary,
    FixedArityOperation,
    ListReduction,
    Operand,
    R_co,
    Reduction,
    composite,
    primitive,
)
from scalargrad.ops.activations import sigmoid
from scalargrad.ops.arithmetic import abs, mul, square
from scalargrad.ops.exponential import exp, log1p, sqrt
from scalargrad.ops.selection import eq, gt, maximum, where
from scalargrad.system.short_repr import pluralize

__all__ = [
    "dot",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
]

T = TypeVar("T")

#: Probability of a class above which its slope, 1 - p, is computed as the sum of the other
#: probabilities, because the difference would cancel.
_LIKELY = 0.75
_LOG_LIKELY = math.log(_LIKELY)


class Sum(ListReduction):
    """The operation `sum`, with the arguments of Python's `sum`."""

    @overload
    def __call__(self, values: Iterable[float], /, start: float = 0) -> float: ...
    @overload
    def __call__(
        self, values: Iterable[Operand[R_co] | float], /, start: Operand[R_co] | float = 0
    ) -> R_co: ...
    @overload  # a list display of nodes and numbers, whose type mypy cannot infer
    def __call__(self, values: Iterable[Operand[Any] | float], /, start: Any = 0) -> Any: ...
    @overload
    def __call__(self, values: Iterable[T], /, start: T) -> T: ...  # lists, tuples and arrays
    def __call__(self, values: Any, /, start: Any = 0, *more: Any) -> Any:
        """Add the numbers and nodes of an iterable to `start`."""
        is_plain = type(values) is list and type(start) is int and not (start or more)
        if is_plain and (floats := as_floats(values)) is not None:
            return self.function(floats)
        if more or not hasattr(values, "__iter__") or getattr(values, "ndim", 1) == 0:
            raise self.usage_error()
        items = values if type(values) is list else [*values]
        if isinstance(start, list | tuple) or getattr(start, "ndim", None) or _are_arrays(items):
            return builtins.sum(items, start)
        return self.of(*items) if type(start) is int and not start else self.of(start, *items)


def _are_arrays(items: list[Any]) -> bool:
    """Return True if the first item of a sum is an array, such as a row of a matrix."""
    first = items[0] if items else 0.0
    return not hasattr(first, "_apply") and getattr(first, "ndim", 0) > 0


@primitive(
    Sum,
    symbol="Σ",
    partials=lambda y, operands: (1.0,) * len(operands),
    pattern="distributor",
)
def sum(operands: Sequence[float]) -> float:
    """Add numbers from left to right, Σ xᵢ; the sum of no numbers is 0.

    Parameters
    ----------
    values : iterable of n scalars
    start : scalar, optional
        Added first. Arrays, lists and tuples are added as by Python's ``sum``.

    Examples
    --------
    >>> sum([1.0, 2.0, 3.0])
    6.0
    """
    total = 0.0
    for x in operands:
        total += x
    return total


@primitive(
    ListReduction,
    partials=lambda y, operands: (1.0 / len(operands),) * len(operands),
    pattern="distributor",
)
def mean(operands: Sequence[float]) -> float:
    """Average numbers, Σ xᵢ / n.

    Raises
    ------
    OperandError
        If there are none.

    Examples
    --------
    >>> mean([1.0, 2.0, 3.0])
    2.0
    """
    if not operands:
        raise OperandError("mean of no numbers is undefined: give at least one")
    total: float = sum.function(operands)
    return total / len(operands)


def _stable_logsumexp(operands: Sequence[Any]) -> Any:
    """Return logsumexp as an expression; an infinite maximum is not subtracted.

    The largest operand contributes exactly 1 to the sum of exponentials. `log1p` adds it, so that
    small contributions of the others are not lost by rounding.
    """
    largest = maximum(*operands)
    infinite = eq(abs(largest), math.inf)
    shift = where(infinite, 0.0, largest)
    is_largest = [eq(x, largest) for x in operands]
    pairs = zip(is_largest, operands, strict=True)
    others = [where(is_max, 0.0, exp(x - shift)) for is_max, x in pairs]
    # The difference is never below 0. `maximum` keeps compiled code from merging it into the sum of
    # the others, which would lose digits.
    ties = maximum(sum(is_largest) - 1.0, 0.0)
    return where(infinite, largest, largest + log1p(sum(others) + ties))


def _softmax_of(y: Any, operands: Sequence[Any]) -> list[Any]:
    """Return e^(xᵢ - y), which is 0 for an operand of -inf, even if all are -inf."""
    shift = where(eq(y, -math.inf), 0.0, y)
    probabilities = [exp(x - shift) for x in operands]
    if isinstance(y, float):
        return probabilities
    rest = sum([where(p > _LIKELY, 0.0, p) for p in probabilities])
    return [_probability.of(x, shift, rest) for x in operands]


def _slopes_of_probability(p: Any, *_: Any) -> tuple[Any, ...]:
    likely = gt(p, _LIKELY)
    return where(likely, 0.0, p), where(likely, 0.0, -p), where(likely, -1.0, 0.0)


@composite(FixedArityOperation, symbol="eˣ⁻ʸ", partials=_slopes_of_probability)
def _probability(x: Any, y: Any, rest: Any) -> Any:  # noqa: ARG001 - its slopes are by the rest
    """Return the probability e^(x - y); above `_LIKELY`, with the slopes of 1 - rest."""
    return exp(x - y)


@primitive(
    ListReduction,
    partials=_softmax_of,
    javascript="""\
(...operands) => {
  const largest = Math.max(...operands);
  if (!Number.isFinite(largest)) return largest;
  const at = operands.indexOf(largest);
  const others = operands.map((x, i) => (i === at ? 0 : Math.exp(x - largest)));
  return largest + Math.log1p(others.reduce((total, x) => total + x, 0));
}""",
    expression=_stable_logsumexp,
)
def logsumexp(operands: Sequence[float]) -> float:
    """Compute ln Σ e^xᵢ without overflow; its partials are the softmax of the operands.

    The contribution of the other operands is added to the largest one, as in `numpy.logaddexp`: if
    one operand is 0 and the others are much smaller, the small result is accurate.

    Raises
    ------
    OperandError
        If there are no numbers.

    Examples
    --------
    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    if not operands:
        raise OperandError("logsumexp of no numbers is undefined: give at least one")
    largest = max(operands)
    if math.isinf(largest) and not any(x != x for x in operands):
        return largest
    others = math.fsum([-1.0, *[math.exp(x - largest) for x in operands]])  # none overflows
    return largest + math.log1p(others)


def _partials_of_gate(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    slope = y * _gate.of(b, a)
    return slope, -slope


@composite(Binary, partials=_partials_of_gate, text=Notation("σ({0} - {1})", ATOM, (SUM, SUM + 1)))
def _gate(a: Any, b: Any) -> Any:
    """Return σ(a - b), corrected by the rounding error of a - b."""
    gap = a - b
    back = gap - a
    error = where(abs(gap) < math.inf, (a - (gap - back)) - (b + back), 0.0)
    return sigmoid(gap) * (1 + error * sigmoid(-gap))


@composite(
    Binary,
    symbol="ln(eᵃ + eᵇ)",
    partials=lambda y, a, b: (
        where(eq(y, -math.inf), 0.0, _gate.of(a, b)),
        where(eq(y, -math.inf), 0.0, _gate.of(b, a)),
    ),
)
def logaddexp(a: Any, b: Any) -> Any:
    """Compute ln(e^a + e^b) without overflow; its partials are σ(a - b) and σ(b - a).

    Examples
    --------
    >>> logaddexp(0.0, -50.0)
    1.9287498479639178e-22
    """
    gap = where(eq(a, b), 0.0, abs(a - b))
    return where(a > b, a, b) + log1p(exp(-gap))


def _terms(x: Any, name: str) -> tuple[Any, ...]:
    """Return the entries of an argument of `dot` as a tuple."""
    return tuple(x if isinstance(x, list | tuple) else check_list(x, f"dot: {name}", "numbers"))


class Dot(Reduction):
    """The operation `dot`; its operands are the weights, the inputs and at most one bias."""

    @overload
    def __call__(
        self, w: Iterable[float], x: Iterable[float], bias: float | None = None
    ) -> float: ...
    @overload
    def __call__(
        self,
        w: Iterable[Operand[R_co] | float],
        x: Iterable[Operand[R_co] | float],
        bias: Operand[R_co] | float | None = None,
    ) -> R_co: ...
    @overload  # list displays of nodes and numbers, whose type mypy cannot infer
    def __call__(
        self,
        w: Iterable[Operand[Any] | float],
        x: Iterable[Operand[Any] | float],
        bias: Operand[Any] | float | None = None,
    ) -> Any: ...
    def __call__(self, w: Any, x: Any, bias: Any = None) -> Any:
        weights, inputs = _terms(w, "w"), _terms(x, "x")
        if len(weights) != len(inputs):
            raise OperandError(
                f"dot: {pluralize(len(weights), 'weight')} but {pluralize(len(inputs), 'input')}; "
                "give one input per weight"
            )
        operands = (*weights, *inputs) if bias is None else (*weights, *inputs, bias)
        return self.of(*operands)


def _swap(_result: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
    n = len(operands) // 2
    return (*operands[n : 2 * n], *operands[:n], *((1.0,) * (len(operands) % 2)))


@primitive(Dot, symbol="w·x", partials=_swap, pattern="swap multiplier")
def dot(operands: Sequence[float]) -> float:
    """Compute Σ wᵢxᵢ + b, as an artificial neuron does before its activation.

    Parameters
    ----------
    w, x : iterable of length n
        Weights and inputs.
    bias : scalar, optional
        The first term; the products follow from left to right.

    Raises
    ------
    OperandError
        If `w` and `x` differ in length.

    Examples
    --------
    >>> dot([2.0, 3.0], [10.0, 100.0], 1.0)
    321.0
    """
    n = len(operands) // 2
    total = operands[-1] if len(operands) % 2 else 0.0
    for w, x in zip(operands, operands[n : 2 * n]):  # noqa: B905 - stops after n products
        total += w * x
    return total


@overload
def prod(values: Iterable[float]) -> float: ...
@overload
def prod(values: Iterable[Operand[R_co] | float]) -> R_co: ...
def prod(values: Iterable[Any]) -> Any:
    """Multiply numbers from left to right, Π xᵢ; the product of no numbers is 1.

    Creates n - 1 nodes, so that the gradient is right also if factors are 0.

    Examples
    --------
    >>> prod([2.0, 3.0, 4.0])
    24.0
    """
    return functools.reduce(mul, check_scalars(values, "values") or [1.0])


@overload
def var(values: Iterable[float], *, correction: float = 1) -> float: ...
@overload
def var(values: Iterable[Operand[R_co] | float], *, correction: float = 1) -> R_co: ...
def var(values: Iterable[Any], *, correction: float = 1) -> Any:
    """Compute the variance, Σ (xᵢ - mean)² / (n - correction).

    Parameters
    ----------
    values : iterable of n scalars
    correction : float
        1 for a sample, as in PyTorch; 0 for the whole population, as in NumPy.

    Raises
    ------
    OperandError
        If n is not larger than the correction.

    Notes
    -----
    Creates 2n + 3 nodes. If all numbers are equal, `std` has no derivative: its gradient is nan,
    which raises NumericalError.

    Examples
    --------
    >>> var([1.0, 2.0, 3.0]), std([1.0, 3.0], correction=0)
    (1.0, 1.0)
    """
    numbers = check_scalars(values, "values")
    degrees = len(numbers) - check_number(correction, "correction")
    if not degrees > 0.0:
        raise OperandError(
            f"the variance of {pluralize(len(numbers), 'number')} with correction={correction} is "
            "undefined: give at least one more, or correction=0"
        )
    centre = mean(numbers)
    return sum([square(x - centre) for x in numbers]) / degrees


@overload
def std(values: Iterable[float], *, correction: float = 1) -> float: ...
@overload
def std(values: Iterable[Operand[R_co] | float], *, correction: float = 1) -> R_co: ...
def std(values: Iterable[Any], *, correction: float = 1) -> Any:
    """Compute the standard deviation, the square root of the variance; see `var`.

    Examples
    --------
    >>> round(std([1.0, 2.0, 4.0]), 12)
    1.527525231652
    """
    return sqrt(var(values, correction=correction))


def _are_nodes(scores: Sequence[Any]) -> bool:
    """Return True if all scores are nodes, except masked ones, which are -inf."""
    return all(hasattr(x, "_apply") or x == -math.inf for x in scores)


def _store_scores(shifted: Sequence[Any], scores: Sequence[Any]) -> None:
    """Store the scores at the nodes that subtract their maximum, as `SCORES_ATTRIBUTE` says.

    Step pages compute the maximum again at other inputs.
    """
    stored = tuple(scores)
    for x in shifted:
        if getattr(x, "parents", ()):
            x._softmax_scores = stored


def _trace_softmax(scores: Sequence[Any]) -> list[Any]:
    """Traced form of `softmax`: the likely class, if there is one, is found at each call."""
    largest = maximum(*scores)
    shift = largest.detach() if hasattr(largest, "_apply") else largest
    shifted = [x - shift for x in scores]
    weights = [exp(x) for x in shifted]
    total = sum(weights)
    probabilities = [w / total for w in weights]
    likely = [gt(p, _LIKELY) for p in probabilities]
    rest = sum([where(yes, 0.0, w) for yes, w in zip(likely, weights, strict=True)])
    return [_share_by_select.of(w, total, rest) for w in weights]


@trace_as(_trace_softmax)
def _softmax(scores: Sequence[Any]) -> list[Any]:
    """Return the softmax of at least one score."""
    largest = max(getattr(x, "data", x) for x in scores)
    shifted = [x - largest for x in scores]
    if isinstance(largest, float) and _are_nodes(scores):
        _store_scores(shifted, scores)
    weights = [exp(x) for x in shifted]
    total = sum(weights)
    probabilities = [w / total for w in weights]
    if (k := _dominant(probabilities, _LIKELY)) >= 0:
        probabilities[k] = _share.of(weights[k], *weights[:k], *weights[k + 1 :])
    return probabilities


@overload
def softmax(values: Iterable[float]) -> list[float]: ...
@overload
def softmax(values: Iterable[Operand[R_co] | float]) -> list[R_co]: ...
def softmax(values: Iterable[Any]) -> list[Any]:
    """Convert n scores to n probabilities, e^xᵢ / Σ e^xⱼ, stable for large scores.

    Notes
    -----
    The largest score is subtracted first, as a constant; this changes neither the result
    nor its gradient. Creates 3n + 1 nodes.

    Examples
    --------
    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    scores = check_scalars(values, "values", "score")
    return _softmax(scores) if scores else []


@overload
def log_softmax(values: Iterable[float]) -> list[float]: ...
@overload
def log_softmax(values: Iterable[Operand[R_co] | float]) -> list[R_co]: ...
def log_softmax(values: Iterable[Any]) -> list[Any]:
    """Return the logarithms of `softmax`, xᵢ - ln Σ e^xⱼ; small ones do not become -inf.

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    [0.0, -1000.0]
    """
    scores = check_scalars(values, "values", "score")
    total = logsumexp(scores) if scores else 0.0
    return _accurate_logs([x - total for x in scores])


def _trace_accurate_logs(logs: list[Any]) -> list[Any]:
    likely = [gt(x, _LOG_LIKELY) for x in logs]
    others = sum([where(yes, 0.0, exp(x)) for yes, x in zip(likely, logs, strict=True)])
    rest = log1p(0.0 - where(others > 0.5, 0.0, others))  # if none is likely, others is 1
    return [where(yes, rest, x) for yes, x in zip(likely, logs, strict=True)]


@trace_as(_trace_accurate_logs)
def _accurate_logs(logs: list[Any]) -> list[Any]:
    """Compute the logarithm of a probability above `_LIKELY` again, from the other logarithms."""
    if (k := _dominant(logs, _LOG_LIKELY)) >= 0:
        logs[k] = log1p(0.0 - sum(map(exp, logs[:k] + logs[k + 1 :])))  # not -0.0
    return logs


def _dominant(values: list[Any], bound: float) -> int:
    """Return the index of the first value above `bound`, or -1."""
    return next((k for k, x in enumerate(values) if getattr(x, "data", x) > bound), -1)


def _partials_of_share(share: Any, weights: Sequence[Any]) -> list[Any]:
    total, rest = sum.function(weights), sum.function(weights[1:])
    return [rest / total / total, *[-share / total for _ in weights[1:]]]


@primitive(Reduction, symbol="x/Σ", partials=_partials_of_share)
def _share(weights: Sequence[float]) -> float:
    """Return the first weight divided by the sum of all weights."""
    share: float = weights[0] / sum.function(weights)
    return share


def _partials_of_either(share: Any, _w: Any, total: Any, rest: Any) -> tuple[Any, ...]:
    likely, slope = gt(share, _LIKELY), -share / total
    return (
        where(likely, rest / total, 1.0) / total,
        where(likely, 0.0, slope),
        where(likely, slope, 0.0),
    )


@composite(FixedArityOperation, partials=_partials_of_either)
def _share_by_select(w: Any, total: Any, rest: Any) -> Any:  # noqa: ARG001 - its slopes read the rest
    """Return w / total, with the slopes of a quotient or, for a likely class, of `_share`.

    Its derivatives of any order are those of eager code.
    """
    return w / total
