"""Evaluate a traced program node by node, in Python floats.

A program that runs once and is short is evaluated sooner than it is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.nests.unfold import expand
from scalargrad.compiler.passes.kinds import CONSTANT
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import unrolled
from scalargrad.opdef.operation import Operation


def evaluate(program: Program, inputs: Sequence[float]) -> list[float]:
    """Return the outputs of a program; those with lanes have a number for each lane.

    Outside of the domain of an operation, numbers are those of IEEE 754.
    """
    single = expand(unrolled(program))
    numbers = [*inputs]
    for node in range(single.inputs, len(single)):
        op = single.ops[node]
        if op is CONSTANT:
            numbers.append(single.constants[node])
        else:
            assert isinstance(op, Operation)
            numbers.append(op.of_floats_unchecked(*[numbers[x] for x in single.args[node]]))
    return [numbers[x] for x in single.outputs]
