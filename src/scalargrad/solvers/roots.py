"""Roots of equations and fixed points, differentiated by the equations they solve."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from scalargrad.compiler.control_flow import while_loop
from scalargrad.errors import DomainError, NumericalError
from scalargrad.grad_mode import derivatives, no_grad, recorder
from scalargrad.linalg import number, solve
from scalargrad.ops import logical_and, logical_not, maximum, sum, where
from scalargrad.solvers.states import Equations, Numbers, State, constant, moved, select
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.validation import positive, size
from scalargrad.transforms.functional import jacobian
from scalargrad.value import Value

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
    equations = _Equations("root", f, x0, args, lambda _, y: y)
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
    equations = _Equations("fixed_point", f, x0, args, lambda x, y: x - y)
    return equations.solved(equations.iterate, equations.iterate_step, tol, maxiter)


class _Equations(Equations):
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
        taken = len(derivatives.get()) - (recorder() is not None)  # a recording counts as one
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
