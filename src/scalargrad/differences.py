"""Gradients held against central differences: the check every lecture names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.errors import GradcheckError
from scalargrad.functional import jacobian
from scalargrad.ops.recording import no_grad
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
        Its result is a tree of numbers.
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

    Notes
    -----
    Runs `f` twice per input number. A NaN never passes.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, section 8.1.

    Examples
    --------
    >>> gradcheck(lambda x, y: x * y**2, 3.0, 4.0)
    True
    """
    places = _places(args)
    leaves, rebuild = flatten(args, "the arguments")
    point = [x.data if isinstance(x, Value) else float(x) for x in leaves]
    exact = _exact(f, rebuild(iter(point)))
    report: list[str] = []
    for column, (place, x) in enumerate(zip(places, point, strict=True)):
        step = eps * max(1.0, abs(x))
        moved = [
            _outputs(f, rebuild(iter([*point[:column], shifted, *point[column + 1 :]])))
            for shifted in (x + step, x - step)
        ]
        for row, (above, below) in enumerate(zip(*moved, strict=True)):
            quotient = (above - below) / ((x + step) - (x - step))
            found = exact[row][column]
            if not abs(found - quotient) <= atol + rtol * abs(quotient):
                report.append(_mismatch(row, place, x, found, quotient))
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
        rows = jacobian(outputs, tuple(range(len(args))))(*args)
    return [flatten(row, "a gradient")[0] for row in rows]


def _outputs(f: Callable[..., Any], args: Sequence[Any]) -> list[float]:
    with no_grad():
        leaves, _ = flatten(f(*args), "the result")
    return [y.data if isinstance(y, Value) else float(y) for y in leaves]


def _mismatch(row: int, place: str, x: float, found: float, quotient: float) -> str:
    return (
        f"output {row}, {place} (at {x:.6g}): gradient {found:.10g}, "
        f"central difference {quotient:.10g}, apart by {abs(found - quotient):.3g}"
    )


def _summary(f: Callable[..., Any], report: Sequence[str], count: int) -> str:
    name = getattr(f, "__name__", "f")
    return f"{name}: {len(report)} of {count} partial derivatives disagree\n  " + "\n  ".join(
        report
    )
