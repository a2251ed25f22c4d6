"""Write an optimiser's state for PyTorch to load: from one state per number to one per tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scalargrad.errors import OperandError, StateError
from scalargrad.optim.optimizer import Optimizer
from scalargrad.optim.options import Group
from scalargrad.system.one_line import shown
from scalargrad.system.packages import needed
from scalargrad.table.validation import instance
from scalargrad.value import Value


def torch_state_dict(optimizer: Optimizer, model: Any) -> dict[str, Any]:
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
    instance(optimizer, "optimizer", Optimizer, "one of scalargrad.optim")
    made = not isinstance(model, type)
    if not (made and all(callable(getattr(model, x, None)) for x in ("state_dict", "parameters"))):
        raise OperandError(f"model is {shown(model)}; give the Module whose parameters these are")
    with needed("states for PyTorch need"):
        import torch
    tensors = {members[0]: (shape, members) for shape, members in _tensors(model)}
    state: dict[int, Any] = {}
    groups: list[Group] = []
    for group in optimizer.param_groups:
        numbers: list[int] = []
        for shape, members in _whole(group["params"], tensors):
            number = _next(groups, numbers)
            numbers.append(number)
            found = _state(optimizer, group, members)
            if found:
                state[number] = {
                    name: torch.tensor(x, dtype=torch.float64).reshape(shape)
                    for name, x in found.items()
                }
                state[number] |= _step(optimizer, group, torch)
        options = {name: x for name, x in group.items() if name not in {"params", "step"}}
        groups.append({**options, "params": numbers})
    return {"state": state, "param_groups": groups}


def _next(groups: Sequence[Group], numbers: Sequence[int]) -> int:
    return sum(len(group["params"]) for group in groups) + len(numbers)


def _step(optimizer: Optimizer, group: Group, torch: Any) -> dict[str, Any]:
    if "momentum_buffer" in optimizer.state_names[:1]:  # SGD's counts no steps
        return {}
    return {"step": torch.tensor(float(group["step"]))}


def _state(optimizer: Optimizer, group: Group, members: Sequence[Value]) -> dict[str, list[float]]:
    """Return what is remembered of a tensor by name, as PyTorch keeps it; empty before a step."""
    if not any(p in optimizer.state for p in members):
        return {}
    first = optimizer.first_state(group)
    rows = [optimizer.state.get(p, first) for p in members]
    columns = dict(zip(optimizer.state_names, map(list, zip(*rows, strict=True)), strict=True))
    return {name: x for name, x in columns.items() if group.get(_ONLY_WITH.get(name, "lr"), True)}


#: What PyTorch remembers only where an option is set.
_ONLY_WITH = {
    "max_exp_avg_sq": "amsgrad",
    "grad_avg": "centered",
    "momentum_buffer": "momentum",
}


def _tensors(model: Any) -> Iterator[tuple[tuple[int, ...], list[Value]]]:
    """Yield the shape and the parameters of each tensor."""
    ahead = iter(model.parameters())
    for numbers in model.state_dict().values():
        shape = _shape(numbers)
        size = 1
        for length in shape:
            size *= length
        yield shape, [next(ahead) for _ in range(size)]


def _shape(numbers: Any) -> tuple[int, ...]:
    if not isinstance(numbers, list):
        return ()
    return (len(numbers), *(_shape(numbers[0]) if numbers else ()))


def _whole(parameters: Sequence[Value], tensors: Mapping[Value, Any]) -> Iterator[Any]:
    start = 0
    while start < len(parameters):
        shape, members = tensors.get(parameters[start], ((), []))
        if not members or list(parameters[start : start + len(members)]) != members:
            raise StateError(
                "the optimiser's parameters are not whole tensors of this model, in its order: "
                "make it with model.parameters()"
            )
        yield shape, members
        start += len(members)
