"""Arguments as trees: numbers in lists, tuples, dicts and arrays, taken apart and rebuilt.

What JAX calls pytrees. A tree's leaves are real numbers and Values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.ops.numbers import is_real
from scalargrad.value import Value

Rebuild = Callable[[Iterator[Any]], Any]


def flatten(tree: Any, where: str) -> tuple[list[Any], Rebuild]:
    """Return the leaves of `tree` and a function that builds the same shape from others.

    Parameters
    ----------
    tree
        Real numbers and Values in lists, tuples (named ones too), dicts and arrays.
    where : str
        What the tree is, for the error message.

    Raises
    ------
    OperandError
        If a leaf is anything else; the message says where in the tree it stands.

    Examples
    --------
    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0}, "an example")
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild(iter([10.0, 20.0, 30.0]))
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    if isinstance(tree, Value) or is_real(tree):
        return [tree], next
    if isinstance(tree, dict):
        return _flatten_children(tree, [(f"{where}[{key!r}]", x) for key, x in tree.items()])
    if isinstance(tree, list | tuple):
        return _flatten_children(tree, [(f"{where}[{i}]", x) for i, x in enumerate(tree)])
    if hasattr(tree, "dtype") and hasattr(tree, "ravel"):
        return _flatten_array(tree, where)
    raise OperandError(
        f"{where} is {tree!r:.60}, of type {type(tree).__name__}: give numbers or Values, or "
        "lists, tuples, dicts and arrays of them"
    )


def _flatten_children(tree: Any, children: list[tuple[str, Any]]) -> tuple[list[Any], Rebuild]:
    parts = [flatten(child, where) for where, child in children]

    def rebuild(leaves: Iterator[Any]) -> Any:
        built = [rebuild_part(leaves) for _, rebuild_part in parts]
        if isinstance(tree, dict):
            return dict(zip(tree, built, strict=True))
        if hasattr(tree, "_fields"):
            return type(tree)(*built)
        return type(tree)(built)

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def _flatten_array(array: Any, where: str) -> tuple[list[Any], Rebuild]:
    """Take an array apart; it is rebuilt as floats, or as objects where Values come back."""
    leaves = array.ravel().tolist()
    for i, leaf in enumerate(leaves):
        flatten(leaf, f"{where}.flat[{i}]")

    def rebuild(replacements: Iterator[Any]) -> Any:
        built = [next(replacements) for _ in leaves]
        kind = object if any(isinstance(x, Value) for x in built) else float
        result = array.astype(kind)
        result.flat = built
        return result

    return leaves, rebuild
