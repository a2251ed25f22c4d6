"""Update: the optimiser's rules, applied to all parameters once, recorded as a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.compiler.call.arguments import Key, rebuilt
from scalargrad.compiler.stateful import StatefulProgram, reordered
from scalargrad.errors import TraceError
from scalargrad.train.group_rules import group_rules, options_of, updated
from scalargrad.train.recordings import Guards, guards, recorded, results
from scalargrad.train.store import Store
from scalargrad.value import Value


class Update:
    """A step of the optimiser over a store, whose numbers stay in this program's memory.

    Parameters
    ----------
    store : Store
        Loaded.
    visited : tuple of int
        The leaves to update.

    Attributes
    ----------
    visited : tuple of int
    kept : list of int
        The leaves whose state the optimiser keeps.

    Raises
    ------
    TraceError
        If a rule does what a program could not repeat.
    """

    def __init__(self, store: Store, visited: tuple[int, ...]) -> None:
        self._store, self.visited = store, visited
        found = group_rules(store.optimizer)
        self._key, options = options_of(found)
        grads, given = store.grads[: store.trained], len(options) + store.trained

        def run(fresh: list[Value]) -> tuple[list[Any], list[int]]:
            ahead = iter(fresh)
            traced, rest = rebuilt(found, ahead), list(ahead)
            after, kept = updated(
                store, traced, visited, rest[: store.trained], rest[store.trained :]
            )
            return [x if isinstance(x, Value) else Value(x) for x in after], kept

        recording, (_, self.kept) = recorded(
            run, [*options, grads, store.numbers], [], domains=False
        )
        if recording.closed_over or recording.draws:
            raise TraceError(
                "a rule of the optimiser reads or draws numbers it is not given: make them options"
            )
        asked = guards(recording)
        self._conditions = {i: truth for i, truth in asked.items() if i < len(options)}
        asked = {x: truth for x, truth in asked.items() if x >= len(options)}
        program = reordered(
            recording.program, range(recording.program.inputs), [*results(recording), *asked]
        )
        self._program = StatefulProgram(program, given, store.carried)
        self._guards = Guards(self._program.results, asked.values())
        self._options = self._program.given[: len(options)]
        self._grads = self._program.given[len(options) :]

    def serves(self, key: Key, options: Sequence[float]) -> bool:
        """Return whether this moves with these options."""
        conditions = self._conditions.items()
        return key == self._key and all(bool(options[i]) == truth for i, truth in conditions)

    def run(self, options: Sequence[float]) -> bool:
        """Update and return True, if it goes the way recorded, to finite numbers only."""
        program, store = self._program, self._store
        store.reside(program.kept)
        self._options[:] = options
        self._grads[:] = store.grads[: store.trained]
        if not program.run() or not self._guards.hold():
            return False
        program.advance()
        return True
