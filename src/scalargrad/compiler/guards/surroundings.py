"""Surroundings: all that a function's code can reach, walked over in one order.

Of ``jit(lambda x: rate * model(x))``: `rate`, `model`, and what these lead to. The walk gives a
key, which is equal for surroundings that a program cannot tell apart, the Values in order, which
are its inputs, and a flat list of what to read again at each call (`rereading`).
"""

from __future__ import annotations

import builtins
import inspect
import sys
from abc import get_cache_token
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import chain, count, repeat
from operator import attrgetter, not_
from types import FunctionType, ModuleType
from typing import Any

from scalargrad.compiler.guards import edges
from scalargrad.compiler.guards.comparable import (
    LEVELS,
    Same,
    exact,
    exact_items,
    is_read_whole,
    itself,
)
from scalargrad.compiler.guards.libraries import (
    CLASSES,
    is_library_function,
    is_library_module,
    is_of_library,
)
from scalargrad.compiler.guards.names_read import (
    IS,
    NamesRead,
    imported,
    is_special,
)
from scalargrad.compiler.guards.object_state import (
    BOUND,
    GENERIC_ALIASES,
    PLAIN,
    attributes,
    bound_parts,
    has_followed_attributes,
    is_own,
    is_stateful,
    own_space,
    slots_of,
)
from scalargrad.compiler.guards.refused import (
    changing_calls,
    clocks_of_dates,
    clocks_of_numpy,
    counters_of_caches,
    is_followed,
    is_plain_object,
    is_read,
    matched_values,
    misread,
    names_of_variables,
    refusal_of,
    settings_read,
    states_of_locks,
)
from scalargrad.compiler.guards.rereading import Rereading
from scalargrad.engine.tree import is_array, is_dataclass, is_object_array
from scalargrad.engine.value import Parameter, Value
from scalargrad.nn.sparse import ParameterMatrix, Touched
from scalargrad.opdef.operation import Operation
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.process import collector_paused

#: The owner of a variable, a name or an attribute, and what it is called there.
Place = tuple[Any, Hashable]
#: What is equal for objects that lie alike, and their Values.
Layout = tuple[tuple[Hashable, ...], list[Value]]

_BUILTINS = vars(builtins)
_FACTORY = attrgetter("default_factory")
_DEFAULTS = ("__defaults__", "__kwdefaults__")
_CODE, _LABEL = attrgetter("__code__"), attrgetter("label")
_LAYOUT, _ITEMS_OF_ARRAY = attrgetter("shape", "dtype"), attrgetter("flat")
_OF_DEFAULTS = attrgetter(*_DEFAULTS)
_OF_PARTIAL = attrgetter("func", "args", "keywords")
_CELL, _OP, _SPACE = attrgetter("cell_contents"), attrgetter("op"), attrgetter("__dict__")
_NUMBERS = {Value, Parameter}
#: What code names that asks whether there is an attribute, such as one that is added to a Value.
_ASKS = {"getattr", "hasattr", "vars", "__dict__", "AttributeError", "Exception"}
#: What asks which object one is. ``id`` is left out: the text of any dataclass asks for it.
_ASKS_WHICH = {IS, "is_"}
#: So many tokens are near the roots of a walk.
_NEAR = 256


#: What Python keeps of a class or function besides its code.
_TEXTS = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__match_args__")
_BASES = attrgetter("__bases__")
#: What prints the name of a class.
_PRINTING = {"str", "repr", "print", "ascii"}


@cache
def _text(name: str) -> Any:
    """Return a function that returns an attribute of a class or function as text."""
    is_made = name == "__annotations__"  # by Python when it is asked of a class that has none
    return lambda x: repr(
        vars(x).get(name) if is_made and isinstance(x, type) else getattr(x, name, None)
    )


#: What asks for the classes of an object, to which `ABC.register` adds.
_ASKS_CLASS = {"isinstance", "issubclass", "singledispatch"}


def _registered(_: Any) -> Hashable:
    """Return a token that changes when `ABC.register` is called, of any class."""
    return get_cache_token()


def _may_be_decimal(x: Any) -> bool:
    """Return True for decimal numbers, their class and module, whose results have a context."""
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return False
    return x is decimal or x is decimal.Decimal or type(x) in (decimal.Decimal, decimal.Context)


def _decimal_context(x: Any) -> Hashable:
    """Return a context itself, or that in which decimal numbers are rounded, as text."""
    decimal = sys.modules["decimal"]
    return repr(x if isinstance(x, decimal.Context) else decimal.getcontext())


def _with_slots(x: Any) -> Iterable[Any]:
    return chain.from_iterable(attributes(x).items())


class Surroundings:
    """The surroundings of some code: all that it can reach, as it is now.

    Parameters
    ----------
    roots : iterable
        Functions, and classes for the sake of the methods called with them.
    names : NamesRead
        What earlier walks from these roots have found that code reads, to be added to.
    objects : sequence
        What the function is given besides, if that is objects.

    Attributes
    ----------
    key : tuple
        What a program depends on.
    values : list of Value
        The Values, each once, whose numbers are inputs.
    aliases : dict from int to int, or None
        The identities of all of it, if the code would tell it from a copy.
    refusal : str or None
        What the code reads that cannot be compared, as the end of a sentence.
    are_unchanged : callable
        Tells whether everything is as it was.
    """

    def __init__(self, roots: Iterable[Any], names: NamesRead, objects: Sequence[Any] = ()) -> None:
        self.roots, self.names, self.objects = [*roots, *objects], names, objects
        walk = walked(self.roots, self.names)
        self.met, self.kept, self.values = walk.met, walk.kept, walk.values
        self.key, self._tables = (*walk.tokens,), walk.tables
        self.refusal = next(self._refusals(walk), None)
        self.are_unchanged = walk.rereading.comparison()
        self.aliases = walk.met if walk.asks_which else None
        self.count, self.read_of = self.names.count(), walk.read_of

    def missed(self, values: Sequence[Value]) -> Value | None:
        """Return the first of some Values to which nothing leads that the walk has met."""
        known = {*map(id, self.values)}
        left = [x for x in values if id(x) not in known]
        of_tables = {id(x) for table in self._tables for row in table for x in row} if left else ()
        return next((x for x in left if id(x) not in of_tables), None)

    def change_since(self, key: tuple[Hashable, ...]) -> list[str]:
        """Return the name of the first thing that differs from surroundings with this key."""
        pairs = enumerate(zip(key, self.key, strict=False))
        first = next((k for k, (x, y) in pairs if x != y), min(len(key), len(self.key)))
        walk = Walk(self.roots, self.names, most=first)
        if walk.place is not None:
            return [named(walk.place)]
        name = get_attribute(walk.last, "__name__", "")
        return [f"the {type(walk.last).__name__} {name} given".replace("  ", " ")]

    def layout(self, objects: Sequence[Any]) -> Layout | None:
        """Return how objects lie that the function is given; None if that is rare.

        Of ``jit(lambda spring, x: spring.k * x)(Spring(Value(2.0)), 1.5)``: a spring has the
        attribute `k`, a Value. Another spring runs the same program with its own `k`, without a
        walk over all it leads to.

        They may lead to numbers, text, Values without operands, lists, tuples, dicts by name, other
        objects, operations, and what is around the function.
        """
        key: list[Hashable] = [self]
        values: list[Value] = []
        plain: list[Any] = []
        met = dict[int, int]()
        ahead = [*objects]
        for x in ahead:
            kind: Any = type(x)
            if kind in PLAIN:
                key.append(kind)
                plain.append(x)
            elif kind in _NUMBERS:
                key.append(kind)
                values.append(x)
            elif id(x) in met:
                key.append(met[id(x)])
            elif id(x) in self.met or isinstance(x, Operation):
                key.append(Same(x))
            else:
                met[id(x)] = len(met)
                if kind is list and len(kinds := {*map(type, x)}) == 1 and kinds <= _NUMBERS:
                    key.append((len(x), *kinds))
                    values += x
                elif (found := self._inside(x)) is not None:
                    key.append(found[0])
                    ahead += found[1]
                else:
                    return None
        ids = {*map(id, values)}
        if len(ids) < len(values) or not self.met.keys().isdisjoint(ids):
            return None
        are_bare = not (any(map(_OP, values)) or any(map(_SPACE, values)))
        reads_labels = "label" in self.names.names
        return ((*key, exact_items(plain)), values) if are_bare and not reads_labels else None

    def _inside(self, x: Any) -> tuple[Hashable, Iterable[Any]] | None:
        """Return the class of a container or object with what is its own, and what it holds."""
        kind: Any = type(x)
        if kind in {list, tuple}:
            return (kind, len(x)), x
        if kind is dict and {*map(type, x)} <= {str}:
            return (kind, *x), x.values()
        has_space = is_plain_object(kind) and not slots_of(kind)
        if has_space and (id(kind) in self.met or is_of_library(kind)):
            space, read = x.__dict__, self.read_of(kind)
            names = (*space,) if read is None else [name for name in space if name in read]
            return (kind, *names), [space[name] for name in names]
        return None

    def _refusals(self, walk: Walk) -> Iterator[str]:
        """Yield what is read that cannot be followed, or answers otherwise from call to call."""
        for place, x in walk.unfollowed:
            if place is not None and is_read(*place, self.names):
                yield refusal_of(named(place), x)
        for function in walk.functions:
            yield from changing_calls(function)
            yield from matched_values(function)
        yield from states_of_locks(walk.kept, walk.functions)
        yield from counters_of_caches(walk.names, walk.kept)
        yield from clocks_of_dates(walk.names, walk.kept, walk.functions)
        yield from clocks_of_numpy(walk.names, walk.kept, walk.functions)
        yield from names_of_variables(walk.names)
        for root in self.roots[1:]:  # of the first, the arguments of a call are known
            if isinstance(function := get_attribute(root, "__func__", root), FunctionType):
                yield from misread(function)


def _is_variable(place: Place | None, x: Any) -> bool:
    """Return True if a place is a variable of a function, and holds an object itself."""
    function, name = place or (None, None)
    if not isinstance(function, FunctionType):
        return False
    if isinstance(name, int):
        return edges.variables(function).get(name) is x
    return function.__globals__.get(str(name)) is x or sys.modules.get(str(name)) is x


def named(place: Place) -> str:
    """Return the name of a variable, a name or an attribute for a message."""
    owner, name = place
    if isinstance(owner, FunctionType):
        if isinstance(name, int):
            return f"the variable {owner.__code__.co_freevars[name]}"
        if name in _DEFAULTS:
            return f"a default of {owner.__name__}"
        return str(name) if "." in str(name) else f"the global {name}"
    if not isinstance(name, str):  # what is measured of an object, or all of it
        return f"a {type(owner).__name__}"
    whose = owner if isinstance(owner, type | ModuleType) else type(owner)
    return f"{whose.__name__}.{name}"


@collector_paused()
def walked(roots: Sequence[Any], names: NamesRead, **how: Any) -> Walk:
    """Walk until no more names are found: each may lead to code that names others.

    Most are found near the roots, so the first walks end there, unless names were found before.
    """
    most = None if names.names else _NEAR
    while True:
        known = names.count()
        walk = Walk(roots, names, most=most, **how)
        if names.count() == known:
            if not walk.is_cut:
                return walk
            most = None


class Walk:
    """One walk over all that some roots lead to, in preorder.

    What is met again is noted by its number.

    Parameters
    ----------
    names : NamesRead
        What code is known to read, to be added to.
    most : int, optional
        After so many tokens it stops; `last` is then what the next one is of, and `place` where
        that comes from.
    closed : tuple of type
        What is not looked into; without, containers of numbers and text are taken as a whole.

    Attributes
    ----------
    kept : list
        What was met, but for numbers and text.
    is_cut : bool
        Whether it ended before all was met.
    holders : list of (object, edges.Edge, Place or None)
        What of that holds others, by which edge, and where it was come by; None for a root.
    asks_which : bool
        Whether code asks by ``is`` which object one is.
    """

    def __init__(
        self,
        roots: Sequence[Any],
        names: NamesRead,
        *,
        most: int | None = None,
        closed: tuple[type, ...] = (),
    ) -> None:
        self._closed = closed
        self.holders: list[tuple[Any, edges.Edge, Place | None]] = []
        self._members_named = edges.of_modules(names.names)
        self.names = names
        self.tokens: list[Hashable] = []
        self.values: list[Value] = []
        self.met: dict[int, int] = {}
        self.kept: list[Any] = []
        self.functions: list[FunctionType] = []
        self.unfollowed: list[tuple[Place | None, Any]] = []
        self.tables: list[ParameterMatrix] = []
        self.rereading = Rereading()
        self.place: Place | None = None
        self.last: Any = None
        self.read_of = names.reader()
        self._reads_labels = "label" in names.names
        self._asks = not _ASKS.isdisjoint(names.names)
        self.asks_which = not _ASKS_WHICH.isdisjoint(names.names)
        self._levels = 1 if self.asks_which else LEVELS
        #: What to go on to, and the place where it was come by.
        self._ahead: list[tuple[Any, Place | None]] = []
        self._push_inside(roots)
        self._run(most)
        self.is_cut = bool(self._ahead)

    def _run(self, most: int | None) -> None:
        ahead, tokens, met = self._ahead, self.tokens, self.met
        while ahead and (most is None or len(tokens) <= most):
            x, self.place = ahead.pop()
            self.last = x
            kind = type(x)
            if kind in PLAIN:
                tokens.append(exact(x))
                continue
            known = met.get(id(x))
            if known is not None:
                tokens.append(known)
                continue
            met[id(x)] = len(met)
            if not issubclass(kind, self._closed):
                self._enter(x)

    def _enter(self, x: Any) -> None:
        """Note something that is met for the first time, and go on to what it leads to."""
        self.kept.append(x)
        kind: Any = type(x)
        if _is_users_object(kind):  # most, at once
            self.tokens.append((kind,))
            self._attributes(x)
            self._ahead.append((kind, self.place))
        elif isinstance(x, Value):
            self._value(x)
        elif isinstance(x, ParameterMatrix):
            self.tokens.append(itself(x))
            self.tables.append(x)
            self._hold(x, edges.ITEMS)
        elif isinstance(x, BOUND):
            self._bound(x)
        elif isinstance(x, edges.CONTAINERS) and (type(x) in _PLAIN_CONTAINERS or is_followed(x)):
            self._container(x)
        elif has_attribute(kind, "dtype") and has_attribute(
            x, "tobytes"
        ):  # NumPy's, and others alike
            self._array(x)
        else:
            self._object(x)

    def _hold(self, x: Any, edge: edges.Edge) -> None:
        """Note an object that holds others, and how."""
        self.holders.append((x, edge, self.place))

    def _push(self, owner: Any, parts: Mapping[Any, Any]) -> None:
        """Go on to what an owner holds under these names."""
        self._ahead += [(x, (owner, name)) for name, x in parts.items()][::-1]

    def _push_inside(self, parts: Sequence[Any]) -> None:
        """Go on to what is inside something, under the name of that."""
        if not self._are_closed(parts):
            self._ahead += [*zip(parts, repeat(self.place))][::-1]

    def _are_closed(self, parts: Iterable[Any]) -> bool:
        """Return whether some things lead to nothing that a snapshot holds."""
        if not self._closed:
            return False
        return all(issubclass(x, self._closed) for x in {*map(type, parts)} - PLAIN)

    def _note_asked(self, x: Any) -> None:
        """Note what looks names up, or cannot be followed."""
        self.names.note(x)
        if not is_followed(x):
            self.unfollowed.append((self.place, x))

    # Values and containers --------------------------------------------------------------------

    def _value(self, x: Value) -> None:
        self.tokens.append((type(x), x.op is None))
        self.values.append(x)
        if self._reads_labels:
            self._fact(_LABEL, x)
        if type(x) not in _NUMBERS or x.__dict__ or self._asks:
            if is_of_library(type(x)):
                self._hold(x, edges.OF_VALUE)
                self._named_attributes(x)
            else:
                self._attributes(x)
                self._class(x)

    def _container(self, x: Any) -> None:
        if isinstance(x, dict):
            if isinstance(x, defaultdict):
                self.rereading.part(_FACTORY, x)
                self._push_inside([x.default_factory])
            self._dict(x)
        elif not self._closed and is_read_whole(x, self._levels):
            key = exact_items(x)
            self.tokens.append((type(x), key))
            self.rereading.whole(x, key)
        else:
            self._items(x, [*x])
        self._hold(x, edges.ITEMS)
        if type(x) not in _PLAIN_CONTAINERS:
            self._beside(x)

    def _items(self, x: Any, items: list[Any]) -> None:
        self.tokens.append((type(x), len(items)))
        if self._are_closed(items):
            return
        self.rereading.items(x, items)
        if not self._takes_values(items):
            self._push_inside(items)
        if isinstance(x, set | frozenset):
            self._look_up(items)
            self.tokens += [Same(y) for y in items if is_stateful(type(y))]  # in the order of ids

    def _takes_values(self, items: list[Any]) -> bool:
        """Note items at once, as `_value` does, if all are Values met for the first time."""
        if not {*map(type, items)} <= _NUMBERS or self._reads_labels or self._asks:
            return False
        ids = dict(zip(map(id, items), count(len(self.met)), strict=False))
        if len(ids) < len(items) or not self.met.keys().isdisjoint(ids) or any(map(_SPACE, items)):
            return False
        self.tokens += zip(map(type, items), map(not_, map(_OP, items)), strict=True)
        self.met |= ids
        self.kept += items
        self.values += items
        return True

    def _dict(self, x: Mapping[Any, Any]) -> None:
        keys, items = [*x], [*x.values()]
        self.tokens.append((type(x), len(keys)))
        self.rereading.items(x, items)
        self._push_inside(items)
        if {*map(type, keys)} <= PLAIN:
            self.tokens.append(tuple(map(exact, keys)))
        elif type(x) is not Touched:
            self._look_up(keys)
            self._push_inside(keys)

    def _look_up(self, keys: Iterable[Any]) -> None:
        """Note what is found by its hash: Values by which very ones they are."""
        for key in keys:
            if isinstance(key, Value):
                self.tokens.append(Same(key))
            elif isinstance(key, tuple | frozenset):
                self._look_up(key)

    def _bound(self, x: Any) -> None:
        self._note_asked(x)
        self.tokens.append((type(x),))
        self._push_inside(bound_parts(x))
        if isinstance(x, partial):
            self.rereading.held(_OF_PARTIAL, x)
            self._attributes(x)
        self._hold(x, edges.PARTS)
        self._class(x)

    def _array(self, x: Any) -> None:
        of_objects = is_object_array(x)
        then = b"" if of_objects or self._closed else x.tobytes()
        self.tokens.append((type(x), *_LAYOUT(x), then))
        self.rereading.fact(_LAYOUT, x)
        if of_objects:
            self.rereading.held(_ITEMS_OF_ARRAY, x)
            self._push_inside(x.ravel().tolist())
        else:
            self.rereading.array(x, then)
        if is_array(x):
            self._hold(x, edges.ITEMS)
            self._beside(x)
        else:
            self._instance(x)

    def _beside(self, x: Any) -> None:
        """Go on to what a container or array of a class of its own holds besides its items."""
        kind: Any = type(x)
        if "__dict__" in dir(kind) or slots_of(kind):
            self._attributes(x)
        self._class(x)

    # Objects, functions and classes -----------------------------------------------------------

    def _object(self, x: Any) -> None:
        """Note what an object is, and go on to all that it leads to.

        Another one of a user's class that leads to the same is as good.
        """
        self._note_asked(x)
        kind: Any = type(x)
        if _may_be_decimal(x):
            self._fact(_decimal_context, x)
        are_alike = is_stateful(kind) and has_followed_attributes(kind)
        self.tokens.append((kind,) if are_alike else itself(x))
        if isinstance(x, FunctionType):
            self._function(x)
        elif isinstance(x, ModuleType):
            if not is_library_module(x):
                self._module(x)
                self._class(x)
        elif not isinstance(x, type):
            self._instance(x)
        elif not is_of_library(x):
            self._members(x)

    def _module(self, x: ModuleType) -> None:
        """Go on to members of a user's module: those that code names, or all but special ones."""
        space = vars(x)
        names = ["__getattr__", *self.names.names]
        is_named = _is_variable(self.place, x) and id(x) not in self.names.modules
        is_whole = self.names.unnamed and not is_named
        if is_whole:
            names += [name for name in space if not is_special(name)]
            self._fact(len, space)
        self._names_in(x, space, names)
        self._hold(x, edges.of_modules(dict.fromkeys(names)) if is_whole else self._members_named)

    def _instance(self, x: Any) -> None:
        kind: Any = type(x)
        if edges.holds_functions(x):
            self.rereading.held(edges.functions_of, x)
            self._push_inside(edges.functions_of(x))
            if edges.is_function_of_arrays(kind) and own_space(x):
                self._attributes_beside(x)
        elif is_of_library(kind) and edges.is_wrapper(x):
            self._wrapper(x)
        elif has_followed_attributes(kind):
            self._attributes(x)
        elif get_attribute(x, "__dict__") is own_space(x):
            self._attributes_beside(x)
        if isinstance(x, GENERIC_ALIASES):
            self._push_inside([get_attribute(x, "__origin__")])
        self._class(x)

    def _function(self, x: FunctionType) -> None:
        if x.__closure__:
            self._variables(x)
        if is_own(x):  # those of the table are taken as they are
            return
        self._hold(x, edges.FUNCTION_ATTRIBUTES)
        self._named_attributes(x)
        self._texts(x)
        if x.__defaults__ or x.__kwdefaults__:
            self.rereading.held(_OF_DEFAULTS, x)
            self._push(x, dict(zip(_DEFAULTS, _OF_DEFAULTS(x), strict=True)))
        if "registry" in vars(x):  # of singledispatch
            self._fact(_registered, x)
        if not is_library_function(x):
            self._globals(x)
            if names := imported(x.__code__, x.__globals__.get("__package__") or ""):
                found = {name: sys.modules[name] for name in names if name in sys.modules}
                self.names.modules.update(map(id, found.values()))
                self._names_in(x, sys.modules, names, builtins_too=True)

    def _class(self, x: Any) -> None:
        """Go on to the class of an object, if it is a user's."""
        if not is_of_library(type(x)):
            self._push_inside([type(x)])

    def _fact(self, measure: Any, x: Any) -> None:
        """Note something about an object."""
        found = measure(x)
        self.tokens.append(found if isinstance(found, Hashable) else repr(found))
        self.rereading.fact(measure, x)

    def _globals(self, function: FunctionType) -> None:
        """Go on to what the names in a function's code stand for."""
        self.functions.append(function)
        self._hold(function, edges.GLOBALS)
        names = self.names.note_code(function.__code__)
        self.names.note_modules(function.__code__, function.__globals__)
        self._names_in(function, function.__globals__, names, builtins_too=True)
        if not _ASKS_CLASS.isdisjoint(names):
            self._fact(_registered, function)
        for module, name in settings_read(function):
            self._names_in(module, vars(module), [name])
        self._fact(_CODE, function)
        self._fact(len, vars(function))

    def _names_in(
        self, owner: Any, space: Mapping[str, Any], names: Iterable[str], builtins_too: bool = False
    ) -> None:
        """Go on to names in a namespace, and note which of them it lacks."""
        found = dict.fromkeys(names)
        present = {name: space[name] for name in found if name in space}
        lacking = [name for name in found if name not in space]
        self.rereading.names(space, [*present], lacking)
        own = isinstance(owner, FunctionType) and space is vars(owner)
        prefix = f"{owner.__name__}." if own else ""
        self.tokens.append((*present, None, *lacking) if builtins_too else (*present,))
        self._push(owner, {prefix + name: x for name, x in present.items()})

    def _variables(self, function: FunctionType) -> None:
        held = edges.variables(function)
        self._hold(function, edges.VARIABLES)
        for i, cell in enumerate(function.__closure__ or ()):
            if i in held:
                self.rereading.part(_CELL, cell)
            else:
                self._fact(edges.is_empty, cell)
        names = function.__code__.co_freevars
        self.names.note_modules(function.__code__, {names[i]: x for i, x in held.items()})
        self._push(function, held)

    def _named_attributes(self, x: Any) -> None:
        """Go on to those attributes of a function, wrapper or Value that code names."""
        space = vars(x)
        computed = self.names.unnamed and not isinstance(x, Operation)  # which adds some itself
        every = computed or (self._asks and isinstance(x, Value))
        self._names_in(x, space, [*space] if every else [n for n in space if n in self.names.names])
        if every:
            self._fact(len, space)
            self.rereading.part(_SPACE, x)

    def _wrapper(self, x: Any) -> None:
        """Go on to what wraps a function, such as a compiled function or a cache."""
        if not isinstance(x, Operation):  # which works some of them out
            self._hold(x, edges.FUNCTION_ATTRIBUTES)
        self._named_attributes(x)
        self.rereading.held(edges.wrapped, x)
        self._push_inside(edges.wrapped(x))
        if isinstance(x, edges.CACHES):  # what it has kept, and when it is cleared
            self._hold(x, edges.KEPT)
            self._fact(len, vars(x))
            self._fact(edges.times_cleared, x)
            self.rereading.fact(edges.count_kept, x)
            self._ahead += [(y, (y, None)) for y in edges.kept_by(x).values()]

    def _members(self, kind: type) -> None:
        """Go on to the members of a class that code names, and those that Python asks for."""
        read = self.read_of(kind)
        space = vars(kind)
        methods = [name for name, x in [*space.items()] if edges.functions_of(x)]
        members = [*edges.data_of(kind), *methods]
        chosen = [x for x in dict.fromkeys(members) if read is None or x in read or is_special(x)]
        self._hold(kind, edges.MEMBERS)
        others = [x for x in space if not is_special(x) and (read is None or x in read)]
        self.rereading.names(space, [*dict.fromkeys([*chosen, *others])])
        self.tokens.append((*chosen,))
        self._fact(len, space)
        made = _MADE if is_dataclass(kind) else ()
        followed = [x for x in chosen if x not in made or not _is_generated(space[x])]
        self._fact(_BASES, kind)
        self.rereading.fact(type, kind)
        self._texts(kind)
        self._push_inside([*kind.__bases__, type(kind)])
        self._push(kind, {name: space[name] for name in followed})

    def _texts(self, x: Any) -> None:
        """Note the name, text and annotations of a class or function, if code reads any."""
        known = self.names.names
        names = [name for name in _TEXTS if name in known]
        names += ["__annotations__"] if "get_type_hints" in known else []
        names += ["__match_args__"] if self.names.unnamed and "__match_args__" in vars(x) else []
        if not _PRINTING.isdisjoint(self.names.attributes):
            names += ["__qualname__", "__module__"]
        for name in names:
            self._fact(_text(name), x)

    def _attributes(self, x: Any) -> None:
        self._hold(x, edges.ATTRIBUTES)
        own, space = attributes(x), get_attribute(x, "__dict__")
        if own is not space:
            self.tokens.append((*own,))
            self.rereading.fact(type, x)
            self.rereading.held(_with_slots, x)
            self._push(x, dict(own))
            return
        read = self.read_of(type(x))
        names = (*own,) if read is None else tuple([name for name in [*own] if name in read])
        self.tokens.append(names)
        parts = {name: own[name] for name in names}
        if not self._are_closed(parts.values()):
            in_order = self.names.unnamed
            self.rereading.attributes(x, own, names, read, in_order=in_order)
            self._push(x, parts)

    def _attributes_beside(self, x: Any) -> None:
        """Go on to attributes with names that code reads, of an object that has hidden state."""
        own, held = own_space(x), edges.BESIDE.read(x)
        read = frozenset(held if self.names.unnamed else self.names.attributes)
        names = tuple([name for name in held if name in read])
        self._hold(x, edges.BESIDE)
        self.tokens.append(names)
        self.rereading.attributes(x, own, names, read)
        self._push(x, {name: own[name] for name in names})


@lru_cache(CLASSES)
def _is_users_object(kind: Any) -> bool:
    """Return whether objects of a class are a user's, known by their attributes."""
    return is_plain_object(kind) and not is_of_library(kind)


#: Methods that `dataclass` and attrs make, and that read nothing but the fields of two objects.
_MADE = {"__eq__", "__hash__", "__repr__", "__lt__", "__le__", "__gt__", "__ge__"}
_MADE |= {"__ne__", "__getstate__", "__setstate__", "__replace__"}
_MADE |= {"__setattr__", "__delattr__"}  # of a frozen one, which ask by `is` for the class


def _is_generated(method: Any) -> bool:
    """Return True if `dataclass` or attrs has made a method."""
    code = getattr(inspect.unwrap(method), "__code__", None)
    made_by_dataclass = str(getattr(code, "co_qualname", "")).startswith("__create_fn__.")
    return made_by_dataclass or getattr(code, "co_filename", "").startswith("<attrs generated")


#: What holds nothing besides its items.
_PLAIN_CONTAINERS = {list, tuple, dict, set, frozenset, deque}
