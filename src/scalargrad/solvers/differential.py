"""Ordinary differential equations: Runge-Kutta methods of fixed and of adapted steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from scalargrad.compiler.control_flow import while_loop
from scalargrad.compiler.scan.scan import scan
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.grad_mode import recorder
from scalargrad.linalg import number, vector
from scalargrad.ops import clip, dot, eq, exp, log, logical_and, minimum, square, sum, where
from scalargrad.solvers.states import Equations, Numbers, State, constant, moved, select
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.validation import positive, size
from scalargrad.tree import is_array

#: Stages of Dormand and Prince: the time within the step, and the weights of earlier slopes; the
#: last is the step itself.
_STAGES = (
    (1 / 5, (1 / 5,)),
    (3 / 10, (3 / 40, 9 / 40)),
    (4 / 5, (44 / 45, -56 / 15, 32 / 9)),
    (8 / 9, (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729)),
    (1.0, (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656)),
    (1.0, (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)),
)
#: Weights of all slopes for the step of order 5 minus that of order 4: the error estimate.
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
#: The ratio of the next step to the last: the share taken of that which the allowed error permits,
#: and the bounds of the ratio.
_SAFETY, _LEAST, _MOST = 0.9, 0.2, 5.0
#: A number added to each mean square of errors, since 0 has no logarithm.
_TINY = 1e-20


def rk4(f: Callable[..., Any], y0: Any, t: Any, *args: Any, steps: int = 1) -> Any:
    """Integrate dy/dt = f(y, t, *args) by the Runge-Kutta method of order 4, in fixed steps.

    Parameters
    ----------
    f : callable
        ``f(y, t, *args)`` returns dy/dt in the shape of y.
    y0 : tree of n numbers
        y at the first time: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    t : m numbers
        The times at which y is wanted.
    *args
        Passed on to `f`.
    steps : int
        How many steps are taken from one time to the next.

    Returns
    -------
    list of m trees, or array
        y at each time, `y0` first; an array with m rows if `y0` is an array.

    Raises
    ------
    OperandError
        If `f` does not return as many numbers as y has, or `t` holds no numbers.

    Examples
    --------
    >>> from scalargrad import grad
    >>> end = rk4(lambda y, t: -y, 1.0, [0.0, 1.0], steps=20)[-1]
    >>> f"{end:.6f}"
    '0.367879'
    >>> f"{grad(lambda k: rk4(lambda y, t: -k * y, 1.0, [0.0, 1.0], steps=20)[-1])(1.0):.6f}"
    '-0.367879'
    """
    equations, count = _Equations("rk4", f, y0, t, args), size(steps, "steps", 1)
    times = equations.times
    sizes = [(v - u) / count for u, v in pairwise(times)]
    starts = [u + h * k for u, h in zip(times[:-1], sizes, strict=True) for k in range(count)]

    def step(y: Numbers, at: tuple[Any, Any]) -> tuple[Numbers, Numbers]:
        now, h = at
        k1 = equations.slope(y, now)
        k2 = equations.slope(moved(y, 0.5 * h, k1), now + 0.5 * h)
        k3 = equations.slope(moved(y, 0.5 * h, k2), now + 0.5 * h)
        k4 = equations.slope(moved(y, h, k3), now + h)
        slopes = zip(k1, k2, k3, k4, strict=True)
        after = moved(y, h / 6.0, [p + 2.0 * q + 2.0 * r + s for p, q, r, s in slopes])
        return after, after

    _, found = scan(step, equations.initial, (starts, [h for h in sizes for _ in range(count)]))
    return equations.returned([equations.initial, *found[count - 1 :: count]])


def odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: int = 10_000,
) -> Any:
    """Integrate dy/dt = f(y, t, *args) by Dormand and Prince's method, in steps that fit.

    Parameters
    ----------
    f, y0, t, *args
        As of `rk4`.
    rtol, atol : float
        A step may add an error of ``atol + rtol * abs(y)`` to each number, in the mean square.
    mxstep : int
        How many steps are tried at most.

    Returns
    -------
    list of m trees, or array
        y at each time, `y0` first; an array with m rows if `y0` is an array.

    Raises
    ------
    OperandError
        If `f` does not return as many numbers as y has, or `t` holds no numbers.
    NumericalError
        If more steps are needed.

    Notes
    -----
    The signature is JAX's ``jax.experimental.ode.odeint``. The derivatives, by `y0`, `t` and all
    that `f` reads, are those of the steps taken, whose sizes count as constants.

    In a compiled function each step looks at each time: for more than a hundred of them, `rk4`
    takes less time. Equations that are stiff need too many steps.

    References
    ----------
    Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, 1993, section II.5.

    Examples
    --------
    >>> from scalargrad import grad
    >>> def swing(y, t, k):
    ...     return [y[1], -k * y[0]]
    >>> f"{odeint(swing, [1.0, 0.0], [0.0, 3.141592653589793], 1.0)[-1][0]:.6f}"
    '-1.000000'
    >>> f"{grad(lambda t: odeint(swing, [1.0, 0.0], [0.0, t], 1.0)[-1][0])(1.0):.6f}"
    '-0.841471'
    """
    equations = _Equations("odeint", f, y0, t, args)
    rtol, atol = positive(rtol, "rtol"), positive(atol, "atol")
    found = _Adapted(equations, rtol, atol, size(mxstep, "mxstep", 1)).run()
    return equations.returned(found)


class _Equations(Equations):
    """The differential equations of one call.

    Attributes
    ----------
    times : list
        The times.
    """

    argument, example = "y0", "lambda y, t: -y"
    remedy = "dy/dt in the shape of y"

    def __init__(self, name: str, f: Any, y0: Any, t: Any, args: tuple[Any, ...]) -> None:
        super().__init__(name, f, y0)
        self._args, self._is_array = args, is_array(y0)
        self.times = vector(t, "t")
        if not self.times:
            raise OperandError(f"{name} needs one time at least: t is {shown(t)}")

    def slope(self, y: Numbers, t: Any) -> Numbers:
        """Return dy/dt."""
        return self.computed(y, t, *self._args)

    def returned(self, found: list[Numbers]) -> Any:
        """Return y at each time as it was given."""
        trees = [self.shaped(y) for y in found]
        if not self._is_array:
            return trees
        import numpy as np

        return np.stack(trees)


class _Adapted:
    """Steps whose sizes follow from their errors.

    A state has the time, y and its slope, the size to try next, and the number of tries.
    """

    def __init__(self, equations: _Equations, rtol: float, atol: float, most: int) -> None:
        self._equations, self._rtol, self._atol, self._most = equations, rtol, atol, most

    def run(self) -> list[Numbers]:
        """Return y at each time."""
        first, *targets = self._equations.times
        y = self._equations.initial
        if not targets:
            return [y]
        state = self._initial_state(y, first, targets[-1])
        if recorder() is not None:
            return [y, *self._recorded(state, targets)]
        found = [y]
        for target in targets:
            has_arrived = False
            while not has_arrived:
                state, has_arrived = self._try_step(state, target)
                if state["count"] > self._most:
                    raise NumericalError(
                        f"odeint has taken {counted(self._most, 'step')} up to t = "
                        f"{number(state['t']):g}: give a larger mxstep or rtol. Equations that are "
                        "stiff, with parts that decay much faster than others, need another method"
                    )
            found.append(state["y"])
        return found

    def _recorded(self, state: State, targets: Numbers) -> list[Numbers]:
        """Return y at each time but the first, of a loop that looks at each at all steps."""

        def step(held: tuple[State, Any, list[Numbers]]) -> tuple[State, Any, list[Numbers]]:
            state, place, found = held
            here = [eq(place, float(k)) for k in range(len(targets))]
            after, has_arrived = self._try_step(state, dot(here, targets))
            reached = [logical_and(flag, has_arrived) for flag in here]
            rows = zip(reached, found, strict=True)
            return after, place + has_arrived, [select(x, after["y"], y) for x, y in rows]

        none = [[math.nan] * len(state["y"]) for _ in targets]
        found: list[Numbers] = while_loop(
            lambda held: logical_and(held[1] < len(targets), held[0]["count"] <= self._most),
            step,
            (state, 0.0, none),
        )[2]
        return found

    def _initial_state(self, y: Numbers, t: Any, end: Any) -> State:
        """Return the first state; by its size y would change by a hundredth."""
        slope = self._equations.slope(y, t)
        far, fast = self._squares(y, y, y), self._squares(slope, y, y)
        span = abs(constant(end) - constant(t))
        h = minimum(0.1 * span, 0.01 * exp(0.5 * (log(far + 1e-6) - log(fast))))
        return {"t": t, "y": y, "slope": slope, "h": h, "count": 0.0}

    def _try_step(self, state: State, target: Any) -> tuple[State, Any]:
        """Return the state after a step is tried, and whether it has arrived at a time."""
        t, y, left, size = state["t"], state["y"], target - state["t"], state["h"]
        arrives = size >= abs(constant(left))
        h = where(arrives, left, where(left < 0.0, -size, size))
        count = state["count"] + 1.0
        try:
            after, slope, error = self._step(y, state["slope"], t, h)
        except (DomainError, ArithmeticError):
            return {**state, "h": _LEAST * abs(number(h)), "count": count}, False
        squares = self._squares(error, y, after)
        factor = clip(_SAFETY * exp(-0.1 * log(squares)), _LEAST, _MOST)
        is_kept = squares <= 1.0
        has_arrived = logical_and(is_kept, arrives)
        new = {
            "t": where(is_kept, where(arrives, target, t + h), t),
            "y": select(is_kept, after, y),
            "slope": select(is_kept, slope, state["slope"]),
            "h": where(has_arrived, size, factor * abs(constant(h))),
            "count": count,
        }
        return new, has_arrived

    def _step(self, y: Numbers, slope: Numbers, t: Any, h: Any) -> tuple[Numbers, Numbers, Numbers]:
        """Return y after a step, its slope there, and the error."""
        slopes, after = [slope], y
        for at, weights in _STAGES:
            after = moved(y, h, _weighted(weights, slopes))
            slopes.append(self._equations.slope(after, t + at * h))
        return after, slopes[-1], [h * x for x in _weighted(_ERROR, slopes)]

    def _squares(self, x: Numbers, y: Numbers, other: Numbers) -> Any:
        """Return the mean square of numbers, relative to what is allowed, as a constant above 0.

        It is written in operations that are defined everywhere, which a compiled function need not
        check at each step.
        """
        found: Any = _TINY
        for row in zip(x, y, other, strict=True):
            u, v, w = map(constant, row)
            allowed = self._atol + abs(0.5 * self._rtol * v) + abs(0.5 * self._rtol * w)
            found = found + square(u / allowed * len(x) ** -0.5)
        return found


def _weighted(weights: tuple[float, ...], slopes: list[Numbers]) -> Numbers:
    used = [(w, k) for w, k in zip(weights, slopes, strict=True) if w]
    return [sum([w * k[i] for w, k in used]) for i in range(len(slopes[0]))]
