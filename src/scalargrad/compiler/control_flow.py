"""cond and while_loop: call one of two functions, and repeat one while a condition is true.

In a trace, both functions of `cond` run, and each number is selected from their results:

    cond(x > 0, exp, neg, x)      %3 = gt(x, 0), %4 = exp(x), %5 = neg(x), where(%3, %4, %5)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.checks.arguments import check_function
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

#: Names of two results in messages.
_OF_COND = "what one function of cond returned", "what the other returned"
_OF_BODY = "what body_fun of while_loop returned", "what it was given"
#: Maximum number of steps of a compiled loop.
_MOST = 1 << 17


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """Return ``true_fun(*operands)`` if a condition is true, else ``false_fun(*operands)``.

    Parameters
    ----------
    pred : bool, float or Value
        The condition, which is true if it is not 0: a comparison such as ``x > 0``.
    true_fun, false_fun : callable
        Within a compiled function, both must return the same nesting of numbers; the result has
        the containers of `true_fun`.
    *operands
        The arguments of the functions.

    Returns
    -------
    object
        The result of the chosen function.

    Raises
    ------
    OperandError
        If the condition is not a number; within a compiled function, if the results differ in
        more than their numbers.

    Notes
    -----
    This is ``jax.lax.cond``. An eager call runs only the chosen function. In a compiled function,
    both are traced, and each call, each example of `vmap` and each step of `scan` chooses between
    their results; an ``if`` needs a trace for each branch. If the function that is not chosen
    leaves its domain, the call is evaluated eagerly. Use `where` to choose between numbers.

    Examples
    --------
    >>> from scalargrad import grad, jit, log
    >>> loss = jit(lambda x: cond(x > 1, lambda x: log(x), lambda x: x - 1, x))
    >>> loss(0.0), grad(loss)(2.0)
    (-1.0, 0.5)
    """
    check_function(true_fun, "true_fun", "cond(x > 0, lambda x: x, lambda x: -x, x)")
    check_function(false_fun, "false_fun", "cond(x > 0, lambda x: x, lambda x: -x, x)")
    _require_number(pred, "cond")
    if isinstance(pred, Traced):
        return _chosen(pred, true_fun(*operands), false_fun(*operands), _OF_COND)
    holds = pred.data if isinstance(pred, Value) else pred
    return true_fun(*operands) if holds else false_fun(*operands)


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """Repeat a function while a condition is true: ``while cond_fun(val): val = body_fun(val)``.

    Parameters
    ----------
    cond_fun : callable
        Takes the carry; returns a bool, a float or a Value, which is true if it is not 0. Combine
        comparisons with ``&`` and ``|``.
    body_fun : callable
        Takes the carry, and returns the carry of the next step: the same nesting of numbers.
    init_val
        The initial carry: any nesting of numbers.

    Returns
    -------
    object
        The first carry for which the condition is false.

    Raises
    ------
    OperandError
        If the condition is not a number; within a compiled function, if `body_fun` returns a
        different nesting from its argument.
    TraceError
        If, within a compiled function, the loop takes more than 131,072 steps or a step draws
        random numbers.

    Notes
    -----
    This is ``jax.lax.while_loop``, with derivatives of any order, which JAX has in forward mode
    only; they are the derivatives of the steps that were taken. An eager call runs the loop as
    written.

    The program of a compiled function takes a power of two of steps, at least as many as the call
    that was traced. Steps after the condition has become false change nothing. A call with more
    steps is traced again. The examples of `vmap` stop separately.

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
    check_function(cond_fun, "cond_fun", example)
    check_function(body_fun, "body_fun", example)
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
    """Return the first of two results, with each number replaced by that of the chosen one.

    Raises
    ------
    OperandError
        If the second has a different nesting; `named` are their names in the message.
    """
    numbers, rebuild = flatten(first, named[0])
    pairs = zip(numbers, flatten_like(second, first, *named[::-1]), strict=True)
    return rebuild(iter([x if x is y else where(pred, x, y) for x, y in pairs]))


def _require_number(condition: Any, name: str) -> None:
    if not (isinstance(condition, Value) or is_real(condition)):
        raise OperandError(
            f"{name}: the condition is {format_value(condition)}; it must be a comparison or a "
            "number"
        )


def _recorded(trace: Any, cond_fun: Any, body_fun: Any, going: Traced, first: Any) -> Any:
    """Trace as many steps of a loop as are needed, and return the carry after them.

    Steps after the condition has become false change nothing. They are computed from the initial
    carry, for which the function is known to be defined: the derivatives, times 0, are 0.
    """

    def step(state: Any, _: None) -> tuple[Any, None]:
        going, carry = state
        held = _chosen(going, carry, first, _OF_BODY)
        carry = _chosen(going, body_fun(held), carry, _OF_BODY)
        return (logical_and(going, cond_fun(carry)), carry), None

    draws = len(trace.draws)
    state: Any = logical_and(going, 1.0), first
    taken, count, reached = 0, 1, list[int]()
    # With a nan the condition is false; such a call is made eagerly.
    while not reached or compute(trace, reached)[0] > 0.0:
        if taken + count > _MOST:
            trace.refuse(f"a while_loop took more than {_MOST} steps", "limit it by a counter")
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
