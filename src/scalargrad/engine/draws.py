"""drawn: a random number that a compiled function draws again at every call.

Eagerly, ``drawn(rng.normal)`` is ``rng.normal()``; while a function is traced, `made_by` installs a
function that records the draw.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value

#: The generator of the functions of the module `random`, one for the whole process.
MODULE: Any = random.random.__self__  # type: ignore[attr-defined]


def _has_state(source: Any) -> bool:
    """Return True if the state of a generator can be read; known classes are not tried (slow)."""
    of_numpy = str(type(source).__module__).startswith("numpy.random")
    known = type(source) is random.Random or (of_numpy and hasattr(source, "bit_generator"))
    return known or state_of(source) is not None


def state_of(source: Any) -> Any:
    """Return the state of a generator, Python's or NumPy's; None for anything else."""
    if isinstance(source, random.Random):
        try:
            return source.getstate()
        except NotImplementedError:  # SystemRandom has none
            return None
    if not str(type(source).__module__).startswith("numpy.random"):
        return None
    if hasattr(source, "bit_generator"):
        return source.bit_generator.state
    return source.get_state(legacy=False) if hasattr(source, "get_state") else None


def rewind(states: Iterable[tuple[Any, Any]]) -> None:
    """Restore the states of generators, from pairs (generator, state)."""
    for source, state in states:
        if isinstance(source, random.Random):
            source.setstate(state)
        elif hasattr(source, "bit_generator"):
            source.bit_generator.state = state
        else:
            source.set_state(state)


def drawn(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Draw a random number, ``method(*args)``; a compiled function draws again at each call.

    In a compiled function a plain ``rng.random()`` raises an error, because every call would use
    the same number.

    Parameters
    ----------
    method : bound method
        Of a NumPy generator, a ``random.Random`` or the module ``random``; it returns one
        number: ``rng.normal``, ``rng.gauss``, ``rng.randrange``.
    *args, **kwargs : number
        Its arguments.

    Returns
    -------
    number
        As `method` returns it; a Value while a function is compiled.

    Raises
    ------
    OperandError
        If `method` is not a method of a generator whose state can be read, or an argument is a
        Value.

    Notes
    -----
    A compiled call draws the same numbers from the same generator, in the same order, as an eager
    call, so that seeded runs agree. No gradient flows to a random number.

    Examples
    --------
    >>> import numpy as np
    >>> from scalargrad import jit
    >>> rng, again = np.random.default_rng(0), np.random.default_rng(0)
    >>> noisy = jit(lambda x: x + drawn(rng.normal))
    >>> [noisy(1.0), noisy(1.0)] == [1.0 + again.normal(), 1.0 + again.normal()]
    True
    """
    if not _has_state(getattr(method, "__self__", None)):
        raise OperandError(
            f"drawn takes a method of a random generator, as in drawn(rng.random), not "
            f"{format_value(method)}: call other functions on the number that it returns"
        )
    if any(hasattr(x, "_apply") for x in (*args, *kwargs.values())):
        raise OperandError(
            f"drawn: {method.__name__} was given a Value, through which no gradient could flow: "
            "draw from a standard distribution, then scale and shift the number"
        )
    make = _maker.get()
    return method(*args, **kwargs) if make is None else make(method, *args, **kwargs)


#: Function that draws in this thread or task instead of the generators, or None.
_maker: ContextVar[Callable[..., Any] | None] = ContextVar("maker", default=None)


@contextmanager
def made_by(make: Callable[..., Any] | None) -> Iterator[None]:
    """Within the ``with`` block, draw by ``make(method, ...)``; with None, by the generators."""
    token = _maker.set(make)
    try:
        yield
    finally:
        _maker.reset(token)
