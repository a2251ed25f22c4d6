"""Let a program draw random numbers by `scalargrad.drawn`, and refuse all other draws.

A number drawn by `drawn` is drawn again at each call. Drawn in any other way, it would be the same
in all calls. So after the recording, every generator that the function can reach must be in the
state in which the draws by `drawn` alone leave it.

Generators are found by the references of the function. Asking the garbage collector for all of them
would take longer than recording a small function, and would find those of other threads.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from scalargrad.compiler.generators import generators_among, is_fresh
from scalargrad.compiler.trace.draws import Draw, rows_of
from scalargrad.compiler.trace.refusal import at, users_line
from scalargrad.errors import TraceError
from scalargrad.system.short_repr import shown
from scalargrad.transforms.draws import MODULE, rewind, state_of

REMEDY = (
    "it would stay the same at every call. Draw a number by scalargrad.drawn(rng.random), which "
    "draws anew, with arguments by drawn(rng.gauss, 0.0, 1.0); a minibatch, an order or a choice "
    "draw outside, and pass in what was chosen: "
    "loss([xs[i] for i in batch], [ys[i] for i in batch])"
)


class Generators:
    """The generators that a function can reach, with their states before the recording.

    Parameters
    ----------
    objects : iterable
        What the function, and what it is called with, lead to; see `reached`.
    """

    def __init__(self, objects: Iterable[Any] = ()) -> None:
        objects = [*objects]
        self._before = {id(x): (x, state_of(x)) for x in generators_among(objects)}
        #: Whether the function names a source of fresh randomness.
        self.may_be_fresh = any(map(is_fresh, objects))

    def note(self, draw: Draw) -> None:
        """Note a draw by `drawn`; raise TraceError if its generator is not among those known."""
        if id(draw.source) not in self._before:
            raise TraceError(
                f"drawn was given a method of {shown(draw.source)}, a generator that the function "
                "could not reach by a variable, argument or attribute before the call, so that "
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

    def check(self, draws: Sequence[Draw], again: Callable[[Callable[[], None]], Any]) -> None:
        """Raise TraceError if anything but `draws` was drawn; rewind the generators.

        Parameters
        ----------
        draws : sequence of Draw
            Those made by `drawn`.
        again : callable
            Records the function once more, to find the line: ``again(check)`` calls ``check()``
            before each operation.
        """
        before = [*self._before.values()]
        after = [(x, state_of(x)) for x, _ in before]
        rewind(before)
        for row in rows_of(draws):
            row[0].many(len(row))
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        rewind(before)
        if hidden:
            place = None if draws else _where_noticed(hidden[0], again)
            where, code = "", ""
            if place is not None:
                where, code = f" (before the operation at {place[0]}:{place[1]})", at(*place)
            raise TraceError(
                f"a random number was drawn from {_named(hidden[0])} while a compiled function was "
                f"recorded{where}: {REMEDY}{code}"
            )


def _where_noticed(
    source: Any, again: Callable[[Callable[[], None]], Any]
) -> tuple[str, int] | None:
    """Return the file and line of the first operation after a draw, if there is one."""
    before, is_looking = state_of(source), True

    def check() -> None:
        if is_looking and _differ(before, state_of(source)):
            raise _DrawnError

    try:
        again(check)
    except _DrawnError as noticed:
        return users_line(noticed.__traceback__)
    except Exception:  # noqa: BLE001 - what it raises now matters no more
        return None
    finally:
        is_looking = False
    return None


def _named(source: Any) -> str:
    return "the module random" if source is MODULE else shown(source)


class _DrawnError(BaseException):
    """Ends a recording at the first operation after a draw; no user's `except` is to catch it."""


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)
