"""Repeat the program of a `scan` step in one call of machine code.

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
from scalargrad.compiler.backend.llvm.machine_code import compile_text
from scalargrad.compiler.nests.nested import NestExecutable

#: How many numbers are computed, in less than 0.1 s, before Python can handle a signal.
AT_A_TIME = 2**26


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


#: ``steps(memory, fields, frame, code, given, results, first, stop)`` runs steps from `first` on
#: until `stop`, or a step whose numbers are not finite or whose comparisons come out otherwise, and
#: returns the index of that step. The fields are those of `NativeSteps`.
_STEPS = """
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
define i64 @steps(ptr %m, ptr %f, ptr %frame, ptr %code, ptr %given, ptr %results,
                  i64 %first, i64 %stop) {
entry:
  %carried = load i64, ptr %f
  %f1 = getelementptr i64, ptr %f, i64 1
  %entries = load i64, ptr %f1
  %f2 = getelementptr i64, ptr %f, i64 2
  %kept = load i64, ptr %f2
  %f3 = getelementptr i64, ptr %f, i64 3
  %outcomes = load i64, ptr %f3
  %f4 = getelementptr i64, ptr %f, i64 4
  %start = load i64, ptr %f4
  %f5 = getelementptr i64, ptr %f, i64 5
  %count = load i64, ptr %f5
  %f6 = getelementptr i64, ptr %f, i64 6
  %moved = load i64, ptr %f6
  %wanted = getelementptr i64, ptr %f, i64 7
  %order = getelementptr i64, ptr %wanted, i64 %outcomes
  %outputs = getelementptr double, ptr %m, i64 %start
  %inputs = getelementptr double, ptr %m, i64 %carried
  %made = getelementptr double, ptr %outputs, i64 %carried
  %tests = getelementptr double, ptr %made, i64 %kept
  %entry.bytes = mul i64 %entries, 8
  %kept.bytes = mul i64 %kept, 8
  %carried.bytes = mul i64 %carried, 8
  %whole = and i64 %count, -4
  %is.moved = icmp ne i64 %moved, 0
  br label %step
step:
  %s = phi i64 [%first, %entry], [%s.next, %done]
  %at = mul i64 %s, %entries
  %row = getelementptr double, ptr %given, i64 %at
  call void @llvm.memmove.p0.p0.i64(ptr %inputs, ptr %row, i64 %entry.bytes, i1 false)
  call void %code(ptr %frame)
  br label %fours
fours:
  %i = phi i64 [0, %step], [%i.next, %four]
  %sums = phi <4 x double> [zeroinitializer, %step], [%sums.next, %four]
  %more.fours = icmp ult i64 %i, %whole
  br i1 %more.fours, label %four, label %ones
four:
  %four.at = getelementptr double, ptr %outputs, i64 %i
  %four.x = load <4 x double>, ptr %four.at, align 8
  %four.zero = fmul <4 x double> %four.x, zeroinitializer
  %sums.next = fadd <4 x double> %sums, %four.zero
  %i.next = add i64 %i, 4
  br label %fours
ones:
  %j = phi i64 [%whole, %fours], [%j.next, %one]
  %sum = phi double [0.0, %fours], [%sum.next, %one]
  %more.ones = icmp ult i64 %j, %count
  br i1 %more.ones, label %one, label %looked
one:
  %one.at = getelementptr double, ptr %outputs, i64 %j
  %one.x = load double, ptr %one.at
  %one.zero = fmul double %one.x, 0.0
  %sum.next = fadd double %sum, %one.zero
  %j.next = add i64 %j, 1
  br label %ones
looked:
  %are.nan = fcmp uno <4 x double> %sums, %sums
  %nans = bitcast <4 x i1> %are.nan to i4
  %some = icmp ne i4 %nans, 0
  %last = fcmp uno double %sum, %sum
  %infinite = or i1 %some, %last
  br i1 %infinite, label %bad, label %guards
guards:
  %k = phi i64 [0, %looked], [%k.next, %same]
  %more.guards = icmp ult i64 %k, %outcomes
  br i1 %more.guards, label %guard, label %good
guard:
  %test.at = getelementptr double, ptr %tests, i64 %k
  %test = load double, ptr %test.at
  %holds = fcmp une double %test, 0.0
  %want.at = getelementptr i64, ptr %wanted, i64 %k
  %want = load i64, ptr %want.at
  %wants = icmp ne i64 %want, 0
  %differs = xor i1 %holds, %wants
  br i1 %differs, label %bad, label %same
same:
  %k.next = add i64 %k, 1
  br label %guards
good:
  %to = mul i64 %s, %kept
  %to.row = getelementptr double, ptr %results, i64 %to
  call void @llvm.memmove.p0.p0.i64(ptr %to.row, ptr %made, i64 %kept.bytes, i1 false)
  br i1 %is.moved, label %moves, label %copied
copied:
  call void @llvm.memmove.p0.p0.i64(ptr %m, ptr %outputs, i64 %carried.bytes, i1 false)
  br label %done
moves:
  %c = phi i64 [0, %good], [%c.next, %move]
  %more.moves = icmp ult i64 %c, %carried
  br i1 %more.moves, label %move, label %done
move:
  %of.at = getelementptr i64, ptr %order, i64 %c
  %of = load i64, ptr %of.at
  %from = getelementptr double, ptr %outputs, i64 %of
  %x = load double, ptr %from
  %into = getelementptr double, ptr %m, i64 %c
  store double %x, ptr %into
  %c.next = add i64 %c, 1
  br label %moves
done:
  %s.next = add i64 %s, 1
  %again = icmp ult i64 %s.next, %stop
  br i1 %again, label %step, label %end
bad:
  ret i64 %s
end:
  ret i64 %stop
}
"""


@functools.cache
def _steps() -> Callable[..., int]:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64)
    found: Callable[..., int] = compile_text(_STEPS, level=1).function("steps", kind)
    return found


def native_steps(runner: Any, shape: StepShape) -> NativeSteps | None:
    """Return what repeats the program of a `Runner`; None if it is not one function of its own."""
    lent = runner.lend()
    runner.take_back(lent)
    is_native = isinstance(lent[0], NestExecutable) and lent[0].entry
    return NativeSteps(runner, shape) if is_native else None


class NativeSteps:
    """The nests of a step, repeated in one call of machine code.

    Parameters
    ----------
    runner : Runner
        Its executables are native ones.
    """

    def __init__(self, runner: Any, shape: StepShape) -> None:
        self._runner, self.shape = runner, shape
        outputs, told = runner.outputs, [int(x) for x in shape.outcomes]
        head = [shape.carried, shape.given, shape.results, len(told), outputs.start]
        count = outputs.stop - outputs.start
        self._fields = np.array([*head, count, len(shape.order), *told, *shape.order], np.int64)

    def run(self, state: Floats, given: Floats, results: Floats) -> int:
        """Run as many steps as possible, and return how many; `state` and `results` are updated.

        Parameters
        ----------
        state : float64, carried
            The carry.
        given, results : float64, steps × numbers
            The entries, and where to write the results.
        """
        executable = (lent := self._runner.lend())[0]
        made, steps = 0, len(given)
        carried = executable.memory[: self.shape.carried]
        carried[:] = state
        arrays = executable.memory, self._fields, given, results
        m, f, xs, ys = (ctypes.c_void_p(x.ctypes.data) for x in arrays)
        frame, code = map(ctypes.c_void_p, executable.entry)
        while made < steps:
            stop = min(steps, made + max(1, AT_A_TIME // len(executable.memory)))
            first, last = ctypes.c_int64(made), ctypes.c_int64(stop)
            made = int(_steps()(m, f, frame, code, xs, ys, first, last))
            if made < stop:
                break
        state[:] = carried
        self._runner.take_back(lent)
        return made
