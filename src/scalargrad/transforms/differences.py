"""gradcheck: gradients compared with central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from scalargrad.errors import GradcheckError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import function, number, positive
from scalargrad.transforms.functional import jacrev
from scalargrad.tree import flatten, leaf_names
from scalargrad.value import Value


def gradcheck(
    f: Callable[..., Any],
    *args: Any,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    raise_exception: bool = True,
) -> bool:
    """Compare every partial derivative of `f` with a central difference.

    Parameters
    ----------
    f : callable
        Takes Values; its result is a tree of numbers, as many at every point.
    *args
        Where to check: trees of numbers, all of them differentiated.
    eps : float
        Step, relative to max(1, abs(x)).
    atol, rtol : float
        A partial passes if it differs by at most ``atol + rtol * abs(difference quotient)``.
    raise_exception : bool
        Raise on a mismatch; otherwise return False.

    Returns
    -------
    bool
        Whether every partial passed.

    Raises
    ------
    GradcheckError
        If one did not; the message lists each mismatch.
    OperandError
        If there is nothing to check, because `args` or the result holds no numbers.

    Notes
    -----
    Runs `f` twice per input number. A difference quotient that is inf or nan never passes.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, section 8.1.

    Examples
    --------
    >>> gradcheck(lambda x, y: x * y**2, 3.0, 4.0)
    True
    """
    function(f, "f", "one of numbers")
    name, eps = getattr(f, "__name__", "f"), positive(eps, "eps")
    atol, rtol = number(atol, "atol", 0.0, finite=False), number(rtol, "rtol", 0.0, finite=False)
    leaves, rebuild = flatten(args, "the arguments")
    point = [x.data if isinstance(x, Value) else as_float(x, "an argument") for x in leaves]

    def outputs(numbers: Iterable[Any]) -> list[Any]:
        return flatten(f(*rebuild(iter(numbers))), "the result")[0]

    def beside(numbers: Iterable[float]) -> list[float]:
        found = outputs(map(Value, numbers))
        if len(found) != len(exact):
            raise OperandError(
                f"{name} returns {len(exact)} numbers at the point but {len(found)} beside it: a "
                "derivative needs a result of one shape"
            )
        return [y.data if isinstance(y, Value) else float(y) for y in found]

    outputs.__name__ = name
    with no_grad():
        exact = jacrev(outputs)(point)
        if not point or not exact:
            missing = "returns no numbers" if point else "is given no numbers"
            raise OperandError(f"{name} {missing}: there is no derivative to check")
        columns = [_quotients(beside, point, column, eps) for column in range(len(point))]
    report = [
        f"output {row}, {place} (at {x:.6g}): gradient {found:.10g}, central difference "
        f"{quotients[row]:.10g}, apart by {abs(found - quotients[row]):.3g}"
        for column, (place, x, quotients) in enumerate(
            zip(leaf_names(args, "args"), point, columns, strict=True)
        )
        for row, found in enumerate(partials[column] for partials in exact)
        if not _agree(found, quotients[row], atol, rtol)
    ]
    if report and raise_exception:
        count, lines = len(point) * len(exact), "\n  ".join(report)
        raise GradcheckError(
            f"{name}: {len(report)} of {count} partial derivatives disagree\n  {lines}"
        )
    return not report


def _quotients(
    outputs: Callable[[Iterable[float]], list[float]],
    point: Sequence[float],
    column: int,
    eps: float,
) -> list[float]:
    """Return the central difference of every output along one coordinate."""
    x = point[column]
    step = eps * max(1.0, abs(x))
    above, below = (
        outputs([*point[:column], moved, *point[column + 1 :]]) for moved in (x + step, x - step)
    )
    width = (x + step) - (x - step)
    return [(high - low) / width for high, low in zip(above, below, strict=True)]


def _agree(found: float, quotient: float, atol: float, rtol: float) -> bool:
    return isfinite(quotient) and abs(found - quotient) <= atol + rtol * abs(quotient)
