"""Random draws that a compiled function repeats instead of freezing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scalargrad.errors import OperandError

#: The generator behind the functions of the module `random`, shared by a whole process.
_MODULE: Any = random.random.__self__  # type: ignore[attr-defined]


class Draw:
    """One draw, which can be made again: a generator's method and its arguments."""

    def __init__(self, source: Any, method: str, args: tuple[Any, ...]) -> None:
        self.source = source
        self.method = method
        self.args = args

    @classmethod
    def by(cls, method: Callable[..., Any], args: tuple[Any, ...]) -> Draw:
        """Return the draw made by calling a bound method of a generator."""
        source = getattr(method, "__self__", None)
        if state_of(source) is None:
            raise OperandError(
                f"drawn takes a method of a random generator, as in drawn(rng.random), not "
                f"{method!r:.60}: compute with what it returns afterwards"
            )
        if any(hasattr(x, "_apply") for x in args):
            raise OperandError(
                f"drawn: {method.__name__} was given a Value, through which no gradient could "
                "flow: draw from a standard distribution, then scale and shift the number"
            )
        return cls(source, method.__name__, args)

    def __call__(self) -> Any:
        """Draw."""
        return getattr(self.source, self.method)(*self.args)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is _MODULE:
            return _module_draw, (self.method, self.args)
        return Draw, (self.source, self.method, self.args)


def _module_draw(method: str, args: tuple[Any, ...]) -> Draw:
    return Draw(_MODULE, method, args)


def state_of(source: Any) -> Any:
    """Return the state of a generator, Python's or NumPy's; None for anything else."""
    if isinstance(source, random.Random):
        try:
            return source.getstate()
        except NotImplementedError:  # SystemRandom has none
            return None
    if not type(source).__module__.startswith("numpy.random"):
        return None
    if hasattr(source, "bit_generator"):
        return source.bit_generator.state
    return source.get_state(legacy=False) if hasattr(source, "get_state") else None


def rewind(states: Iterable[tuple[Any, Any]]) -> None:
    """Set generators to the states given, as pairs (generator, state)."""
    for source, state in states:
        if isinstance(source, random.Random):
            source.setstate(state)
        elif hasattr(source, "bit_generator"):
            source.bit_generator.state = state
        else:
            source.set_state(state)


def drawn(method: Callable[..., Any], *args: Any) -> Any:
    """Draw a random number, in a compiled function anew at each call: ``method(*args)``.

    Parameters
    ----------
    method : bound method
        Of a ``random.Random``, the module ``random`` or a NumPy generator; it returns one
        number: ``rng.random``, ``rng.gauss``, ``rng.randrange``.
    *args : number
        Its arguments.

    Returns
    -------
    number
        As `method` returns it; a Value while a function is compiled.

    Raises
    ------
    OperandError
        If `method` is no method of a generator whose state can be read, or is given a Value.

    Notes
    -----
    A compiled call draws from the same generator, the same numbers in the same order as an eager
    one: seeded runs agree. No gradient flows to what is drawn.

    Examples
    --------
    >>> from scalargrad import jit
    >>> rng = random.Random(0)
    >>> noisy = jit(lambda x: x + drawn(rng.random))
    >>> first, second = noisy(1.0), noisy(1.0)
    >>> again = random.Random(0)
    >>> [first, second] == [1.0 + again.random(), 1.0 + again.random()]
    True
    """
    return _number(Draw.by(method, args))


def _number(draw: Draw) -> Any:
    """Return the number drawn; while a function is recorded, an input stands for it."""
    known = _known.get()
    return draw() if known is None else next(known)


_known: ContextVar[Iterator[float] | None] = ContextVar("known", default=None)


@contextmanager
def repeated(numbers: Iterable[float]) -> Iterator[None]:
    """Give `drawn` these numbers instead, one after the other; no generator moves."""
    token = _known.set(iter(numbers))
    try:
        yield
    finally:
        _known.reset(token)
