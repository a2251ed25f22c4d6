"""drawn: a random number that a compiled function draws afresh at every call."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown

#: The generator behind the functions of the module `random`, shared by a whole process.
MODULE: Any = random.random.__self__  # type: ignore[attr-defined]
#: From this many numbers on, these methods of NumPy's generators draw them all at once.
_MANY = 8
_FILLING = {"random", "normal", "standard_normal", "uniform", "exponential", "standard_exponential"}
NO_GRADIENT = (
    "no gradient could flow through it: draw from a standard distribution, then scale and shift "
    "the number"
)


class Draw:
    """One draw, which can be made again: a generator's method and its arguments."""

    def __init__(
        self, source: Any, method: str, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> None:
        self.source = source
        self.method = method
        self.args = args
        self.kwargs: dict[str, Any] = kwargs or {}

    @classmethod
    def by(cls, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Draw:
        """Return the draw made by calling a bound method of a generator."""
        source = getattr(method, "__self__", None)
        if not _has_state(source):
            raise OperandError(
                f"drawn takes a method of a random generator, as in drawn(rng.random), not "
                f"{shown(method)}: compute with what it returns afterwards"
            )
        draw = cls(source, method.__name__, args, kwargs)
        if draw.has_values():
            raise OperandError(f"drawn: {draw.method} was given a Value: {NO_GRADIENT}")
        return draw

    def has_values(self) -> bool:
        """Return whether a Value is among the arguments."""
        return any(hasattr(x, "_apply") for x in (*self.args, *self.kwargs.values()))

    def __call__(self) -> Any:
        """Draw."""
        return getattr(self.source, self.method)(*self.args, **self.kwargs)

    def many(self, count: int) -> Any:
        """Draw many numbers, as a list or an array: the same as if drawn one after the other."""
        method = getattr(self.source, self.method)
        if count >= _MANY and self._fills_arrays():
            return method(*self.args, **self.kwargs, size=count)
        return [float(method(*self.args, **self.kwargs)) for _ in range(count)]

    def _fills_arrays(self) -> bool:
        """Return whether the generator fills arrays with the numbers it draws one by one."""
        known = type(self.source).__name__ == "Generator" and hasattr(self.source, "bit_generator")
        return known and self.method in _FILLING and self._is_of_numbers()

    def kind(self) -> object:
        """Return what is equal for draws that are alike: the method and its arguments, to the bit.

        Arguments other than numbers could be changed in between: each such draw is of its own kind.
        """
        if not self._is_of_numbers():
            return id(self)
        return id(self.source), self.method, repr(self.args), repr(self.kwargs)

    def _is_of_numbers(self) -> bool:
        return {float, int}.issuperset(map(type, (*self.args, *self.kwargs.values())))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is MODULE:
            return _module_draw, (self.method, self.args, self.kwargs)
        return Draw, (self.source, self.method, self.args, self.kwargs)


def rows_of(draws: Iterable[Draw]) -> Iterator[list[Draw]]:
    """Yield runs of equal draws, such as a loop makes, or vmap for its examples."""
    return (list(row) for _, row in itertools.groupby(draws, key=Draw.kind))


def _module_draw(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Draw:
    return Draw(MODULE, method, args, kwargs)


def _has_state(source: Any) -> bool:
    """Return whether the state of a generator can be read; most need not be, which takes long."""
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
    """Set generators to the states given, as pairs (generator, state)."""
    for source, state in states:
        if isinstance(source, random.Random):
            source.setstate(state)
        elif hasattr(source, "bit_generator"):
            source.bit_generator.state = state
        else:
            source.set_state(state)


def drawn(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Draw a random number, ``method(*args)``; a compiled function draws again at each call.

    In a compiled function a plain ``rng.random()`` is refused, because the number would stay.

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
        If `method` is not a method of a generator whose state can be read, or is given a Value.

    Notes
    -----
    A compiled call draws from the same generator, the same numbers in the same order as an eager
    one: seeded runs agree. No gradient flows to what is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from scalargrad import jit
    >>> rng, again = np.random.default_rng(0), np.random.default_rng(0)
    >>> noisy = jit(lambda x: x + drawn(rng.normal))
    >>> [noisy(1.0), noisy(1.0)] == [1.0 + again.normal(), 1.0 + again.normal()]
    True
    """
    return made(Draw.by(method, args, kwargs))


#: The function that makes draws in this thread or task in place of generators; None if these do.
maker: ContextVar[Callable[[Draw], Any] | None] = ContextVar("maker", default=None)


def made(draw: Draw) -> Any:
    """Make a draw; return the number, or the Value that stands for it in a recording."""
    make = maker.get()
    return draw() if make is None else make(draw)


@contextmanager
def made_by(make: Callable[[Draw], Any] | None) -> Iterator[None]:
    """Within the ``with`` block, let `make` make draws; with None, their generators do."""
    token = maker.set(make)
    try:
        yield
    finally:
        maker.reset(token)
