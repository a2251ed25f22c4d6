"""Write a recording as equations without loops: a step for each node, in order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.cell_table import Column
from scalargrad.compiler.nests.equations import Access, Arg, Array, Index, Step
from scalargrad.compiler.nests.finder.cells import NotWrittenError
from scalargrad.compiler.nests.finder.recording import (
    APART,
    COMPUTED,
    GIVEN,
    MOST_OPERANDS,
    Recording,
)
from scalargrad.compiler.nests.finder.to_equations import operation_of, without_power
from scalargrad.compiler.passes.expressions import LARGER
from scalargrad.ops import TABLE


def in_order(
    recording: Recording, builder: Builder, inputs: Sequence[Array], results: Sequence[int]
) -> list[tuple[Integers, Column]]:
    """Write the nodes of a recording; return columns of cells of its results, and which these are.

    Parameters
    ----------
    recording : Recording
    builder : Builder
    inputs : sequence of Array
        The arrays of its inputs.
    results : sequence of int
        The nodes that are results.

    Raises
    ------
    NotWrittenError
        If it has a largest of too many operands.
    """
    operations = [operation_of(op) for op in recording.table]
    numbers = recording.places.view(np.float64).tolist()
    kinds, places, first = (
        x.tolist() for x in (recording.kinds, recording.places, recording.first)
    )
    given: dict[int, Access] = {}
    cells: list[Access] = []
    chains: dict[int, list[Arg]] = {}  # operands of which nodes are the largest
    for node, code in enumerate(recording.codes.tolist()):
        op = operations[code]
        if op is None:
            raise NotWrittenError
        args: list[Arg] = []
        for k in range(first[node], first[node + 1]):
            place = places[k]
            if kinds[k] == COMPUTED:
                args.append(cells[place])
            elif kinds[k] == GIVEN:
                if place not in given:
                    array = inputs[place // APART]
                    given[place] = Access(array, (Index(place % APART),))
                args.append(given[place])
            else:
                args.append(numbers[k])
        if recording.table[code] is LARGER:
            before = [] if args[0] == -math.inf else chains.get(places[first[node]])
            if before is None or len(before) == MOST_OPERANDS:
                raise NotWrittenError
            args = chains[node] = [*before, args[1]]
            op = op if before else TABLE["identity"]
        cells.append(Access(builder.array(op.name, ())))
        builder.append(Step(cells[-1], *without_power(op, tuple(args))))
    at = np.zeros((1, 0), np.int64)
    return [(np.array([k]), Column(cells[x].array, at)) for k, x in enumerate(results)]
