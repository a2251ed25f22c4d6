"""Module: anything made of Parameters and of other modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scalargrad.value import Parameter, Value


class Module:
    """Base class of networks and their parts.

    Parameters and modules assigned to attributes, also inside lists, tuples and dicts, belong
    to the module, in the order of assignment. A subclass may override `parameters` instead,
    as micrograd programs do.

    Examples
    --------
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Parameter(2.0), Parameter(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> [name for name, _ in line.named_parameters()]
    ['slope', 'offset']
    """

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each Parameter once, with its path of attributes, such as ``layers.0.b``.

        Returns
        -------
        iterator of (str, Parameter)
            In the order of assignment, depth first.
        """
        seen: set[int] = set()
        for name, value in _walk(vars(self), ""):
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> list[Any]:
        """Return the module's Parameters, each once, in the order of `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; do so before each backward sweep."""
        for parameter in self.parameters():
            parameter.grad = 0.0


def _walk(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the Values inside modules and containers, depth first, with their paths.

    A module that contains itself is entered once on each path.
    """
    stack: list[tuple[str, Any, frozenset[int]]] = [(path, tree, frozenset())]
    while stack:
        name, part, above = stack.pop()
        if isinstance(part, Value):
            yield name, part
        elif id(part) not in above:
            inside = above | {id(part)}
            prefix = f"{name}." if name else ""
            stack += [(f"{prefix}{key}", x, inside) for key, x in reversed(_children(part))]


def _children(part: Any) -> list[tuple[Any, Any]]:
    if isinstance(part, Module):
        return list(vars(part).items())
    if isinstance(part, dict):
        return list(part.items())
    if isinstance(part, list | tuple):
        return list(enumerate(part))
    return []
