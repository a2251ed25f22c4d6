"""Random draws: those made by `drawn` become inputs of the program, all others are refused.

A number drawn by `drawn` is drawn again at each call. Drawn in any other way, it would be the same
in all calls. So after the recording, every generator that the function can reach must be in the
state in which the draws by `drawn` alone leave it.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from scalargrad.compiler.trace.find_generators import generators_of, makes_fresh
from scalargrad.compiler.trace.refusal import at, is_library
from scalargrad.errors import TraceError
from scalargrad.table.validation import shown
from scalargrad.transforms.draws import MODULE, Draw, rewind, rows_of, state_of

REMEDY = (
    "it would stay the same at every call. Draw a number by scalargrad.drawn(rng.random), which "
    "draws anew; a minibatch, an order or a choice draw outside, and pass in what was chosen: "
    "loss([xs[i] for i in batch], [ys[i] for i in batch])"
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

    def check(self, draws: Sequence[Draw], run: Callable[[], Any]) -> None:
        """Raise TraceError if anything but `draws` was drawn; rewind the generators.

        The function is then run once more, to name the line that drew.
        """
        before = [*self._before.values()]
        after = [(x, state_of(x)) for x, _ in before]
        rewind(before)
        for row in rows_of(draws):
            row[0].many(len(row))
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        rewind(before)
        if hidden:
            place = None if draws else line_that_draws(hidden[0], run)
            where, code = ("", "") if place is None else (f" ({place[0]}:{place[1]})", at(*place))
            raise TraceError(
                f"a random number was drawn from {shown(hidden[0])} while a compiled function was "
                f"recorded{where}: {REMEDY}{code}"
            )


def line_that_draws(source: Any, run: Callable[[], Any]) -> tuple[str, int] | None:
    """Run a function and return the file and the line of the user's program that first draws."""
    before, tracing = state_of(source), sys.gettrace()
    found: list[tuple[str, int]] = []
    last: list[tuple[str, int]] = []

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if not found and last and _differ(before, state_of(source)):
            found.append(last[0])
        here = frame.f_back if event == "return" and frame.f_back is not None else frame
        last[:] = [(here.f_code.co_filename, here.f_lineno)]
        return line

    def call(frame: FrameType, *_: Any) -> Any:
        return None if found or is_library(frame.f_code.co_filename) else line

    sys.settrace(call)
    try:
        run()
    except Exception:  # noqa: BLE001 - what it raises now matters no more
        return None
    finally:
        sys.settrace(tracing)
    return found[0] if found and not is_library(found[0][0]) else None


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)
