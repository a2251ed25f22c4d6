"""scan: repeat a step function, passing the state it returns on to the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from scalargrad.compiler.backend import has_llvm
from scalargrad.compiler.call.specialization import Specialization
from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.scan.native_steps import rows_of, run_steps
from scalargrad.compiler.scan.recorded_steps import recorded
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.compiler.vmap import holds_entries
from scalargrad.errors import OperandError
from scalargrad.grad_mode import builds_graphs
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import function, size

#: The fewest steps of a scan that is compiled as one function, for gradients through all of them;
#: the most nodes of all its steps, and of one.
_STEPS, _NODES, _LONGEST = 50, 1_000_000, 200
#: What keeps its entries, so that all can be read before the first step.
_READ_AT_ONCE = (list, tuple, np.ndarray)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
) -> tuple[Any, list[Any]]:
    """Repeat a step function, ``carry, y = f(carry, x)`` for each `x` of `xs`.

    Parameters
    ----------
    f : callable
        Takes the carry and an entry of `xs`; returns the next carry and a result.
    init
        The initial carry: any nesting of numbers.
    xs : list, array, or tuple or dict of them, optional
        One entry for each step; of a tuple or dict, a tuple or dict of entries. Without it,
        each step is given None.
    length : int, optional
        The number of steps, needed without `xs`.

    Returns
    -------
    carry
        The carry that the last step returned.
    ys : list
        The result of each step.

    Raises
    ------
    OperandError
        If neither `xs` nor `length` gives the number of steps, or they disagree; if `f` does not
        return a pair.
    TraceError
        If, within a compiled function, all steps together have more than 10 million operations.

    Notes
    -----
    This is ``jax.lax.scan``, except that lists are axes, as for `vmap`, and that results are not
    stacked.

    If `f` is made by `jit`, a carry of floats stays in the memory of its program from step to
    step, so that a step costs little more than its arithmetic. Steps that draw random numbers or
    are run by NumPy are called one by one, and so are those after one whose conditions came out
    otherwise; each takes a few microseconds more. So are those with a carry of anything else, such
    as Values, and gradients flow through all steps. Other functions are simply
    called step by step. While another function is being recorded, so are the first steps; once two
    have computed alike and changed nothing around them, the others are copied, not called. A long
    step, as of a training with a gradient in it, is better compiled alone: ``scan(jit(f), …)``.

    Examples
    --------
    >>> from scalargrad import jit, value_and_grad
    >>> @jit
    ... def descend(w, rate):
    ...     loss, slope = value_and_grad(lambda w: (w - 3.0) ** 2)(w)
    ...     return w - rate * slope, loss
    >>> scan(descend, 0.0, [0.5, 0.25])
    (3.0, [9.0, 0.0])
    """
    function(f, "f", "scan(lambda carry, x: (carry + x, carry), 0.0, xs)")
    columns, count = _columns(xs, None if length is None else size(length, "length"))
    if isinstance(f, Jitted) and current_trace() is None and not is_jit_disabled():
        return _compiled(f, init, (xs, columns, count))
    return _stepped(f, init, (xs, columns, count))


def _stepped(
    f: Callable[[Any, Any], Any], init: Any, given: tuple[Any, Sequence[Any], int]
) -> tuple[Any, list[Any]]:
    """Call a step function on one entry after the other, as it is recorded or eagerly."""
    trace = current_trace()
    if trace is not None and all(type(x) in _READ_AT_ONCE for x in given[1]):
        entries = partial(_entry, *given[:2]), given[2]
        return recorded(trace, lambda carry, x: _pair(f(carry, x)), f, init, entries)
    return _called(f, init, map(partial(_entry, *given[:2]), range(given[2])))


def _called(
    f: Callable[[Any, Any], Any], carry: Any, entries: Iterable[Any]
) -> tuple[Any, list[Any]]:
    """Call a step function on one entry after the other."""
    ys = []
    for x in entries:
        carry, y = _pair(f(carry, x))
        ys.append(y)
    return carry, ys


def _pair(result: Any) -> tuple[Any, Any]:
    """Return the carry and the result that a step returned.

    Raises
    ------
    OperandError
        If the step did not return a pair.
    """
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise OperandError(
        f"scan: the step returned {shown(result)}: return a pair, the next carry and a result, "
        "as in return carry, None"
    )


def _compiled(
    f: Jitted[..., Any], init: Any, given: tuple[Any, Sequence[Any], int]
) -> tuple[Any, list[Any]]:
    """Repeat a compiled step: all steps as one function, many per call, or one by one."""
    xs, columns, count = given
    if count >= _STEPS and builds_graphs() and has_llvm():
        length = count if xs is None else None
        whole = f.scans.get(length)
        recalled = whole and whole.recalled(whole.call_of((init, xs), {}))
        if not recalled and _is_plain(f.recorded(init, _entry(xs, columns, 0)), count):
            recalled = (_whole(f, length)(init, xs),)
        if recalled:
            carry, ys = recalled[0]
            return carry, ys
    rows, entry = rows_of(columns, count), partial(_entry, xs, columns)
    carry, ys = init, list[Any]()
    if rows is not None:
        carry, ys = _called(f, init, [entry(0)])  # a carry as steps return it
        carry, more = run_steps(f, carry, entry(1), rows[1:])
        ys += more
    carry, more = _called(f.repeated(), carry, map(entry, range(len(ys), count)))
    return carry, ys + more


def _is_plain(paths: Sequence[Specialization], count: int) -> bool:
    """Return whether a step has one short path with gradients and without random draws."""
    if len(paths) != 1:
        return False
    (path,) = paths
    short = path.recorded <= min(_LONGEST, _NODES // count)
    return short and path.differentiable and not path.outcomes and not path.draws


def _whole(f: Jitted[..., Any], length: int | None) -> Jitted[..., Any]:
    """Return a compiled function of `init` and `xs` that makes all steps, kept with the step.

    The steps are called one by one as they are recorded, and where a number is not finite.
    """
    if length not in f.scans:

        def whole(init: Any, xs: Any) -> Any:
            return _stepped(f, init, (xs, *_columns(xs, length)))

        whole.__name__ = whole.__qualname__ = f"scan of {getattr(f, '__name__', 'a step')}"
        f.scans[length] = Jitted(whole)
    return f.scans[length]


def _columns(xs: Any, length: int | None) -> tuple[Sequence[Any], int]:
    """Return the lists and arrays in `xs`, and the number of steps."""
    if isinstance(xs, tuple):
        columns: Sequence[Any] = xs
    else:
        columns = [*xs.values()] if isinstance(xs, dict) else [] if xs is None else [xs]
    for column in columns:
        if not holds_entries(column):
            raise OperandError(
                f"scan: xs holds a {type(column).__name__}, which has no entries in order: give a "
                "list or an array, or a tuple or dict of them"
            )
    counts = {*map(len, columns)}
    if length is not None:
        counts.add(length)
    if len(counts) != 1:
        told = f"tell {sorted(counts)} steps" if counts else "do not tell the number of steps"
        raise OperandError(f"scan: xs and length {told}: give one number")
    (count,) = counts
    return columns, count


def _entry(xs: Any, columns: Sequence[Any], k: int) -> Any:
    """Return the entry for step `k`."""
    if isinstance(xs, dict):
        return {name: column[k] for name, column in xs.items()}
    if isinstance(xs, tuple):
        return tuple([column[k] for column in columns])
    return None if xs is None else xs[k]
