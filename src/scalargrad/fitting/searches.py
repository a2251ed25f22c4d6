"""minimize and least_squares: SciPy's minimizers, and standard errors of their results."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scalargrad.checks.arguments import choice, flag, positive, size
from scalargrad.engine.tree import flatten, object_array
from scalargrad.errors import DomainError, NumericalError, OperandError, ScalargradError
from scalargrad.fitting.objective import (
    INTERRUPTED,
    UNDEFINED_POINT_ERRORS,
    Callback,
    Model,
    Objective,
    Point,
    ValueAndSlope,
    import_scipy_optimize,
    point_callback,
)
from scalargrad.fitting.parameters import Parameters
from scalargrad.system.cached_property import cached_property
from scalargrad.transforms.functional import hessian, hvp, jacobian, value_and_grad

Bounds = list[tuple[float, float]]
#: A search minimizes a started objective within bounds. It returns whether it succeeded, and why it
#: ended.
Search = Callable[[Objective, Bounds], tuple[bool, str]]
#: Minimum curvature of a direction that is not flat, with parameters scaled to unit curvature.
_MIN_CURVATURE = 1e-13


class Profile(NamedTuple):
    """The minimum of a function over all other parameters, for several values of one parameter."""

    parameter: str
    values: list[float]
    minima: list[float]


class FitResult:
    """The result of `minimize` and of `least_squares`.

    Attributes
    ----------
    x : tree
        The parameters at the minimum, in the structure of `x0`.
    fun : float
        The function at `x`; for `least_squares`, the sum of squared residuals.
    success : bool
        Whether the search converged.
    message : str
        The reason why it ended.
    iterations, evaluations : int
        Numbers of iterations, and of evaluations with derivatives.
    names : list of str
        The name of each parameter: ``omega``, ``beta[1]``, ``noise.scale``.
    """

    def __init__(
        self,
        parameters: Parameters,
        objective: Objective,
        search: Search,
        curvature: Callable[[Point], Any],
    ) -> None:
        self._parameters, self._objective, self._search = parameters, objective, search
        self._curvature = curvature
        self.success, self.message = search(objective, parameters.bounds)
        self._free, self.fun = objective.best.free, objective.best.cost
        self._numbers = [float(x) for x in parameters.numbers(self._free)]
        self.x = parameters.shaped(self._numbers)
        self.iterations, self.evaluations = objective.iterations, objective.evaluations
        self.names = parameters.names
        if objective.verbose:
            print(self._format_ending())

    @cached_property
    def covariance(self) -> Any:
        """The covariance of the parameters, an array with one row for each of `names`.

        It is the inverse of the Hessian; for `least_squares`, s²·(JᵀJ)⁻¹ with the Jacobian J and s²
        the sum of squared residuals over the degrees of freedom. Both are computed for the free
        parameters, and transformed to the parameters by the delta method. The entries of a
        parameter at its bound are nan.

        Raises
        ------
        NumericalError
            If the Hessian is not positive definite; the message names the undetermined parameters.
            Also if there are not more residuals than parameters.
        """
        import numpy as np

        free = self._free_covariance
        if not self._parameters.is_transformed:
            return free
        slopes = np.array(jacobian(self._parameters.numbers)(self._free))
        return slopes @ free @ slopes.T

    @cached_property
    def _free_covariance(self) -> Any:
        import numpy as np

        curvature = np.asarray(self._curvature(self._objective.best), dtype=float)
        bounds = zip(self._parameters.bounds, self._free, strict=True)
        inside = [k for k, ((low, high), x) in enumerate(bounds) if low < x < high]
        inner = curvature[np.ix_(inside, inside)]
        scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(inner)), 1e-300))
        lengths, directions = np.linalg.eigh(inner * np.outer(scale, scale))
        if lengths.size and not lengths[0] > _MIN_CURVATURE:
            weights = np.abs(directions[:, 0])
            names = [self._parameters.free_names[k] for k in inside]
            undetermined = [
                x for x, w in zip(names, weights, strict=True) if w > 0.3 * max(weights)
            ]
            raise NumericalError(
                "the Hessian at the result is not positive definite: the function does not rise "
                f"with {', '.join(undetermined)}. Fix one of these parameters, or use another x0"
            )
        found = np.full_like(curvature, np.nan)
        found[np.ix_(inside, inside)] = np.linalg.inv(inner)
        return found

    @cached_property
    def standard_errors(self) -> Any:
        """The standard error of each parameter, in the structure of `x`: √ of the `covariance`."""
        return self._parameters.shaped([float(x) ** 0.5 for x in self.covariance.diagonal()])

    def profile(self, name: str, points: int = 11, width: float = 3.0) -> Profile:
        """Return the minimum over all other parameters for several values of one parameter.

        Parameters
        ----------
        name : str
            One of `names`.
        points : int
            Number of values, equally spaced in the free parameter.
        width : float
            Distance to both ends of the range of values, in standard errors.

        Returns
        -------
        Profile
            The values, and the minima of the function over all other parameters; nan where it is
            undefined. The 95 % confidence interval of a parameter is where a negative
            log-likelihood is at most 1.92 above its minimum.

        Raises
        ------
        OperandError
            If no parameter has this name, or it is transformed by `simplex` or `ordered`.
        NumericalError
            If the standard error is undefined, see `covariance`.
        """
        import numpy as np

        index, column = self._parameters.free_index(name), self.names.index(name)
        points, width = size(points, "points", 2), positive(width, "width")
        reach = width * float(self._free_covariance[index, index]) ** 0.5
        low, high = self._parameters.bounds[index]
        at = self._free[index] + reach * np.linspace(-1.0, 1.0, points)
        at = np.unique(np.clip(at, low, high))
        here = self._free[index]
        found: dict[float, float] = {}
        for side in (at[at < here][::-1], at[at >= here]):  # outwards, from the minimum
            others = np.delete(self._free, index)
            for q in side:
                others, lowest = self._minimize_others(index, q, others)
                numbers = self._parameters.numbers(np.insert(others, index, q).tolist())
                found[float(numbers[column])] = lowest
        values = sorted(found)
        return Profile(name, values, [found[x] for x in values])

    def _minimize_others(self, index: int, q: float, others: Any) -> tuple[Any, float]:
        """Minimize over all free parameters but one; return them and the minimum."""
        objective = self._objective.with_fixed(index, q)
        try:
            objective.start(others)
        except UNDEFINED_POINT_ERRORS:
            return others, math.nan
        if len(others):
            bounds = [*self._parameters.bounds]
            del bounds[index]
            _, message = self._search(objective, bounds)
            if message == INTERRUPTED:
                raise KeyboardInterrupt
        return objective.best.free, objective.best.cost

    def _format_ending(self) -> str:
        """Format the minimum and the reason for the end of the search as one line."""
        return f"{self.fun:.10g} after {self.iterations} iterations: {self.message}"

    def __repr__(self) -> str:
        """Format the parameters as a table, with their standard errors if these are defined."""
        try:
            errors = [f"{float(x) ** 0.5:.3g}" for x in self.covariance.diagonal()]
        except ScalargradError:
            errors = ["?"] * len(self.names)
        rows = [("parameter", "estimate", "standard error")]
        rows += [
            (name, f"{x:.5g}", error)
            for name, x, error in zip(self.names, self._numbers, errors, strict=True)
        ]
        width = max(len(name) for name, *_ in rows)
        table = [f"{name:{width}}  {x:>12}  {error:>14}" for name, x, error in rows]
        return "\n".join([self._format_ending(), *table])


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
    method = choice(default if method is None else method, "method", METHODS)
    if parameters.is_bounded and method != "L-BFGS-B":
        raise DomainError(
            f"the method {method!r} does not support bounds; use 'L-BFGS-B', or the transform "
            "interval"
        )
    options: dict[str, Any] = {"tol": None if tol is None else positive(tol, "tol")}
    if max_iterations is not None:
        options["options"] = {"maxiter": size(max_iterations, "max_iterations", 1)}
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


class Units(NamedTuple):
    """The origin and the units of the scaled numbers that a method of SciPy works with.

    Its tolerances and its first step assume numbers of about 1. The first round uses the unscaled
    numbers of the model; further rounds use units measured at their start.
    """

    free: Any = 0.0  # origin of the free parameters
    step: Any = 1.0  # unit of each free parameter
    value: float = 0.0  # origin of the function
    change: float = 1.0  # unit of the function

    def scale(self, free: Any) -> Any:
        """Return free parameters in these units."""
        return (free - self.free) / self.step

    def unscale(self, scaled: Any) -> Any:
        """Return unscaled free parameters."""
        return self.free + self.step * scaled


#: Maximum number of rounds, each with units measured at the end of the previous one.
_MAX_ROUNDS = 20
#: Maximum number of blocks of parameters; units are measured by moving one block at a time.
_MAX_BLOCKS = 32
#: Maximum number of steps in a measurement of units, each ten times longer than the previous one.
_MAX_LENGTHENINGS = 40
#: Value of a function below which it counts as unbounded.
_UNBOUNDED = -1e100
#: Maximum number of times that a step to an undefined point is shortened to a tenth.
_MAX_SHORTENINGS = 6
#: Decrease that must not remain possible at the end, relative to the function.
_DECREASE = 1e-10
#: The same, relative to the decrease since the start: the function may be 0 at its minimum.
_TOTAL_DECREASE = 1e-12


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

    It has converged if no block of parameters can lower the function, see `Block.can_decrease`;
    SciPy's own criteria are absolute.
    """
    start, units, options = objective.best, Units(), method.options
    limit = options.get("options", {}).get("maxiter")
    for k in range(_MAX_ROUNDS):
        before = objective.best.cost
        if limit is not None:
            left = limit - objective.iterations
            method = method._replace(options=options | {"options": {"maxiter": left}})
        found = _run_round(method, objective, bounds, units)
        least = _min_decrease(start, objective.best, options["tol"])
        has_converged = not any(x.can_decrease() for x in _blocks(objective, bounds, least))
        if objective.best.cost < _UNBOUNDED:
            return False, "the function is unbounded below"
        if limit is not None and objective.iterations >= limit:
            return has_converged and bool(found.success), str(found.message)
        if has_converged:
            return True, str(found.message)
        if k and before - objective.best.cost < least:
            return bool(found.success), str(found.message)
        units = _measure_units(objective, bounds, least)
        if units.change == math.inf:
            return False, "the function is unbounded below"
    return False, f"the function still decreased after {_MAX_ROUNDS} rounds in new units"


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


def _min_decrease(start: Point, best: Point, tol: float | None) -> float:
    """Return the smallest decrease of the function that counts."""
    share = max(_DECREASE, 0.0 if tol is None else tol**2)
    return max(share * abs(best.cost), _TOTAL_DECREASE * (start.cost - best.cost))


class Step(NamedTuple):
    """A step along minus the gradient, with the predicted and the actual decrease."""

    distance: float
    predicted: float
    decrease: float


class Block:
    """A block of parameters, moved along minus the gradient while all others are fixed.

    Parameters
    ----------
    objective : Objective
        The objective; the block is moved from its best point.
    bounds : list of (low, high)
        Bounds of all free parameters.
    members : array of int
        Indices of the free parameters in the block.
    decrease : float
        The decrease that the gradient predicts for the first step.
    """

    def __init__(self, objective: Objective, bounds: Bounds, members: Any, decrease: float) -> None:
        import numpy as np

        self._objective, self._best, self.members = objective, objective.best, members
        self._low, self._high = np.array(bounds).T
        self._slope = np.zeros_like(self._best.slope)
        self._slope[members] = self._best.slope[members]
        self.square = float(self._slope @ self._slope)
        wanted = decrease or abs(self._best.cost) or 1.0
        self._length = wanted / self.square if self.square else 0.0

    def step(self, length: float) -> Step | None:
        """Take a step within bounds; return None where the function is undefined."""
        import numpy as np

        best = self._best
        free = np.clip(best.free - length * self._slope, self._low, self._high)
        moved = best.free - free
        if not moved.any():
            return Step(0.0, 0.0, 0.0)
        point = self._objective.at(free)
        if point is None:
            return None
        return Step(float(np.linalg.norm(moved)), float(best.slope @ moved), best.cost - point.cost)

    def can_decrease(self) -> bool:
        """Return True if the first step has at least half of the predicted decrease.

        At a minimum the function rises, in any units of function and parameters.
        """
        for _ in range(_MAX_SHORTENINGS if self.square else 0):
            if (found := self.step(self._length)) is not None:
                return found.decrease >= 0.5 * found.predicted > 0.0
            self._length *= 0.1
        return False

    def measure(self) -> Step:
        """Return the step to the minimum of a parabola fitted along the block.

        Steps are lengthened tenfold until one has less than half of the predicted decrease; the
        parabola is fitted to that one. If a bound or an undefined point comes first, the last step
        before it is returned. If nothing stops the steps, the decrease is infinite.
        """
        length, last = self._length, Step(0.0, 0.0, 0.0)
        for _ in range(_MAX_LENGTHENINGS if self.square else 0):
            found = self.step(length)
            if found is None or found.distance <= last.distance:
                return last
            if found.decrease < 0.5 * found.predicted:
                share = 0.5 * found.predicted / (found.predicted - found.decrease)
                fall = 0.5 * share * found.predicted
                return Step(share * found.distance, share * found.predicted, fall)
            last = found
            length *= 10.0
        return last._replace(decrease=math.inf) if self.square else last


def _blocks(objective: Objective, bounds: Bounds, decrease: float) -> list[Block]:
    """Group parameters of similar gradients into blocks; with few, one parameter per block."""
    import numpy as np

    order = np.argsort(np.abs(objective.best.slope))
    parts = np.array_split(order, min(len(order), _MAX_BLOCKS))
    return [Block(objective, bounds, part, decrease) for part in parts]


def _measure_units(objective: Objective, bounds: Bounds, decrease: float) -> Units:
    """Measure units in which the function has a curvature of about 1 along each parameter.

    The unit of the function is the largest decrease that one block can achieve.
    """
    import numpy as np

    center = objective.best
    parts = _blocks(objective, bounds, decrease)
    found = [part.measure() for part in parts]
    change = max(x.decrease for x in found) or 1.0
    step = np.abs(center.free)
    step[step == 0.0] = 1.0
    for part, x in zip(parts, found, strict=True):
        if x.decrease > 0.0:  # the decrease of a parabola is quadratic in the distance
            step[part.members] = x.distance * (change / x.decrease) ** 0.5
    best = objective.best
    return Units(best.free, step, best.cost, change)


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
    method, tol = choice(method, "method", ["trf", "lm"]), positive(tol, "tol")
    most = None if max_evaluations is None else size(max_evaluations, "max_evaluations", 1)
    if parameters.is_bounded and method == "lm":
        raise DomainError(
            "the method 'lm' does not support bounds; use 'trf', or the transform interval"
        )
    if flag(sparse, "sparse") and method == "lm":
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
    for k in range(_MAX_ROUNDS):
        before = objective.best.cost
        if most is not None:
            options = options | {"max_nfev": max(1, most - objective.evaluations + done)}
        found = _run_least_squares_round(optimize, objective, bounds, options, units)
        best = objective.best
        has_stopped = bool(k) and before - best.cost <= tol * before
        if not found.success or has_stopped or _is_orthogonal(best, bounds, tol):
            return bool(found.success), str(found.message)
        units = _gauss_newton_units(best)
    return False, f"the squares still decreased after {_MAX_ROUNDS} rounds in new units"


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
