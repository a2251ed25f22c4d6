"""Repeat the program of a `scan` step in one call of machine code.

Of a short step that is made very often, straight-line code is printed, with the carry in registers.

It stops before the first step whose results are not all finite, or whose comparisons differ from
those recorded; the caller makes that step in another way.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest, all_finite
from scalargrad.compiler.backend.llvm.machine_code import compile_module
from scalargrad.compiler.backend.llvm.native import Native, NativeExecutable, write_calls
from scalargrad.compiler.backend.llvm.straight_line import StraightLineWriter, is_small
from scalargrad.compiler.nests.nested import NestExecutable

#: The most steps run in one go before the code of a program is final.
_FIRST = 16
#: How many products or results are computed, in less than 0.1 s, before Python can handle a signal.
AT_A_TIME = 2**26
#: After so many steps, straight-line code is printed for one of at most so many instructions.
OFTEN, _SHORT = 20_000, 100


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
    order : tuple of int
        Which output each number of the carry is as an input; empty if they are in one order.
    """

    carried: int
    given: int
    results: int
    outcomes: tuple[bool, ...]
    order: tuple[int, ...] = ()


_PARAMETERS = (
    "ptr %m, ptr %f, ptr %row, i64 %calls, ptr %given, ptr %results, i64 %first, i64 %stop"
)
_KIND = ctypes.CFUNCTYPE(ctypes.c_int64)


@functools.cache
def _function(of_nests: bool, is_ordered: bool) -> Callable[..., int]:
    """Return ``steps(memory, fields, row, calls, given, results, first, stop)``.

    It runs steps from `first` on until `stop`, or a step whose numbers are not finite or whose
    comparisons come out otherwise, and returns the index of that step. The fields are the first
    cell of the outputs, how many numbers are carried, given and returned, the number of outcomes,
    that of all outputs, the outcomes and the order of the carry, if it has one. Of nests, `row` is
    the address that their code takes, and `calls` that of the code.
    """
    module = IRModule()
    nest = Nest(module, "steps", _PARAMETERS, "i64")
    body, e = nest.body, Emitter(nest.body, WIDTH)
    found, carried, given, results, outcomes, outputs_all = nest.fields(0, 6)
    body.line("br label %step")
    body.begin("step")
    body.line("%s = phi i64 [%first, %entry], [%following, %made]")
    _copied(nest, nest.cell(nest.mul("%s", given), base="%given"), nest.cell(carried), given)
    if of_nests:
        body.line(f"call void {body.assign('inttoptr i64 %calls to ptr')}(ptr %row)")
    else:
        write_calls(nest)
    outputs = nest.cell(found)
    finite = all_finite(nest, e, outputs, outputs_all)
    expected = _expected(nest, nest.cell(found, carried, results), outcomes)
    body.line(f"br i1 {body.assign(f'and i1 {finite}, {expected}')}, label %good, label %bad")
    body.begin("bad")
    body.line("ret i64 %s")
    body.begin("good")
    kept = nest.cell(nest.mul("%s", results), base="%results")
    _copied(nest, nest.cell(found, carried), kept, results)
    if is_ordered:
        _in_order(nest, outputs, carried, nest.add(outcomes, 6))
    else:
        _copied(nest, outputs, nest.cell("0"), carried)
    body.line("br label %made")
    body.begin("made")
    body.line("%following = add i64 %s, 1")
    body.line("%again = icmp ult i64 %following, %stop")
    body.line("br i1 %again, label %step, label %done")
    body.begin("done")
    body.line("ret i64 %stop")
    steps: Callable[..., int] = compile_module(module, level=1).function("steps", _KIND)
    return steps


def straight(native: Native, shape: StepShape, outputs: int) -> Callable[..., int]:
    """Return what `_function` does for one program, of small instructions: straight-line code."""
    module = IRModule()
    nest = Nest(module, "steps", _PARAMETERS, "i64")
    body, e, carried = nest.body, Emitter(nest.body, inline=False), range(shape.carried)
    starts = [e.load(nest.cell(str(k))) for k in carried]
    body.line("br label %step")
    body.begin("step")
    head = body.reserve()
    writer = StraightLineWriter(e, native.numbers | {k: f"%c{k}" for k in carried})
    row = nest.mul("%s", str(shape.given))
    for k in range(shape.given):
        place = nest.cell(nest.add(row, str(k)), base="%given")
        writer.known[shape.carried + k] = e.load(place)
    for instruction in native.instructions:
        writer.write(instruction)
    count = shape.carried + shape.results
    found = [e.number(writer.cell(outputs + k)) for k in range(count + len(shape.outcomes))]
    tests = [e.compare("oeq", e.mul(x, 0.0), 0.0) for x in found[:count]]
    for x, outcome in zip(found[count:], shape.outcomes, strict=True):
        tests.append(e.compare("une" if outcome else "oeq", x, 0.0))
    good = functools.reduce(lambda a, b: body.assign(f"and i1 {a}, {b}"), tests, "true")
    body.line(f"br i1 {good}, label %good, label %bad")
    body.begin("good")
    row = nest.mul("%s", str(shape.results))
    for k, x in enumerate(found[shape.carried : count]):
        e.store(x, nest.cell(nest.add(row, str(k)), base="%results"))
    body.line("%following = add i64 %s, 1")
    body.line("%again = icmp ult i64 %following, %stop")
    body.line("br i1 %again, label %step, label %done")
    phis = ["%s = phi i64 [%first, %entry], [%following, %good]"]
    for k, start in enumerate(starts):
        phis.append(f"%c{k} = phi double [{start}, %entry], [{found[k]}, %good]")
    body.fill(head, phis)
    for label, index in (("bad", "%s"), ("done", "%stop")):
        body.begin(label)
        for k in carried:
            e.store(f"%c{k}" if label == "bad" else found[k], nest.cell(str(k)))
        body.line(f"ret i64 {index}")
    steps: Callable[..., int] = compile_module(module, level=1).function("steps", _KIND)
    return steps


def _copied(nest: Nest, source: str, target: str, count: str) -> None:
    """Print a copy of `count` numbers, which may be 0; cells may overlap."""
    types = ["ptr", "ptr", "i64", "i1"]
    copy = nest.body.module.declare("llvm.memmove.p0.p0.i64", "void", types)
    size = nest.mul(count, 8)
    nest.body.line(f"call void @{copy}(ptr {target}, ptr {source}, i64 {size}, i1 false)")


def _in_order(nest: Nest, outputs: str, count: str, fields: str) -> None:
    """Print a copy of outputs to the first cells; which ones, the fields from one on say."""

    def one(i: str, _: list[str]) -> list[str]:
        x = nest.one.load(nest.cell(nest.field(nest.add(fields, i)), base=outputs))
        nest.one.store(x, nest.cell(i))
        return []

    nest.loop(count, one)


def _expected(nest: Nest, outcomes: str, count: str) -> str:
    """Print the test that comparisons came out as the fields say."""

    def all_of() -> list[str]:
        def one(i: str, carried: list[str]) -> list[str]:
            number = nest.one.load(nest.cell(i, base=outcomes))
            held = nest.one.compare("une", number, 0.0)
            wanted = nest.body.assign(f"icmp ne i64 {nest.field(nest.add(i, 6))}, 0")
            same = nest.body.assign(f"icmp eq i1 {held}, {wanted}")
            return [nest.body.assign(f"and i1 {carried[0]}, {same}")]

        return nest.loop(count, one, [("i1", "true")])

    return nest.unless_none(count, all_of, [("i1", "true")])[0]


def packed_steps(runner: Any, shape: StepShape) -> PackedSteps | None:
    """Return what repeats the program of a `Runner`; None if it is not one function of its own."""
    lent = runner.lend()
    runner.take_back(lent)
    if shape.order and runner.outputs.start < shape.carried:  # outputs are inputs
        return None
    if isinstance(lent[0], NestExecutable):
        return NestSteps(runner, shape) if lent[0].entry else None
    return PackedSteps(runner, shape) if isinstance(lent[0], NativeExecutable) else None


class PackedSteps:
    """The packed program of a step, repeated in one call of machine code.

    Parameters
    ----------
    runner : Runner
        Its executables are native ones.
    """

    def __init__(self, runner: Any, shape: StepShape, of_nests: bool = False) -> None:
        self._runner, self.shape = runner, shape
        self._made = 0
        self._steps = _function(of_nests, bool(shape.order))
        told = [int(x) for x in shape.outcomes]
        outputs = runner.outputs
        head = [outputs.start, shape.carried, shape.given, shape.results, len(told)]
        count = outputs.stop - outputs.start
        self._fields = np.array([*head, count, *told, *shape.order], dtype=np.int64)

    def run(self, state: Floats, given: Floats, results: Floats) -> int:
        """Run as many steps as possible, and return how many; `state` and `results` are updated.

        Parameters
        ----------
        state : float64, carried
            The carry.
        given, results : float64, steps × numbers
            The entries, and where to write the results.
        """
        executable, _ = lent = self._runner.lend()
        made, steps = 0, len(given)
        self._count(steps, executable)
        carried = executable.memory[: self.shape.carried]
        carried[:] = state
        while made < steps:
            code, calls, work = self._code(executable, min(steps - made, _FIRST))
            stop = min(steps, made + max(1, AT_A_TIME // max(work, 1)))
            arrays = executable.memory, self._fields, given, results
            m, f, xs, ys = (ctypes.c_void_p(x.ctypes.data) for x in arrays)
            row = ctypes.c_void_p(code if isinstance(code, int) else code.ctypes.data)
            count, first, last = (ctypes.c_int64(x) for x in (calls, made, stop))
            made = int(self._steps(m, f, row, count, xs, ys, first, last))
            if made < stop:
                break
        state[:] = carried
        self._runner.take_back(lent)
        return made

    def _code(self, executable: Any, steps: int) -> tuple[Any, int, int]:
        """Return the array of calls that a step makes, how many these are, and their work."""
        calls, work = executable.calls_for(steps)
        return calls, len(calls), work

    def _count(self, steps: int, executable: Any) -> None:
        """Count steps; after many, print straight-line code for a short program."""
        native, before = executable.native, self._made
        self._made += steps
        if self.shape.order or not before < OFTEN <= self._made:
            return
        if len(native.instructions) <= _SHORT and all(map(is_small, native.instructions)):
            self._steps = straight(native, self.shape, self._runner.outputs.start)


class NestSteps(PackedSteps):
    """The nests of a step, repeated in one call of machine code."""

    def __init__(self, runner: Any, shape: StepShape) -> None:
        super().__init__(runner, shape, of_nests=True)

    def _code(self, executable: Any, _steps: int) -> tuple[Any, int, int]:
        """Return the address of memory, that of the code, and the work of a step."""
        return *executable.entry, len(executable.memory)

    def _count(self, _steps: int, _executable: Any) -> None:
        pass
