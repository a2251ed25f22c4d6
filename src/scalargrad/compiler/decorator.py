"""jit: plain scalar Python, recorded once and run as a program of vector instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from scalargrad.compiler.call.call_signature import static_of
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import flag, listed

P = ParamSpec("P")
R = TypeVar("R")


@overload
def jit(function: Callable[P, R], /) -> Jitted[P, R]: ...
@overload
def jit(
    *,
    static_argnums: int | Sequence[int] = ...,
    static_argnames: str | Sequence[str] = ...,
    check: bool = ...,
) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...
@overload
def jit(
    function: Callable[P, R],
    /,
    *,
    static_argnums: int | Sequence[int] = ...,
    static_argnames: str | Sequence[str] = ...,
    check: bool = ...,
) -> Jitted[P, R]: ...
def jit(
    function: Callable[..., Any] | None = None,
    /,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    check: bool = False,
) -> Any:
    """Record a function of scalars once, and run it as a program of vector instructions.

    Parameters
    ----------
    function : callable
        Its arguments are numbers and Values, lists, tuples, dicts and arrays of them, and modules
        and other objects that hold them. The numbers and Values are read at each call; all else
        about an argument, such as a length, a key or a text, is part of the program. Its result is
        any nesting of numbers and Values. A module may itself be the function.
    static_argnums : int or sequence of int
        Positional arguments that are part of the program, such as a number of steps or a power.
        The function is recorded anew for each of their values.
    static_argnames : str or sequence of str
        The same for keyword arguments.
    check : bool
        Whether to make each call eagerly as well, and to raise TraceError where a number or a
        gradient differs by more than 1e-9 of itself and 1e-12 of the largest on the way to it.
        ``SCALARGRAD_JIT=check`` does so for all compiled functions of a process.

    Returns
    -------
    Jitted
        Called as `function`. A result is a Value if it depends on a Value, among the arguments or
        closed over by `function`; else it is a float, a bool or an array. Each Value returned is a
        single node, whose operands are the Values it depends on.

    Raises
    ------
    TraceError
        When called, if `function` does what a program could not repeat: it reads ``.data``,
        ``.grad`` or the graph of a Value, calls ``float``, ``int`` or ``backward``, draws random
        numbers other than by `drawn`, looks a number up in a set or a dict, computes in another
        thread, or changes an argument or what it closes over.

    Warns
    -----
    JitWarning
        Once, if calls take more than 4 different paths through its conditions; calls that take
        further paths are evaluated eagerly. Once, if calls in which a number is not finite, which
        are evaluated eagerly, have taken 100,000 operations. Once, if it is recorded 4 times
        because what it closes over keeps changing, or a function or object that it is given, or an
        integer that a dataclass holds; further calls are evaluated eagerly, after 16 recordings if
        it was given. What changes from call to call should be a Value or an argument.

    See Also
    --------
    Jitted.explain : what was recorded and compiled, and where the time goes.
    disable_jit : evaluate eagerly, to print or to debug; for a process, ``SCALARGRAD_JIT=off``.
    vmap : record one example of many.
    scan : repeat a step, each time on the state that the last one returned.

    Notes
    -----
    Values that `function` closes over are read at each call, even if the name, attribute or item
    that held one holds another by then; the same goes for functions that it calls. Everything else
    it reads there (numbers, flags, lists, sets, arrays) is compared at each call, and if any of it
    has changed, the function is recorded again. Only a number that takes the place of a Value it
    equals goes unnoticed: as long as they are equal, gradients go to that Value. Random numbers are
    drawn by `drawn` at each call, the same that an eager call would draw. Time, files and other
    outside state are read once.

    While a function is recorded, its numbers are Values, also to ``isinstance(x, float)``,
    ``type(x)`` and ``match``, so such tests may come out otherwise than eagerly. A condition on a
    number computed from the arguments is checked at each call; if it comes out otherwise, the other
    path is recorded, too. Called while another function is being recorded, a compiled function
    becomes part of that recording.

    Results agree with eager ones up to rounding: more than eight terms of a sum ``a + b + c + …``
    may be added in another order, and a product may be rounded together with the sum it is added
    to. Brackets stay. On the way to a finite result, one of the two may overflow where the other
    does not. A number has the same digits computed alone, in a
    batch of any size or on a lane of `vmap`, by any number of threads. But what depends on shared
    numbers alone is computed and rounded once under `vmap`, and a longer list may run as loops,
    which can change last digits. exp, log, expm1, log1p, tanh, sigmoid, erf, sin and cos are within
    2 units in the last place; other functions are those of the C library. A call is made eagerly if
    a result or gradient is not finite, or if it leaves the domain of an operation; errors therefore
    name the same node. Numbers come out as floats, even integers; comparisons come out as bools.

    Recording takes some milliseconds per thousand nodes, once for each shape of arguments, and
    compiling some tenths of a second, once; the machine code is kept on disk for later processes
    and shared by programs. The latest shapes are kept, of small programs 1,024, with four million
    nodes in all. A call with long lists of floats spends most of its time on taking them apart:
    NumPy arrays are passed whole, and `scan` keeps the carry in the program's memory.

    Needs the extra ``[jit]``. Without llvmlite, NumPy runs the same programs, more slowly.

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
    checks = flag(check, "check")

    def compiled(found: Callable[..., Any]) -> Any:
        return Jitted(found, static_of(found, numbers, names), check=checks)

    return compiled if function is None else compiled(function)


def _several(given: Any, name: str, kind: type) -> list[Any]:
    """Return a list of argument numbers or names, of which a single one may be given alone."""
    found = [given] if isinstance(given, kind) else listed(given, name, f"{kind.__name__}s")
    for x in found:
        if not isinstance(x, kind) or isinstance(x, bool):
            raise OperandError(
                f"{name} has {shown(x)}, of type {type(x).__name__}; give {kind.__name__}s"
            )
    return found
