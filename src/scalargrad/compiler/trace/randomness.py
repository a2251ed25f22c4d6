"""Randomness: draws become inputs of the program, and what else is drawn is given away.

A number drawn by a call of Python's generators, or by `drawn`, is drawn again at each call. Drawn
in any other way it would stay the same, so all generators that the function leads to must end up
where the draws that were noted leave them.
"""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.compiler.trace.interception import SEEDING, Met, is_overridden
from scalargrad.compiler.trace.reach import Reach
from scalargrad.compiler.trace.refusal import refuse
from scalargrad.errors import TraceError
from scalargrad.transforms.draws import NO_GRADIENT, Draw, rewind, state_of

_FROZEN = "it would stay the same at every call"
_OUTSIDE = "draw outside, and pass what is drawn as an argument"
_KEPT = f"{_FROZEN}; {_OUTSIDE}"
REMEDY = (
    f"{_FROZEN}. Call the generator's method itself, as in rng.random(), of NumPy's generators by "
    f"scalargrad.drawn(rng.random); or {_OUTSIDE}"
)
#: Methods that return something else than one number, and what to do instead.
_REMEDIES = dict.fromkeys(("choices", "sample", "shuffle", "randbytes"), _KEPT)
_REMEDIES["choice"] = (
    "write scalargrad.take(values, rng.randrange(len(values))), which draws the same"
)


class Generators:
    """Generators that a function may draw from, with their states before it is recorded.

    Parameters
    ----------
    roots : sequence
        The function, and what it is called with.

    Attributes
    ----------
    names : list of Place
        Where functions find methods of Python's generators.
    """

    def __init__(self, roots: Sequence[Any] = ()) -> None:
        reach = Reach(roots)
        self.names = reach.names
        self._before = {id(x): (x, state_of(x)) for x in reach.generators}
        self._made: dict[int, tuple[weakref.ref[Any], bool]] = {}  # and whether it is seeded
        self._drawn_from: list[weakref.ref[Any]] = []

    def note(self, draw: Draw) -> None:
        """Remember the state of a generator that is about to be drawn from.

        Raises
        ------
        TraceError
            If a program could not make the draw again.
        """
        _require_number(draw)
        if id(draw.source) not in self._before:
            self._before[id(draw.source)] = draw.source, state_of(draw.source)

    def is_inner(self, draw: Draw) -> bool:
        """Return whether a draw is from a generator that the function itself makes.

        Seeded by the function, it draws the same at every call. What seeds it is such a draw, too.

        Raises
        ------
        TraceError
            If a generator from outside is seeded, or one that is not seeded is drawn from.
        """
        if draw.method in SEEDING and isinstance(draw, Met):
            self._seed(draw)
            return True
        made, seeded = self._made.get(id(draw.source), (None, False))
        if made is None or made() is not draw.source:
            return False
        if not seeded:
            refuse(
                "a generator was made without a seed and drawn from",
                "give it a seed, or make it outside",
            )
        self._drawn_from.append(made)
        return True

    def _seed(self, draw: Draw) -> None:
        if id(draw.source) in self._before:
            refuse(
                "a generator of random numbers was given another state",
                "do so outside, or draw from one made in the function: random.Random(0)",
            )
        seed = draw.args[0] if draw.args else draw.kwargs.get("a")
        seeded = draw.method == "seed" and seed is not None
        self._made[id(draw.source)] = weakref.ref(draw.source), seeded

    def rewind(self) -> None:
        """Set all generators to where they were."""
        rewind(self._before.values())

    def check(self, draws: Iterable[Draw]) -> None:
        """Raise TraceError if more was drawn than `draws`; else rewind to before them."""
        if any(made() is not None for made in self._drawn_from):
            raise TraceError(
                "a compiled function made a generator of random numbers, drew from it and kept it: "
                f"{_FROZEN}. Make the generator outside"
            )
        before = [*self._before.values()]
        after = [(x, state_of(x)) for x, _ in before]
        rewind(before)
        for draw in draws:
            draw()
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        if hidden:
            rewind(after)
            raise TraceError(
                f"a random number was drawn from {hidden[0]!r:.60} while a compiled function was "
                f"recorded: {REMEDY}"
            )
        self.rewind()


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)


def _require_number(draw: Draw) -> None:
    """Refuse a draw that a program could not make again as one number."""
    if not isinstance(draw, Met):
        return
    if state_of(draw.source) is None:
        refuse(f"a random number was drawn from {type(draw.source).__name__}", _KEPT)
    if draw.within or is_overridden(draw):
        refuse("a random number was drawn within a method that was not met", REMEDY)
    if draw.method in _REMEDIES:
        refuse(f"{draw.method} of a generator was called", _REMEDIES[draw.method])
    if draw.has_values():
        refuse(
            f"{draw.method} of a generator was given a Value",
            f"{NO_GRADIENT}, or make its argument static, as in jit(f, static_argnames='n')",
        )
