"""Errors for code that a program cannot repeat, with the line of the user's code.

For ``jit(lambda x: float(x))(1.0)`` the message is:

    float(), or a function of math or statistics, was called while a compiled function is traced
    (f.py:1): compute with the Value itself, …
        jit(lambda x: float(x))(1.0)
"""

from __future__ import annotations

import functools
import linecache
import sys
import sysconfig
from pathlib import Path
from types import FrameType

from scalargrad.errors import TraceError

PACKAGE = str(Path(__file__).parents[2])
_LIBRARY = sysconfig.get_path("stdlib")

_NUMBER = (
    "compute with the Value itself, or with scalargrad's operation of the same name; write sum(xs) "
    "for math.fsum(xs); an array that Values are put into needs dtype=object"
)
_WHOLE_NUMBER = (
    "write scalargrad.floor(x), scalargrad.ceil(x) or scalargrad.rint(x), or "
    "where(x < 0, ceil(x), floor(x)) for trunc(x)"
)
_SIZE = (
    "a number of steps or a size is a static argument, as in jit(f, static_argnames='n'); choose a "
    "minibatch outside and pass its examples in, as the guide 'Bring micrograd code' shows"
)
_ENTRY = "for values[int(x)] write scalargrad.take(values, scalargrad.floor(x))"
_OF_DATA = "compute with the Value, compare it with <, or .detach() it; or read .data of the result"
_WHOLE = f"{_ENTRY}, for floor division a // b; {_SIZE}"
_TEXT = (
    "return the value and print it outside; to print at each step, call the function within "
    "`with scalargrad.disable_jit():`"
)

#: The operation that a program cannot repeat and the remedy, by a name of the operation.
REFUSALS = {
    "invert": (
        "~ was applied to a number, where every result would be true,",
        "write scalargrad.logical_not(x), or the opposite comparison",
    ),
    "junction": (
        "&, | or ^ was applied to a number",
        "write powers as x**2, and combine comparisons, not numbers: (a > 0) & (b > 0)",
    ),
    "data read": (
        ".data was read",
        f"{_OF_DATA}; {_ENTRY}",
    ),
    "grad read": (".grad was read", "return the value and use grad or value_and_grad"),
    "label": (
        "the label of a Value was read",
        "pass the text as a static argument, as in jit(f, static_argnames='name')",
    ),
    "own attribute": (
        "an attribute was read that a number among the arguments has, and no Value,",
        "pass it as an argument of its own",
    ),
    "given": (
        "Value(data, children, local_grads) made a node",
        "define the operation, with a formula for its derivative, by scalargrad.custom_op",
    ),
    "mode": (
        "is_grad_enabled() was called",
        "pass its result as an argument: one program runs calls within no_grad and outside",
    ),
    "graph": (
        "the graph of a Value was read",
        "use grad or gradients for derivatives, and inspect the graph of an eager call",
    ),
    "text": ("a Value was printed or converted to text", _TEXT),
    "float": ("float(), or a function of math or statistics, was called", _NUMBER),
    "rounding": ("floor(), ceil() or trunc() was called", _WHOLE_NUMBER),
    "int": ("int() was called, or a number used as an index", _WHOLE),
    "repeated": (
        "a list was multiplied by a number",
        f"to scale its numbers write [a * x for x in numbers]; {_SIZE}",
    ),
    "hash": (
        "a number was looked up in a set or a dict, or put into one",
        "make it a static argument, compare it with ==, or write scalargrad.take(values, i)",
    ),
    "identity": (
        "two Values were compared with == or !=",
        "use scalargrad.eq(a, b) for their numbers, `is` for their identity",
    ),
    "kind": (
        "an attribute was read that a float has, but not a Value",
        "remove the test, or write isinstance(x, (int, float, Value))",
    ),
    "class": (
        "the class of a number was asked, which may differ from call to call,",
        "give floats, as in f(2.0), or make it static, as in jit(f, static_argnames='n')",
    ),
    "examples": (
        "a condition depends on the examples of vmap, which are traced as one",
        "choose with where, cond, maximum, minimum or clip, or loop over the examples without vmap",
    ),
    "elsewhere": (
        "a number was used where it is not traced, as in another thread,",
        "compute in the thread that calls the compiled function",
    ),
    "alias": (
        "a gradient was taken with respect to another gradient, or to a result of where or take,",
        "create a new node, as in y = identity(where(x > 0, x, 0.0))",
    ),
    "result of vmap": (
        "a gradient was taken with respect to a result of vmap",
        "write a loop over the examples, in which each result is a separate node",
    ),
    "stray example": (
        "a Value computed for one example inside vmap was used outside",
        "return it from the function given to vmap",
    ),
}

#: Operations with side effects; after these, no eager call is tried, which would have them.
CHANGES = {
    "data assigned": ".data was assigned",
    "grad assigned": ".grad was assigned",
    "backward": ".backward() was called",
    "zero_grad": ".zero_grad() was called",
    "attribute": "an attribute of a Value among the arguments was assigned",
    "step": "step() of an optimizer was called",
    "clip": "gradients were clipped",
}
_OUTSIDE = (
    "return the new number or the loss, and do this outside; for gradients use grad, "
    "value_and_grad or backward() on the result; train.fit and scan compile whole steps"
)
REFUSALS |= {question: (what, _OUTSIDE) for question, what in CHANGES.items()}


def refusal(what: str, remedy: str) -> TraceError:
    """Return the error for an operation that a program cannot repeat, with the current line."""
    place = asking_line()
    where, code = ("", "") if place is None else (" ({}:{})".format(*place), at(*place))
    return TraceError(f"{what} while a compiled function is traced{where}: {remedy}{code}")


def at(file: str, line: int) -> str:
    """Return a line of source for the end of a message; "" if it cannot be read."""
    code = linecache.getline(file, line).strip()
    return f"\n    {code}" if code else ""


def asking_line() -> tuple[str, int] | None:
    """Return the file and line of the user's code that is running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


@functools.cache
def is_library(file: str) -> bool:
    """Return True if a file belongs to scalargrad or to Python's standard library."""
    installed = "site-packages" in file or "dist-packages" in file
    return file.startswith((PACKAGE, "<generated")) or (
        file.startswith((_LIBRARY, "<frozen")) and not installed
    )
