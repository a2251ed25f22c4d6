"""Side effects of a recorded function, as ``calls.append(x)``, which a program would not repeat.

What a function may change, its arguments and what is around it, is compared with a snapshot from
before the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scalargrad.compiler.call.outline import holds_results
from scalargrad.compiler.generators import MOST
from scalargrad.compiler.guards.edges import ATTRIBUTES
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.snapshot import Place, Snapshot, is_identical, is_same
from scalargrad.compiler.trace.batching import UnlikeError
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.transforms.draws import rewind, state_of
from scalargrad.value import Value

#: What nothing may be asked of.
CLOSED = (WholeArray,)


class SideEffects(Snapshot):
    """What a function and its arguments hold before it is recorded, to see what has changed.

    Parameters
    ----------
    function : callable
    arguments : iterable
        What it is called with, in full.
    names : NamesRead, optional
        What the code is known to read.
    libraries : int
        How many objects to look for behind libraries.

    Attributes
    ----------
    generators : Generators
        The random generators among all of it.
    """

    def __init__(
        self,
        function: Any,
        arguments: Iterable[Any],
        names: NamesRead | None = None,
        *,
        libraries: int = 0,
    ) -> None:
        super().__init__([function, *arguments], names, closed=CLOSED, libraries=libraries)
        self.generators = Generators(self.reached)

    def notes(self, place: Place, now: dict[Any, Any]) -> list[Any]:
        """Return the names of attributes that were added to an object and hold traced numbers."""
        held = self.found.get(place)
        if held is None or held.edge is not ATTRIBUTES:
            return []
        return [name for name, x in now.items() if name not in held.before and holds_results(x)]

    def differs(self, place: Place, now: dict[Any, Any], names: Iterable[Any]) -> bool:
        """Return whether anything has changed but the attributes with these names."""
        both = self.found[place].before, now
        then, kept = ({k: x for k, x in found.items() if k not in names} for found in both)
        return not is_identical(then, kept)

    def keeps_results(self, place: Place, now: dict[Any, Any]) -> bool:
        """Return whether traced numbers are held since."""
        before = {*map(id, self.found[place].before.values())}
        return any(holds_results(x) for x in now.values() if id(x) not in before)

    def labels(self, changed: dict[Place, dict[Any, Any]]) -> list[str]:
        """Return what messages call what has changed."""
        found, missing = [], object()
        for place in [x for x in changed if x in self.found]:
            held, now = self.found[place], changed[place]
            pairs = (
                (x, held.before.get(x, missing), now.get(x, missing)) for x in held.before | now
            )
            found += [held.label(x) for x, a, b in pairs if not is_same(a, b)] or [held.label(None)]
        return found


class CallSnapshot(SideEffects):
    """What a function and its arguments hold before an eager call: numbers of Values, too."""

    def __init__(self, function: Any, arguments: Iterable[Any]) -> None:
        super().__init__(function, arguments, libraries=MOST)
        held = [x for found in self.found.values() for x in found.before.values()]
        values = {x: None for x in held if isinstance(x, Value)}
        self._numbers = [(x, x.data, x.grad, x.label) for x in values]

    def undo(self) -> None:
        """Undo all changes, and draws."""
        for x, number, grad, label in self._numbers:
            if x.data is not number:
                x.data = number
            if x.grad is not grad:
                x.grad = grad
            x.label = label
        self.put_back()
        self.generators.rewind()


def run_for_all(run: Callable[[], Any], parts: list[Any], trace: Trace) -> Any:
    """Return the result of a function of one example, which stands for that of all.

    Parameters
    ----------
    run : callable
        Calls it.
    parts : list
        The function and its arguments.
    trace : Trace
        The recording.

    Raises
    ------
    UnlikeError
        If it changes anything, which is undone: a loop over the examples changes it for each.
    TraceError
        If it draws random numbers as well.
    """
    if trace.unrolls:
        raise UnlikeError
    before = SideEffects(parts[0], parts[1:])
    states = [(x, state_of(x)) for x in before.generators if x not in trace.generators]
    result = run()
    changed = before.changed()
    if not changed and all(repr(state_of(x)) == repr(state) for x, state in states):
        return result
    if trace.lanes.drawn_for_one:
        trace.refuse(
            "the function given to vmap draws numbers and changes what it does not return",
            "return what is new, or loop over the examples without vmap",
            is_change=True,
        )
    trace.unrolls = True
    before.put_back(changed)
    rewind(states)
    raise UnlikeError
