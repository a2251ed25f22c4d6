"""Find the units of a network in a recorded model, for the drawing of a training page.

`find_units` reads the program of a model, operations over inputs and then parameters, and returns
its inputs and units. For tanh(w·x + b) with two inputs x0 and x1 the units are ::

    weighted  output  sources          bias  layer
    0         0                        None  0       input x0
    1         1                        None  0       input x1
    5         6       (0, 2), (1, 3)   4     1       inputs 0 and 1, times parameters 2 and 3

A model that has anything else between its weighted sums is refused.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.passes.kinds import CONSTANT, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import OperandError
from scalargrad.opdef.operation import Operation
from scalargrad.ops import dot
from scalargrad.show.weighted_sums import WeightedSum, weighted_sums


@dataclass
class NetworkUnit:
    """An input of the network, or a unit: a weighted sum and its activation.

    Attributes
    ----------
    weighted : int
        The node of the weighted sum, or of the input.
    output : int or None
        The node that other units read: the result of the activation.
    sources : sequence of (int, int)
        The indices of the units in the sum, and the nodes of their weights.
    bias : int or None
        The node of the bias.
    layer : int
        0 for an input, else one more than the largest layer that it reads.
    form : int
        A number that identifies the activation: equal for equal operations.
    """

    weighted: int
    output: int | None = None
    sources: Sequence[tuple[int, int]] = ()
    bias: int | None = None
    layer: int = 0
    form: int = 0


def find_units(program: Program, width: int) -> list[NetworkUnit]:
    """Return the inputs and units of a network in order of computation.

    A unit is a weighted sum of outputs of earlier units, followed by operations that read no other
    unit: its activation. A sum of one product, w·x + b, is a unit only if it is a `dot`; written
    with + and ×, it could also be part of an activation.

    Parameters
    ----------
    program : Program
        A recorded model, whose inputs are `width` numbers followed by parameters.
    width : int
        The number of inputs.

    Raises
    ------
    OperandError
        If there are no units, or an activation reads several units.
    """
    sums, units = _unit_sums(program, width), [NetworkUnit(i) for i in range(width)]
    reads = [
        frozenset({i}) for i in range(width)
    ]  # the units that each node depends on, without a sum between
    reads += [frozenset()] * (program.inputs - width)
    numbers: dict[Any, int] = {}
    forms = [*range(program.inputs)]  # the operations since the last sum, as a number
    for node in range(program.inputs, len(program)):
        form = program.ops[node], *(forms[i] for i in program.args[node])
        form = ("sum",) if node in sums else (*form, program.constants.get(node))
        forms.append(numbers.setdefault(form, -1 - len(numbers)))
        if (found := sums.get(node)) is not None:
            read = [_unit_of_output(x, reads[x], units) for x in found.inputs]
            sources = [*zip(read, found.weights, strict=True)]
            reads.append(frozenset({len(units)}))
            layer = 1 + max(units[unit].layer for unit in read)
            units.append(NetworkUnit(node, None, sources, found.bias, layer))
        elif program.ops[node] is dot:
            raise OperandError(_NOT_A_NETWORK.format("a dot whose weights are not parameters"))
        else:
            reads.append(frozenset().union(*(reads[i] for i in program.args[node])))
    if len(units) == width:
        raise OperandError(_NOT_A_NETWORK.format("no unit of this form"))
    for output in program.outputs:  # an output of the model is that of its last unit
        for i in reads[output] if len(reads[output]) == 1 else ():
            if units[i].output is None:
                units[i].output = output
    for unit in units:
        unit.output = unit.weighted if unit.output is None else unit.output
        unit.form = forms[unit.output]
    return units


def _unit_of_output(node: int, read: frozenset[int], units: list[NetworkUnit]) -> int:
    """Return the index of the unit whose output is a node, and record the output."""
    if len(read) != 1:
        raise OperandError(
            _NOT_A_NETWORK.format("a weighted sum of a node that depends on no unit, or on several")
        )
    (unit,) = read
    if units[unit].output not in {None, node}:
        raise OperandError(_NOT_A_NETWORK.format("a unit with two different outputs"))
    units[unit].output = node
    return unit


def _unit_sums(program: Program, width: int) -> dict[int, WeightedSum[int]]:
    """Return the weighted sums of units, by their nodes."""
    ops, args, constants = program.ops, program.args, program.constants
    nodes = enumerate(zip(ops, args, strict=True))
    gates = {i: (op, operands) for i, (op, operands) in nodes if isinstance(op, Operation)}
    readers = Counter(x for operands in (*args, program.outputs) for x in operands)
    is_parameter = range(width, program.inputs).__contains__
    found = weighted_sums(gates, readers, is_parameter, lambda x: constants.get(x) == 0.0)
    return {x.total: x for x in found if len(x.weights) > 1 or ops[x.total] is dot}


_NOT_A_NETWORK = (
    "watch draws networks of units activation(dot(w, x, b)), as in scalargrad.nn.MLP and Linear, "
    "or the same with + and ×, but this model has {}"
)


def group_layers(units: Sequence[NetworkUnit]) -> list[list[int]]:
    """Return the indices of the units of each layer, the inputs first.

    Examples
    --------
    >>> group_layers([NetworkUnit(0), NetworkUnit(1), NetworkUnit(6, layer=1)])
    [[0, 1], [2]]
    """
    layers: list[list[int]] = [[] for _ in range(1 + max(unit.layer for unit in units))]
    for i, unit in enumerate(units):
        layers[unit.layer].append(i)
    return layers


def activation_symbol(program: Program, unit: NetworkUnit) -> str:
    """Return the symbol of the activation of a unit: "" for none, φ for several operations."""
    if unit.output is None or unit.output == unit.weighted:
        return ""
    op, args = program.ops[unit.output], program.args[unit.output]
    others = {program.ops[i] for i in args if i != unit.weighted}
    return op.symbol if isinstance(op, Operation) and others <= {CONSTANT, INPUT} else "φ"


def is_stack(program: Program, units: list[NetworkUnit]) -> bool:
    """Return True if layers can be resized: each is fully connected to the previous one.

    Every weight and bias belongs to one unit, and units of a hidden layer have the same activation.
    """
    layers = group_layers(units)
    for before, layer in itertools.pairwise(layers):
        members = [units[i] for i in layer]
        is_connected = all([source for source, _ in unit.sources] == before for unit in members)
        forms = set() if layer is layers[-1] else {unit.form for unit in members}
        if not is_connected or len(forms) > 1:
            return False
        if len({unit.bias is None for unit in members}) > 1:
            return False
    used = [weight for unit in units for _, weight in unit.sources]
    used += [unit.bias for unit in units if unit.bias is not None]
    return len(layers) > 2 and sorted(used) == list(range(len(layers[0]), program.inputs))
