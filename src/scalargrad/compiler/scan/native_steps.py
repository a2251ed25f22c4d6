"""Run many steps of a scan in one call of machine code, which repeats the program of a step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.call.arguments import (
    Fresh,
    Key,
    Walk,
    float_from,
    number_of,
    rebuilt,
)
from scalargrad.compiler.call.outline import Place, filled, filler, has_arrays, outlined
from scalargrad.compiler.call.specialization import Specialization
from scalargrad.compiler.jitted import Jitted
from scalargrad.tree import flatten
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.compiler.backend.llvm.step_loop import NativeSteps

#: The fewest steps that are run in one call.
FEW = 16
#: After this many calls that ran only a few steps, steps are run one by one.
_TRIES, _FEW = 16, 64


class NativeStep(NamedTuple):
    """A path of which machine code runs many steps in one call, with the carry in its memory.

    Attributes
    ----------
    steps : NativeSteps
        What runs them.
    carry_of : callable
        Makes the carry from the array of its numbers.
    result
        The outline of the result; its places are numbered from 0.
    results : int
        The number of numbers in the result.
    """

    steps: NativeSteps
    carry_of: Callable[[Floats], Any]
    result: Any
    results: int

    def run(self, state: Floats, given: Floats) -> list[Any]:
        """Run as many steps as take this path, on these entries; return their results.

        `state`, the numbers of the carry, are afterwards those that the last step returned.
        """
        numbers = np.empty((len(given), self.results))
        rows = numbers[: self.steps.run(state, given, numbers)]
        if self.result.__class__ is Place:
            found: list[Any] = rows[:, self.result.index].tolist()
            return found
        if self.result is None:
            return [None] * len(rows)
        of_array = has_arrays(self.result)
        return [*map(filler(self.result, of_array=of_array), rows if of_array else rows.tolist())]


#: The steps of paths, cached.
_known: WeakKeyDictionary[Specialization, NativeStep | None] = WeakKeyDictionary()


def run_steps(
    f: Jitted[..., Any],
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    entry: Callable[[int], Any],
    given: Floats,
) -> tuple[Any, list[Any]]:
    """Run all steps of a scan, many in one call where possible; return the carry and the results.

    Parameters
    ----------
    step : callable
        Calls `f` for one step.
    entry : callable
        Returns the entry for the step of a given index.
    given : float64, steps × numbers
        The numbers of all entries.
    """
    ys: list[Any] = []
    tries = 0
    with suppress(Exception):  # if it cannot be recorded, the first call tells why
        f.taken((carry, entry(0)), {})
    order = _order_of(entry(0))
    if order != sorted(order):
        given = np.ascontiguousarray(given[:, order])
    while len(ys) < len(given):
        start = _start(f, carry, entry(len(ys))) if tries < _TRIES else None
        if start is not None:
            native, state = start
            made = native.run(state, given[len(ys) :])
            carry = native.carry_of(state) if made else carry
            tries += len(made) < _FEW
            ys = ys + made if ys else made  # most often all of them, which are not copied
        if len(ys) < len(given):
            carry, y = step(carry, entry(len(ys)))
            ys.append(y)
    return carry, ys


def _start(f: Jitted[..., Any], carry: Any, x: Any) -> tuple[NativeStep, Floats] | None:
    """Return what runs the steps from this carry on, if anything does, and the carry's numbers."""
    shape, leaves, objects = f.signature((carry,), {})
    for path in f.paths(carry, x):
        if path not in _known:
            _known[path] = None if objects else _native(path, shape)
        native = _known[path]
        if native is not None:
            return native, np.array([*map(number_of, leaves)], dtype=np.float64)
    return None


def _native(path: Specialization, shape: Key) -> NativeStep | None:
    """Return what runs steps of a path whose carry has this key; None if nothing can.

    The carry consists of numbers alone, and the next one has the same key.
    """
    if path.differentiable or path.truths or path.whole or path.draws or path.surroundings.aliases:
        return None
    if not isinstance(path.outline, tuple) or len(path.outline) != 2:
        return None
    numbers = [float(k) for k in range(path.results)]
    walk = Walk()
    walk.take_one(filled(path.outline[0], numbers))
    if walk.objects or tuple(walk.key) != shape:
        return None
    carry, result = filled(path.outline, [*map(Value, numbers)])
    places: list[Value] = []
    outline, carried = outlined(carry, places), len(places)
    order = _listed(walk)
    if [x.data for x in places] != sorted(order):
        return None
    back = None if order == sorted(order) else np.argsort(order)

    from scalargrad.compiler.backend.llvm.step_loop import StepShape, native_steps

    given, results = path.function.recorded.inputs - carried, path.results - carried
    step_shape = StepShape(carried, given, results, path.outcomes, tuple(map(int, order)))
    steps = native_steps(path.function.values, step_shape)
    fill = filler(outline, of_array=True)
    carry_of = fill if back is None else lambda state: fill(state[back])
    return None if steps is None else NativeStep(steps, carry_of, outlined(result, []), results)


def _listed(walk: Walk) -> list[float]:
    """Return the numbers that a walk has taken, in its order."""
    return [*itertools.chain.from_iterable(np.ravel(x).tolist() for x in walk.leaves)]


def _order_of(entry: Any) -> list[int]:
    """Return the order in which the numbers of an entry are inputs, of that of its columns."""
    if entry is None:
        return []
    numbered = rebuilt([entry], Fresh(map(float, itertools.count()), {}))[0]
    order: list[int] = np.argsort(flatten(numbered, "an entry")[0]).tolist()
    return order


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
