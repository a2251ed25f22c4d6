"""A program that keeps its state in its own memory from run to run, such as a training step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.function import runner_for
from scalargrad.compiler.passes.differentiate import differentiate
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.sum_of_products import sum_of_products


class StatefulProgram:
    """A program whose first outputs are, at its next run, some of its inputs.

    Parameters
    ----------
    program : Program
        As recorded. Its inputs are those given at each run, then the state, then what stays as
        it is; its outputs the next state, then the results.
    given, carried : int
        How many inputs are given at each run, and how many are state.

    Attributes
    ----------
    given : float64
        The cells to write before each run.
    kept : float64
        The cells of the state, then of what stays as it is: to write before the first run.
    state, results : float64
        The cells of the state, and of what the last run computed besides it.
    """

    def __init__(self, program: Program, given: int, carried: int) -> None:
        runner = runner_for(differentiate(sum_of_products(program)))
        self._executable = runner.executable()
        memory = self._executable.memory
        self.given = memory[:given]
        self.kept = memory[given : program.inputs]
        self.state = self.kept[:carried]
        self._outputs = memory[runner.outputs]
        self._next, self.results = self._outputs[:carried], self._outputs[carried:]

    def run(self) -> bool:
        """Compute the next state and the results; return whether all are finite."""
        self._executable.run()
        return bool(np.isfinite(self._outputs).all())

    def advance(self) -> None:
        """Make the next state the state: one copy, which Ctrl-C cannot interrupt."""
        self.state[:] = self._next


def reordered(program: Program, order: Sequence[int], outputs: Sequence[int]) -> Program:
    """Return `program` with its inputs in another order, and outputs of our choice.

    Parameters
    ----------
    program : Program
    order : sequence of int
        The present numbers of the inputs, in the new order.
    outputs : sequence of int
        Nodes as numbered at present.
    """
    new = list(range(len(program)))
    for position, node in enumerate(order):
        new[node] = position
    args = [tuple([new[x] for x in operands]) for operands in program.args]
    constants, results = dict(program.constants), [new[x] for x in outputs]
    return Program(program.inputs, [*program.ops], args, constants, results, program.one)
