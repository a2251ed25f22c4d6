"""Side effects of a recorded function, as ``calls.append(x)``, which a program would not repeat.

What a function may change, its arguments and what is around it, is compared with a snapshot from
before the recording: of `calls` and what is in it, and all else that the walk over `surroundings`
meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from scalargrad.compiler.call.outline import holds_results
from scalargrad.compiler.generators import Generators
from scalargrad.compiler.guards.comparable import is_same
from scalargrad.compiler.guards.edges import ATTRIBUTES, FUNCTION_ATTRIBUTES, OF_VALUE, Edge
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.rereading import are_alike
from scalargrad.compiler.guards.surroundings import Place as Origin
from scalargrad.compiler.guards.surroundings import named, walked
from scalargrad.compiler.trace.example_lanes import UnlikeError
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.value import Value

#: An object by identity, and the edge by which it holds others; a module has one.
Place = tuple[int, Edge | None]


class Holding(NamedTuple):
    """The contents of an object along one edge, and the place where the object was found."""

    owner: Any
    edge: Edge
    origin: Origin | None
    before: dict[Any, Any]

    def label(self, key: Any) -> str:
        """Return what messages call what is held under a key."""
        if self.edge is FUNCTION_ATTRIBUTES:
            return f"{getattr(self.owner, '__name__', 'a wrapper')}.{key}"
        if self.edge.names:
            return named((self.owner, key))
        return f"a {type(self.owner).__name__}" if self.origin is None else named(self.origin)


class Snapshot:
    """The contents of some objects, and of all that they lead to, at one moment.

    Parameters
    ----------
    roots : iterable
        Where the walk begins: a function, and what it is called with.
    names : NamesRead, optional
        What the code is known to read.

    Attributes
    ----------
    met : dict from int to object
        Everything that was come by, but for numbers and text, by identity.
    found : dict from Place to Holding
        What each object held that it may hold no more.
    generators : Generators
        The random generators among all of it.
    """

    def __init__(self, roots: Iterable[Any], names: NamesRead | None = None) -> None:
        roots, names = [*roots], names or NamesRead()
        closed = Value, WholeArray  # of which nothing may be asked
        walk = walked(roots, names, closed=closed)
        self.generators = Generators(walk.kept, names.names)
        self.met = {id(x): x for x in walk.kept}
        self.found: dict[Place, Holding] = {}
        held = [*walk.holders, *((x, OF_VALUE, None) for x in roots if isinstance(x, Value))]
        for x, edge, origin in held:
            before = dict(edge.read(x))  # another thread may change it
            place = id(x), None if isinstance(x, ModuleType) else edge
            self.found[place] = Holding(x, edge, origin, before)

    def changed(self) -> dict[Place, dict[Any, Any]]:
        """Return the contents of the objects that hold others than before."""
        found = {}
        for place, held in self.found.items():
            now = dict(held.edge.read(held.owner))
            if not is_identical(held.before, now):
                found[place] = now
        return found

    def put_back(self, places: Iterable[Place] | None = None) -> None:
        """Undo all changes, or those in some places."""
        for place in self.changed() if places is None else places:
            held = self.found.get(place)
            if held is not None and held.edge.write is not None:
                held.edge.write(held.owner, held.before)

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


def is_identical(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Return whether both hold the same objects in one order, or equal texts and numbers."""
    return are_alike([*before.values()], [*now.values()]) and [*before] == [*now]


class CallSnapshot(Snapshot):
    """A snapshot from before an eager call, with the numbers of Values as well."""

    def __init__(self, function: Any, arguments: Iterable[Any]) -> None:
        super().__init__([function, *arguments])
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
    before = Snapshot(parts)
    result = run()
    changed = before.changed()
    if not changed and all(x in trace.generators for x in before.generators.advanced()):
        return result
    if trace.lanes.drawn_for_one:
        trace.refuse(
            "the function given to vmap draws numbers and changes what it does not return",
            "return what is new, or loop over the examples without vmap",
            is_final=True,
        )
    trace.unrolls = True
    before.put_back(changed)
    before.generators.rewind()
    raise UnlikeError
