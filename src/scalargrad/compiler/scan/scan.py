"""scan: repeat a step function, passing the carry that it returns to the next step.

scan(lambda carry, x: (carry + x, carry), 0.0, [1.0, 2.0])
carry    0.0, 1.0, 3.0      the last is returned
ys       0.0, 1.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from scalargrad.checks.arguments import check_function, check_size
from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.scan.native_steps import rows_of, run_steps
from scalargrad.compiler.scan.recorded_steps import recorded
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.compiler.vmap import holds_entries
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value

#: Types of containers whose entries can all be read before the first step.
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

    If `f` is created by `jit`, a carry of floats stays in the memory of its program from step to
    step, so that a step costs little more than its arithmetic. Steps that draw random numbers or
    use custom operations are called one by one, and so are all steps after one that takes another
    branch, and steps whose carry contains anything else, such as Values: for gradients through all
    steps, compile the function that calls `scan`. Other functions are called step by step.
    Within a trace, the first steps are traced; when two of them are equal in their operations and
    have no side effects, the others are copied, not called. A long step, such as a training step
    with a gradient, should be compiled separately: ``scan(jit(f), …)``.

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
    check_function(f, "f", "scan(lambda carry, x: (carry + x, carry), 0.0, xs)")
    columns, count = _columns(xs, None if length is None else check_size(length, "length"))
    trace, entry = current_trace(), partial(_entry, xs, columns)
    carry, ys, called = init, list[Any](), f
    if trace is not None and all(type(x) in _READ_AT_ONCE for x in columns):
        return recorded(trace, lambda *given: _pair(f(*given)), f, init, (entry, count))
    if isinstance(f, Jitted) and trace is None and not is_jit_disabled():
        rows = rows_of(columns, count)
        if rows is not None:
            carry, y = _pair(f(init, entry(0)))  # a carry as steps return it
            ys.append(y)
            carry = run_steps(f, carry, entry(1), rows[1:], ys)
        called = f.repeated()
    for k in range(len(ys), count):
        carry, y = _pair(called(carry, entry(k)))
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
        f"scan: the step returned {format_value(result)}; it must return a pair, the next carry "
        "and a result, as in return carry, None"
    )


def _columns(xs: Any, length: int | None) -> tuple[Sequence[Any], int]:
    """Return the lists and arrays in `xs`, and the number of steps."""
    if isinstance(xs, tuple):
        columns: Sequence[Any] = xs
    else:
        columns = [*xs.values()] if isinstance(xs, dict) else [] if xs is None else [xs]
    for column in columns:
        if not holds_entries(column):
            raise OperandError(
                f"scan: xs has a {type(column).__name__}, which has no entries in order: use a "
                "list or an array, or a tuple or dict of them"
            )
    counts = {*map(len, columns)}
    if length is not None:
        counts.add(length)
    if len(counts) != 1:
        if not counts:
            raise OperandError("scan: the number of steps is unknown: pass xs or length")
        raise OperandError(f"scan: xs and length disagree on the number of steps: {sorted(counts)}")
    (count,) = counts
    return columns, count


def _entry(xs: Any, columns: Sequence[Any], k: int) -> Any:
    """Return the entry for step `k`."""
    if isinstance(xs, dict):
        return {name: column[k] for name, column in xs.items()}
    if isinstance(xs, tuple):
        return tuple([column[k] for column in columns])
    return None if xs is None else xs[k]
