"""while_loop: repeat a function as long as a condition on what it returns holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.cond import chosen
from scalargrad.compiler.scan.recorded_steps import recorded
from scalargrad.compiler.trace.trace import Trace, current_trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import OperandError
from scalargrad.ops import eq, logical_and
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import function
from scalargrad.tree import flatten
from scalargrad.value import Value

#: A compiled loop has at most so many steps.
_MOST = 1 << 17
_RETURNED = "what body_fun of while_loop returned", "what it was given"


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
            return _Loop(current_trace(), cond_fun, body_fun, going, carry).run()
        if not (isinstance(going, Value) or is_real(going)):
            raise OperandError(
                f"while_loop: the condition is {shown(going)}: give a comparison, or a number"
            )
        if not going:
            return carry
        carry = body_fun(carry)


class _Loop:
    """A loop in a recording, as steps that change nothing once the condition has failed.

    Such a step is computed from what the first was given, where the function is known to be
    defined: its derivatives, times 0, are 0.
    """

    def __init__(self, trace: Any, cond_fun: Any, body_fun: Any, going: Traced, carry: Any) -> None:
        self._trace: Trace = trace
        self._cond, self._body = cond_fun, body_fun
        self._going, self._first = going, carry

    def run(self) -> Any:
        """Record as many steps as are needed, and return what is carried after them."""
        trace, draws = self._trace, len(self._trace.draws)
        state: Any = logical_and(self._going, 1.0), self._first
        taken, count = 0, 1
        # Of a call with a nan, which is made eagerly, the condition has failed.
        while not taken or self._computed(state) > 0.0:
            if taken + count > _MOST:
                trace.refuse(f"a while_loop took more than {_MOST} steps", "stop it by a counter")
            entries = (lambda _: None), count
            state, _ = recorded(trace, self._step, self._step, state, entries)
            if len(trace.draws) > draws:
                trace.refuse("a step of while_loop drew a random number", "draw before the loop")
            taken += count
            count = taken
        going, carry = state
        trace.expect(eq(going, 0.0))
        return carry

    def _computed(self, state: Any) -> float:
        """Return the condition after a step in this run, computed with all that is carried."""
        going, carry = state
        numbers, _ = flatten(carry, "what while_loop carries")
        nodes = [x.index for x in (going, *numbers) if isinstance(x, Traced)]
        return self._trace.numbers.compute(nodes)[0]

    def _step(self, state: Any, _: None) -> tuple[Any, None]:
        going, carry = state
        held = chosen(going, carry, self._first, _RETURNED)
        carry = chosen(going, self._body(held), carry, _RETURNED)
        return (logical_and(going, self._cond(carry)), carry), None
