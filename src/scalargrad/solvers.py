"""Roots, fixed points and differential equations, solved inside a model and differentiated with it.

>>> from scalargrad import grad, sin
>>> from scalargrad.solvers import root
>>> def anomaly(mean, eccentricity):  # Kepler's equation
...     return root(lambda x: x - eccentricity * sin(x) - mean, mean)
>>> [round(x, 9) for x in (anomaly(1.0, 0.5), grad(anomaly)(1.0, 0.5))]
[1.498701134, 1.037362022]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

from scalargrad.compiler.control_flow import while_loop
from scalargrad.compiler.scan.scan import scan
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.grad_mode import active_derivatives, no_grad, recorder
from scalargrad.linalg import is_open, number, solve, vector
from scalargrad.ops import (
    clip,
    dot,
    eq,
    exp,
    log,
    logical_and,
    logical_not,
    maximum,
    minimum,
    square,
    sum,
    where,
)
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import function, positive, size
from scalargrad.transforms.functional import jacobian
from scalargrad.tree import flatten, is_array
from scalargrad.value import Value

__all__ = ["fixed_point", "odeint", "rk4", "root"]

Numbers = list[Any]
State = dict[str, Any]


class Equations:
    """A function that returns as many numbers as it is given, and where to begin.

    Parameters
    ----------
    name : str
        Of the solver that was called, for messages.
    f : callable
        ``f(x, *further)``
    x0 : tree of n numbers

    Attributes
    ----------
    initial : list
        The numbers of `x0`.
    argument, example, remedy : str
        What the solver calls `x0`, a function that it takes, and what that is to return.

    Raises
    ------
    OperandError
        If `f` is not a function, or `x0` holds no numbers.
    """

    argument = "x0"
    example = "lambda x: x * x - 2"
    remedy = "as many equations as unknowns"

    def __init__(self, name: str, f: Any, x0: Any) -> None:
        self.name, self._f = name, function(f, "f", self.example)
        leaves, self._rebuild = flatten(x0, self.argument)
        self.initial = [x if isinstance(x, Value) else as_float(x, self.argument) for x in leaves]
        if not leaves:
            raise OperandError(
                f"{self.argument} is {shown(x0)}, which holds no numbers: give one at least"
            )

    def shaped(self, x: Numbers) -> Any:
        """Return numbers in the shape of `x0`."""
        return self._rebuild(iter(x))

    def computed(self, x: Numbers, *further: Any) -> Numbers:
        """Return the n numbers of f(x, *further).

        Raises
        ------
        OperandError
            If there are not n.
        """
        returned = self._f(self.shaped(x), *further)
        found, _ = flatten(returned, f"what f of {self.name} returns")
        if len(found) != len(x):
            raise OperandError(
                f"{self.name}: f returned {counted(len(found), 'number')} for "
                f"{counted(len(x), 'unknown')}: give {self.remedy}"
            )
        return found


def constant(x: Any) -> Any:
    """Return a number through which no gradient flows: a float, unless it is being recorded."""
    return x.detach() if is_open(x) else number(x)


def moved(x: Numbers, share: Any, step: Numbers) -> Numbers:
    """Return x + share · step."""
    return [y + share * z for y, z in zip(x, step, strict=True)]


def select(condition: Any, first: Numbers, second: Numbers) -> Numbers:
    """Return the first numbers if a condition holds, else the second."""
    return [where(condition, x, y) for x, y in zip(first, second, strict=True)]


# Roots and fixed points, differentiated by the equations they solve -------------------------------

#: The share of the predicted decrease that a step must achieve to be taken (Armijo).
_SLOPE = 1e-4
#: The share of the largest x so far beside which steps count as small where x is 0.
_FLOOR = 1e-7
#: The least order up to which derivatives are exact.
_ORDER = 2


def root(f: Callable[..., Any], x0: Any, *args: Any, tol: float = 1e-8, maxiter: int = 100) -> Any:
    """Solve the equations f(x, *args) = 0 by Newton's method.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns as many numbers as x has.
    x0 : tree of n numbers
        Where to start: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Passed on to `f`.
    tol : float
        Newton's steps have become small: at most so large, relative to x.
    maxiter : int
        How often `f` is tried at most.

    Returns
    -------
    tree of n numbers
        x, in the shape of `x0`. Its derivatives by all that `f` reads are those of the equations,
        whatever steps have led there; by `x0` they are 0.

    Raises
    ------
    OperandError
        If `f` does not return as many numbers as x has.
    NumericalError
        If no root is found.
    DomainError
        If the Jacobian is singular where Newton's method begins or ends.

    Notes
    -----
    A step that does not make the residual smaller, or leaves the domain of `f`, is halved.

    The root is found without derivatives. Then ``x - J⁻¹·f(x)`` is computed with them and with J
    constant, once more often than derivatives are being taken here, and at least twice: k such
    steps give all derivatives up to order k (the implicit function theorem, order by order). One of
    a higher order, as of a compiled function that is differentiated three times, is infinite or
    nan.

    Examples
    --------
    >>> from scalargrad import grad
    >>> round(root(lambda x, a: x * x - a, 1.0, 2.0), 12)
    1.414213562373
    >>> grad(lambda a: root(lambda x: x * x - a, 1.0))(4.0)
    0.25
    >>> root(lambda p: [p[0] + p[1] - 3.0, p[0] - p[1] - 1.0], [0.0, 0.0])
    [2.0, 1.0]
    """
    equations = _Unknowns("root", f, x0, args, lambda _, y: y)
    return equations.solved(equations.newton, equations.newton_step, tol, maxiter)


def fixed_point(
    f: Callable[..., Any], x0: Any, *args: Any, tol: float = 1e-8, maxiter: int = 500
) -> Any:
    """Solve x = f(x, *args) by computing f again and again.

    Parameters, result and errors are those of `root`, which finds fixed points, too, as roots of
    ``f(x) - x``: in fewer steps, each with a Jacobian, and where `f` leads away from them.

    Examples
    --------
    >>> from scalargrad import cos, grad
    >>> def swing(a):
    ...     return fixed_point(lambda x: a * cos(x), 0.5)
    >>> round(swing(1.0), 9), round(grad(swing)(1.0), 9)
    (0.739085133, 0.441610792)
    """
    equations = _Unknowns("fixed_point", f, x0, args, lambda x, y: x - y)
    return equations.solved(equations.iterate, equations.iterate_step, tol, maxiter)


class _Unknowns(Equations):
    """The equations r(x) = 0 of one call.

    Parameters
    ----------
    name, f, x0
        As of `Equations`.
    args : tuple
        As of `root`.
    residual : callable
        Makes r of a number of x and that of f(x).
    """

    def __init__(
        self, name: str, f: Any, x0: Any, args: tuple[Any, ...], residual: Callable[..., Any]
    ) -> None:
        super().__init__(name, f, x0)
        self._args, self._residual = args, residual

    def residuals(self, x: Numbers) -> Numbers:
        """Return r(x), n numbers."""
        found = self.computed(x, *self._args)
        return [self._residual(y, z) for y, z in zip(x, found, strict=True)]

    def linearised(self, x: Numbers) -> tuple[Any, Numbers]:
        """Return the Jacobian of r, n × n, and r(x)."""

        def both(x: Numbers) -> tuple[Numbers, Numbers]:
            found = self.residuals(x)
            return found, found

        found: tuple[Any, Numbers] = jacobian(both, has_aux=True)(x)
        return found

    # What leads to the root ----------------------------------------------------------------------

    def newton(self, x: Numbers) -> State:
        """Return Newton's step at x, which is to be subtracted, and the sum of squares of r."""
        slopes, r = self.linearised(x)
        step = self._solved(slopes, r, x)
        return {"x": x, "step": step, "squares": sum([y * y for y in r]), "share": 1.0}

    def _solved(self, slopes: Any, r: Numbers, x: Numbers) -> Numbers:
        """Return J⁻¹·r, where the Jacobian is that at x."""
        try:
            return [r[0] / slopes[0][0]] if len(r) == 1 else solve(slopes, r)
        except (DomainError, ZeroDivisionError) as error:
            raise DomainError(
                f"{self.name}: the Jacobian of f is singular at x = {self._shown(x)}: begin "
                "elsewhere, or leave out equations that follow from others"
            ) from error

    def newton_step(self, state: State) -> State:
        """Take a step, or a share of one; make that half as large if r does not become smaller."""
        share, squares = state["share"], state["squares"]
        try:
            after = self.newton(moved(state["x"], -share, state["step"]))
        except (DomainError, ArithmeticError):
            return {**state, "share": 0.5 * share}
        is_less = after["squares"] <= (1.0 - 2.0 * _SLOPE * share) * squares
        is_taken = logical_and(is_less, sum(after["step"]) < math.inf)
        return {
            "x": select(is_taken, after["x"], state["x"]),
            "step": select(is_taken, after["step"], state["step"]),
            "squares": where(is_taken, after["squares"], squares),
            "share": where(is_taken, 1.0, 0.5 * share),
        }

    def iterate(self, x: Numbers) -> State:
        """Return the step to f(x), which is to be subtracted."""
        return {"x": x, "step": self.residuals(x)}

    def iterate_step(self, state: State) -> State:
        """Go to f(x)."""
        return self.iterate(moved(state["x"], -1.0, state["step"]))

    # The root ------------------------------------------------------------------------------------

    def solved(
        self,
        begin: Callable[[Numbers], State],
        step: Callable[[State], State],
        tol: float,
        maxiter: int,
    ) -> Any:
        """Take steps until they are small, and return x with its derivatives."""
        tol, most = positive(tol, "tol"), size(maxiter, "maxiter", 1)

        def goes_on(state: State) -> Any:
            return logical_and(logical_not(_is_near(state, tol)), state["count"] < most)

        def counted_step(state: State) -> State:
            after = step({key: x for key, x in state.items() if key not in {"count", "sizes"}})
            sizes = [maximum(x, abs(y)) for x, y in zip(state["sizes"], after["x"], strict=True)]
            return {**after, "count": state["count"] + 1.0, "sizes": sizes}

        with _without_graphs():
            state = {**begin(self.initial), "count": 0.0, "sizes": [abs(x) for x in self.initial]}
            x = self._accepted(while_loop(goes_on, counted_step, state), tol)
            slopes = [[constant(y) for y in row] for row in self.linearised(x)[0]]
        return self.shaped(self._attached(x, slopes))

    def _accepted(self, state: State, tol: float) -> Numbers:
        """Return x as constants: nan where steps have not become small, or an error."""
        is_near = _is_near(state, tol)
        if recorder() is not None:
            return [constant(where(is_near, x, math.nan)) for x in state["x"]]
        x = [constant(y) for y in state["x"]]
        if not is_near:
            count, step = int(number(state["count"])), max(abs(number(y)) for y in state["step"])
            raise NumericalError(
                f"{self.name} has not converged in {counted(count, 'step')}: at x = "
                f"{self._shown(x)} the next one is {step:.2g}. Begin nearer to the solution, scale "
                "the equations, or give a larger maxiter or tol"
            )
        return x

    def _shown(self, x: Numbers) -> str:
        return shown(self.shaped([float(f"{number(y):.6g}") for y in x]))

    def _attached(self, x: Numbers, slopes: Any) -> Numbers:
        """Return a root with its derivatives, by Newton's steps with constant slopes.

        If y agrees with the root up to derivatives of order k - 1, y - J⁻¹·r(y) does up to order k.
        """
        taken = len(active_derivatives.get()) - (
            recorder() is not None
        )  # a recording counts as one
        order = max(_ORDER, taken + 1)
        first = self.residuals(x)
        y = moved(x, -1.0, self._solved(slopes, first, x))
        for _ in range(order - 1):
            y = moved(y, -1.0, self._solved(slopes, self.residuals(y), x))
        # Zero, with derivatives of 0 up to the same order and infinite ones beyond.
        beyond = [(r - r.detach()) ** (order + 0.5) for r in first if isinstance(r, Value)]
        return [z + sum(beyond) for z in y] if beyond else y


def _without_graphs() -> AbstractContextManager[None]:
    """Return a context that keeps no graphs; a recording leaves out what nothing needs."""
    return no_grad() if recorder() is None else nullcontext()


def _is_near(state: State, tol: float) -> Any:
    """Return whether the next step is small; not if it is nan."""
    rows = zip(state["x"], state["step"], state["sizes"], strict=True)
    excess = [abs(step) - tol * maximum(abs(x), _FLOOR * size) for x, step, size in rows]
    return maximum(*excess) <= 0.0


# Differential equations: Runge-Kutta methods of fixed and of adapted steps ------------------------

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
#: Allowed error, as a share of the largest absolute value of a number, and the minimum of that, as
#: a share of the largest of all numbers: one that is 0 but for rounding would need tiny steps.
_ATOL, _SHARE_OF_ALL = 1.4e-8, 1e-6
#: Added to each allowed error, which may be 0, as all numbers may be.
_SMALLEST = 1e-300


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
    equations, count = _Slopes("rk4", f, y0, t, args), size(steps, "steps", 1)
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
    atol: float | None = None,
    mxstep: int = 10_000,
) -> Any:
    """Integrate dy/dt = f(y, t, *args) by Dormand and Prince's method, in steps that fit.

    Parameters
    ----------
    f, y0, t, *args
        As of `rk4`.
    rtol : float
        A step may add an error of ``atol + rtol * abs(y)`` to each number, in the mean square.
    atol : float, optional
        In the unit of y. By default 1.4e-8 times the largest absolute value of each number so far,
        or times a millionth of that of all numbers, if this is more.
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
    The signature is JAX's ``jax.experimental.ode.odeint``, whose `atol` is 1.4e-8. The derivatives,
    by `y0`, `t` and all that `f` reads, are those of the steps taken, whose sizes count as
    constants.

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
    equations = _Slopes("odeint", f, y0, t, args)
    rtol = positive(rtol, "rtol")
    atol = None if atol is None else positive(atol, "atol")
    found = _Adapted(equations, rtol, atol, size(mxstep, "mxstep", 1)).run()
    return equations.returned(found)


class _Slopes(Equations):
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

    A state has the time, y and its slope, the size to try next, the number of tries, and, if
    `atol` is None, the largest absolute value so far of each number.
    """

    def __init__(self, equations: _Slopes, rtol: float, atol: float | None, most: int) -> None:
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
        sizes = self._sizes({"sizes": [0.0] * len(y)}, y)
        span = abs(constant(end) - constant(t))
        ahead = self._sizes({"sizes": sizes}, [0.1 * span * x for x in slope])  # y may be 0
        far, fast = self._squares(y, y, y, ahead), self._squares(slope, y, y, ahead)
        h = minimum(0.1 * span, 0.01 * exp(0.5 * (log(far + 1e-6) - log(fast))))
        state = {"t": t, "y": y, "slope": slope, "h": h, "count": 0.0}
        return state | ({} if self._atol is not None else {"sizes": sizes})

    def _sizes(self, state: State, y: Numbers) -> Numbers:
        """Return the largest absolute value of each number, up to y; none if `atol` is given."""
        if self._atol is not None:
            return []
        return [maximum(x, abs(constant(z))) for x, z in zip(state["sizes"], y, strict=True)]

    def _absolute(self, sizes: Numbers, n: int) -> Numbers:
        """Return the absolute error that is allowed for each of n numbers."""
        if self._atol is not None:
            return [self._atol] * n
        least = _SHARE_OF_ALL * (maximum(*sizes) if n > 1 else sizes[0])
        return [_ATOL * maximum(x, least) + _SMALLEST for x in sizes]

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
        sizes = self._sizes(state, after)
        squares = self._squares(error, y, after, sizes)
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
        if self._atol is None:
            new["sizes"] = select(is_kept, sizes, state["sizes"])
        return new, has_arrived

    def _step(self, y: Numbers, slope: Numbers, t: Any, h: Any) -> tuple[Numbers, Numbers, Numbers]:
        """Return y after a step, its slope there, and the error."""
        slopes, after = [slope], y
        for at, weights in _STAGES:
            after = moved(y, h, _weighted(weights, slopes))
            slopes.append(self._equations.slope(after, t + at * h))
        return after, slopes[-1], [h * x for x in _weighted(_ERROR, slopes)]

    def _squares(self, x: Numbers, y: Numbers, other: Numbers, sizes: Numbers) -> Any:
        """Return the mean square of numbers, relative to what is allowed, as a constant above 0.

        It is written in operations that are defined everywhere, which a compiled function need not
        check at each step.
        """
        found: Any = _TINY
        for *row, atol in zip(x, y, other, self._absolute(sizes, len(x)), strict=True):
            u, v, w = map(constant, row)
            allowed = atol + abs(0.5 * self._rtol * v) + abs(0.5 * self._rtol * w)
            found = found + square(u / allowed * len(x) ** -0.5)
        return found


def _weighted(weights: tuple[float, ...], slopes: list[Numbers]) -> Numbers:
    used = [(w, k) for w, k in zip(weights, slopes, strict=True) if w]
    return [sum([w * k[i] for w, k in used]) for i in range(len(slopes[0]))]
