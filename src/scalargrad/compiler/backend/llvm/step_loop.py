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
        Which output each number of the carry is as an input.
    """

    carried: int
    given: int
    results: int
    outcomes: tuple[bool, ...]
    order: tuple[int, ...]


#: Runs steps from `first` on until `stop`, or a step whose numbers are not finite or whose
#: comparisons come out otherwise, and returns the index of that step. The counts are those of a
#: `StepShape`, whose order and outcomes are in arrays; %count is that of all outputs.
_STEPS = """
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
define i64 @steps(ptr %inputs, ptr %outputs, ptr %order, ptr %wanted, ptr %given, ptr %results,
                  ptr %frame, ptr %code, i64 %carried, i64 %entries, i64 %kept, i64 %outcomes,
                  i64 %count, i64 %first, i64 %stop) {
entry:
  %entry.at = getelementptr double, ptr %inputs, i64 %carried
  %made = getelementptr double, ptr %outputs, i64 %carried
  %tests = getelementptr double, ptr %made, i64 %kept
  %entry.bytes = mul i64 %entries, 8
  %kept.bytes = mul i64 %kept, 8
  br label %step
step:
  %s = phi i64 [%first, %entry], [%s.next, %done]
  %at = mul i64 %s, %entries
  %row = getelementptr double, ptr %given, i64 %at
  call void @llvm.memmove.p0.p0.i64(ptr %entry.at, ptr %row, i64 %entry.bytes, i1 false)
  call void %code(ptr %frame)
  br label %numbers
numbers:
  %i = phi i64 [0, %step], [%i.next, %number]
  %more.numbers = icmp ult i64 %i, %count
  br i1 %more.numbers, label %number, label %guards
number:
  %number.at = getelementptr double, ptr %outputs, i64 %i
  %number.x = load double, ptr %number.at
  %zero = fmul double %number.x, 0.0
  %finite = fcmp ord double %zero, 0.0
  %i.next = add i64 %i, 1
  br i1 %finite, label %numbers, label %bad
guards:
  %k = phi i64 [0, %numbers], [%k.next, %guard]
  %more.guards = icmp ult i64 %k, %outcomes
  br i1 %more.guards, label %guard, label %good
guard:
  %test.at = getelementptr double, ptr %tests, i64 %k
  %test = load double, ptr %test.at
  %holds = fcmp une double %test, 0.0
  %want.at = getelementptr double, ptr %wanted, i64 %k
  %want = load double, ptr %want.at
  %wants = fcmp une double %want, 0.0
  %k.next = add i64 %k, 1
  %same = icmp eq i1 %holds, %wants
  br i1 %same, label %guards, label %bad
good:
  %to = mul i64 %s, %kept
  %to.row = getelementptr double, ptr %results, i64 %to
  call void @llvm.memmove.p0.p0.i64(ptr %to.row, ptr %made, i64 %kept.bytes, i1 false)
  br label %moves
moves:
  %c = phi i64 [0, %good], [%c.next, %move]
  %more.moves = icmp ult i64 %c, %carried
  br i1 %more.moves, label %move, label %done
move:
  %of.at = getelementptr i64, ptr %order, i64 %c
  %of = load i64, ptr %of.at
  %from = getelementptr double, ptr %outputs, i64 %of
  %x = load double, ptr %from
  %into = getelementptr double, ptr %inputs, i64 %c
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
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 8, *[ctypes.c_int64] * 7)
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
        self._told = np.array(shape.order, np.int64), np.array(shape.outcomes, np.float64)

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
        shape, memory, outputs = self.shape, executable.memory, self._runner.outputs
        carried = memory[: shape.carried]
        carried[:] = state
        arrays = memory, memory[outputs], *self._told, given, results
        run = functools.partial(_steps(), *(x.ctypes.data for x in arrays), *executable.entry)
        counts = *shape[:3], len(shape.outcomes), outputs.stop - outputs.start
        made, stop = 0, 0
        while made == stop < len(given):
            stop = min(len(given), made + max(1, AT_A_TIME // len(memory)))
            made = run(*counts, made, stop)
        state[:] = carried
        self._runner.take_back(lent)
        return made
