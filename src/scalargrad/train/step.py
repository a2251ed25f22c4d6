"""Step: forward pass, backward pass and update of one batch, recorded as a single program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scalargrad.autodiff import gradients
from scalargrad.compiler.arguments import Key, filled, rebuilt
from scalargrad.compiler.batch import vmap
from scalargrad.compiler.record import Recording
from scalargrad.compiler.resident import Resident, reordered
from scalargrad.graph import topological_order
from scalargrad.train.examples import plain
from scalargrad.train.objective import Objective
from scalargrad.train.recordings import Draws, guards, leaves_read, recorded, results
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.store import Store
from scalargrad.train.update import Update, moved, options_of, updates
from scalargrad.value import Value


class _Result(NamedTuple):
    """What is recorded, in the order of the outputs.

    `numbers` are those of the store after the step; `reached` says which leaves the gradients
    belong to, `kept` of which parameters the optimiser keeps state.
    """

    predictions: list[Any]
    loss: Any
    grads: list[Any]
    numbers: list[Any]
    reached: list[int]
    kept: list[int]


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
        batch = [data.examples[i] for i in rows]

        def run(fresh: list[Value]) -> _Result:
            ahead = iter(fresh)
            examples, traced = rebuilt(batch, ahead), rebuilt(found, ahead)
            return _result(objective, store, examples, traced, list(ahead))

        leaves = [data.numbers[rows], *options, store.states]
        recording, self._outline = recorded(run, leaves, objective.called)
        asked = guards(recording)
        self._conditions = {x - cells: truth for x, truth in asked.items() if cells <= x < given}
        asked = {x: truth for x, truth in asked.items() if not cells <= x < given}
        self._outcomes = np.array(list(asked.values()), dtype=np.bool_)
        self._resident, self._numbers = _resident(recording, store, given, [*asked])
        self._batch = self._resident.given[:cells].reshape(len(rows), -1)
        self._options = self._resident.given[cells:given]
        self._draws, self._drawn = Draws(recording), self._resident.given[given:]
        self._name_results()

    def _name_results(self) -> None:
        """Find the parts of what a run computes."""
        results, loss = self._resident.results, self._outline.loss.index
        reached = np.array(self._outline.reached, dtype=np.int64)
        grads = results[loss + 1 : loss + 1 + len(reached)]
        self._guards = results[len(results) - len(self._outcomes) :]
        split = int(np.searchsorted(reached, self._store.trained))
        self._trained, self._others = reached[:split], reached[split:]
        self._trained_grads, self._other_grads = grads[:split], grads[split:]

    def serves(self, key: Key, options: Sequence[float]) -> bool:
        """Return whether this is the step with these options."""
        conditions = self._conditions.items()
        return key == self._key and all(bool(options[i]) == truth for i, truth in conditions)

    def enter(self) -> None:
        """Take the numbers of the store into the program's memory."""
        self._resident.kept[:] = self._store.numbers[self._numbers]

    def run(self, rows: Sequence[int], options: Sequence[float]) -> bool:
        """Take the step and return True, if it goes the way recorded, to finite numbers only."""
        self._data.copy(rows, self._batch)
        self._options[:] = options
        self._draws.into(self._drawn)
        finite = self._resident.run()
        if not finite or ((self._guards != 0.0) != self._outcomes).any():
            self._draws.undo()
            return False
        self._resident.advance()
        if len(self._others):  # what no optimiser clears adds up
            self._store.grads[self._others] += self._other_grads
        return True

    def leave(self) -> None:
        """Give the numbers in the program's memory to the store."""
        store, state = self._store, self._resident.state
        store.numbers[self._numbers[: len(state)]] = state
        store.grads[: store.trained] = 0.0
        store.grads[self._trained] = self._trained_grads
        store.reached = self._outline.reached
        store.kept.update(dict.fromkeys(self._outline.kept))

    @property
    def loss(self) -> float:
        """The loss of the last run."""
        return float(self._resident.results[self._outline.loss.index])

    def predictions(self) -> list[Any]:
        """Return the predictions of the last run, as floats."""
        numbers = self._resident.results[: self._outline.loss.index].tolist()
        return [plain(x) for x in filled(self._outline.predictions, numbers)]


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
    below = set(topological_order(loss))
    reached = [i for i, leaf in enumerate(store.leaves) if leaf in below]
    wanted = [store.leaves[i] for i in reached]
    grads = gradients(loss, wanted, create_graph=True, allow_nonfinite=True)
    numbers, kept = moved(store, found, dict(zip(reached, grads, strict=True)), states)
    nodes = [x if isinstance(x, Value) else Value(x) for x in numbers]
    return _Result(predictions if objective.metrics else [], loss, grads, nodes, reached, kept)


def _resident(
    recording: Recording, store: Store, given: int, asked: list[int]
) -> tuple[Resident, Any]:
    """Return the program, and which numbers of the store it holds, those it moves first.

    What is drawn is given at each run, behind what is given otherwise.
    """
    found, count = results(recording), len(store.numbers)
    measured, following = found[:-count], found[-count:]
    leaves, behind, drawn = len(store.leaves), given + len(store.states), len(recording.draws)
    nodes = leaves_read(recording, store)
    nodes |= {leaves + k: given + k for k in range(len(store.states))}
    moving = [i for i, node in nodes.items() if following[i] != node]
    held = [*moving, *(i for i, node in nodes.items() if following[i] == node)]
    arranged = reordered(
        recording.program,
        [*range(given), *range(behind, behind + drawn), *(nodes[i] for i in held)],
        [*(following[i] for i in moving), *measured, *asked],
    )
    return Resident(arranged, given + drawn, len(moving)), np.array(held, dtype=np.int64)
