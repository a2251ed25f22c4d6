"""The step of a scan: it is called by the programs recorded of it, and returns a pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import Key, visit
from scalargrad.compiler.call.objects import Visit
from scalargrad.compiler.call.outline import outlined
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.call.results import filled, filler
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.value import Value


class CompiledStep:
    """A compiled step within one scan: what it closes over is compared once, not at each call.

    Parameters
    ----------
    function : Jitted
        Takes the carry and an entry, and returns the next carry and a result.
    """

    def __init__(self, function: Jitted[..., Any]) -> None:
        self._function = function
        self._paths: dict[Key, tuple[Path, ...]] = {}

    def __call__(self, carry: Any, x: Any) -> tuple[Any, Any]:
        """Run a program known to be valid, else call the function in the ordinary way."""
        call = _, _, _, key, *_ = self._function.call_of((carry, x), {})
        found = self._function.recalled(call, self._paths.get(key, ()))
        if found is None:
            found = (self._function(carry, x),)
            self._paths[key] = self._function.paths(carry, x)
        return pair(found[0])

    def starts(self, carry: Any, x: Any) -> list[tuple[Path, Floats]]:
        """Return the programs of which this carry can stay in memory, with its numbers as inputs.

        The carry consists of numbers alone, and the next one has the same shape.
        """
        shape, leaves, module_values = self._function.signature((carry,), {})
        if module_values:
            return []
        known = [path for path in self._function.paths(carry, x) if not path.whole]
        return [
            (path, np.array(path.arranged(leaves, []), dtype=np.float64))
            for path in known
            if not path.draws and form_of(path).shape == shape
        ]


class StepForm(NamedTuple):
    """The two results of a path that is a step: the carry and the result.

    Attributes
    ----------
    shape : tuple or None
        The key of the carry as an argument; None if it does not consist of numbers alone.
    carried : int
        The number of numbers in the carry.
    carry_of : callable
        Makes the carry from the array of its numbers.
    result
        The outline of the result; its places are numbered from 0.
    """

    shape: Key | None
    carried: int = 0
    carry_of: Callable[[Floats], Any] = tuple
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
    carry_of = filler(outline, of_array=True)
    return StepForm(tuple(objects.key), len(carried), carry_of, outlined(result, []))


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
