"""Reducing one loss per element or example to their mean or sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import eq, floor, ge, lt, mean, sum
from scalargrad.table.numbers import is_real
from scalargrad.tree import flatten
from scalargrad.value import Scalar, Value

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def reduced(losses: Sequence[Scalar], reduction: Reduction, name: str) -> Any:
    """Return the mean or the sum of the losses, one node; of a single loss, itself.

    Examples
    --------
    >>> reduced([1.0, 3.0], "mean", "an example")
    2.0
    """
    if reduction not in {"mean", "sum"}:
        raise OperandError(f"{name}: reduction is {reduction!r:.40}; use 'mean', 'sum' or 'none'")
    if not losses:
        raise OperandError(f"{name} of no numbers is undefined: give at least one")
    if len(losses) == 1:
        return losses[0]
    return (mean if reduction == "mean" else sum)(losses)


def elementwise(
    loss: Callable[[Any, Any], Any], input: Any, target: Any, reduction: Reduction, name: str
) -> Any:
    """Apply `loss` to every number of `input` and the one of `target` in the same place."""
    numbers, rebuild = flatten(input, f"the input of {name}")
    wanted, _ = flatten(target, f"the target of {name}")
    if shape(input) != shape(target):
        raise OperandError(
            f"{name}: the input is {shape(input)}, the target {shape(target)}; give one target "
            "for each number, nested alike"
        )
    losses = [loss(x, t) for x, t in zip(numbers, wanted, strict=True)]
    if reduction == "none":
        return rebuild(iter(losses))
    return reduced(losses, reduction, name)


def shape(tree: Any) -> str:
    """Say how numbers are nested, for comparison and for messages.

    Examples
    --------
    >>> shape([[1.0, 2.0], [3.0, 4.0]]), shape(1.0)
    ('2 × 2 numbers', 'one number')
    """
    if isinstance(tree, Value) or is_real(tree):
        return "one number"
    parts = [shape(part) for part in (tree.values() if isinstance(tree, dict) else tree)]
    if not parts:
        return "empty"
    if len(set(parts)) > 1:
        return f"({', '.join(parts)})"
    return f"{len(parts)} numbers" if parts[0] == "one number" else f"{len(parts)} × {parts[0]}"


def is_class(target: Any) -> bool:
    """Return whether `target` is one number; it is a Value in a function being compiled."""
    return is_real(target) or isinstance(target, Value)


def class_index(target: Any, classes: int, name: str) -> Any:
    """Return `target` as a class in 0 … classes - 1, or say what is wrong with it.

    A Value, as every argument of a function being compiled is, stays one.
    """
    shown = target._data if isinstance(target, Value) else target
    if not is_class(target) or not eq(floor(target), target):
        raise OperandError(f"{name}: a target is {shown!r:.60}; classes are whole numbers")
    if not ge(target, 0.0) * lt(target, classes):
        raise DomainError(f"{name}: a target is class {shown:.0f}; there are 0 … {classes - 1}")
    return target if isinstance(target, Value) else int(target)


def examples(input: Any, target: Any, name: str) -> Iterator[tuple[list[Any], Any]]:
    """Yield each example's scores with its target, from a batch."""
    scores, wanted = list(input), list(target)
    if len(scores) != len(wanted):
        raise OperandError(
            f"{name}: {len(scores)} examples but {len(wanted)} targets; give one for each"
        )
    return ((list(x), t) for x, t in zip(scores, wanted, strict=True))


def is_batch(input: Any) -> bool:
    """Return whether `input` holds lists of scores and not the scores of one example."""
    try:
        first = input[0]
    except (TypeError, IndexError, KeyError):
        raise OperandError(f"scores are given as a list, not as {input!r:.60}") from None
    return hasattr(first, "__len__")
