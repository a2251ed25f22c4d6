"""Side effects of a recorded function, as ``calls.append(x)``, which a program would not repeat.

What a function may change, its arguments and what is around it, is compared with a snapshot from
before the recording: of `calls` and what is in it, and all else that the walk over `surroundings`
meets.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from scalargrad.compiler.call.outline import holds_results
from scalargrad.compiler.generators import Generators
from scalargrad.compiler.guards import edges
from scalargrad.compiler.guards.comparable import is_same
from scalargrad.compiler.guards.edges import Edge
from scalargrad.compiler.guards.names_read import NamesRead, read_by
from scalargrad.compiler.guards.rereading import are_alike
from scalargrad.compiler.guards.surroundings import Place as Origin
from scalargrad.compiler.guards.surroundings import named, walked
from scalargrad.compiler.trace.example_lanes import UnlikeError
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.engine.value import Value

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
        if self.edge is edges.FUNCTION_ATTRIBUTES:
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
    numbers : bool
        Whether those of Values are noted, too, which eager code may change.

    Attributes
    ----------
    met : dict from int to object
        Everything that was come by, but for numbers and text, by identity.
    found : dict from Place to Holding
        What each object held that it may hold no more.
    generators : Generators
        The random generators among all of it.
    namespaces : list of dict
        The globals of functions that ask for classes.
    """

    def __init__(
        self, roots: Iterable[Any], names: NamesRead | None = None, *, numbers: bool = False
    ) -> None:
        roots, names = [*roots], names or NamesRead()
        closed = Value, WholeArray  # of which nothing may be asked
        walk = walked(roots, names, closed=closed)
        self.generators = Generators(walk.kept, names)
        asks = {"type", "isinstance", "hasattr"}
        callers = (x for x in walk.functions if asks & {*read_by(x.__code__).of_globals})
        self.namespaces = [*{id(x.__globals__): x.__globals__ for x in callers}.values()]
        self.met = {id(x): x for x in walk.kept}
        self.found: dict[Place, Holding] = {}
        self._hold(walk.holders)
        self._hold((x, edges.OF_VALUE, None) for x in roots if isinstance(x, Value))
        if numbers:
            held = [x for found in self.found.values() for x in found.before.values()]
            self._hold((x, edges.NUMBERS, None) for x in held if isinstance(x, Value))

    def _hold(self, holders: Iterable[tuple[Any, Edge, Origin | None]]) -> None:
        """Note what some objects hold along edges."""
        for x, edge, origin in holders:
            before = dict(edge.read(x))  # another thread may change it
            place = id(x), None if isinstance(x, ModuleType) else edge
            self.found[place] = Holding(x, edge, origin, before)

    def changed(self) -> dict[Place, dict[Any, Any]]:
        """Return the contents of the objects that hold others than before."""
        found = {}
        for place, held in self.found.items():
            now = dict(held.edge.read(held.owner))
            items = [*held.before.values()], [*now.values()]
            if [*held.before] != [*now] or not are_alike(*items):
                found[place] = now
        return found

    def undo(self, places: Iterable[Place] | None = None) -> None:
        """Undo draws, and all changes or those in some places."""
        for held in [self.found[x] for x in places or self.changed() if x in self.found]:
            if held.edge.write is not None:
                held.edge.write(held.owner, held.before)
        self.generators.rewind()

    def keeping_results(
        self, changed: dict[Place, dict[Any, Any]], made: Container[int] = ()
    ) -> list[Place]:
        """Return the places that hold traced numbers since, or objects of these ids."""
        held = ((place, self.found[place].before, now) for place, now in changed.items())
        return [
            place
            for place, before, now in held
            if any(x is not before.get(key) and holds_results(x, made) for key, x in now.items())
        ]

    def labels(self, changed: dict[Place, dict[Any, Any]]) -> list[str]:
        """Return what messages call what has changed."""
        found, missing = [], object()
        for place, now in changed.items():
            then, label = self.found[place].before, self.found[place].label
            both = {x: (then.get(x, missing), now.get(x, missing)) for x in then | now}
            found += [label(x) for x, pair in both.items() if not is_same(*pair)] or [label(None)]
        return found


def take_away_notes(first: Snapshot, second: Snapshot) -> None:
    """Take away what two recordings have noted: attributes added that hold traced numbers.

    Such as the last output of a layer. A program does not note it.
    """
    for place, held in (second.found | first.found).items():
        now = held.edge.read(held.owner) if held.edge is edges.ATTRIBUTES else {}
        for name in [x for x in now if x not in held.before and holds_results(now[x])]:
            object.__delattr__(held.owner, name)
            if place in second.found:
                second.found[place].before.pop(name, None)


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
    if not before.changed() and all(x in trace.generators for x in before.generators.advanced()):
        return result
    if trace.lanes.drawn_for_one:
        trace.refuse(
            "the function given to vmap draws numbers and changes what it does not return",
            "return what is new, or loop over the examples without vmap",
            is_final=True,
        )
    trace.unrolls = True
    before.undo()
    raise UnlikeError
