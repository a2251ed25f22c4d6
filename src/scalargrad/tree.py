"""Trees: numbers nested in lists, tuples, dicts, arrays and dataclasses, flattened and rebuilt.

What JAX calls pytrees. A tree's leaves are real numbers and Values.
"""

from __future__ import annotations

import copy
import functools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import is_real
from scalargrad.table.symbol import Symbol
from scalargrad.value import Value

Rebuild = Callable[[Iterator[Any]], Any]

#: The kinds of arrays whose items would become numbers or tuples: dates, intervals and records.
_NO_NUMBERS = "MmV"
#: Checked faster than `list | tuple`, which is built at every call.
_SEQUENCES = (list, tuple)


def flatten(tree: Any, where: str) -> tuple[list[Any], Rebuild]:
    """Return the leaves of `tree` and a function that builds the same shape from others.

    Parameters
    ----------
    tree
        Real numbers and Values in lists, tuples (named ones too), dicts, NumPy arrays and
        dataclasses, in which text and None stay as they are.
    where : str
        What the tree is, for the error message.

    Returns
    -------
    leaves, rebuild
        The leaves in order, and a function that rebuilds the tree from an iterator over
        replacements: numbers, Values or trees.

    Raises
    ------
    OperandError
        If a leaf is anything else; the message says where in the tree it stands.

    Notes
    -----
    Containers are new objects. An array is rebuilt as float64 from numbers, as an array of objects
    from Values, with further axes from arrays, and as a tree of arrays from trees.

    Examples
    --------
    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0}, "an example")
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild(iter([10.0, 20.0, 30.0]))
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    try:
        return _flatten(tree, where)
    except RecursionError as error:
        raise nesting_error([(where, tree)], error) from None


def _flatten(tree: Any, where: str) -> tuple[list[Any], Rebuild]:
    if isinstance(tree, _SEQUENCES):
        if _is_row(tree):
            return _flatten_row(tree)
        parts = [_flatten(x, f"{where}[{i}]") for i, x in enumerate(tree)]
    elif isinstance(tree, Value | Symbol) or is_real(tree):
        return [tree], next
    elif isinstance(tree, dict):
        parts = [_flatten(x, f"{where}[{key!r}]") for key, x in tree.items()]
    elif is_dataclass_object(tree):
        parts = [_flatten(x, f"{where}.{name}") for name, x in fields_of(tree).items()]
    elif is_array(tree) and tree.dtype.kind not in _NO_NUMBERS:
        items = tree.astype(object).flat  # Python's own numbers, or Values
        parts = [_flatten(x, f"{where}.flat[{i}]") for i, x in enumerate(items)]
    else:
        raise OperandError(
            f"{where} is {format_value(tree)}, of type {type(tree).__name__}: give {_instead(tree)}"
        )
    assemble = _assembler(tree)

    def rebuild(leaves: Iterator[Any]) -> Any:
        return assemble([rebuild_child(leaves) for _, rebuild_child in parts])

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def _instead(tree: Any) -> str:
    """Say what to give instead of what is no tree."""
    if has_attribute(tree, "to_numpy"):
        return "x.to_numpy()"
    more = "; what is no number belongs in another argument" if isinstance(tree, str) else ""
    return f"numbers or Values, or lists, tuples, dicts, arrays and dataclasses of them{more}"


def children(tree: Any) -> list[tuple[Any, Any]] | None:
    """Return the parts of a container by key, field or index, in order; None of a number.

    The parts of an array are its rows.
    """
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, list | tuple) or (is_array(tree) and tree.ndim):
        return list(enumerate(tree))
    return list(fields_of(tree).items()) if is_dataclass_object(tree) else None


def nesting_error(named: Iterable[tuple[str, Any]], error: RecursionError) -> Exception:
    """Return the error for the first of some trees that no recursion comes to the end of.

    Parameters
    ----------
    named : iterable of (str, object)
        Trees, and what messages call them.
    error : RecursionError
        Returned if they are as they should be, but the stack was nearly full before.
    """
    for where, tree in named:
        depth = _depth(tree)
        if depth > _DEEP:
            how = (
                "a container in it contains itself: leave that reference out"
                if depth == math.inf
                else f"containers in it are nested {depth} levels deep, and Python's stack has "
                "room for some hundreds: give the numbers in fewer"
            )
            return OperandError(f"cannot take the numbers of {where}: {how}")
    return error


#: Levels of nesting that any stack has room for.
_DEEP = 100


def _depth(tree: Any) -> float:
    """Return the number of levels of a tree, without recursion; infinity if it contains itself."""
    above, done, kept = dict[int, None](), set[int](), list[Any]()
    ahead: list[tuple[Any, bool]] = [(tree, False)]
    deepest = 0
    while ahead:
        x, is_done = ahead.pop()
        if is_done:
            del above[id(x)]
        elif id(x) in above:
            return math.inf
        elif id(x) not in done and (parts := children(x)):
            kept.append(x)  # so that no other object gets its id
            done.add(id(x))
            above[id(x)] = None
            deepest = max(deepest, len(above))
            ahead += [(x, True), *((part, False) for _, part in parts)]
    return deepest


def leaf_names(tree: Any, where: str) -> list[str]:
    """Return a name for each number of a tree, such as ``x[0].scale``."""
    parts = children(tree)
    if parts is None:
        return [where or "x"]
    return [name for key, part in parts for name in leaf_names(part, within(where, key))]


def within(where: str, key: Any) -> str:
    """Return the name of a part: keys and fields after a dot, indices in brackets."""
    if isinstance(key, int):
        return f"{where or 'x'}[{key}]"
    return f"{where}.{key}" if where else str(key)


def is_dataclass(kind: type) -> bool:
    """Return True if a class is a dataclass, of Python's or of attrs'."""
    return has_attribute(kind, "__dataclass_fields__") or has_attribute(kind, "__attrs_attrs__")


def is_dataclass_object(tree: Any) -> bool:
    """Return True if `tree` is an object of a dataclass."""
    return is_dataclass(type(tree))


def fields_of(tree: Any) -> dict[str, Any]:
    """Return what a dataclass holds by name, but for text and None, which stay as they are."""
    return {name: x for name, x in _held(tree) if x is not None and not isinstance(x, str)}


def _held(tree: Any) -> list[tuple[str, Any]]:
    from dataclasses import fields  # loaded by whoever has made a dataclass

    of_attrs: Any = get_attribute(type(tree), "__attrs_attrs__")
    parts = fields(tree) if of_attrs is None else of_attrs
    return [(field.name, getattr(tree, field.name)) for field in parts]


def _record(tree: Any, children: list[Any]) -> Any:
    """Return an object like `tree`, which may be frozen, with other fields; not initialised."""
    found = object.__new__(type(tree))
    others = zip(fields_of(tree), children, strict=True)
    for name, x in (*own_attributes(tree).items(), *_held(tree), *others):
        object.__setattr__(found, name, x)
    return found


def _is_row(tree: Any) -> bool:
    """Return whether a list or tuple holds nothing but floats and Values."""
    return all(kind is float or issubclass(kind, Value) for kind in {*map(type, tree)})


def _flatten_row(tree: Any) -> tuple[list[Any], Rebuild]:
    """Return the items of a list or tuple of nothing but floats and Values, as `flatten` does."""
    count, assemble = len(tree), _assembler(tree)
    return [*tree], lambda leaves: assemble([*islice(leaves, count)])


def replaced(tree: Any, replace: Callable[[Value], Any]) -> Any:
    """Return `tree` with each Value replaced; other leaves may be of any type.

    Examples
    --------
    >>> replaced({"x": Value(2.0), "note": "kept"}, lambda x: x.data)
    {'x': 2.0, 'note': 'kept'}
    """
    try:
        return _replaced(tree, replace)
    except RecursionError as error:
        raise nesting_error([("what is returned", tree)], error) from None


def _replaced(tree: Any, replace: Callable[[Value], Any]) -> Any:
    if isinstance(tree, Value):
        return replace(tree)
    if is_array(tree):
        parts = list(tree.flat) if tree.dtype == object else []
    else:
        parts = [x for _, x in children(tree) or ()]
    if not parts:
        return tree
    others = [_replaced(x, replace) for x in parts]
    kept = all(x is y for x, y in zip(others, parts, strict=True))
    return tree if kept else _assembler(tree)(others)


def like(x: Any, items: Iterable[Any]) -> Any:
    """Return a list, tuple or dict of the type of `x` with other items.

    A dict has the keys of `x`; an object of a derived class is a copy of `x` but for its items.

    Examples
    --------
    >>> like({"w": 1.0, "b": 2.0}, [3.0, 4.0])
    {'w': 3.0, 'b': 4.0}
    """
    kind: Any = type(x)
    found: Any
    if kind in _PLAIN:
        return kind(items) if kind is not dict else dict(zip(x, items, strict=True))
    if isinstance(x, tuple):
        found = tuple.__new__(kind, items)
    else:
        found = copy.copy(x)
        base: Any = list if isinstance(x, list) else dict
        for key, item in zip(range(len(x)) if base is list else x, items, strict=True):
            base.__setitem__(found, key, item)
    if get_attribute(x, "__dict__"):
        found.__dict__ = own_attributes(x)
    return found


#: Containers whose objects hold nothing but their items.
_PLAIN = (list, tuple, dict)


def own_attributes(x: Any) -> dict[str, Any]:
    """Return what an object of a derived class holds beside its items, but cached properties."""
    kind = type(x)
    own: dict[str, Any] = {} if kind in _PLAIN else get_attribute(x, "__dict__", {})
    return own and {
        name: y
        for name, y in own.items()
        if not isinstance(get_attribute(kind, name), functools.cached_property)
    }


def is_object_array(x: Any) -> bool:
    """Return whether `x` is an array of objects; objects of other classes are not touched."""
    return has_attribute(type(x), "dtype") and get_attribute(x.dtype, "kind") == "O"


def is_array(tree: Any) -> bool:
    """Return whether `tree` is a NumPy array."""
    numpy = sys.modules.get("numpy")  # if there is an array, NumPy has been imported
    return numpy is not None and isinstance(tree, numpy.ndarray)


def is_array_scalar(x: Any) -> bool:
    """Return whether `x` is a number of NumPy's, as an array gives it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.generic)


def object_array(items: Sequence[Any]) -> Any:
    """Return an array of objects with one axis, in which a list or an array is one of them."""
    import numpy as np

    return np.fromiter(items, object, len(items))  # looks into none of them


def _assembler(tree: Any) -> Callable[[list[Any]], Any]:
    """Return a function that makes a container like `tree` of children."""
    if isinstance(tree, dict):
        keys = list(tree)
        return lambda children: dict(zip(keys, children, strict=True))
    if type(tree) in _PLAIN:
        return type(tree)
    if isinstance(tree, list | tuple):
        return lambda children: like(tree, children)
    if is_dataclass_object(tree):
        return lambda children: _record(tree, children)
    shape = tree.shape
    return lambda children: _array(children, shape)


def _array(children: list[Any], shape: tuple[int, ...]) -> Any:
    import numpy as np

    if children and all(isinstance(x, np.ndarray) for x in children):
        return np.stack(children).reshape(shape + children[0].shape)
    if children and all(_alike(x, children[0]) for x in children):
        places = _common_places(children[0], children[0]) or ()
        arrays = [_array([x[place] for x in children], shape) for place in places]
        return _assembler(children[0])(arrays)
    if all(is_real(x) for x in children):
        return np.array(children, dtype=float).reshape(shape)
    return object_array(children).reshape(shape)


def _alike(tree: Any, model: Any) -> bool:
    """Return whether two trees are containers of one kind with the same keys or length."""
    return type(tree) is type(model) and _common_places(tree, model) is not None


def flatten_like(tree: Any, model: Any, where: str, like: str) -> list[Any]:
    """Return the leaves of `tree`, in the order of those of `model`, which has its shape.

    Dicts are matched by key; lists, tuples and arrays may stand for one another.

    Parameters
    ----------
    tree, model
        Trees of numbers and Values.
    where, like : str
        What they are, for the error message.

    Raises
    ------
    OperandError
        If their shapes differ; the message says where.

    Examples
    --------
    >>> flatten_like({"b": 2.0, "a": 1.0}, {"a": 0.0, "b": 0.0}, "the tangent", "the primal")
    [1.0, 2.0]
    """
    try:
        return _flatten_like(tree, model, where, like)
    except RecursionError as error:
        raise nesting_error([(where, tree), (like, model)], error) from None


def _flatten_like(tree: Any, model: Any, where: str, like: str) -> list[Any]:
    tree, model = (fields_of(x) if is_dataclass_object(x) else x for x in (tree, model))
    tree, model = (x.tolist() if is_array(x) else x for x in (tree, model))
    if not isinstance(tree, _CONTAINERS) and not isinstance(model, _CONTAINERS):
        return _flatten(tree, where)[0]
    places = _common_places(tree, model)
    if isinstance(places, range) and _is_row(tree) and _is_row(model):
        return [*tree]
    if places is None:
        raise OperandError(
            f"{where} is {format_value(tree)} but {like} is {format_value(model)}: give one number "
            "for each"
        )
    return [
        leaf
        for place in places
        for leaf in _flatten_like(
            tree[place], model[place], f"{where}[{place!r}]", f"{like}[{place!r}]"
        )
    ]


_CONTAINERS = (dict, list, tuple)


def _common_places(tree: Any, model: Any) -> Iterable[Any] | None:
    """Return the keys or indices that two containers share; None unless all are the same."""
    if isinstance(tree, dict) and isinstance(model, dict):
        return list(model) if tree.keys() == model.keys() else None
    if isinstance(tree, list | tuple) and isinstance(model, list | tuple):
        return range(len(model)) if len(tree) == len(model) else None
    return None
