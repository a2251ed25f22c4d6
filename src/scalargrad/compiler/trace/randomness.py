"""Random draws: those made by `drawn` become inputs of the program, all others are refused.

A number drawn by `drawn` is drawn again at each call. Drawn in any other way, it would be the same
in all calls. So after the recording, every generator that the function can reach must be in the
state in which the draws by `drawn` alone leave it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.compiler.trace.find_generators import generators_of, makes_fresh
from scalargrad.errors import TraceError
from scalargrad.table.validation import shown
from scalargrad.transforms.draws import MODULE, Draw, rewind, rows_of, state_of

REMEDY = (
    "it would stay the same at every call. Draw by scalargrad.drawn(rng.random), which draws "
    "anew; or draw outside, and pass what is drawn as an argument"
)


class Generators:
    """The generators that a function can reach, with their states before the recording.

    Parameters
    ----------
    roots : sequence
        The function, and what it is called with.
    """

    def __init__(self, roots: Sequence[Any] = ()) -> None:
        found = [MODULE, *generators_of(roots)]
        self._before = {id(x): (x, state_of(x)) for x in found}
        #: Whether the function names a source of fresh randomness.
        self.may_be_fresh = makes_fresh(roots)

    def note(self, draw: Draw) -> None:
        """Note a draw by `drawn`; raise TraceError if its generator is not among those known."""
        if id(draw.source) not in self._before:
            raise TraceError(
                f"drawn was given a method of {shown(draw.source)}, a generator that the function "
                "could not reach by a variable, argument or attribute before the call, so that "
                "its program could not draw from it again: make the generator outside; one that "
                "is made and seeded inside is used without drawn"
            )

    def rewind(self) -> None:
        """Set all generators back to their states before the recording."""
        rewind(self._before.values())

    def check(self, draws: Iterable[Draw]) -> None:
        """Raise TraceError if anything but `draws` was drawn; rewind the generators."""
        before = [*self._before.values()]
        after = [(x, state_of(x)) for x, _ in before]
        rewind(before)
        for row in rows_of(draws):
            row[0].many(len(row))
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        rewind(before)
        if hidden:
            raise TraceError(
                f"a random number was drawn from {shown(hidden[0])} while a compiled function was "
                f"recorded: {REMEDY}"
            )


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)
