"""minimize and least_squares: SciPy's searches for what is lowest, and how sure the result is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scalargrad.errors import DomainError, NumericalError, OperandError, ScalargradError
from scalargrad.fitting.objective import (
    BAD,
    INTERRUPTED,
    Callback,
    Derivative,
    Model,
    Objective,
    Point,
    reporter,
    scipy_optimize,
)
from scalargrad.fitting.parameters import Parameters
from scalargrad.system.cached_property import cached_property
from scalargrad.table.validation import choice, flag, positive, size
from scalargrad.transforms.functional import hessian, hvp, jacobian, value_and_grad
from scalargrad.tree import flatten, object_array

Bounds = list[tuple[float, float]]
#: A search: it moves an objective from its start to its minimum within bounds, and returns whether
#: it succeeded, and why it ended.
Search = Callable[[Objective, Bounds], tuple[bool, str]]
#: The least curvature of a direction that is not flat, with parameters scaled to unit curvature.
_SINGULAR = 1e-13


class Profile(NamedTuple):
    """The lowest that a function can be at each of several numbers of one parameter."""

    parameter: str
    values: list[float]
    minima: list[float]


class FitResult:
    """The result of `minimize` and of `least_squares`.

    Attributes
    ----------
    x : tree
        The parameters found, shaped as `x0`.
    fun : float
        The function there; of `least_squares`, the sum of the squared residuals.
    success : bool
        Whether the search ended because it had converged.
    message : str
        Why it ended.
    iterations, evaluations : int
        The numbers of iterations, and of values with their derivatives.
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
            print(self._ending())

    @cached_property
    def covariance(self) -> Any:
        """The covariance of the parameters, an array with a row for each of `names`.

        It is the inverse of the Hessian; for `least_squares`, s²·(JᵀJ)⁻¹ with the Jacobian J and s²
        the sum of squared residuals over the degrees of freedom. Both are of the free numbers, and
        carried over to the parameters by the delta method. A parameter
        at its bound has nan.

        Raises
        ------
        NumericalError
            If the Hessian is not positive definite: the message names the parameters that are not
            determined; if there are no more residuals than parameters.
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
        if lengths.size and not lengths[0] > _SINGULAR:
            weights = np.abs(directions[:, 0])
            names = [self._parameters.free_names[k] for k in inside]
            undetermined = [
                x for x, w in zip(names, weights, strict=True) if w > 0.3 * max(weights)
            ]
            raise NumericalError(
                "the Hessian at the point found is not positive definite: the function does not "
                f"rise with {', '.join(undetermined)}. Leave one out, or start elsewhere"
            )
        found = np.full_like(curvature, np.nan)
        found[np.ix_(inside, inside)] = np.linalg.inv(inner)
        return found

    @cached_property
    def standard_errors(self) -> Any:
        """The standard error of each parameter, shaped as `x`: square roots of the `covariance`."""
        return self._parameters.shaped([float(x) ** 0.5 for x in self.covariance.diagonal()])

    def profile(self, name: str, points: int = 11, width: float = 3.0) -> Profile:
        """Return the lowest that the function can be at each of several numbers of a parameter.

        Parameters
        ----------
        name : str
            One of `names`.
        points : int
            How many numbers, at equal distances of the free number that belongs to the parameter.
        width : float
            How far they go to both sides, in standard errors.

        Returns
        -------
        Profile
            The numbers, and the function there, minimised over all other parameters; nan where it
            is not defined. A parameter's interval of confidence of 95 % is where minus a
            log-likelihood is at most 1.92 above its minimum.

        Raises
        ------
        OperandError
            If there is no such parameter, or it is one of a simplex or ordered.
        NumericalError
            If there is no standard error, see `covariance`.
        """
        import numpy as np

        place, column = self._parameters.place(name), self.names.index(name)
        points, width = size(points, "points", 2), positive(width, "width")
        reach = width * float(self._free_covariance[place, place]) ** 0.5
        low, high = self._parameters.bounds[place]
        at = self._free[place] + reach * np.linspace(-1.0, 1.0, points)
        at = np.unique(np.clip(at, low, high))
        here = self._free[place]
        found: dict[float, float] = {}
        for side in (at[at < here][::-1], at[at >= here]):  # outwards, from the point found
            others = np.delete(self._free, place)
            for q in side:
                others, lowest = self._lowest(place, q, others)
                numbers = self._parameters.numbers(np.insert(others, place, q).tolist())
                found[float(numbers[column])] = lowest
        values = sorted(found)
        return Profile(name, values, [found[x] for x in values])

    def _lowest(self, place: int, q: float, others: Any) -> tuple[Any, float]:
        """Return all other free numbers where the function is lowest for one of them, and it."""
        objective = self._objective.with_fixed(place, q)
        try:
            objective.start(others)
        except BAD:
            return others, math.nan
        if len(others):
            bounds = [*self._parameters.bounds]
            del bounds[place]
            _, message = self._search(objective, bounds)
            if message == INTERRUPTED:
                raise KeyboardInterrupt
        return objective.best.free, objective.best.cost

    def _ending(self) -> str:
        """Say in a line what was found, and why the search ended."""
        return f"{self.fun:.10g} after {self.iterations} iterations: {self.message}"

    def __repr__(self) -> str:
        """Write the parameters in a table, with their standard errors where there are any."""
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
        return "\n".join([self._ending(), *table])


#: SciPy's methods that take a gradient, each with the further argument that it takes of a function.
METHODS = {
    "BFGS": "",
    "CG": "",
    "L-BFGS-B": "",
    "Newton-CG": "hessp",
    "trust-exact": "hess",
    "trust-krylov": "hessp",
    "trust-ncg": "hessp",
}
#: The greatest product of recorded nodes and parameters, a few seconds' work, up to which the
#: Hessian at one point is computed eagerly: to compile it may take as long.
_EAGER = 300_000


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
    """Find the parameters at which a function is lowest, by SciPy with exact derivatives.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` with parameters shaped as `x0`; returns one number. For standard errors it
        is minus the logarithm of a likelihood, or of a posterior density.
    x0 : tree of numbers
        The start: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Data, which stays as it is during the fit.
    method : str, optional
        "BFGS", "CG", "L-BFGS-B", "Newton-CG", "trust-exact", "trust-krylov" or "trust-ncg"; the
        last four use second derivatives. By default BFGS, with bounds L-BFGS-B.
    transforms : Transform, or tree of them, optional
        `positive`, `interval`, `simplex` or `ordered`, for all parameters or in the shape of `x0`
        or of its upper part; a dict may leave out what is free.
    bounds : (low, high), or tree of such pairs, optional
        Bounds that may be reached, for L-BFGS-B; None stands for no bound.
    tol : float, optional
        The tolerance of the method, as in SciPy.
    max_iterations : int, optional
        The most iterations; by default SciPy's.
    callback : callable, optional
        ``callback(x, value)`` after each iteration; a true result, or StopIteration, stops the fit.
    verbose : int
        0 prints nothing, 1 a line at the end, 2 one after each iteration, too.
    jit : bool
        Whether derivatives are compiled, by `scalargrad.jit`.

    Returns
    -------
    FitResult
        With `x` shaped as `x0`, `fun` and `standard_errors`.

    Raises
    ------
    OperandError
        If the arguments do not fit together, or `f` does not return one number.
    DomainError, NumericalError
        If `f` is not defined, or not finite, at the start; the message names the parameters.
    MissingPackageError
        If SciPy is not installed, or NumPy.

    Notes
    -----
    A step to where `f` is not finite, or raises `Infeasible`, DomainError or an ArithmeticError, as
    NumericalError is, is made shorter; any other exception ends the fit. Ctrl-C ends it after the
    current evaluation, with the best point so far as the result.

    SciPy's tolerances are absolute. So the search continues, in units measured at its end, until
    no parameter by itself can lower `f` by 10⁻¹⁰ of its value (`tol`², if that is more).

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
    optimize = scipy_optimize("minimize")
    import numpy as np

    parameters = Parameters(x0, transforms, bounds)
    default = "L-BFGS-B" if parameters.is_bounded else "BFGS"
    method = choice(default if method is None else method, "method", METHODS)
    if parameters.is_bounded and method != "L-BFGS-B":
        raise DomainError(
            f"method is {method!r}, which takes no bounds; use 'L-BFGS-B' or interval"
        )
    options: dict[str, Any] = {"tol": None if tol is None else positive(tol, "tol")}
    if max_iterations is not None:
        options["options"] = {"maxiter": size(max_iterations, "max_iterations", 1)}
    model = Model(f, parameters, args, jit=jit)
    of_free = model.of_free()
    second: dict[str, Any] = {}
    if METHODS[method] == "hessp":
        product = model.compiled(lambda q, v: hvp(of_free, q, v)[1])
        second["hessp"] = _with_fallback(product, lambda _, v: v)
    elif METHODS[method] == "hess":
        second["hess"] = _with_fallback(model.compiled(hessian(of_free)), lambda q: np.eye(len(q)))

    def curvature(best: Point) -> Any:
        second = hessian(of_free)
        many = model.recorded * len(best.free) > _EAGER
        return (model.compiled(second) if many else second)(best.free)

    derivative = model.compiled(value_and_grad(of_free))
    objective = Objective(derivative, report=reporter(callback, parameters), verbose=verbose)
    model.start(objective)

    def search(part: Objective, bounds: Bounds) -> tuple[bool, str]:
        chosen = Method(optimize, default, options)
        if part is objective:
            chosen = Method(optimize, method, options | second)
        return _lowest(chosen, part, bounds)

    return FitResult(parameters, objective, search, curvature)


def _with_fallback(f: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """Return second derivatives that have a stand-in at trial points where there are none.

    A region of trust asks for them before it refuses the point.
    """

    def tried(*args: Any) -> Any:
        try:
            return f(*args)
        except BAD:
            return instead(*args)

    return tried


class Units(NamedTuple):
    """The origin and the units of the numbers that one of SciPy's methods is given.

    Its tolerances and its first step assume numbers of about 1. A first round has the numbers of
    the model; a further one, where those are far from 1, has units measured at its start.
    """

    free: Any = 0.0  # where the free numbers are 0
    step: Any = 1.0  # the unit of each free number
    value: float = 0.0  # where the function is 0
    change: float = 1.0  # the unit of the function

    def scaled(self, free: Any) -> Any:
        """Return free numbers in these units."""
        return (free - self.free) / self.step

    def unscaled(self, scaled: Any) -> Any:
        """Return the free numbers of the model."""
        return self.free + self.step * scaled


#: Maximum number of rounds, each with units measured where the one before it ended.
_MAX_ROUNDS = 20
#: Maximum number of blocks of parameters, each of which is moved by itself to measure units.
_MAX_BLOCKS = 32
#: Maximum number of steps, each ten times as long as the one before, by which units are measured.
_MAX_LENGTHENINGS = 40
#: Value of a function below which it counts as unbounded.
_UNBOUNDED = -1e100
#: Maximum number of times that a step is shortened, tenfold, where the function is undefined.
_MAX_SHORTENINGS = 6
#: Minimum decrease that a search must not leave undone, as a share of the function.
_DECREASE = 1e-10
#: Minimum of the same, as a share of the decrease from the start: the function may be 0 at its end.
_DECREASE_OF_ALL = 1e-12


class Method(NamedTuple):
    """One of SciPy's methods, and what it is given in all rounds."""

    optimize: Any  # SciPy's module
    name: str
    options: dict[str, Any]


def _lowest(method: Method, objective: Objective, bounds: Bounds) -> tuple[bool, str]:
    """Run a method from the point at which an objective was started.

    Returns
    -------
    success, message
        Whether it converged, and why it ended.
    """
    with objective.running() as early:
        found = _rounds(method, objective, bounds)
    return (False, early[0]) if early else found


def _rounds(method: Method, objective: Objective, bounds: Bounds) -> tuple[bool, str]:
    """Run a method in further units until it has converged.

    It has if no block of parameters can lower the function, see `Block.can_fall`; SciPy's own
    criteria are absolute.
    """
    start, units, options = objective.best, Units(), method.options
    limit = options.get("options", {}).get("maxiter")
    for k in range(_MAX_ROUNDS):
        before = objective.best.cost
        if limit is not None:
            left = limit - objective.iterations
            method = method._replace(options=options | {"options": {"maxiter": left}})
        found = _round(method, objective, bounds, units)
        least = _least_decrease(start, objective.best, options["tol"])
        has_converged = not any(x.can_fall() for x in _blocks(objective, bounds, least))
        if objective.best.cost < _UNBOUNDED:
            return False, "the function falls without bound"
        if limit is not None and objective.iterations >= limit:
            return has_converged and bool(found.success), str(found.message)
        if has_converged:
            return True, str(found.message)
        if k and before - objective.best.cost < least:
            return bool(found.success), str(found.message)
        units = _measured_units(objective, bounds, least)
        if units.change == math.inf:
            return False, "the function falls without bound"
    return False, f"{_MAX_ROUNDS} rounds in other units have each lowered the function"


def _round(method: Method, objective: Objective, bounds: Bounds, units: Units) -> Any:
    """Run a method from the best point so far, in some units.

    Where the function is not defined, it is continued by a parabola that rises from the point of
    the last iteration, and is lowest a quarter of the way to there: a line search steps back, and a
    region of trust shrinks.
    """
    import numpy as np

    optimize, name, options = method
    base = objective.best

    def guarded(scaled: Any) -> tuple[float, Any]:
        free = units.unscaled(scaled)
        point = objective.at(free)
        if point is not None:
            cost, slope = point.cost, point.slope
        else:
            step = free - base.free
            rise = max(abs(float(base.slope @ step)), 1e-6 * max(units.change, abs(base.cost)))
            cost, slope = base.cost + rise, 3.0 * rise * step / float(step @ step)
        return (cost - units.value) / units.change, slope * (units.step / units.change)

    def iterated(intermediate_result: Any) -> None:  # noqa: ARG001 - SciPy asks for this name
        nonlocal base
        base = objective.best
        objective.iterated()

    def hessian_in_units(scaled: Any) -> Any:
        return np.outer(step, step) / units.change * options["hess"](units.unscaled(scaled))

    def product_in_units(scaled: Any, vector: Any) -> Any:
        return step / units.change * options["hessp"](units.unscaled(scaled), step * vector)

    step = np.broadcast_to(units.step, base.free.shape)
    second = {"hess": hessian_in_units, "hessp": product_in_units}
    given = options | {key: f for key, f in second.items() if key in options}
    if name == "L-BFGS-B":
        low, high = (units.scaled(np.array(side)) for side in zip(*bounds, strict=True))
        given["bounds"] = [*zip(low.tolist(), high.tolist(), strict=True)]
    first = units.scaled(base.free)
    return optimize.minimize(guarded, first, jac=True, method=name, callback=iterated, **given)


def _least_decrease(start: Point, best: Point, tol: float | None) -> float:
    """Return the decrease of the function beside which a smaller one does not count."""
    share = max(_DECREASE, 0.0 if tol is None else tol**2)
    return max(share * abs(best.cost), _DECREASE_OF_ALL * (start.cost - best.cost))


class Step(NamedTuple):
    """A step down the gradient, and the decrease of the function that this predicts and has."""

    distance: float
    predicted: float
    decrease: float


class Block:
    """Some of the parameters, moved by themselves along minus the gradient.

    Parameters
    ----------
    objective : Objective
    bounds : list of (low, high)
    members : array of int
        Indices of free numbers.
    decrease : float
        The decrease of the function that the gradient predicts for the first step.
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
        """Take a step within bounds; None where the function is undefined."""
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

    def can_fall(self) -> bool:
        """Return True if the first step lowers the function by half of what is predicted, or more.

        At a minimum the function rises, whatever the units of function and parameters.
        """
        for _ in range(_MAX_SHORTENINGS if self.square else 0):
            if (found := self.step(self._length)) is not None:
                return found.decrease >= 0.5 * found.predicted > 0.0
            self._length *= 0.1
        return False

    def measured(self) -> Step:
        """Return the step to the minimum of the parabola along the block.

        The parabola is drawn through the first step, each ten times as long as the one before, that
        lowers the function by less than half of what is predicted. If there is none, it is the last
        step before a bound, or before the function is undefined; where neither is found, the
        decrease is infinite.
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
    """Return blocks of parameters of similar gradients; one parameter each if there are few."""
    import numpy as np

    order = np.argsort(np.abs(objective.best.slope))
    parts = np.array_split(order, min(len(order), _MAX_BLOCKS))
    return [Block(objective, bounds, part, decrease) for part in parts]


def _measured_units(objective: Objective, bounds: Bounds, decrease: float) -> Units:
    """Return units in which the function has a curvature of about 1 along each parameter.

    The unit of the function is the largest decrease to be had by one block of parameters.
    """
    import numpy as np

    center = objective.best
    parts = _blocks(objective, bounds, decrease)
    found = [part.measured() for part in parts]
    change = max(x.decrease for x in found) or 1.0
    step = np.abs(center.free)
    step[step == 0.0] = 1.0
    for part, x in zip(parts, found, strict=True):
        if x.decrease > 0.0:  # a parabola falls by the square of the distance
            step[part.members] = x.distance * (change / x.decrease) ** 0.5
    best = objective.best
    return Units(best.free, step, best.cost, change)


#: The tolerance of LSMR. By SciPy's, 1e-6, a bundle adjustment of 700 observations that cameras and
#: points may shift together takes 697 evaluations instead of 9.
_OF_LSMR = 1e-10


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
    """Find the parameters at which a sum of squared residuals is lowest, by SciPy.

    Parameters
    ----------
    residuals : callable
        ``residuals(x, *args)`` with parameters shaped as `x0`; returns a tree of numbers, such as a
        list or an array: measured minus predicted, each over its standard deviation where these
        differ.
    x0 : tree of numbers
        The start: a number, or numbers in lists, tuples, dicts, arrays and dataclasses.
    *args
        Data, which stays as it is during the fit.
    method : str
        "trf", of regions of trust, or "lm", that of Levenberg and Marquardt in MINPACK.
    transforms : Transform, or tree of them, optional
        As of `minimize`.
    bounds : (low, high), or tree of such pairs, optional
        Bounds that may be reached, for "trf"; None stands for no bound.
    tol : float
        The relative tolerance of the sum of squares, of the parameters and of the slope.
    max_evaluations : int, optional
        The most points at which residuals are computed; by default SciPy's.
    callback : callable, optional
        ``callback(x, value)`` after each evaluation that lowered the sum of squares; a true result,
        or StopIteration, stops the fit.
    verbose : int
        0 prints nothing, 1 a line at the end, 2 one after each iteration, too.
    sparse : bool
        Whether the Jacobian is a sparse matrix, as that of `jacobian` with ``sparse=True``, for
        "trf": where each residual depends on few of hundreds of parameters or more. Steps are then
        found by LSMR, which is iterative.
    jit : bool
        Whether residuals and their Jacobian are compiled, by `scalargrad.jit`; a sparse one always
        is.

    Returns
    -------
    FitResult
        With `x` shaped as `x0`, the sum of squares `fun`, and `standard_errors`. Each evaluation
        computes residuals and Jacobian together; those that lowered the sum count as iterations.

    Raises
    ------
    OperandError
        If the arguments do not fit together, or the residuals are not a tree of numbers.
    DomainError, NumericalError
        If residuals are not defined, or not finite, at the start; the message names parameters.
    TraceError
        With `sparse`, if residuals cannot be compiled, or ask a number for a way to go.
    MissingPackageError
        If SciPy is not installed, or NumPy.

    Notes
    -----
    Steps to where residuals are undefined, and Ctrl-C, are as for `minimize`. The search continues,
    in units measured at its end, until residuals are orthogonal to the columns of the Jacobian up
    to 10 · √`tol`, or their squares fall no more.

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
    optimize = scipy_optimize("least_squares")
    parameters = Parameters(x0, transforms, bounds)
    method, tol = choice(method, "method", ["trf", "lm"]), positive(tol, "tol")
    most = None if max_evaluations is None else size(max_evaluations, "max_evaluations", 1)
    if parameters.is_bounded and method == "lm":
        raise DomainError("method is 'lm', which takes no bounds; use 'trf' or interval")
    if flag(sparse, "sparse") and method == "lm":
        raise DomainError("method is 'lm', which takes no sparse Jacobian; use 'trf'")
    model = Model(residuals, parameters, args, jit=jit)
    objective = Objective(
        _derivative(model, sparse=sparse), _sum_of_squares, reporter(callback, parameters), verbose
    )
    model.start(objective)
    count, free = objective.best.slope.shape
    if method == "lm" and count < free:
        raise OperandError(
            f"{count} residuals and {free} parameters: 'lm' needs as many, 'trf' does not"
        )
    options = {"method": method, "ftol": tol, "xtol": tol, "gtol": tol, "max_nfev": most}
    if sparse:
        options["tr_options"] = {"atol": _OF_LSMR, "btol": _OF_LSMR}

    def search(objective: Objective, bounds: Bounds) -> tuple[bool, str]:
        return _least(optimize, objective, bounds, options)

    def curvature(best: Point) -> Any:
        if count <= free:
            raise NumericalError(
                f"{count} residuals and {free} parameters: standard errors need more residuals"
            )
        squares = best.slope.T @ best.slope
        return (squares.toarray() if sparse else squares) / (best.cost / (count - free))

    return FitResult(parameters, objective, search, curvature)


def _derivative(model: Model, *, sparse: bool) -> Derivative:
    """Return residuals and Jacobian as a function of free numbers."""
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
        values, slopes = model.compiled(residuals), jacobian(residuals, sparse=True)
        return lambda free: (np.asarray(values(free), dtype=float), slopes(free))
    both = model.compiled(jacobian(twice, has_aux=True))

    def derivative(free: Any) -> tuple[Any, Any]:
        slopes, value = both(free)
        return np.asarray(value, dtype=float), np.asarray(slopes, dtype=float)

    return derivative


def _sum_of_squares(residuals: Any) -> float:
    return float(residuals @ residuals)


def _least(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any]
) -> tuple[bool, str]:
    """Run one of SciPy's methods from the point at which an objective was started.

    Returns
    -------
    success, message
        Whether it converged, and why it ended.
    """
    with objective.running() as early:
        found = _least_rounds(optimize, objective, bounds, options)
    return (False, early[0]) if early else found


def _least_rounds(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any]
) -> tuple[bool, str]:
    """Run a method in further units until it has converged.

    It has if the residuals are orthogonal to the columns of the Jacobian, see `_is_orthogonal`, or
    a round in units measured at its start does not lower their squares.
    """
    units, tol, most = Units(), options["ftol"], options["max_nfev"]
    done = objective.evaluations
    for k in range(_MAX_ROUNDS):
        before = objective.best.cost
        if most is not None:
            options = options | {"max_nfev": max(1, most - objective.evaluations + done)}
        found = _least_round(optimize, objective, bounds, options, units)
        best = objective.best
        has_stopped = bool(k) and before - best.cost <= tol * before
        if not found.success or has_stopped or _is_orthogonal(best, bounds, tol):
            return bool(found.success), str(found.message)
        units = _gauss_newton_units(best)
    return False, f"{_MAX_ROUNDS} rounds in other units have each lowered the squares"


def _least_round(
    optimize: Any, objective: Objective, bounds: Bounds, options: dict[str, Any], units: Units
) -> Any:
    """Run one of SciPy's methods from the best point so far, in some units.

    Where residuals are not defined, they count as infinite, and the method takes a shorter step.
    """
    import numpy as np
    from scipy.sparse import issparse

    first = objective.best
    scale = units.step / units.change

    def residuals(scaled: Any) -> Any:
        before, point = objective.best, objective.at(units.unscaled(scaled))
        if objective.best is not before:
            objective.iterated()
        return np.full_like(first.value, np.inf) if point is None else point.value / units.change

    def slopes(scaled: Any) -> Any:
        point = objective.at(units.unscaled(scaled))  # computed along with the residuals
        slope = (point or first).slope
        return slope.multiply(scale).tocsr() if issparse(slope) else slope * scale

    sides = tuple(units.scaled(np.array(side)) for side in zip(*bounds, strict=True))
    options = options | {"bounds": sides, "x_scale": "jac"}
    return optimize.least_squares(residuals, units.scaled(first.free), slopes, **options)


def _column_norms(slope: Any) -> Any:
    """Return the Euclidean norm of each column of a Jacobian, sparse or not."""
    import numpy as np
    from scipy.sparse import issparse

    squares = slope.multiply(slope) if issparse(slope) else slope * slope
    return np.sqrt(np.asarray(squares.sum(axis=0), dtype=float).ravel())


#: Ratio of residuals to the terms of the model at which they are rounding errors.
_ROUNDING = 1e-13


def _is_orthogonal(best: Point, bounds: Bounds, tol: float) -> bool:
    """Return True if no parameter by itself can lower the sum of squares by much.

    That is by a share of 100 · `tol`, to first order in the residuals, and within bounds. It
    depends neither on the units of parameters nor on those of residuals.
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
    """Return units in which residuals and the columns of the Jacobian have the norm 1.

    Each free number is 1 in them, too: SciPy derives its first step from these.
    """
    import numpy as np

    norms, size = _column_norms(best.slope), float(np.linalg.norm(best.value))
    step = size / np.where(norms > 0.0, norms, size)
    return Units(best.free - step, step, 0.0, size)
