"""Find everything that a function's code can reach: closures, globals, attributes, items.

The names in the code are followed to the Values, objects and functions they stand for, and from
there through attributes and items. Each name or attribute becomes a slot (see `slots`).
"""

from __future__ import annotations

import builtins
import functools
import sys
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import attrgetter
from types import (
    BuiltinMethodType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

import numpy as np

from scalargrad.compiler.guards.library_objects import (
    CACHES,
    array_bytes,
    holds_data,
    is_array,
    reader_of,
    times_cleared,
)
from scalargrad.compiler.guards.named_spaces import NamedSpaces
from scalargrad.compiler.guards.names_read import (
    CONTENTS,
    Names,
    absent,
    contents,
    defaults,
    functions_of,
    imported,
    is_descriptor,
    is_followed,
    is_library,
    is_wrapper,
    looked_up,
    looked_up_if_there,
    names_and_texts,
    of_library,
)
from scalargrad.compiler.guards.object_state import attributes, is_stateful, slots_of
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
_BOUND = (MethodType, BuiltinMethodType, MethodWrapperType, functools.partial)
_UNORDERED = (set, frozenset, bytearray)
_WITH_CONTENTS = (list, tuple, deque, *_DICTS, *_UNORDERED)
#: Contents nested deeper than this are followed later, to keep recursion shallow.
_DEEP = 50
#: Attributes of a computed Value that reveal its graph.
_GRAPHS = {"local_grads", "parents", "op"}
#: What iterates over attributes in the order in which they were added.
_ITERATES = {"__dict__", "vars"}
_BUILTINS = vars(builtins)
#: Finds something about an object that can be compared.
Measure = Callable[[Any], Any]
_CODE, _SHAPE = attrgetter("__code__"), attrgetter("shape")


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
    facts : dict from callable to list of (object, object)
        Objects and what is compared of each: classes of objects, keys of dicts in their order,
        shapes of arrays, code of functions, numbers of attributes.
    names_graphs : bool
        Whether the code names attributes such as ``parents``, which reveal a graph.
    """

    def __init__(self, roots: Iterable[Any], *, by_node: bool = False) -> None:
        self.slots: dict[Source, Slot] = {}
        self.names: list[tuple[Callable[[], tuple[Any, ...]], list[Source]]] = []
        self.spaces: list[tuple[Any, list[Source]]] = []
        self.items: list[tuple[Any, Any]] = []
        self.facts: dict[Measure, list[tuple[Any, Any]]] = defaultdict(list)
        self.names_graphs = False
        self._by_node = by_node
        self._met: dict[int, tuple[Any, KeyedCopy]] = {}
        self._classes: dict[type, dict[str, Any]] = {}
        self._values: list[Value] = []
        self._depth = 0
        self._ahead: list[FunctionType] = []
        self._deep: deque[Any] = deque()
        self._noted: dict[int, Any] = {}
        self._in_library = False
        self._named = NamedSpaces()
        for root in roots:
            self._code(root)
        while self._ahead or self._deep or self._named.is_growing():
            if self._ahead:
                self._function(self._ahead.pop())
            elif self._deep:
                self._contents(self._deep.popleft())
            else:
                for owner, space, names in self._named.grown():
                    self._names(owner, space, names)
        for owner, missing in self._named.missing():
            self._note(owner, missing)
        if not self._named.names:  # no code reads an attribute
            self.facts.pop(len, None)

    # Code -------------------------------------------------------------------------------------

    def _code(self, x: Any) -> None:
        """Follow the code that runs when an object is called."""
        if isinstance(x, type):
            self._class(x)
        elif isinstance(x, ModuleType):
            self._part(x)
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
        if not of_library(function.__module__ or ""):
            self._globals(function)
        variables = enumerate(function.__closure__ or ())  # one may be named like a global
        cells = {i: cell for i, cell in variables if cell != CellType()}
        if cells:
            self._note(function, contents(cells))
        if function.__defaults__ or function.__kwdefaults__:
            self._note(function, defaults(function))

    def _globals(self, function: FunctionType) -> None:
        """Follow the names in a function's code, and the modules that it imports."""
        names, space = names_and_texts(function.__code__), function.__globals__
        self._named.names |= names
        self._names(function, space, [name for name in names if name in space])
        shadows = [name for name in names if name in _BUILTINS and name not in space]
        if shadows:
            self._note(function, absent(space, shadows))
        modules = imported(function)
        if modules:
            self._note(function, looked_up_if_there(sys.modules, modules))
        self._fact(_CODE, function)
        self._attributes_of(function)
        self.names_graphs = self.names_graphs or not _GRAPHS.isdisjoint(names)

    def _wrapper(self, x: Any) -> None:
        """Follow what wraps a function, such as a compiled function or a cache."""
        self._part(x.__wrapped__)
        if isinstance(x, CACHES):
            self._attributes_of(x)
            self._fact(times_cleared, x)
        else:  # an operation or a compiled function, which keeps what it computes
            self._named.add(x, vars(x))

    def _names(self, owner: Any, space: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        """Follow names in a namespace, other than those of libraries; return those followed."""
        found = [name for name in names if not is_library(space[name])]
        if found:
            self._note(owner, looked_up(space, found))
        return found

    def _attributes_of(self, function: Any) -> None:
        """Follow the attributes of a function, or of what wraps one, that any code names."""
        self._named.add(function, vars(function))
        self._fact(len, function, vars(function))

    def _fact(self, measure: Measure, x: Any, inside: Any = None) -> None:
        """Note something about an object, or of `inside` it, that is compared at each call."""
        measured = x if inside is None else inside
        found = measure(measured)
        self.facts[measure].append((measured, found))
        key = Same(found) if isinstance(found, CodeType) else found
        self.slots[Same(x), measure] = Slot(found, key, [], found)

    def _class(self, kind: type) -> dict[str, Any]:
        """Follow the methods of a class, and return its other members."""
        if kind not in self._classes:
            self._classes[kind] = {}
            found = [self._members(x) for x in reversed(kind.__mro__)]
            self._classes[kind] = {name: x for members in found for name, x in members.items()}
        return self._classes[kind]

    def _members(self, kind: type) -> dict[str, Any]:
        own = vars(kind)
        data = [x for x in own if not x.startswith("__") and not is_descriptor(own[x])]
        if of_library(kind.__module__):
            return {name: own[name] for name in data if isinstance(own[name], bool)}
        self._fact(len, kind, own)
        if type(kind) not in self._classes:
            self._class(type(kind))
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
        self._note(x, Names([CONTENTS], lambda: (x,)))

    def _inside(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Follow the parts of an object, and return how it is compared: by them, or as `itself`."""
        if isinstance(x, FunctionType):
            self._ahead.append(x)
        elif isinstance(x, type):
            self._class(x)
        elif isinstance(x, _BOUND):
            return self._bound(x)
        elif isinstance(x, _WITH_CONTENTS) and not isinstance(x, Table):
            found = self._unordered(x) if isinstance(x, _UNORDERED) else self._container(x)
            self._of_subclass(x)
            return found
        elif is_array(x):
            self._of_subclass(x)
            return self._array(x, itself)
        elif is_wrapper(x) and of_library(type(x).__module__):
            self._wrapper(x)
        elif not isinstance(x, Table):
            self._object(x)
        return itself

    def _bound(self, x: Any) -> KeyedCopy:
        """Follow a method or a partial function."""
        bound: tuple[Any, ...]
        if isinstance(x, functools.partial):
            bound = x.func, x.args, x.keywords
        else:
            bound = getattr(x, "__func__", x.__name__), x.__self__
        part = self._part(bound)
        self.items.append((bound, part.frozen))
        return KeyedCopy((type(x), part.key), x)

    def _container(self, x: Any) -> KeyedCopy:
        kind = type(x)
        items = [*x.values()] if isinstance(x, _DICTS) else [*x]
        if isinstance(x, _DICTS) and len(x) > 1:
            self.facts[tuple].append((x, tuple(x)))
        kinds = set(map(type, items))
        if kinds <= PLAIN:  # copied whole, a hundred times as fast
            named = isinstance(x, _DICTS)
            key = kind, (*x,) if named else (), PlainItems(items)
            return KeyedCopy(key, dict(x) if named else _like(x, items))
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
        read = array_bytes(x)
        then = read()
        self.items.append((Reading(read), then))
        if isinstance(x, array):
            return KeyedCopy((type(x), x.typecode, then), itself.key)
        if isinstance(x, np.ndarray):
            self._fact(_SHAPE, x)
        return KeyedCopy((type(x), x.dtype, x.shape, then), itself.key)

    def _of_subclass(self, x: Any) -> None:
        """Follow the attributes of a container or array of a user's class."""
        if not of_library(type(x).__module__):
            self._attributes(x)

    def _object(self, x: Any) -> None:
        """Follow an object's attributes."""
        if isinstance(x, ModuleType):
            if not of_library(x.__name__):
                self._named.add(x, vars(x))
            return
        kind: Any = type(x)
        read = None if self._in_library else reader_of(x)
        if read is not None:
            self._note(x, Names([CONTENTS], lambda: (read(),)))
        elif not is_followed(kind):
            self._library_object(x)
        if is_followed(kind) and (is_stateful(kind) or not of_library(kind.__module__)):
            self._attributes(x)

    def _attributes(self, x: Any) -> None:
        kind: Any = type(x)
        whose, inherited, own = Same(x), self._class(kind), attributes(x)
        self._fact(type, x)
        slots = {name: self._slot(y) for name, y in own.items()}
        as_it_is = own is getattr(x, "__dict__", None)
        if as_it_is or slots_of(kind):  # a named tuple has neither
            live = own if as_it_is else Reading(functools.partial(attributes, x))
            self.spaces.append((live, self._slots_of(whose, slots)))
        self.slots |= {
            (whose, name): self._slot(y) for name, y in inherited.items() if name not in slots
        }
        if as_it_is and not _ITERATES.isdisjoint(self._named.names):
            self._fact(tuple, x, own)

    def _library_object(self, x: Any) -> None:
        """Follow what a library's object holds, but not into other such objects there."""
        if self._in_library or not holds_data(x):
            return
        self._in_library = True
        slots = {name: self._slot(y) for name, y in vars(x).items()}
        self.spaces.append((vars(x), self._slots_of(Same(x), slots)))
        self._in_library = False


def _like(x: Any, items: list[Any]) -> Any:
    """Return items as a list, tuple or deque that can be compared with `x`."""
    if isinstance(x, list):
        return items
    return deque(items) if isinstance(x, deque) else tuple(items)
