"""FitResult: the result of a fit, with standard errors, bands and profiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_positive, check_size
from scalargrad.errors import NumericalError, ScalargradError
from scalargrad.fitting.objective import (
    INTERRUPTED,
    UNDEFINED_POINT_ERRORS,
    Objective,
    Point,
)
from scalargrad.fitting.parameters import Parameters
from scalargrad.system.cached_property import cached_property
from scalargrad.transforms.functional import jacobian

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
        points, width = check_size(points, "points", 2), check_positive(width, "width")
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
