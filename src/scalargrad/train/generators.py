"""The random generators that a model draws from, and their states."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scalargrad.nn import Module


def generators_of(model: Module) -> list[random.Random]:
    """Return the generators inside a model's modules, each once."""
    inside = (x for module in model.modules() for x in vars(module).values())
    return list({id(x): x for x in inside if isinstance(x, random.Random)}.values())


@contextmanager
def kept_generators(model: Module) -> Iterator[None]:
    """Give back their states to a model's generators, to `random` and to NumPy's global one."""
    states = [(rng, rng.getstate()) for rng in generators_of(model)]
    shared = random.getstate()
    numpy = sys.modules.get("numpy.random")
    arrays = numpy.get_state() if numpy else None
    try:
        yield
    finally:
        for rng, state in states:
            rng.setstate(state)
        random.setstate(shared)
        if numpy:
            numpy.set_state(arrays)
