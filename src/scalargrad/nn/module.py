"""Module: anything made of Parameters and of other modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scalargrad.value import Parameter


class Module:
    """Base class of networks and their parts.

    Parameters and modules assigned to attributes, also inside lists, tuples, dicts and object
    arrays, belong to the module, in the order of assignment. A subclass may override
    `parameters` instead, as micrograd programs do.

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
        for name, value in _walk(self):
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> list[Any]:
        """Return the module's Parameters, each once, in the order of `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; do so before each backward sweep."""
        for parameter in self.parameters():
            parameter.grad = 0.0


def _walk(module: Module) -> Iterator[tuple[str, Any]]:
    """Yield what a module holds, depth first, each object once, under its first path.

    Shared parts and modules that contain themselves therefore take linear time.
    """
    stack: list[tuple[str, Any]] = [("", module)]
    seen: set[int] = set()
    while stack:
        name, part = stack.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part
            prefix = f"{name}." if name else ""
            stack += [(f"{prefix}{key}", x) for key, x in reversed(_children(part))]


def _children(part: Any) -> list[tuple[Any, Any]]:
    if isinstance(part, Module):
        return list(vars(part).items())
    if isinstance(part, dict):
        return list(part.items())
    if isinstance(part, list | tuple):
        return list(enumerate(part))
    if getattr(getattr(part, "dtype", None), "kind", "") == "O":
        return list(enumerate(part.ravel().tolist()))
    return []
