"""Record what all snapshots of a training share, and refuse a model that a page cannot show."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from scalargrad.compiler.passes.program import Program
from scalargrad.errors import GraphTooLargeError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.show.places import unit_name
from scalargrad.show.training.programs import (
    Cell,
    Json,
    Loss,
    Model,
    ProgramWriter,
    activation,
    find_cells,
    layers_of,
    record_loss,
    record_model,
    retraining,
)
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.operation import Operation
from scalargrad.table.printing import MINUS
from scalargrad.table.validation import listed, number, text, whole
from scalargrad.train.examples import Examples, detached
from scalargrad.value import Value


def find_task(targets: Sequence[Any], outputs: int, names: Sequence[str] | None) -> Json:
    """Infer the task from the targets: how outputs are read, and what they should be.

    A single output above a threshold means class 1; the largest of several outputs gives the class;
    or, in regression, the outputs are the answer.

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
    names = [text(str(x), "the name of a class") for x in called]
    return {"kind": kind, "targets": flat, "classes": classes, "names": names}


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


def _classes(flat: list[Any], outputs: int) -> tuple[str, list[int], int]:
    """Return the kind, the class of each example and how many there are."""
    found = {t for t in flat if is_real(t)} if all(is_real(t) for t in flat) else {None}
    if outputs == 1 and (found <= {0, 1} or found <= {-1, 1}):
        return "threshold", [int(t > 0) for t in flat], 2
    if outputs > 1 and found <= set(range(outputs)):
        return "largest", [int(t) for t in flat], outputs
    return "number", [], 0


#: Most examples a page draws.
MOST_EXAMPLES = 1000


class Setting(NamedTuple):
    """What does not change from snapshot to snapshot.

    Attributes
    ----------
    recorded : JSON
        What the page reads.
    operations : collection of (Operation, int)
        What it runs.
    sizes : list of int
        How many inputs and units there are, layer by layer.
    summary : list of str
        The network in a few words each.
    """

    recorded: Json
    operations: Collection[tuple[Operation, int]]
    sizes: list[int]
    summary: list[str]


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
    cells, written = find_cells(found.program, width), ProgramWriter()
    programs = [written.json(record_loss(loss, found, target)) for target in data.targets]
    losses = {str(program): program for program in programs}
    places = {key: place for place, key in enumerate(losses)}
    task = find_task(data.targets, len(found.program.outputs), target_names)
    recorded = {
        "model": written.json(found.program),
        "cells": [*_cells(found.program, cells, _features(feature_names, width))],
        "losses": [*losses.values()],
        "inputs": data.inputs,
        "lossOf": [places[str(program)] for program in programs],
        "task": task | {"threshold": number(threshold, "threshold")},
        "plane": _plane(plane, width),
        "retraining": retraining(written, found.program, cells, optimizer),
    }
    _require_mean(model, data, loss)
    symbols = filter(None, dict.fromkeys(activation(found.program, cell) for cell in cells))
    summary = [
        f"{' and '.join(symbols) or 'linear'} units",
        f"{len(found.parameters)} parameters",
        f"{len(data.inputs)} examples",
        f"loss: {getattr(loss, '__name__', type(loss).__name__).replace('_', ' ')}",
    ]
    sizes = [len(layer) for layer in layers_of(cells)]
    return Setting(recorded, written.operations, sizes, summary), found.parameters


def _cells(program: Program, cells: list[Cell], features: list[str] | None) -> Iterator[Json]:
    layers = layers_of(cells)
    for i, cell in enumerate(cells):
        place = layers[cell.layer].index(i)
        name = unit_name(cell.layer, place, len(layers) - 1, len(layers[-1]))
        yield {
            "name": features[place] if features and cell.layer == 0 else name,
            "layer": cell.layer,
            "node": cell.weighted if cell.output is None else cell.output,
            "weighted": cell.weighted,
            "activation": activation(program, cell),
            "sources": cell.sources,
            "bias": cell.bias,
        }


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
