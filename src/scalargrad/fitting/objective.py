"""The function that an optimiser calls: it survives bad steps and keeps the best point."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from scalargrad.errors import DomainError, NumericalError
from scalargrad.fitting.parameters import Parameters
from scalargrad.graph import describe, first_nonfinite
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import deferred_interrupt
from scalargrad.table.validation import flag, function, whole
from scalargrad.tree import flatten
from scalargrad.value import Value


class Infeasible(DomainError):  # noqa: N818 - the field's word for such a point
    """A model has no value at these parameters: raise it, and a search takes a shorter step.

    Examples
    --------
    >>> from scalargrad.fitting import Infeasible, minimize
    >>> def area(width):
    ...     if width > 3.0:
    ...         raise Infeasible("the sheet is 6 wide")
    ...     return -width * (6.0 - width)
    >>> round(minimize(area, 1.0).x, 6)
    3.0
    """


#: Errors that say that a model has no finite value at a point: its own, the library's, and those
#: of Python's arithmetic. All others are mistakes, and end the search.
BAD = (Infeasible, DomainError, ArithmeticError)
INTERRUPTED = "interrupted"
Callback = Callable[[Any, float], object]
#: A function of the free numbers, an array, to value and gradient, or to residuals and Jacobian.
Derivative = Callable[[Any], tuple[Any, Any]]


class Point(NamedTuple):
    """A model at some free numbers: what is minimised there, value and derivative."""

    free: Any
    cost: float
    value: Any
    slope: Any


class _StoppedError(Exception):
    """A callback asked to stop."""


class Objective:
    """A model's value and derivative at free numbers, as SciPy asks for them.

    Parameters
    ----------
    derivative : callable
        From free numbers, an array, to value and gradient, or residuals and Jacobian.
    cost : callable
        From a value to the number that is minimised.
    report : callable, optional
        Called with the best point after each iteration; a true result stops the search.
    verbose : int
        0 prints nothing, 1 a line at the end, 2 one after each iteration, too.

    Attributes
    ----------
    best, last : Point
        The point of the lowest cost so far, and the last at which the model was defined.
    iterations, evaluations : int
    """

    best: Point
    last: Point

    def __init__(
        self,
        derivative: Derivative,
        cost: Callable[[Any], float] = float,
        report: Callable[[Point], object] | None = None,
        verbose: int = 0,
    ) -> None:
        self._derivative, self._cost, self._report = derivative, cost, report
        self.verbose = whole(verbose, "verbose", 0, 2)
        self._check: Callable[[], None] = lambda: None
        self.iterations = self.evaluations = 0

    def start(self, free: Any) -> None:
        """Evaluate the model where a search begins; errors are the model's own."""
        with _overflows():
            self.best = self.last = self._point(free)

    def with_fixed(self, place: int, x: float) -> Objective:
        """Return the objective of all other free numbers, which is yet to be started."""
        import numpy as np

        def of_others(others: Any) -> tuple[Any, Any]:
            value, slope = self._derivative(np.insert(others, place, x))
            return value, slope[..., np.delete(np.arange(len(others) + 1), place)]

        return Objective(of_others, self._cost)

    def _point(self, free: Any) -> Point:
        import numpy as np
        from scipy.sparse import issparse

        self.evaluations += 1
        value, slope = self._derivative(free)
        cost = self._cost(value)
        entries = slope.data if issparse(slope) else slope
        if not (np.isfinite(cost) and np.isfinite(entries).all()):
            raise NumericalError("the function or its derivative is not finite")
        return Point(free.copy(), cost, value, slope)

    def at(self, free: Any) -> Point | None:
        """Return the model at a point; None where it is not defined."""
        self._check()
        if (free != self.last.free).any():
            try:
                self.last = self._point(free)
            except BAD:
                return None
            if self.last.cost < self.best.cost:
                self.best = self.last
        return self.last

    def iterated(self) -> None:
        """Count an iteration, and tell the callback of the best point so far; it may stop."""
        self.iterations += 1
        if self.verbose == 2:
            count = f"iteration {self.iterations}, {self.evaluations} evaluations"
            print(f"{count}: {self.best.cost:.10g}", flush=True)
        if self._report is not None and self._report(self.best):
            raise _StoppedError

    @contextlib.contextmanager
    def running(self) -> Iterator[list[str]]:
        """Let Ctrl-C wait for an evaluation to end; the list has what ended the search early."""
        early: list[str] = []
        with _overflows(), deferred_interrupt() as interrupt:
            self._check = interrupt.check
            try:
                yield early
            except KeyboardInterrupt:
                early.append(INTERRUPTED)
            except _StoppedError:
                early.append("the callback asked to stop")


def _overflows() -> Any:
    """Let numbers overflow at trial points without a warning."""
    import numpy as np

    return np.errstate(over="ignore", invalid="ignore")


class Model:
    """A function of parameters and data, as one of free numbers.

    Parameters
    ----------
    f : callable
    parameters : Parameters
    args : tuple
        Further arguments of `f`.
    jit : bool
        Whether derivatives are compiled.
    """

    def __init__(
        self, f: Callable[..., Any], parameters: Parameters, args: tuple[Any, ...], *, jit: bool
    ) -> None:
        self._f, self._args = function(f, "f", "one of the parameters"), args
        self._parameters, self._jit = parameters, flag(jit, "jit")
        self._programs: list[Any] = []

    def of_free(self) -> Callable[[Any], Any]:
        """Return the function of the free numbers."""
        f, tree, args = self._f, self._parameters.tree, self._args

        def of_free(free: Any) -> Any:
            return f(tree(free), *args)

        of_free.__name__ = getattr(f, "__name__", "f")
        return of_free

    def compiled(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a derivative as a program, if it is to be compiled."""
        if not self._jit:
            return f
        from scalargrad.fitting.compiled import AtTrials

        self._programs.append(found := AtTrials(f))
        return found.repeatedly()

    @property
    def recorded(self) -> int:
        """The nodes of the longest program; 0 without any."""
        paths = [path for program in self._programs for path in program.all_paths()]
        return max((path.recorded for path in paths), default=0)

    def start(self, objective: Objective) -> None:
        """Evaluate the model at the start, where it must be defined.

        Raises
        ------
        DomainError, NumericalError
            If it is not; the message has the parameters, and the node by their names.
        """
        import numpy as np

        try:
            objective.start(np.array(self._parameters.start))
        except BAD as error:
            named = self._error_by_name() or error
            kind = DomainError if isinstance(named, ValueError) else NumericalError
            where = self._parameters.described()
            raise kind(f"the function has no finite value at x0, {where}: {named}") from error

    def _error_by_name(self) -> Exception | None:
        """Return the error of an eager call at the start with Values named as the parameters."""
        pairs = zip(self._parameters.first, self._parameters.names, strict=True)
        try:
            y = self._f(self._parameters.shaped([Value(x, name) for x, name in pairs]), *self._args)
        except BAD as error:
            return error
        nodes = [x for x in flatten(y, "the result")[0] if isinstance(x, Value)]
        bad = next((x for x in map(first_nonfinite, nodes) if x is not None), None)
        if bad is None:
            return None
        return NumericalError(f"the first node that went non-finite is {describe(bad)}")


def reporter(callback: Callback | None, parameters: Parameters) -> Callable[[Point], object] | None:
    """Return a callback of a point's parameters and cost as one of points."""
    if callback is None:
        return None
    callback = function(callback, "callback", "lambda x, value: print(value)")

    def report(best: Point) -> object:
        try:
            return callback(parameters.tree(best.free.tolist()), best.cost)
        except StopIteration:  # as callbacks of SciPy stop
            return True

    return report


def scipy_optimize(by: str) -> Any:
    """Return `scipy.optimize`.

    Raises
    ------
    MissingPackageError
        If SciPy is not installed.
    """
    with optional_dependency(f"{by} needs"):
        import scipy.optimize
    return scipy.optimize
