"""GroupRule: how an optimiser updates parameters, with its options in sight as inputs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from scalargrad.compiler.call.arguments import Key, visit
from scalargrad.errors import TraceError
from scalargrad.optim import Optimizer
from scalargrad.sparse import SparseParameter
from scalargrad.train.store import Store
from scalargrad.value import Value


class GroupRule(NamedTuple):
    """How the parameters of one group move: by which rule, with which options, up or down."""

    rule: Any
    options: dict[str, Any]
    maximize: bool


def group_rules(optimizer: Optimizer) -> list[GroupRule]:
    """Return how each group moves at the next step.

    Raises
    ------
    TraceError
        If the options of a rule are out of sight.
    """
    found = []
    for group in optimizer.param_groups:
        rule = optimizer.rule(optimizer.next_group(group))
        if not isinstance(rule, partial) or rule.args:
            raise TraceError(
                f"the rule of {type(optimizer).__name__} is no functools.partial with its options "
                "by name, so they could not be told apart from what never changes"
            )
        found.append(GroupRule(rule.func, rule.keywords, bool(group.get("maximize"))))
    return found


def options_of(found: list[GroupRule]) -> tuple[Key, list[Any]]:
    """Return the numbers among the options, and a key of all else about them."""
    key: list[Hashable] = []
    numbers: list[Any] = []
    visit(found, key, numbers)
    return tuple(key), numbers


def visited(store: Store, reached: Sequence[int]) -> tuple[int, ...]:
    """Return the leaves that `Optimizer.step` visits, if these have got a gradient."""
    known = set(reached)
    return tuple(
        i
        for i, (group, parameter) in enumerate(_trained(store.optimizer))
        if i in known
        or not isinstance(parameter, SparseParameter)
        or parameter.touched is None
        or not store.optimizer.is_sparse(group)
    )


def require_still(store: Store, looked_up: Iterable[int]) -> None:
    """Raise TraceError if a rule moves entries of a table that are not looked up in this step.

    A program looks up other rows at each run, and has a gradient for every row: 0 for those it
    does not look up. A rule that visits only rows with a gradient would visit them all.
    """
    trained, found = list(_trained(store.optimizer)), group_rules(store.optimizer)
    rules = dict(zip(map(id, store.optimizer.param_groups), found, strict=True))
    for i in looked_up:
        group, parameter = trained[i] if i < store.trained else ({}, None)
        if isinstance(parameter, SparseParameter) and store.optimizer.is_sparse(group):
            rule, options, _ = rules[id(group)]
            if rule(1.0, 0.0, *[1.0] * len(store.optimizer.state_names), **options)[0] != 1.0:
                raise TraceError(
                    f"{type(store.optimizer).__name__} moves a parameter that is looked up even "
                    "where its gradient is 0, and a program cannot tell the rows it looks up "
                    "from the others: train with Adam, or with jit=False"
                )


def updated(
    store: Store,
    found: Sequence[GroupRule],
    steps: Sequence[int],
    grads: Sequence[Any],
    numbers: Sequence[Any],
) -> tuple[list[Any], list[int]]:
    """Apply each group's rule as `Optimizer.step` does.

    Parameters
    ----------
    store : Store
        Whose numbers are moved.
    found : sequence of GroupRule
        One for each group.
    steps : sequence of int
        The leaves visited.
    grads : sequence of scalar
        The gradient of each leaf trained.
    numbers : sequence of scalar
        As `Store.numbers`.

    Returns
    -------
    numbers : list of scalar
        Those that are carried on, after the step.
    kept : list of int
        The leaves whose state the optimiser keeps.
    """
    after = [*numbers[: store.carried]]
    kept = []
    groups = [group for group, _ in _trained(store.optimizer)]
    index = {id(group): i for i, group in enumerate(store.optimizer.param_groups)}
    for i in steps:
        rule, options, maximize = found[index[id(groups[i])]]
        own = slice(i, store.carried, store.trained)
        after[own] = rule(after[i], -grads[i] if maximize else grads[i], *after[own][1:], **options)
        if store.optimizer.has_state(groups[i]):
            kept.append(i)
    return after, kept


def _trained(optimizer: Optimizer) -> Iterator[tuple[dict[str, Any], Value]]:
    """Yield each parameter trained with its group."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield group, parameter
