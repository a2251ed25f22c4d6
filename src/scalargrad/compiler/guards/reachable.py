"""Find everything that a function's code can reach: closures, globals, attributes, items.

The names in the code are followed to the Values, objects and functions they stand for, and from
there through attributes and items. Each name or attribute becomes a slot (see `slots`).
"""

from __future__ import annotations

import functools
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import CellType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards.names_read import (
    Names,
    contents,
    defaults,
    functions_of,
    is_followed,
    is_wrapper,
    looked_up,
    names_in,
    namespaces,
    of_library,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful
from scalargrad.compiler.guards.slots import (
    PLAIN,
    KeyedCopy,
    PlainItems,
    Reading,
    Same,
    Slot,
    Source,
    plain,
    same,
)
from scalargrad.sparse import Table
from scalargrad.tree import is_object_array
from scalargrad.value import Value

_DICTS = (dict, MappingProxyType)
_CONTAINERS = (list, tuple, deque, *_DICTS)
#: Contents nested deeper than this are followed later, to keep recursion shallow.
_DEEP = 50
#: Attributes of a computed Value that reveal its graph.
_GRAPHS = {"local_grads", "parents", "op"}
#: The name of the slot for a container that is followed later.
_CONTENTS = "contents"


class Reachable:
    """Everything that some code can reach, in forms to compare with at later calls.

    Parameters
    ----------
    roots : iterable
        Functions, and other objects for the sake of the functions and methods called with them.
    by_node : bool
        Whether it matters which node each computed Value is: code that reads a graph depends on
        it, other code only on the number.

    Attributes
    ----------
    slots : dict from Source to Slot
    names : list of (callable, list of Source)
        What reads the objects that some names stand for, and the slots of these names.
    spaces : list of (mapping, list of Source)
        The attributes of objects, and their slots.
    items : list of (object, object)
        Other contents, and a frozen copy to compare them with.
    objects : list
        The objects whose attributes are among the slots.
    names_graphs : bool
        Whether the code names attributes such as ``parents``, which reveal a graph.
    """

    def __init__(self, roots: Iterable[Any], *, by_node: bool = False) -> None:
        self.slots: dict[Source, Slot] = {}
        self.names: list[tuple[Callable[[], tuple[Any, ...]], list[Source]]] = []
        self.spaces: list[tuple[Any, list[Source]]] = []
        self.items: list[tuple[Any, Any]] = []
        self.objects: list[Any] = []
        self.names_graphs = False
        self._by_node = by_node
        self._met: dict[int, tuple[Any, KeyedCopy]] = {}
        self._classes: dict[type, dict[str, Any]] = {}
        self._values: list[Value] = []
        self._depth = 0
        self._ahead: list[FunctionType] = []
        self._deep: deque[Any] = deque()
        self._noted: dict[int, Any] = {}
        for root in roots:
            self._code(root)
        while self._ahead or self._deep:
            if self._ahead:
                self._function(self._ahead.pop())
            else:
                self._contents(self._deep.popleft())

    # Code -------------------------------------------------------------------------------------

    def _code(self, x: Any) -> None:
        """Follow the code that runs when an object is called."""
        if isinstance(x, type):
            self._class(x)
        elif isinstance(x, MethodType):
            self._part(x.__func__)
            self._class(type(x.__self__))
        elif isinstance(x, functools.partial):
            self._code(x.func)
        elif isinstance(x, FunctionType) or is_wrapper(x):
            self._part(x)
        else:
            self._class(type(x))

    def _function(self, function: FunctionType) -> None:
        """Follow the variables of enclosing functions, defaults and globals."""
        variables = enumerate(function.__closure__ or ())  # one may be named like a global
        cells = {i: cell for i, cell in variables if cell != CellType()}
        if cells:
            self._note(function, contents(cells))
        if function.__defaults__ or function.__kwdefaults__:
            self._note(function, defaults(function))
        for owner, space, names in namespaces(function):
            self._names(owner, space, names)
        if not (self.names_graphs or of_library(function.__module__ or "")):
            self.names_graphs = not _GRAPHS.isdisjoint(names_in(function.__code__))

    def _names(self, owner: Any, space: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        """Follow names in a namespace, other than those of modules; return the names followed."""
        found = [name for name in names if not isinstance(space[name], ModuleType)]
        if found:
            self._note(owner, looked_up(space, found))
        return found

    def _class(self, kind: type) -> dict[str, Any]:
        """Follow the methods of a class, and return its other members."""
        if kind not in self._classes:
            self._classes[kind] = {}
            found = [self._members(x) for x in reversed(kind.__mro__)]
            self._classes[kind] = {name: x for members in found for name, x in members.items()}
        return self._classes[kind]

    def _members(self, kind: type) -> dict[str, Any]:
        own = vars(kind)
        data = [x for x in own if not x.startswith("__") and not hasattr(own[x], "__get__")]
        if of_library(kind.__module__):
            return {name: own[name] for name in data if isinstance(own[name], bool)}
        methods = {name: functions_of(x) for name, x in own.items()}
        for function in chain.from_iterable(methods.values()):
            self._part(function)
        more = self._names(kind, own, [*data, *(name for name, found in methods.items() if found)])
        return {name: own[name] for name in more if name in data}

    # Contents ---------------------------------------------------------------------------------

    def _note(self, owner: Any, names: Names) -> None:
        """Make slots of names, and keep what reads them again."""
        slots = {name: self._slot(x) for name, x in zip(names.names, names.read(), strict=True)}
        self.names.append((names.read, self._slots_of(Same(owner), slots)))

    def _slots_of(self, whose: Same, slots: dict[Any, Slot]) -> list[Source]:
        self.slots |= {(whose, name): slot for name, slot in slots.items()}
        return [(whose, name) for name in slots]

    def _slot(self, x: Any) -> Slot:
        outer, self._values = self._values, []
        part, values = self._part(x), self._values
        self._values = outer
        return Slot(x, part.key, values, part.frozen)

    def _part(self, x: Any) -> KeyedCopy:
        """Follow a value that a variable, attribute or item holds."""
        if isinstance(x, Value):
            self._values.append(x)
            computed = x.op is not None
            one = computed and self._by_node
            return KeyedCopy((type(x), Same(x) if one else computed), x)
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
        self._note(x, Names([_CONTENTS], lambda: (x,)))

    def _inside(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Follow the parts of an object, and return how it is compared: by them, or as `itself`."""
        if isinstance(x, FunctionType):
            self._ahead.append(x)
        elif isinstance(x, type):
            self._class(x)
        elif isinstance(x, MethodType | functools.partial):
            return self._bound(x)
        elif isinstance(x, _CONTAINERS) and not isinstance(x, Table):
            return self._container(x)
        elif isinstance(x, set | frozenset | bytearray):
            return self._unordered(x)
        elif hasattr(type(x), "dtype") or isinstance(x, array):
            return self._array(x, itself)
        elif not isinstance(x, Table):
            self._object(x, itself.key)
        return itself

    def _bound(self, x: Any) -> KeyedCopy:
        """Follow a method or a partial function."""
        method = isinstance(x, MethodType)
        bound = (x.__func__, x.__self__) if method else (x.func, x.args, x.keywords)
        part = self._part(bound)
        self.items.append((bound, part.frozen))
        return KeyedCopy((type(x), part.key), x)

    def _container(self, x: Any) -> KeyedCopy:
        kind = type(x)
        items = [*x.values()] if isinstance(x, _DICTS) else [*x]
        kinds = set(map(type, items))
        if kinds <= PLAIN:  # copied whole, a hundred times as fast
            keys = (*x,) if isinstance(x, _DICTS) else ()
            return KeyedCopy((kind, keys, PlainItems(items)), dict(x) if keys else _like(x, items))
        parts = [self._part(item) for item in items]
        key = tuple([part.key for part in parts])
        frozen = [part.frozen for part in parts]
        if isinstance(x, _DICTS):
            return KeyedCopy((kind, *x, key), dict(zip(x, frozen, strict=True)))
        return KeyedCopy((kind, key), _like(x, frozen))

    def _unordered(self, x: Any) -> KeyedCopy:
        """Follow a set or a bytearray, which is compared as a whole."""
        for item in x if isinstance(x, set | frozenset) else ():
            self._part(item)
        frozen = x if isinstance(x, frozenset) else x.copy()
        return KeyedCopy((type(x), PlainItems(frozen)), frozen)

    def _array(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Follow an array: of objects, like a list; of numbers, by its bytes."""
        if is_object_array(x):
            part = self._part(x.ravel().tolist())
            self.items.append((Reading(lambda: x.ravel().tolist()), part.frozen))
            return KeyedCopy((x.shape, part.key), itself.key)
        if not hasattr(x, "tobytes"):
            return itself
        then = x.tobytes()
        self.items.append((Reading(x.tobytes), then))
        kind = x.typecode if isinstance(x, array) else (x.dtype, x.shape)
        return KeyedCopy((type(x), kind, then), itself.key)

    def _object(self, x: Any, whose: Same) -> None:
        """Follow an object's attributes."""
        kind: Any = type(x)
        if not (is_stateful(kind) and is_followed(kind)):
            if is_wrapper(x):
                self._part(x.__wrapped__)
            return
        inherited, own = self._class(kind), attributes(x)
        self.objects.append(x)
        self.slots[whose, None] = Slot(kind, Same(kind), [], kind)
        slots = {name: self._slot(y) for name, y in own.items()}
        as_it_is = own is getattr(x, "__dict__", None)
        live = own if as_it_is else Reading(functools.partial(attributes, x))
        self.spaces.append((live, self._slots_of(whose, slots)))
        self.slots |= {
            (whose, name): self._slot(y) for name, y in inherited.items() if name not in slots
        }


def _like(x: Any, items: list[Any]) -> Any:
    """Return items as a list, tuple or deque that can be compared with `x`."""
    if isinstance(x, list):
        return items
    return deque(items) if isinstance(x, deque) else tuple(items)
