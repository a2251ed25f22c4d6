"""Record what all snapshots of a training share, and refuse a model that a page cannot show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scalargrad.compiler.passes.program import Program
from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.show.training.programs import (
    Cell,
    Loss,
    Model,
    Retraining,
    find_cells,
    find_retraining,
    record_loss,
    record_model,
)
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.printing import MINUS
from scalargrad.table.validation import listed, number, text, whole
from scalargrad.train.examples import Examples, detached
from scalargrad.value import Value


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
        return [f"{MINUS}1", "1"]
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


#: Most examples a page draws.
MOST_EXAMPLES = 1000


@dataclass
class Setting:
    """What does not change from snapshot to snapshot.

    Attributes
    ----------
    model : Program
        What the model computes from inputs and parameters.
    cells : list of Cell
        Its inputs and units.
    losses : list of Program
        What the loss of each example computes from the model's outputs.
    inputs : list of lists of float
        The examples.
    task : Task
        What the outputs should be.
    threshold : float
        A single output above it means class 1.
    plane : tuple of int
        The inputs along the axes, one or two.
    features : list of str or None
        Names of the inputs.
    loss_name : str
        The name of the loss function.
    retraining : Retraining or None
        How the page can train the network again, if it can.
    """

    model: Program
    cells: list[Cell]
    losses: list[Program]
    inputs: list[list[float]]
    task: Task
    threshold: float
    plane: tuple[int, ...]
    features: list[str] | None
    loss_name: str
    retraining: Retraining | None


def study(
    model: Model,
    data: Examples,
    loss: Loss,
    *,
    optimizer: Any,
    threshold: float,
    plane: tuple[int, int],
    feature_names: Sequence[str] | None,
    target_names: Sequence[str] | None,
    limit: int,
) -> tuple[Setting, list[Value]]:
    """Record what the model and the loss compute, and refuse what a page cannot show.

    Returns
    -------
    Setting
    list of Value
        The parameters, in the order in which the setting's model has them.

    Raises
    ------
    OperandError, TraceError, GraphTooLargeError
        As `watch` says.
    """
    width = len(data.inputs[0])
    found = record_model(model, data.inputs[0])
    _require_small(len(found.parameters), limit)
    cells = find_cells(found.program, width)
    setting = Setting(
        model=found.program,
        cells=cells,
        losses=[record_loss(loss, found, target) for target in data.targets],
        inputs=data.inputs,
        task=find_task(data.targets, len(found.program.outputs), target_names),
        threshold=number(threshold, "threshold"),
        plane=_plane(plane, width),
        features=_features(feature_names, width),
        loss_name=getattr(loss, "__name__", type(loss).__name__),
        retraining=find_retraining(found.program, cells, optimizer),
    )
    _require_mean(model, data, loss)
    return setting, found.parameters


def _require_small(parameters: int, limit: int) -> None:
    if parameters > whole(limit, "limit", 1):
        raise GraphTooLargeError(
            f"the model has {parameters:,} parameters, too many for a page of at most {limit:,}: "
            f"watch a smaller one, or pass limit={parameters}"
        )


def _plane(plane: Iterable[int], width: int) -> tuple[int, ...]:
    if width == 1:
        return (0,)
    plane = tuple(whole(i, "plane") for i in listed(plane, "plane", "two whole numbers"))
    if len(set(plane)) != 2 or not all(0 <= i < width for i in plane):
        raise OperandError(f"plane is {plane}: give two different inputs of 0 … {width - 1}")
    return plane


def _features(names: Sequence[str] | None, width: int) -> list[str] | None:
    if names is None:
        return None
    names = listed(names, "feature_names", "text")
    if len(names) != width:
        raise OperandError(
            f"feature_names has {counted(len(names), 'name')} for {counted(width, 'input')}: "
            "give one for each"
        )
    return [text(str(name), "the name of a feature") for name in names]


def _require_mean(model: Model, data: Examples, loss: Loss) -> None:
    """Check that the loss of all examples is the mean of their losses, as the page assumes."""
    with no_grad():
        answers = [model(x) for x in data.inputs]
        whole = as_float(detached(loss(answers, data.targets)), "the loss")
        each = [
            as_float(detached(loss([answer], [target])), "the loss")
            for answer, target in zip(answers, data.targets, strict=True)
        ]
    for i, x in enumerate(each):
        if not math.isfinite(x):
            raise OperandError(
                f"the loss of example {i} is {x}: leave out or fill in inputs that are not finite, "
                "and scale down large ones"
            )
    mean = math.fsum(x / len(each) for x in each)
    if not math.isclose(whole, mean, rel_tol=1e-9, abs_tol=1e-12):
        raise OperandError(
            f"the loss of all {len(each)} examples is {whole:g}, the mean of the losses of each "
            f"{mean:g}: watch needs a loss that is the mean over examples, as fit does"
        )


def rectangle(inputs: Sequence[Any]) -> list[list[float]]:
    """Return inputs as lists of floats, all of one length."""
    if len(inputs) > MOST_EXAMPLES:
        raise GraphTooLargeError(
            f"{len(inputs):,} examples are too many for a page of at most {MOST_EXAMPLES:,}: make "
            "the page with some of them, page = watch(model, X[:500], y[:500], loss=loss), and "
            "train on all with fit(…, callbacks=[page])"
        )
    rows = []
    for i, x in enumerate(inputs):
        is_row = isinstance(x, list | tuple) or hasattr(x, "tolist")
        if not is_row or not len(x) or not all(is_real(number) for number in x):
            raise OperandError(f"input {i} is {shown(x)}: give a list of numbers")
        if len(x) != len(inputs[0]):
            raise OperandError(
                f"input {i} has {counted(len(x), 'number')}, but input 0 has {len(inputs[0])}: "
                "give as many in each"
            )
        rows.append([float(number) for number in x])
    return rows
