"""State dicts of optimisers: written as plain numbers, and checked before being restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from scalargrad.optim.from_torch import by_numbers, is_by_tensors
from scalargrad.optim.options import Group, plain
from scalargrad.optim.state_columns import StateColumns
from scalargrad.table.validation import counted, number, whole
from scalargrad.value import Value


class Saved(Protocol):
    """The parts of an optimiser that are saved, or that a saved state must fit."""

    @property
    def state(self) -> StateColumns:
        """The state of the rule for each parameter."""

    @property
    def param_groups(self) -> list[Group]:
        """Parameters with their options."""

    @property
    def state_names(self) -> Sequence[str]:
        """The names of the rule's state."""

    @property
    def first_state(self) -> Callable[[Group], tuple[float, ...]]:
        """The state before the first step."""

    @property
    def check(self) -> Callable[[Group], None]:
        """Makes the numbers of a group floats; raises an error if one is out of its range."""


def written(optimizer: Saved) -> dict[str, Any]:
    """Return the state dict of an optimiser, in which parameters are numbered in their order.

    Raises
    ------
    OperandError, DomainError
        If an option that was assigned is no number, or out of its range.
    """
    numbers = optimizer.state.rows
    state = {
        numbers[p]: dict(zip(optimizer.state_names, found, strict=True))
        for p, found in optimizer.state.items()
    }
    groups = [
        plain({**group, "params": [numbers[p] for p in group["params"]]})
        for group in optimizer.param_groups
    ]
    for group in groups:
        optimizer.check(group)
    return {"state": state, "param_groups": groups}


def read(state_dict: Mapping[str, Any], optimizer: Saved) -> tuple[list[Group], dict[Value, Any]]:
    """Return the groups and the state of a state dict, once all of it is seen to fit.

    Raises
    ------
    LookupError, TypeError, ValueError or AttributeError
        If it does not.
    """
    own = optimizer.param_groups
    if is_by_tensors(state_dict) and state_dict["param_groups"]:
        first = [*map(optimizer.first_state, own)]
        state_dict = by_numbers(state_dict, own, optimizer.state_names, first)
    parameters = [p for group in own for p in group["params"]]
    groups = list(state_dict["param_groups"])
    sizes = [len(group["params"]) for group in groups]
    expected = [len(group["params"]) for group in own]
    if sizes != expected:
        raise ValueError(f"it is of groups of {sizes} parameters, these are of {expected}")
    names = optimizer.state_names
    numbers = {_index(i): _state(found, names) for i, found in state_dict["state"].items()}
    if not numbers.keys() <= set(range(len(parameters))):
        raise ValueError(f"it numbers its parameters beyond the {len(parameters)} trained here")
    merged = [_merged(*pair) for pair in zip(own, groups, strict=True)]
    for group in merged:
        optimizer.check(group)
    return merged, {parameters[i]: found for i, found in numbers.items()}


def _merged(own: Group, saved: Group) -> Group:
    """Return the options of a group as saved; JSON turned tuples into lists."""
    if missing := own.keys() - saved.keys() - {"initial_lr"}:
        raise ValueError(f"a group has no {', '.join(sorted(missing))}")
    step = counted(saved["step"], "step")
    return plain({**own, **saved, "params": own["params"], "step": step})


def _state(found: Mapping[str, Any], names: Sequence[str]) -> tuple[float, ...]:
    if found.keys() != set(names):
        raise ValueError(f"its rule remembers {tuple(names)}, not {tuple(found)}")
    return tuple(number(found[name], name, finite=False) for name in names)


def _index(key: Any) -> int:
    """Return the number of a parameter; JSON turned it into text."""
    return whole(int(key) if isinstance(key, str) else key, "the number of a parameter", 0)
