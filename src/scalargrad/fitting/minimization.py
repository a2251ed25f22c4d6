"""minimize: find a minimum of a function by SciPy's methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_choice, check_positive, check_size
from scalargrad.errors import DomainError
from scalargrad.fitting.objective import (
    UNDEFINED_POINT_ERRORS,
    Callback,
    Model,
    Objective,
    Point,
    import_scipy_optimize,
    point_callback,
)
from scalargrad.fitting.parameters import Parameters
from scalargrad.fitting.result import Bounds, FitResult
from scalargrad.fitting.units import (
    MAX_ROUNDS,
    UNBOUNDED,
    Units,
    measure_units,
    min_decrease,
    parameter_blocks,
)
from scalargrad.transforms.functional import hessian, hvp, value_and_grad

#: Methods of SciPy that use a gradient, with the keyword of their second derivatives, if any.
METHODS = {
    "BFGS": "",
    "CG": "",
    "L-BFGS-B": "",
    "Newton-CG": "hessp",
    "trust-exact": "hess",
    "trust-krylov": "hessp",
    "trust-ncg": "hessp",
}
#: Maximum product of program size and number of parameters for which the final Hessian is computed
#: eagerly. This takes a few seconds, and compiling it may take as long.
_MAX_EAGER_HESSIAN = 300_000


def minimize(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: str | None = None,
    transforms: Any = None,
    bounds: Any = None,
    tol: float | None = None,
    max_iterations: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    jit: bool = True,
) -> FitResult:
    """Minimize a function by SciPy, with exact derivatives.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` with parameters in the structure of `x0`; returns one number. For standard
        errors, it must be a negative log-likelihood or a negative log-posterior.
    x0 : tree of numbers
        The starting point: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Data; they must not change during the fit.
    method : str, optional
        "BFGS", "CG", "L-BFGS-B", "Newton-CG", "trust-exact", "trust-krylov" or "trust-ncg"; the
        last four use second derivatives. By default BFGS, with bounds L-BFGS-B.
    transforms : Transform, or tree of them, optional
        `positive`, `interval`, `simplex` or `ordered`, for all parameters, or a tree of them with
        the structure of `x0` or of its upper part. Entries missing from a dict have no transform.
    bounds : (low, high), or tree of such pairs, optional
        Inclusive bounds, for L-BFGS-B; None for no bound.
    tol : float, optional
        Tolerance of the method, as in SciPy.
    max_iterations : int, optional
        Maximum number of iterations; by default that of SciPy.
    callback : callable, optional
        ``callback(x, value)`` after each iteration; a true result, or StopIteration, stops the fit.
    verbose : int
        0 prints nothing, 1 one line at the end, 2 also one line after each iteration.
    jit : bool
        Whether derivatives are compiled, by `scalargrad.jit`.

    Returns
    -------
    FitResult
        The result, with `x`, `fun` and `standard_errors`.

    Raises
    ------
    OperandError
        If the arguments do not fit together, or `f` does not return one number.
    DomainError, NumericalError
        If `f` is undefined or not finite at `x0`; the message names the parameters.
    MissingPackageError
        If SciPy or NumPy is not installed.

    Notes
    -----
    If `f` is not finite at a trial point, or raises `Infeasible`, DomainError or an ArithmeticError
    such as NumericalError, the search takes a shorter step. Any other exception ends the fit.
    Ctrl-C ends it after the current evaluation; the result is the best point so far.

    SciPy's tolerances are absolute. So the search is repeated with parameters and function scaled
    by units that are measured at its end, until no single parameter can lower `f` by 10⁻¹⁰ of its
    value, or by the square of `tol` times it if that is more.

    Examples
    --------
    >>> from scalargrad import log
    >>> from scalargrad.fitting import minimize, positive
    >>> def minus_log_likelihood(p, data):
    ...     return sum(log(p["scale"]) + x / p["scale"] for x in data)
    >>> fit = minimize(minus_log_likelihood, {"scale": 1.0}, [2.0, 4.0, 6.0, 8.0],
    ...                transforms={"scale": positive})
    >>> round(fit.x["scale"], 4), round(fit.standard_errors["scale"], 4)
    (5.0, 2.5)
    """
    optimize = import_scipy_optimize("minimize")
    import numpy as np

    parameters = Parameters(x0, transforms, bounds)
    default = "L-BFGS-B" if parameters.is_bounded else "BFGS"
    method = check_choice(default if method is None else method, "method", METHODS)
    if parameters.is_bounded and method != "L-BFGS-B":
        raise DomainError(
            f"the method {method!r} does not support bounds; use 'L-BFGS-B', or the transform "
            "interval"
        )
    options: dict[str, Any] = {"tol": None if tol is None else check_positive(tol, "tol")}
    if max_iterations is not None:
        options["options"] = {"maxiter": check_size(max_iterations, "max_iterations", 1)}
    model = Model(f, parameters, args, jit=jit)
    of_free = model.of_free()
    second: dict[str, Any] = {}
    if METHODS[method] == "hessp":
        product = model.compile(lambda q, v: hvp(of_free, q, v)[1])
        second["hessp"] = _with_fallback(product, lambda _, v: v)
    elif METHODS[method] == "hess":
        second["hess"] = _with_fallback(model.compile(hessian(of_free)), lambda q: np.eye(len(q)))

    def curvature(best: Point) -> Any:
        second = hessian(of_free)
        many = model.program_size * len(best.free) > _MAX_EAGER_HESSIAN
        return (model.compile(second) if many else second)(best.free)

    derivative = model.compile(value_and_grad(of_free))
    objective = Objective(derivative, report=point_callback(callback, parameters), verbose=verbose)
    model.start(objective)

    def search(part: Objective, bounds: Bounds) -> tuple[bool, str]:
        chosen = Method(optimize, default, options)
        if part is objective:
            chosen = Method(optimize, method, options | second)
        return _minimize(chosen, part, bounds)

    return FitResult(parameters, objective, search, curvature)


def _with_fallback(f: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """Return second derivatives that are replaced by `instead` at undefined trial points.

    Trust-region methods evaluate them before they reject a point.
    """

    def with_fallback(*args: Any) -> Any:
        try:
            return f(*args)
        except UNDEFINED_POINT_ERRORS:
            return instead(*args)

    return with_fallback


class Method(NamedTuple):
    """A method of SciPy and its options."""

    optimize: Any  # the module scipy.optimize
    name: str
    options: dict[str, Any]


def _minimize(method: Method, objective: Objective, bounds: Bounds) -> tuple[bool, str]:
    """Run a method from the starting point of an objective.

    Returns
    -------
    success, message
        Whether the search converged, and why it ended.
    """
    with objective.running() as early:
        found = _run_rounds(method, objective, bounds)
    return (False, early[0]) if early else found


def _run_rounds(method: Method, objective: Objective, bounds: Bounds) -> tuple[bool, str]:
    """Run a method repeatedly, in newly measured units, until the search has converged.

    It has converged if no block of parameters can lower the function, see
    `ParameterBlock.can_decrease`; SciPy's own criteria are absolute.
    """
    start, units, options = objective.best, Units(), method.options
    limit = options.get("options", {}).get("maxiter")
    for k in range(MAX_ROUNDS):
        before = objective.best.cost
        if limit is not None:
            left = limit - objective.iterations
            method = method._replace(options=options | {"options": {"maxiter": left}})
        found = _run_round(method, objective, bounds, units)
        least = min_decrease(start, objective.best, options["tol"])
        has_converged = not any(
            x.can_decrease() for x in parameter_blocks(objective, bounds, least)
        )
        if objective.best.cost < UNBOUNDED:
            return False, "the function is unbounded below"
        if limit is not None and objective.iterations >= limit:
            return has_converged and bool(found.success), str(found.message)
        if has_converged:
            return True, str(found.message)
        if k and before - objective.best.cost < least:
            return bool(found.success), str(found.message)
        units = measure_units(objective, bounds, least)
        if units.change == math.inf:
            return False, "the function is unbounded below"
    return False, f"the function still decreased after {MAX_ROUNDS} rounds in new units"


def _run_round(method: Method, objective: Objective, bounds: Bounds, units: Units) -> Any:
    """Run a method from the best point so far, in given units.

    Where the function is undefined, it is replaced by a parabola through the point of the last
    iteration, with its minimum at a quarter of the step. So a line search backtracks, and a trust
    region shrinks.
    """
    import numpy as np

    optimize, name, options = method
    base = objective.best

    def extended(scaled: Any) -> tuple[float, Any]:
        free = units.unscale(scaled)
        point = objective.at(free)
        if point is not None:
            cost, slope = point.cost, point.slope
        else:
            step = free - base.free
            rise = max(abs(float(base.slope @ step)), 1e-6 * max(units.change, abs(base.cost)))
            cost, slope = base.cost + rise, 3.0 * rise * step / float(step @ step)
        return (cost - units.value) / units.change, slope * (units.step / units.change)

    def end_iteration(intermediate_result: Any) -> None:  # noqa: ARG001 - SciPy passes it by this name
        nonlocal base
        base = objective.best
        objective.count_iteration()

    def hessian_in_units(scaled: Any) -> Any:
        return np.outer(step, step) / units.change * options["hess"](units.unscale(scaled))

    def product_in_units(scaled: Any, vector: Any) -> Any:
        return step / units.change * options["hessp"](units.unscale(scaled), step * vector)

    step = np.broadcast_to(units.step, base.free.shape)
    second = {"hess": hessian_in_units, "hessp": product_in_units}
    keywords = options | {key: f for key, f in second.items() if key in options}
    if name == "L-BFGS-B":
        low, high = (units.scale(np.array(side)) for side in zip(*bounds, strict=True))
        keywords["bounds"] = [*zip(low.tolist(), high.tolist(), strict=True)]
    first = units.scale(base.free)
    return optimize.minimize(
        extended, first, jac=True, method=name, callback=end_iteration, **keywords
    )
