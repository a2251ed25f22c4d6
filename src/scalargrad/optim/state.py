"""Check the options of parameter groups, and convert optimizer states from and to PyTorch's.

Our state has one entry for each number, PyTorch's one for each tensor:

    ours:      {0: {"exp_avg": 0.5}, 1: {"exp_avg": 0.25}}
    PyTorch's: {0: {"exp_avg": tensor([0.5, 0.25]), "step": tensor(3.0)}}
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count, groupby, islice
from typing import Any, TypeAlias

from scalargrad.checks.arguments import check_flag, check_fraction, check_number, count_from_state
from scalargrad.errors import OperandError, StateError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value

Group: TypeAlias = dict[str, Any]

# Options --------------------------------------------------------------------------------------


def _check_betas(x: Any, name: str) -> tuple[float, ...]:
    if not isinstance(x, list | tuple) or len(x) != 2:  # JSON turns tuples into lists
        raise OperandError(f"{name} is {format_value(x)}; give 2 numbers, as in (0.9, 0.999)")
    return tuple(check_fraction(part, f"{name}[{i}]") for i, part in enumerate(x))


#: The check of each option. Other options are a user's own and are not checked.
_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(
        ("lr", "initial_lr", "eps", "weight_decay", "momentum"), partial(check_number, low=0.0)
    ),
    **dict.fromkeys(("lr_decay", "initial_accumulator_value"), partial(check_number, low=0.0)),
    **dict.fromkeys(("amsgrad", "centered", "maximize", "nesterov"), check_flag),
    "dampening": check_number,
    "alpha": check_fraction,
    "betas": _check_betas,
}


def check_options(group: Group) -> Group:
    """Return a group whose options are checked and converted to Python numbers.

    Raises
    ------
    OperandError, DomainError
        If an option has the wrong type, or is out of its range.

    Examples
    --------
    >>> check_options({"params": [], "lr": 1, "betas": [0.5, 0], "nesterov": False})
    {'params': [], 'lr': 1.0, 'betas': (0.5, 0.0), 'nesterov': False}
    """
    return {name: _OPTIONS[name](x, name) if name in _OPTIONS else x for name, x in group.items()}


# Saved states ---------------------------------------------------------------------------------

#: The option without which a state is not needed, by the name of the state.
_ONLY_WITH = {"max_exp_avg_sq": "amsgrad", "grad_avg": "centered", "momentum_buffer": "momentum"}


def active_state_names(names: Sequence[str], group: Group) -> list[str]:
    """Return the state names that the options of a group make use of.

    Examples
    --------
    >>> active_state_names(("exp_avg", "max_exp_avg_sq"), {"amsgrad": False})
    ['exp_avg']
    """
    return [x for x in names if x not in _ONLY_WITH or group.get(_ONLY_WITH[x], True)]


def read_state(
    state_dict: Mapping[str, Any], optimizer: Any
) -> tuple[list[Group], dict[str, array[float]]]:
    """Return the groups and the state columns of a state dict that fits an optimizer.

    The state dict may be ours, with a state for each number, or PyTorch's, with one for each
    tensor.

    Raises
    ------
    LookupError, TypeError, ValueError or AttributeError
        If the state dict does not fit.
    """
    states = dict(state_dict["state"])
    states = {
        int(x) if isinstance(x, str) else x: state for x, state in states.items()
    }  # JSON keys
    groups, columns = [], {name: array("d") for name in optimizer.state_names}
    for own, saved in zip(optimizer.param_groups, state_dict["param_groups"], strict=True):
        entries = [states.pop(i, {}) for i in saved["params"]]
        groups.append(_merge_group(own, saved, entries))
        optimizer.check(groups[-1])
        start = dict(zip(columns, optimizer.first_state(groups[-1]), strict=True))
        names, trained = active_state_names(optimizer.state_names, groups[-1]), len(own["params"])
        lowest = dict.fromkeys(optimizer.nonnegative_state, 0.0)
        tensors = [_read_rows(x, start, names, lowest) if x else [] for x in entries]
        sizes = [*map(len, tensors)]
        if len(tensors) == trained and max(sizes) <= 1:
            tensors = [x or [start] for x in tensors]
        elif "step" in saved or (any(sizes) and (sum(sizes) != trained or not all(sizes))):
            size = f"{len(tensors)} parameters or tensors with a state for {sum(sizes)} numbers"
            raise ValueError(f"a saved group has {size}, but this optimizer trains {trained}")
        rows = [row for x in tensors for row in x] or [start] * trained
        for name, column in columns.items():
            column.extend(row[name] for row in rows)
    if states:
        raise ValueError(
            f"the state of {format_value(next(iter(states)))} does not belong to any group"
        )
    return groups, columns


def _merge_group(
    own: Group, saved: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> Group:
    """Return a group with the saved options and step count (PyTorch has one for each tensor)."""
    names = {*own, "initial_lr"} & saved.keys()
    if missing := own.keys() - names - {"initial_lr", "step"}:
        raise ValueError(f"a saved group lacks {', '.join(sorted(missing))}")
    options = {k: x.item() if hasattr(x := saved[k], "item") else x for k in names}
    steps = [_read_step_count(x["step"]) for x in entries if "step" in x]
    step = saved.get("step", max(steps, default=int(any(entries))))
    return {**own, **options, "params": own["params"], "step": count_from_state(step, "step")}


def _read_step_count(x: Any) -> int:
    """Return a step count, which PyTorch saves as a tensor with one float."""
    count = x.item() if hasattr(x, "item") else x
    return count_from_state(
        int(count) if isinstance(count, float) and count.is_integer() else count, "step"
    )


def _read_rows(
    entry: Mapping[str, Any],
    start: dict[str, float],
    names: Sequence[str],
    lowest: Mapping[str, float],
) -> list[dict[str, float]]:
    """Return the state of each number of a tensor, with `start` for states that are not saved.

    `lowest` has the minimum of each state that has one. Infinity is allowed, because the square
    of a large gradient overflows.
    """
    absent = {"momentum_buffer"} if entry.get("momentum_buffer") is None else set()  # PyTorch's SGD
    columns = {name: _flatten(x) for name, x in entry.items() if name not in {"step", *absent}}
    if columns and not set(names) <= columns.keys() <= start.keys():
        raise ValueError(f"the state must have {', '.join(names)}; it has {', '.join(columns)}")
    size = max(map(len, columns.values()), default=0)
    return [
        {
            **start,
            **{
                name: check_number(x[k], name, lowest.get(name, -math.inf), finite=False)
                for name, x in columns.items()
            },
        }
        for k in range(size)
    ]


def _flatten(x: Any) -> list[float]:
    """Return the numbers of a tensor as a flat list."""
    if getattr(x, "is_sparse", False):
        x = x.to_dense()
    return list(x.reshape(-1).tolist()) if hasattr(x, "reshape") else [x]


def torch_state_dict(optimizer: Any, model: Any) -> dict[str, Any]:
    """Return the state of an optimizer in the form that PyTorch's optimizer of that name loads.

    Parameters
    ----------
    optimizer : Optimizer
        An optimizer over the parameters of `model`. Each of its groups must consist of whole
        tensors of the model.
    model : Module
        The model. Each entry of its ``state_dict()`` is one tensor.

    Returns
    -------
    dict
        The state, with 64-bit tensors. Pass it to ``torch_optimizer.load_state_dict``, where the
        PyTorch model has the same tensors in the same order. In the other direction,
        ``optimizer.load_state_dict`` accepts PyTorch's states without conversion.

    Raises
    ------
    StateError
        If a group does not consist of whole tensors of the model.
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
        raise OperandError(
            f"optimizer is {format_value(optimizer)}; give an optimizer of scalargrad.optim"
        )
    if isinstance(model, type) or not hasattr(model, "named_tensors"):
        raise OperandError(
            f"model is {format_value(model)}; give the Module whose parameters these are"
        )
    with optional_dependency("states for PyTorch need"):
        import torch
    shapes = [torch.tensor(numbers).shape for numbers in model.state_dict().values()]
    parameters, saved, ordinals = iter(model.parameters()), optimizer.state, count()
    tensors = [[*islice(parameters, math.prod(shape))] for shape in shapes]
    tensor_index = {p: i for i, members in enumerate(tensors) for p in members}
    state: dict[int, Any] = {}
    groups: list[Group] = []
    for group in optimizer.param_groups:
        options = {name: x for name, x in group.items() if name != "step"}
        groups.append({**options, "params": []})
        for i, run in groupby(group["params"], tensor_index.get):
            members = [*run]
            if i is None or members != tensors[i]:
                raise StateError(
                    "the optimizer's parameters are not whole tensors of this model in the order "
                    "of the model: make the optimizer with model.parameters()"
                )
            groups[-1]["params"].append(ordinal := next(ordinals))
            if names := saved.get(members[0]):
                columns = {name: [saved[p][name] for p in members] for name in names}
                state[ordinal] = {
                    name: torch.tensor(x, dtype=torch.float64).reshape(shapes[i])
                    for name, x in columns.items()
                }
                if tuple(optimizer.state_names) != ("momentum_buffer",):  # SGD has no step count
                    state[ordinal]["step"] = torch.tensor(float(group["step"]))
    return {"state": state, "param_groups": groups}
