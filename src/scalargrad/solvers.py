"""Differentiable solvers of equations, fixed points and differential equations.

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

from scalargrad.checks.arguments import check_function, check_positive, check_size
from scalargrad.checks.numbers import as_float
from scalargrad.compiler.control_flow import while_loop
from scalargrad.compiler.scan.scan import scan
from scalargrad.engine.active_derivatives import derivative_level
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.recorder import is_traced, trace_as
from scalargrad.engine.tree import flatten, is_array
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.linalg import as_vector, data_of, solve
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
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.transforms.functional import jacobian

__all__ = ["fixed_point", "odeint", "rk4", "root"]

Numbers = list[Any]
State = dict[str, Any]


class Equations:
    """A function from n numbers to n numbers, and its starting point.

    Parameters
    ----------
    name : str
        Name of the solver, for messages.
    f : callable
        Called as ``f(x, *further)``.
    x0 : tree of n numbers
        The starting point.

    Attributes
    ----------
    initial : list
        The numbers of `x0`.
    argument, example, remedy : str
        Texts for messages: the name of `x0`, an example of `f`, and what `f` must return.

    Raises
    ------
    OperandError
        If `f` is not a function, or `x0` has no numbers.
    """

    argument = "x0"
    example = "lambda x: x * x - 2"
    remedy = "as many equations as unknowns"

    def __init__(self, name: str, f: Any, x0: Any) -> None:
        self.name, self._f = name, check_function(f, "f", self.example)
        leaves, self._rebuild = flatten(x0, self.argument)
        self.initial = [x if isinstance(x, Value) else as_float(x, self.argument) for x in leaves]
        if not leaves:
            raise OperandError(
                f"{self.argument} is {format_value(x0)}, which has no numbers: give at least one"
            )

    def shaped(self, x: Numbers) -> Any:
        """Return numbers in the structure of `x0`."""
        return self._rebuild(iter(x))

    def evaluate(self, x: Numbers, *further: Any) -> Numbers:
        """Return the n numbers of f(x, *further).

        Raises
        ------
        OperandError
            If there are not n numbers.
        """
        returned = self._f(self.shaped(x), *further)
        found, _ = flatten(returned, f"the result of f of {self.name}")
        if len(found) != len(x):
            raise OperandError(
                f"{self.name}: f returned {pluralize(len(found), 'number')} for "
                f"{pluralize(len(x), 'unknown')}: give {self.remedy}"
            )
        return found


def constant(x: Any) -> Any:
    """Return a number without its gradient: a float, or a detached Value if traced."""
    return x.detach() if is_traced(x) else data_of(x)


def add_scaled(x: Numbers, share: Any, step: Numbers) -> Numbers:
    """Return x + share · step."""
    return [y + share * z for y, z in zip(x, step, strict=True)]


def select(condition: Any, first: Numbers, second: Numbers) -> Numbers:
    """Return the first numbers if a condition is true, else the second."""
    return [where(condition, x, y) for x, y in zip(first, second, strict=True)]


# Roots and fixed points, with derivatives by the implicit function theorem ------------------------

#: Minimum ratio of the decrease of a step to the predicted one (Armijo).
_SLOPE = 1e-4
#: Scale of x in the stopping criterion where x is 0, relative to the largest x so far.
_FLOOR = 1e-7
#: Minimum order up to which derivatives are exact.
_ORDER = 2


def root(f: Callable[..., Any], x0: Any, *args: Any, tol: float = 1e-8, maxiter: int = 100) -> Any:
    """Solve the equations f(x, *args) = 0 by Newton's method.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns n numbers.
    x0 : tree of n numbers
        The starting point: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Further arguments of `f`.
    tol : float
        Maximum size of the last step, relative to x.
    maxiter : int
        Maximum number of evaluations of `f`.

    Returns
    -------
    tree of n numbers
        x, in the structure of `x0`. Its derivatives with respect to everything that `f` uses follow
        from the equations, not from the steps; with respect to `x0` they are 0.

    Raises
    ------
    OperandError
        If `f` does not return n numbers.
    NumericalError
        If no root is found.
    DomainError
        If the Jacobian is singular at the start or at the end.

    Notes
    -----
    A step that does not decrease the residual, or leaves the domain of `f`, is halved.

    The root is computed without derivatives. Then ``x - J⁻¹·f(x)`` is evaluated k times with
    derivatives and constant J, which gives all derivatives up to order k (the implicit function
    theorem, order by order). k is one more than the number of nested derivatives at this call, and
    at least 2. Derivatives of higher order, such as those of a compiled function that is
    differentiated three times, are infinite or nan.

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
    return equations.solve(equations.newton, equations.newton_step, tol, maxiter)


def fixed_point(
    f: Callable[..., Any], x0: Any, *args: Any, tol: float = 1e-8, maxiter: int = 500
) -> Any:
    """Solve x = f(x, *args) by fixed-point iteration.

    Parameters, result and errors are those of `root`. `root` of ``f(x) - x`` also finds fixed
    points: in fewer steps, each with a Jacobian, and even if the iteration diverges.

    Examples
    --------
    >>> from scalargrad import cos, grad
    >>> def swing(a):
    ...     return fixed_point(lambda x: a * cos(x), 0.5)
    >>> round(swing(1.0), 9), round(grad(swing)(1.0), 9)
    (0.739085133, 0.441610792)
    """
    equations = _Unknowns("fixed_point", f, x0, args, lambda x, y: x - y)
    return equations.solve(equations.iterate, equations.iterate_step, tol, maxiter)


class _Unknowns(Equations):
    """The equations r(x) = 0 of one call of a solver.

    Parameters
    ----------
    name, f, x0
        As in `Equations`.
    args : tuple
        As in `root`.
    residual : callable
        Computes a number of r from those of x and f(x).
    """

    def __init__(
        self, name: str, f: Any, x0: Any, args: tuple[Any, ...], residual: Callable[..., Any]
    ) -> None:
        super().__init__(name, f, x0)
        self._args, self._residual = args, residual

    def residuals(self, x: Numbers) -> Numbers:
        """Return r(x), n numbers."""
        found = self.evaluate(x, *self._args)
        return [self._residual(y, z) for y, z in zip(x, found, strict=True)]

    def linearize(self, x: Numbers) -> tuple[Any, Numbers]:
        """Return the Jacobian of r, n × n, and r(x)."""

        def both(x: Numbers) -> tuple[Numbers, Numbers]:
            found = self.residuals(x)
            return found, found

        found: tuple[Any, Numbers] = jacobian(both, has_aux=True)(x)
        return found

    # Steps ---------------------------------------------------------------------------------------

    def newton(self, x: Numbers) -> State:
        """Return the state at x: Newton's step, which is subtracted, and the squares of r."""
        slopes, r = self.linearize(x)
        step = self._solve_linear(slopes, r, x)
        return {"x": x, "step": step, "squares": sum([y * y for y in r]), "share": 1.0}

    def _solve_linear(self, slopes: Any, r: Numbers, x: Numbers) -> Numbers:
        """Return J⁻¹·r, with the Jacobian at x."""
        try:
            return [r[0] / slopes[0][0]] if len(r) == 1 else solve(slopes, r)
        except (DomainError, ZeroDivisionError) as error:
            raise DomainError(
                f"{self.name}: the Jacobian of f is singular at x = {self._format(x)}: start "
                "elsewhere, or leave out dependent equations"
            ) from error

    def newton_step(self, state: State) -> State:
        """Take a step scaled by the share; halve the share if the residual does not decrease."""
        share, squares = state["share"], state["squares"]
        try:
            after = self.newton(add_scaled(state["x"], -share, state["step"]))
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
        """Return the state at x, with the step to f(x), which is subtracted."""
        return {"x": x, "step": self.residuals(x)}

    def iterate_step(self, state: State) -> State:
        """Replace x by f(x)."""
        return self.iterate(add_scaled(state["x"], -1.0, state["step"]))

    # The root ------------------------------------------------------------------------------------

    def solve(
        self,
        begin: Callable[[Numbers], State],
        step: Callable[[State], State],
        tol: float,
        maxiter: int,
    ) -> Any:
        """Take steps until they are small; return x with its derivatives."""
        tol, most = check_positive(tol, "tol"), check_size(maxiter, "maxiter", 1)

        def is_unfinished(state: State) -> Any:
            return logical_and(logical_not(_is_near(state, tol)), state["count"] < most)

        def count_and_step(state: State) -> State:
            after = step({key: x for key, x in state.items() if key not in {"count", "sizes"}})
            sizes = [maximum(x, abs(y)) for x, y in zip(state["sizes"], after["x"], strict=True)]
            return {**after, "count": state["count"] + 1.0, "sizes": sizes}

        with _without_graphs():
            state = {**begin(self.initial), "count": 0.0, "sizes": [abs(x) for x in self.initial]}
            x = self._solution(while_loop(is_unfinished, count_and_step, state), tol)
            slopes = [[constant(y) for y in row] for row in self.linearize(x)[0]]
        return self.shaped(self._attach_derivatives(x, slopes))

    def _trace_solution(self, state: State, tol: float) -> Numbers:
        """Return x as constants; nan if steps are not small."""
        is_near = _is_near(state, tol)
        return [constant(where(is_near, x, math.nan)) for x in state["x"]]

    @trace_as(_trace_solution)
    def _solution(self, state: State, tol: float) -> Numbers:
        """Return x as constants; if steps are not small, raise NumericalError."""
        x = [constant(y) for y in state["x"]]
        if not _is_near(state, tol):
            count, step = int(data_of(state["count"])), max(abs(data_of(y)) for y in state["step"])
            raise NumericalError(
                f"{self.name} has not converged in {pluralize(count, 'step')}: at x = "
                f"{self._format(x)} the next step is {step:.2g}. Start nearer to the solution, "
                "scale the equations, or give a larger maxiter or tol"
            )
        return x

    def _format(self, x: Numbers) -> str:
        return format_value(self.shaped([float(f"{data_of(y):.6g}") for y in x]))

    def _attach_derivatives(self, x: Numbers, slopes: Any) -> Numbers:
        """Return a root with its derivatives, by Newton steps with a constant Jacobian.

        If y has the derivatives of the root up to order k - 1, y - J⁻¹·r(y) has them up to order k.
        """
        order = max(_ORDER, derivative_level() + 1)
        first = self.residuals(x)
        y = add_scaled(x, -1.0, self._solve_linear(slopes, first, x))
        for _ in range(order - 1):
            y = add_scaled(y, -1.0, self._solve_linear(slopes, self.residuals(y), x))
        # 0, with derivatives that are 0 up to this order and infinite for higher orders.
        beyond = [(r - r.detach()) ** (order + 0.5) for r in first if isinstance(r, Value)]
        return [z + sum(beyond) for z in y] if beyond else y


def _trace_without_graphs() -> AbstractContextManager[None]:
    """Return a context that changes nothing: a compiled function drops unused operations."""
    return nullcontext()


@trace_as(_trace_without_graphs)
def _without_graphs() -> AbstractContextManager[None]:
    """Return a context in which no graph is built."""
    return no_grad()


def _is_near(state: State, tol: float) -> Any:
    """Return True if the next step is small, and not nan."""
    rows = zip(state["x"], state["step"], state["sizes"], strict=True)
    excess = [abs(step) - tol * maximum(abs(x), _FLOOR * size) for x, step, size in rows]
    return maximum(*excess) <= 0.0


# Differential equations: Runge-Kutta methods with fixed and with adaptive steps -------------------

#: Stages of Dormand and Prince: the time within the step, and the weights of the slopes before; the
#: last stage is the result of the step.
_STAGES = (
    (1 / 5, (1 / 5,)),
    (3 / 10, (3 / 40, 9 / 40)),
    (4 / 5, (44 / 45, -56 / 15, 32 / 9)),
    (8 / 9, (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729)),
    (1.0, (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656)),
    (1.0, (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)),
)
#: Weights of the slopes in the error estimate: the step of order 5 minus that of order 4.
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
#: Safety factor on the ratio of step sizes that the tolerance permits.
_SAFETY = 0.9
#: Minimum and maximum ratio of the next step size to the last.
_MIN_RATIO, _MAX_RATIO = 0.2, 5.0
#: Added to each mean square of errors, because 0 has no logarithm.
_TINY = 1e-20
#: Default absolute tolerance of a number, relative to its largest absolute value so far.
_ATOL = 1.4e-8
#: Minimum of that largest value, relative to the largest of all numbers. A number that is 0 up to
#: rounding would otherwise need tiny steps.
_MIN_SCALE = 1e-6
#: Added to each tolerance, which is 0 if all numbers are.
_SMALLEST = 1e-300


def rk4(f: Callable[..., Any], y0: Any, t: Any, *args: Any, steps: int = 1) -> Any:
    """Integrate dy/dt = f(y, t, *args) by the Runge-Kutta method of order 4, with fixed steps.

    Parameters
    ----------
    f : callable
        ``f(y, t, *args)`` returns dy/dt in the structure of y.
    y0 : tree of n numbers
        y at the first time: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    t : m numbers
        The times at which y is returned.
    *args
        Further arguments of `f`.
    steps : int
        Number of steps from one time to the next.

    Returns
    -------
    list of m trees, or array
        y at each time, `y0` first; an array with m rows if `y0` is an array.

    Raises
    ------
    OperandError
        If `f` does not return n numbers, or `t` is empty.

    Examples
    --------
    >>> from scalargrad import grad
    >>> end = rk4(lambda y, t: -y, 1.0, [0.0, 1.0], steps=20)[-1]
    >>> f"{end:.6f}"
    '0.367879'
    >>> f"{grad(lambda k: rk4(lambda y, t: -k * y, 1.0, [0.0, 1.0], steps=20)[-1])(1.0):.6f}"
    '-0.367879'
    """
    equations, count = _Slopes("rk4", f, y0, t, args), check_size(steps, "steps", 1)
    times = equations.times
    sizes = [(v - u) / count for u, v in pairwise(times)]
    starts = [u + h * k for u, h in zip(times[:-1], sizes, strict=True) for k in range(count)]

    def step(y: Numbers, at: tuple[Any, Any]) -> tuple[Numbers, Numbers]:
        now, h = at
        k1 = equations.slope(y, now)
        k2 = equations.slope(add_scaled(y, 0.5 * h, k1), now + 0.5 * h)
        k3 = equations.slope(add_scaled(y, 0.5 * h, k2), now + 0.5 * h)
        k4 = equations.slope(add_scaled(y, h, k3), now + h)
        slopes = zip(k1, k2, k3, k4, strict=True)
        after = add_scaled(y, h / 6.0, [p + 2.0 * q + 2.0 * r + s for p, q, r, s in slopes])
        return after, after

    _, found = scan(step, equations.initial, (starts, [h for h in sizes for _ in range(count)]))
    return equations.results([equations.initial, *found[count - 1 :: count]])


def odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float | None = None,
    mxstep: int = 10_000,
) -> Any:
    """Integrate dy/dt = f(y, t, *args) by the method of Dormand and Prince, with adaptive steps.

    Parameters
    ----------
    f, y0, t, *args
        As in `rk4`.
    rtol : float
        Tolerance: the root mean square over all numbers of the error of a step, divided by
        ``atol + rtol * abs(y)``, is at most 1.
    atol : float, optional
        Absolute tolerance, in the unit of y. By default 1.4e-8 times the largest absolute value of
        each number so far, or times a millionth of that of all numbers, if this is larger.
    mxstep : int
        Maximum number of tried steps.

    Returns
    -------
    list of m trees, or array
        y at each time, `y0` first; an array with m rows if `y0` is an array.

    Raises
    ------
    OperandError
        If `f` does not return n numbers, or `t` is empty.
    NumericalError
        If more steps than `mxstep` are needed.

    Notes
    -----
    The signature is that of JAX's ``jax.experimental.ode.odeint``, where `atol` is 1.4e-8.
    Derivatives with respect to `y0`, `t` and everything that `f` uses are those of the steps taken,
    with constant step sizes.

    In a compiled function each step loops over all times; with more than a hundred times, `rk4` is
    faster. Stiff equations need too many steps.

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
    rtol = check_positive(rtol, "rtol")
    atol = None if atol is None else check_positive(atol, "atol")
    found = _AdaptiveSteps(equations, rtol, atol, check_size(mxstep, "mxstep", 1)).run()
    return equations.results(found)


class _Slopes(Equations):
    """The differential equations of one call of a solver.

    Attributes
    ----------
    times : list
        The times at which y is returned.
    """

    argument, example = "y0", "lambda y, t: -y"
    remedy = "dy/dt in the shape of y"

    def __init__(self, name: str, f: Any, y0: Any, t: Any, args: tuple[Any, ...]) -> None:
        super().__init__(name, f, y0)
        self._args, self._is_array = args, is_array(y0)
        self.times = as_vector(t, "t")
        if not self.times:
            raise OperandError(f"{name} needs at least one time: t is {format_value(t)}")

    def slope(self, y: Numbers, t: Any) -> Numbers:
        """Return dy/dt."""
        return self.evaluate(y, t, *self._args)

    def results(self, found: list[Numbers]) -> Any:
        """Return y at each time, as trees or as one array."""
        trees = [self.shaped(y) for y in found]
        if not self._is_array:
            return trees
        import numpy as np

        return np.stack(trees)


class _AdaptiveSteps:
    """Integration with step sizes chosen from error estimates.

    A state is a dict with the time ``t``, ``y``, its ``slope``, the next step size ``h``, the
    ``count`` of tried steps and, if `atol` is None, the largest absolute value so far of each
    number in ``sizes``.
    """

    def __init__(self, equations: _Slopes, rtol: float, atol: float | None, most: int) -> None:
        self._equations, self._rtol, self._atol, self._most = equations, rtol, atol, most

    def run(self) -> list[Numbers]:
        """Return y at each time."""
        first, *targets = self._equations.times
        y = self._equations.initial
        if not targets:
            return [y]
        return [y, *self._integrate(self._initial_state(y, first, targets[-1]), targets)]

    def _trace_integration(self, state: State, targets: Numbers) -> list[Numbers]:
        """Return y at each target time, from one loop that is compiled."""

        def step(carry: tuple[State, Any, list[Numbers]]) -> tuple[State, Any, list[Numbers]]:
            state, index, found = carry
            here = [eq(index, float(k)) for k in range(len(targets))]
            after, has_arrived = self._try_step(state, dot(here, targets))
            reached = [logical_and(flag, has_arrived) for flag in here]
            rows = zip(reached, found, strict=True)
            return after, index + has_arrived, [select(x, after["y"], y) for x, y in rows]

        none = [[math.nan] * len(state["y"]) for _ in targets]
        found: list[Numbers] = while_loop(
            lambda carry: logical_and(carry[1] < len(targets), carry[0]["count"] <= self._most),
            step,
            (state, 0.0, none),
        )[2]
        return found

    @trace_as(_trace_integration)
    def _integrate(self, state: State, targets: Numbers) -> list[Numbers]:
        """Return y at each target time."""
        found = []
        for target in targets:
            has_arrived = False
            while not has_arrived:
                state, has_arrived = self._try_step(state, target)
                if state["count"] > self._most:
                    raise NumericalError(
                        f"odeint has taken {pluralize(self._most, 'step')} up to t = "
                        f"{data_of(state['t']):g}: give a larger mxstep or rtol. Stiff equations, "
                        "with parts that decay much faster than others, need another method"
                    )
            found.append(state["y"])
        return found

    def _initial_state(self, y: Numbers, t: Any, end: Any) -> State:
        """Return the first state; its step size would change y by about one percent."""
        slope = self._equations.slope(y, t)
        sizes = self._sizes({"sizes": [0.0] * len(y)}, y)
        span = abs(constant(end) - constant(t))
        ahead = self._sizes({"sizes": sizes}, [0.1 * span * x for x in slope])  # y may be 0
        far, fast = self._squares(y, y, y, ahead), self._squares(slope, y, y, ahead)
        h = minimum(0.1 * span, 0.01 * exp(0.5 * (log(far + 1e-6) - log(fast))))
        state = {"t": t, "y": y, "slope": slope, "h": h, "count": 0.0}
        return state | ({} if self._atol is not None else {"sizes": sizes})

    def _sizes(self, state: State, y: Numbers) -> Numbers:
        """Return the largest absolute value of each number, including y; empty with `atol`."""
        if self._atol is not None:
            return []
        return [maximum(x, abs(constant(z))) for x, z in zip(state["sizes"], y, strict=True)]

    def _absolute(self, sizes: Numbers, n: int) -> Numbers:
        """Return the absolute tolerance of each of n numbers."""
        if self._atol is not None:
            return [self._atol] * n
        least = _MIN_SCALE * (maximum(*sizes) if n > 1 else sizes[0])
        return [_ATOL * maximum(x, least) + _SMALLEST for x in sizes]

    def _try_step(self, state: State, target: Any) -> tuple[State, Any]:
        """Try a step; return the new state, and whether it has reached the target time."""
        t, y, left, size = state["t"], state["y"], target - state["t"], state["h"]
        arrives = size >= abs(constant(left))
        h = where(arrives, left, where(left < 0.0, -size, size))
        count = state["count"] + 1.0
        try:
            after, slope, error = self._step(y, state["slope"], t, h)
        except (DomainError, ArithmeticError):
            return {**state, "h": _MIN_RATIO * abs(data_of(h)), "count": count}, False
        sizes = self._sizes(state, after)
        squares = self._squares(error, y, after, sizes)
        factor = clip(_SAFETY * exp(-0.1 * log(squares)), _MIN_RATIO, _MAX_RATIO)
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
        """Return y after a step, its slope, and the error estimate."""
        slopes, after = [slope], y
        for at, weights in _STAGES:
            after = add_scaled(y, h, _weighted_sum(weights, slopes))
            slopes.append(self._equations.slope(after, t + at * h))
        return after, slopes[-1], [h * x for x in _weighted_sum(_ERROR, slopes)]

    def _squares(self, x: Numbers, y: Numbers, other: Numbers, sizes: Numbers) -> Any:
        """Return the mean square of x relative to its tolerance, as a constant above 0.

        It uses only operations that are defined for all numbers, so that a compiled function need
        not check domains at each step.
        """
        found: Any = _TINY
        for *row, atol in zip(x, y, other, self._absolute(sizes, len(x)), strict=True):
            u, v, w = map(constant, row)
            allowed = atol + abs(0.5 * self._rtol * v) + abs(0.5 * self._rtol * w)
            found = found + square(u / allowed * len(x) ** -0.5)
        return found


def _weighted_sum(weights: tuple[float, ...], slopes: list[Numbers]) -> Numbers:
    used = [(w, k) for w, k in zip(weights, slopes, strict=True) if w]
    return [sum([w * k[i] for w, k in used]) for i in range(len(slopes[0]))]
