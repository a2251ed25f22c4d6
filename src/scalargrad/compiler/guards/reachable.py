"""Find everything that a function's code can reach: closures, globals, attributes, items.

The names in the code are followed to the Values, objects and functions they stand for, and from
there through attributes and items. Each name or attribute becomes a slot (see `readings`).
"""

from __future__ import annotations

import builtins
import sys
from abc import ABCMeta
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, product
from operator import attrgetter, methodcaller
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards.asked_by_name import SETTINGS, TOLD
from scalargrad.compiler.guards.comparable import PLAIN, KeyedCopy, Live, OfClass, Same, plain, same
from scalargrad.compiler.guards.containers import (
    APART,
    CONTAINERS,
    DICTS,
    LOOKED_UP,
    copied,
    items_of,
    values_among,
)
from scalargrad.compiler.guards.library_objects import (
    CACHES,
    holds_data,
    is_array,
    is_readable,
    reader_of,
    times_cleared,
)
from scalargrad.compiler.guards.names_read import (
    BOUND,
    IS,
    NamedSpaces,
    bound_parts,
    data_of,
    functions_in,
    has_followed_attributes,
    imported,
    is_followed,
    is_users_alone,
    is_wrapper,
    of_library,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful, slots_of
from scalargrad.compiler.guards.readings import CONTENTS, Reader, Readings, Slot, Source
from scalargrad.ops.custom import Custom
from scalargrad.sparse import Table, Touched
from scalargrad.value import Value

#: Contents nested deeper than this are followed later, to keep recursion shallow.
_DEEP = 50
#: Attributes of a computed Value that reveal its graph.
_GRAPHS = {"local_grads", "parents", "op"}
#: What iterates over attributes in the order in which they were added.
_ITERATES = {"__dict__", "vars"}
_BUILTINS = vars(builtins)
#: The name for an object as all that it holds.
ITSELF = "itself"
_DEFAULTS = ("__defaults__", "__kwdefaults__")
_BASES = attrgetter("__bases__")


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
    keys : set of Value
        The keys of dicts and the items of sets, by which Values are looked up.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self.readings = Readings()
        self.keys: set[Value] = set()
        self._met: dict[int, tuple[Any, KeyedCopy]] = {}
        self._classes: dict[type, dict[str, Any]] = {}
        self._values: list[Value] = []
        self._depth = 0
        self._ahead: list[FunctionType] = []
        self._deep: deque[Any] = deque()
        self._noted: dict[int, Any] = {}
        self._in_library = False
        self._named = NamedSpaces()
        self._own: list[Source] = []
        self._iterable: list[Any] = []
        self._tellers: list[FunctionType | type] = []
        for root in roots:
            self._code(root)
        while self._ahead or self._deep or (grown := self._named.grown()) or self._told():
            if self._ahead:
                self._function(self._ahead.pop())
            elif self._deep:
                self._contents(self._deep.popleft())
            else:
                for owner, space, names in grown:
                    self._names(owner, space, names)
        self._facts_by_names()

    def unnamed(self) -> set[Source]:
        """Return the attributes of users' objects whose names stand nowhere in the code."""
        if self._named.unnamed or self._named.computed:
            return set()
        return {source for source in self._own if source[1] not in self._named.names}

    def _facts_by_names(self) -> None:
        """Add what all the names in the code ask of what was met."""
        for owner, space, names in self._named.missing():
            self.readings.lacking(Same(owner), space, names)
        for owner, space in self._named.read_as_a_whole():
            self.readings.fact(len, Same(owner), space)
        if not _ITERATES.isdisjoint(self._named.names):
            for x in self._iterable:
                self.readings.fact(tuple, Same(x), vars(x))
        for setting, (asking, read) in SETTINGS.items():
            if not asking.isdisjoint(self._named.names):
                self._results(setting, [CONTENTS], read)
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

    # Code -------------------------------------------------------------------------------------

    def _code(self, x: Any) -> None:
        """Follow the code that runs when an object is called."""
        if isinstance(x, MethodType):
            self._part(x.__func__)
            self._class(type(x.__self__))
        elif isinstance(x, partial | staticmethod | classmethod):
            self._code(bound_parts(x)[0])
        elif isinstance(x, type | FunctionType | ModuleType) or is_wrapper(x):
            self._part(x)
        elif is_stateful(type(x)):  # its attributes are among the arguments
            self._class(type(x))
        else:
            self._contents(x)

    def _function(self, function: FunctionType) -> None:
        """Follow the variables of enclosing functions, defaults and globals."""
        if not of_library(function.__module__ or ""):
            self._globals(function)
        variables = enumerate(function.__closure__ or ())  # one may be named like a global
        cells = {i: cell for i, cell in variables if not _is_empty(cell)}
        for cell in function.__closure__ or ():
            if _is_empty(cell):
                self.readings.fact(_is_empty, Same(cell))
        inside = {i: self._slot(cell.cell_contents) for i, cell in cells.items()}
        self.readings.cells(Same(function), cells.values(), inside)
        if function.__defaults__ or function.__kwdefaults__:
            self._results(function, _DEFAULTS, partial(attrgetter(*_DEFAULTS), function))

    def _globals(self, function: FunctionType) -> None:
        """Follow the names in a function's code, and the modules that it imports."""
        space = function.__globals__
        names, are_all = self._named.globals_of(function)
        if are_all:
            self.readings.fact(len, Same(function), space)
        self._names(function, space, [name for name in names if name in space])
        lacking = [name for name in names if name not in space]
        shadows = [name for name in lacking if name in _BUILTINS]
        self.readings.lacking(Same(function), space, shadows)
        for name in lacking:
            if name not in _BUILTINS:  # it may raise a NameError that the function catches
                self.readings.lacking(Same(function), space, [name])
        modules = imported(function)
        if modules:
            self._results(function, modules, lambda: (*map(sys.modules.get, modules),))
        self.readings.code(Same(function))
        self._tellers.append(function)
        self._named.add(function, vars(function))

    def _wrapper(self, x: Any) -> None:
        """Follow what wraps a function, such as a compiled function or a cache."""
        self._part(x.__wrapped__)
        if isinstance(x, Custom):
            self._part(x.partials)
            self._part(x.domain.valid)
        self._named.add(x, vars(x))
        if isinstance(x, CACHES):  # others keep what they compute, as compiled functions do
            self.readings.fact(len, Same(x), vars(x))
            self.readings.fact(times_cleared, Same(x))

    def _names(self, owner: Any, space: Mapping[str, Any], names: Sequence[str]) -> None:
        """Follow names in a namespace."""
        if names:
            slots = {name: self._slot(space[name]) for name in names}
            self.readings.names(Same(owner), space, slots)

    def _class(self, kind: type) -> dict[str, Any]:
        """Follow the methods of a class, and return its other members."""
        if kind not in self._classes:
            self._classes[kind] = {}
            found = [self._members(x) for x in reversed(kind.__mro__)]
            self._classes[kind] = {name: x for members in found for name, x in members.items()}
        return self._classes[kind]

    def _members(self, kind: type) -> dict[str, Any]:
        data = data_of(kind)
        if of_library(kind.__module__):
            return {name: x for name, x in data.items() if isinstance(x, bool)}
        self.readings.fact(len, Same(kind), vars(kind))
        self.readings.fact(_BASES, Same(kind))
        self._tellers.append(kind)
        self._class(type(kind))
        methods = functions_in(kind)
        for function in chain.from_iterable(methods.values()):
            self._part(function)
        self._names(kind, vars(kind), [*data, *methods])
        return data

    # Contents ---------------------------------------------------------------------------------

    def _results(self, owner: Any, names: Sequence[str], read: Reader) -> None:
        """Follow what a function returns under these names."""
        slots = {name: self._slot(x) for name, x in zip(names, read(), strict=True)}
        self.readings.results(Same(owner), read, slots)

    def _slot(self, x: Any) -> Slot:
        outer, self._values = self._values, []
        part, values = self._part(x), self._values
        self._values = outer
        frozen = OfClass(x, part.frozen) if type(x) in APART else part.frozen
        return Slot(x, part.key, values, frozen)

    def _part(self, x: Any) -> KeyedCopy:
        """Follow a value that a variable, attribute or item holds."""
        if isinstance(x, Value):
            self._values.append(x)
            return KeyedCopy((type(x), x.op is not None), x)
        if type(x) in PLAIN:
            return plain(x)
        if id(x) in self._met:
            return self._met[id(x)][1]
        itself = same(x)
        self._met[id(x)] = x, itself  # for cycles, until it is known
        self._depth += 1
        part = self._inside(x, itself) if self._depth < _DEEP else self._later(x, itself)
        self._depth -= 1
        self._met[id(x)] = x, part
        if not isinstance(part.key, Same):
            del self._met[id(x)]  # its Values belong to every slot that holds it
        return part

    def _later(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Put off a container that is nested too deeply."""
        if id(x) not in self._noted:
            self._noted[id(x)] = x
            self._deep.append(x)
        return itself

    def _contents(self, x: Any) -> None:
        """Follow a container that was put off."""
        self._met.pop(id(x), None)
        self._results(x, [ITSELF], lambda: (x,))

    def _inside(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Follow the parts of an object, and return how it is compared: by them, or as `itself`."""
        if isinstance(x, Table):
            return itself
        if isinstance(x, FunctionType):
            self._ahead.append(x)
        elif isinstance(x, type):
            self._class(x)
            if isinstance(x, ABCMeta):
                self._named.names["ABCMeta"] = None
        elif isinstance(x, (*BOUND, *CONTAINERS)) or is_array(x):
            found = self._copied(x)
            if isinstance(x, defaultdict):
                self._results(x, ["default_factory"], lambda: (x.default_factory,))
            if not of_library(type(x).__module__) or (isinstance(x, partial) and vars(x)):
                self._attributes(x)  # those of a user's class, or added to a partial function
            return found
        elif is_wrapper(x) and of_library(type(x).__module__):
            self._wrapper(x)
        else:
            self._object(x)
        return itself

    def _copied(self, x: Any) -> KeyedCopy:
        """Return the key and the copy of a container, array or bound method.

        If another thread adds or removes items meanwhile, they equal nothing.
        """
        try:
            self._keys(x)
            found = copied(x, [self._part(item) for item in items_of(x)], self.readings)
            if isinstance(x, LOOKED_UP) and type(x) is not Touched:
                self.keys.update(values_among(x))
        except (RuntimeError, ValueError, LookupError):
            return same(object())
        return found

    def _keys(self, x: Any) -> None:
        """Follow what the keys of a dict hold; those that are Values are inputs of `keys`."""
        outer, self._values = self._values, []
        for key in x if isinstance(x, DICTS) and not {*map(type, x)} <= PLAIN else ():
            self._part(key)
        self._values = outer

    def _object(self, x: Any) -> None:
        """Follow an object's attributes."""
        if isinstance(x, ModuleType):
            if not of_library(x.__name__):
                self._named.add(x, vars(x))
                self._names(x, vars(x), [*vars(x).keys() & {"__getattr__"}])
            return
        kind: Any = type(x)
        if kind.__module__ == "decimal":  # its arithmetic asks for the context
            self._named.names["decimal"] = None
        if issubclass(kind, attrgetter | methodcaller):
            self._named.computed = True
        read = reader_of(x)
        if read is not None and (not self._in_library or is_readable(x, read)):
            self._results(x, [CONTENTS], lambda: (read(),))
        elif not is_followed(kind):
            self._library_object(x)
        if has_followed_attributes(x):
            self._attributes(x)

    def _attributes(self, x: Any) -> None:
        kind: Any = type(x)
        inherited, own = self._class(kind), attributes(x)
        self.readings.fact(type, Same(x))
        slots = {name: self._slot(y) for name, y in [*own.items()]}  # threads may add some
        as_it_is = own is getattr(x, "__dict__", None)
        if as_it_is or slots_of(kind):  # a named tuple has neither
            live = own if as_it_is else Live(partial(attributes, x))
            added = self.readings.add(Same(x), slots)
            self.readings.spaces.append((live, added))
            if is_users_alone(kind):
                self._own += added
        more = {name: self._slot(y) for name, y in inherited.items() if name not in slots}
        self.readings.add(Same(x), more)
        if as_it_is:
            self._iterable.append(x)

    def _library_object(self, x: Any) -> None:
        """Follow what a library's object holds, but not into other such objects there."""
        if self._in_library or not holds_data(x):
            return
        self._in_library = True
        slots = {name: self._slot(y) for name, y in [*vars(x).items()]}
        self.readings.spaces.append((vars(x), self.readings.add(Same(x), slots)))
        self._in_library = False
