"""Interception: calls of Python's generators, met while something else makes the draws.

``rng.gauss(0, 1)`` is met as `drawn(rng.gauss, 0, 1)` is: methods of ``random.Random`` are
exchanged, and so are names that stand for one bound to its generator: the functions of the module
``random``, and those that functions import from it or close over. Only the outermost call counts.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import BuiltinMethodType, MethodType
from typing import Any

from scalargrad.compiler.trace.exchange import Exchange, Place, exchanged
from scalargrad.transforms.draws import MODULE, Draw, made_by, maker

#: Methods that give a generator another state.
SEEDING = {"seed", "setstate"}
_NAMES = [name for name in dir(random.Random) if name[0].islower() and name != "getstate"]


class Met(Draw):
    """A call of a generator's method.

    Attributes
    ----------
    within : bool
        Whether another method, itself not met, makes the call.
    """

    within = False


@contextmanager
def intercepting(make: Callable[[Draw], Any], names: Iterable[Place]) -> Iterator[None]:
    """Have `make` make all draws of this thread or task, by `drawn` or by calls.

    Parameters
    ----------
    make : callable
        From a draw, a `Met` one where it is a call, to what stands for its number.
    names : iterable of Place
        Where functions may find methods that are bound to their generator already.
    """
    found = [(place, _bound(place.get())) for place in names if place.owner is not vars(random)]
    with _METHODS.on(), exchanged([(place, x) for place, x in found if x]), made_by(make):
        yield


def _met(usual: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return what stands in for a method."""

    @functools.wraps(usual)
    def draw(self: random.Random, *args: Any, **kwargs: Any) -> Any:
        make = maker.get()
        if make is None:
            return usual(self, *args, **kwargs)
        met = Met(self, name, args, kwargs)
        met.within = sys._getframe(1).f_globals is vars(random) and name not in SEEDING
        return make(met)

    return draw


_OWNERS: list[Any] = [random.Random, random.SystemRandom]
#: By the method that a class declares, what stands in for it.
_STANDING_IN: dict[Any, Callable[..., Any]] = {
    usual: _met(usual, name)
    for name in _NAMES
    for usual in {getattr(kind, name) for kind in _OWNERS}
}
_STANDING_IN |= {x: x for x in _STANDING_IN.values()}  # another thread has exchanged it already


def is_bound(x: Any) -> bool:
    """Return whether something is a method bound to one of Python's generators."""
    return isinstance(x, MethodType | BuiltinMethodType) and isinstance(x.__self__, random.Random)


def _bound(method: Any) -> Any:
    """Return what stands in for a method bound to its generator; None where nothing does."""
    source = getattr(method, "__self__", None)
    usual = getattr(type(source), getattr(method, "__name__", ""), None)
    answer = _STANDING_IN.get(usual)
    return answer and MethodType(answer, source)


def is_overridden(draw: Draw) -> bool:
    """Return whether the generator's class has a method of its own where the draw was met."""
    return getattr(type(draw.source), draw.method) not in _STANDING_IN


_ANSWERS: dict[tuple[Any, str], Any] = {
    (kind, name): _STANDING_IN[getattr(kind, name)]
    for kind in _OWNERS
    for name in _NAMES
    if kind is random.Random or (name in vars(kind) and name not in SEEDING)
}
_ANSWERS |= {
    (random, name): MethodType(_STANDING_IN[getattr(random.Random, name)], MODULE)
    for name in _NAMES
}
_METHODS = Exchange(_ANSWERS)
