"""Reduce one loss per element or example to the mean or the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from scalargrad.errors import DomainError, OperandError
from scalargrad.grad_mode import recorder
from scalargrad.ops import eq, floor, ge, lt, mean, sum
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.validation import choice, listed, scalar
from scalargrad.tree import flatten, flatten_like
from scalargrad.value import Scalar, Value

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def reduced(losses: Sequence[Scalar], reduction: Reduction, name: str) -> Any:
    """Return the mean or the sum of the losses, one node; of a single loss, itself.

    Examples
    --------
    >>> reduced([1.0, 3.0], "mean", "an example")
    2.0
    """
    if reduction_of(reduction, name) == "none":
        raise OperandError(f"{name}: reduction is 'none'; use 'mean' or 'sum'")
    if not losses:
        raise OperandError(f"{name} of no numbers is undefined: give at least one")
    if len(losses) == 1:
        return losses[0]
    return (mean if reduction == "mean" else sum)(losses)


def reduction_of(given: Any, name: str) -> str:
    """Return the reduction of losses.

    Raises
    ------
    DomainError
        If it is none of the three ways.
    """
    return choice(given, f"{name}: reduction", ("mean", "sum", "none"))


def elementwise(
    loss: Callable[[Any, Any], Any],
    input: Any,
    target: Any,
    reduction: Reduction,
    name: str,
    *,
    weight: Any = None,
) -> Any:
    """Apply `loss` to every number of `input` and the one of `target` in the same place.

    A column of numbers and a plain list of as many agree: [[1.0], [2.0]] and [1.0, 2.0].
    """
    way = reduction_of(reduction, name)
    numbers, rebuild = flatten(input, f"the input of {name}")
    wanted, _ = flatten(target, f"the target of {name}")
    if shape(input) != shape(target) and not _agree(input, target):
        raise OperandError(
            f"{name}: the input is {shape(input)}, the target {shape(target)}; give one target "
            "for each number, nested alike"
        )
    if _has_names(input):
        wanted = flatten_like(target, input, f"the target of {name}", "the input")
    numbers = [as_operand(x, f"{name}: a number of the input") for x in numbers]
    wanted = [as_operand(t, f"{name}: a target") for t in wanted]
    losses = [loss(x, t) for x, t in zip(numbers, wanted, strict=True)]
    if weight is not None:
        pairs = zip(spread(weight, input, f"{name}: weight"), losses, strict=True)
        losses = [x if is_real(w) and w == 1.0 else x * w for w, x in pairs]
    if way == "none":
        return rebuild(iter(losses))
    return reduced(losses, reduction, name)


def as_operand(x: Any, where: str) -> Any:
    """Return a Value as it is, and a real number of any type as a float.

    Examples
    --------
    >>> as_operand(3, "a target")
    3.0
    """
    return x if type(x) is float or isinstance(x, Value) else as_float(x, where)


def has_entries(x: Any) -> bool:
    """Return whether `x` holds several numbers; an array without axes is one, and has no length.

    Examples
    --------
    >>> has_entries([1.0]), has_entries(1.0)
    (True, False)
    """
    return hasattr(x, "__len__") and getattr(x, "ndim", 1) != 0


def _has_names(x: Any) -> bool:
    """Return whether numbers have names, to find those of the target by."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and any(map(_has_names, x)))


def _agree(input: Any, target: Any) -> bool:
    """Return whether one argument is a column and the other a flat list of as many numbers."""
    if not all(has_entries(x) and not isinstance(x, dict) for x in (input, target)):
        return False
    n = len(input)
    return {shape(input), shape(target)} == {f"{n} numbers", f"{n} × 1 numbers"}


def spread(weight: Any, input: Any, name: str) -> list[Any]:
    """Return a weight for every number of `input`, as PyTorch broadcasts it.

    Parameters
    ----------
    weight : scalar, list nested as `input`, or list as long as its rows
    input : nested lists of numbers
    name : str
        What the weight is called in messages.

    Raises
    ------
    OperandError
        If it has another length.

    Examples
    --------
    >>> spread([1.0, 2.0], [[0.0, 0.0], [0.0, 0.0]], "weight")
    [1.0, 2.0, 1.0, 2.0]
    """
    numbers, _ = flatten(input, "the input")
    found, _ = flatten(weight, name)
    weights = [scalar(w, name, finite=False) for w in found]
    if is_class(weight) or shape(weight) == shape(input):
        return weights * (len(numbers) if is_class(weight) else 1)
    row = f"{len(weights)} numbers"
    shapes = {shape(part) for part in input} if has_entries(input) else set()
    if shape(weight) != row or shapes != {row}:
        raise OperandError(
            f"{name} is {shape(weight)}, the input {shape(input)}; give one number, one for each "
            "of the input's, or one for each column"
        )
    return weights * (len(numbers) // len(weights))


def shape(tree: Any) -> str:
    """Describe how numbers are nested, for comparison and for messages.

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

    A Value, as every argument of a function being compiled is, stays one. There, one that names no
    class is divided by 0, so that the call is made eagerly and raises the error.
    """
    if recorder() is not None and isinstance(target, Value):
        return target / (ge(target, 0.0) * lt(target, classes) * eq(floor(target), target))
    if not is_class(target) or not eq(floor(target), target):
        given = target.data if isinstance(target, Value) else target
        raise OperandError(f"{name}: a target is {shown(given)}; classes are whole numbers")
    if not ge(target, 0.0) * lt(target, classes):
        given = target.data if isinstance(target, Value) else target
        raise DomainError(
            f"{name}: a target is class {given:.0f}; classes are counted from 0 to {classes - 1}, "
            "one for each score"
        )
    return target if isinstance(target, Value) else int(target)


def examples(input: Any, target: Any, name: str) -> Iterator[tuple[list[Any], Any]]:
    """Yield each example's scores with its target, from a batch."""
    scores = [listed(x, f"{name}: an example", "scores") for x in input]
    wanted = listed(target, f"{name}: target", "targets")
    if len(scores) != len(wanted):
        raise OperandError(
            f"{name}: {len(scores)} examples but {len(wanted)} targets; give one for each"
        )
    lengths = sorted({len(x) for x in scores})
    if len(lengths) > 1:
        raise OperandError(f"{name}: examples have {lengths} scores; give one for each class")
    if lengths == [0]:
        raise OperandError(f"{name}: the examples have no scores; give one for each class")
    pairs = zip(
        [[as_operand(x, f"{name}: a score") for x in row] for row in scores], wanted, strict=True
    )
    return ((x, t[0] if len(x) > 1 and _is_one(t) else t) for x, t in pairs)


def _is_one(target: Any) -> bool:
    """Return whether a target is an entry of a column of classes."""
    return isinstance(target, list | tuple) and len(target) == 1


def is_batch(input: Any) -> bool:
    """Return whether `input` holds lists of scores and not the scores of one example."""
    try:
        first = None if isinstance(input, str | dict) else input[0]
    except (TypeError, IndexError, KeyError):
        first = None
    if first is None:
        raise OperandError(f"scores are given as a list, not as {shown(input)}")
    return has_entries(first)
