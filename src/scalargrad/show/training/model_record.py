"""Record what a model and its loss compute, so that a page can compute it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from scalargrad.compiler.call.outline import filled, outlined
from scalargrad.compiler.passes.kinds import CONSTANT, DETACH, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import Recording, record
from scalargrad.errors import OperandError, TraceError
from scalargrad.system.json_number import json_number
from scalargrad.system.short_repr import shown
from scalargrad.table.javascript import available, function_key
from scalargrad.table.operation import Operation
from scalargrad.value import Value

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


def is_repeatable(program: Program) -> bool:
    """Return whether a page has JavaScript for all that a program does."""
    return all(
        _is_available(op) and (isinstance(op, Operation) or op in {INPUT, CONSTANT})
        for op in program.ops
    )


def _is_available(op: Any) -> bool:
    return not isinstance(op, Operation) or op is DETACH or available(op)


def uses(program: Program) -> Iterator[tuple[Operation, int]]:
    """Yield each operation of the table in a program with its number of operands."""
    for op, args in zip(program.ops, program.args, strict=True):
        if isinstance(op, Operation) and op is not DETACH:
            yield op, len(args)


def as_json(program: Program) -> Json:
    """Return a program for the page: a node is a number, or an operation with its operands."""
    return {
        "inputs": program.inputs,
        "nodes": [_node(program, i) for i in range(program.inputs, len(program))],
        "outputs": program.outputs,
    }


def _node(program: Program, i: int) -> Json:
    op, args = program.ops[i], program.args[i]
    if isinstance(op, Operation):
        return [function_key(op, len(args)), *args]
    return json_number(program.constants[i])
