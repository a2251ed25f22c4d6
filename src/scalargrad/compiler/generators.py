"""The random number generators, Python's and NumPy's, that a traced function can reach.

A number drawn by `scalargrad.drawn` is drawn again at each call. A number drawn without it would
be a constant of the compiled program. So after tracing, the state of each reachable generator is
compared with the state in which the calls of `drawn` alone leave it.

Generators are found by following the references of the function. Generators that a library keeps
private are not found. Asking the garbage collector for all generators would take longer than
tracing a small function, and would find those of other threads.
"""

from __future__ import annotations

import itertools
import pickle
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import FunctionType
from typing import Any

from scalargrad.compiler.guards.names_read import NamesRead, read_by
from scalargrad.compiler.guards.object_state import is_own, is_stateful
from scalargrad.compiler.guards.surroundings import walked
from scalargrad.engine.draws import MODULE, rewind, state_of
from scalargrad.engine.value import Value
from scalargrad.errors import TraceError
from scalargrad.system.short_repr import format_value

REMEDY = (
    "it would stay the same at every call. Draw a number by scalargrad.drawn(rng.random), which "
    "draws again at each call; with arguments, drawn(rng.gauss, 0.0, 1.0). Draw a minibatch, an "
    "order or a choice outside and pass the result in: "
    "loss([xs[i] for i in batch], [ys[i] for i in batch])"
)

#: Minimum number of draws that are made by one call with an array size.
_AT_ONCE = 8
#: Methods of NumPy's generators whose arrays have the numbers that single draws would give.
_FILLING = {"random", "normal", "standard_normal", "uniform", "exponential", "standard_exponential"}


class Draw:
    """One draw by `scalargrad.drawn`: a generator's method and its arguments."""

    def __init__(self, method: Any, *args: Any, **kwargs: Any) -> None:
        self.source, self.method = method.__self__, method.__name__
        self.args, self.kwargs = args, kwargs

    def __call__(self) -> Any:
        """Draw."""
        return getattr(self.source, self.method)(*self.args, **self.kwargs)

    def many(self, count: int) -> Any:
        """Return `count` numbers, as a list or an array, equal to those of single draws."""
        method, kind = getattr(self.source, self.method), type(self.source)
        is_numpys = kind.__name__ == "Generator" and hasattr(kind, "bit_generator")
        if count >= _AT_ONCE and is_numpys and self.method in _FILLING and self._is_of_numbers():
            return method(*self.args, **self.kwargs, size=count)
        return [float(method(*self.args, **self.kwargs)) for _ in range(count)]

    def kind(self) -> object:
        """Return a key that is equal for draws by the same method with equal arguments.

        Arguments that are not numbers could change between draws; such a draw has its own key.
        """
        if not self._is_of_numbers():
            return id(self)
        return id(self.source), self.method, repr(self.args), repr(self.kwargs)

    def _is_of_numbers(self) -> bool:
        return {float, int}.issuperset(map(type, (*self.args, *self.kwargs.values())))


def rows_of(draws: Iterable[Draw]) -> Iterator[list[Draw]]:
    """Yield runs of consecutive equal draws, as made by a loop or for the examples of vmap."""
    return (list(row) for _, row in itertools.groupby(draws, key=Draw.kind))


class Generators:
    """The generators that a function can reach, with their states before tracing.

    Parameters
    ----------
    objects : iterable
        The objects that can be reached from the function and its arguments.
    read : NamesRead, optional
        The names in its code.
    """

    def __init__(self, objects: Iterable[Any] = (), read: NamesRead | None = None) -> None:
        read = read or NamesRead()
        objects, names = [x for x in objects if not is_stateful(type(x))], {*read.names}
        is_loaded = "numpy.random" in sys.modules  # libraries may draw from it
        found = _among(objects, with_numpys="random" in names or is_loaded)
        self._before = {id(x): (x, state) for x, state in found}
        may_name = read.computed and ("random" in names or any(x is random for x in objects))
        #: True if the function names a source of unseeded generators, or may compute such a name.
        self.may_be_fresh = may_name or any(map(is_fresh, objects)) or not _FRESH.isdisjoint(names)

    def note(self, draw: Draw) -> None:
        """Raise TraceError if the generator of a draw by `drawn` was not reachable before."""
        if id(draw.source) not in self._before:
            raise TraceError(
                f"drawn was called with a method of {format_value(draw.source)}, a generator that "
                "the function could not reach by a variable, argument or attribute before the "
                "call, so that later calls could not draw from it: make the generator outside; "
                "use a generator that is made and seeded inside without drawn"
            )

    def __contains__(self, x: object) -> bool:
        return id(x) in self._before

    def __iter__(self) -> Iterator[Any]:
        return (x for x, _ in self._before.values())

    def rewind(self) -> None:
        """Restore the states of all generators before tracing."""
        rewind(self._before.values())

    def advanced(self) -> list[Any]:
        """Return the generators whose state has changed."""
        return [x for x, state in self._before.values() if _differ(state, state_of(x))]

    def check(self, draws: Sequence[Draw]) -> None:
        """Raise TraceError if a number was drawn without `drawn`; restore all states.

        `draws` are the draws by `drawn`.
        """
        after = [(x, state_of(x)) for x in self]
        self.rewind()
        for row in rows_of(draws):
            row[0].many(len(row))
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        self.rewind()
        if hidden:
            named = "the module random" if hidden[0] is MODULE else format_value(hidden[0])
            raise TraceError(
                f"a random number was drawn from {named} while a compiled function was traced: "
                f"{REMEDY}"
            )


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)


def generators_of(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached from objects, with that of the module `random`."""
    names = NamesRead()
    objects = walked([*roots], names, closed=(Value,)).kept
    return [x for x, _ in _among(objects, with_numpys="random" in names.names)]


def _among(objects: Iterable[Any], *, with_numpys: bool) -> list[tuple[Any, Any]]:
    """Return generators with their states: those among objects, of `random`, of NumPy.

    Globals of library functions, which the walk does not enter, are included.
    """
    functions = [x for x in objects if isinstance(x, FunctionType) and not is_own(x)]
    named = [(x.__globals__, read_by(x.__code__).of_globals) for x in functions]
    shared = [MODULE, *(space.get(name) for space, names in named for name in names)]
    if with_numpys and (numpy := sys.modules.get("numpy")):
        shared.append(numpy.random.rand.__self__)
    found = {id(x): x for x in (*shared, *objects) if _may_be_generator(x)}.values()
    states = ((x, _state(x)) for x in found)
    return [(x, state) for x, state in states if state is not None]


def is_fresh(x: Any) -> bool:
    """Return True if an object makes generators, as `default_rng`, or is a `SystemRandom`."""
    if isinstance(x, type):
        return issubclass(x, random.Random) or str(x.__module__).startswith("numpy.random")
    makes = getattr(sys.modules.get("numpy.random"), "default_rng", None)
    return isinstance(x, random.SystemRandom) or (makes is not None and x is makes)


#: Names of the classes and functions that make generators.
_FRESH = {"Random", "SystemRandom", "RandomState", "SeedSequence", "default_rng"}
_FRESH |= {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}


def _may_be_generator(x: Any) -> bool:
    return isinstance(x, random.Random) or str(type(x).__module__).startswith("numpy.random")


def _state(x: Any) -> Any:
    """Return the state of a generator; None of what is none."""
    try:
        return state_of(x)
    except AttributeError as error:  # another dict was assigned
        raise TraceError(f"the state of {format_value(x)} cannot be read: {error}") from error
