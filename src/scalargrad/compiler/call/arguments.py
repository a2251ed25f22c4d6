"""Split the arguments of a call into the numbers a program runs on and the key that chooses it.

Of ``f([(1.0, 2.0), (3.0, 4.0)])``: all that lies on one level and is of one kind is taken together,
first the list, then the tuples, then the four numbers. What is neither a number nor holds any is
part of the key: of ``f(2.0, "relu", model)`` it says that there is a number, the text, and which
object is given. An object, function or class is around the function that is given it: Values that
it leads to are inputs, and the rest is part of the program.
"""

from __future__ import annotations

import functools
import inspect
from array import array
from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Container,
    Hashable,
    Iterable,
    Iterator,
    MappingView,
    Sequence,
    Set,
)
from contextlib import suppress
from enum import Enum
from itertools import chain, islice, takewhile
from operator import attrgetter, itemgetter
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from scalargrad.checks.numbers import as_float, is_real
from scalargrad.compiler.call.output import Result
from scalargrad.compiler.guards.comparable import exact, is_constant
from scalargrad.compiler.guards.libraries import CLASSES, is_of_library
from scalargrad.compiler.guards.object_state import (
    PLAIN,
    attributes,
    is_object,
    is_record,
    slots_of,
)
from scalargrad.compiler.guards.refused import (
    is_followed,
    is_plain_object,
    misread,
    refusal_of,
)
from scalargrad.compiler.trace.watching import data_of
from scalargrad.engine.multi_output import Intermediate
from scalargrad.engine.tree import is_dataclass, like, nesting_error, object_array
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import TraceError
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.short_repr import format_value

SPACE = attrgetter("__dict__")
#: The type of most arrays, to recognise them quickly.
FLOAT64 = np.dtype(np.float64)
_LAYOUT, _SINGLE = attrgetter("shape", "dtype"), {((), FLOAT64)}

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]
#: Types of which objects that are equal are the same.
_TOLD_BY_TYPE = PLAIN - {float, complex}
#: The first part of a key's entry for integers that dataclasses hold.
_SIZE = "size"
#: In a key, what stands for each object that is given.
_OBJECT = "object"
#: The kinds of arrays of numbers: floats, integers, and bools, which count as 0 and 1 there.
_NUMBERS = "fiub"
#: Kinds of NumPy's arrays without rules or attributes of their own.
PLAIN_ARRAYS = (np.ndarray, np.memmap)
#: More items on one level of nested containers are taken for those of one that contains itself.
_MOST = 10**7


class Walk:
    """One walk over arguments, level by level.

    Parameters
    ----------
    function : callable, optional
        The function that is called, for messages.

    Attributes
    ----------
    key : list
        The parts of the key.
    leaves : list
        The numbers, Values and arrays outside objects, in the order in which they are taken.
    objects : list
        The objects, as often as they are given.
    given : int or str
        The position or name of the argument that is looked at.
    types : list of type or None
        The types of the numbers, and of those in arrays, if they are noted.
    given_attributes : set of str
        With them, the names of attributes that users gave to Values.
    """

    given: int | str = 0
    types: list[type] | None = None

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self._function = function
        self.key: list[Hashable] = []
        self.leaves: list[Any] = []
        self.objects: list[Any] = []
        self.given_attributes: set[str] = set()
        self._met: dict[type, list[Any]] = {}  # dataclasses, by class

    def take_one(self, x: Any) -> None:
        """Take an argument."""
        kind = KINDS[type(x)]
        self.key.append(kind)
        kind.take_one(x, self)

    def take(self, xs: Sequence[Any], types: Set[type] = frozenset()) -> None:
        """Take what lies on one level, of these types: what is of one kind together."""
        types = types or {*map(type, xs)}
        if len(types) == 1 or len({*map(KINDS.__getitem__, types)}) == 1:
            kind = KINDS[type(xs[0])]
            self.key.append((len(xs), kind))
            if kind is NUMBERS:
                self.leaves += _floats(xs, types)
                self.note_types(xs)
            else:
                kind.take(xs, self)
        else:
            kinds = [*map(KINDS.__getitem__, map(type, xs))]
            self.key.append((*kinds,))
            for kind, part in _parts(xs, kinds):
                kind.take(part, self)

    def note_types(self, xs: Iterable[Any]) -> None:
        """Note the types of some numbers, and the names of attributes that Values were given."""
        if self.types is not None:
            for x in xs:
                kind: Any = type(x)
                self.types.append(
                    x.dtype.type if kind in PLAIN_ARRAYS else _OF_RESULTS.get(kind, kind)
                )
                if isinstance(x, Value):
                    self.given_attributes.update(x.__dict__)

    def new(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the dataclasses, of one class, that were not met before; one is the same again."""
        met = self._met.setdefault(type(records[0]), [])
        first = len(met)
        met += records
        if len(set(map(id, met))) == len(met):
            return records
        place = {id(x): k for k, x in [*enumerate(met)][::-1]}
        self.key.append(("met", *[place[id(x)] for x in records]))
        return [x for k, x in enumerate(records, first) if place[id(x)] == k]

    # What has no numbers that are traced ------------------------------------------------------

    @property
    def where(self) -> str:
        """The name of the argument that is looked at, for messages."""
        if self._function is None:
            return "an argument"
        name = self.given
        if isinstance(name, int):
            with suppress(TypeError, ValueError, IndexError):  # a builtin, or one of *args
                return f"the argument {[*inspect.signature(self._function).parameters][name]}"
            name += 1
        return f"the argument {name}"

    def constants(self, xs: Sequence[Any]) -> None:
        """Note what has no numbers that are traced, plain objects in one entry."""
        if {*map(type, xs)} <= _TOLD_BY_TYPE:
            self.key.append((*xs, *map(type, xs)))
        else:
            for x in xs:
                self.whole(x)

    def names(self, dicts: Sequence[dict[Any, Any]]) -> None:
        """Note the keys of dicts, once if all have the same texts."""
        first, names = [*dicts[0]], [*chain.from_iterable(dicts)]
        if {*map(type, names)} <= {str} and names == first * len(dicts):
            self.key.append(("names", *first))
        else:
            for x in dicts:
                self.constants([*x])

    def whole(self, x: Any) -> None:
        """Note a constant by its value, else an object."""
        may_hold = type(get_attribute(x, "__dict__")) is dict  # attributes of the user's
        leads_to_code = callable(x) or may_hold or not is_of_library(type(x))
        if is_constant(x):
            self.key.append(exact(x))
        elif isinstance(x, tuple | frozenset) and not is_object(x):
            self.key.append((type(x), len(x)))
            for part in x:
                self.whole(part)
        elif isinstance(x, MethodType):  # which is new whenever it is read
            self.key.append((MethodType, x.__func__))
            self.whole(x.__self__)
        elif type(x) in PLAIN_ARRAYS and not x.dtype.hasobject:
            self.key.append((type(x), x.dtype, x.shape, x.tobytes()))
        elif is_object(x) or (leads_to_code and not isinstance(x, ModuleType | BuiltinMethodType)):
            if not (is_followed(x) and is_object(x)):
                refuse_array(x, self.where)
            if not is_followed(x) and (is_object(x) or callable(x)):
                raise TraceError(f"a compiled function {refusal_of(self.where, x)}")
            self.key.append(_OBJECT)
            self.objects.append(x)
        else:
            refuse_constant(x, self.where)
            self.key.append(exact(x))


_FLOAT: set[type] = {float}
#: Classes of the results of compiled functions, as eager code has them.
_OF_RESULTS: dict[type, type] = {Result: Value, Intermediate: Value}


class Fresh(NamedTuple):
    """Replacements: numbers in the order of a walk, and copies of dataclasses by id."""

    numbers: Iterator[Any]
    copies: dict[int, Any]


class Kind:
    """A kind of argument, taken apart into key and numbers, and rebuilt from other numbers.

    This one is all that has no other: constants and objects, and numbers of rare types.

    Parameters
    ----------
    of : type

    Attributes
    ----------
    is_record : bool
        Whether they are dataclasses, and all that one holds is in its ``__dict__``.
    """

    is_record = False

    def __init__(self, of: Any) -> None:
        self.of = of

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        """Add the numbers in arguments to the leaves of a walk, all else about them to its key."""
        if {*map(type, xs)} <= _TOLD_BY_TYPE or not any(map(is_leaf, xs)):
            walk.constants(xs)
            return
        for x in xs:
            if is_leaf(x):
                refuse_operations(x, walk.where)
                walk.key.append(int(isinstance(x, Value)))
                walk.leaves.append(x if isinstance(x, Value) else float_from(x))
                walk.note_types([x])
            else:
                walk.whole(x)

    def take_one(self, x: Any, walk: Walk) -> None:
        """Do so with a single one."""
        self.take([x], walk)

    def rebuilt(self, xs: Sequence[Any], fresh: Fresh) -> Sequence[Any]:
        """Return arguments of this kind with their numbers replaced; see `rebuilt`."""
        return [next(fresh.numbers) if is_leaf(x) else x for x in xs]


class _Numbers(Kind):
    """Plain numbers."""

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        walk.leaves += _floats(xs, {*map(type, xs)})
        walk.note_types(xs)

    def take_one(self, x: Any, walk: Walk) -> None:
        walk.leaves.append(x if type(x) is float else strict_float(x))
        walk.note_types([x])

    def rebuilt(self, xs: Sequence[Any], fresh: Fresh) -> Sequence[Any]:
        return [*islice(fresh.numbers, len(xs))]


class _Values(_Numbers):
    """Values, or Parameters."""

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        walk.leaves += xs
        walk.note_types(xs)

    def take_one(self, x: Any, walk: Walk) -> None:
        walk.leaves.append(x)
        walk.note_types([x])


class _Containers(Kind):
    """Lists, tuples or dicts."""

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self._is_dict = issubclass(of, dict)
        self._may_hold_more = "__dict__" in dir(of) or bool(slots_of(of))

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        if self._may_hold_more:
            for x in xs:
                refuse_attributes(x, walk.where)
        if self._is_dict:
            walk.names(xs)
        else:
            lengths, first = [*map(len, xs)], len(xs[0])
            walk.key.append(first if lengths.count(first) == len(xs) else (*lengths,))
        walk.take(self.inside(xs))

    def take_one(self, x: Any, walk: Walk) -> None:
        if self._may_hold_more or self._is_dict:
            self.take([x], walk)
        else:
            walk.key.append(len(x))
            walk.take(x)

    def rebuilt(self, xs: Sequence[Any], fresh: Fresh) -> Sequence[Any]:
        items = iter(rebuilt(self.inside(xs), fresh))
        return [like(x, islice(items, len(x))) for x in xs]

    def inside(self, xs: Sequence[Any]) -> Sequence[Any]:
        return _in_a_row([x.values() for x in xs] if self._is_dict else xs)


class _Records(Kind):
    """Objects of a dataclass; integers in it are sizes or counts, and part of the key."""

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self.is_record = not slots_of(of)
        self._slots = () if "__dict__" in dir(of) else slots_of(of)  # which hold all

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        for name, some, held in self._columns(walk.new(xs)):
            types = {*map(type, held)}
            walk.key.append((name, len(some)))
            if types.isdisjoint(_MAY_BE_SIZES) or not any(map(_is_size, held)):
                walk.take(held, types)
                continue
            sizes = [str(x) if _is_size(x) else None for x in held]
            walk.key.append((_SIZE, self.of, *sizes))
            if left := [x for x in held if not _is_size(x)]:
                walk.take(left)

    def rebuilt(self, xs: Sequence[Any], fresh: Fresh) -> Sequence[Any]:
        copies = fresh.copies
        new = [x for i, x in {id(x): x for x in xs}.items() if i not in copies]
        copies.update((id(x), object.__new__(self.of)) for x in new)
        for name, some, held in self._columns(new):
            made = iter(rebuilt([x for x in held if not _is_size(x)], fresh))
            for x, before in zip(some, held, strict=True):
                now = before if _is_size(before) else next(made)
                copy = copies[id(x)]
                if self.is_record:  # whatever descriptor its class has of that name
                    copy.__dict__[name] = now
                else:
                    object.__setattr__(copy, name, now)
        return [copies[id(x)] for x in xs]

    def inside(self, xs: Sequence[Any]) -> Iterable[Any]:
        return chain.from_iterable(held for _, _, held in self._columns(xs))

    def _columns(self, xs: Sequence[Any]) -> list[tuple[str, Sequence[Any], list[Any]]]:
        """Return the names of attributes, each with the objects that have it and what they hold.

        Those of all objects are taken together if they are the same.
        """
        if self._slots:
            with suppress(AttributeError):  # one has no content
                return [(name, xs, [*map(attrgetter(name), xs)]) for name in self._slots]
        spaces = [*map(SPACE if self.is_record else attributes, xs)]
        if len({*map(len, spaces)}) == 1:
            with suppress(KeyError):  # other names
                return [(name, xs, [*map(itemgetter(name), spaces)]) for name in spaces[0]]
        return [column for x in xs for column in self._columns([x])]


class _Arrays(Kind):
    """Arrays: their numbers are traced, and their objects taken."""

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        if {*map(_LAYOUT, xs)} == _SINGLE:
            walk.key.append(())
            walk.leaves += map(float, xs)
            walk.note_types(xs)
            return
        for x in xs:
            self.take_one(x, walk)

    def take_one(self, x: Any, walk: Walk) -> None:
        if x.dtype is FLOAT64 or (x.dtype.kind in _NUMBERS and x.dtype.itemsize <= _LONG):
            walk.key.append(x.shape)
            walk.leaves.append(x)
            walk.note_types([x])
        elif x.dtype.hasobject:
            walk.key.append(("objects", x.shape))
            walk.take(x.ravel().tolist())
        else:
            refuse_array(x, walk.where)
            walk.whole(x)

    def rebuilt(self, xs: Sequence[Any], fresh: Fresh) -> Sequence[Any]:
        return [_rebuilt_array(x, fresh) for x in xs]

    def inside(self, xs: Sequence[Any]) -> Iterable[Any]:
        return chain.from_iterable(x.ravel().tolist() for x in xs if x.dtype.hasobject)


class _Objects(Kind):
    """Objects of a user's class, which the function is given itself."""

    def take(self, xs: Sequence[Any], walk: Walk) -> None:
        walk.objects += xs


NUMBERS, VALUES, PARAMETERS = _Numbers(float), _Values(Value), _Values(Parameter)
_OTHERS = Kind(object)


class _Kinds(dict[type, Kind]):
    """The kinds of arguments, by type."""

    def __missing__(self, kind: Any) -> Kind:
        found: Kind = _OTHERS
        if issubclass(kind, Value) and not operator_of(kind):
            found = PARAMETERS if issubclass(kind, Parameter) else VALUES
        elif issubclass(kind, list | tuple | dict) and kind is not ParameterMatrix:
            found = _Containers(kind)
        elif kind in PLAIN_ARRAYS or issubclass(kind, np.void):
            found = _Arrays(kind)
        elif is_record(kind):
            found = _Records(kind)
        elif is_plain_object(kind) and not is_dataclass(kind):
            found = _Objects(kind)
        self[kind] = found
        return found


KINDS = _Kinds({float: NUMBERS, int: NUMBERS, np.float64: NUMBERS})
#: The types of numbers that need no conversion.
AT_ONCE = {float, Value, Parameter, Result, Intermediate}


def _parts(xs: Sequence[Any], kinds: Sequence[Kind]) -> Iterator[tuple[Kind, Sequence[Any]]]:
    """Yield the arguments of each kind on a level."""
    for kind in dict.fromkeys(kinds):
        yield kind, [x for x, y in zip(xs, kinds, strict=True) if y is kind]


def _in_a_row(parts: Sequence[Collection[Any]]) -> Sequence[Any]:
    """Return all that several containers hold.

    Raises
    ------
    RecursionError
        If that is more than memory can hold, as of a list of a hundred times itself.
    """
    if len(parts) == 1:
        return parts[0] if type(parts[0]) is list else [*parts[0]]
    if sum(map(len, parts)) > _MOST:
        raise RecursionError("an argument contains itself")
    return [*chain.from_iterable(parts)]


def rebuilt(xs: Sequence[Any], fresh: Fresh) -> list[Any]:
    """Return what lies on one level with its numbers replaced, in the order of `Walk.take`.

    Objects of other classes than dataclasses are themselves: a recording knows their Values.
    """
    kinds = [KINDS[type(x)] for x in xs]
    made = {kind: iter(kind.rebuilt(part, fresh)) for kind, part in _parts(xs, kinds)}
    return [next(made[kind]) for kind in kinds]


def replaced(
    args: Sequence[Any],
    kwargs: dict[str, Any],
    static: Collection[int | str],
    numbers: Iterator[Any],
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call, by position and by name, with their numbers replaced."""
    fresh = Fresh(numbers, {})
    try:
        positional = [x if k in static else rebuilt([x], fresh)[0] for k, x in enumerate(args)]
        named = {k: x if k in static else rebuilt([x], fresh)[0] for k, x in kwargs.items()}
    except RecursionError as error:
        pairs = [*enumerate(args, 1), *kwargs.items()]
        raise nesting_error([(f"the argument {k}", x) for k, x in pairs], error) from None
    return positional, named


def _rebuilt_array(x: Any, fresh: Fresh) -> Any:
    """Return an array with its numbers replaced, or the stand-in for a whole array."""
    if x.dtype.hasobject:
        return object_array(rebuilt(x.ravel().tolist(), fresh)).reshape(x.shape)
    if x.dtype.kind not in _NUMBERS:
        return x.copy()
    found = [*islice(fresh.numbers, min(x.size, 1))]
    if x.ndim == 0 or (found and isinstance(found[0], np.ndarray)):
        return found[0]
    return object_array([*found, *islice(fresh.numbers, max(x.size - 1, 0))]).reshape(x.shape)


def types_of_leaves(call: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the types of the numbers among the arguments of a call, in the order of a walk.

    Last, the names of attributes that users gave to the Values among them.
    """
    compiled, args, kwargs, *_ = call
    walk = Walk()
    found: list[type] = []
    walk.types = found
    for name, x in chain(enumerate(args), kwargs.items()):
        if name not in compiled.static:
            walk.take_one(x)
    return (*found, frozenset(walk.given_attributes))


def require_no_alias(around: Container[int], call: tuple[Any, ...]) -> None:
    """Raise TraceError if an argument is around the function, or two are one list.

    Lists, tuples, dicts, arrays and dataclasses among arguments are copies while a function is
    recorded, in which traced numbers stand for the given ones. What it closes over is the object
    itself. Of ``jit(lambda a: 2.0 if a is base else 1.0)(base)``, code asks which one it is.
    """
    compiled, args, kwargs, _, _, objects = call
    itself = {*map(id, objects)}
    ahead = [x for x in (*args, *kwargs.values()) if id(x) not in itself]
    met, given = set[int](), len(ahead)
    for place, x in enumerate(ahead):
        kind: Any = KINDS[type(x)]
        if not isinstance(kind, _COPIED) or x is _EMPTY:
            continue
        # A batch may hold a pair twice; a dataclass has one copy.
        may_be_twice = isinstance(kind, _Records) or (place >= given and type(x) is tuple)
        if id(x) in around or (id(x) in met and not may_be_twice):
            how = "that it also reads by a name" if id(x) in around else "twice"
            raise TraceError(
                f"{compiled!r} is called with a {type(x).__name__} {how}, and its code compares "
                "objects by `is`, which differs in a program, where each argument is a copy: pass "
                "it once, as in jit(lambda x: f(x, x)), or capture it, as in "
                "jit(lambda x: f(object, x))"
            )
        if id(x) not in met:
            met.add(id(x))
            ahead += [y for y in kind.inside([x]) if type(y) not in _NOT_COPIED]


#: What the function that is recorded is given copies of, and most of what it is not.
_COPIED, _NOT_COPIED = (_Containers, _Records, _Arrays), PLAIN | {Value}
#: The tuple that holds nothing, of which there is one.
_EMPTY: Any = ()


def misread_in(call: tuple[Any, ...]) -> Iterator[str]:
    """Yield what the function asks of the arguments of a call that a number answers otherwise.

    Static arguments, text, flags and defaults answer for themselves.
    """
    compiled, args, kwargs, *_ = call
    function = compiled.__wrapped__
    shift = isinstance(function, MethodType)
    if not isinstance(function := get_attribute(function, "__func__", function), FunctionType):
        return
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    by_position = dict(enumerate(names[shift:]))
    traced = [
        by_position.get(name, name)
        for name, x in (*enumerate(args), *kwargs.items())
        if name not in compiled.static and _is_traced(x)
    ]
    yield from misread(function, {*names} - {*traced})


def _is_traced(x: Any) -> bool:
    """Return True if an argument is a number, or an array of numbers or objects."""
    return is_leaf(x) or isinstance(KINDS[type(x)], _Arrays)


def size_changed(key: Key, other: Key) -> list[str]:
    """Return the class of a dataclass if what differs first is an integer that such ones hold."""
    pair: list[Any] = next(([x, y] for x, y in zip(key, other, strict=False) if x != y), [])
    are_sizes = all(isinstance(x, tuple) and x[:1] == (_SIZE,) for x in pair)
    return [f"an integer of {x[1].__name__}" for x in pair[:1] if are_sizes]


def code_in(key: Key) -> Iterator[Any]:
    """Yield the user's classes and the functions and modules in a key: code may ask these."""
    for part in key:
        for x in part if isinstance(part, tuple) else (part,):
            code = x.of if isinstance(x, Kind) else x
            if isinstance(code, _CODE) and not (isinstance(code, type) and is_of_library(code)):
                yield code


_CODE = (type, FunctionType, ModuleType, BuiltinMethodType)


# Numbers ------------------------------------------------------------------------------------------


def is_leaf(x: Any) -> bool:
    """Return whether an argument is a Value, or a number: no bool, and no member of an enum."""
    return isinstance(x, Value) or (is_real(x) and not isinstance(x, bool | Enum))


#: Types of what a dataclass may hold that is a size.
_MAY_BE_SIZES = {int, list, tuple}


def _is_size(x: Any) -> bool:
    """Return whether what a dataclass holds is an integer, or a row of these: sizes and counts."""
    kind: type = type(x)
    return kind is int or (kind in _MAY_BE_SIZES and {*map(type, x)} == {int})


def strict_float(x: float) -> float:
    """Return a number as a float; raise TraceError for an integer that no float equals."""
    number = as_float(x, "an argument")
    if number != x and number == number:
        raise TraceError(
            f"an argument is {format_value(x)}, an integer that is not equal to any float, but "
            "compiled functions compute with floats: pass a float, or make it static, as in "
            "jit(f, static_argnames='n')"
        )
    return number


def _floats(xs: Sequence[Any], kinds: Set[type]) -> Sequence[float]:
    """Return numbers of these types as floats, each as `strict_float` does."""
    if int not in kinds:
        return xs if kinds == _FLOAT else [*map(float, xs)]
    try:
        found = [*map(float, xs)]
    except OverflowError:
        found = []
    same = found == (xs if type(xs) is list else [*xs])
    return found if same else [*map(strict_float, xs)]  # a new nan among them equals nothing


def float_from(x: Any) -> float:
    """Return a real number as a float; raise TraceError for an integer that no float equals."""
    refuse_array(x, "an argument")
    return strict_float(int(x)) if isinstance(x, int | np.integer) else float(x)


#: The size in bytes of integers that a float may not hold exactly, and the last of those it does.
_LONG, _LAST = 8, 1 << 53


def number_of(x: Any) -> Any:
    """Return a leaf as a number, or as an array of numbers.

    Raises
    ------
    TraceError
        If no float equals an integer in the array.
    """
    if isinstance(x, Value):
        return data_of(x)
    is_long = hasattr(x, "ravel") and x.dtype.kind in "iu" and x.dtype.itemsize == _LONG
    if is_long and x.size and max(x.max().item(), -x.min().item()) > _LAST:
        deque(map(strict_float, x.ravel().tolist()), maxlen=0)
    return x


# What an argument may not be or hold, and what to give instead ------------------------------------


def refuse_constant(x: Any, where: object) -> None:
    """Refuse what cannot be part of the key of a program.

    Raises
    ------
    TraceError
        For iterators, which can be read only once, for views of other containers, and for what
        cannot be hashed.
    """
    refuse_array(x, where)
    why = "a program can read only once" if isinstance(x, Iterator | MappingView) else ""
    try:
        hash(x)
    except (TypeError, ValueError):  # the latter of a memoryview that can be written to
        why = "cannot be hashed"
    if why:
        raise TraceError(
            f"{where} is or contains a {type(x).__name__}, which {why}: pass a list or dict, for a "
            "static argument a tuple, frozenset or bytes, or let the function capture it"
        )


def refuse_array(x: Any, where: object) -> None:
    """Refuse an array that is not NumPy's, of records or longdoubles, or of a class of its own."""
    kind = type(x)
    ours = kind in PLAIN_ARRAYS or isinstance(x, np.generic)
    is_long = ours and x.dtype.kind == "f" and x.dtype.itemsize > _LONG
    of = x.dtype if ours and (x.dtype.names or is_long) else None
    is_array = has_attribute(x, "__array__") or isinstance(x, memoryview | array)
    if of is None and (ours or not is_array):
        return
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    name += "" if of is None else f" of the type {of}"
    raise TraceError(
        f"{where} is or contains a {name}: compiled functions take NumPy arrays of numbers of up "
        "to 64 bits; pass numpy.asarray(x, float), for a table the columns, "
        "{name: numpy.asarray(x[name]) for name in …}, for a masked array x.filled(0.0)"
    ) from None


def refuse_attributes(x: Any, where: object) -> None:
    """Refuse a list, tuple or dict of a derived class that holds more than its items."""
    kind = type(x)
    cached = functools.cached_property
    own = [name for name in attributes(x) if not isinstance(get_attribute(kind, name), cached)]
    if own:
        raise TraceError(
            f"{where} is or contains a {kind.__name__} with attributes in addition to its items "
            f"({', '.join(own)}), which are not part of a program: pass them as separate "
            "arguments, or write a class that has the items in an attribute"
        )


def refuse_operations(x: Any, where: object) -> None:
    """Refuse a number whose class defines operators, since a program would use Value's."""
    kind: Any = type(x)
    name = operator_of(kind)
    if name is not None:
        raise TraceError(
            f"{where} is or contains a {type(x).__name__}, whose {name} a compiled function does "
            "not use, because each number of its arguments is a plain Value: pass a plain number, "
            "and write a function for the operation"
        )


@functools.lru_cache(CLASSES)
def operator_of(kind: type) -> str | None:
    """Return the name of an operator that a user's class of numbers defines, if there is one."""
    own = takewhile(lambda x: not is_of_library(x), kind.__mro__)
    return next((name for x in own for name in vars(x) if name in _OPERATORS), None)


_OPERATORS = {
    name for name, x in vars(Value).items() if name.startswith("__") and callable(x)
} & vars(float).keys() - {"__init__", "__new__", "__repr__", "__str__", "__hash__", "__format__"}
