"""The fixed content of a training page: model, loss and update rule as programs; the task.

The programs are those of the model, its loss and an optimiser's rule; in the model, units are
found. With the rule a page trains the network anew, also with other sizes of layers. A model that
a page cannot show is refused.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

from scalargrad.checks.arguments import listed, number, text, whole
from scalargrad.checks.numbers import as_float, is_real, json_number
from scalargrad.codegen.formulas import MINUS
from scalargrad.codegen.javascript import available, function_key
from scalargrad.compiler.call.outline import filled
from scalargrad.compiler.passes.kinds import CONSTANT, DETACH, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import Recording, record
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphTooLargeError, OperandError, ScalargradError, TraceError
from scalargrad.opdef.operation import Operation
from scalargrad.ops import dot
from scalargrad.optim import SGD, Optimizer
from scalargrad.show.shown_graph import unit_name
from scalargrad.show.weighted_sums import WeightedSum, weighted_sums
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.train.examples import Examples, detached


@dataclass
class Cell:
    """An input of the network, or a unit: a weighted sum and its activation.

    Attributes
    ----------
    weighted : int
        The node of the weighted sum; of an input, its own.
    output : int or None
        The node that other units read.
    sources : sequence of (int, int)
        The cells whose outputs are summed, and the parameters they are multiplied by.
    bias : int or None
        The node that is added.
    layer : int
        0 for an input, else one more than the last layer it reads.
    form : int
        What is computed of the sum: the same number for the same operations.
    """

    weighted: int
    output: int | None = None
    sources: Sequence[tuple[int, int]] = ()
    bias: int | None = None
    layer: int = 0
    form: int = 0


def find_cells(program: Program, width: int) -> list[Cell]:
    """Return inputs and units of a network, in the order in which they are computed.

    A unit is a weighted sum of outputs of cells before it, followed by anything that reads no
    other unit: an activation. A sum of one product, w·x + b, is a unit where it is a `dot`; written
    with + and ×, it may as well be part of an activation.

    Parameters
    ----------
    program : Program
        A recorded model: its inputs are `width` numbers, then parameters.
    width : int
        The number of inputs.

    Raises
    ------
    OperandError
        If there are no such units, or something reads several at once before the next sum.
    """
    sums, cells = _sums(program, width), [Cell(i) for i in range(width)]
    reads = [frozenset({i}) for i in range(width)]  # the cells that each node is made of
    reads += [frozenset()] * (program.inputs - width)
    numbers: dict[Any, int] = {}
    forms = [*range(program.inputs)]  # what is computed of the sum of a unit
    for node in range(program.inputs, len(program)):
        form = program.ops[node], *(forms[i] for i in program.args[node])
        form = ("sum",) if node in sums else (*form, program.constants.get(node))
        forms.append(numbers.setdefault(form, -1 - len(numbers)))
        if (found := sums.get(node)) is not None:
            read = [_cell_giving(x, reads[x], cells) for x in found.inputs]
            sources = [*zip(read, found.weights, strict=True)]
            reads.append(frozenset({len(cells)}))
            layer = 1 + max(cells[cell].layer for cell in read)
            cells.append(Cell(node, None, sources, found.bias, layer))
        elif program.ops[node] is dot:
            raise OperandError(_NOT_A_NETWORK.format("a dot whose weights are not parameters"))
        else:
            reads.append(frozenset().union(*(reads[i] for i in program.args[node])))
    if len(cells) == width:
        raise OperandError(_NOT_A_NETWORK.format("no such unit"))
    for output in program.outputs:  # of units that no other reads, where it reads one of them
        for i in reads[output] if len(reads[output]) == 1 else ():
            if cells[i].output is None:
                cells[i].output = output
    for cell in cells:
        cell.output = cell.weighted if cell.output is None else cell.output
        cell.form = forms[cell.output]
    return cells


def _cell_giving(node: int, read: frozenset[int], cells: list[Cell]) -> int:
    """Return the cell of which a node is the output, as other units read it."""
    if len(read) != 1:
        raise OperandError(_NOT_A_NETWORK.format("a unit that reads no others, or several mixed"))
    (cell,) = read
    if cells[cell].output not in {None, node}:
        raise OperandError(_NOT_A_NETWORK.format("a unit with two different outputs"))
    cells[cell].output = node
    return cell


def _sums(program: Program, width: int) -> dict[int, WeightedSum[int]]:
    """Return the weighted sums that are units, by the nodes that they are."""
    ops, args, constants = program.ops, program.args, program.constants
    made = enumerate(zip(ops, args, strict=True))
    gates = {i: (op, operands) for i, (op, operands) in made if isinstance(op, Operation)}
    readers = Counter(x for operands in (*args, program.outputs) for x in operands)
    is_parameter = range(width, program.inputs).__contains__
    found = weighted_sums(gates, readers, is_parameter, lambda x: constants.get(x) == 0.0)
    return {x.total: x for x in found if len(x.weights) > 1 or ops[x.total] is dot}


_NOT_A_NETWORK = (
    "watch draws networks of units activation(dot(w, x, b)), as scalargrad.nn.MLP and Linear "
    "make them, or the same with + and ×, and this model has {}"
)


def layers_of(cells: Sequence[Cell]) -> list[list[int]]:
    """Return the places of the cells of each layer, the inputs first.

    Examples
    --------
    >>> layers_of([Cell(0), Cell(1), Cell(6, layer=1)])
    [[0, 1], [2]]
    """
    layers: list[list[int]] = [[] for _ in range(1 + max(cell.layer for cell in cells))]
    for i, cell in enumerate(cells):
        layers[cell.layer].append(i)
    return layers


def activation(program: Program, cell: Cell) -> str:
    """Return what a unit makes of its weighted sum: the symbol of an operation, or several."""
    if cell.output is None or cell.output == cell.weighted:
        return ""
    op, args = program.ops[cell.output], program.args[cell.output]
    others = {program.ops[i] for i in args if i != cell.weighted}
    return op.symbol if isinstance(op, Operation) and others <= {CONSTANT, INPUT} else "φ"


Json: TypeAlias = Any
Model: TypeAlias = Callable[[list[Any]], Any]
Loss: TypeAlias = Callable[[list[Any], list[Any]], Any]


def record_model(model: Model, example: Sequence[float]) -> tuple[Recording, Any]:
    """Run a model once and keep what it computed: a program of its inputs, then of its parameters.

    Returns
    -------
    Recording
        With the parameters it is closed over, in the program's order.
    outline : nested lists
        How the model arranges its outputs.

    Raises
    ------
    TraceError
        If the model does what a page cannot repeat, such as an `if` on a number it computed.
    OperandError
        If its output is not a Value, or a list of them.
    """
    leaves = [Value(x, f"x{i}") for i, x in enumerate(example)]
    found, outline = _recorded(lambda *xs: model(list(xs)), leaves, "the model")
    if not found.program.outputs:
        raise OperandError(
            f"the model returns {format_value(outline)}: a Value or a list of them is needed"
        )
    return found, outline


def record_loss(loss: Loss, outputs: int, outline: Any, target: Any) -> Program:
    """Return the loss of one example as a program of the model's outputs.

    Raises
    ------
    TraceError
        If the loss does what a page cannot repeat.
    OperandError
        If it is not one Value, or depends on other Values than the outputs.
    """
    leaves = [Value(0.5, f"y{i}") for i in range(outputs)]
    found, _ = _recorded(lambda *ys: loss([filled(outline, ys)], [target]), leaves, "the loss")
    if found.closed_over:
        raise OperandError(
            "the loss reads Values besides predictions and targets: leave a penalty on the "
            "parameters to training (fit has regularizer=) and watch the loss without it"
        )
    if len(found.program.outputs) != 1:
        raise OperandError(
            f"the loss gave {len(found.program.outputs)} Values for one example: it must be one"
        )
    return found.program


def _recorded(f: Callable[..., Any], leaves: Sequence[Value], what: str) -> tuple[Recording, Any]:
    """Run a function and keep what it computed, which must be what a page can repeat."""
    found, outline = record(f, leaves)
    if found.outcomes:
        raise TraceError(
            f"{what} asks whether a number it computed is true (if, and, or, max): the page would "
            "repeat the answer of one example for all; write where() or maximum() instead"
        )
    for op in found.program.ops:
        if isinstance(op, Operation) and op is not DETACH and not available(op):
            raise TraceError(
                f"{what} uses {op.name}, an operation of your own: it is a Python function, which "
                "a page cannot call; write it with operations of scalargrad"
            )
        if not isinstance(op, Operation) and op not in {INPUT, CONSTANT}:
            raise TraceError(f"{what} takes a derivative inside, which the page does not repeat")
    return found, outline


#: Operations that a page runs, each with its number of operands.
Used: TypeAlias = dict[tuple[Operation, int], None]


def _written(program: Program, used: Used) -> Json:
    """Return a program for a page: a node is a number, or an operation with its operands."""
    nodes: list[Json] = []
    for i in range(program.inputs, len(program)):
        op, args = program.ops[i], program.args[i]
        if not isinstance(op, Operation):
            nodes.append(json_number(program.constants[i]))
            continue
        if op is not DETACH:
            used[op, len(args)] = None
        nodes.append([function_key(op, len(args)), *args])
    return {"inputs": program.inputs, "nodes": nodes, "outputs": program.outputs}


#: The most units a hidden layer can be given in the page, unless it has more already.
MOST_UNITS = 16

#: The most epochs a page trains for.
MOST_EPOCHS = 2000


def retraining(used: Used, program: Program, cells: list[Cell], optimizer: Any) -> Json | None:
    """Return how a page trains a network again; without an optimiser, by gradient descent.

    Returns
    -------
    JSON, or None
        None where a page cannot repeat the rule: parameters in groups with rules of their own,
        an optimiser of another package, one whose rule branches on the step number. Else the
        updates of one parameter, in the first step and in each after it, as programs. Inputs are
        the parameter, its gradient, its state, the learning rate and the number of the step;
        outputs the new parameter and the new state.
    """
    chosen = SGD([Parameter(0.0)], lr=0.1) if optimizer is None else optimizer
    if not isinstance(chosen, Optimizer) or len(chosen.param_groups) != 1:
        return None
    (group,) = chosen.param_groups
    state = [float(x) for x in chosen.first_state(group)]
    try:
        first, later = (_rule(chosen, len(state), step) for step in (1.0, None))
    except (ScalargradError, TypeError, ValueError, ArithmeticError):
        return None  # for example, it takes floats only
    layers, resizes = layers_of(cells), is_stack(program, cells)
    most = max(MOST_UNITS, *map(len, layers[:-1]))
    for cell in cells if resizes else ():
        for width in range(1, most + 1):  # the weighted sums of resized layers
            used[dot, 2 * width + (cell.bias is not None)] = None
    return {
        "optimizer": type(chosen).__name__,
        "isKnown": optimizer is not None,
        "rate": float(group["lr"]),
        "first": _written(first, used),
        "later": _written(later, used),
        "state": state,
        "mostEpochs": MOST_EPOCHS,
        "ascends": bool(group.get("maximize")),
        "resizes": resizes,
        "names": [
            [unit_name(layer, place, len(layers) - 1, 1) for place in range(most)]
            for layer in range(1, len(layers) - 1)
        ],
    }


def _rule(optimizer: Optimizer, states: int, step: float | None) -> Program:
    """Record the update of a parameter in a step; refuse one that branches on a number."""
    leaves = [Value(0.5, name) for name in ("parameter", "gradient", *["state"] * states)]
    leaves += [Value(0.5, "lr"), Value(2.0, "step")]

    def update(*given: Any) -> list[Any]:
        parameter, gradient, *state, rate, counted = given
        (group,) = optimizer.param_groups
        asked = {**group, "lr": rate, "step": counted if step is None else step}
        return list(optimizer.rule(asked)(parameter, gradient, *state))

    found, _ = _recorded(update, leaves, "the rule")
    if found.closed_over or len(found.program.outputs) != states + 1:
        raise OperandError("the rule reads other Values, or returns another state")
    return found.program


def is_stack(program: Program, cells: list[Cell]) -> bool:
    """Return whether layers can be resized: each is fully connected to the one before.

    Every weight and bias belongs to one unit, and units of a hidden layer have one activation.
    """
    layers = layers_of(cells)
    for before, layer in itertools.pairwise(layers):
        units = [cells[i] for i in layer]
        reading = all([cell for cell, _ in unit.sources] == before for unit in units)
        made = set() if layer is layers[-1] else {unit.form for unit in units}
        if not reading or len(made) > 1:
            return False
        if len({unit.bias is None for unit in units}) > 1:
            return False
    used = [weight for cell in cells for _, weight in cell.sources]
    used += [cell.bias for cell in cells if cell.bias is not None]
    return len(layers) > 2 and sorted(used) == list(range(len(layers[0]), program.inputs))


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
    names = _named(names, "target_names", count, f"{count} classes", "a class")
    names = names or _names(flat, kind, count)
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
            f"target {i} is {format_value(t)}: give a number, or one for each of {outputs} outputs"
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
    """The content of a page that is the same in all snapshots.

    Attributes
    ----------
    recorded : JSON
        What the page reads.
    operations : collection of (Operation, int)
        What it runs.
    summary : list of str
        The network in a few words each.
    """

    recorded: Json
    operations: Collection[tuple[Operation, int]]
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
    found, outline = record_model(model, data.inputs[0])
    program, parameters = found.program, found.closed_over
    if len(parameters) > whole(limit, "limit", 1):
        raise GraphTooLargeError(
            f"the model has {len(parameters):,} parameters, too many for a page of at most "
            f"{limit:,}: watch a smaller one, or pass limit={len(parameters)}"
        )
    used: Used = {}
    cells, outputs = find_cells(program, width), len(program.outputs)
    programs = [_written(record_loss(loss, outputs, outline, y), used) for y in data.targets]
    losses = {str(program): program for program in programs}
    places = {key: place for place, key in enumerate(losses)}
    features = _named(feature_names, "feature_names", width, pluralize(width, "input"), "a feature")
    task = find_task(data.targets, outputs, target_names)
    recorded = {
        "model": _written(program, used),
        "cells": [*_cells(program, cells, features)],
        "losses": [*losses.values()],
        "inputs": data.inputs,
        "lossOf": [places[str(program)] for program in programs],
        "task": task | {"threshold": number(threshold, "threshold")},
        "plane": _plane(plane, width),
        "retraining": retraining(used, program, cells, optimizer),
    }
    _require_mean(model, data, loss)
    symbols = filter(None, dict.fromkeys(activation(program, cell) for cell in cells))
    sizes = "-".join(str(len(layer)) for layer in layers_of(cells))
    summary = [
        f"{sizes} {' and '.join(symbols) or 'linear'} units",
        f"{len(parameters)} parameters",
        f"{len(data.inputs)} examples",
        f"loss: {getattr(loss, '__name__', type(loss).__name__).replace('_', ' ')}",
    ]
    return Setting(recorded, used, summary), parameters


def _cells(program: Program, cells: list[Cell], features: list[str] | None) -> Iterator[Json]:
    layers = layers_of(cells)
    for i, cell in enumerate(cells):
        place = layers[cell.layer].index(i)
        name = unit_name(cell.layer, place, len(layers) - 1, len(layers[-1]))
        name = features[place] if features and cell.layer == 0 else name
        yield asdict(cell) | {"name": name, "activation": activation(program, cell)}


def _plane(plane: Iterable[int], width: int) -> tuple[int, ...]:
    if width == 1:
        return (0,)
    plane = tuple(whole(i, "plane") for i in listed(plane, "plane", "two whole numbers"))
    if len(set(plane)) != 2 or not all(0 <= i < width for i in plane):
        raise OperandError(f"plane is {plane}: give two different inputs of 0 … {width - 1}")
    return plane


def _named(
    names: Sequence[str] | None, parameter: str, count: int, things: str, one: str
) -> list[str] | None:
    """Return the names that a parameter gives for so many things, if it gives any."""
    if names is None:
        return None
    names = listed(names, parameter, "text")
    if len(names) != count:
        raise OperandError(
            f"{parameter} has {pluralize(len(names), 'name')} for {things}: give one for each"
        )
    return [text(str(name), f"the name of {one}") for name in names]


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
            raise OperandError(f"input {i} is {format_value(x)}: give a list of numbers")
        if len(x) != len(inputs[0]):
            raise OperandError(
                f"input {i} has {pluralize(len(x), 'number')}, but input 0 has {len(inputs[0])}: "
                "give as many in each"
            )
        rows.append([float(number) for number in x])
    return rows
