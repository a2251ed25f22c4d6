"""cond and while_loop: call one of two functions, and repeat one as long as a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.checks.arguments import function
from scalargrad.checks.numbers import is_real
from scalargrad.compiler.scan.recorded_steps import recorded
from scalargrad.compiler.trace.node_values import compute
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.engine.tree import flatten, flatten_like
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.ops import eq, logical_and, where
from scalargrad.system.short_repr import format_value

#: What messages call two results.
_OF_COND = "what one function of cond returned", "what the other returned"
_OF_BODY = "what body_fun of while_loop returned", "what it was given"
#: A compiled loop has at most so many steps.
_MOST = 1 << 17


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
    _require_number(pred, "cond")
    if isinstance(pred, Traced):
        return _chosen(pred, true_fun(*operands), false_fun(*operands), _OF_COND)
    holds = pred.data if isinstance(pred, Value) else pred
    return true_fun(*operands) if holds else false_fun(*operands)


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """Return what is left of ``while cond_fun(val): val = body_fun(val)``.

    Parameters
    ----------
    cond_fun : callable
        Takes what is carried from step to step; returns a bool, a float or a Value, which holds if
        it is not 0. Combine comparisons with ``&`` and ``|``.
    body_fun : callable
        Takes what is carried, and returns it for the next step: the same nesting of numbers.
    init_val
        What the first step is given: any nesting of numbers.

    Returns
    -------
    object
        What is carried when the condition no longer holds.

    Raises
    ------
    OperandError
        If the condition is no number; within a compiled function, if `body_fun` returns another
        nesting than it is given.
    TraceError
        If, within a compiled function, the loop takes more than 131,072 steps or a step draws
        random numbers.

    Notes
    -----
    This is ``jax.lax.while_loop``, with derivatives of any order, which JAX has in forward mode
    only: they are those of the steps that were taken. A plain call runs the loop as it is written.

    The program of a compiled function takes a power of two of steps, at least as many as the call
    that it was recorded for. Those after the condition has failed change nothing. A call of more
    steps is recorded anew. Each example of `vmap` stops by itself.

    Examples
    --------
    >>> from scalargrad import grad, jit
    >>> def root(a):
    ...     def newton(x):
    ...         return (x + a / x) / 2
    ...     return while_loop(lambda x: abs(x * x - a) > 1e-12, newton, a)
    >>> [round(f(9.0), 9) for f in (jit(root), jit(grad(root)))]
    [3.0, 0.166666667]
    """
    example = "while_loop(lambda x: x > 1, lambda x: x / 2, 8.0)"
    function(cond_fun, "cond_fun", example)
    function(body_fun, "body_fun", example)
    carry = init_val
    while True:
        going = cond_fun(carry)
        if isinstance(going, Traced):
            return _recorded(current_trace(), cond_fun, body_fun, going, carry)
        _require_number(going, "while_loop")
        if not going:
            return carry
        carry = body_fun(carry)


def _chosen(pred: Traced, first: Any, second: Any, named: tuple[str, str]) -> Any:
    """Return the first of two results, in which each number is that of the chosen one.

    Raises
    ------
    OperandError
        If the second does not hold a number for each; they are `named` so.
    """
    numbers, rebuild = flatten(first, named[0])
    pairs = zip(numbers, flatten_like(second, first, *named[::-1]), strict=True)
    return rebuild(iter([x if x is y else where(pred, x, y) for x, y in pairs]))


def _require_number(condition: Any, name: str) -> None:
    if not (isinstance(condition, Value) or is_real(condition)):
        raise OperandError(
            f"{name}: the condition is {format_value(condition)}: give a comparison, or a number"
        )


def _recorded(trace: Any, cond_fun: Any, body_fun: Any, going: Traced, first: Any) -> Any:
    """Record as many steps of a loop as are needed, and return what is carried after them.

    Steps after the condition has failed change nothing. Such a step is computed from what the first
    was given, where the function is known to be defined: its derivatives, times 0, are 0.
    """

    def step(state: Any, _: None) -> tuple[Any, None]:
        going, carry = state
        held = _chosen(going, carry, first, _OF_BODY)
        carry = _chosen(going, body_fun(held), carry, _OF_BODY)
        return (logical_and(going, cond_fun(carry)), carry), None

    draws = len(trace.draws)
    state: Any = logical_and(going, 1.0), first
    taken, count, reached = 0, 1, list[int]()
    # Of a call with a nan, which is made eagerly, the condition has failed.
    while not reached or compute(trace, reached)[0] > 0.0:
        if taken + count > _MOST:
            trace.refuse(f"a while_loop took more than {_MOST} steps", "stop it by a counter")
        state, _ = recorded(trace, step, step, state, ((lambda _: None), count))
        if len(trace.draws) > draws:
            trace.refuse("a step of while_loop drew a random number", "draw before the loop")
        numbers, _ = flatten(state[1], "what while_loop carries")
        reached = [x.index for x in (state[0], *numbers) if isinstance(x, Traced)]
        taken += count
        count = taken
    going, carry = state
    trace.expect(eq(going, 0.0))
    return carry
