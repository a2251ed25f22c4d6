"""The generators of random numbers, Python's and NumPy's, that functions and objects can reach.

A number drawn by `scalargrad.drawn` is drawn again at each call. Drawn in any other way, it would
be the same in all calls. So after a recording, every generator that the function can reach must be
in the state in which the draws by `drawn` alone leave it.

Generators are found by the references of the function, but for those that a library keeps to
itself. Asking the garbage collector for all of them would take longer than recording a small
function, and would find those of other threads.
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
from scalargrad.engine.value import Value
from scalargrad.errors import TraceError
from scalargrad.system.short_repr import format_value
from scalargrad.transforms.draws import MODULE, rewind, state_of

REMEDY = (
    "it would stay the same at every call. Draw a number by scalargrad.drawn(rng.random), which "
    "draws anew, with arguments by drawn(rng.gauss, 0.0, 1.0); a minibatch, an order or a choice "
    "draw outside, and pass in what was chosen: "
    "loss([xs[i] for i in batch], [ys[i] for i in batch])"
)

#: From this many numbers on, these methods of NumPy's generators draw them all at once.
_AT_ONCE = 8
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
        """Draw many numbers, as a list or an array: the same as if drawn one after the other."""
        method, kind = getattr(self.source, self.method), type(self.source)
        is_numpys = kind.__name__ == "Generator" and hasattr(kind, "bit_generator")
        if count >= _AT_ONCE and is_numpys and self.method in _FILLING and self._is_of_numbers():
            return method(*self.args, **self.kwargs, size=count)
        return [float(method(*self.args, **self.kwargs)) for _ in range(count)]

    def kind(self) -> object:
        """Return what is equal for draws that are alike: the method and its arguments, to the bit.

        Arguments other than numbers could be changed in between: each such draw is of its own kind.
        """
        if not self._is_of_numbers():
            return id(self)
        return id(self.source), self.method, repr(self.args), repr(self.kwargs)

    def _is_of_numbers(self) -> bool:
        return {float, int}.issuperset(map(type, (*self.args, *self.kwargs.values())))


def rows_of(draws: Iterable[Draw]) -> Iterator[list[Draw]]:
    """Yield runs of equal draws, such as a loop makes, or vmap for its examples."""
    return (list(row) for _, row in itertools.groupby(draws, key=Draw.kind))


class Generators:
    """The generators that a function can reach, with their states before the recording.

    Parameters
    ----------
    objects : iterable
        What the function, and what it is called with, lead to.
    names : container of str
        Those in its code.
    """

    def __init__(self, objects: Iterable[Any] = (), names: Iterable[str] = ()) -> None:
        objects, names = [x for x in objects if not is_stateful(type(x))], {*names}
        is_loaded = "numpy.random" in sys.modules  # libraries may draw from it
        found = _among(objects, with_numpys="random" in names or is_loaded)
        self._before = {id(x): (x, state_of(x)) for x in found}
        #: Whether the function names a source of fresh randomness.
        self.may_be_fresh = any(map(is_fresh, objects)) or not _FRESH.isdisjoint(names)

    def note(self, draw: Draw) -> None:
        """Note a draw by `drawn`; raise TraceError if its generator is not among those known."""
        if id(draw.source) not in self._before:
            raise TraceError(
                f"drawn was given a method of {format_value(draw.source)}, a generator that the "
                "function could not reach by a variable, argument or attribute before the call, "
                "so that "
                "its program could not draw from it again: make the generator outside; one that "
                "is made and seeded inside is used without drawn"
            )

    def __contains__(self, x: object) -> bool:
        return id(x) in self._before

    def __iter__(self) -> Iterator[Any]:
        return (x for x, _ in self._before.values())

    def rewind(self) -> None:
        """Set all generators back to their states before the recording."""
        rewind(self._before.values())

    def advanced(self) -> list[Any]:
        """Return the generators that are in other states than before."""
        return [x for x, state in self._before.values() if _differ(state, state_of(x))]

    def check(self, draws: Sequence[Draw]) -> None:
        """Raise TraceError if anything but `draws`, made by `drawn`, was drawn; rewind all."""
        after = [(x, state_of(x)) for x in self]
        self.rewind()
        for row in rows_of(draws):
            row[0].many(len(row))
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        self.rewind()
        if hidden:
            named = "the module random" if hidden[0] is MODULE else format_value(hidden[0])
            raise TraceError(
                f"a random number was drawn from {named} while a compiled function was recorded: "
                f"{REMEDY}"
            )


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)


def generators_of(roots: Iterable[Any]) -> list[Any]:
    """Return the generators that can be reached, that of the module `random` among them."""
    names = NamesRead()
    objects = walked([*roots], names, closed=(Value,)).kept
    return _among(objects, with_numpys="random" in names.names)


def _among(objects: Iterable[Any], *, with_numpys: bool) -> list[Any]:
    """Return the generators among objects, that of the module `random`, and that of NumPy's.

    Also those that functions of libraries name, in which the walk does not look.
    """
    functions = [x for x in objects if isinstance(x, FunctionType) and not is_own(x)]
    named = [(x.__globals__, read_by(x.__code__).of_globals) for x in functions]
    shared = [MODULE, *(space.get(name) for space, names in named for name in names)]
    if with_numpys and (numpy := sys.modules.get("numpy")):
        shared.append(numpy.random.rand.__self__)
    return [*{id(x): x for x in filter(_is_generator, (*shared, *objects))}.values()]


def is_fresh(x: Any) -> bool:
    """Return whether an object makes unseeded generators, as `default_rng`, or asks the system."""
    if isinstance(x, type):
        return issubclass(x, random.Random) or str(x.__module__).startswith("numpy.random")
    makes = getattr(sys.modules.get("numpy.random"), "default_rng", None)
    return isinstance(x, random.SystemRandom) or (makes is not None and x is makes)


#: The names of what makes them.
_FRESH = {"Random", "SystemRandom", "RandomState", "SeedSequence", "default_rng"}
_FRESH |= {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or str(type(x).__module__).startswith("numpy.random")
    return known and state_of(x) is not None
