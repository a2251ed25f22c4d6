"""Update: how an optimiser moves parameters, with its options in sight so they can be inputs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from scalargrad.compiler.arguments import Key, visit
from scalargrad.errors import TraceError
from scalargrad.optim import Optimizer
from scalargrad.sparse import SparseParameter
from scalargrad.train.store import Store
from scalargrad.value import Value


class Update(NamedTuple):
    """How the parameters of one group move: by which rule, with which options, up or down."""

    rule: Any
    options: dict[str, Any]
    maximize: bool


def updates(optimizer: Optimizer) -> list[Update]:
    """Return how each group moves at the next step.

    Raises
    ------
    TraceError
        If the options of a rule are out of sight.
    """
    found = []
    for group in optimizer.param_groups:
        rule = optimizer.rule({**group, "step": group["step"] + 1})
        if not isinstance(rule, partial) or rule.args:
            raise TraceError(
                f"the rule of {type(optimizer).__name__} is no functools.partial with its options "
                "by name, so they could not be told apart from what never changes"
            )
        found.append(Update(rule.func, rule.keywords, bool(group.get("maximize"))))
    return found


def options_of(found: list[Update]) -> tuple[Key, list[Any]]:
    """Return the numbers among the options, and a key of all else about them."""
    key: list[Hashable] = []
    numbers: list[Any] = []
    visit(found, key, numbers)
    return tuple(key), numbers


def moved(
    store: Store, found: Sequence[Update], grads: Mapping[int, Any], states: Sequence[Any]
) -> tuple[list[Any], list[int]]:
    """Apply each group's rule as `Optimizer.step` does.

    Parameters
    ----------
    store : Store
        Whose leaves are moved.
    found : sequence of Update
        One for each group.
    grads : mapping from int to scalar
        The gradients of the leaves that one has reached, by their number.
    states : sequence of scalar
        As `Store.states`.

    Returns
    -------
    numbers : list of scalar
        The numbers of the store after the step.
    kept : list of int
        The leaves whose state the optimiser keeps.
    """
    numbers: list[Any] = [*store.leaves, *states]
    kept = []
    for group, i, parameter in _visited(store, grads):
        rule, options, maximize = found[group]
        grad = grads.get(i, 0.0)
        own = slice(i, None, store.trained)
        data, *state = rule(parameter, -grad if maximize else grad, *states[own], **options)
        numbers[i] = data
        numbers[len(store.leaves) + i :: store.trained] = state
        if store.optimizer.has_state(store.optimizer.param_groups[group]):
            kept.append(i)
    return numbers, kept


def _visited(store: Store, grads: Mapping[int, Any]) -> Iterator[tuple[int, int, Value]]:
    """Yield (group, number, parameter) for each parameter a step visits."""
    i = 0
    for number, group in enumerate(store.optimizer.param_groups):
        sparse = store.optimizer.is_sparse(group)
        for parameter in group["params"]:
            table = parameter.touched if isinstance(parameter, SparseParameter) else None
            if i in grads or table is None or not sparse:
                yield number, i, parameter
            i += 1
