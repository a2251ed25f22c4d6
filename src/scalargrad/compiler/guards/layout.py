"""Layout: how the objects that a function is given lie, to take others that lie alike for them.

Of ``jit(lambda spring, x: spring.k * x)(Spring(Value(2.0)), 1.5)``: a spring has the attribute `k`,
a Value. Another spring runs the same program with its own `k`, without a walk over all it leads to.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from scalargrad.compiler.guards.comparable import Same, exact_items
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import PLAIN, slots_of
from scalargrad.compiler.guards.refused import is_plain_object
from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.table.operation import Operation
from scalargrad.value import Parameter, Value

_NUMBERS, _OP, _SPACE = {Value, Parameter}, attrgetter("op"), attrgetter("__dict__")
#: What is equal for objects that lie alike, and their Values.
Layout = tuple[tuple[Hashable, ...], list[Value]]


def layout_of(objects: Sequence[Any], around: Surroundings) -> Layout | None:
    """Return how objects lie, given to a function with these surroundings; None if that is rare.

    They may lead to numbers, text, Values without operands, lists, tuples, dicts by name, other
    objects, operations, and what is around the function.
    """
    key: list[Hashable] = [around]
    values: list[Value] = []
    plain: list[Any] = []
    met, outside = dict[int, int](), around.met
    ahead = [*objects]
    for x in ahead:
        kind: Any = x.__class__
        if kind in PLAIN:
            key.append(kind)
            plain.append(x)
        elif kind in _NUMBERS:
            key.append(kind)
            values.append(x)
        elif id(x) in met:
            key.append(met[id(x)])
        elif id(x) in outside or isinstance(x, Operation):
            key.append(Same(x))
        else:
            met[id(x)] = len(met)
            if kind is list and len(kinds := {*map(type, x)}) == 1 and kinds <= _NUMBERS:
                key.append((len(x), *kinds))
                values += x
            elif (found := _inside(x, around)) is not None:
                key.append(found[0])
                ahead += found[1]
            else:
                return None
    ids = {*map(id, values)}
    if len(ids) < len(values) or not outside.keys().isdisjoint(ids):
        return None
    are_bare = not (any(map(_OP, values)) or any(map(_SPACE, values)))
    reads_labels = "label" in around.names.names
    return ((*key, exact_items(plain)), values) if are_bare and not reads_labels else None


def _inside(x: Any, around: Surroundings) -> tuple[Hashable, Iterable[Any]] | None:
    """Return the class of a container or object with what is its own, and what it holds."""
    kind: Any = x.__class__
    if kind in {list, tuple}:
        return (kind, len(x)), x
    if kind is dict and {*map(type, x)} <= {str}:
        return (kind, *x), x.values()
    if _is_free(kind) and (id(kind) in around.met or is_of_library(kind)):
        space, read = x.__dict__, around.read_of(kind)
        names = (*space,) if read is None else [name for name in space if name in read]
        return (kind, *names), [space[name] for name in names]
    return None


@functools.cache
def _is_free(kind: Any) -> bool:
    """Return whether objects of a class are attributes in a dict of their own, and nothing else."""
    return "__dict__" in dir(kind) and not slots_of(kind) and is_plain_object(kind)
