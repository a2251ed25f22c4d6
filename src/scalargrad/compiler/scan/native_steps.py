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
from scalargrad.compiler.scan.carried_state import CarriedState, form_of

if TYPE_CHECKING:
    from scalargrad.compiler.backend.llvm.step_loop import PackedSteps

#: The fewest steps that are run in one call.
FEW = 16
#: After this many calls that ran only a few steps, steps are run one by one.
_TRIES, _FEW = 16, 64


class NativeSteps:
    """The steps of a scan, run by a loop in machine code where possible.

    Parameters
    ----------
    entry : callable
        Returns the entry for the step of a given index.
    given : float64, steps × numbers
        The numbers of all entries.
    """

    def __init__(
        self, carried_state: CarriedState, entry: Callable[[int], Any], given: Floats
    ) -> None:
        self._carried_state = carried_state
        self._entry = entry
        self._given = given

    def results(self) -> list[Any]:
        """Run all steps and return their results."""
        ys: list[Any] = []
        tries, count = 0, len(self._given)
        while len(ys) < count:
            path = self._path(self._entry(len(ys))) if tries < _TRIES else None
            if path is not None:
                made = self._run_native(path, len(ys))
                tries += len(made) < _FEW
                ys += made
            if len(ys) < count:
                ys.append(self._carried_state.step(self._entry(len(ys))))
        return ys

    def _path(self, x: Any) -> Path | None:
        """Return a recorded path for the next step that can run in machine code, if any."""
        carried_state = self._carried_state
        for path in carried_state.paths(x):
            if path.draws or path.function.wrt:
                continue
            if _steps(path) is not None:
                return path
        return None

    def _run_native(self, path: Path, first: int) -> list[Any]:
        """Run as many steps as take this path, from `first` on; return their results."""
        form, carried_state = form_of(path), self._carried_state
        state = carried_state.numbers(path)
        results = np.empty((len(self._given) - first, path.results - form.carried))
        steps = _steps(path)
        assert steps is not None
        made = steps.run(state, self._given[first:], results)
        if made:
            carried_state.go_on(path, state)
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
