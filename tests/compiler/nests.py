"""The names of the compiler's nests that tests read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.function import Function
from scalargrad.compiler.nests.builder import Builder, Cells
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.compile_nests import nested
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.equations import Array, Body, Program
from scalargrad.compiler.nests.finder.expand import expanded
from scalargrad.compiler.nests.finder.find import trees
from scalargrad.compiler.nests.finder.recording import Recording, recording_of
from scalargrad.compiler.nests.finder.tree import Table, Tree
from scalargrad.compiler.nests.interpreter import fma, interpret
from scalargrad.compiler.nests.llvm_printer import print_llvm
from scalargrad.compiler.nests.node_columns import columns
from scalargrad.compiler.nests.numpy_runner import run_numpy
from scalargrad.compiler.nests.plan import plan
from scalargrad.compiler.nests.schedule import schedule
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.sums import write
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.runner import Runner
from scalargrad.compiler.trace.record import record
from scalargrad.table.operation import Operation
from scalargrad.value import Value

__all__ = [
    "Array", "Body", "Builder", "Cells", "Emitter", "FunctionBody", "IRModule", "Operand",
    "Operation", "Program", "Recording", "Table", "Tree", "arranged", "contract", "expanded",
    "fma", "gradient", "interpret", "machine", "plan", "print_c", "print_llvm",
    "recorded", "run_as_nests", "run_numpy", "schedule", "simplify", "trees", "write",
]  # fmt: skip


def machine(level: int) -> Any:
    """Return this machine as llvmlite describes it; without llvmlite, the rest is read alike."""
    from scalargrad.compiler.backend.llvm import target

    return target.machine(level)


def run_as_nests(function: Callable[[list[Any]], Any], numbers: Sequence[float]) -> list[float]:
    """Return the value and the gradient of a function, run as nests."""
    leaves = [Value(x) for x in numbers]
    program = record(lambda: function(leaves), leaves)[0].program
    asked = Function(program, 1, tuple(range(len(leaves)))).with_row(0)
    return Runner(nested(asked))([*numbers])


def recorded(
    function: Callable[[list[Any]], Any], numbers: Sequence[float]
) -> tuple[Recording, int]:
    """Return the recording of a function of a list of numbers, and the node of its result."""
    leaves = [Value(x) for x in numbers]
    unfolded = unfold(record(lambda: function(leaves), leaves)[0].program)
    assert unfolded is not None
    found = columns(unfolded)
    place = np.searchsorted(found.nodes, unfolded.outputs[0])
    inputs = np.where(np.arange(len(unfolded)) < unfolded.inputs, np.arange(len(unfolded)), -1)
    return recording_of(found, slice(0, len(found)), inputs), int(place)
