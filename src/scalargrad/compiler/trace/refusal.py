"""The errors for what a program could not repeat, with the line of the user's code."""

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
_SIZE = (
    "a number of steps or a size is a static argument, as in jit(f, static_argnames='n'); choose a "
    "minibatch outside and pass its examples in, as the guide 'Bring micrograd code' shows"
)
_WHOLE = f"for values[i] write scalargrad.take(values, i), for floor division a // b; {_SIZE}"
_TEXT = "return the value and print it outside, or print within scalargrad.disable_jit()"

#: What each question asks for that cannot be answered.
_WHAT = {
    "invert": "~ was taken of a number, which would be true whether it was or not,",
    "data read": ".data was read",
    "data assigned": ".data was assigned",
    "grad read": ".grad was read",
    "grad assigned": ".grad was assigned",
    "backward": ".backward() was called",
    "zero_grad": ".zero_grad() was called",
    "graph": "the graph of a Value was read",
    "text": "a Value was printed or made into text",
    "float": "float() or a math function was called",
    "rounding": "floor(), ceil() or trunc() was called",
    "int": "int() was called, or a number used as an index",
    "repeated": "a list was multiplied by a number",
    "hash": "a number was looked up in a set or a dict, or put into one",
    "identity": "two Values were compared with == or !=",
    "examples": "a condition depends on the examples of vmap, which take one way together",
    "elsewhere": "a number was used where the recording does not see it, as in another thread,",
    "stray example": "a Value computed for one example inside vmap was used outside",
}
#: The remedy for each question.
_REMEDY: dict[str, str] = {}
_REMEDY["invert"] = "write scalargrad.logical_not(x), or the opposite comparison"
_REMEDY["data read"] = (
    "compute with the Value itself, .detach() it to stop its gradient, compare it with "
    "< or >, or use where, and maximum(*xs) for max(xs)"
)
_REMEDY["data assigned"] = "return the new number and assign it outside"
_REMEDY["grad read"] = "return the value and use grad or value_and_grad"
_REMEDY["grad assigned"] = "do so outside; gradients come from grad or value_and_grad"
_REMEDY["backward"] = "return the value; call backward() on the result"
_REMEDY["zero_grad"] = "do so outside"
_REMEDY["graph"] = (
    "there is none while a function is recorded: use grad or gradients for derivatives,"
    " and look at the graph of an eager call"
)
_REMEDY["text"] = _TEXT
_REMEDY["float"] = _NUMBER
_REMEDY["rounding"] = _NUMBER
_REMEDY["int"] = _WHOLE
_REMEDY["repeated"] = f"to scale its numbers write [a * x for x in numbers]; {_SIZE}"
_REMEDY["hash"] = (
    "make what is looked up a static argument, as in jit(f, static_argnames='k'), "
    "compare it with ==, or look it up in a list by scalargrad.take(values, i)"
)
_REMEDY["identity"] = "use scalargrad.eq(a, b) for their numbers, `is` for their identity"
_REMEDY["examples"] = (
    "choose with where, maximum, minimum or clip (.detach() does not help), or loop "
    "over the examples without vmap"
)
_REMEDY["elsewhere"] = "compute in the thread that calls the compiled function"
_REMEDY["stray example"] = "return it from the function given to vmap"

REFUSALS = {question: (_WHAT[question], _REMEDY[question]) for question in _WHAT}

#: Questions that are changes: an eager call, which would make them, is not tried instead.
CHANGES = {"data assigned", "grad assigned", "backward", "zero_grad"}


class PartingError(Exception):
    """A recording leaves the path that it was to follow."""


class Refusal:
    """The first refusal of a recording; it is raised again at the end if the function caught it.

    Attributes
    ----------
    error : TraceError
    is_change : bool
        Whether what was refused is a change, which an eager call would make.
    """

    def __init__(self, what: str, remedy: str, is_change: bool = False) -> None:
        self._what, self._remedy = what, remedy
        self.is_change = is_change
        self.error = TraceError(f"{what} while a compiled function is recorded: {remedy}")

    def locate(self) -> None:
        """Add the line of the user's code to the message, from the traceback of the error."""
        place = users_line(self.error.__traceback__)
        if place is not None:
            file, line = place
            where = f"while a compiled function is recorded ({file}:{line})"
            self.error.args = (f"{self._what} {where}: {self._remedy}{at(file, line)}",)


def at(file: str, line: int) -> str:
    """Return a line of a program for the end of a message, where it can be read."""
    code = linecache.getline(file, line).strip()
    return f"\n    {code}" if code else ""


def users_line(traceback: TracebackType | None) -> tuple[str, int] | None:
    """Return the file and line of the innermost frame of user code in a traceback."""
    found = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not is_library(file):
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def is_library(file: str) -> bool:
    """Return whether a file is scalargrad's or Python's own."""
    installed = "site-packages" in file or "dist-packages" in file
    return file.startswith((PACKAGE, "<printed")) or (
        file.startswith((_LIBRARY, "<frozen")) and not installed
    )
