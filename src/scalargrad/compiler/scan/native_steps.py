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
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.runner import Inputs, are_finite
from scalargrad.engine.tree import flatten
from scalargrad.engine.value import Value

#: The fewest steps that are run in one call.
FEW = 16
#: `_FIRST`: the steps of the first call; each later call runs twice as many. The most numbers of
#: their outputs (`_OUTPUTS`), to stay in the cache, and of their memories (`_NUMBERS`), which take
#: 0.1 s: then Python can handle a signal.
_FIRST, _OUTPUTS, _NUMBERS = 64, 2**15, 2**26

#: A loop over steps. Each copies its entry behind the carry, runs the code of a step, copies the
#: outputs to a row, and then those that are the next carry over the carry. The sizes are constants,
#: so that LLVM copies a few numbers by loads and stores.
_LOOP = """
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
define void @steps(ptr %inputs, ptr %outputs, ptr %entries, ptr %rows, ptr %frame, ptr %code,
                   i64 %count) {{
begin:
  %entry = getelementptr i8, ptr %inputs, i64 {carry}
  br label %step
step:
  %k = phi i64 [0, %begin], [%k.next, %step]
  %from = phi ptr [%entries, %begin], [%from.next, %step]
  %to = phi ptr [%rows, %begin], [%to.next, %step]
  call void @llvm.memmove.p0.p0.i64(ptr %entry, ptr %from, i64 {entry}, i1 false)
  call void %code(ptr %frame)
  call void @llvm.memmove.p0.p0.i64(ptr %to, ptr %outputs, i64 {row}, i1 false)
{moves}  %from.next = getelementptr i8, ptr %from, i64 {entry}
  %to.next = getelementptr i8, ptr %to, i64 {row}
  %k.next = add i64 %k, 1
  %more = icmp ult i64 %k.next, %count
  br i1 %more, label %step, label %end
end:
  ret void
}}
"""
#: The copy of outputs `start` to `stop` over the carry, `at` bytes after its beginning.
_MOVE = """\
  %from.{at} = getelementptr double, ptr %outputs, i64 {start}
  %to.{at} = getelementptr i8, ptr %inputs, i64 {at}
  call void @llvm.memmove.p0.p0.i64(ptr %to.{at}, ptr %from.{at}, i64 {size}, i1 false)
"""


@functools.lru_cache(maxsize=256)
def _loop(entry: int, row: int, ranges: tuple[tuple[int, int], ...]) -> Callable[..., None]:
    """Return machine code that repeats steps.

    Parameters
    ----------
    entry, row : int
        Numbers of an entry, and of all outputs of a step.
    ranges : tuple of (int, int)
        First and stop of the outputs that are copied over the carry, in the order of its numbers.
    """
    from scalargrad.compiler.backend.llvm.machine_code import compile_text

    moves, at = "", 0
    for start, stop in ranges:
        moves += _MOVE.format(at=at, start=start, size=8 * (stop - start))
        at += 8 * (stop - start)
    text = _LOOP.format(carry=at, entry=8 * entry, row=8 * row, moves=moves)
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 6, ctypes.c_int64)
    loop: Callable[..., None] = compile_text(text, level=1).function("steps", kind)
    return loop


class NativeStep(NamedTuple):
    """How the machine code of a path runs many steps in one call, with the carry in its memory.

    It has no reference to the path, so that `_known` does not keep the path alive.

    Attributes
    ----------
    order : integers
        The first of its outputs, which are the next carry, in the order of the inputs.
    ranges : tuple of (int, int)
        First and stop of the outputs that are consecutive in that order.
    carry_of, results_of : callable
        Make the carry from its numbers, and the results of steps from a row of each.
    """

    order: Integers
    ranges: tuple[tuple[int, int], ...]
    carry_of: Callable[[Any], Any]
    results_of: Callable[[Floats], Iterable[Any]]

    def run(self, path: Specialization, inputs: Inputs, given: Floats, ys: list[Any]) -> Any:
        """Run steps on these entries, append their results, and return the carry after them.

        They end before the first whose outputs are not all finite, or whose comparisons come out
        otherwise than those recorded.

        Parameters
        ----------
        path : Specialization
        inputs : list of float or float64
            The numbers of the carry, and those of the first entry.
        given : float64, steps × numbers
            The numbers of the entries.
        ys : list
            The results of the steps before, to which those of these steps are appended.
        """
        order, carried = self.order, len(self.order)
        runner, wanted = path.function.values, np.array(path.outcomes, np.bool_)
        executable = (lent := runner.lend())[0]
        memory, outputs = executable.memory, executable.memory[runner.nests.outputs]
        memory[: len(inputs)] = inputs
        loop = _loop(given.shape[1], len(outputs), self.ranges)
        state, done = np.empty(carried), 0
        state[order] = memory[:carried]
        most, count = min(_OUTPUTS // len(outputs), _NUMBERS // len(memory)), _FIRST
        tests = slice(path.results, path.results + len(wanted))
        while done < len(given):
            entries = given[done : done + max(1, min(count, most))]
            rows = np.empty((len(entries), len(outputs)))
            arrays = (x.ctypes.data for x in (memory, outputs, entries, rows))
            loop(*arrays, *executable.entry, len(entries))
            same = (rows[:, tests] != 0.0) == wanted
            if not (are_finite(rows) and same.all()):
                good = np.isfinite(rows).all(axis=1) & same.all(axis=1)
                rows = rows[: good.argmin()]
            if len(rows):
                state = rows[-1, :carried].copy()
                ys += self.results_of(rows[:, carried : path.results])
                done += len(rows)
            if len(rows) < len(entries):
                break
            count *= 2
        runner.take_back(lent)
        return self.carry_of(state)


#: The steps of paths, cached.
_known: WeakKeyDictionary[Specialization, NativeStep | None] = WeakKeyDictionary()


def run_steps(f: Jitted[..., Any], carry: Any, x: Any, given: Floats, ys: list[Any]) -> Any:
    """Run as many steps of a scan as take one path, append their results, and return the carry.

    Parameters
    ----------
    x
        The entry of the first of these steps.
    given : float64, steps × numbers
        The numbers of all their entries.
    ys : list
        The results of the steps before, to which those of these steps are appended.
    """
    call = f.call_of((carry, x), {})
    if call[-1]:  # objects
        return carry
    paths = f.paths(carry, x)
    if not paths:
        with suppress(Exception):  # if it cannot be recorded, a call tells why
            paths = (f.path_of((carry, x), {})[0],)
    for path in paths:
        if path not in _known:
            _known[path] = _native(path, f.signature((carry,), {})[0], x)
        native = _known[path]
        if native is not None:
            inputs = path.inputs(call[4], path.closed_over)
            if len(inputs) == len(native.order) + given.shape[1]:
                return native.run(path, inputs, given, ys)
    return carry


def _native(path: Specialization, shape: Key, x: Any) -> NativeStep | None:
    """Return a runner of the steps of a path whose carry has this key; None if there is none.

    The carry consists of numbers alone, and the next one has the same key. The numbers of an entry
    are taken in their order.
    """
    if path.differentiable or path.truths or path.whole or path.draws or path.surroundings.aliases:
        return None
    nests = path.function.values.nests
    if nests.callbacks or len(nests.functions) > 1:
        return None
    if not isinstance(path.outline, tuple) or len(path.outline) != 2 or not path.results:
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
    results_of = _columns_filler(outline) or functools.partial(map, filler(outline, of_array=True))
    order = np.array(taken, np.int64)
    first = np.flatnonzero(np.diff(order, prepend=-2) != 1)
    sizes = np.diff(first, append=carried)
    ranges = zip(order[first].tolist(), (order[first] + sizes).tolist(), strict=True)
    carry_of = filler(path.outline[0], of_array=True)
    return NativeStep(order, tuple(ranges), carry_of, results_of)


def _columns_filler(outline: Any) -> Callable[[Floats], Iterable[Any]] | None:
    """Return a function that makes the results of all steps, a column of numbers at a time.

    None if a result consists of anything but numbers, constants, tuples, lists and dicts; these are
    made one by one, in several times as long.
    """
    kind = type(outline)
    if kind is Place:
        return lambda rows: rows[:, outline.index].tolist()
    if kind in PLAIN:
        return lambda rows: [outline] * len(rows)
    if kind not in {tuple, list, dict} or not outline:
        return None
    parts = [*map(_columns_filler, outline.values() if kind is dict else outline)]
    fillers = [part for part in parts if part is not None]
    if len(fillers) < len(parts):
        return None

    def results(rows: Floats) -> Iterable[Any]:
        columns = zip(*[fill(rows) for fill in fillers], strict=True)
        if kind is dict:
            return [dict(zip(outline, x, strict=True)) for x in columns]
        return columns if kind is tuple else map(list, columns)

    return results


def rows_of(columns: Sequence[Any], count: int) -> Floats | None:
    """Return the numbers of all entries, steps × numbers; None if they hold anything else.

    Parameters
    ----------
    columns : sequence of list or array
        The parts of `xs`; an entry has a number of each list, and a row of each array.
    count : int
        The number of steps.
    """
    if count < FEW:
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
