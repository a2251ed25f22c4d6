"""The units of a network and their connections, found in the program of a recorded model.

A training page shows units and nothing else. So all that a model computes must belong to one of
them; where that fails, the model is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scalargrad.compiler.passes.kinds import CONSTANT, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import OperandError
from scalargrad.ops import dot
from scalargrad.show.weighted_sums import WeightedSum, WeightedSums
from scalargrad.table.operation import Operation


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
