"""Recordings: what is known about a recorded step or forward pass before it becomes a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from scalargrad.compiler.arguments import fresh_leaves
from scalargrad.compiler.record import Recording, record
from scalargrad.compiler.stacking import UnlikeError
from scalargrad.errors import TraceError
from scalargrad.train.chance import shared_generators, undone_draws
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings
from scalargrad.value import Value

R = TypeVar("R")


def recorded(run: Callable[[list[Value]], R], leaves: Sequence[Any]) -> tuple[Recording, R]:
    """Record a function of numbers: vmap's once for all examples, or for each if it has to be.

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
        return _recorded(run, leaves, together=True)
    except (TraceError, UnlikeError):
        return _recorded(run, leaves, together=False)


def _recorded(
    run: Callable[[list[Value]], R], leaves: Sequence[Any], *, together: bool
) -> tuple[Recording, R]:
    fresh = fresh_leaves([*leaves])
    return record(lambda: run(fresh), fresh, together=together)


def repeatable(make: Callable[[], R], *roots: Any) -> tuple[R, Surroundings]:
    """Make a recording, and see that nothing happened which a program would not do again.

    Parameters
    ----------
    make : callable
        Records.
    roots
        The functions recorded, where what they read is looked for.

    Returns
    -------
    recording
        What `make` returned.
    surroundings : Surroundings
        What the program depends on.

    Raises
    ------
    TraceError
        If something was drawn, which is undone, or changed.
    """
    before = Surroundings(*roots)
    with undone_draws([*shared_generators(), *before.generators()]):
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
