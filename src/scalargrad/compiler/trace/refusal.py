"""Refusal: the error for what a compiled program could not repeat, and the line that asked for it."""

from __future__ import annotations

import linecache
import sysconfig
from pathlib import Path
from types import TracebackType

from scalargrad.errors import TraceError

PACKAGE = str(Path(__file__).parents[2])
_LIBRARY = sysconfig.get_path("stdlib")

_NUMBER = (
    "compute with the Value itself, or with scalargrad's operation of the same name; an array that "
    "Values are put into needs dtype=object"
)
_WHOLE = (
    "for values[i] write scalargrad.take(values, i), for floor division a // b; "
    "a number of steps or a size is a static argument, as in jit(f, static_argnames='n')"
)
_TEXT = "return the value and print it outside, or print within scalargrad.disable_jit()"

#: By question, what is refused and the remedy.
REFUSALS = {
    "data read": (
        ".data was read",
        "compute with the Value itself, .detach() it to stop its gradient, compare it "
        "with < or >, or use where and maximum",
    ),
    "data assigned": (".data was assigned", "return the new number and assign it outside"),
    "grad read": (".grad was read", "return the value and use grad or value_and_grad"),
    "grad assigned": (
        ".grad was assigned",
        "do so outside; gradients come from grad or value_and_grad",
    ),
    "backward": (
        ".backward() was called",
        "return the value; call backward() on the result",
    ),
    "zero_grad": (".zero_grad() was called", "do so outside"),
    "graph": (
        "the graph of a Value was read",
        "there is none while a function is recorded: use grad or gradients for derivatives, and "
        "look at the graph of an eager call",
    ),
    "text": ("a Value was printed or made into text", _TEXT),
    "float": ("float() or a math function was called", _NUMBER),
    "rounding": ("floor(), ceil() or trunc() was called", _NUMBER),
    "int": ("int() was called, or a number used as an index", _WHOLE),
    "hash": (
        "a number was looked up in a set or a dict, or put into one",
        "make what is looked up a static argument, as in jit(f, static_argnames='k'), compare "
        "it with ==, or look it up in a list by scalargrad.take(values, i)",
    ),
    "identity": (
        "two Values were compared with == or !=",
        "use scalargrad.eq(a, b) for their numbers, `is` for their identity",
    ),
    "examples": (
        "a condition depends on the examples of vmap, which take one way together",
        "choose with where, maximum, minimum or clip (.detach() does not help), or "
        "loop over the examples without vmap",
    ),
    "elsewhere": (
        "a number was used where the recording does not see it, as in another thread,",
        "compute in the thread that calls the compiled function",
    ),
    "stray example": (
        "a Value computed for one example inside vmap was used outside",
        "return it from the function given to vmap",
    ),
    "outer graph": (
        "a gradient was taken with respect to a Value from which another was computed outside",
        "compute both in the compiled function, or take the gradient outside",
    ),
}

#: What would have changed something for good: an eager call is not made to see what it says.
CHANGES = {"data assigned", "grad assigned", "backward", "zero_grad"}


class Refusal:
    """What a recording refused first, which stands although the function caught the error.

    Attributes
    ----------
    error : TraceError
    is_change : bool
        Whether an eager call would change what the recording has not.
    """

    def __init__(self, what: str, remedy: str, is_change: bool = False) -> None:
        self._what, self._remedy = what, remedy
        self.is_change = is_change
        self.error = TraceError(f"{what} while a compiled function is recorded: {remedy}")

    def locate(self) -> None:
        """Have the error name the user's line, by the frames that it has passed through."""
        place = users_line(self.error.__traceback__)
        if place is not None:
            file, line = place
            code = linecache.getline(file, line).strip()
            shown = f"\n    {code}" if code else ""
            self.error.args = (
                f"{self._what} while a compiled function is recorded ({file}:{line}): "
                f"{self._remedy}{shown}",
            )


def users_line(traceback: TracebackType | None) -> tuple[str, int] | None:
    """Return the file and the innermost line of the user's program in a traceback."""
    found = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not _is_library(file):
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def _is_library(file: str) -> bool:
    """Return whether a file is scalargrad's or Python's own, so that its caller is to be named."""
    installed = "site-packages" in file or "dist-packages" in file
    return file.startswith((PACKAGE, "<printed")) or (
        file.startswith((_LIBRARY, "<frozen")) and not installed
    )
