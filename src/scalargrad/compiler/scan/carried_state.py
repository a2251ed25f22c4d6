"""The carry of a scan, kept in the memory of the compiled step from one step to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import Key, visit
from scalargrad.compiler.call.objects import Visit
from scalargrad.compiler.call.outline import has_arrays, outlined
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.call.results import filled, filler
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.transforms.draws import rewind
from scalargrad.value import Value


class CarriedState:
    """A compiled step and its carry, in the program's memory where possible.

    Parameters
    ----------
    function : Jitted
        The step: takes the carry and an entry, and returns the next carry and a result.
    carry
        The initial carry.
    """

    def __init__(self, function: Jitted[..., Any], carry: Any) -> None:
        self._function = function
        self._hold(carry)
        self._shape: Key | None = None  # of the carries for which the programs are
        self._programs: dict[Key, list[InMemory]] = {}  # by the shape of an entry
        self._of_none: tuple[Key, list[Any], list[InMemory]] | None = None
        self._is_ordinary = not function.is_traced_whole

    def _hold(self, carry: Any) -> None:
        """Keep the carry in `_carry`, with nothing known of it yet."""
        self._carry = carry
        self._at: InMemory | None = None  # the program that holds the carry; None: it is in _carry
        self._split: tuple[Key, list[Any], list[Value]] | None = None

    @property
    def carry(self) -> Any:
        """The carry after the last step."""
        if self._at is not None:
            self._hold(self._at.carry())
        return self._carry

    @property
    def split(self) -> tuple[Key, list[Any], list[Value]]:
        """The key of the carry as an argument, its numbers, and the Values of its objects."""
        carry = self.carry
        if self._split is None:
            self._split = self._function.signature((carry,), {})
        return self._split

    def step(self, x: Any) -> Any:
        """Run a step on an entry, and return its result."""
        return self._ordinary(x) if self._is_ordinary else self._in_memory(x)

    def paths(self, x: Any) -> list[Path]:
        """Return the recorded paths for an entry whose carry keeps its shape."""
        return self._fitting(self._function.paths(self.carry, x))

    def _fitting(self, known: Sequence[Path]) -> list[Path]:
        shape, _, module_values = self.split
        return [
            path
            for path in known
            if not (module_values or path.whole) and form_of(path).shape == shape
        ]

    def numbers(self, path: Path) -> Floats:
        """Return the numbers of the carry, in the order of the inputs of a path."""
        return np.array(path.arranged(self.split[1], []), dtype=np.float64)

    def go_on(self, path: Path, state: Floats) -> None:
        """Continue with these numbers as the carry."""
        self._hold(form_of(path).carry_of(state))

    def _ordinary(self, x: Any) -> Any:
        carry, y = pair(self._function(self.carry, x))
        self._hold(carry)
        return y

    def _in_memory(self, x: Any) -> Any:
        """Run a step by the first program whose path it takes, else by an ordinary call."""
        if self._at is None and self.split[0] != self._shape:
            self._forget_all()
            self._shape = self.split[0]
        found = self._of_none if x is None else None  # which is the same at each step
        if found is None:
            key, leaves, _ = self._function.signature((x,), {})
            if key not in self._programs:
                self._programs[key] = self._found(x)
            found = key, leaves, self._programs[key]
        key, leaves, programs = found
        if x is None:
            self._of_none = found
        for program in programs:
            if self._advance(program, leaves):
                return program.result()
        y = self._ordinary(x)
        self._forget(key)  # the call may have recorded another path
        return y

    def _forget(self, key: Key) -> None:
        for program in self._programs.pop(key):
            program.give_back()
        self._of_none = None

    def _forget_all(self) -> None:
        for key in [*self._programs]:
            self._forget(key)

    def finished(self) -> Any:
        """Return the carry, and give the memories back."""
        carry = self.carry
        self._forget_all()
        return carry

    def _found(self, x: Any) -> list[InMemory]:
        """Return the programs for an entry, each in a memory of its own."""
        known = self._function.paths(self.carry, x)
        fitting = self._fitting(known)
        self._is_ordinary = len(fitting) < len(known)
        return [InMemory(path) for path in fitting]

    def _advance(self, program: InMemory, leaves: list[Any]) -> bool:
        """Run a step by a program; return False if the step takes another path."""
        if self._at is None:
            program.state[:] = program.path.arranged(self.split[1], [])
        elif self._at is not program:
            program.state[:] = self._at.state
        if not program.advance(leaves):
            return False
        self._at = program
        return True


class InMemory:
    """The program of a path whose first outputs become its first inputs at the next run.

    Parameters
    ----------
    path : Path
        The path of a step: its arguments are the carry and an entry, its results the next carry,
        of the same shape, and the result of the step.

    Attributes
    ----------
    state : float64
        The cells of the carry.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._form = path, form_of(path)
        carried = self._form.carried
        runner = path.function.values
        executable, outputs = lent = runner.lend()
        memory = executable.memory
        self.give_back: Callable[[], None] = partial(runner.take_back, lent)
        self._run = executable.run
        self.state = memory[:carried]
        self._given = memory[carried : runner.packed.inputs]
        self._found = outputs[: path.results]
        self._next, self._results = self._found[:carried], self._found[carried:]
        self._outcomes = outputs[path.results :] if path.outcomes else None

    def advance(self, leaves: list[Any]) -> bool:
        """Run a step; return False, and change nothing, if the step takes another path."""
        path = self.path
        if path.draws:
            states = path.draws.states()
        if leaves or path.draws:
            self._given[:] = path.arranged(leaves, path.draws.listed())
        self._run()
        taken = self._outcomes is None or tuple((self._outcomes != 0.0).tolist()) == path.outcomes
        if taken and b"\0" not in np.isfinite(self._found).tobytes():
            self.state[:] = self._next
            return True
        if path.draws:
            rewind(states)
        return False

    def carry(self) -> Any:
        """Return the carry."""
        return self._form.carry_of(self.state)

    def result(self) -> Any:
        """Return the result of the last step."""
        return self._form.result_of(self._results)


class StepForm(NamedTuple):
    """The two results of a path that is a step: the carry and the result.

    Attributes
    ----------
    shape : tuple or None
        The key of the carry as an argument; None if it does not consist of numbers alone.
    carried : int
        The number of numbers in the carry.
    carry_of, result_of : callable
        Make the carry, and the result, from the cells of its numbers.
    result
        The outline of the result; its places are numbered from 0.
    """

    shape: Key | None
    carried: int = 0
    carry_of: Callable[[Floats], Any] = tuple
    result_of: Callable[[Floats], Any] = tuple
    result: Any = None


#: The forms of paths, cached.
_forms: WeakKeyDictionary[Path, StepForm] = WeakKeyDictionary()


def form_of(path: Path) -> StepForm:
    """Return the form of a path that is a step."""
    if path not in _forms:
        _forms[path] = _worked_out(path)
    return _forms[path]


def _worked_out(path: Path) -> StepForm:
    if path.differentiable or path.truths:
        return StepForm(None)
    if not isinstance(path.outline, tuple) or len(path.outline) != 2:
        return StepForm(None)
    objects, numbers = Visit([]), list[Any]()
    visit(filled(path.outline[0], [0.0] * path.results), objects.key, numbers, objects)
    module_values = objects.finish()
    carry, result = filled(path.outline, [Value(0.0)] * path.results)
    carried: list[Value] = []
    outline = outlined(carry, carried)
    if module_values or len(carried) != sum(getattr(x, "size", 1) for x in numbers):
        return StepForm(None)
    key, result = tuple(objects.key), outlined(result, [])
    return StepForm(key, len(carried), _maker(outline), _maker(result), result)


def _maker(outline: Any) -> Callable[[Floats], Any]:
    """Return what makes a carry or a result from its cells, which the next step overwrites."""
    fill = filler(outline, of_array=True)
    return (lambda cells: fill(cells.copy())) if has_arrays(outline) else fill


def pair(result: Any) -> tuple[Any, Any]:
    """Return the carry and the result that a step returned.

    Raises
    ------
    OperandError
        If the step did not return a pair.
    """
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise OperandError(
        f"scan: the step returned {shown(result)}: return a pair, the next carry and a result, "
        "as in return carry, None"
    )
