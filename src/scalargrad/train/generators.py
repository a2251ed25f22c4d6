"""The random generators that the steps of a run draw from, and their states."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scalargrad.compiler.trace import find_generators
from scalargrad.train.objective import Objective
from scalargrad.transforms.draws import MODULE, rewind, state_of


def generators_of(objective: Objective) -> list[Any]:
    """Return the generators, Python's and NumPy's, that model, loss and penalty can reach.

    Without that of the module `random`.
    """
    return [x for x in find_generators.generators_of(objective.called) if x is not MODULE]


def saved_state(generator: Any) -> Any:
    """Return the state of a generator as a checkpoint can hold it: lists instead of arrays."""
    return _listed(state_of(generator))


def _listed(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _listed(part) for name, part in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


@contextmanager
def kept_generators(objective: Objective) -> Iterator[None]:
    """Give back their states to a step's generators, to `random` and to NumPy's global one."""
    states = [(rng, state_of(rng)) for rng in [MODULE, *generators_of(objective)]]
    numpy = sys.modules.get("numpy.random")
    arrays = numpy.get_state() if numpy else None
    try:
        yield
    finally:
        rewind(states)
        if numpy:
            numpy.set_state(arrays)
