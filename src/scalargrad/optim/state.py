"""Options of groups, checked, and what rules remember, read from states and written for PyTorch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count, groupby, islice
from typing import Any, TypeAlias

from scalargrad.errors import OperandError, StateError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value
from scalargrad.table.validation import count_from_state, flag, fraction, number

Group: TypeAlias = dict[str, Any]

# Options --------------------------------------------------------------------------------------


def _fractions(x: Any, name: str) -> tuple[float, ...]:
    if not isinstance(x, list | tuple) or len(x) != 2:  # JSON has turned tuples into lists
        raise OperandError(f"{name} is {format_value(x)}; give 2 numbers, as in (0.9, 0.999)")
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
    """Return the names of a rule's state that a group keeps, by its options.

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

    It is ours, with a state for each number, or PyTorch's, with one for each tensor.

    Raises
    ------
    LookupError, TypeError, ValueError or AttributeError
        If it does not fit.
    """
    states = dict(state_dict["state"])
    states = {int(x) if isinstance(x, str) else x: state for x, state in states.items()}  # of JSON
    groups, columns = [], {name: array("d") for name in optimizer.state_names}
    for own, saved in zip(optimizer.param_groups, state_dict["param_groups"], strict=True):
        entries = [states.pop(i, {}) for i in saved["params"]]
        groups.append(_merged(own, saved, entries))
        optimizer.check(groups[-1])
        start = dict(zip(columns, optimizer.first_state(groups[-1]), strict=True))
        names, trained = kept_names(optimizer.state_names, groups[-1]), len(own["params"])
        lowest = dict.fromkeys(optimizer.nonnegative_state, 0.0)
        found = [_rows(x, start, names, lowest) if x else [] for x in entries]
        sizes = [*map(len, found)]
        if len(found) == trained and max(sizes) <= 1:
            found = [x or [start] for x in found]
        elif "step" in saved or (any(sizes) and (sum(sizes) != trained or not all(sizes))):
            given = f"{len(found)} parameters or tensors with a state of {sum(sizes)} numbers"
            raise ValueError(f"a group has {given}, and {trained} are trained here")
        rows = [row for x in found for row in x] or [start] * trained
        for name, column in columns.items():
            column.extend(row[name] for row in rows)
    if states:
        raise ValueError(
            f"it has a state of {format_value(next(iter(states)))}, which is in no group"
        )
    return groups, columns


def _merged(own: Group, saved: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Group:
    """Return the options of a group as saved; PyTorch counts the steps of each tensor."""
    names = {*own, "initial_lr"} & saved.keys()
    if missing := own.keys() - names - {"initial_lr", "step"}:
        raise ValueError(f"a group has no {', '.join(sorted(missing))}")
    options = {k: x.item() if hasattr(x := saved[k], "item") else x for k in names}
    steps = [_step_count(x["step"]) for x in entries if "step" in x]
    step = saved.get("step", max(steps, default=int(any(entries))))
    return {**own, **options, "params": own["params"], "step": count_from_state(step, "step")}


def _step_count(x: Any) -> int:
    """Return the step count of a tensor, which PyTorch saves as a tensor of one float."""
    count = x.item() if hasattr(x, "item") else x
    return count_from_state(
        int(count) if isinstance(count, float) and count.is_integer() else count, "step"
    )


def _rows(
    entry: Mapping[str, Any],
    start: dict[str, float],
    names: Sequence[str],
    lowest: Mapping[str, float],
) -> list[dict[str, float]]:
    """Return the state of each number of a tensor, checked; `start` where nothing is kept.

    `lowest` has the minimum of each state that has one. Infinity is allowed: the square of a large
    gradient overflows.
    """
    absent = {"momentum_buffer"} if entry.get("momentum_buffer") is None else set()  # PyTorch's SGD
    columns = {name: _flat(x) for name, x in entry.items() if name not in {"step", *absent}}
    if columns and not set(names) <= columns.keys() <= start.keys():
        raise ValueError(f"its rule remembers {', '.join(names)}, not {', '.join(columns)}")
    size = max(map(len, columns.values()), default=0)
    return [
        {
            **start,
            **{
                name: number(x[k], name, lowest.get(name, -math.inf), finite=False)
                for name, x in columns.items()
            },
        }
        for k in range(size)
    ]


def _flat(x: Any) -> list[float]:
    """Return the numbers of a tensor in order."""
    if getattr(x, "is_sparse", False):
        x = x.to_dense()
    return list(x.reshape(-1).tolist()) if hasattr(x, "reshape") else [x]


def torch_state_dict(optimizer: Any, model: Any) -> dict[str, Any]:
    """Return the state of an optimiser for PyTorch's optimiser of the same name to load.

    Parameters
    ----------
    optimizer : Optimizer
        Of this package, over the parameters of `model`, each group whole tensors of it.
    model : Module
        Says which numbers make up a tensor: those of one entry of its ``state_dict()``.

    Returns
    -------
    dict
        With 64-bit tensors. ``torch_optimizer.load_state_dict`` takes it, over the parameters of
        a PyTorch model that has the same tensors in the same order; our own
        ``optimizer.load_state_dict`` takes PyTorch's states as they are.

    Raises
    ------
    StateError
        If a group is not made of whole tensors of the model.
    MissingPackageError
        If PyTorch is not installed.

    Examples
    --------
    >>> from scalargrad.nn import Linear
    >>> from scalargrad.optim import SGD
    >>> line = Linear(2, 1)
    >>> state = torch_state_dict(SGD(line.parameters()), line)  # doctest: +SKIP
    >>> state["param_groups"][0]["params"]  # doctest: +SKIP
    [0, 1]
    """
    if not hasattr(optimizer, "state_names") or isinstance(optimizer, type):
        raise OperandError(f"optimizer is {format_value(optimizer)}; give one of scalargrad.optim")
    if isinstance(model, type) or not hasattr(model, "named_tensors"):
        raise OperandError(
            f"model is {format_value(model)}; give the Module whose parameters these are"
        )
    with optional_dependency("states for PyTorch need"):
        import torch
    shapes = [torch.tensor(numbers).shape for numbers in model.state_dict().values()]
    ahead, kept, ordinals = iter(model.parameters()), optimizer.state, count()
    tensors = [[*islice(ahead, math.prod(shape))] for shape in shapes]
    places = {p: i for i, members in enumerate(tensors) for p in members}
    state: dict[int, Any] = {}
    groups: list[Group] = []
    for group in optimizer.param_groups:
        options = {name: x for name, x in group.items() if name != "step"}
        groups.append({**options, "params": []})
        for i, run in groupby(group["params"], places.get):
            members = [*run]
            if i is None or members != tensors[i]:
                raise StateError(
                    "the optimiser's parameters are not whole tensors of this model, in its order: "
                    "make it with model.parameters()"
                )
            groups[-1]["params"].append(ordinal := next(ordinals))
            if names := kept.get(members[0]):
                found = {name: [kept[p][name] for p in members] for name in names}
                state[ordinal] = {
                    name: torch.tensor(x, dtype=torch.float64).reshape(shapes[i])
                    for name, x in found.items()
                }
                if tuple(optimizer.state_names) != ("momentum_buffer",):  # SGD's counts no steps
                    state[ordinal]["step"] = torch.tensor(float(group["step"]))
    return {"state": state, "param_groups": groups}
