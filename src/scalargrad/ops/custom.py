"""User-defined operations, which are defined like the built-in ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn

from scalargrad.checks.arguments import check_instance, check_text
from scalargrad.checks.numbers import as_float
from scalargrad.errors import GraphError, OperandError
from scalargrad.opdef.declaration import REAL, Domain
from scalargrad.opdef.operation import FixedArityOperation, Operation, Unary
from scalargrad.opdef.symbol import Symbol
from scalargrad.system.short_repr import format_value

#: Flags of a code object: *args, **kwargs (see `inspect`, which is slow to import).
_VARIADIC = 0x04 | 0x08
#: Minimum number of parameters of `partials`: the result and one operand.
_MIN_PARAMETERS = 2


class Custom(Unary):
    """An operation that a user defines; it takes as many operands as its function."""

    is_unary_or_binary = False  # it may have any number of operands, and is not built in

    def __init__(self, function: Callable[..., Any], *partials: Any, **attributes: Any) -> None:
        super().__init__(function, *partials, **attributes)
        self.defaults = function.__defaults__ or ()
        self.function = _convert_result(function)

    def __call__(self, *operands: Any) -> Any:
        """Apply the operation; operands with defaults may be left out."""
        missing = self.arity - len(operands)
        if not 0 <= missing <= len(self.defaults):
            raise OperandError(f"{self.name} takes {self.arity} operands, not {len(operands)}")
        return self.of(*operands, *self.defaults[len(self.defaults) - missing :])


def _convert_result(function: Callable[..., Any]) -> Callable[..., float]:
    @functools.wraps(function)
    def computed(*operands: float) -> float:
        return as_float(function(*operands), f"the result of {function.__name__}")

    return computed


def _no_formula(*_: Any, **_kwargs: Any) -> NoReturn:
    raise GraphError(
        "a node was created by Value(data, children, local_grads), with fixed numbers as partials: "
        "it has no formula, and cannot be differentiated twice, stepped through or recomputed. "
        "Declare the operation with @scalargrad.custom_op(partials=lambda y, x: (…,))"
    )


class Given(Operation):
    """Operation of a node that is built manually, with numbers as partials; see `Value`."""

    of_floats = partial_nodes = trace_partials = _no_formula


GIVEN = Given(_no_formula, _no_formula, name="given")


def custom_op(
    partials: Callable[..., Any],
    *,
    symbol: str | None = None,
    domain: Domain = REAL,
    pattern: str = "",
) -> Callable[[Callable[..., float]], Custom]:
    """Define a custom operation with its derivative.

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
        The effect of the operation on the upstream gradient, for the step text.

    Returns
    -------
    callable
        A decorator for a function of a fixed number of floats that returns a real number.
        The decorated function takes floats and Values; operands with defaults may be left
        out. Exceptions that it raises are passed on to the caller.

    Raises
    ------
    OperandError
        If the function's parameters are not plain positional ones, `partials` does not return
        one partial for each, or an option has the wrong type; when called, if the result is
        not a real number.

    Notes
    -----
    Check the derivative against central differences with `gradcheck`.

    A compiled function calls the operation in Python. The result may depend only on the operands:
    the operation is applied once to equal operands, and in any order. Pass random numbers as
    operands, drawn with `drawn`. If it raises an exception, the call is repeated eagerly.

    `partials` and `domain` are traced once, when the operation is defined, with the values that
    captured variables have then. Pass a number that may change as an operand, or define one
    operation for each of its values.

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
    if symbol is not None:
        check_text(symbol, "symbol")
    check_text(pattern, "pattern")
    check_instance(domain, "domain", Domain, "a Domain")
    code = partials.__code__ if isinstance(partials, FunctionType) else None
    if code is not None and not code.co_flags & _VARIADIC and code.co_argcount < _MIN_PARAMETERS:
        raise OperandError(
            f"custom_op was given {format_value(partials)} as partials, which must take the result "
            "and at least one operand: write @custom_op(partials=lambda y, x: (…,)) above the "
            "function"
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


def _require_one_partial_each(op: FixedArityOperation) -> None:
    try:
        partials = op.partial_expressions
    except (TypeError, AttributeError) as error:
        raise OperandError(
            f"the partials of {op.name} cannot be traced: {error}. Write them with scalargrad's "
            "operations, as a function of (result, *operands) that returns a tuple"
        ) from error
    wrong = [p for p in partials if not isinstance(p, Symbol | float | int)]
    if len(partials) != op.arity or wrong:
        raise OperandError(
            f"the partials of {op.name} are {format_value(partials)}: give {op.arity}, one for "
            "each operand"
        )
