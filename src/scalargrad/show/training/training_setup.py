"""Record the fixed content of a training page: model, loss and update rule as programs; the task.

`record_training_setup` runs the model, its loss and the optimizer's rule once on traced numbers,
finds the units of the model, and infers the task from the targets. With these programs the page
evaluates every snapshot, and trains the network again with other settings. A model that a page
cannot repeat or draw is refused. The program of w·x + b, for one input and two parameters, is ::

    {"inputs": 3, "nodes": [["dot/3", 1, 0, 2]], "outputs": [3]}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from scalargrad.checks.arguments import check_integer, check_list, check_number, check_text
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
from scalargrad.show.display_graph import unit_name
from scalargrad.show.training.network_units import (
    NetworkUnit,
    activation_symbol,
    find_units,
    group_layers,
    is_stack,
)
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.train.examples import Examples, detach_values

Json: TypeAlias = Any
Model: TypeAlias = Callable[[list[Any]], Any]
Loss: TypeAlias = Callable[[list[Any], list[Any]], Any]


def record_model(model: Model, example: Sequence[float]) -> tuple[Recording, Any]:
    """Run a model once, and record it as a program of its inputs, followed by its parameters.

    Returns
    -------
    Recording
        The program, and the parameters in the order of its inputs.
    outline : nested lists
        The structure of the outputs.

    Raises
    ------
    TraceError
        If the model does something that a page cannot repeat, such as an `if` on a computed number.
    OperandError
        If its output is not a Value, or a list of them.
    """
    leaves = [Value(x, f"x{i}") for i, x in enumerate(example)]
    found, outline = _record_checked(lambda *xs: model(list(xs)), leaves, "the model")
    if not found.program.outputs:
        raise OperandError(
            f"the model returns {format_value(outline)}; it must return a Value or a list of Values"
        )
    return found, outline


def record_loss(loss: Loss, outputs: int, outline: Any, target: Any) -> Program:
    """Run the loss of one example once, and record it as a program of the model's outputs.

    Raises
    ------
    TraceError
        If the loss does something that a page cannot repeat.
    OperandError
        If it is not one Value, or depends on Values other than the outputs.
    """
    leaves = [Value(0.5, f"y{i}") for i in range(outputs)]
    found, _ = _record_checked(
        lambda *ys: loss([filled(outline, ys)], [target]), leaves, "the loss"
    )
    if found.closed_over:
        raise OperandError(
            "the loss reads Values other than predictions and targets: watch the loss without a "
            "penalty on the parameters, and use regularizer= of fit for the penalty"
        )
    if len(found.program.outputs) != 1:
        raise OperandError(
            f"the loss returns {len(found.program.outputs)} Values for one example, not one"
        )
    return found.program


def _record_checked(
    f: Callable[..., Any], leaves: Sequence[Value], what: str
) -> tuple[Recording, Any]:
    """Run a function once and record it; refuse it if a page cannot repeat it."""
    found, outline = record(f, leaves)
    if found.outcomes:
        raise TraceError(
            f"{what} branches on a computed number (if, and, or, max): the page would take the "
            "branch of one example for all; use where() or maximum() instead"
        )
    for op in found.program.ops:
        if isinstance(op, Operation) and op is not DETACH and not available(op):
            raise TraceError(
                f"{what} uses the custom operation {op.name}, a Python function that a page cannot "
                "call: write it with operations of scalargrad"
            )
        if not isinstance(op, Operation) and op not in {INPUT, CONSTANT}:
            raise TraceError(f"{what} computes a derivative, which a page cannot repeat")
    return found, outline


#: The operations that a page evaluates, with their numbers of operands.
UsedOperations: TypeAlias = dict[tuple[Operation, int], None]


def _encode_program(program: Program, used: UsedOperations) -> Json:
    """Return a program as JSON: each node is a number, or an operation with its operands."""
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


#: Maximum size of a resized hidden layer, unless it has more units already.
MAX_UNITS = 16

#: Maximum number of epochs of training in a page.
MAX_EPOCHS = 2000


def encode_retraining(
    used: UsedOperations, program: Program, units: list[NetworkUnit], optimizer: Any
) -> Json | None:
    """Return the programs of training in the page; without an optimizer, of gradient descent.

    Returns
    -------
    JSON, or None
        The update of one parameter in the first step and in later steps, as programs. Their inputs
        are the parameter, its gradient, its state, the learning rate and the number of the step;
        their outputs are the new parameter and the new state. None if a page cannot repeat the
        rule: several parameter groups, an optimizer of another package, or a rule that branches on
        the number of the step.
    """
    chosen = SGD([Parameter(0.0)], lr=0.1) if optimizer is None else optimizer
    if not isinstance(chosen, Optimizer) or len(chosen.param_groups) != 1:
        return None
    (group,) = chosen.param_groups
    state = [float(x) for x in chosen.first_state(group)]
    try:
        first, later = (_record_rule(chosen, len(state), step) for step in (1.0, None))
    except (ScalargradError, TypeError, ValueError, ArithmeticError):
        return None  # for example, if it accepts floats only
    layers, resizes = group_layers(units), is_stack(program, units)
    most = max(MAX_UNITS, *map(len, layers[:-1]))
    for unit in units if resizes else ():
        for width in range(1, most + 1):  # the sums of resized layers
            used[dot, 2 * width + (unit.bias is not None)] = None
    return {
        "optimizer": type(chosen).__name__,
        "isKnown": optimizer is not None,
        "rate": float(group["lr"]),
        "first": _encode_program(first, used),
        "later": _encode_program(later, used),
        "state": state,
        "mostEpochs": MAX_EPOCHS,
        "ascends": bool(group.get("maximize")),
        "resizes": resizes,
        "names": [
            [unit_name(layer, place, len(layers) - 1, 1) for place in range(most)]
            for layer in range(1, len(layers) - 1)
        ],
    }


def _record_rule(optimizer: Optimizer, states: int, step: float | None) -> Program:
    """Record the update of a parameter; refuse a rule that branches on a number."""
    leaves = [Value(0.5, name) for name in ("parameter", "gradient", *["state"] * states)]
    leaves += [Value(0.5, "lr"), Value(2.0, "step")]

    def update(*inputs: Any) -> list[Any]:
        parameter, gradient, *state, rate, step_number = inputs
        (group,) = optimizer.param_groups
        options = {**group, "lr": rate, "step": step_number if step is None else step}
        return list(optimizer.rule(options)(parameter, gradient, *state))

    found, _ = _record_checked(update, leaves, "the rule")
    if found.closed_over or len(found.program.outputs) != states + 1:
        raise OperandError("the rule reads other Values, or returns a state of another size")
    return found.program


def find_task(targets: Sequence[Any], outputs: int, names: Sequence[str] | None) -> Json:
    """Infer the task from the targets: the meaning of the outputs, and their desired values.

    A single output above a threshold means class 1; the largest of several outputs gives the class;
    in regression, the outputs are the predictions.

    Parameters
    ----------
    targets : sequence
        Numbers, or lists with one number for each output.
    outputs : int
        The number of outputs of the model.
    names : sequence of str, optional
        The names of the classes.

    Raises
    ------
    OperandError
        If a target is neither a number nor a list with one for each output, or the numbers of
        names and classes differ.
    """
    flat = [_check_target(t, outputs, i) for i, t in enumerate(targets)]
    kind, classes, count = _classify_targets(flat, outputs)
    names = _check_names(names, "target_names", count, f"{count} classes", "a class")
    names = names or _default_class_names(flat, kind, count)
    return {"kind": kind, "targets": flat, "classes": classes, "names": names}


def _default_class_names(flat: list[Any], kind: str, count: int) -> list[str]:
    """Return the names of the classes as in the data: −1 and 1, False and True, or 0, 1, …."""
    if kind == "threshold" and all(isinstance(t, bool) for t in flat):
        return ["False", "True"]
    if kind == "threshold" and min(flat) < 0:
        return [f"{MINUS}1", "1"]
    return [str(c) for c in range(count)]


def _check_target(t: Any, outputs: int, i: int) -> Any:
    numbers = list(t) if hasattr(t, "__len__") else [t]
    if not all(is_real(x) for x in numbers) or len(numbers) not in {1, outputs}:
        raise OperandError(
            f"target {i} is {format_value(t)}: give a number, or one for each of {outputs} outputs"
        )
    return numbers[0] if len(numbers) == 1 else [float(x) for x in numbers]


def _classify_targets(flat: list[Any], outputs: int) -> tuple[str, list[int], int]:
    """Return the kind of task, the class of each example, and the number of classes."""
    found = {t for t in flat if is_real(t)} if all(is_real(t) for t in flat) else {None}
    if outputs == 1 and (found <= {0, 1} or found <= {-1, 1}):
        return "threshold", [int(t > 0) for t in flat], 2
    if outputs > 1 and found <= set(range(outputs)):
        return "largest", [int(t) for t in flat], outputs
    return "number", [], 0


#: Maximum number of examples of a page.
MAX_EXAMPLES = 1000


class TrainingSetup(NamedTuple):
    """The content of a training page that is the same for all snapshots.

    Attributes
    ----------
    recorded : JSON
        The data for the scripts of the page.
    operations : collection of (Operation, int)
        The operations that the page evaluates.
    summary : list of str
        Phrases that describe the network.
    """

    recorded: Json
    operations: Collection[tuple[Operation, int]]
    summary: list[str]


def record_training_setup(
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
) -> tuple[TrainingSetup, list[Value]]:
    """Record the model, the loss and the optimizer; refuse those that a page cannot repeat.

    Returns
    -------
    TrainingSetup
    list of Value
        The parameters, in the order of the recorded model.

    Raises
    ------
    OperandError, TraceError, GraphTooLargeError
        As documented for `watch`.
    """
    width = len(data.inputs[0])
    found, outline = record_model(model, data.inputs[0])
    program, parameters = found.program, found.closed_over
    if len(parameters) > check_integer(limit, "limit", 1):
        raise GraphTooLargeError(
            f"the model has {len(parameters):,} parameters, too many for a page, which is limited "
            f"to {limit:,}: watch a smaller one, or pass limit={len(parameters)}"
        )
    used: UsedOperations = {}
    units, outputs = find_units(program, width), len(program.outputs)
    programs = [_encode_program(record_loss(loss, outputs, outline, y), used) for y in data.targets]
    losses = {str(program): program for program in programs}
    places = {key: place for place, key in enumerate(losses)}
    features = _check_names(
        feature_names, "feature_names", width, pluralize(width, "input"), "a feature"
    )
    task = find_task(data.targets, outputs, target_names)
    recorded = {
        "model": _encode_program(program, used),
        "units": [*_encode_units(program, units, features)],
        "losses": [*losses.values()],
        "inputs": data.inputs,
        "lossOf": [places[str(program)] for program in programs],
        "task": task | {"threshold": check_number(threshold, "threshold")},
        "plane": _check_plane(plane, width),
        "retraining": encode_retraining(used, program, units, optimizer),
    }
    _require_mean(model, data, loss)
    symbols = filter(None, dict.fromkeys(activation_symbol(program, unit) for unit in units))
    sizes = "-".join(str(len(layer)) for layer in group_layers(units))
    summary = [
        f"{sizes} {' and '.join(symbols) or 'linear'} units",
        f"{len(parameters)} parameters",
        f"{len(data.inputs)} examples",
        f"loss: {getattr(loss, '__name__', type(loss).__name__).replace('_', ' ')}",
    ]
    return TrainingSetup(recorded, used, summary), parameters


def _encode_units(
    program: Program, units: list[NetworkUnit], features: list[str] | None
) -> Iterator[Json]:
    layers = group_layers(units)
    for i, unit in enumerate(units):
        place = layers[unit.layer].index(i)
        name = unit_name(unit.layer, place, len(layers) - 1, len(layers[-1]))
        name = features[place] if features and unit.layer == 0 else name
        yield asdict(unit) | {"name": name, "activation": activation_symbol(program, unit)}


def _check_plane(plane: Iterable[int], width: int) -> tuple[int, ...]:
    if width == 1:
        return (0,)
    plane = tuple(
        check_integer(i, "plane") for i in check_list(plane, "plane", "two whole numbers")
    )
    if len(set(plane)) != 2 or not all(0 <= i < width for i in plane):
        raise OperandError(f"plane is {plane}: give two different inputs of 0 … {width - 1}")
    return plane


def _check_names(
    names: Sequence[str] | None, parameter: str, count: int, things: str, one: str
) -> list[str] | None:
    """Return the names in a parameter, which must be one for each thing; None if it is None."""
    if names is None:
        return None
    names = check_list(names, parameter, "text")
    if len(names) != count:
        raise OperandError(
            f"{parameter} has {pluralize(len(names), 'name')} for {things}: give one for each"
        )
    return [check_text(str(name), f"the name of {one}") for name in names]


def _require_mean(model: Model, data: Examples, loss: Loss) -> None:
    """Check that the loss of all examples is the mean of their losses, which the page assumes."""
    with no_grad():
        answers = [model(x) for x in data.inputs]
        whole = as_float(detach_values(loss(answers, data.targets)), "the loss")
        each = [
            as_float(detach_values(loss([answer], [target])), "the loss")
            for answer, target in zip(answers, data.targets, strict=True)
        ]
    for i, x in enumerate(each):
        if not math.isfinite(x):
            raise OperandError(
                f"the loss of example {i} is {x}: remove or replace inputs that are not finite, "
                "and scale down large ones"
            )
    mean = math.fsum(x / len(each) for x in each)
    if not math.isclose(whole, mean, rel_tol=1e-9, abs_tol=1e-12):
        raise OperandError(
            f"the loss of all {len(each)} examples is {whole:g}, but the mean of their losses is "
            f"{mean:g}: watch, like fit, needs a loss that is the mean over examples"
        )


def check_inputs(inputs: Sequence[Any]) -> list[list[float]]:
    """Return the inputs as lists of floats of one length; refuse others."""
    if len(inputs) > MAX_EXAMPLES:
        raise GraphTooLargeError(
            f"{len(inputs):,} examples are too many for a page, which is limited to "
            f"{MAX_EXAMPLES:,}: create the page with some of them, page = watch(model, X[:500], "
            "y[:500], loss=loss), and train on all with fit(…, callbacks=[page])"
        )
    rows = []
    for i, x in enumerate(inputs):
        is_row = isinstance(x, list | tuple) or hasattr(x, "tolist")
        if not is_row or not len(x) or not all(is_real(number) for number in x):
            raise OperandError(f"input {i} is {format_value(x)}: give a list of numbers")
        if len(x) != len(inputs[0]):
            raise OperandError(
                f"input {i} has {pluralize(len(x), 'number')}, but input 0 has {len(inputs[0])}: "
                "all inputs must have the same length"
            )
        rows.append([float(number) for number in x])
    return rows
