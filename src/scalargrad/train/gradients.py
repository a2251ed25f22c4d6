"""Gradients: forward and backward pass over batches of one shape, recorded as a program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scalargrad.autodiff import gradients
from scalargrad.compiler.call.arguments import filled, rebuilt
from scalargrad.compiler.passes.kinds import TAKE
from scalargrad.compiler.stateful import StatefulProgram, reordered
from scalargrad.compiler.vmap import vmap
from scalargrad.errors import TraceError
from scalargrad.train.examples import plain
from scalargrad.train.group_rules import require_still, visited
from scalargrad.train.objective import Objective
from scalargrad.train.recordings import Draws, Guards, guards, leaves_read, recorded, results
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.store import Store
from scalargrad.value import Value


class _Result(NamedTuple):
    """What is recorded, in the order of the outputs; `reached` are the leaves of the gradients."""

    predictions: list[Any]
    loss: Any
    grads: list[Any]
    reached: list[int]


class Gradients:
    """Predictions, loss and gradients of batches of one shape.

    Parameters
    ----------
    objective : Objective
    store : Store
        Loaded.
    data : Rectangle
    rows : sequence of int
        The batch to record.

    Attributes
    ----------
    reached : list of int
        The leaves whose gradient is computed.
    visited : tuple of int
        The leaves the optimiser visits after this.

    Raises
    ------
    TraceError
        If the passes do what a program could not repeat.
    """

    def __init__(
        self, objective: Objective, store: Store, data: Rectangle, rows: Sequence[int]
    ) -> None:
        self._objective, self._store, self._data = objective, store, data
        batch = [data.examples[i] for i in rows]
        recording, self._outline = recorded(
            lambda fresh: _result(objective, store, rebuilt(batch, iter(fresh))),
            [data.numbers[rows]],
            objective.called,
        )
        cells, drawn = data.numbers.shape[1] * len(rows), len(recording.draws)
        read, asked = leaves_read(recording, store), guards(recording)
        pairs = zip(recording.program.ops, recording.program.args, strict=True)
        looked_up = {x for op, args in pairs if op is TAKE for x in args[1:]}
        require_still(store, [i for i, node in read.items() if node in looked_up])
        program = reordered(
            recording.program,
            [*range(cells + drawn), *read.values()],
            [*results(recording), *asked],
        )
        self._program = StatefulProgram(program, cells + drawn, 0)
        self._places = store.places[[*read]]
        behind = len(self._program.results) - len(asked)
        self._guards = Guards(self._program.results[behind:], asked.values())
        self._batch = self._program.given[:cells].reshape(len(rows), -1)
        self._draws, self._drawn = Draws(recording), self._program.given[cells:]
        self.reached = self._outline.reached
        self.visited = visited(store, self.reached)
        self._name_results()

    def _name_results(self) -> None:
        """Find the parts of what a run computes."""
        found, loss, trained = self._program.results, self._outline.loss.index, self._store.trained
        reached = np.array(self.reached, dtype=np.int64)
        grads = found[loss + 1 : loss + 1 + len(reached)]
        split = int(np.searchsorted(reached, trained))
        self._trained, self._others = reached[:split], reached[split:]
        self._trained_grads, self._other_grads = grads[:split], grads[split:]
        self._all = split == trained

    def run(self, rows: Sequence[int]) -> bool:
        """Compute and return True, if it goes the way recorded, to finite numbers only."""
        program = self._program
        self._data.copy(rows, self._batch)
        self._draws.into(self._drawn)
        self._store.numbers.take(self._places, out=program.kept, mode="clip")
        if not program.run() or not self._guards.hold():
            self.undo()
            return False
        self._give_grads()
        return True

    def require_agreement(self, rows: Sequence[int]) -> None:
        """Raise TraceError if eager evaluation finds another loss for a batch.

        A program knows numbers only: what asks for their type, say, answers otherwise there.
        """
        if not self.run(rows):
            return  # it would be taken eagerly
        self.undo()
        inputs, targets = zip(*[self._data.examples[i] for i in rows], strict=True)
        predictions = [self._objective.model(x) for x in inputs]
        expected = plain(self._objective.value(predictions, [*targets]))
        self.undo()
        if not math.isclose(self.loss, expected, rel_tol=1e-6, abs_tol=1e-9):
            raise TraceError(
                f"the loss of a batch is {expected:.6g}, and {self.loss:.6g} as a program: the "
                "model or the loss depends on more than numbers and shapes, for example on "
                "isinstance(target, int)"
            )

    def _give_grads(self) -> None:
        """Give the store the gradients of what is trained."""
        grads, trained = self._store.grads, self._store.trained
        if self._all:
            grads[:trained] = self._trained_grads
        else:
            grads[:trained] = 0.0
            grads[self._trained] = self._trained_grads

    def add_others(self) -> None:
        """Add to the store's gradients those of what is not trained, which no optimiser clears."""
        if len(self._others):
            self._store.grads[self._others] += self._other_grads

    def undo(self) -> None:
        """Put generators back to before the last run."""
        self._draws.undo()

    @property
    def loss(self) -> float:
        """The loss of the last run."""
        return float(self._program.results[self._outline.loss.index])

    def predictions(self) -> list[Any]:
        """Return the predictions of the last run, as floats."""
        numbers = self._program.results[: self._outline.loss.index].tolist()
        return [plain(x) for x in filled(self._outline.predictions, numbers)]


def _result(objective: Objective, store: Store, batch: list[tuple[Any, Any]]) -> _Result:
    """Go forward and backward on Values that are being recorded."""
    predictions = vmap(objective.model)([x for x, _ in batch])
    loss = objective.value(predictions, [y for _, y in batch])
    found = gradients(loss, store.leaves, allow_nonfinite=True)
    reached = [i for i, x in enumerate(found) if isinstance(x, Value)]
    grads = [found[i] for i in reached]
    return _Result(predictions if objective.metrics else [], loss, grads, reached)
