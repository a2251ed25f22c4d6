"""Recordings: what is known about a recorded step or forward pass before it becomes a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from scalargrad.compiler.passes.memory import Floats
from scalargrad.compiler.trace import record
from scalargrad.compiler.trace.record import Recording
from scalargrad.compiler.trace.trace import Trace
from scalargrad.errors import TraceError
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings
from scalargrad.transforms.draws import rewind, state_of
from scalargrad.value import Value

R = TypeVar("R")


def recorded(
    run: Callable[[list[Value]], R],
    leaves: Sequence[Any],
    roots: Sequence[Any],
    *,
    domains: bool = True,
) -> tuple[Recording, R]:
    """Record a function of numbers: what vmap is given once for all examples, where that is enough.

    Parameters
    ----------
    run : callable
        Called with the numbers as Values.
    leaves : sequence
        Numbers, and arrays of them.
    roots : sequence
        What `run` calls, where generators of random numbers are looked for.
    domains : bool
        Whether the program finds out that a domain is left where its results do not tell.

    Returns
    -------
    recording : Recording
    outline
        The result of `run`, with places for its Values.

    Raises
    ------
    TraceError
        If the function does what a program could not repeat.
    """
    try:
        return _recorded(run, leaves, roots, together=True, domains=domains)
    except TraceError:
        return _recorded(run, leaves, roots, together=False, domains=domains)


def _recorded(
    run: Callable[[list[Value]], R],
    leaves: Sequence[Any],
    roots: Sequence[Any],
    *,
    together: bool,
    domains: bool,
) -> tuple[Recording, R]:
    trace = Trace(roots, together)
    fresh: list[Any] = trace.arguments(leaves)
    return record.recorded(trace, lambda: run(fresh), domains=domains)


def repeatable(make: Callable[[], R], roots: Sequence[Any]) -> tuple[R, Surroundings]:
    """Make a recording, and see that nothing changed which a program would not change again.

    Parameters
    ----------
    make : callable
        Records.
    roots : sequence
        What is recorded, where all that it reads is looked for.

    Returns
    -------
    recording
        What `make` returned.
    surroundings : Surroundings
        What the program depends on.

    Raises
    ------
    TraceError
        If something has changed.
    """
    before = Surroundings(*roots)
    made = make()
    if before != Surroundings(*roots):
        raise TraceError(
            "it changes something that it reads, such as an attribute or a list, and a program "
            "would not: keep what is to be seen afterwards out of the model and the loss"
        )
    return made, before


def guards(recording: Recording) -> dict[int, bool]:
    """Return the nodes whose truth was asked for, and the answers."""
    outputs, outcomes = recording.program.outputs, recording.outcomes
    return dict(zip(outputs[len(outputs) - len(outcomes) :], outcomes, strict=True))


def results(recording: Recording) -> list[int]:
    """Return the nodes of the result."""
    outputs = recording.program.outputs
    return outputs[: len(outputs) - len(recording.outcomes)]


def leaves_read(recording: Recording, store: Store) -> dict[int, int]:
    """Return the input that each leaf of a store is, in the order they are first used.

    Raises
    ------
    TraceError
        If a Value is read that is no leaf of the store.
    """
    numbers = {leaf: i for i, leaf in enumerate(store.leaves)}
    first = recording.program.inputs - len(recording.closed_over)
    nodes = {}
    for node, leaf in enumerate(recording.closed_over, first):
        if leaf not in numbers:
            raise TraceError(
                f"the step reads {leaf!r}, which neither the model nor the optimiser has: make it "
                "a Parameter of the model, or a plain number"
            )
        nodes[numbers[leaf]] = node
    return nodes


class Guards:
    """What a recording has asked, and its answers, to be compared at each run.

    Parameters
    ----------
    found : float64
        The cells of the answers.
    expected : iterable of bool
        Those recorded.
    """

    def __init__(self, found: Floats, expected: Iterable[bool]) -> None:
        self._found = found
        self._expected = np.array([*expected], dtype=np.bool_)

    def hold(self) -> bool:
        """Return whether the last run has gone the way recorded."""
        if not len(self._expected):
            return True
        return bool(((self._found != 0.0) == self._expected).all())


class Draws:
    """The random numbers that a recording draws at each run."""

    def __init__(self, recording: Recording) -> None:
        self._draws = recording.draws
        self._sources = list({id(draw.source): draw.source for draw in self._draws}.values())
        self._before: list[tuple[Any, Any]] = []

    def into(self, cells: Floats) -> None:
        """Draw, in the order of an eager run."""
        if not self._draws:
            return
        self._before = [(source, state_of(source)) for source in self._sources]
        cells[:] = [float(draw()) for draw in self._draws]

    def undo(self) -> None:
        """Put the generators back to before the last draws."""
        rewind(self._before)
