"""The random generators that the steps of a run draw from, and their states."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Iterator
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


def states_of(called: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return the generators that functions can reach, after that of `random`, and their states."""
    return [(x, state_of(x)) for x in [MODULE, *find_generators.generators_of([*called])]]


def drawn_from(states: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return those of some generators that have drawn since they had these states."""
    return [x for x, state in states if pickle.dumps(state) != pickle.dumps(state_of(x))]


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
    states = states_of(objective.called)
    numpy = sys.modules.get("numpy.random")
    arrays = numpy.get_state() if numpy else None
    try:
        yield
    finally:
        rewind(states)
        if numpy:
            numpy.set_state(arrays)
