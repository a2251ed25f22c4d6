"""Find everything that a function's code can reach: closures, globals, attributes, items.

The names in the code are followed to the Values, objects and functions they stand for, and these
to whatever they lead to (`ways`). Each variable, name or attribute becomes a slot (see
`readings`).
"""

from __future__ import annotations

import builtins
import sys
from abc import ABCMeta
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from operator import attrgetter
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards import ways
from scalargrad.compiler.guards.comparable import Live, Same
from scalargrad.compiler.guards.kept_inside import identities_kept, times_cleared
from scalargrad.compiler.guards.names_read import (
    IS,
    NamedSpaces,
    is_of_library,
    is_special,
    of_library,
    read_by_libraries,
)
from scalargrad.compiler.guards.object_state import (
    attributes_beside,
    is_stateful,
)
from scalargrad.compiler.guards.readings import CONTENTS, ITSELF, Reader, Readings, Slot
from scalargrad.compiler.guards.references import bound_parts
from scalargrad.compiler.guards.refused import changing_calls, misread, refusals
from scalargrad.compiler.guards.slots import Slots
from scalargrad.compiler.guards.told import TOLD, registered
from scalargrad.compiler.guards.told_apart import ToldApart
from scalargrad.compiler.guards.ways import Way, is_wrapper, ways_of

#: Attributes of a computed Value that reveal its graph.
_GRAPHS = {"local_grads", "parents", "op"}
#: What iterates over attributes in the order in which they were added.
_ITERATES = {"__dict__", "vars"}
_BUILTINS = vars(builtins)
_DEFAULTS = ("__defaults__", "__kwdefaults__")
_BASES = attrgetter("__bases__")
#: Ways to what is met, no more: what they lead from does not change, or is read by name.
_LEADING = {ways.BASES, ways.CLASS, ways.FUNCTIONS}


def _is_empty(cell: CellType) -> bool:
    """Return whether a variable of an enclosing function has no content yet."""
    return cell == CellType()


class Reachable:
    """Everything that some code can reach, in forms to compare with at later calls.

    Parameters
    ----------
    roots : iterable
        Functions, and other objects for the sake of the functions and methods called with them.

    Attributes
    ----------
    readings : Readings
        All that was reached.
    attributes_read : AttributesRead
        What the code reads of objects.
    keys : set of Value
        The keys of dicts and the items of sets, by which Values are looked up.
    told_apart : ToldApart or None
        What the code would tell from a copy.
    refusal : str or None
        What it reads that cannot be followed.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self.readings = Readings()
        slots = Slots(self.readings, self._held, self._put_off)
        self.keys, self._slot, self._part = slots.keys, slots.of, slots.part
        self._met: dict[int, Any] = {}
        self._ahead: deque[Callable[[], None]] = deque()
        self._named = NamedSpaces()
        self._inherited: dict[type, dict[str, Any]] = {}
        self._tellers: list[FunctionType | type] = []
        self._roots = [*roots]
        for root in self._roots:
            self._code(root)
        while self._go_on() or self._follow_names() or self._told():
            pass  # each may lead the others on
        self._facts_by_names()
        self.attributes_read = self._named.read()
        self.told_apart = self._told_apart(slots)
        self.refusal = next(self._refusals(), None)
        del self._slot, self._part  # they lead back here, and the collector would have to free this

    def _refusals(self) -> Iterator[str]:
        """Yield what is read that cannot be followed, or answers otherwise from call to call."""
        yield from refusals(self.readings.slots, self._named.names)
        for x in self._met.values():
            if isinstance(x, FunctionType) and not of_library(x.__module__ or ""):
                yield from changing_calls(x)
        for root in self._roots:
            if isinstance(function := getattr(root, "__func__", root), FunctionType):
                yield from misread(function)

    def _told_apart(self, slots: Slots) -> ToldApart | None:
        """Return what the code, with all its names, would tell from a copy."""
        contents = [slot.content for slot in self.readings.slots.values()]
        keys = slots.looked_up.values()
        items = [*slots.items.values(), *keys]
        return ToldApart.of(self._named.names, [*self._met.values(), *contents], items, keys)

    def _facts_by_names(self) -> None:
        """Add what all the names in the code ask of what was met."""
        for owner, space, names in self._named.missing():
            self.readings.lacking(Same(owner), space, names)
        iterates = not _ITERATES.isdisjoint(self._named.names)
        for x, read in self._named.selected():
            if not isinstance(x, type):
                own = [name for name in [*vars(x)] if read is None or name in read]
                self.readings.own_attributes(x, own, read)
                if iterates:
                    self.readings.fact(tuple, Same(x), vars(x))
        if "ABCMeta" in self._named.names:
            self._results("what is registered with abstract classes", [CONTENTS], registered)
        if not {IS, "is_", "id"}.isdisjoint(self._named.names):
            self.readings.identities()
        if not _GRAPHS.isdisjoint(self._named.names):
            self.readings.nodes()
        if "label" in self._named.names:
            self.readings.labels(self.keys)

    def _told(self) -> bool:
        """Add what functions and classes tell of themselves, where code asks anew."""
        before, asked = len(self.readings.slots), [x for x in TOLD if x in self._named.names]
        for x, name in product([*self._tellers], asked):
            if (Same(x), TOLD[name]) not in self.readings.slots:
                self.readings.fact(TOLD[name], Same(x))
                for derived in TOLD[name](x) if name == "__subclasses__" else ():
                    self._part(derived)
        return len(self.readings.slots) > before

    # Where it goes on -------------------------------------------------------------------------

    def _code(self, x: Any) -> None:
        """Begin with the code that runs when an object is called."""
        if isinstance(x, MethodType):
            self._part(x.__func__)
            self._meet(type(x.__self__))
        elif isinstance(x, partial | staticmethod | classmethod):
            self._code(bound_parts(x)[0])
        elif isinstance(x, type | FunctionType | ModuleType) or is_wrapper(x):
            self._part(x)
        elif is_stateful(type(x)):  # its attributes are among the arguments
            self._meet(type(x))
        else:
            self._whole(x)

    def _held(self, x: Any) -> None:
        """Look into an object later that something holds: code may ask for its subclasses."""
        if isinstance(x, ABCMeta):
            self._named.names["ABCMeta"] = None
        self._meet(x)

    def _put_off(self, x: Any) -> None:
        """Follow a container later, as what it holds is nested too deeply."""
        self._ahead.append(partial(self._whole, x))

    def _whole(self, x: Any) -> None:
        self._results(x, [ITSELF], lambda: (x,))

    def _meet(self, x: Any) -> None:
        """Look into an object later."""
        if id(x) not in self._met:
            self._met[id(x)] = x
            self._ahead.append(partial(self._follow, x))

    def _go_on(self) -> bool:
        """Do what was put off; return whether that was anything."""
        are_any = bool(self._ahead)
        while self._ahead:
            self._ahead.popleft()()
        return are_any

    def _follow(self, x: Any) -> None:
        """Follow all ways in which an object leads to others."""
        self._named.note(x)
        if isinstance(x, FunctionType) and not of_library(x.__module__ or ""):
            self._globals(x)
        for way in ways_of(x):
            if way in _LEADING:
                for y in way.read(x).values():
                    (self._meet if isinstance(y, type) else self._part)(y)
            elif way in self._FOLLOWED:
                self._FOLLOWED[way](self, x)

    def _follow_names(self) -> bool:
        """Follow names in the namespaces that were met; return whether there were any new."""
        grown = self._named.grown()
        for owner, space, names in grown:
            self._names(owner, space, names)
        attributes = self._named.attributes_grown()
        for x, named in attributes:
            (self._named_members if isinstance(x, type) else self._named_own)(x, named)
        return bool(grown or attributes)

    # Ways of functions and classes ------------------------------------------------------------

    def _globals(self, function: FunctionType) -> None:
        """Follow the names in a function's code."""
        space = function.__globals__
        names = self._named.globals_of(function)
        self._names(function, space, [name for name in names if name in space])
        lacking = [name for name in names if name not in space]
        shadows = [name for name in lacking if name in _BUILTINS]
        self.readings.lacking(Same(function), space, shadows)
        for name in lacking:
            if name not in _BUILTINS:  # it may raise a NameError that the function catches
                self.readings.lacking(Same(function), space, [name])
        self.readings.code(Same(function))
        self._tellers.append(function)

    def _variables(self, function: FunctionType) -> None:
        variables = enumerate(function.__closure__ or ())  # one may be named like a global
        cells = {i: cell for i, cell in variables if not _is_empty(cell)}
        for cell in function.__closure__ or ():
            if _is_empty(cell):
                self.readings.fact(_is_empty, Same(cell))
        for cell in cells.values():
            self._named.note(cell.cell_contents)
        inside = {i: self._slot(cell.cell_contents) for i, cell in cells.items()}
        self.readings.cells(Same(function), cells.values(), inside)

    def _defaults(self, function: FunctionType) -> None:
        if function.__defaults__ or function.__kwdefaults__:
            self._results(function, _DEFAULTS, partial(attrgetter(*_DEFAULTS), function))

    def _imports(self, function: FunctionType) -> None:
        names = [*ways.IMPORTS.read(function)]
        if names:
            self._results(function, names, lambda: (*map(sys.modules.get, names),))

    def _named_attributes(self, x: Any) -> None:
        """Follow those attributes of a function, wrapper or Value that code names."""
        self._named.add(x, vars(x))

    def _wrapper(self, x: Any) -> None:
        """Follow what wraps a function, such as a compiled function or a cache."""
        for function in ways.WRAPPED.read(x).values():
            self._part(function)
        self._named_attributes(x)

    def _kept(self, cache: Any) -> None:
        """Follow what a cache has kept, and notice when it is cleared."""
        self.readings.fact(len, Same(cache), vars(cache))
        self.readings.fact(times_cleared, Same(cache))
        self.readings.part(identities_kept, cache, identities_kept(cache))
        for x in ways.KEPT.read(cache).values():
            self._whole(x)

    def _names(self, owner: Any, space: Mapping[str, Any], names: Iterable[str]) -> None:
        """Follow names in a namespace."""
        slots = {name: self._slot(space[name]) for name in names}
        for slot in slots.values():
            self._named.note(slot.content)
        if slots:
            self.readings.names(Same(owner), space, slots)

    def _members(self, kind: type) -> None:
        self.readings.fact(len, Same(kind), vars(kind))
        self.readings.fact(_BASES, Same(kind))
        self._tellers.append(kind)
        special = [name for name in ways.METHODS.read(kind) if is_special(name)]
        self._names(kind, vars(kind), special)
        self._named.add_object(kind, read_by_libraries(kind))

    def _named_members(self, kind: type, named: Collection[str] | None) -> None:
        """Follow the members of a class that code names; all if `named` is None."""
        members = dict.fromkeys([*ways.MEMBERS.read(kind), *ways.METHODS.read(kind)])
        self._names(kind, vars(kind), [x for x in members if named is None or x in named])

    def _inherited_by(self, kind: type) -> dict[str, Any]:
        """Return what an object has from its class: of a library's, which modes it is in."""
        if kind not in self._inherited:
            found: dict[str, Any] = {}
            for base in reversed(kind.__mro__):
                own, known = ways.MEMBERS.read(base), is_of_library(base)
                found |= {name: x for name, x in own.items() if not known or isinstance(x, bool)}
            self._inherited[kind] = found
        return self._inherited[kind]

    # Ways of objects --------------------------------------------------------------------------

    def _attributes(self, x: Any) -> None:
        kind: Any = type(x)
        own = attributes_beside(x)
        self.readings.fact(type, Same(x))
        if own is not getattr(x, "__dict__", None):
            added = self.readings.add(Same(x), {name: self._slot(y) for name, y in [*own.items()]})
            self.readings.spaces.append((Live(partial(attributes_beside, x)), added))
            self.readings.add(Same(x), self._inherited_slots(x, None, own))
            return
        self._named.add_object(x, read_by_libraries(kind))

    def _named_own(self, x: Any, named: Collection[str] | None) -> None:
        """Follow the attributes of an object, and of its class, that code names."""
        own, owner, known = vars(x), Same(x), self.readings.slots
        names = [*own] if named is None else own.keys() & named
        slots = {name: self._slot(own[name]) for name in names if (owner, name) not in known}
        self.readings.add(owner, slots | self._inherited_slots(x, named, own))

    def _inherited_slots(
        self, x: Any, named: Collection[str] | None, own: Collection[str]
    ) -> dict[str, Slot]:
        """Return the slots of what an object has from its class."""
        inherited, owner, known = self._inherited_by(type(x)), Same(x), self.readings.slots
        names = inherited if named is None else inherited.keys() & named
        new = [name for name in names if name not in own and (owner, name) not in known]
        return {name: self._slot(inherited[name]) for name in new}

    def _factory(self, x: Any) -> None:
        self._results(x, ["default_factory"], lambda: (x.default_factory,))

    def _results(self, owner: Any, names: Sequence[str], read: Reader) -> None:
        """Follow what a function returns under these names."""
        slots = {name: self._slot(x) for name, x in zip(names, read(), strict=True)}
        self.readings.results(Same(owner), read, slots)

    #: How the other ways are followed. Items, keys and parts are compared with what holds them;
    #: where iterators are is no part of a program; and the code of libraries is left out.
    _FOLLOWED: Mapping[Way, Callable[[Reachable, Any], Any]] = {
        ways.VARIABLES: _variables,
        ways.FUNCTION_ATTRIBUTES: _named_attributes,
        ways.DEFAULTS: _defaults,
        ways.IMPORTS: _imports,
        ways.OF_VALUE: _named_attributes,
        ways.WRAPPED: _wrapper,
        ways.WRAPPER_ATTRIBUTES: _wrapper,
        ways.KEPT: _kept,
        ways.MEMBERS: _members,
        ways.ATTRIBUTES: _attributes,
        ways.BESIDE: _attributes,
        ways.FACTORY: _factory,
    }
