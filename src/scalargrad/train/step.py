"""Step: forward pass, backward pass and update of one batch, recorded as a single program."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from scalargrad.autodiff import gradients
from scalargrad.compiler.arguments import Key, filled, fresh_leaves, rebuilt, visit
from scalargrad.compiler.batch import vmap
from scalargrad.compiler.record import Recording, record
from scalargrad.compiler.resident import Resident, reordered
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.optim import Optimizer
from scalargrad.sparse import SparseParameter
from scalargrad.train.examples import plain
from scalargrad.train.objective import Objective
from scalargrad.train.rectangle import Rectangle
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


class _Result(NamedTuple):
    """What is recorded, in the order of the outputs.

    `numbers` are those of the store after the step; `reached` says which leaves the gradients
    belong to, `visited` of which parameters the optimiser keeps state.
    """

    predictions: list[Any]
    loss: Any
    grads: list[Any]
    numbers: list[Any]
    reached: list[int]
    visited: list[int]


class Step:
    """A step over batches of one size, which moves the numbers of a store.

    Parameters
    ----------
    objective : Objective
    store : Store
        Loaded.
    data : Rectangle
    rows : sequence of int
        The batch to record.

    Raises
    ------
    TraceError
        If the step does what a program could not repeat.
    """

    def __init__(
        self, objective: Objective, store: Store, data: Rectangle, rows: Sequence[int]
    ) -> None:
        self._store, self._data = store, data
        found = updates(store.optimizer)
        self._key, options = options_of(found)
        cells = data.numbers.shape[1] * len(rows)
        given = cells + len(options)
        fresh = fresh_leaves([data.numbers[rows], *options, *store.states])
        remaining = iter(fresh)
        batch, traced = rebuilt(data.pairs(rows), remaining), rebuilt(found, remaining)
        recording, self._outline = record(
            lambda: _result(objective, store, batch, traced, list(remaining)), fresh
        )
        self._conditions = _conditions(recording, range(cells, given))
        self._resident, self._kept, self._moved = _arranged(recording, store, given)
        self._batch = self._resident.given[:cells].reshape(len(rows), -1)
        self._options = self._resident.given[cells:]
        reached = np.array(self._outline.reached, dtype=np.int64)
        at = self._outline.loss.index
        self._grads = self._resident.results[at + 1 : at + 1 + len(reached)]
        self._trained = reached < store.trained
        self._reached = reached

    def serves(self, key: Key, options: Sequence[float]) -> bool:
        """Return whether this is the step with these options."""
        conditions = self._conditions.items()
        return key == self._key and all(bool(options[i]) == truth for i, truth in conditions)

    def enter(self) -> None:
        """Take the numbers of the store into the program's memory."""
        self._resident.kept[:] = self._store.numbers[self._kept]

    def run(self, rows: Sequence[int], options: Sequence[float]) -> bool:
        """Take the step, if all numbers it leads to are finite; return whether it was taken."""
        np.take(self._data.numbers, rows, axis=0, out=self._batch, mode="clip")
        self._options[:] = options
        if not self._resident.run():
            return False
        self._resident.advance()
        if not self._trained.all():  # what no optimiser clears adds up
            others = ~self._trained
            self._store.grads[self._reached[others]] += self._grads[others]
        return True

    def leave(self) -> None:
        """Give the numbers in the program's memory to the store."""
        store, trained = self._store, self._trained
        store.numbers[self._moved] = self._resident.state
        store.grads[: store.trained] = 0.0
        store.grads[self._reached[trained]] = self._grads[trained]
        store.reached = self._outline.reached
        store.visited.update(dict.fromkeys(self._outline.visited))

    @property
    def loss(self) -> float:
        """The loss of the last run."""
        return float(self._resident.results[self._outline.loss.index])

    def predictions(self) -> list[Any]:
        """Return the predictions of the last run, as floats."""
        found: list[Any] = plain(filled(self._outline.predictions, self._resident.results.tolist()))
        return found


# Recording ----------------------------------------------------------------------------------------


def _result(
    objective: Objective,
    store: Store,
    batch: list[tuple[Any, Any]],
    found: list[Update],
    states: list[Value],
) -> _Result:
    """Take one step on Values that are being recorded."""
    predictions = vmap(objective.model)([x for x, _ in batch])
    loss = objective.value(predictions, [y for _, y in batch])
    order = set(topological_order(loss))
    reached = [i for i, leaf in enumerate(store.leaves) if leaf in order]
    leaves = [store.leaves[i] for i in reached]
    grads = gradients(loss, leaves, create_graph=True, allow_nonfinite=True)
    numbers, visited = _moved(store, found, dict(zip(reached, grads, strict=True)), states)
    kept = predictions if objective.metrics else []
    return _Result(kept, loss, grads, numbers, reached, visited)


def _moved(
    store: Store, found: list[Update], grads: dict[int, Value], states: list[Value]
) -> tuple[list[Value], list[int]]:
    """Apply each group's rule; return the store's next numbers, and whose state is kept."""
    numbers: list[Any] = [*store.leaves, *states]
    visited = []
    for number, i, parameter in _visited(store, grads):
        rule, options, maximize = found[number]
        grad = grads.get(i, 0.0)
        own = slice(i, None, store.trained)
        data, *state = rule(parameter, -grad if maximize else grad, *states[own], **options)
        numbers[i] = data
        numbers[len(store.leaves) + i :: store.trained] = state
        if store.optimizer.has_state(store.optimizer.param_groups[number]):
            visited.append(i)
    return [x if isinstance(x, Value) else Value(x) for x in numbers], visited


def _visited(store: Store, grads: dict[int, Value]) -> Iterator[tuple[int, int, Value]]:
    """Yield what a step visits, as Optimizer does: (group, number of the parameter, parameter)."""
    i = 0
    for number, group in enumerate(store.optimizer.param_groups):
        sparse = store.optimizer.is_sparse(group)
        for parameter in group["params"]:
            table = parameter.touched if isinstance(parameter, SparseParameter) else None
            if i in grads or table is None or not sparse:
                yield number, i, parameter
            i += 1


def _conditions(recording: Recording, options: range) -> dict[int, bool]:
    """Return which options have been asked whether they are 0, and the answers."""
    outputs, outcomes = recording.program.outputs, recording.outcomes
    asked = dict(zip(outputs[len(outputs) - len(outcomes) :], outcomes, strict=True))
    if any(node not in options for node in asked):
        raise TraceError(
            "the step compares numbers that change from batch to batch, and goes one way or the "
            "other: choose with where, maximum, minimum or clip"
        )
    return {node - options.start: truth for node, truth in asked.items()}


def _arranged(recording: Recording, store: Store, given: int) -> tuple[Resident, Any, Any]:
    """Return the program, and which numbers of the store are its own and which it changes."""
    program, count = recording.program, len(store.numbers)
    end = len(program.outputs) - len(recording.outcomes)
    results, following = program.outputs[: end - count], program.outputs[end - count : end]
    nodes = _inputs_of(recording, store, given)
    moved = [i for i, node in nodes.items() if following[i] != node]
    kept = [*moved, *(i for i, node in nodes.items() if following[i] == node)]
    arranged = reordered(
        program,
        [*range(given), *(nodes[i] for i in kept)],
        [*(following[i] for i in moved), *results],
    )
    places = np.array(kept, dtype=np.int64), np.array(moved, dtype=np.int64)
    return Resident(arranged, given, len(moved)), *places


def _inputs_of(recording: Recording, store: Store, given: int) -> dict[int, int]:
    """Return the input that each number of the store is, parameters as the step first uses them."""
    numbers = {leaf: i for i, leaf in enumerate(store.leaves)}
    leaves, states = len(store.leaves), len(store.states)
    nodes = {}
    for j, leaf in enumerate(recording.closed_over):
        if leaf not in numbers:
            raise TraceError(
                f"the step reads {leaf!r}, which neither the model nor the optimiser has: make it "
                "a Parameter of the model, or a plain number"
            )
        nodes[numbers[leaf]] = given + states + j
    return nodes | {leaves + k: given + k for k in range(states)}
