"""Options of groups, checked, and what rules remember, read from states."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import counted, flag, fraction, number

Group: TypeAlias = dict[str, Any]

# Options --------------------------------------------------------------------------------------


def _fractions(x: Any, name: str) -> tuple[float, ...]:
    if not isinstance(x, list | tuple) or len(x) != 2:  # JSON has turned tuples into lists
        raise OperandError(f"{name} is {shown(x)}; give 2 numbers, as in (0.9, 0.999)")
    return tuple(fraction(part, f"{name}[{i}]") for i, part in enumerate(x))


#: The check of each option; all others are a user's, and stay as they are.
_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(
        ("lr", "initial_lr", "eps", "weight_decay", "momentum"), partial(number, low=0.0)
    ),
    **dict.fromkeys(("lr_decay", "initial_accumulator_value"), partial(number, low=0.0)),
    **dict.fromkeys(("amsgrad", "centered", "maximize", "nesterov"), flag),
    "dampening": number,
    "alpha": fraction,
    "betas": _fractions,
}


def checked(group: Group) -> Group:
    """Return a group with Python's own numbers as options, True as 1.0.

    Raises
    ------
    OperandError, DomainError
        If an option is of another kind, or out of its range.

    Examples
    --------
    >>> checked({"params": [], "lr": 1, "betas": [0.5, 0], "nesterov": False})
    {'params': [], 'lr': 1.0, 'betas': (0.5, 0.0), 'nesterov': False}
    """
    return {name: _OPTIONS[name](x, name) if name in _OPTIONS else x for name, x in group.items()}


# Saved states ---------------------------------------------------------------------------------

#: State that is kept only where an option is set.
_ONLY_WITH = {"max_exp_avg_sq": "amsgrad", "grad_avg": "centered", "momentum_buffer": "momentum"}


def kept_names(names: Sequence[str], group: Group) -> list[str]:
    """Return which of the names of a rule's state stand for what a group remembers.

    Examples
    --------
    >>> kept_names(("exp_avg", "max_exp_avg_sq"), {"amsgrad": False})
    ['exp_avg']
    """
    return [x for x in names if x not in _ONLY_WITH or group.get(_ONLY_WITH[x], True)]


def read(
    state_dict: Mapping[str, Any], optimizer: Any
) -> tuple[list[Group], dict[str, array[float]]]:
    """Return the groups and the columns of a state dict, once all of it is seen to fit.

    Raises
    ------
    LookupError, TypeError, ValueError or AttributeError
        If it does not fit.
    """
    states = {int(x): state for x, state in state_dict["state"].items()}  # JSON makes them text
    groups, columns = [], {name: array("d") for name in optimizer.state_names}
    for own, saved in zip(optimizer.param_groups, state_dict["param_groups"], strict=True):
        group = _merged(own, saved)
        optimizer.check(group)
        groups.append(group)
        start = dict(zip(columns, optimizer.first_state(group), strict=True))
        names, trained = kept_names(optimizer.state_names, group), len(own["params"])
        rows = [states.pop(i, {}) for i in saved["params"]]
        if len(rows) != trained:
            raise ValueError(f"a group has {len(rows)} parameters, and {trained} are trained here")
        for row in rows:
            if row and not {*names} <= row.keys() <= start.keys():
                raise ValueError(f"its rule remembers {', '.join(names)}, not {', '.join(row)}")
            for name, column in columns.items():
                column.append(number(row.get(name, start[name]), name, finite=False))
    if states:
        raise ValueError(f"it has a state of {shown(next(iter(states)))}, which is in no group")
    return groups, columns


def _merged(own: Group, saved: Mapping[str, Any]) -> Group:
    """Return the options of a group as saved."""
    names = {*own, "initial_lr"} & saved.keys()
    if missing := own.keys() - names - {"initial_lr"}:
        raise ValueError(f"a group has no {', '.join(sorted(missing))}")
    options = {name: saved[name] for name in names}
    return {**own, **options, "params": own["params"], "step": counted(saved["step"], "step")}
