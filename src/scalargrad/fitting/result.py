"""The result of a fit: the parameters found, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any, NamedTuple

from scalargrad.errors import NumericalError, ScalargradError
from scalargrad.fitting.objective import BAD, INTERRUPTED, Objective, Point
from scalargrad.fitting.parameters import Parameters
from scalargrad.system.cached_property import cached_property
from scalargrad.table.validation import positive, size
from scalargrad.transforms.functional import jacobian

Bounds = list[tuple[float, float]]
#: A search: it moves an objective from its start to its minimum within bounds, and returns whether
#: it succeeded, and why it ended.
Search = Callable[[Objective, Bounds], tuple[bool, str]]
#: The least curvature of a direction that is not flat, with parameters scaled to unit curvature.
_FLAT = 1e-13


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
        if lengths.size and not lengths[0] > _FLAT:
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
            return others, nan
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
