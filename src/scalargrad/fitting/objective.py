"""The objective that an optimizer calls: it tolerates undefined points and stores the best one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from scalargrad.checks.arguments import check_flag, check_function, check_integer
from scalargrad.engine.graph import describe, first_nonfinite
from scalargrad.engine.tree import flatten
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, NumericalError
from scalargrad.fitting.parameters import Parameters
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import deferred_interrupt


class Infeasible(DomainError):  # noqa: N818 - the field's word for such a point
    """Raise this in a model that has no value at its parameters; the search takes a shorter step.

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


#: Errors that mean that a model has no finite value at a point: those raised by the model, by the
#: library, and by Python's arithmetic. All other errors end the search.
UNDEFINED_POINT_ERRORS = (Infeasible, DomainError, ArithmeticError)
INTERRUPTED = "interrupted"
Callback = Callable[[Any, float], object]
#: Function from the free parameters, an array, to value and gradient, or to residuals and Jacobian.
ValueAndSlope = Callable[[Any], tuple[Any, Any]]


class Point(NamedTuple):
    """A point of a search: free parameters, minimized cost, value of the model, and derivative."""

    free: Any
    cost: float
    value: Any
    slope: Any


class _StoppedError(Exception):
    """Raised to end a search because a callback returned a true result."""


class Objective:
    """Value and derivative of a model as functions of the free parameters, for SciPy.

    Parameters
    ----------
    derivative : callable
        Maps free parameters, an array, to value and gradient, or to residuals and Jacobian.
    cost : callable
        Maps a value to the number that is minimized.
    report : callable, optional
        Called with the best point after each iteration; a true result stops the search.
    verbose : int
        0 prints nothing, 1 one line at the end, 2 also one line after each iteration.

    Attributes
    ----------
    best, last : Point
        The point of lowest cost so far, and the last one where the model was defined.
    iterations, evaluations : int
        Numbers of iterations, and of evaluations with derivatives.
    """

    best: Point
    last: Point

    def __init__(
        self,
        derivative: ValueAndSlope,
        cost: Callable[[Any], float] = float,
        report: Callable[[Point], object] | None = None,
        verbose: int = 0,
    ) -> None:
        self._derivative, self._cost, self._report = derivative, cost, report
        self.verbose = check_integer(verbose, "verbose", 0, 2)
        self._check: Callable[[], None] = lambda: None
        self.iterations = self.evaluations = 0

    def start(self, free: Any) -> None:
        """Evaluate the model at the starting point of a search; errors are not caught."""
        with _ignore_overflows():
            self.best = self.last = self._point(free)

    def with_fixed(self, index: int, x: float) -> Objective:
        """Return the objective of all other free parameters; its `start` must be called."""
        import numpy as np

        def of_others(others: Any) -> tuple[Any, Any]:
            value, slope = self._derivative(np.insert(others, index, x))
            return value, slope[..., np.delete(np.arange(len(others) + 1), index)]

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
        """Evaluate the model at a point; return None where it is undefined."""
        self._check()
        if (free != self.last.free).any():
            try:
                self.last = self._point(free)
            except UNDEFINED_POINT_ERRORS:
                return None
            if self.last.cost < self.best.cost:
                self.best = self.last
        return self.last

    def count_iteration(self) -> None:
        """Count an iteration, and call the callback with the best point; it may end the search."""
        self.iterations += 1
        if self.verbose == 2:
            count = f"iteration {self.iterations}, {self.evaluations} evaluations"
            print(f"{count}: {self.best.cost:.10g}", flush=True)
        if self._report is not None and self._report(self.best):
            raise _StoppedError

    @contextlib.contextmanager
    def running(self) -> Iterator[list[str]]:
        """Defer Ctrl-C to the end of an evaluation; yield a list for the reason of an early end."""
        early: list[str] = []
        with _ignore_overflows(), deferred_interrupt() as interrupt:
            self._check = interrupt.check
            try:
                yield early
            except KeyboardInterrupt:
                early.append(INTERRUPTED)
            except _StoppedError:
                early.append("the callback asked to stop")


def _ignore_overflows() -> Any:
    """Return a context in which overflows at trial points cause no warnings."""
    import numpy as np

    return np.errstate(over="ignore", invalid="ignore")


class Model:
    """A function of parameters and data, as a function of free parameters.

    Parameters
    ----------
    f : callable
        The function of the user.
    parameters : Parameters
        Its parameters.
    args : tuple
        Further arguments of `f`.
    jit : bool
        Whether derivatives are compiled.
    """

    def __init__(
        self, f: Callable[..., Any], parameters: Parameters, args: tuple[Any, ...], *, jit: bool
    ) -> None:
        self._f, self._args = check_function(f, "f", "one of the parameters"), args
        self._parameters, self._jit = parameters, check_flag(jit, "jit")
        self._programs: list[Any] = []

    def of_free(self) -> Callable[[Any], Any]:
        """Return `f` as a function of the free parameters."""
        f, tree, args = self._f, self._parameters.tree, self._args

        def of_free(free: Any) -> Any:
            return f(tree(free), *args)

        of_free.__name__ = getattr(f, "__name__", "f")
        return of_free

    def compile(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a derivative, compiled unless ``jit=False``."""
        if not self._jit:
            return f
        from scalargrad.fitting.compiled import RaisingJitted

        self._programs.append(program := RaisingJitted(f))
        return program.bind_closure()

    @property
    def program_size(self) -> int:
        """The number of nodes of the longest program; 0 if nothing was compiled."""
        paths = [path for program in self._programs for path in program.all_paths()]
        return max((path.recorded for path in paths), default=0)

    def start(self, objective: Objective) -> None:
        """Evaluate the model at the starting point, where it must be defined.

        Raises
        ------
        DomainError, NumericalError
            If it is undefined; the message has the parameters, and names the node.
        """
        import numpy as np

        try:
            objective.start(np.array(self._parameters.start))
        except UNDEFINED_POINT_ERRORS as error:
            detailed = self._error_by_name() or error
            kind = DomainError if isinstance(detailed, ValueError) else NumericalError
            where = self._parameters.format_start()
            raise kind(f"the function has no finite value at x0, {where}: {detailed}") from error

    def _error_by_name(self) -> Exception | None:
        """Return the error of an eager call at the start, with Values that have parameter names."""
        pairs = zip(self._parameters.first, self._parameters.names, strict=True)
        try:
            y = self._f(self._parameters.shaped([Value(x, name) for x, name in pairs]), *self._args)
        except UNDEFINED_POINT_ERRORS as error:
            return error
        nodes = [x for x in flatten(y, "the result")[0] if isinstance(x, Value)]
        bad = next((x for x in map(first_nonfinite, nodes) if x is not None), None)
        if bad is None:
            return None
        return NumericalError(f"the first node that went non-finite is {describe(bad)}")


def point_callback(
    callback: Callback | None, parameters: Parameters
) -> Callable[[Point], object] | None:
    """Return a callback of parameters and cost as a function of a `Point`."""
    if callback is None:
        return None
    callback = check_function(callback, "callback", "lambda x, value: print(value)")

    def report(best: Point) -> object:
        try:
            return callback(parameters.tree(best.free.tolist()), best.cost)
        except StopIteration:  # ends a search in SciPy, too
            return True

    return report


def import_scipy_optimize(by: str) -> Any:
    """Return `scipy.optimize`.

    Raises
    ------
    MissingPackageError
        If SciPy is not installed.
    """
    with optional_dependency(f"{by} needs"):
        import scipy.optimize
    return scipy.optimize
