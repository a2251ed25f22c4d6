"""The inner names of the loop compiler that tests use, and a builder of programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.function import Function
from scalargrad.compiler.known_programs import forget
from scalargrad.compiler.nests import builder, lowering
from scalargrad.compiler.nests.blocks import in_blocks
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.compile_nests import nested
from scalargrad.compiler.nests.contract import contract
from scalargrad.compiler.nests.derive import gradient
from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    SEQUENTIAL,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    statements,
    within_loops,
)
from scalargrad.compiler.nests.finder.find import trees
from scalargrad.compiler.nests.finder.instructions import COMPUTED, GIVEN, Instructions
from scalargrad.compiler.nests.finder.to_equations import operation_of, to_equations
from scalargrad.compiler.nests.finder.tree import Table, Tree, computes
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.output_arrays import (
    with_room_for_empty_sums,
    without_output_copies,
)
from scalargrad.compiler.nests.partition import Partition
from scalargrad.compiler.nests.plan import Plan, plan
from scalargrad.compiler.nests.printer import print_llvm, write
from scalargrad.compiler.nests.saved_exponentials import with_saved_exponentials
from scalargrad.compiler.nests.schedule import ScheduledLoop, schedule, with_directions
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.tangents import without_tangents
from scalargrad.compiler.nests.tiles import tiled
from scalargrad.compiler.nests.unfold import unfold
from scalargrad.compiler.nests.verify import OBSERVERS, VerificationError, checked, verify
from scalargrad.compiler.nests.verify_layout import (
    LAYOUT_OBSERVERS,
    checked_layout,
    verify_layout,
)
from scalargrad.compiler.passes.expressions import subexpressions
from scalargrad.compiler.runner import Runner
from scalargrad.compiler.trace.record import record
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import TABLE

__all__ = [
    "ADD",
    "CLASSES",
    "COMPUTED",
    "GIVEN",
    "LAYOUT_OBSERVERS",
    "OBSERVERS",
    "SEQUENTIAL",
    "SET",
    "TABLE",
    "Access",
    "Array",
    "Body",
    "Builder",
    "Cells",
    "Emitter",
    "FunctionBody",
    "IRModule",
    "Index",
    "Instructions",
    "Loop",
    "LoweringError",
    "Operand",
    "Operation",
    "Plan",
    "Program",
    "ScheduledLoop",
    "Step",
    "Table",
    "Tree",
    "Var",
    "VerificationError",
    "adds_loop_by_loop",
    "checked",
    "checked_layout",
    "computes",
    "contract",
    "fail_once",
    "forget",
    "gradient",
    "in_blocks",
    "machine_code",
    "operation_of",
    "plan",
    "print_c",
    "print_llvm",
    "record",
    "recorded",
    "run_as_nests",
    "schedule",
    "simplify",
    "statements",
    "tiled",
    "to_equations",
    "trees",
    "verify",
    "verify_layout",
    "with_directions",
    "with_room_for_empty_sums",
    "with_saved_exponentials",
    "within_loops",
    "without_output_copies",
    "without_tangents",
    "write",
]  # fmt: skip


class Cell(Symbol):
    """An element that is read, as an operand of expressions."""

    __slots__ = ("access",)

    def __init__(self, access: Access) -> None:
        super().__init__(str(access))
        self.access = access


class Cells:
    """An array of a program under construction: ``x[i]`` is an element, ``x[i] = …`` sets it."""

    def __init__(self, builder: Builder, array: Array) -> None:
        self.array, self.builder = array, builder

    def __getitem__(self, places: Any) -> Cell:
        given = places if isinstance(places, tuple) else (places,)
        return Cell(Access(self.array, tuple(map(_index, given))))

    def __setitem__(self, places: Any, value: Any) -> None:
        self.builder.write(self[places].access, value, SET)


def _index(place: Any) -> Index:
    """Return an index; an element of an index array is one as well."""
    return Index(0, (), place.access) if isinstance(place, Cell) else as_index(place)


class Builder(builder.Builder):
    """Builder of programs of the loop IR, in Python notation."""

    def input(self, name: str, *shape: int) -> Cells:
        """Add an input array."""
        return Cells(self, self.array(name, shape, "in"))

    def const(self, name: str, data: Any) -> Cells:
        """Add an array of constants."""
        numbers = np.asarray(data, float)
        return Cells(self, self.array(name, numbers.shape, "const", numbers))

    def temp(self, name: str, *shape: int) -> Cells:
        """Add a temporary array, written by statements."""
        return Cells(self, self.array(name, shape))

    def output(self, name: str, *shape: int) -> Cells:
        """Add an output array, written by statements."""
        return Cells(self, self.array(name, shape, "out"))

    def var(self, extent: Any, name: str = "i") -> Var:
        """Return a variable."""
        return super().var(_index(extent), name)

    def write(self, out: Access, value: Any, how: str) -> None:
        """Append the statements of an expression; the last one sets `out` or is added to it."""
        op, operands = TABLE["identity"], tuple[Any, ...]([value])
        if isinstance(value, Symbol) and not isinstance(value, Cell):
            assert value.op is not None
            op, operands = value.op, value.operands
        cells = (x for x in subexpressions(value) if isinstance(x, Cell))
        known: dict[Symbol, Arg] = {x: x.access for x in cells}
        self.append(Step(out, op, tuple([self.arg(x, known) for x in operands]), how))

    def add(self, to: Cell, value: Any) -> None:
        """Add a number to an element: a sum over the loops that do not occur in its indices."""
        self.write(to.access, value, ADD)


def machine_code(text: str, level: int) -> Any:
    """Return the machine code of LLVM IR; llvmlite is imported only here."""
    from scalargrad.compiler.backend.llvm import machine_code as native

    return native.Code(native.compiled(text, level))


def run_as_nests(function: Callable[[list[Any]], Any], numbers: Sequence[float]) -> list[float]:
    """Return the value and the gradient of a function, run as nests."""
    leaves = [Value(x) for x in numbers]
    program = record(lambda *xs: function([*xs]), leaves)[0].program
    asked = Function(program, 1, tuple(range(len(leaves)))).with_row(0)
    return Runner(nested(asked))([*numbers])


def recorded(
    function: Callable[[list[Any]], Any], numbers: Sequence[float]
) -> tuple[Instructions, int]:
    """Return the trace of a function of a list of numbers, and the node of its result."""
    leaves = [Value(x) for x in numbers]
    unfolded = unfold(record(lambda *xs: function([*xs]), leaves)[0].program)
    assert unfolded is not None
    (part,) = Partition(unfolded).parts
    return part.recording, part.places[part.results.index(unfolded.outputs[0])]


def fail_once(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Make the next simplification raise an error, like a mistake in the compiler."""

    def mistaken(*_: object) -> Any:
        monkeypatch.undo()  # so that another candidate would be compiled
        raise error("mistake")

    monkeypatch.setattr(lowering, "simplify", mistaken)
