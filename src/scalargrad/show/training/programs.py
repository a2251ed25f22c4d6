"""What a page computes again, as programs: the model, its loss, an optimiser's rule; and its units.

With the rule it trains the network anew, also with other sizes of layers.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from scalargrad.compiler.call.outline import filled, outlined
from scalargrad.compiler.passes.kinds import CONSTANT, DETACH, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import Recording, record
from scalargrad.errors import OperandError, ScalargradError, TraceError
from scalargrad.ops import dot
from scalargrad.optim import SGD, Optimizer
from scalargrad.show.places import unit_name
from scalargrad.show.weighted_sums import WeightedSum, WeightedSums
from scalargrad.system.short_repr import shown
from scalargrad.table.javascript import available, function_key
from scalargrad.table.numbers import json_number
from scalargrad.table.operation import Operation
from scalargrad.value import Parameter, Value


class WeightedInput(NamedTuple):
    """One input of a weighted sum, and the parameter it is multiplied by."""

    cell: int
    weight: int


@dataclass
class Cell:
    """An input of the network, or a unit: a weighted sum and its activation.

    Attributes
    ----------
    weighted : int
        The node of the weighted sum; of an input, its own.
    output : int or None
        The node that other units read.
    sources : sequence of WeightedInput
        What the sum is over; empty for an input.
    bias : int or None
        The node that is added.
    layer : int
        0 for an input, else one more than the last layer it reads.
    """

    weighted: int
    output: int | None = None
    sources: Sequence[WeightedInput] = ()
    bias: int | None = None
    layer: int = 0


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
    finder = _Finder(program, width)
    for node in range(program.inputs, len(program)):
        finder.visit(node)
    return finder.finish()


class _Finder:
    """Follows a program node by node; `reads` holds the cells each node is made of."""

    def __init__(self, program: Program, width: int) -> None:
        self.program = program
        self.parameters = range(width, program.inputs)
        self.sums = {found.total: found for found in self._weighted_sums()}
        self.cells = [Cell(i) for i in range(width)]
        self.reads: list[frozenset[int]] = [frozenset({i}) for i in range(width)]
        self.reads += [frozenset()] * len(self.parameters)

    def _weighted_sums(self) -> list[WeightedSum[int]]:
        ops, args, constants = self.program.ops, self.program.args, self.program.constants
        made = enumerate(zip(ops, args, strict=True))
        gates = {i: (op, operands) for i, (op, operands) in made if isinstance(op, Operation)}
        readers = Counter(x for operands in (*args, self.program.outputs) for x in operands)
        found = WeightedSums(
            gates, readers, self.parameters.__contains__, lambda x: constants.get(x) == 0.0
        ).find()
        return [each for each in found if len(each.weights) > 1 or ops[each.total] is dot]

    def visit(self, node: int) -> None:
        found = self.sums.get(node)
        if found is None:
            if self.program.ops[node] is dot:
                raise OperandError(_NOT_A_NETWORK.format("a dot whose weights are not parameters"))
            self.reads.append(frozenset().union(*(self.reads[i] for i in self.program.args[node])))
            return
        sources = [*map(self._source, found.inputs, found.weights)]
        layer = 1 + max(self.cells[source.cell].layer for source in sources)
        self.reads.append(frozenset({len(self.cells)}))
        self.cells.append(Cell(node, None, sources, found.bias, layer))

    def _source(self, given: int, weight: int) -> WeightedInput:
        if given in self.parameters:
            raise OperandError(_NOT_A_NETWORK.format("a dot whose weights are not parameters"))
        if len(self.reads[given]) != 1:
            raise OperandError(_NOT_A_NETWORK.format("a unit that reads several others mixed"))
        (cell,) = self.reads[given]
        if self.cells[cell].output not in {None, given}:
            raise OperandError(_NOT_A_NETWORK.format("a unit with two different outputs"))
        self.cells[cell].output = given
        return WeightedInput(cell, weight)

    def finish(self) -> list[Cell]:
        """Give the units that no other reads the model's outputs, where those read one unit."""
        if len(self.cells) == self.parameters.start:
            raise OperandError(_NOT_A_NETWORK.format("no such unit"))
        for output in self.program.outputs:
            if len(self.reads[output]) == 1:
                (cell,) = self.reads[output]
                if self.cells[cell].output is None:
                    self.cells[cell].output = output
        return self.cells


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


@dataclass(frozen=True)
class ModelRecord:
    """A model as a program of its inputs and parameters.

    Attributes
    ----------
    program : Program
        Its first inputs are those of the model, then come the parameters.
    parameters : list of Value
        In the program's order; the numbers are read from them at each snapshot.
    outline : nested lists
        How the model arranges its outputs.
    """

    program: Program
    parameters: list[Value]
    outline: Any


def record_model(model: Model, example: Sequence[float]) -> ModelRecord:
    """Run a model once and keep what it computed.

    Raises
    ------
    TraceError
        If the model does what a page cannot repeat, such as an `if` on a number it computed.
    OperandError
        If its output is not a Value, or a list of them.
    """
    leaves = [Value(x, f"x{i}") for i, x in enumerate(example)]
    found, outline = record(lambda: model(list(leaves)), leaves)
    _require_repeatable(found, "the model")
    outputs: list[Value] = []
    outlined(filled(outline, [Value(0.0)] * len(found.program.outputs)), outputs)
    if not outputs:
        raise OperandError(
            f"the model returns {shown(outline)}: a Value or a list of them is needed"
        )
    return ModelRecord(found.program, found.closed_over, outline)


def record_loss(loss: Loss, model: ModelRecord, target: Any) -> Program:
    """Return the loss of one example as a program of the model's outputs.

    Raises
    ------
    TraceError
        If the loss does what a page cannot repeat.
    OperandError
        If it is not one Value, or depends on other Values than the outputs.
    """
    leaves = [Value(0.5, f"y{i}") for i in range(len(model.program.outputs))]
    found, _ = record(lambda: loss([filled(model.outline, leaves)], [target]), leaves)
    _require_repeatable(found, "the loss")
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


def _require_repeatable(found: Recording, what: str) -> None:
    if found.outcomes:
        raise TraceError(
            f"{what} asks whether a number it computed is true (if, and, or, max): the page would "
            "repeat the answer of one example for all; write where() or maximum() instead"
        )
    for op in found.program.ops:
        if not _is_available(op):
            raise TraceError(
                f"{what} uses {op.name}, an operation of your own: it is a Python function, which "
                "a page cannot call; write it with operations of scalargrad"
            )
        if not isinstance(op, Operation) and op not in {INPUT, CONSTANT}:
            raise TraceError(f"{what} takes a derivative inside, which the page does not repeat")


def _is_available(op: Any) -> bool:
    return not isinstance(op, Operation) or op is DETACH or available(op)


class ProgramWriter:
    """Writes programs for a page.

    Attributes
    ----------
    operations : dict from (Operation, int) to None
        Each operation that they run, with its number of operands.
    """

    def __init__(self) -> None:
        self.operations: dict[tuple[Operation, int], None] = {}

    def json(self, program: Program) -> Json:
        """Return a program: a node is a number, or an operation with its operands."""
        nodes = [self._node(program, i) for i in range(program.inputs, len(program))]
        return {"inputs": program.inputs, "nodes": nodes, "outputs": program.outputs}

    def _node(self, program: Program, i: int) -> Json:
        op, args = program.ops[i], program.args[i]
        if not isinstance(op, Operation):
            return json_number(program.constants[i])
        if op is not DETACH:
            self.operations[op, len(args)] = None
        return [function_key(op, len(args)), *args]


#: The most units a hidden layer can be given in the page, unless it has more already.
MOST_UNITS = 16

#: The most epochs a page trains for.
MOST_EPOCHS = 2000


def retraining(
    written: ProgramWriter, program: Program, cells: list[Cell], optimizer: Any
) -> Json | None:
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
            written.operations[dot, 2 * width + (cell.bias is not None)] = None
    return {
        "optimizer": type(chosen).__name__,
        "isKnown": optimizer is not None,
        "rate": float(group["lr"]),
        "first": written.json(first),
        "later": written.json(later),
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
    parameter, gradient, *state, rate, counted = leaves

    def update() -> list[Any]:
        (group,) = optimizer.param_groups
        asked = {**group, "lr": rate, "step": counted if step is None else step}
        return list(optimizer.rule(asked)(parameter, gradient, *state))

    found, _ = record(update, leaves)
    _require_repeatable(found, "the rule")
    if found.closed_over or len(found.program.outputs) != states + 1:
        raise OperandError("the rule reads other Values, or returns another state")
    return found.program


def is_stack(program: Program, cells: list[Cell]) -> bool:
    """Return whether layers can be resized: each is fully connected to the one before.

    Every weight and bias belongs to one unit, and units of a hidden layer have one activation.
    """
    layers = layers_of(cells)
    hidden = layers[1:-1]
    return (
        bool(hidden)
        and all(_reads_all(cells, *pair) for pair in itertools.pairwise(layers))
        and _used(cells) == list(range(len(layers[0]), program.inputs))
        and all(_are_alike([_made(program, cells[i]) for i in layer]) for layer in hidden)
    )


def _reads_all(cells: list[Cell], before: list[int], layer: list[int]) -> bool:
    """Return whether each unit of a layer reads all of the one before; biases have all or none."""
    reading = all([source.cell for source in cells[i].sources] == before for i in layer)
    return reading and len({cells[i].bias is None for i in layer}) == 1


def _used(cells: list[Cell]) -> list[int]:
    """Return the parameters that units use, sorted, each as often as it is used."""
    weights = [source.weight for cell in cells for source in cell.sources]
    return sorted([*weights, *(cell.bias for cell in cells if cell.bias is not None)])


def _are_alike(made: list[Any]) -> bool:
    return None not in made and all(each == made[0] for each in made)


def _made(program: Program, cell: Cell) -> list[Any] | None:
    """Return the operations from a unit's sum to its output; None where they read an input."""
    assert cell.output is not None
    places, written, waiting = {cell.weighted: 0}, [], [cell.output]
    while waiting:
        node = waiting[-1]
        needed = [i for i in program.args[node] if i not in places]
        if node in places or not needed:
            waiting.pop()
            if node not in places:
                places[node] = len(places)
                operands = tuple(places[i] for i in program.args[node])
                written.append((program.ops[node], operands, program.constants.get(node)))
        elif any(i < program.inputs for i in needed):
            return None
        else:
            waiting += needed
    return written
