"""The parameters of a fit: their tree, their names, and their free parameters.

A transform is a differentiable bijection from the real line to the range of a parameter. The
optimizer changes free parameters, which may be any real numbers; `forward` maps them to the
parameters of the model:

    x0            {"scale": 2.0}    with transforms={"scale": positive}
    free          [0.693]           log(2)
    forward       scale = exp(free)

The names are those of Stan, TensorFlow Probability and PyMC.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_number, is_word
from scalargrad.checks.numbers import is_real
from scalargrad.engine.tree import children, flatten, leaf_names, within
from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import exp, log, sigmoid, softmax
from scalargrad.system.short_repr import format_value


class Transform:
    """A differentiable bijection; subclasses define its methods, which take lists of numbers.

    Attributes
    ----------
    name : str
        Name for messages.
    needs : str
        Description of its range, for messages.
    elementwise : bool
        Whether each number depends on a single free parameter.
    """

    name = "transform"
    needs = "other numbers"
    elementwise = False

    def forward(self, free: Sequence[Any]) -> list[Any]:
        """Map free parameters to parameters."""
        raise NotImplementedError

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        """Map parameters to free parameters."""
        raise NotImplementedError

    def contains(self, numbers: Sequence[float]) -> bool:
        """Return True if parameters are in the range of the transform."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.name


class _Interval(Transform):
    """Transform of each number separately to an interval."""

    elementwise = True

    def __init__(self, low: float, high: float, name: str) -> None:
        self.low, self.high, self.name = low, high, name
        above, below = math.isfinite(low), math.isfinite(high)
        parts = [f"above {low:g}"] * above + [f"below {high:g}"] * below
        self.needs = f"numbers {' and '.join(parts)}"
        self.__doc__ = f"Transform of {self.needs}, each separately."
        self._has_low, self._has_high = above, below

    def forward(self, free: Sequence[Any]) -> list[Any]:
        if not self._has_high:
            return [self.low + exp(q) for q in free]
        if not self._has_low:
            return [self.high - exp(q) for q in free]
        return [self.low + (self.high - self.low) * sigmoid(q) for q in free]

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        below = [log(x - self.low) if self._has_low else 0.0 for x in numbers]
        above = [log(self.high - x) if self._has_high else 0.0 for x in numbers]
        if not self._has_low:
            return above
        return [x - y for x, y in zip(below, above, strict=True)]

    def contains(self, numbers: Sequence[float]) -> bool:
        return all(self.low < x < self.high for x in numbers)


def interval(low: float, high: float = math.inf) -> Transform:
    """Return the transform to an interval, one of whose bounds may be infinite.

    It is the logistic function for two finite bounds, and the exponential function for one.

    Parameters
    ----------
    low, high : float
        The bounds, which are excluded.

    Raises
    ------
    OperandError
        If a bound is not a number.
    DomainError
        If `low` is not below `high`, or both are infinite.

    Examples
    --------
    >>> interval(-1.0, 1.0).forward([0.0])
    [0.0]
    """
    low = check_number(low, "low", finite=False)
    high = check_number(high, "high", finite=False)
    if not low < high or (math.isinf(low) and math.isinf(high)):
        raise DomainError(f"low is {low:g} and high {high:g}; low must be below high, one finite")
    return _Interval(low, high, f"interval({low:g}, {high:g})")


class _Simplex(Transform):
    """Transform to positive numbers whose sum is 1: softmax, with the last logit fixed at 0."""

    name, needs = "simplex", "numbers above 0 whose sum is 1"

    def forward(self, free: Sequence[Any]) -> list[Any]:
        return list(softmax([*free, 0.0]))

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        return [log(x / numbers[-1]) for x in numbers[:-1]]

    def contains(self, numbers: Sequence[float]) -> bool:
        return bool(numbers) and min(numbers) > 0.0 and abs(math.fsum(numbers) - 1.0) < 1e-9


class _Ordered(Transform):
    """Transform to increasing numbers, from the first one and the logarithms of the differences."""

    name, needs = "ordered", "numbers in increasing order"

    def forward(self, free: Sequence[Any]) -> list[Any]:
        found = [*free[:1]]
        for q in free[1:]:
            found.append(found[-1] + exp(q))
        return found

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        pairs = pairwise(numbers)
        return [*numbers[:1], *(log(y - x) for x, y in pairs)]

    def contains(self, numbers: Sequence[float]) -> bool:
        return all(x < y for x, y in pairwise(numbers))


positive: Transform = _Interval(0.0, math.inf, "positive")
simplex: Transform = _Simplex()
ordered: Transform = _Ordered()


class _Block(NamedTuple):
    """Consecutive parameters that are transformed together."""

    transform: Transform | None
    size: int
    free: int  # number of free parameters


class Parameters:
    """A tree of parameters, and its free parameters.

    Parameters
    ----------
    x0 : tree of numbers
        The start.
    transforms : Transform, or tree of them, optional
        A tree has the structure of `x0` or of its upper part. Entries missing from a dict have no
        transform.
    bounds : (low, high), or tree of such pairs, optional
        Bounds, instead of transforms.

    Attributes
    ----------
    names : list of str
        Name of each parameter: ``omega``, ``beta[1]``, ``noise.scale``.
    first : list of float
        The parameters at the start.
    start : list of float
        The free parameters at the start.
    free_names : list of str
        Name of the parameter of each free parameter; for a simplex, all but the last.
    bounds : list of (float, float)
        Bounds of each free parameter; infinite where there are none.

    Raises
    ------
    OperandError
        If a parameter is not a number, or a transform or bound does not fit the tree.
    DomainError
        If a parameter is not within the range of its transform, or not within its bounds.
    """

    def __init__(self, x0: Any, transforms: Any = None, bounds: Any = None) -> None:
        leaves, self._rebuild = flatten(x0, "x0")
        self.names = leaf_names(x0, "")
        self.first = [check_number(x, name) for x, name in zip(leaves, self.names, strict=True)]
        if not self.first:
            raise OperandError(f"x0 is {format_value(x0)}: give at least one number")
        self._blocks: list[_Block] = []
        self.start: list[float] = []
        self.free_names: list[str] = []
        self.bounds: list[tuple[float, float]] = []
        done = 0
        for transform, names in _broadcast(x0, transforms, _is_transform, _TRANSFORM, ""):
            numbers = self.first[done : done + len(names)]
            done += len(names)
            _require_in_range(transform, names, numbers)
            free = numbers if transform is None else list(map(float, transform.inverse(numbers)))
            self._blocks.append(_Block(transform, len(names), len(free)))
            self.start += free
            self.free_names += names[: len(free)]
        self._set_bounds(x0, bounds)

    def _set_bounds(self, x0: Any, bounds: Any) -> None:
        pairs = [
            _pair(pair, name)
            for pair, names in _broadcast(x0, bounds, _is_pair, _PAIR, "")
            for name in names
        ]
        is_bounded = any(low > -math.inf or high < math.inf for low, high in pairs)
        if not is_bounded:
            pairs = [(-math.inf, math.inf)] * len(self.start)
        elif self.is_transformed:
            raise OperandError(
                "bounds and transforms cannot be combined: use the transform interval(low, high)"
            )
        else:
            for (low, high), x, name in zip(pairs, self.first, self.names, strict=True):
                if not low <= x <= high:
                    raise DomainError(f"{name} is {x:g} in x0; its bounds are {low:g} and {high:g}")
        self.bounds, self.is_bounded = pairs, is_bounded

    @property
    def is_transformed(self) -> bool:
        """True if any parameter has a transform."""
        return any(block.transform is not None for block in self._blocks)

    def numbers(self, free: Sequence[Any]) -> list[Any]:
        """Return the parameters, in order, from free parameters, which may be Values."""
        found: list[Any] = []
        done = 0
        for block in self._blocks:
            part = [*free[done : done + block.free]]
            done += block.free
            found += part if block.transform is None else block.transform.forward(part)
        return found

    def tree(self, free: Sequence[Any]) -> Any:
        """Return the tree of parameters from free parameters."""
        return self._rebuild(iter(self.numbers(free)))

    def shaped(self, numbers: Sequence[Any]) -> Any:
        """Return numbers, one for each parameter, in the structure of the start."""
        return self._rebuild(iter(numbers))

    def free_index(self, name: str) -> int:
        """Return the index of the free parameter of a parameter.

        Raises
        ------
        OperandError
            If no parameter has this name, or it depends on several free parameters.
        """
        if not is_word(name, self.names):
            some = ", ".join(self.names[:8]) + ", …" * (len(self.names) > 8)
            raise OperandError(f"name is {format_value(name)}; the parameters are {some}")
        index, start = self.names.index(name), 0
        for block in self._blocks:
            if index < block.size:
                break
            index, start = index - block.size, start + block.free
        if block.transform is not None and not block.transform.elementwise:
            raise OperandError(
                f"{name} is transformed together with others, by {block.transform}; choose another"
            )
        return start + index

    def format_start(self, most: int = 8) -> str:
        """Format the parameters at the start: ``omega = 0.1, beta[0] = 2``."""
        pairs = list(zip(self.names, self.first, strict=True))[:most]
        text = ", ".join(f"{name} = {x:g}" for name, x in pairs)
        return text + ", …" * (len(self.names) > most)


def _require_in_range(transform: Transform | None, names: list[str], numbers: list[float]) -> None:
    """Raise DomainError if parameters are not in the range of a transform; name them."""
    if transform is None or transform.contains(numbers):
        return
    pairs = list(zip(names, numbers, strict=True))
    if transform.elementwise:
        pairs = [(name, x) for name, x in pairs if not transform.contains([x])]
    text = ", ".join(f"{name} = {x:g}" for name, x in pairs)
    raise DomainError(f"x0 has {text}; {transform} needs {transform.needs}")


_TRANSFORM = "transforms", "positive, interval(0, 1), simplex or ordered"
_PAIR = "bounds", "(low, high), with None for no bound"


def _is_transform(x: Any) -> bool:
    return isinstance(x, Transform)


def _is_pair(x: Any) -> bool:
    """Return True if x is a pair of a lower and an upper bound."""
    ends = isinstance(x, tuple | list) and len(x) == 2
    return ends and all(end is None or is_real(end) for end in x)


def _broadcast(
    tree: Any, given: Any, is_one: Callable[[Any], bool], what: tuple[str, str], where: str
) -> list[tuple[Any, list[str]]]:
    """Return pairs of a value and the names of the parameters that it is for."""
    if given is None or is_one(given):
        return [(given, leaf_names(tree, where))]
    parts = children(tree)
    if parts is None or not isinstance(given, dict | list | tuple):
        raise OperandError(f"{what[0]} of {where or 'x0'}: {format_value(given)}; give {what[1]}")
    values = given if isinstance(given, dict) else dict(enumerate(given))
    keys = {key for key, _ in parts}
    for key in values:
        if key not in keys:
            raise OperandError(
                f"{what[0]} has the key {format_value(key)}, which {where or 'x0'} does not have"
            )
    if not isinstance(given, dict) and len(values) < len(keys):
        raise OperandError(f"{what[0]} has {len(values)} parts, {where or 'x0'} {len(keys)}")
    found = []
    for key, part in parts:
        found += _broadcast(part, values.get(key), is_one, what, within(where, key))
    return found


def _pair(pair: Any, name: str) -> tuple[float, float]:
    """Return a lower and an upper bound as floats; None becomes an infinite bound."""
    low, high = pair or (None, None)
    low = (
        -math.inf if low is None else check_number(low, f"the lower bound of {name}", finite=False)
    )
    high = (
        math.inf if high is None else check_number(high, f"the upper bound of {name}", finite=False)
    )
    if not low < high:
        raise DomainError(f"the bounds of {name} are {low:g} and {high:g}; the first must be lower")
    return low, high
