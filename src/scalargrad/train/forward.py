"""Forward: a model's predictions for many examples, by a program for a few at a time."""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.call.arguments import filled, rebuilt
from scalargrad.compiler.stateful import StatefulProgram, reordered
from scalargrad.compiler.vmap import vmap
from scalargrad.errors import TraceError
from scalargrad.nn import Module
from scalargrad.train.recordings import Guards, guards, leaves_read, recorded, results
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.store import Store
from scalargrad.value import Value


class Forward:
    """A model in evaluation mode, recorded for so many inputs at a time.

    Parameters
    ----------
    model : Module
    store : Store
        Of the model's parameters, loaded.
    inputs : Rectangle
    size : int
        How many inputs a run takes.

    Raises
    ------
    TraceError
        If the model does what a program could not repeat.
    """

    def __init__(self, model: Module, store: Store, inputs: Rectangle, size: int) -> None:
        self._store, self._inputs = store, inputs
        self._chunks = list(range(0, len(inputs.examples), size))
        first = inputs.examples[:size]
        recording, self._outline = recorded(
            lambda fresh: vmap(model)(rebuilt(first, iter(fresh))),
            [inputs.numbers[:size]],
            [model],
        )
        cells, asked, found = inputs.numbers[:size].size, guards(recording), results(recording)
        read = leaves_read(recording, store)
        if recording.draws:
            raise TraceError("it draws at random in evaluation, too")
        program = reordered(recording.program, [*range(cells), *read.values()], [*found, *asked])
        self._numbers = store.places[[*read]]
        self._program = StatefulProgram(program, cells, 0)
        self._batch = self._program.given.reshape(size, -1)
        self._predicted = self._program.results[: len(found)]
        self._guards = Guards(self._program.results[len(found) :], asked.values())

    def predictions(self) -> list[Any] | None:
        """Return a prediction for each input; None if one is not finite, or goes another way."""
        self._program.kept[:] = self._store.numbers[self._numbers]
        found: list[Any] = []
        for start in self._chunks:
            rows = self._inputs.numbers[start : start + len(self._batch)]
            self._batch[: len(rows)] = rows  # behind the last come some of the chunk before
            if not self._program.run() or not self._guards.hold():
                return None
            found += filled(self._outline, list(map(Value, self._predicted.tolist())))
        return found[: len(self._inputs.examples)]
