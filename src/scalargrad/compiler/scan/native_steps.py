"""Run many steps of a scan in one call of machine code, which repeats the program of a step."""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.call.arguments import (
    Fresh,
    Key,
    Walk,
    float_from,
    number_of,
    rebuilt,
)
from scalargrad.compiler.call.outline import Place, filled, filler, outlined
from scalargrad.compiler.call.specialization import Specialization
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.nested import Nested
from scalargrad.compiler.runner import Inputs, are_finite
from scalargrad.engine.tree import flatten
from scalargrad.engine.value import Value

#: The fewest steps that are run in one call.
FEW = 16
#: `_FIRST`: the steps of the first call; each later call runs twice as many. The most numbers of
#: their outputs (`_OUTPUTS`), to stay in the cache, and of their memories (`_NUMBERS`), which take
#: 0.1 s: then Python can handle a signal.
_FIRST, _OUTPUTS, _NUMBERS = 64, 2**15, 2**26

#: Runs steps: each takes the carry and its entry, writes its outputs to a row, and stretches of
#: these, the next carry, over the carry: each starts at an output and has some bytes.
_STEPS = """
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
define void @steps(ptr %inputs, ptr %outputs, ptr %given, ptr %rows, ptr %frame, ptr %code,
                   ptr %stretches, i64 %parts, i64 %carried, i64 %entry, i64 %row, i64 %count) {
begin:
  %entry.at = getelementptr i8, ptr %inputs, i64 %carried
  br label %step
step:
  %k = phi i64 [0, %begin], [%next, %moved]
  %from = mul i64 %k, %entry
  %given.at = getelementptr i8, ptr %given, i64 %from
  call void @llvm.memmove.p0.p0.i64(ptr %entry.at, ptr %given.at, i64 %entry, i1 false)
  call void %code(ptr %frame)
  %to = mul i64 %k, %row
  %row.at = getelementptr i8, ptr %rows, i64 %to
  call void @llvm.memmove.p0.p0.i64(ptr %row.at, ptr %outputs, i64 %row, i1 false)
  br label %part
part:
  %p = phi i64 [0, %step], [%p.next, %move]
  %at = phi ptr [%inputs, %step], [%at.next, %move]
  %left = icmp ult i64 %p, %parts
  br i1 %left, label %move, label %moved
move:
  %start.at = getelementptr {i64, i64}, ptr %stretches, i64 %p
  %start = load i64, ptr %start.at
  %bytes.at = getelementptr i64, ptr %start.at, i64 1
  %bytes = load i64, ptr %bytes.at
  %output.at = getelementptr double, ptr %outputs, i64 %start
  call void @llvm.memmove.p0.p0.i64(ptr %at, ptr %output.at, i64 %bytes, i1 false)
  %at.next = getelementptr i8, ptr %at, i64 %bytes
  %p.next = add i64 %p, 1
  br label %part
moved:
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %step, label %end
end:
  ret void
}
"""


@functools.cache
def _steps() -> Callable[..., None]:
    from scalargrad.compiler.backend.llvm.machine_code import compile_text

    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 7, *[ctypes.c_int64] * 5)
    found: Callable[..., None] = compile_text(_STEPS, level=1).function("steps", kind)
    return found


class NativeStep(NamedTuple):
    """How the machine code of a path runs many steps in one call, with the carry in its memory.

    It has no reference to the path, so that `_known` does not keep the path alive.

    Attributes
    ----------
    order : integers
        The first of its outputs, which are the next carry, in the order of the inputs.
    stretches : integers
        The output with which each stretch of that order begins, and its bytes.
    carry_of, results_of : callable
        Make the carry from its numbers, and the results of steps from a row of each.
    """

    order: Integers
    stretches: Integers
    carry_of: Callable[[Any], Any]
    results_of: Callable[[Floats], Iterable[Any]]

    def run(self, path: Specialization, inputs: Inputs, given: Floats) -> tuple[Any, list[Any]]:
        """Run steps on these entries; return the carry after them, and their results.

        They end before the first whose outputs are not all finite, or whose comparisons come out
        otherwise than those recorded.

        Parameters
        ----------
        path : Specialization
        inputs : list of float or float64
            The numbers of the carry, and those of the first entry.
        given : float64, steps × numbers
            The numbers of the entries.
        """
        order, carried = self.order, len(self.order)
        runner, wanted = path.function.values, np.array(path.outcomes, np.bool_)
        executable = (lent := runner.lend())[0]
        memory, outputs = executable.memory, executable.memory[runner.nests.outputs]
        memory[: len(inputs)] = inputs
        state, ys = np.empty(carried), list[Any]()
        state[order] = memory[:carried]
        most, count = min(_OUTPUTS // len(outputs), _NUMBERS // len(memory)), _FIRST
        tests = slice(path.results, path.results + len(wanted))
        while len(ys) < len(given):
            entries = given[len(ys) : len(ys) + max(1, min(count, most))]
            rows = np.empty((len(entries), len(outputs)))
            arrays = (x.ctypes.data for x in (memory, outputs, entries, rows))
            moves = self.stretches.ctypes.data, len(self.stretches), 8 * carried
            sizes = 8 * given.shape[1], 8 * len(outputs), len(entries)
            _steps()(*arrays, *executable.entry, *moves, *sizes)
            same = (rows[:, tests] != 0.0) == wanted
            if not (are_finite(rows) and same.all()):
                good = np.isfinite(rows).all(axis=1) & same.all(axis=1)
                rows = rows[: good.argmin()]
            if len(rows):
                state = rows[-1, :carried].copy()
                ys += self.results_of(rows[:, carried : path.results])
            if len(rows) < len(entries):
                break
            count *= 2
        runner.take_back(lent)
        return self.carry_of(state), ys


#: The steps of paths, cached.
_known: WeakKeyDictionary[Specialization, NativeStep | None] = WeakKeyDictionary()


def run_steps(f: Jitted[..., Any], carry: Any, x: Any, given: Floats) -> tuple[Any, list[Any]]:
    """Run as many steps of a scan as take one path; return the carry, and the results.

    Parameters
    ----------
    x
        The entry of the first of these steps.
    given : float64, steps × numbers
        The numbers of all their entries.
    """
    call = f.call_of((carry, x), {})
    if call[-1]:  # objects
        return carry, []
    paths = f.paths(carry, x)
    if not paths:
        with suppress(Exception):  # if it cannot be recorded, a call tells why
            paths = (f.taken((carry, x), {})[0],)
    for path in paths:
        if path not in _known:
            _known[path] = _native(path, f.signature((carry,), {})[0], x)
        native = _known[path]
        if native is not None:
            inputs = path.inputs(call[4], path.closed_over)
            if len(inputs) == len(native.order) + given.shape[1]:
                return native.run(path, inputs, given)
    return carry, []


def _native(path: Specialization, shape: Key, x: Any) -> NativeStep | None:
    """Return a runner of the steps of a path whose carry has this key; None if there is none.

    The carry consists of numbers alone, and the next one has the same key. The numbers of an entry
    are taken in their order.
    """
    if path.differentiable or path.truths or path.whole or path.draws or path.surroundings.aliases:
        return None
    nests = path.function.values.nests
    if not isinstance(nests, Nested) or len(nests.functions) > 1:
        return None
    if not isinstance(path.outline, tuple) or len(path.outline) != 2:
        return None
    numbers = [*map(float, range(path.results))]
    walk = Walk()
    walk.take_one(filled(path.outline[0], numbers))
    carry, result = filled(path.outline, [*map(Value, numbers)])
    places: list[Value] = []
    outlined(carry, places)
    carried, outline = len(places), outlined(result, [])
    taken = [y for leaf in walk.leaves for y in np.ravel(leaf).tolist()]
    if walk.objects or tuple(walk.key) != shape or sorted(taken) != numbers[:carried]:
        return None
    counted = rebuilt([x], Fresh(map(float, itertools.count()), {}))
    entry = flatten(counted, "an entry")[0] if x is not None else []
    if entry != sorted(entry):
        return None
    results_of: Callable[[Floats], Iterable[Any]]
    results_of = functools.partial(map, filler(outline, of_array=True))
    if isinstance(outline, Place):
        results_of = lambda rows: rows[:, outline.index].tolist()  # noqa: E731 - in a tenth of the time
    order = np.array(taken, np.int64)
    first = np.flatnonzero(np.diff(order, prepend=-2) != 1)
    stretches = np.stack([order[first], 8 * np.diff(first, append=carried)], axis=1)
    carry_of = filler(path.outline[0], of_array=True)
    return NativeStep(order, stretches, carry_of, results_of)


def rows_of(columns: Sequence[Any], count: int) -> Floats | None:
    """Return the numbers of all entries, steps × numbers; None if they hold anything else.

    Parameters
    ----------
    columns : sequence of list or array
        The parts of `xs`; an entry has a number of each list, and a row of each array.
    count : int
        The number of steps.
    """
    if count < FEW or not has_llvm():
        return None
    found = [np.empty((count, 0))]
    for column in columns:
        if isinstance(column, np.ndarray) and column.dtype.kind in "fiu":
            found.append(number_of(column).reshape(count, -1))
            continue
        kinds = {*map(type, column)} if isinstance(column, list | tuple | range) else {object}
        if not kinds <= {float, int}:
            return None
        found.append(np.array(column if kinds == {float} else [*map(float_from, column)])[:, None])
    rows = np.concatenate(found, axis=1)
    return rows if np.isfinite(rows).all() else None
