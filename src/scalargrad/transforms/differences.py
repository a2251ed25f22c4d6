"""gradcheck: gradients compared with central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from scalargrad.errors import GradcheckError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import function, number, positive
from scalargrad.transforms.functional import jacrev
from scalargrad.tree import flatten
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
    eps = positive(eps, "eps")
    atol, rtol = (
        number(x, name, 0.0, finite=False) for x, name in ((atol, "atol"), (rtol, "rtol"))
    )
    places = _places(args)
    leaves, rebuild = flatten(args, "the arguments")
    point = [x.data if isinstance(x, Value) else as_float(x, "an argument") for x in leaves]
    exact = _exact(f, rebuild(iter(point)))
    _require_something_to_check(f, point, exact)

    def outputs(numbers: Sequence[float]) -> list[float]:
        return _outputs(f, rebuild(map(Value, numbers)), len(exact))

    columns = [_quotients(outputs, point, column, eps) for column in range(len(point))]
    report = [
        _mismatch(row, places[column], point[column], partials[column], quotients[row])
        for column, quotients in enumerate(columns)
        for row, partials in enumerate(exact)
        if not _agree(partials[column], quotients[row], atol, rtol)
    ]
    if report and raise_exception:
        raise GradcheckError(_summary(f, report, len(point) * len(exact)))
    return not report


def _places(args: Sequence[Any]) -> list[str]:
    """Name every number in the arguments: ``argument 0, number 3 of 5``."""
    places: list[str] = []
    for i, argument in enumerate(args):
        leaves, _ = flatten(argument, f"argument {i}")
        for j in range(len(leaves)):
            of = f", number {j + 1} of {len(leaves)}" if len(leaves) > 1 else ""
            places.append(f"argument {i}{of}")
    return places


def _exact(f: Callable[..., Any], args: Sequence[Any]) -> list[list[float]]:
    """Return one row of partials per output."""

    def outputs(*args: Any) -> list[Any]:
        return flatten(f(*args), "the result")[0]

    with no_grad():
        rows = jacrev(outputs, tuple(range(len(args))))(*args)
    return [flatten(row, "a gradient")[0] for row in rows]


def _require_something_to_check(
    f: Callable[..., Any], point: Sequence[float], exact: Sequence[Any]
) -> None:
    if not point or not exact:
        missing = "is given no numbers" if not point else "returns no numbers"
        raise OperandError(f"{_name(f)} {missing}: there is no derivative to check")


def _quotients(
    outputs: Callable[[Sequence[float]], list[float]],
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


def _outputs(f: Callable[..., Any], args: Sequence[Any], count: int) -> list[float]:
    with no_grad():
        leaves, _ = flatten(f(*args), "the result")
    if len(leaves) != count:
        raise OperandError(
            f"{_name(f)} returns {count} numbers at the point but {len(leaves)} beside it: a "
            "derivative needs a result of one shape"
        )
    return [y.data if isinstance(y, Value) else float(y) for y in leaves]


def _agree(found: float, quotient: float, atol: float, rtol: float) -> bool:
    return isfinite(quotient) and abs(found - quotient) <= atol + rtol * abs(quotient)


def _mismatch(row: int, place: str, x: float, found: float, quotient: float) -> str:
    return (
        f"output {row}, {place} (at {x:.6g}): gradient {found:.10g}, "
        f"central difference {quotient:.10g}, apart by {abs(found - quotient):.3g}"
    )


def _summary(f: Callable[..., Any], report: Sequence[str], count: int) -> str:
    lines = "\n  ".join(report)
    return f"{_name(f)}: {len(report)} of {count} partial derivatives disagree\n  {lines}"


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", "f")
