"""jit: plain scalar Python, recorded once and run as a program of vector instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from scalargrad.compiler.call.static_arguments import static_of
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.table.validation import listed, shown

P = ParamSpec("P")
R = TypeVar("R")


@overload
def jit(function: Callable[P, R], /) -> Jitted[P, R]: ...
@overload
def jit(
    *, static_argnums: int | Sequence[int] = ..., static_argnames: str | Sequence[str] = ...
) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...
@overload
def jit(
    function: Callable[P, R],
    /,
    *,
    static_argnums: int | Sequence[int] = ...,
    static_argnames: str | Sequence[str] = ...,
) -> Jitted[P, R]: ...
def jit(
    function: Callable[..., Any] | None = None,
    /,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> Any:
    """Record a function of scalars once, and run it as a program of vector instructions.

    Parameters
    ----------
    function : callable
        Its arguments are numbers, Values, and lists, tuples, dicts and arrays of them, and
        modules and other objects, whose Values are read at each call while all else about them
        is part of the program; anything else hashable is static. Its result is any nesting of
        numbers and Values. A module may itself be the function.
    static_argnums : int or sequence of int
        Positional arguments that are part of the program, which is recorded anew for each of
        their values: a number of steps, a power.
    static_argnames : str or sequence of str
        The same for keyword arguments.

    Returns
    -------
    Jitted
        Called as `function`. What it returns are Values where a Value among the arguments, or one
        that `function` closes over, reaches them; else floats and arrays. Each is one node, whose
        operands are those Values.

    Raises
    ------
    TraceError
        When called, if `function` does what a program could not repeat: it reads ``.data`` or
        ``.grad`` or the graph of a Value, calls ``float``, ``int`` or ``backward``, draws other
        than by `drawn`, looks a number up in a set or a dict, computes in another thread, changes
        an argument that it does not return, or changes what it closes over.

    Warns
    -----
    JitWarning
        Once, if its comparisons, used as conditions, take more than 8 ways: further ones are
        evaluated eagerly. Once, if it is recorded 8 times because plain numbers that objects hold
        have changed: an attribute that changes from call to call should be a Value. Once, if it is
        recorded 8 times because what it closes over changes; further calls are evaluated eagerly.

    See Also
    --------
    Jitted.explain : what was recorded and packed, and where the time goes.
    disable_jit : evaluate eagerly, to print or to debug; for a process, ``SCALARGRAD_JIT=off``.
    vmap : record one example of many.
    scan : repeat a step on what it carries on.

    Notes
    -----
    Values that `function` closes over are read at each call, also where a name, an attribute or an
    item is bound to another by then, here or in functions it calls. Whatever else it reads there,
    numbers, flags, lists, sets and arrays, is compared at each call: where it has changed, the
    function is recorded again. Random numbers, by `drawn`, are drawn at each call, those an eager
    call would draw.

    Sums may be reordered: results agree with eager ones to rounding, and a sum that overflows on
    the way may do so in one order only. Otherwise what is not finite is as eagerly: such results
    and gradients are computed again eagerly. So are calls that leave the domain of an operation,
    the first as well as later ones, also where their result would be finite: errors name the same
    node, and so are other errors. Where a call is recorded already, the function is simply part of
    what is recorded.

    Needs the extra ``[jit]``. What a program does is compiled once, in some tenths of a second, and
    kept for later processes and other programs. Without llvmlite, NumPy runs the same programs,
    more slowly.

    In a packed program a number has the same digits alone, on a lane of `vmap` and in a batch of
    any size, whichever threads compute it: up to 64 products are added up one after the other,
    rounding once for each, and more as eight such sums. A program in which a body repeats itself
    runs as loops, whose sums have such an order too, chosen by the number of iterations alone;
    there a value has the same digits with a gradient and without, and in an iteration however many
    follow. Between a packed program and loops, which longer lists lead to, last digits may differ.
    Products are added by fused
    multiply-adds, which a processor without them computes several times as slowly. exp, log, expm1,
    log1p, tanh, sigmoid, erf, sin and cos are within 2 units in the last place; other functions are
    those of the C library.

    Numbers come out as floats, integers among them; what a comparison says is True or False.
    A recorded number is a Value, also to ``isinstance(x, float)``, ``type(x)`` and ``match``: such
    tests come out otherwise than eagerly. Time, files and other state outside are read once. Sums
    that lean on the order of rounding, as Kahan's, lose what they compensate.

    Recording takes some milliseconds for each thousand nodes, once for each shape of arguments; the
    latest shapes are kept, up to 1,024 of them that have four million nodes together. A
    condition on a number computed from the arguments is checked at each call; where it comes out
    otherwise, that way is recorded as well.

    A call with long lists of floats spends most of its time on taking them apart: NumPy arrays
    are handed over whole, and `scan` keeps what a step carries on in the program's memory.

    Examples
    --------
    >>> from scalargrad import Value
    >>> @jit
    ... def loss(w, points):
    ...     return sum((w * x - y) ** 2 for x, y in points)
    >>> w = Value(1.0)
    >>> y = loss(w, [(1.0, 2.0), (2.0, 4.0)])
    >>> y.backward()
    >>> y.data, w.grad
    (5.0, -10.0)
    """
    numbers = _several(static_argnums, "static_argnums", int)
    names = _several(static_argnames, "static_argnames", str)

    if function is None:
        return lambda found: Jitted(found, static_of(found, numbers, names))
    return Jitted(function, static_of(function, numbers, names))


def _several(given: Any, name: str, kind: type) -> list[Any]:
    """Return numbers or names of arguments, of which one may stand alone."""
    found = [given] if isinstance(given, kind) else listed(given, name, f"{kind.__name__}s")
    for x in found:
        if not isinstance(x, kind) or isinstance(x, bool):
            raise OperandError(
                f"{name} has {shown(x)}, of type {type(x).__name__}; give {kind.__name__}s"
            )
    return found
