"""Trees: numbers nested in lists, tuples, dicts, arrays and dataclasses, flattened and rebuilt.

JAX calls them pytrees. The leaves of a tree are real numbers and Values:

>>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0}, "an example")
>>> leaves
[1.0, 2.0, 3.0]
>>> rebuild(iter([10.0, 20.0, 30.0]))
{'w': [10.0, 20.0], 'b': 30.0}
"""

from __future__ import annotations

import copy
import functools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from scalargrad.checks.numbers import is_real
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.opdef.symbol import Symbol
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.short_repr import format_value

Rebuild = Callable[[Iterator[Any]], Any]

#: Kinds of NumPy arrays that are not trees: dates, time differences and records.
_NON_NUMERIC_KINDS = "MmV"
#: Types of sequences, as a tuple: `list | tuple` would be built at every call.
_SEQUENCES = (list, tuple)


def flatten(tree: Any, where: str) -> tuple[list[Any], Rebuild]:
    """Return the leaves of `tree` and a function that builds the same shape from others.

    Parameters
    ----------
    tree
        Real numbers and Values in lists, tuples (named ones too), dicts, NumPy arrays and
        dataclasses; text and None in dataclasses are left unchanged.
    where : str
        Name of the tree for the error message.

    Returns
    -------
    leaves, rebuild
        The leaves in order, and a function that rebuilds the tree from an iterator over
        replacements: numbers, Values or trees.

    Raises
    ------
    OperandError
        If a leaf is anything else; the message names its position in the tree.

    Notes
    -----
    Containers are new objects. An array is rebuilt as a float64 array from numbers, as an object
    array from Values, as an array with further axes from arrays, and as a tree of arrays from
    trees.

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
    elif is_array(tree) and tree.dtype.kind not in _NON_NUMERIC_KINDS:
        items = tree.astype(object).flat  # Python's own numbers, or Values
        parts = [_flatten(x, f"{where}.flat[{i}]") for i, x in enumerate(items)]
    else:
        raise OperandError(
            f"{where} is {format_value(tree)}, of type {type(tree).__name__}: give {_remedy(tree)}"
        )
    assemble = _assembler(tree)

    def rebuild(leaves: Iterator[Any]) -> Any:
        return assemble([rebuild_child(leaves) for _, rebuild_child in parts])

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def _remedy(tree: Any) -> str:
    """Return the advice for an object that is not a tree."""
    if has_attribute(tree, "to_numpy"):
        return "x.to_numpy()"
    more = "; pass text in another argument" if isinstance(tree, str) else ""
    return f"numbers or Values, or lists, tuples, dicts, arrays and dataclasses of them{more}"


def children(tree: Any) -> list[tuple[Any, Any]] | None:
    """Return pairs (key, field or index; part) of a container, or None for a leaf.

    The parts of an array are its rows.
    """
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, list | tuple) or (is_array(tree) and tree.ndim):
        return list(enumerate(tree))
    return list(fields_of(tree).items()) if is_dataclass_object(tree) else None


def nesting_error(trees: Iterable[tuple[str, Any]], error: RecursionError) -> Exception:
    """Return the error for the first tree that is nested too deeply to be flattened.

    Parameters
    ----------
    trees : iterable of (str, object)
        Trees, each with its name for the message.
    error : RecursionError
        The original error, returned if no tree is too deep: the stack was nearly full before.
    """
    for where, tree in trees:
        depth = _depth(tree)
        if depth > _MAX_SAFE_DEPTH:
            cause = (
                "a container in it contains itself: leave that reference out"
                if depth == math.inf
                else f"containers in it are nested {depth} levels deep, but Python's stack allows "
                "only some hundreds: use fewer levels"
            )
            return OperandError(f"cannot flatten {where}: {cause}")
    return error


#: Number of nesting levels that never exhausts the stack.
_MAX_SAFE_DEPTH = 100


def _depth(tree: Any) -> float:
    """Return the number of levels of a tree, without recursion; inf if it contains itself."""
    ancestors, visited, alive = dict[int, None](), set[int](), list[Any]()
    stack: list[tuple[Any, bool]] = [(tree, False)]
    deepest = 0
    while stack:
        x, is_finished = stack.pop()
        if is_finished:
            del ancestors[id(x)]
        elif id(x) in ancestors:
            return math.inf
        elif id(x) not in visited and (parts := children(x)):
            alive.append(x)  # so that its id is not reused
            visited.add(id(x))
            ancestors[id(x)] = None
            deepest = max(deepest, len(ancestors))
            stack += [(x, True), *((part, False) for _, part in parts)]
    return deepest


def leaf_names(tree: Any, where: str) -> list[str]:
    """Return a name for each number of a tree, such as ``x[0].scale``."""
    parts = children(tree)
    if parts is None:
        return [where or "x"]
    return [name for key, part in parts for name in leaf_names(part, within(where, key))]


def within(where: str, key: Any) -> str:
    """Return the name of a part: a key or field after a dot, an index in brackets."""
    if isinstance(key, int):
        return f"{where or 'x'}[{key}]"
    return f"{where}.{key}" if where else str(key)


def is_dataclass(kind: type) -> bool:
    """Return True if a class is a dataclass of Python or a class of attrs."""
    return has_attribute(kind, "__dataclass_fields__") or has_attribute(kind, "__attrs_attrs__")


def is_dataclass_object(tree: Any) -> bool:
    """Return True if `tree` is an object of a dataclass."""
    return is_dataclass(type(tree))


def fields_of(tree: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, except those with text or None."""
    return {name: x for name, x in _all_fields(tree) if x is not None and not isinstance(x, str)}


def _all_fields(tree: Any) -> list[tuple[str, Any]]:
    from dataclasses import fields  # already imported if there is a dataclass

    of_attrs: Any = get_attribute(type(tree), "__attrs_attrs__")
    parts = fields(tree) if of_attrs is None else of_attrs
    return [(field.name, getattr(tree, field.name)) for field in parts]


def _copy_dataclass(tree: Any, children: list[Any]) -> Any:
    """Return a copy of a dataclass, frozen or not, with other fields; `__init__` is not called."""
    copied = object.__new__(type(tree))
    others = zip(fields_of(tree), children, strict=True)
    for name, x in (*own_attributes(tree).items(), *_all_fields(tree), *others):
        object.__setattr__(copied, name, x)
    return copied


def _is_row(tree: Any) -> bool:
    """Return True if a list or tuple contains only floats and Values."""
    return all(kind is float or issubclass(kind, Value) for kind in {*map(type, tree)})


def _flatten_row(tree: Any) -> tuple[list[Any], Rebuild]:
    """Flatten a list or tuple that contains only floats and Values."""
    count, assemble = len(tree), _assembler(tree)
    return [*tree], lambda leaves: assemble([*islice(leaves, count)])


def replace_values(tree: Any, replace: Callable[[Value], Any]) -> Any:
    """Return `tree` with each Value replaced; other leaves may be of any type.

    Examples
    --------
    >>> replace_values({"x": Value(2.0), "unit": "mm"}, lambda x: x.data)
    {'x': 2.0, 'unit': 'mm'}
    """
    try:
        return _replace_values(tree, replace)
    except RecursionError as error:
        raise nesting_error([("what is returned", tree)], error) from None


def _replace_values(tree: Any, replace: Callable[[Value], Any]) -> Any:
    if isinstance(tree, Value):
        return replace(tree)
    if is_array(tree):
        parts = list(tree.flat) if tree.dtype == object else []
    else:
        parts = [x for _, x in children(tree) or ()]
    if not parts:
        return tree
    others = [_replace_values(x, replace) for x in parts]
    is_unchanged = all(x is y for x, y in zip(others, parts, strict=True))
    return tree if is_unchanged else _assembler(tree)(others)


def like(x: Any, items: Iterable[Any]) -> Any:
    """Return a list, tuple or dict of the type of `x` with other items.

    A dict has the keys of `x`. If the class of `x` is a derived class, the result is a copy of `x`
    with its attributes.

    Examples
    --------
    >>> like({"w": 1.0, "b": 2.0}, [3.0, 4.0])
    {'w': 3.0, 'b': 4.0}
    """
    kind: Any = type(x)
    copied: Any
    if kind in _BUILTIN_CONTAINERS:
        return kind(items) if kind is not dict else dict(zip(x, items, strict=True))
    if isinstance(x, tuple):
        copied = tuple.__new__(kind, items)
    else:
        copied = copy.copy(x)
        base: Any = list if isinstance(x, list) else dict
        for key, item in zip(range(len(x)) if base is list else x, items, strict=True):
            base.__setitem__(copied, key, item)
    if get_attribute(x, "__dict__"):
        copied.__dict__ = own_attributes(x)
    return copied


#: Containers whose objects have no attributes.
_BUILTIN_CONTAINERS = (list, tuple, dict)


def own_attributes(x: Any) -> dict[str, Any]:
    """Return the attributes of an object of a derived class, except cached properties."""
    kind = type(x)
    own: dict[str, Any] = {} if kind in _BUILTIN_CONTAINERS else get_attribute(x, "__dict__", {})
    return own and {
        name: y
        for name, y in own.items()
        if not isinstance(get_attribute(kind, name), functools.cached_property)
    }


def is_object_array(x: Any) -> bool:
    """Return True if `x` is an object array; no attribute of other objects is read."""
    return has_attribute(type(x), "dtype") and get_attribute(x.dtype, "kind") == "O"


def is_array(tree: Any) -> bool:
    """Return True if `tree` is a NumPy array."""
    numpy = sys.modules.get("numpy")  # already imported if there is an array
    return numpy is not None and isinstance(tree, numpy.ndarray)


def is_array_scalar(x: Any) -> bool:
    """Return True if `x` is a NumPy scalar."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.generic)


def object_array(items: Sequence[Any]) -> Any:
    """Return an object array with one axis; a list or an array among the items is one entry."""
    import numpy as np

    return np.fromiter(items, object, len(items))  # does not convert nested sequences


def _assembler(tree: Any) -> Callable[[list[Any]], Any]:
    """Return a function that builds a container like `tree` from children."""
    if isinstance(tree, dict):
        keys = list(tree)
        return lambda children: dict(zip(keys, children, strict=True))
    if type(tree) in _BUILTIN_CONTAINERS:
        return type(tree)
    if isinstance(tree, list | tuple):
        return lambda children: like(tree, children)
    if is_dataclass_object(tree):
        return lambda children: _copy_dataclass(tree, children)
    shape = tree.shape
    return lambda children: _array(children, shape)


def _array(children: list[Any], shape: tuple[int, ...]) -> Any:
    import numpy as np

    if children and all(isinstance(x, np.ndarray) for x in children):
        return np.stack(children).reshape(shape + children[0].shape)
    if children and all(_have_same_keys(x, children[0]) for x in children):
        keys = _common_keys(children[0], children[0]) or ()
        arrays = [_array([x[key] for x in children], shape) for key in keys]
        return _assembler(children[0])(arrays)
    if all(is_real(x) for x in children):
        return np.array(children, dtype=float).reshape(shape)
    return object_array(children).reshape(shape)


def _have_same_keys(tree: Any, model: Any) -> bool:
    """Return True if two trees are containers of the same type with the same keys or length."""
    return type(tree) is type(model) and _common_keys(tree, model) is not None


def flatten_like(tree: Any, model: Any, where: str, like: str) -> list[Any]:
    """Return the leaves of `tree` in the order of the leaves of `model`, which has the same shape.

    Dicts are matched by key; lists, tuples and arrays are interchangeable.

    Parameters
    ----------
    tree, model
        Trees of numbers and Values.
    where, like : str
        Their names for the error message.

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
    keys = _common_keys(tree, model)
    if isinstance(keys, range) and _is_row(tree) and _is_row(model):
        return [*tree]
    if keys is None:
        raise OperandError(
            f"{where} is {format_value(tree)} but {like} is {format_value(model)}: give one number "
            "for each"
        )
    return [
        leaf
        for key in keys
        for leaf in _flatten_like(tree[key], model[key], f"{where}[{key!r}]", f"{like}[{key!r}]")
    ]


_CONTAINERS = (dict, list, tuple)


def _common_keys(tree: Any, model: Any) -> Iterable[Any] | None:
    """Return the keys or indices of two containers; None if they differ."""
    if isinstance(tree, dict) and isinstance(model, dict):
        return list(model) if tree.keys() == model.keys() else None
    if isinstance(tree, list | tuple) and isinstance(model, list | tuple):
        return range(len(model)) if len(tree) == len(model) else None
    return None
