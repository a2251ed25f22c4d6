"""The task of a model: binary or multi-class classification, or regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scalargrad.errors import OperandError
from scalargrad.show.number_format import number
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import listed, text


@dataclass(frozen=True)
class Task:
    """How outputs are read, and what they should be.

    Attributes
    ----------
    kind : {"threshold", "largest", "number"}
        A single output above a threshold means class 1; the largest of several outputs gives the
        class; or, in regression, the outputs are the answer.
    targets : list of number, or list of lists of them
        One for each example.
    classes : list of int
        The class of each example; empty where there are none.
    names : list of str
        The names of the classes; empty where there are none.
    """

    kind: Literal["threshold", "largest", "number"]
    targets: list[Any]
    classes: list[int]
    names: list[str]


def find_task(targets: Sequence[Any], outputs: int, names: Sequence[str] | None) -> Task:
    """Infer the task from the targets.

    Parameters
    ----------
    targets : sequence
        Numbers, or lists of as many numbers as there are outputs.
    outputs : int
        How many outputs the model has.
    names : sequence of str, optional
        What the classes are called.

    Raises
    ------
    OperandError
        If a target is neither a number nor a list with one for each output, or there are not as
        many names as classes.
    """
    flat = [_target(t, outputs, i) for i, t in enumerate(targets)]
    kind, classes, count = _classes(flat, outputs)
    names = None if names is None else listed(names, "target_names", "text")
    if names is not None and len(names) != count:
        raise OperandError(
            f"target_names has {counted(len(names), 'name')} for {count} classes: give one for each"
        )
    called = names or _names(flat, kind, count)
    return Task(kind, flat, classes, [text(str(x), "the name of a class") for x in called])


def _names(flat: list[Any], kind: str, count: int) -> list[str]:
    """Return the names of the classes as in the data: −1 and 1, False and True, or 0, 1, …."""
    if kind == "threshold" and all(isinstance(t, bool) for t in flat):
        return ["False", "True"]
    if kind == "threshold" and min(flat) < 0:
        return [number(-1.0), number(1.0)]
    return [str(c) for c in range(count)]


def _target(t: Any, outputs: int, i: int) -> Any:
    numbers = list(t) if hasattr(t, "__len__") else [t]
    if not all(is_real(x) for x in numbers) or len(numbers) not in {1, outputs}:
        raise OperandError(
            f"target {i} is {shown(t)}: give a number, or one for each of {outputs} outputs"
        )
    return numbers[0] if len(numbers) == 1 else [float(x) for x in numbers]


def _classes(
    flat: list[Any], outputs: int
) -> tuple[Literal["threshold", "largest", "number"], list[int], int]:
    """Return the kind, the class of each example and how many there are."""
    found = {t for t in flat if is_real(t)} if all(is_real(t) for t in flat) else {None}
    if outputs == 1 and (found <= {0, 1} or found <= {-1, 1}):
        return "threshold", [int(t > 0) for t in flat], 2
    if outputs > 1 and found <= set(range(outputs)):
        return "largest", [int(t) for t in flat], outputs
    return "number", [], 0
