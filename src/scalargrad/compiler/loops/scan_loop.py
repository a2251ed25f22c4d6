"""Compile a short `scan` step to a loop in machine code, which runs any number of steps.

The carry stays in registers. The loop stops before the first step whose results are not all finite,
or whose comparisons differ from those recorded; the caller runs that step in another way. So it is
with long steps, whose packed program `step_loop` repeats.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.machine_code import compile_module
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.loops.node_columns import is_repeatable
from scalargrad.compiler.passes.kinds import CONSTANT, DETACH, INPUT
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import pow
from scalargrad.table.operation import Elementwise

#: The longest step, in nodes. Longer ones are packed: they have independent operations for lanes.
_LONGEST = 200
#: About how many operations run before Python can handle a signal such as Ctrl-C.
_STRETCH = 20_000_000


class StepShape(NamedTuple):
    """The roles of the inputs and outputs of a step.

    Its inputs are the carry, then the entry of `xs`; its outputs are the next carry, the result,
    and the comparisons, whose outcomes must be those recorded.

    Attributes
    ----------
    carried, given, results : int
        How many numbers are in the carry, in an entry, and in a result.
    outcomes : tuple of bool
        The recorded outcomes of the comparisons.
    """

    carried: int
    given: int
    results: int
    outcomes: tuple[bool, ...]


def can_repeat(program: Program) -> bool:
    """Return whether a step can run as a loop: it is short, and its operations are repeatable."""
    return len(program) <= _LONGEST and all(
        op in {INPUT, CONSTANT} or is_repeatable(op) for op in program.ops
    )


class StepLoop:
    """A short step of a scan, compiled to a loop.

    Parameters
    ----------
    program : Program
        The recorded step.
    """

    def __init__(self, program: Program, shape: StepShape) -> None:
        code = compile_module(_printed(program, shape), level=1)
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        kind = ctypes.CFUNCTYPE(number, pointer, pointer, pointer, number)
        self._run = code.function("steps", kind)
        self._stretch = max(1, _STRETCH // (len(program) + 1))

    def run(self, state: Floats, given: Floats, results: Floats) -> int:
        """Run as many steps as possible, and return how many; `state` and `results` are updated.

        Parameters
        ----------
        state : float64, carried
            The carry.
        given, results : float64, steps × numbers
            The entries, and where to write the results.
        """
        made, count = 0, len(results)
        while made < count:
            stretch = min(self._stretch, count - made)
            places = state, given[made:], results[made:]
            done = self._run(*[x.ctypes.data for x in places], stretch)
            made += done
            if done < stretch:
                break
        return made


def _printed(program: Program, shape: StepShape) -> IRModule:
    """Return the code of ``steps(state, given, results, count)``, which returns the steps run."""
    module = IRModule()
    body = module.function("steps", "ptr %state, ptr %given, ptr %results, i64 %count", "i64")
    e = Emitter(body)
    starts = [e.load(_cell(e, "state", str(k))) for k in range(shape.carried)]
    body.line("br label %loop")
    body.begin("loop")
    head = body.reserve()
    carried = [f"%c{k}" for k in range(shape.carried)]
    given = [e.load(x) for x in _row(e, "given", shape.given)]
    outputs = _outputs(e, program, [*carried, *given])
    latest = [e.number(x) for x in outputs[: shape.carried]]
    body.line(f"br i1 {_is_good(e, outputs, shape)}, label %next, label %stop")
    checked = body.block
    body.begin("next")
    places = _row(e, "results", shape.results)
    for x, place in zip(outputs[shape.carried :], places, strict=False):
        e.store(x, place)
    body.line("%n = add nuw nsw i64 %i, 1")
    more = body.assign("icmp slt i64 %n, %count")
    body.line(f"br i1 {more}, label %loop, label %stop")
    body.begin("stop")
    body.line(f"%made = phi i64 [ %i, %{checked} ], [ %n, %next ]")
    for k, (c, x) in enumerate(zip(carried, latest, strict=True)):
        body.line(f"%s{k} = phi double [ {c}, %{checked} ], [ {x}, %next ]")
    for k in range(shape.carried):
        e.store(f"%s{k}", _cell(e, "state", str(k)))
    body.line("ret i64 %made")
    phis = ["%i = phi i64 [ 0, %entry ], [ %n, %next ]"]
    for c, start, x in zip(carried, starts, latest, strict=True):
        phis.append(f"{c} = phi double [ {start}, %entry ], [ {x}, %next ]")
    body.fill(head, phis)
    return module


def _cell(e: Emitter, base: str, place: str) -> str:
    return e.body.assign(f"getelementptr inbounds double, ptr %{base}, i64 {place}")


def _row(e: Emitter, base: str, count: int) -> list[str]:
    """Return the addresses of the current step's numbers in an array of `count` columns."""
    first = e.body.assign(f"mul i64 %i, {count}")
    return [_cell(e, base, e.body.assign(f"add i64 {first}, {k}")) for k in range(count)]


def _outputs(e: Emitter, program: Program, inputs: Sequence[Operand]) -> list[Operand]:
    """Print the operations of a step, and return its outputs."""
    found: list[Operand] = []
    for node, (op, args) in enumerate(zip(program.ops, program.args, strict=True)):
        operands = [found[x] for x in args]
        if op is INPUT:
            found.append(inputs[node])
        elif op is CONSTANT:
            found.append(program.constants[node])
        elif op is DETACH:
            found.append(operands[0])
        elif op is pow and operands[1] == 2.0:
            found.append(e.mul(operands[0], operands[0]))
        else:
            assert isinstance(op, Elementwise)
            found.append(apply(e, op, *operands))
    return [found[x] for x in program.outputs]


def _is_good(e: Emitter, outputs: Sequence[Operand], shape: StepShape) -> str:
    """Print the test that results are finite and comparisons come out as recorded."""
    good = e.body.assign("and i1 true, true")
    results = shape.carried + shape.results
    tests = [e.compare("oeq", e.sub(x, x), 0.0) for x in outputs[:results]]
    for x, outcome in zip(outputs[results:], shape.outcomes, strict=True):
        tests.append(e.compare("une" if outcome else "oeq", x, 0.0))
    for test in tests:
        good = e.body.assign(f"and i1 {good}, {test}")
    return good
