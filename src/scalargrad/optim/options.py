"""Options of parameter groups: checked when given, and read back when saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from scalargrad.errors import DomainError

Group: TypeAlias = dict[str, Any]


def saved_options(group: Mapping[str, Any]) -> Group:
    """Read saved options; JSON turned tuples into lists."""
    return {
        key: tuple(x) if isinstance(x, list) and key != "params" else x for key, x in group.items()
    }


def at_least_zero(group: Group, *options: str) -> None:
    """Raise DomainError if one of these options of a group is negative or not a number."""
    for option in options:
        if option in group and not group[option] >= 0.0:
            raise DomainError(f"{option} is {group[option]}; it cannot be negative")


def fractions(option: str, *numbers: float) -> None:
    """Raise DomainError if one of these numbers is not in [0, 1)."""
    if not all(0.0 <= x < 1.0 for x in numbers):
        raise DomainError(f"{option} is {numbers}; it must be at least 0 and less than 1")
