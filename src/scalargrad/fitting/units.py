"""Units in which a function changes by about 1, measured by moving blocks of parameters.

The tolerances and first steps of SciPy's methods assume such units. A search runs in rounds, and
each round in the units measured at the end of the previous one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scalargrad.fitting.objective import (
    Objective,
    Point,
)
from scalargrad.fitting.result import Bounds

#: Maximum number of rounds, each with units measured at the end of the previous one.
MAX_ROUNDS = 20
#: Maximum number of blocks of parameters; units are measured by moving one block at a time.
_MAX_BLOCKS = 32
#: Maximum number of steps in a measurement of units, each ten times longer than the previous one.
_MAX_LENGTHENINGS = 40
#: Value of a function below which it counts as unbounded.
UNBOUNDED = -1e100
#: Maximum number of times that a step to an undefined point is shortened to a tenth.
_MAX_SHORTENINGS = 6
#: Decrease that must not remain possible at the end, relative to the function.
_DECREASE = 1e-10
#: The same, relative to the decrease since the start: the function may be 0 at its minimum.
_TOTAL_DECREASE = 1e-12


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


def min_decrease(start: Point, best: Point, tol: float | None) -> float:
    """Return the smallest decrease of the function that counts."""
    share = max(_DECREASE, 0.0 if tol is None else tol**2)
    return max(share * abs(best.cost), _TOTAL_DECREASE * (start.cost - best.cost))


class TrialStep(NamedTuple):
    """A step along minus the gradient, with the predicted and the actual decrease."""

    distance: float
    predicted: float
    decrease: float


class ParameterBlock:
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

    def step(self, length: float) -> TrialStep | None:
        """Take a step within bounds; return None where the function is undefined."""
        import numpy as np

        best = self._best
        free = np.clip(best.free - length * self._slope, self._low, self._high)
        moved = best.free - free
        if not moved.any():
            return TrialStep(0.0, 0.0, 0.0)
        point = self._objective.at(free)
        if point is None:
            return None
        return TrialStep(
            float(np.linalg.norm(moved)), float(best.slope @ moved), best.cost - point.cost
        )

    def can_decrease(self) -> bool:
        """Return True if the first step has at least half of the predicted decrease.

        At a minimum the function rises, in any units of function and parameters.
        """
        for _ in range(_MAX_SHORTENINGS if self.square else 0):
            if (found := self.step(self._length)) is not None:
                return found.decrease >= 0.5 * found.predicted > 0.0
            self._length *= 0.1
        return False

    def measure(self) -> TrialStep:
        """Return the step to the minimum of a parabola fitted along the block.

        Steps are lengthened tenfold until one has less than half of the predicted decrease; the
        parabola is fitted to that one. If a bound or an undefined point comes first, the last step
        before it is returned. If nothing stops the steps, the decrease is infinite.
        """
        length, last = self._length, TrialStep(0.0, 0.0, 0.0)
        for _ in range(_MAX_LENGTHENINGS if self.square else 0):
            found = self.step(length)
            if found is None or found.distance <= last.distance:
                return last
            if found.decrease < 0.5 * found.predicted:
                share = 0.5 * found.predicted / (found.predicted - found.decrease)
                fall = 0.5 * share * found.predicted
                return TrialStep(share * found.distance, share * found.predicted, fall)
            last = found
            length *= 10.0
        return last._replace(decrease=math.inf) if self.square else last


def parameter_blocks(objective: Objective, bounds: Bounds, decrease: float) -> list[ParameterBlock]:
    """Group parameters of similar gradients into blocks; with few, one parameter per block."""
    import numpy as np

    order = np.argsort(np.abs(objective.best.slope))
    parts = np.array_split(order, min(len(order), _MAX_BLOCKS))
    return [ParameterBlock(objective, bounds, part, decrease) for part in parts]


def measure_units(objective: Objective, bounds: Bounds, decrease: float) -> Units:
    """Measure units in which the function has a curvature of about 1 along each parameter.

    The unit of the function is the largest decrease that one block can achieve.
    """
    import numpy as np

    center = objective.best
    parts = parameter_blocks(objective, bounds, decrease)
    found = [part.measure() for part in parts]
    change = max(x.decrease for x in found) or 1.0
    step = np.abs(center.free)
    step[step == 0.0] = 1.0
    for part, x in zip(parts, found, strict=True):
        if x.decrease > 0.0:  # the decrease of a parabola is quadratic in the distance
            step[part.members] = x.distance * (change / x.decrease) ** 0.5
    best = objective.best
    return Units(best.free, step, best.cost, change)
