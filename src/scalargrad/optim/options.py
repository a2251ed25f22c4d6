"""Options of parameter groups, validated where they are given."""

from __future__ import annotations

from typing import Any, TypeAlias

from scalargrad.errors import DomainError, OperandError
from scalargrad.system.one_line import shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import flag, number

Group: TypeAlias = dict[str, Any]


def plain(group: Group) -> Group:
    """Return a group with Python's own numbers, so that no other kind enters a parameter.

    Examples
    --------
    >>> plain({"params": [], "betas": [1, 0], "nesterov": False})
    {'params': [], 'betas': (1.0, 0.0), 'nesterov': False}
    """
    return {key: x if key in {"params", "step"} else _plain(x, key) for key, x in group.items()}


def _plain(x: Any, name: str) -> Any:
    if x.__class__ is float or isinstance(x, bool):
        return x
    if getattr(getattr(x, "dtype", None), "kind", "") == "b":
        return flag(x, name)
    if isinstance(x, list | tuple):
        return tuple(_float(part, name) for part in x)
    return _float(x, name)


def _float(x: Any, name: str) -> Any:
    return number(x, name, finite=False) if is_real(x) and not isinstance(x, bool) else x


def at_least_zero(group: Group, *options: str) -> None:
    """Make these options of a group floats, True 1.0 as well.

    Raises
    ------
    OperandError
        If it is not a number.
    DomainError
        If it is negative, infinite or nan.
    """
    for option in options:
        if option not in group:
            continue
        group[option] = number(group[option], option)
        if group[option] < 0.0:
            raise DomainError(f"{option} is {group[option]}; it cannot be negative")


def flags(group: Group, *options: str) -> None:
    """Raise OperandError if one of these options of a group is neither True nor False."""
    for option in options:
        if option in group:
            flag(group[option], option)


def fractions(group: Group, option: str, count: int | None = None) -> None:
    """Make an option the expected count of floats in [0, 1).

    Raises
    ------
    OperandError
        If it is something else.
    DomainError
        If it is out of its range.
    """
    found = group[option]
    numbers = found if isinstance(found, tuple) else (found,)
    if (count is not None) != isinstance(found, tuple) or len(numbers) != (count or 1):
        wanted = "one number" if count is None else f"{count} numbers, as in (0.9, 0.999)"
        raise OperandError(f"{option} is {shown(found)}; give {wanted}")
    floats = tuple(number(x, option) for x in numbers)
    if not all(0.0 <= x < 1.0 for x in floats):
        raise DomainError(f"{option} is {found}; it must be at least 0 and less than 1")
    group[option] = floats if count is not None else floats[0]
