"""Options of groups and what rules remember: checked, kept in columns, saved, read from PyTorch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from itertools import accumulate, count, islice
from typing import Any, TypeAlias

from scalargrad.errors import DomainError, OperandError, StateError
from scalargrad.system.packages import needed
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import counted, flag, number, whole
from scalargrad.value import Value

Group: TypeAlias = dict[str, Any]

# Options --------------------------------------------------------------------------------------


def fraction(x: Any, name: str) -> float:
    """Return a number in [0, 1)."""
    if not 0.0 <= (found := number(x, name)) < 1.0:
        raise DomainError(f"{name} is {found}; it must be at least 0 and less than 1")
    return found


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


# The state of each parameter ------------------------------------------------------------------


class StateColumns(MutableMapping[Value, tuple[float, ...]]):
    """A mapping from parameters to tuples of numbers, kept as one column for each number.

    Parameters
    ----------
    width : int
        How many numbers are remembered of a parameter.

    Attributes
    ----------
    rows : dict from Value to int
        The row of each parameter that is trained, in the order they were given.

    Notes
    -----
    A parameter is a key from its first step on. Only parameters that are trained can be set.
    """

    def __init__(self, width: int) -> None:
        self.rows: dict[Value, int] = {}
        self._columns = [array("d") for _ in range(width)]
        self._known = bytearray()  # 1 for each row that holds a state

    def add(self, parameters: Sequence[Value]) -> None:
        """Make room for further parameters, which have no state yet."""
        first, more = len(self.rows), len(parameters)
        self.rows |= {p: first + i for i, p in enumerate(parameters)}
        self._columns = [column + array("d", bytes(8 * more)) for column in self._columns]
        self._known = self._known + bytes(more)

    def __getitem__(self, parameter: Value) -> tuple[float, ...]:
        row = self.rows[parameter]
        if not self._known[row]:
            raise KeyError(parameter)
        return tuple([column[row] for column in self._columns])

    def __setitem__(self, parameter: Value, state: tuple[float, ...]) -> None:
        row = self.rows[parameter]
        for column, x in zip(self._columns, state, strict=True):
            column[row] = x
        self._known[row] = 1

    def __delitem__(self, parameter: Value) -> None:
        if parameter not in self:
            raise KeyError(parameter)
        self._known[self.rows[parameter]] = 0

    def __iter__(self) -> Iterator[Value]:
        return (p for p, row in self.rows.items() if self._known[row])

    def __len__(self) -> int:
        return self._known.count(1)

    def __repr__(self) -> str:
        return repr(dict(self))

    def clear(self) -> None:
        """Forget all states."""
        self._known = bytearray(len(self.rows))

    def arrays(self, rows: Any, first: Iterable[float]) -> list[Any]:
        """Return each column in many rows as an array, `first` where there is no state yet.

        Parameters
        ----------
        rows : slice, list or array of int
        first : iterable of float
            The state before the first step.
        """
        import numpy as np

        known = np.frombuffer(self._known, np.bool_)[rows]
        found = [np.frombuffer(column)[rows] for column in self._columns]
        if known.all():
            return found
        return [np.where(known, x, start) for x, start in zip(found, first, strict=True)]

    def put(self, rows: Any, columns: Sequence[Any]) -> None:
        """Set each column in many rows, a slice, a list or an array of them."""
        import numpy as np

        for own, new in zip(self._columns, columns, strict=True):
            np.frombuffer(own)[rows] = new
        np.frombuffer(self._known, np.bool_)[rows] = True


# Saved states ---------------------------------------------------------------------------------


def read(
    state_dict: Mapping[str, Any], optimizer: Any
) -> tuple[list[Group], dict[Value, tuple[float, ...]]]:
    """Return the groups and the state of a state dict, once all of it is seen to fit.

    Raises
    ------
    LookupError, TypeError, ValueError or AttributeError
        If it does not.
    """
    own, names = optimizer.param_groups, optimizer.state_names
    groups = list(state_dict["param_groups"])
    sizes, expected = ([len(group["params"]) for group in x] for x in (groups, own))
    states = state_dict["state"]
    if groups and all("step" not in group for group in groups):
        groups, states = _by_numbers(groups, states, optimizer)
    elif sizes != expected:
        raise ValueError(f"it is of groups of {sizes} parameters, these are of {expected}")
    parameters = dict(enumerate(optimizer.state.rows))
    found = {}
    for key, state in states.items():  # JSON has turned numbers into text
        i = whole(int(key) if isinstance(key, str) else key, "the number of a parameter", 0)
        if i not in parameters:
            raise ValueError(f"it numbers its parameters beyond the {len(parameters)} trained here")
        if state.keys() != set(names):
            raise ValueError(f"its rule remembers {names}, not {tuple(state)}")
        found[parameters[i]] = tuple(number(state[name], name, finite=False) for name in names)
    return [_merged(*pair, optimizer) for pair in zip(own, groups, strict=True)], found


def _merged(own: Group, saved: Group, optimizer: Any) -> Group:
    """Return the options of a group as saved."""
    if missing := own.keys() - saved.keys() - {"initial_lr"}:
        raise ValueError(f"a group has no {', '.join(sorted(missing))}")
    merged = {**own, **saved, "params": own["params"], "step": counted(saved["step"], "step")}
    optimizer.check(merged)
    return merged


# PyTorch's states: one for each tensor, and steps counted for each -----------------------------

#: State that PyTorch keeps only where an option is set; all other names are the same there.
_ONLY_WITH = {"max_exp_avg_sq": "amsgrad", "grad_avg": "centered", "momentum_buffer": "momentum"}


def _by_numbers(
    groups: Sequence[Group], states: Mapping[int, Any], optimizer: Any
) -> tuple[list[Group], dict[int, dict[str, float]]]:
    """Return PyTorch's groups and states by single numbers, as `Optimizer.state_dict` has them."""
    merged: list[Group] = []
    found: dict[int, dict[str, float]] = {}
    first = 0
    for own, saved in zip(optimizer.param_groups, groups, strict=True):
        tensors, trained = [states.get(i, {}) for i in saved["params"]], len(own["params"])
        start = dict(zip(optimizer.state_names, optimizer.first_state(own), strict=True))
        numbers = [_numbers(x, start) for x in tensors]
        sizes = [*map(len, numbers)]
        if len(sizes) == trained and max(sizes) <= 1:
            sizes = [1] * trained
        elif any(tensors) and (sum(sizes) != trained or not all(sizes)):
            raise ValueError(f"its tensors have {sizes} numbers, and {trained} are trained here")
        for x, row in zip(numbers, accumulate(sizes, initial=first), strict=False):
            found.update(enumerate(x, row))
        first += trained
        steps = [int(number(float(x["step"]), "step", 0.0)) for x in tensors if "step" in x]
        options = {name: saved[name] for name in own if name in saved}
        options = {k: x.item() if hasattr(x, "item") else x for k, x in options.items()}
        merged.append({**options, "step": max(steps, default=0)})
    return merged, found


def _numbers(tensor: Mapping[str, Any], start: dict[str, float]) -> list[dict[str, float]]:
    """Return the state of each number of a tensor; `start` where PyTorch keeps nothing."""
    columns = {name: _flat(x) for name, x in tensor.items() if name in start and x is not None}
    size = max(map(len, columns.values()), default=0)
    return [{**start, **{name: x[k] for name, x in columns.items()}} for k in range(size)]


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
    if not isinstance(getattr(optimizer, "state", None), StateColumns):
        raise OperandError(f"optimizer is {shown(optimizer)}; give one of scalargrad.optim")
    if isinstance(model, type) or not hasattr(model, "named_tensors"):
        raise OperandError(f"model is {shown(model)}; give the Module whose parameters these are")
    with needed("states for PyTorch need"):
        import torch
    tensors, ahead = {}, iter(model.parameters())
    for numbers in model.state_dict().values():
        shape = torch.tensor(numbers).shape
        members = [*islice(ahead, math.prod(shape))]
        tensors[members[0] if members else None] = shape, members
    state: dict[int, Any] = {}
    groups: list[Group] = []
    ordinals = count()
    for group in optimizer.param_groups:
        left, numbered = group["params"], []
        while left:
            shape, members = tensors.get(left[0], ((), []))
            if not members or left[: len(members)] != members:
                raise StateError(
                    "the optimiser's parameters are not whole tensors of this model, in its order: "
                    "make it with model.parameters()"
                )
            left = left[len(members) :]
            numbered.append(next(ordinals))
            if columns := _remembered(optimizer, group, members):
                found = {name: torch.tensor(x, dtype=torch.float64) for name, x in columns.items()}
                state[numbered[-1]] = {name: x.reshape(shape) for name, x in found.items()}
                if tuple(optimizer.state_names) != ("momentum_buffer",):  # SGD's counts no steps
                    state[numbered[-1]]["step"] = torch.tensor(float(group["step"]))
        options = {name: x for name, x in group.items() if name != "step"}
        groups.append({**options, "params": numbered})
    return {"state": state, "param_groups": groups}


def _remembered(optimizer: Any, group: Group, members: Sequence[Value]) -> dict[str, list[float]]:
    """Return what is remembered of a tensor by name, as PyTorch keeps it; empty before a step."""
    if not any(p in optimizer.state for p in members):
        return {}
    rows = [optimizer.state.get(p, optimizer.first_state(group)) for p in members]
    columns = zip(optimizer.state_names, map(list, zip(*rows, strict=True)), strict=True)
    return {name: x for name, x in columns if group.get(_ONLY_WITH.get(name, "lr"), True)}
