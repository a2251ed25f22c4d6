"""The program to export: what a compiled function computes for arguments like an example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.call.specialization import Specialization, value_cells
from scalargrad.compiler.function import Function
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.compile_nests import Scheduled, written
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, ROW, TAKE, Op, has_lanes
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.program import PartCopy, Program
from scalargrad.compiler.runner import Inputs
from scalargrad.errors import TraceError
from scalargrad.export.naming import input_names, results_of
from scalargrad.ops import add, eq, lt, ne, sum, where
from scalargrad.system.cached_property import cached_property

#: Programs of fewer nodes are written node by node; so are longer ones that do not repeat.
SHORT = 1000


@dataclass(frozen=True)
class Exported:
    """A program with names for its inputs and outputs.

    Attributes
    ----------
    name : str
    recorded : Program
        Its outputs are those named, then whether the recorded way was taken, if `is_guarded`.
    inputs, outputs : sequence of str
        The numbers of the arguments; the results, then the derivatives of each.
    is_guarded : bool
        Whether the function takes another way for some numbers, or leaves a domain.
    """

    name: str
    recorded: Program
    inputs: Sequence[str]
    outputs: Sequence[str]
    is_guarded: bool

    @cached_property
    def program(self) -> Program:
        """The program in sums of products, with all derivatives written out."""
        return lower(Function(self.recorded, len(self.outputs), ()).program)

    @cached_property
    def loops(self) -> Scheduled | None:
        """The program as loops; None if it is short or does not repeat."""
        found = None
        if len(self.recorded) > SHORT:
            found = written(self.recorded, _printable)
        if found is None and len(self.program) > SHORT:
            found = written(self.recorded, _printable, always=True)
        return found


def _printable(found: Scheduled) -> Scheduled:
    """Return loops if they can be printed."""
    print_c(found.body, found.plan)
    return found


def exported(
    compiled: Jitted[Any, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exported:
    """Return what a compiled function computes for arguments like these.

    Raises
    ------
    TraceError
        If it draws random numbers, or is evaluated eagerly.
    """
    path, call = compiled.taken(args, kwargs)
    if path.is_whole or has_lanes(path.function.recorded.ops):
        path = compiled.recorded_singly(args, kwargs)
    if path.draws:
        raise TraceError(
            f"{compiled!r} draws random numbers, which a file cannot: draw outside, and give the "
            "numbers as arguments"
        )
    inputs = input_names(compiled._function, args, kwargs)
    *_, leaves, _ = call
    differentiated = value_cells(leaves)
    program = _without_lookups(_with_constants(path, leaves, path.inputs(call)))
    guards = program.outputs[path.results :]
    results = results_of(path.outline)
    nodes = [_node_of(program, x) for _, x in results]
    outputs = [label for label, _ in results]
    derivatives = _add_derivatives(program, nodes, differentiated)
    outputs += [f"d({result})/d({inputs[k]})" for result in outputs for k in differentiated]
    program.outputs = [*nodes, *derivatives]
    if guards:
        program.outputs.append(_taken(program, guards, path.outcomes))
    return Exported(name, program, inputs, outputs, bool(guards))


def _with_constants(path: Specialization, leaves: list[Any], inputs: Inputs) -> Program:
    """Return what a path recorded, with all inputs except those of the arguments as constants."""
    numbers = [float(x) for x in inputs]
    given = len(path.arranged(leaves, []))
    old = path.function.recorded.copy()
    constants = dict(old.constants)
    constants.update({k: numbers[k] for k in range(given, old.inputs)})
    fixed = [CONSTANT] * (old.inputs - given)
    ops = [*old.ops[:given], *fixed, *old.ops[old.inputs :]]
    return Program(given, ops, list(old.args), constants, list(old.outputs), old.one)


def _without_lookups(program: Program) -> Program:
    """Return a program in which each lookup is a choice among the entries of its row."""
    if TAKE not in program.ops:
        return program
    copy = PartCopy(program, program.inputs)
    copy.new.update((k, k) for k in range(program.inputs))
    for node in range(program.inputs, len(program)):
        if program.ops[node] is TAKE:
            index, row = program.args[node]
            entries = [copy.operand(x) for x in program.args[row]]
            copy.new[node] = _chosen(copy, copy.operand(index), entries)
        elif program.ops[node] is not ROW and node not in program.constants:
            copy.copy(node)
    copy.program.outputs = [copy.operand(x) for x in program.outputs]
    return copy.program


def _chosen(copy: PartCopy, index: int, entries: list[int]) -> int:
    """Write the entry at an index, which counts from the end if it is negative."""
    after = copy.append(add, (index, copy.constant(float(len(entries)))))
    place = copy.append(where, (copy.append(lt, (index, copy.constant(0.0))), after, index))
    found = copy.constant(math.nan)
    for k, entry in enumerate(entries):
        found = copy.append(
            where, (copy.append(eq, (place, copy.constant(float(k)))), entry, found)
        )
    return found


def _taken(program: Program, guards: Sequence[int], outcomes: Sequence[bool]) -> int:
    """Write whether all guards come out as recorded: whether their number is the sum of those."""
    zero, count = _constant(program, 0.0), _constant(program, float(len(guards)))
    held = [
        _append(program, ne if outcome else eq, guard, zero)
        for guard, outcome in zip(guards, outcomes, strict=True)
    ]
    return _append(program, eq, _append(program, sum, *held), count)


def _append(program: Program, op: Op, *args: int) -> int:
    program.ops.append(op)
    program.args.append(args)
    return len(program) - 1


def _node_of(program: Program, found: int | float) -> int:
    """Return the node of a result, which is the index of an output or a constant number."""
    if isinstance(found, int):
        return program.outputs[found]
    return _constant(program, found)


def _constant(program: Program, number: float) -> int:
    program.constants[len(program)] = number
    return _append(program, CONSTANT)


def _add_derivatives(program: Program, roots: list[int], wrt: list[int]) -> list[int]:
    """Add ∂root/∂input for each, root by root, and return their nodes."""
    first = _constant(program, 1.0) + 1
    for root in roots if wrt else ():
        program.ops += [ADJOINT] * len(wrt)
        program.args += [(node, root, first - 1) for node in wrt]
    return list(range(first, len(program)))
