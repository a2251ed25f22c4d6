"""Run many steps of a scan in one call of machine code, which repeats the program of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.call.arguments import float_from
from scalargrad.compiler.call.input_numbers import number_of
from scalargrad.compiler.call.outline import Place, has_arrays
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.call.results import filler
from scalargrad.compiler.scan.compiled_step import CompiledStep, form_of

if TYPE_CHECKING:
    from scalargrad.compiler.backend.llvm.step_loop import PackedSteps

#: The fewest steps that are run in one call.
FEW = 16
#: After this many calls that ran only a few steps, steps are run one by one.
_TRIES, _FEW = 16, 64


def run_steps(
    step: CompiledStep, carry: Any, entry: Callable[[int], Any], given: Floats
) -> tuple[Any, list[Any]]:
    """Run all steps of a scan, many in one call where possible; return the carry and the results.

    Parameters
    ----------
    entry : callable
        Returns the entry for the step of a given index.
    given : float64, steps × numbers
        The numbers of all entries.
    """
    ys: list[Any] = []
    tries = 0
    while len(ys) < len(given):
        x = entry(len(ys))
        repeatable = _repeatable(step.starts(carry, x)) if tries < _TRIES else None
        if repeatable is not None:
            path, state, steps = repeatable
            made = _repeat(path, state, steps, given[len(ys) :])
            carry = form_of(path).carry_of(state) if made else carry
            tries += len(made) < _FEW
            ys = ys + made if ys else made  # most often all of them, which are not copied
        if len(ys) < len(given):
            carry, y = step(carry, entry(len(ys)))
            ys.append(y)
    return carry, ys


def _repeatable(starts: list[tuple[Path, Floats]]) -> tuple[Path, Floats, PackedSteps] | None:
    """Return a path that can run in machine code, if any, the carry there, and what runs it."""
    for path, state in starts:
        steps = None if path.function.wrt else _steps(path)
        if steps is not None:
            return path, state, steps
    return None


def _repeat(path: Path, state: Floats, steps: PackedSteps, given: Floats) -> list[Any]:
    """Run as many steps as take a path, on these entries; return their results."""
    form = form_of(path)
    results = np.empty((len(given), path.results - form.carried))
    made = steps.run(state, given, results)
    return _shaped(form.result, results[:made])


def _shaped(outline: Any, rows: Floats) -> list[Any]:
    """Return the results of steps, with the numbers of each in a row."""
    if outline.__class__ is Place:
        found: list[Any] = rows[:, outline.index].tolist()
        return found
    if outline is None:
        return [None] * len(rows)
    of_array = has_arrays(outline)
    return [*map(filler(outline, of_array=of_array), rows if of_array else rows.tolist())]


#: What repeats the programs of paths, cached.
_known: WeakKeyDictionary[Path, PackedSteps | None] = WeakKeyDictionary()


def _steps(path: Path) -> PackedSteps | None:
    """Return what runs steps of a path in one call; None if nothing can."""
    if path not in _known:
        from scalargrad.compiler.backend.llvm.step_loop import StepShape, packed_steps

        carried = form_of(path).carried
        given, results = path.function.recorded.inputs - carried, path.results - carried
        shape = StepShape(carried, given, results, path.outcomes)
        _known[path] = packed_steps(path.function.values, shape)
    return _known[path]


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
    found = []
    for column in columns:
        if isinstance(column, np.ndarray) and column.dtype.kind in "fiu":
            found.append(number_of(column).reshape(count, -1))
            continue
        kinds = {*map(type, column)} if isinstance(column, list | tuple | range) else {object}
        if not kinds <= {float, int}:
            return None
        found.append(np.array(column if kinds == {float} else [*map(float_from, column)])[:, None])
    rows = np.concatenate(found, axis=1) if found else np.empty((count, 0))
    return np.ascontiguousarray(rows, dtype=np.float64)
