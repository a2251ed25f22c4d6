"""cond: call one of two functions, by a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import OperandError
from scalargrad.ops import where
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import function
from scalargrad.tree import flatten, flatten_like
from scalargrad.value import Value


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """Return ``true_fun(*operands)`` if a condition holds, else ``false_fun(*operands)``.

    Parameters
    ----------
    pred : bool, float or Value
        The condition, which holds if it is not 0: a comparison such as ``x > 0``.
    true_fun, false_fun : callable
        Within a compiled function, both must return the same nesting of numbers, of which
        the containers are those of `true_fun`.
    *operands
        What the functions are called with.

    Returns
    -------
    object
        What the chosen function returned.

    Raises
    ------
    OperandError
        If the condition is no number; if a function that is compiled returns something else in one
        case than in the other.

    Notes
    -----
    This is ``jax.lax.cond``. A plain call runs the chosen function alone. While a function is
    compiled, both are recorded, and each call chooses among their results: it needs no recording
    for each way, as an ``if`` does. So does each example of `vmap` and each step of `scan`. A call
    in which the function that is not chosen leaves its domain is evaluated as written. Use `where`
    to choose among numbers.

    Examples
    --------
    >>> from scalargrad import grad, jit, log
    >>> loss = jit(lambda x: cond(x > 1, lambda x: log(x), lambda x: x - 1, x))
    >>> loss(0.0), grad(loss)(2.0)
    (-1.0, 0.5)
    """
    function(true_fun, "true_fun", "cond(x > 0, lambda x: x, lambda x: -x, x)")
    function(false_fun, "false_fun", "cond(x > 0, lambda x: x, lambda x: -x, x)")
    if not (isinstance(pred, Value) or is_real(pred)):
        raise OperandError(f"cond: the condition is {shown(pred)}: give a comparison, or a number")
    if isinstance(pred, Traced):
        return chosen(pred, true_fun(*operands), false_fun(*operands), _RETURNED)
    holds = pred.data if isinstance(pred, Value) else pred
    return true_fun(*operands) if holds else false_fun(*operands)


#: What messages call the two results.
_RETURNED = "what one function of cond returned", "what the other returned"


def chosen(pred: Traced, first: Any, second: Any, named: tuple[str, str]) -> Any:
    """Return the first of two results, in which each number is that of the chosen one.

    Raises
    ------
    OperandError
        If the second does not hold a number for each; they are `named` so.
    """
    numbers, rebuild = flatten(first, named[0])
    pairs = zip(numbers, flatten_like(second, first, *named[::-1]), strict=True)
    return rebuild(iter([x if x is y else where(pred, x, y) for x, y in pairs]))
