"""One walk over what some code reads: what objects hold, and what the code among them leads to.

What a function has changed, and which random generators it may use, are found by this walk. The
guards follow the same edges in an order of their own, as they compare; see `reachable`.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from itertools import chain, count
from operator import attrgetter, is_, length_hint, methodcaller
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any
from weakref import ProxyTypes

from scalargrad.compiler.guards.names_read import (
    BOUND,
    NamedSpaces,
    bound_parts,
    data_of,
    functions_in,
    has_followed_attributes,
    imported,
    is_own,
    is_wrapper,
    looked_up,
    names_and_texts,
    of_library,
    variables,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful, own_space, slots_of
from scalargrad.compiler.guards.put_back import DEFAULTS, KEYWORDS, Names, put_back
from scalargrad.compiler.guards.references import BUFFERS, current_value, kept_by
from scalargrad.table.operation import Operation
from scalargrad.tree import is_array, is_object_array
from scalargrad.value import Parameter, Value

_GLOBAL, _WRAPPED = "the global ", "__wrapped__"
_SEQUENCES = (list, tuple, deque)
#: Types without contents; assignments to a Value's data are refused elsewhere.
_CLOSED = (int, float, str, bytes, type(None), Value)
_PLAIN = {*_CLOSED, bool, Parameter}
#: Containers, of which a user's class may keep attributes beside the items.
_CONTAINERS = (*_SEQUENCES, dict, set, frozenset)
#: Those with nothing besides.
_OF_ITEMS = {list, tuple, set}
#: What may have attributes beside what it holds.
_WITH_SPACE = (*_CONTAINERS, partial)


class HeldObjects:
    """What some objects hold, breadth first, and what the code among them reads.

    Parameters
    ----------
    roots : iterable
        Where it begins.
    most : int, optional
        The most objects to look into.
    follows_code : bool
        Whether functions and classes lead on, and objects to their class. Of arguments, only what
        they hold is looked at.
    enters_libraries : bool
        Whether to go on inside libraries. They are taken not to change, and are left out elsewhere;
        but a library may draw from a generator that it was given or that it shares, and a copied
        argument may be an object of its.
    enters_rows : bool
        Whether rows and arrays of nothing but numbers are looked into.
    closed : tuple of type
        What is not looked into.

    Attributes
    ----------
    met : dict from int to object
        Everything that was come by, by identity.
    found : dict from int to (object, str, dict)
        By identity, each object that holds others, the name that led to it, and what it held.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        most: int | None = None,
        *,
        follows_code: bool = False,
        enters_libraries: bool = False,
        enters_rows: bool = True,
        closed: tuple[type, ...] = (),
    ) -> None:
        self._closed, self._enters_rows = closed, enters_rows
        self._follows_code, self._enters_libraries = follows_code, enters_libraries
        self.found: dict[int, tuple[Any, str, dict[Any, Any]]] = {}
        self.met: dict[int, Any] = {}
        self._ahead = deque([("", x) for x in roots])
        self._named = NamedSpaces()
        self._names: dict[int, Names] = {}
        self._classes: set[type] = set()
        while (self._ahead or self._read_names()) and len(self.met) != most:
            name, x = self._ahead.popleft()
            if id(x) not in self.met:
                self.met[id(x)] = x
                held = self.held(x)
                if held is not None:
                    held = dict(held)  # another thread may change it meanwhile
                    self.found[id(x)] = x, name, held
                    self._go_to(held, None if isinstance(x, FunctionType) else name)
                    if (isinstance(x, _WITH_SPACE) or is_array(x)) and own_space(x):
                        self._ahead.append((f"attributes of {type(x).__name__}", own_space(x)))
                beside = self._beside(x) if self._follows_code else ()
                self._ahead += [(name, y) for y in beside if not isinstance(y, _CLOSED)]

    def _go_to(self, held: Mapping[Any, Any], name: str | None) -> None:
        """Go on to what is held, by the name of what holds it or by its own."""
        if not {*map(type, held.values())} <= _PLAIN:
            inner = [(key, y) for key, y in held.items() if not isinstance(y, _CLOSED)]
            self._ahead += [(key if name is None else name, y) for key, y in inner]

    def _names_in(self, space: dict[str, Any], prefix: str, names: Iterable[str]) -> None:
        """Go on to what names in a module stand for."""
        found = self._names.setdefault(id(space), Names(space, prefix))
        found.read |= dict.fromkeys(names)
        held, place = found.held(), -id(space)  # it may be met as a dict as well
        known = self.found.setdefault(place, (found, "", {}))[2]
        self._go_to({key: x for key, x in held.items() if key not in known}, None)
        known.update(held)

    def _read_names(self) -> bool:
        """Go on to what the names in all code stand for in modules; return whether that is any."""
        for owner, _, names in self._named.grown():
            if isinstance(owner, ModuleType):
                self._names_in(vars(owner), f"{owner.__name__}.", names)
        return bool(self._ahead)

    # What has changed -------------------------------------------------------------------------

    def changed(self) -> dict[int, dict[Any, Any]]:
        """Return the contents, by identity, of the objects that hold others than before."""
        found = {}
        for place, (x, _, before) in self.found.items():
            now = dict(self.held(x) or {})
            if not _is_identical(before, now):
                found[place] = now
        return found

    def before(self, places: Iterable[int]) -> dict[int, dict[Any, Any]]:
        """Return what some objects held before."""
        return {place: self.found[place][2] for place in places}

    def put_back(self, contents: dict[int, dict[Any, Any]] | None = None) -> None:
        """Undo all changes; or write other contents."""
        if contents is None:
            contents = self.before(self.changed())
        for place, before in contents.items():
            put_back(self.found[place][0], before)

    # What is held -----------------------------------------------------------------------------

    def held(self, x: Any) -> dict[Any, Any] | None:
        """Return the contents of an object by key, index or name; None if it has none."""
        if isinstance(x, Names):
            return x.held()
        if type(x) in ProxyTypes or self._is_closed(x):
            return None
        if not self._enters_rows and _is_of_numbers(x):
            return None
        found = _items(x)
        if found is None and self._follows_code:
            found = _held_around(x)
        elif found is None and (has_followed_attributes(x) or self._is_copied(x)):
            found = attributes(x)
        if found is None and isinstance(x, Iterator):
            found = {"position": _position(x)}
        return found

    def _is_copied(self, x: Any) -> bool:
        return self._enters_libraries and is_stateful(type(x))

    # Where else it leads ----------------------------------------------------------------------

    def _beside(self, x: Any) -> Iterable[Any]:
        """Return what an object leads to besides what it holds."""
        if type(x) in _OF_ITEMS or self._is_closed(x):
            return ()
        if isinstance(x, FunctionType):
            return self._code(x)
        if isinstance(x, type):
            return self._class(x)
        if isinstance(x, ModuleType):
            return self._module(x)
        if isinstance(x, attrgetter | methodcaller):
            self._named.computed = True
        return [*kept_by(x), *_beside_items(x), *self._of_kind(x)]

    def _of_kind(self, x: Any) -> list[Any]:
        """Return the class of an object; of a library's, its functions, and what the object has."""
        kind: Any = type(x)
        if not of_library(kind.__module__):
            return [kind]
        if not self._enters_libraries:
            return []
        found = [] if id(x) in self.found else [*own_space(x).values()]
        if kind not in self._classes:  # itself, it would stand for generators made anew
            self._classes.add(kind)
            found += self._class(kind)
        return found

    def _is_closed(self, x: Any) -> bool:
        return issubclass(type(x), self._closed)

    def _code(self, function: FunctionType) -> list[Any]:
        """Go on to the globals that a function's code reads; return the modules it imports."""
        found: list[Any] = []
        if not of_library(function.__module__ or ""):
            self._names_in(function.__globals__, _GLOBAL, self._named.globals_of(function)[0])
            found += map(sys.modules.get, imported(function))
        if self._enters_libraries and not is_own(function):
            found += looked_up(function.__globals__, names_and_texts(function.__code__))
        return found

    def _class(self, kind: type) -> list[Any]:
        """Return the functions of a class, and the classes that it is made of."""
        if not of_library(kind.__module__):
            functions = chain.from_iterable(functions_in(kind).values())
            return [*functions, *kind.__bases__, type(kind)]
        if not self._enters_libraries or is_own(kind):
            return []
        members = chain.from_iterable(vars(k).values() for k in kind.__mro__)
        return [x for x in members if isinstance(x, FunctionType)]

    def _module(self, module: ModuleType) -> list[Any]:
        if of_library(module.__name__):
            return []
        self._named.add(module, vars(module))
        return [vars(module)[x] for x in vars(module).keys() & {"__getattr__"}]


def _is_of_numbers(x: Any) -> bool:
    """Return whether something is an array or a row of nothing but numbers and text."""
    if is_array(x):
        return not is_object_array(x)
    return isinstance(x, _SEQUENCES) and {*map(type, x)} <= _PLAIN and not own_space(x)


def _items(x: Any) -> dict[Any, Any] | None:
    """Return the items of a container or array; None of anything else."""
    if isinstance(x, dict):
        return x
    if isinstance(x, set | frozenset):
        return {id(item): item for item in [*x]}
    if isinstance(x, _SEQUENCES):
        return dict(enumerate([*x]))
    if is_array(x):
        return dict(enumerate(x.ravel().tolist() if is_object_array(x) else [x.tobytes()]))
    return None


def _held_around(x: Any) -> dict[Any, Any] | None:
    """Return what functions, classes, objects and the like hold."""
    if isinstance(x, FunctionType):
        return _held_by_function(x)
    if isinstance(x, type):
        return None if of_library(x.__module__) else data_of(x)
    if isinstance(x, BOUND):
        return dict(enumerate(bound_parts(x)))
    if has_followed_attributes(x):
        return attributes(x)
    if isinstance(x, ContextVar):  # set in a copy of the context, which is dropped
        return {"value": current_value(x)}
    return _held_by_wrapper(x) if is_wrapper(x) else None


def _held_by_function(x: FunctionType) -> dict[str, Any]:
    if is_own(x):  # those of the table are taken as they are
        return variables(x)
    own = {f"{x.__name__}.{name}": y for name, y in vars(x).items()}
    return variables(x) | own | {DEFAULTS: x.__defaults__, KEYWORDS: x.__kwdefaults__}


def _held_by_wrapper(x: Any) -> dict[str, Any]:
    return {_WRAPPED: own_space(x)[_WRAPPED]} if isinstance(x, Operation) else own_space(x)


def _beside_items(x: Any) -> list[Any]:
    """Return what containers lead to besides the items that can be exchanged."""
    found: list[Any] = [*x] if isinstance(x, dict | MappingProxyType) else []
    if isinstance(x, MappingProxyType):
        found += x.values()
    if isinstance(x, defaultdict):
        found.append(x.default_factory)
    kind: Any = type(x)
    if isinstance(x, _CONTAINERS) and slots_of(kind):
        found += attributes(x).values()
    return found


def _is_identical(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Return whether both hold the same objects under the same keys, or equal texts or bytes."""
    if len(now) != len(before):
        return False
    both = before.values(), now.values()
    same = all(map(is_, *both)) or all(map(_is_exactly, *both))
    return same and before.keys() == now.keys()


def _is_exactly(x: Any, y: Any) -> bool:
    """Return whether two contents are one, as are those of an array that was read twice."""
    return x is y or (isinstance(x, bytes | str) and type(x) is type(y) and bool(x == y))


def _position(x: Any) -> Any:
    """Return the position of an iterator; a new object at each call if it cannot be known."""
    if type(x).__module__ == "numpy":  # their length is that of all, not of what is left
        return x.index if type(x).__name__ == "flatiter" else object()
    if isinstance(x, BUFFERS):
        return repr(kept_by(x))
    hint = length_hint(x, -1)
    if hint >= 0:
        return hint
    return repr(x) if isinstance(x, count) else object()
