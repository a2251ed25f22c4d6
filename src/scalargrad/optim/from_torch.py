"""Read states saved by PyTorch's optimisers: from one state per tensor to one per number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalargrad.optim.options import Group
from scalargrad.table.validation import number


def is_by_tensors(state_dict: Mapping[str, Any]) -> bool:
    """Return whether a state is PyTorch's, which counts steps for each tensor."""
    return all("step" not in group for group in state_dict["param_groups"])


def by_numbers(
    state_dict: Mapping[str, Any],
    groups: Sequence[Group],
    names: Sequence[str],
    first_states: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """Return a state of PyTorch's by single numbers, as `Optimizer.state_dict` has it.

    Parameters
    ----------
    state_dict : mapping
        PyTorch's.
    groups : sequence of Group
        Those of the optimiser that is to take it on.
    names : sequence of str
        Of the rule's state.
    first_states : sequence of sequence of float
        The state before the first step, for each group.

    Raises
    ------
    ValueError
        If tensors and parameters differ in number, or PyTorch's optimiser is another.
    """
    given, merged = state_dict["state"], []
    state: dict[int, dict[str, Any]] = {}
    first = 0
    pairs = zip(groups, state_dict["param_groups"], first_states, strict=True)
    for own, saved, start in pairs:
        found = [given.get(i, {}) for i in saved["params"]]
        sizes = _sizes(found, len(own["params"]))
        steps = [int(number(float(x["step"]), "step", 0.0)) for x in found if "step" in x]
        for tensor, size in zip(found, sizes, strict=True):
            for name in names:
                for i, x in enumerate(_flat(tensor.get(name))):
                    named = dict(zip(names, start, strict=True))
                    state.setdefault(first + i, named)[name] = x
            first += size
        options = {name: _option(saved[name]) for name in own if name in saved}
        merged.append(
            {
                **options,
                "params": range(len(own["params"])),
                "step": max(steps, default=0),
            }
        )
    return {"state": state, "param_groups": merged}


def _sizes(found: Sequence[Mapping[str, Any]], parameters: int) -> list[int]:
    """Return the size of each tensor whose state tells it."""
    if not any(found):
        return [0] * len(found)
    sizes = [
        max((len(_flat(x)) for name, x in each.items() if name != "step"), default=0)
        for each in found
    ]
    if len(found) == parameters and max(sizes) <= 1:
        return [1] * parameters
    if sum(sizes) != parameters or not all(sizes):
        raise ValueError(f"its tensors have {sizes} numbers, and {parameters} are trained here")
    return sizes


def _flat(x: Any) -> list[float]:
    """Return the numbers of a tensor in order; none for None."""
    if x is None:
        return []
    if hasattr(x, "is_sparse") and x.is_sparse:
        x = x.to_dense()
    numbers = x.reshape(-1).tolist() if hasattr(x, "reshape") else [x]
    return list(numbers)


def _option(x: Any) -> Any:
    """Return an option as Python's own numbers."""
    return x.item() if hasattr(x, "item") else x
