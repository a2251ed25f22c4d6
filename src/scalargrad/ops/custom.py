"""User-defined operations, declared in the same way as those of the table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn

from scalargrad.errors import GraphError, OperandError
from scalargrad.system.short_repr import format_value
from scalargrad.table.declaration import REAL, Domain
from scalargrad.table.numbers import as_float
from scalargrad.table.operation import Elementwise, Operation, Unary
from scalargrad.table.symbol import Symbol

#: Flags of a code object: *args, **kwargs (see `inspect`, which is slow to import).
_VARIADIC = 0x04 | 0x08
#: The fewest parameters of partials: the result and an operand.
_LEAST = 2


class Custom(Unary):
    """An operation declared by a user; takes as many operands as its function."""

    few = False  # it may have any number

    def __init__(self, function: Callable[..., Any], *partials: Any, **entry: Any) -> None:
        super().__init__(function, *partials, **entry)
        self.defaults = function.__defaults__ or ()
        self.function = _returning_float(function)

    def __call__(self, *operands: Any) -> Any:
        """Apply the operation; operands with defaults may be left out."""
        missing = self.arity - len(operands)
        if not 0 <= missing <= len(self.defaults):
            raise OperandError(f"{self.name} takes {self.arity} operands, not {len(operands)}")
        return self.of(*operands, *self.defaults[len(self.defaults) - missing :])


def _returning_float(function: Callable[..., Any]) -> Callable[..., float]:
    @functools.wraps(function)
    def computed(*operands: float) -> float:
        return as_float(function(*operands), f"the result of {function.__name__}")

    return computed


def _no_formula(*_: Any, **_named: Any) -> NoReturn:
    raise GraphError(
        "Value(data, children, local_grads) made a node here, whose partials are fixed numbers: "
        "there is no formula to differentiate again, to step through or to compute anew. Declare "
        "the operation by @scalargrad.custom_op(partials=lambda y, x: (…,))"
    )


class Given(Operation):
    """The operation of a node whose partials were given as numbers; see `Value`."""

    of_floats = partial_nodes = trace_partials = _no_formula


GIVEN = Given(_no_formula, _no_formula, name="given")


def custom_op(
    partials: Callable[..., Any],
    *,
    symbol: str | None = None,
    domain: Domain = REAL,
    pattern: str = "",
) -> Callable[[Callable[..., float]], Custom]:
    """Declare an operation of your own, with your own derivative.

    Parameters
    ----------
    partials : callable
        ``partials(result, *operands)`` returns one partial derivative per operand, each an
        expression of scalargrad's operations (or of custom ones), so that it can be
        differentiated again, drawn and stepped through.
    symbol : str, optional
        Label in pictures; by default the function's name.
    domain : Domain, optional
        Where the operation is defined. Outside, DomainError is raised.
    pattern : str, optional
        What the operation does to a gradient on its way back, for the step text.

    Returns
    -------
    callable
        A decorator for a function of a fixed number of floats that returns a real number.
        The decorated function takes floats and Values; operands with defaults may be left
        out. What it raises reaches the caller.

    Raises
    ------
    OperandError
        If the function's parameters are not plain positional ones, or `partials` does not
        give one partial for each; when called, if the result is not a real number.

    Notes
    -----
    Check the derivative against central differences with `gradcheck`.

    The result must depend on the operands alone, apart from what stays the same during a call: a
    compiled function applies an operation once to equal operands, and in an order of its own.
    Random numbers are drawn by `drawn` and given as operands.

    `partials` and `domain` are traced once, when the operation is declared: what they read around
    them counts as it was then. Give a number that may change as an operand, or declare an operation
    for each.

    Examples
    --------
    >>> import math
    >>> from scalargrad import cos, gradcheck, grad
    >>> @custom_op(partials=lambda y, x: (cos(x),))
    ... def my_sin(x):
    ...     return math.sin(x)
    >>> grad(my_sin)(0.0), gradcheck(my_sin, 0.5)
    (1.0, True)
    """
    code = partials.__code__ if isinstance(partials, FunctionType) else None
    if code is not None and not code.co_flags & _VARIADIC and code.co_argcount < _LEAST:
        raise OperandError(
            f"custom_op was given {format_value(partials)} as partials, which takes a result and "
            "at least one operand: write @custom_op(partials=lambda y, x: (…,)) above the function"
        )

    def declare(function: Callable[..., float]) -> Custom:
        _require_plain_parameters(function)
        op = Custom(function, partials, symbol=symbol, domain=domain, pattern=pattern)
        _require_one_partial_each(op)
        return op

    return declare


def _require_plain_parameters(function: Callable[..., float]) -> None:
    code = function.__code__ if isinstance(function, FunctionType) else None
    variadic = code is not None and code.co_flags & _VARIADIC
    if code is None or variadic or code.co_kwonlyargcount or not code.co_argcount:
        raise OperandError(
            f"custom_op needs a Python function of plain positional parameters, not "
            f"{format_value(function)}: write one with def that calls it"
        )


def _require_one_partial_each(op: Elementwise) -> None:
    try:
        found = op.partial_expressions
    except (TypeError, AttributeError) as error:
        raise OperandError(
            f"the partials of {op.name} cannot be traced: {error}. Write them with scalargrad's "
            "operations, as a function of (result, *operands) that returns a tuple"
        ) from error
    wrong = [p for p in found if not isinstance(p, Symbol | float | int)]
    if len(found) != op.arity or wrong:
        raise OperandError(
            f"the partials of {op.name} are {format_value(found)}: give {op.arity}, one for each "
            "operand"
        )
