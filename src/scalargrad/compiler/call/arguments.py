"""Split the arguments of a call into the numbers a program runs on and the key that chooses it.

Numbers (ints too) and Values are traced; the shape around them, and everything that is neither,
is part of the key under which a program is kept.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from enum import Enum
from operator import is_
from types import BuiltinMethodType, FunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.call import Intermediate
from scalargrad.compiler.call.argument_refusals import (
    PLAIN_ARRAYS,
    refuse_attributes,
    refuse_operations,
)
from scalargrad.compiler.call.objects import (
    SIZE,
    Key,
    Visit,
    contents_alike,
    is_size,
    key_of_names,
)
from scalargrad.compiler.call.output import Result
from scalargrad.compiler.guards.memory_order import laid_out, objects_like
from scalargrad.compiler.guards.object_state import attributes, is_record
from scalargrad.compiler.trace.watching import data_of
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real, too_large
from scalargrad.tree import like
from scalargrad.value import Parameter, Value

#: The entry in the key for a number of each type.
NUMBERS: dict[type, int] = {float: 0, int: 0, Value: 1, Result: 1, Intermediate: 1, Parameter: 2}
#: The same for numbers that need no conversion.
_AT_ONCE = {kind: entry for kind, entry in NUMBERS.items() if kind is not int}

#: The type of most arrays, to recognise them quickly.
FLOAT64 = np.dtype(np.float64)

#: The kinds of arrays of numbers: floats, integers, and bools, which count as 0 and 1 there.
_NUMBERS = "fiub"
#: The kinds of arrays whose numbers are traced: these, and objects, among them Values.
_TRACED = _NUMBERS + "O"

#: Tuples of types, which are checked faster than unions: those are built at every call.
_SEQUENCES, _ARRAYS = (list, tuple), (np.ndarray, np.void)
#: Lists at least this long are checked as a whole for holding numbers only.
_MANY = 8
_FLOATS = {float, int, np.float64}
#: Of what types items are taken together, if they are alike.
_TOGETHER = {*NUMBERS, *_FLOATS, list, tuple, dict, np.ndarray}
#: The entry in the key for a list of floats and integers.
_FLOAT = "numbers"


def taken_at_once(args: Iterable[Any]) -> tuple[Key, list[Any]] | None:
    """Return the key and the leaves that `visit` finds, in the common case; None in any other.

    That is of floats, Values, arrays of floats, and of what is taken together in full.
    """
    key: list[Hashable] = []
    leaves: list[Any] = []
    for x in args:
        kind = x.__class__
        if kind in _AT_ONCE:
            key.append(_AT_ONCE[kind])
            leaves.append(x)
        elif kind is np.ndarray and x.dtype is FLOAT64:
            key.append(("array", laid_out(x)))
            leaves.append(x)
        elif kind in _SEQUENCES or kind is dict:
            key.append(key_of_names(x) if kind is dict else (kind, len(x)))
            items = [*x.values()] if kind is dict else x
            if key[-1] is None or _taken_together(items, key, leaves) is not None:
                return None
        else:
            return None
    return tuple(key), leaves


def _taken_together(
    xs: Sequence[Any], key: list[Hashable], leaves: list[Any]
) -> Sequence[Any] | None:
    """Take numbers, and what lists, tuples and dicts alike hold, by passes over all of them.

    Returns the items that are left to be visited; None if there are none.
    """
    while len(xs) >= _MANY and xs[0].__class__ in _TOGETHER:
        kinds = {*map(type, xs)}
        if kinds <= _FLOATS:
            key.append((_FLOAT, len(xs)))
            leaves += floats_of(xs, kinds)
            return None
        if kinds <= NUMBERS.keys():
            one = NUMBERS[xs[0].__class__]
            key += [one] * len(xs) if len(kinds) == 1 else map(NUMBERS.get, map(type, xs))
            leaves += [float_of(x) if type(x) is int else x for x in xs] if int in kinds else xs
            return None
        if kinds == {np.ndarray} and {(x.shape, x.dtype) for x in xs} == {((), FLOAT64)}:
            key.append(("scalars", len(xs)))
            leaves += [x.item() for x in xs]
            return None
        inside = contents_alike(xs, xs[0].__class__) if len(kinds) == 1 else None
        if inside is None:
            break
        key.append(inside[0])
        xs = inside[1]
    return xs


def is_number(x: Any) -> bool:
    """Return whether an argument is a number that is traced; bools and enum members are not."""
    return is_real(x) and not isinstance(x, bool | Enum)


def float_of(x: float) -> float:
    """Return a number as a float; raise TraceError for an integer that no float equals."""
    try:
        number = float(x)
    except OverflowError:
        raise too_large("an argument") from None
    if number != x and number == number:
        raise TraceError(
            f"an argument is {shown(x)}, an integer that no float equals: a compiled function "
            "computes with floats; give a float, or make it static, as in "
            "jit(f, static_argnames='n')"
        )
    return number


def floats_of(xs: Sequence[Any], kinds: Set[type]) -> Sequence[float]:
    """Return numbers of these types as floats, each as `float_of` does."""
    if int not in kinds:
        return xs if kinds == {float} else [*map(float, xs)]
    try:
        found = [*map(float, xs)]
    except OverflowError:
        found = []
    return found if found == [*xs] else [*map(float_of, xs)]  # a new nan among them equals nothing


def float_from(x: Any) -> float:
    """Return a real number as a float; raise TraceError for an integer that no float equals."""
    if isinstance(x, np.longdouble):
        raise _too_long()
    return float_of(int(x)) if isinstance(x, int | np.integer) else float(x)


def visit(x: Any, walk: Visit) -> None:
    """Split an argument: add its numbers to the leaves of a walk, and the rest of it to the key.

    Leaves are floats, Values and arrays. Modules and other objects are walked over.
    """
    kind, key = x.__class__, walk.key
    if kind in NUMBERS:
        key.append(NUMBERS[kind])
        walk.leaves.append(float_of(x) if kind is int else x)
    elif kind in _SEQUENCES or (isinstance(x, _SEQUENCES) and kind is not Table):
        if kind not in _SEQUENCES:
            refuse_attributes(x, walk.where)
        key.append((kind, len(x)))
        _visit_all(x, walk)
    elif kind is dict or isinstance(x, dict):
        if kind is not dict:
            refuse_attributes(x, walk.where)
            walk.whole(x.default_factory if isinstance(x, defaultdict) else None)
        walk.keys(x)
        _visit_all([*x.values()], walk)
    elif isinstance(x, _ARRAYS) and _is_traced(x):
        _visit_array(x, walk)
    elif isinstance(x, Value) or is_number(x):
        refuse_operations(x, walk.where)
        key.append(2 if isinstance(x, Parameter) else int(isinstance(x, Value)))
        walk.leaves.append(x if isinstance(x, Value) else float_from(x))
    elif is_record(kind):
        _visit_record(x, walk)
    else:
        walk.whole(x)


def _visit_record(x: Any, walk: Visit) -> None:
    """Split an object of a dataclass; one that is met again is the same in the recording."""
    if id(x) in walk.records:
        walk.key.append(("record", walk.records[id(x)]))
        return
    walk.records[id(x)] = len(walk.records)
    found, kind = attributes(x), x.__class__
    walk.key.append((kind, *found))
    for part in found.values():
        if is_size(part):
            row = (type(part), *part) if part.__class__ in _SEQUENCES else (part,)
            walk.key.append((SIZE, kind, *row))
        else:
            visit(part, walk)


def _too_long() -> TraceError:
    return TraceError(
        "an argument is or holds a longdouble, which has more digits than a program's float64: "
        "give float(x), or an array by x.astype(float)"
    )


def _is_traced(array: Any) -> bool:
    """Return whether what is in an array is traced; records are refused where they would be."""
    known = array.dtype.kind in _TRACED or array.dtype.names is not None
    return known and (type(array) in PLAIN_ARRAYS or isinstance(array, np.void))


def _visit_all(items: Sequence[Any], walk: Visit) -> None:
    """Split the items of a list."""
    key, leaves = walk.key, walk.leaves
    xs = _taken_together(items, key, leaves)
    if xs is None:
        return
    for x in xs:
        kind = x.__class__
        if kind in _AT_ONCE:  # most are, and a call for each would double the time
            key.append(_AT_ONCE[kind])
            leaves.append(x)
        elif kind in _FLOATS:
            key.append(0)
            leaves.append(float_of(x))
        else:
            visit(x, walk)


def _visit_array(array: Any, walk: Visit) -> None:
    """Split an array: its numbers are traced, and objects are split."""
    if array.dtype.names:
        raise TraceError(
            f"{walk.where} is or holds an array of records, with the fields "
            f"{', '.join(array.dtype.names)}: give its columns, as in {{name: x[name] for name in "
            "x.dtype.names}"
        )
    if array.dtype == np.longdouble:
        raise _too_long()
    if array.dtype.kind in _NUMBERS:
        walk.key.append(("array", laid_out(array)))
        walk.leaves.append(array)
        return
    walk.key.append(("objects", laid_out(array)))
    for item in array.ravel().tolist():
        visit(item, walk)


def code_in(key: Key) -> Iterator[Any]:
    """Yield the classes, functions and modules in a key; code may ask what they hold."""
    for part in key:
        if isinstance(part, tuple):
            yield from (x for x in part[:2] if isinstance(x, _CODE))


_CODE = (type, FunctionType, ModuleType, BuiltinMethodType)


#: Dataclasses and their copies, by the id of the original.
Copies = dict[int, tuple[Any, Any]]


def rebuilt(x: Any, fresh: Iterator[Any], copies: Copies) -> Any:
    """Return an argument with its numbers replaced, in the order in which `visit` found them.

    Objects of other classes than dataclasses are themselves: a recording knows their Values.
    """
    if isinstance(x, Value) or is_number(x):
        return next(fresh)
    if isinstance(x, dict):
        return like(x, [rebuilt(item, fresh, copies) for item in x.values()])
    if isinstance(x, list | tuple) and not isinstance(x, Table):
        return like(x, [rebuilt(item, fresh, copies) for item in x])
    if hasattr(type(x), "dtype") and hasattr(x, "ravel") and not isinstance(x, np.generic):
        return _rebuilt_array(x, fresh, copies)
    return _rebuilt_record(x, fresh, copies) if is_record(x.__class__) else x


def _rebuilt_record(x: Any, fresh: Iterator[Any], copies: Copies) -> Any:
    if id(x) not in copies:
        made, held = object.__new__(type(x)), attributes(x)
        copies[id(x)] = x, made
        for name, part in held.items():
            now = part if is_size(part) else rebuilt(part, fresh, copies)
            object.__setattr__(made, name, now)
        if all(map(is_, held.values(), attributes(made).values())):  # it may be a key in a dict
            copies[id(x)] = x, x
    return copies[id(x)][1]


def _rebuilt_array(x: Any, fresh: Iterator[Any], copies: Copies) -> Any:
    """Return an array with its numbers replaced, or the stand-in for a whole array."""
    if x.dtype.kind in _NUMBERS:
        found = [next(fresh)] if x.size else []
        if found and isinstance(found[0], WholeArray):
            return found[0]
        found += [next(fresh) for _ in range(x.size - 1)]
    elif x.dtype.kind != "O":
        return x.copy()
    else:
        found = [rebuilt(item, fresh, copies) for item in x.ravel().tolist()]
    return objects_like(x, found)


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
        deque(map(float_of, x.ravel().tolist()), maxlen=0)
    return x
