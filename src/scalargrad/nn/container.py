"""Containers of modules, Sequential, ModuleList and ModuleDict; and Flatten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from scalargrad.checks.arguments import check_integer, check_list, check_mapping, check_text
from scalargrad.errors import OperandError
from scalargrad.nn.module import Module
from scalargrad.system.short_repr import format_value

__all__ = ["Flatten", "ModuleDict", "ModuleList", "Sequential"]


class Flatten(Module):
    """Flatten a range of dimensions into one, as PyTorch's Flatten does.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last dimension of the range; negative ones count from the end. The
        default keeps dimension 0, which is that of the batch.

    Examples
    --------
    >>> Flatten(0, 1)([[1.0], [2.0]]), Flatten()([[[1.0, 2.0], [3.0, 4.0]]])
    ([1.0, 2.0], [[1.0, 2.0, 3.0, 4.0]])
    """

    _repr_names = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = (
            check_integer(start_dim, "start_dim"),
            check_integer(end_dim, "end_dim"),
        )

    def forward(self, x: Any) -> Any:
        """Return nested lists in which the range of dimensions is flattened.

        Raises
        ------
        OperandError
            If `x` has too few dimensions, or `start_dim` is after `end_dim`.
        """
        x = x.tolist() if hasattr(x, "tolist") else x
        dimensions = _dimensions(x)
        start, end = (d + dimensions if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < dimensions:
            raise OperandError(
                f"{self!r} does not apply to an input of {dimensions} dimensions; pass a batch, "
                "which is a list of examples"
            )
        return _join_dimensions(x, start, end)


def _dimensions(x: Any) -> int:
    """Return the depth of nested lists, determined from the first item at each level."""
    depth = 0
    while isinstance(x, list | tuple):
        depth, x = depth + 1, x[0] if x else None
    return depth


def _join_dimensions(x: Any, start: int, end: int) -> list[Any]:
    if start:
        return [_join_dimensions(part, start - 1, end - 1) for part in x]
    for _ in range(end):
        x = [item for part in x for item in part]
    return list(x)


class _ModuleContainer(Module):
    """A module whose children are attributes, under their names."""

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            raise OperandError(f"{type(self).__name__} takes modules, not {format_value(module)}")
        if hasattr(self, name):
            raise OperandError(
                f"{type(self).__name__}: the name {name!r} is already in use; choose another name"
            )
        setattr(self, name, module)

    def __len__(self) -> int:
        return len(self.children())


class _ModuleSequence(_ModuleContainer):
    """A sequence of modules, whose names are "0", "1", … by default."""

    def append(self, module: Module) -> Self:
        """Add a module at the end; return this container.

        Examples
        --------
        >>> from scalargrad.nn import ReLU, Tanh
        >>> Sequential(ReLU()).append(Tanh())[-1]
        Tanh()
        """
        self._add(str(len(self)), module)
        return self

    def __iter__(self) -> Iterator[Module]:
        return iter(self.children())

    def __getitem__(self, index: int) -> Module:
        parts = self.children()
        if not -len(parts) <= check_integer(index, "index") < len(parts):
            raise IndexError(f"index is {format_value(index)}, but there are {len(parts)} modules")
        return parts[index]


class Sequential(_ModuleSequence):
    """Apply modules one after another: the output of each is the input of the next.

    Parameters
    ----------
    *modules : Module, or one dict from name to Module
        The modules in order. The default names are "0", "1", ….

    Raises
    ------
    OperandError
        If an item is not a module.

    Examples
    --------
    >>> from scalargrad.nn import Linear, ReLU
    >>> model = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    >>> print(model)
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
      (2): Linear(in_features=3, out_features=1, bias=True)
    )
    >>> len(model), model[1]
    (3, ReLU())
    """

    append = _ModuleSequence.append

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        named: dict[str, Any] = {str(i): module for i, module in enumerate(modules)}
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = modules[0]
        for name, module in named.items():
            self._add(name, module)

    def forward(self, x: Any) -> Any:
        """Apply the modules to `x`, one after another."""
        for module in self:
            x = module(x)
        return x


class ModuleList(_ModuleSequence):
    """A list of modules, which does not define how they are applied.

    Parameters
    ----------
    modules : iterable of Module
        The modules in order. A plain list in an attribute works as well, and its modules have the
        same names in a state.

    Raises
    ------
    OperandError
        If an item is not a module.

    Examples
    --------
    >>> from scalargrad.nn import Linear
    >>> layers = ModuleList(Linear(2, 2) for _ in range(3))
    >>> len(layers), layers[-1]
    (3, Linear(in_features=2, out_features=2, bias=True))
    """

    append = _ModuleSequence.append

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; return this container."""
        for module in check_list(modules, "modules", "modules"):
            self.append(module)
        return self


class ModuleDict(_ModuleContainer):
    """A dict of modules, which does not define how they are applied.

    Parameters
    ----------
    modules : mapping from str to Module
        The modules by name, in order.

    Raises
    ------
    OperandError
        If an item is not a module.

    Examples
    --------
    >>> from scalargrad.nn import ReLU, Tanh
    >>> choices = ModuleDict({"relu": ReLU(), "tanh": Tanh()})
    >>> choices["relu"]([-1.0]), "tanh" in choices, [*choices.keys()]
    ([0.0], True, ['relu', 'tanh'])
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        named = {} if modules is None else check_mapping(modules, "modules", "modules")
        for name, module in named.items():
            self[name] = module

    def items(self) -> list[tuple[str, Module]]:
        """Return pairs of names and modules."""
        return [*self.named_children()]

    def keys(self) -> list[str]:
        """Return the names."""
        return [*dict(self.items())]

    def values(self) -> list[Module]:
        """Return the modules."""
        return self.children()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, name: Any) -> Module:
        return dict(self.items())[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if name in self and isinstance(module, Module):
            setattr(self, name, module)
        else:
            self._add(check_text(name, "the name of a module"), module)
