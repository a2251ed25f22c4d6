"""least_squares: minimize a sum of squares by SciPy's methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.checks.arguments import check_choice, check_flag, check_positive, check_size
from scalargrad.engine.tree import flatten, object_array
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.fitting.objective import (
    Callback,
    Model,
    Objective,
    Point,
    ValueAndSlope,
    import_scipy_optimize,
    point_callback,
)
from scalargrad.fitting.parameters import Parameters
from scalargrad.fitting.result import Bounds, FitResult
from scalargrad.fitting.units import MAX_ROUNDS, Units
from scalargrad.transforms.functional import jacobian

#: Tolerance of LSMR. With SciPy's default of 1e-6, a bundle adjustment of 700 observations, in
#: which cameras and points can shift together, takes 697 evaluations instead of 9.
_LSMR_TOLERANCE = 1e-10


def least_squares(
    residuals: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: str = "trf",
    transforms: Any = None,
    bounds: Any = None,
    tol: float = 1e-8,
    max_evaluations: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    sparse: bool = False,
    jit: bool = True,
) -> FitResult:
    """Minimize a sum of squared residuals by SciPy, with exact derivatives.

    Parameters
    ----------
    residuals : callable
        ``residuals(x, *args)`` with parameters in the structure of `x0`; returns a tree of numbers,
        such as a list or an array: measured minus predicted values, divided by their standard
        deviations if these differ.
    x0 : tree of numbers
        The starting point: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Data; they must not change during the fit.
    method : str
        "trf", a trust-region method, or "lm", the method of Levenberg and Marquardt in MINPACK.
    transforms : Transform, or tree of them, optional
        As in `minimize`.
    bounds : (low, high), or tree of such pairs, optional
        Inclusive bounds, for "trf"; None for no bound.
    tol : float
        Relative tolerance of the sum of squares, of the parameters and of the gradient.
    max_evaluations : int, optional
        Maximum number of evaluations; by default that of SciPy.
    callback : callable, optional
        ``callback(x, value)``, called after each evaluation that lowers the sum of squares; a true
        result, or StopIteration, stops the fit.
    verbose : int
        0 prints nothing, 1 one line at the end, 2 also one line after each iteration.
    sparse : bool
        Whether the Jacobian is computed as a sparse matrix, as by `jacobian` with ``sparse=True``;
        for "trf". It pays if there are hundreds of parameters, and each residual depends on few of
        them. Steps are then computed by LSMR, which is iterative.
    jit : bool
        Whether residuals and Jacobian are compiled, by `scalargrad.jit`. A sparse Jacobian is
        always compiled.

    Returns
    -------
    FitResult
        The result, with `x`, the sum of squares `fun`, and `standard_errors`. Each evaluation
        computes residuals and Jacobian; those that lower the sum are counted as iterations.

    Raises
    ------
    OperandError
        If the arguments do not fit together, or the residuals are not a tree of numbers.
    DomainError, NumericalError
        If residuals are undefined or not finite at `x0`; the message names the parameters.
    TraceError
        With `sparse`, if residuals cannot be compiled, or branch on a number.
    MissingPackageError
        If SciPy or NumPy is not installed.

    Notes
    -----
    Undefined trial points and Ctrl-C are handled as by `minimize`. The search is repeated, in units
    measured at its end, until the residuals are orthogonal to the columns of the Jacobian up to
    10 · √`tol`, or the sum of squares no longer decreases.

    Examples
    --------
    >>> from scalargrad import exp
    >>> from scalargrad.fitting import least_squares
    >>> def residuals(p, times, measured):
    ...     return [y - p["height"] * exp(-p["rate"] * t) for t, y in zip(times, measured)]
    >>> fit = least_squares(residuals, {"height": 1.0, "rate": 1.0}, [0, 1, 2], [8.1, 3.9, 2.0])
    >>> round(fit.x["height"], 2), round(fit.x["rate"], 2)
    (8.09, 0.71)
    """
    optimize = import_scipy_optimize("least_squares")
    parameters = Parameters(x0, transforms, bounds)
    method, tol = check_choice(method, "method", ["trf", "lm"]), check_positive(tol, "tol")
    most = None if max_evaluations is None else check_size(max_evaluations, "max_evaluations", 1)
    if parameters.is_bounded and method == "lm":
        raise DomainError(
            "the method 'lm' does not support bounds; use 'trf', or the transform interval"
        )
    if check_flag(sparse, "sparse") and method == "lm":
        raise DomainError("the method 'lm' does not support sparse Jacobians; use 'trf'")
    model = Model(residuals, parameters, args, jit=jit)
    objective = Objective(
        _derivative(model, sparse=sparse),
        _sum_of_squares,
        point_callback(callback, parameters),
        verbose,
    )
    model.start(objective)
    count, free = objective.best.slope.shape
    if method == "lm" and count < free:
        raise OperandError(
            f"there are {count} residuals and {free} parameters: 'lm' needs at least as many "
            "residuals as parameters; use 'trf'"
        )
    options = {"method": method, "ftol": tol, "xtol": tol, "gtol": tol, "max_nfev": most}
    if sparse:
        options["tr_options"] = {"atol": _LSMR_TOLERANCE, "btol": _LSMR_TOLERANCE}

    def search(objective: Objective, bounds: Bounds) -> tuple[bool, str]:
        return _minimize_squares(optimize, objective, bounds, options)

    def curvature(best: Point) -> Any:
        if count <= free:
            raise NumericalError(
                f"{count} residuals and {free} parameters: standard errors need more residuals"
            )
        squares = best.slope.T @ best.slope
        return (squares.toarray() if sparse else squares) / (best.cost / (count - free))

    return FitResult(parameters, objective, search, curvature)


def _derivative(model: Model, *, sparse: bool) -> ValueAndSlope:
    """Return residuals and Jacobian as a function of free parameters."""
    import numpy as np

    of_free = model.of_free()

    def residuals(free: Any) -> Any:
        leaves, _ = flatten(of_free(free), f"the result of {of_free.__name__}")
        if not leaves:
            raise OperandError(f"{of_free.__name__} returned no numbers: return the residuals")
        return object_array(leaves)

    def twice(free: Any) -> tuple[Any, Any]:
        found = residuals(free)
        return found, found

    if sparse:
        values, slopes = model.compile(residuals), jacobian(residuals, sparse=True)
        return lambda free: (np.asarray(values(free), dtype=float), slopes(free))
    both = model.compile(jacobian(twice, has_aux=True))

    def derivative(free: Any) -> tuple[Any, Any]:
        slopes, value = both(free)
        return np.asarray(value, dtype=float), np.asarray(slopes, dtype=float)

    return derivative


def _sum_of_squares(residuals: Any) -> float:
    return float(residuals @ residuals)


def _minimize_squares(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any]
) -> tuple[bool, str]:
    """Run a method of SciPy from the starting point of an objective.

    Returns
    -------
    success, message
        Whether the search converged, and why it ended.
    """
    with objective.running() as early:
        found = _run_least_squares_rounds(optimize, objective, bounds, options)
    return (False, early[0]) if early else found


def _run_least_squares_rounds(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any]
) -> tuple[bool, str]:
    """Run a method repeatedly, in newly measured units, until the search has converged.

    It has converged if the residuals are orthogonal to the columns of the Jacobian, see
    `_is_orthogonal`, or a round does not lower the sum of squares.
    """
    units, tol, most = Units(), options["ftol"], options["max_nfev"]
    done = objective.evaluations
    for k in range(MAX_ROUNDS):
        before = objective.best.cost
        if most is not None:
            options = options | {"max_nfev": max(1, most - objective.evaluations + done)}
        found = _run_least_squares_round(optimize, objective, bounds, options, units)
        best = objective.best
        has_stopped = bool(k) and before - best.cost <= tol * before
        if not found.success or has_stopped or _is_orthogonal(best, bounds, tol):
            return bool(found.success), str(found.message)
        units = _gauss_newton_units(best)
    return False, f"the squares still decreased after {MAX_ROUNDS} rounds in new units"


def _run_least_squares_round(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any], units: Units
) -> Any:
    """Run a method of SciPy from the best point so far, in given units.

    Undefined residuals are replaced by inf, so that the method takes a shorter step.
    """
    import numpy as np
    from scipy.sparse import issparse

    first = objective.best
    scale = units.step / units.change

    def residuals(scaled: Any) -> Any:
        before, point = objective.best, objective.at(units.unscale(scaled))
        if objective.best is not before:
            objective.count_iteration()
        return np.full_like(first.value, np.inf) if point is None else point.value / units.change

    def slopes(scaled: Any) -> Any:
        point = objective.at(units.unscale(scaled))  # cached from the residuals
        slope = (point or first).slope
        return slope.multiply(scale).tocsr() if issparse(slope) else slope * scale

    sides = tuple(units.scale(np.array(side)) for side in zip(*bounds, strict=True))
    options = options | {"bounds": sides, "x_scale": "jac"}
    return optimize.least_squares(residuals, units.scale(first.free), slopes, **options)


def _column_norms(slope: Any) -> Any:
    """Return the Euclidean norm of each column of a Jacobian, dense or sparse."""
    import numpy as np
    from scipy.sparse import issparse

    squares = slope.multiply(slope) if issparse(slope) else slope * slope
    return np.sqrt(np.asarray(squares.sum(axis=0), dtype=float).ravel())


#: Ratio of residuals to the terms of the model below which they are rounding errors.
_ROUNDING = 1e-13


def _is_orthogonal(best: Point, bounds: Bounds, tol: float) -> bool:
    """Return True if no single parameter can lower the sum of squares by more than 100 · `tol`.

    The decrease is relative, to first order in the residuals, and within bounds. It does not depend
    on the units of parameters and residuals.
    """
    import numpy as np

    norms, size = _column_norms(best.slope), float(np.linalg.norm(best.value))
    if size <= _ROUNDING * float(np.linalg.norm(abs(best.slope) @ abs(best.free))):
        return True
    used = norms > 0.0
    low, high = np.array(bounds).T[:, used]
    free, norms = best.free[used], norms[used]
    step = (best.slope.T @ best.value)[used] / norms**2
    moved = np.clip(free - step, low, high) - free
    return bool((np.abs(moved) * norms <= 10.0 * tol**0.5 * size).all())


def _gauss_newton_units(best: Point) -> Units:
    """Return units in which the residuals and the columns of the Jacobian have norm 1.

    The scaled free parameters are 1, too, because SciPy derives its first step from them.
    """
    import numpy as np

    norms, size = _column_norms(best.slope), float(np.linalg.norm(best.value))
    step = size / np.where(norms > 0.0, norms, size)
    return Units(best.free - step, step, 0.0, size)
