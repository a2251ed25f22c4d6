"""Matrices of partial derivatives: jacobian and hessian, with JAX's signatures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.transforms.evaluation import evaluated
from scalargrad.transforms.functional import grad, positions_of, unpacked, with_auxiliary
from scalargrad.tree import flatten


def jacrev(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of f, by a backward sweep for each output.

    Parameters, result and errors are those of `jacobian`. It suits few outputs of many inputs.

    Examples
    --------
    >>> jacrev(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    return _jacobian(f, argnums, has_aux, forward=False)


def jacfwd(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of f, by a forward sweep for each input.

    Parameters, result and errors are those of `jacobian`. It suits many outputs of few inputs.

    Examples
    --------
    >>> jacfwd(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    return _jacobian(f, argnums, has_aux, forward=True)


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes every partial derivative of every output of f.

    Parameters
    ----------
    f : callable
        Its result, and the arguments differentiated, are trees of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.
    has_aux : bool
        `f` returns ``(result, auxiliary)``; the auxiliary result is passed on, its Values as
        floats.

    Returns
    -------
    callable
        With the arguments of `f`; returns the shape of the result with, in place of each
        number, its gradient in the shape of the argument (a tuple of such if `argnums` is a
        sequence). In place of an array stands that shape with an array for each number or
        array, the result's axes before the argument's, as in JAX. With `has_aux` it returns
        ``(Jacobian, auxiliary)``.

    Raises
    ------
    OperandError
        If the result or a differentiated argument is not made of numbers, or `argnums` names
        an argument that was not given by position.

    Notes
    -----
    One backward sweep per output, as `jacrev`, or, where outputs are more than inputs, one
    forward sweep per input, as `jacfwd`. Under `jit`, outputs that share few operations, such as
    residuals, are swept back one by one, and others, such as the states of a loop, forward: the
    program grows in proportion to them. Where many outputs come of one formula,
    ``vmap(grad(formula))`` is compiled once for all of them.

    Examples
    --------
    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    return _jacobian(f, argnums, has_aux, forward=None)


def _jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    *,
    forward: bool | None,
) -> Callable[..., Any]:
    """Return a function that computes a Jacobian in a way given, or chosen by its shape."""
    positions = positions_of(argnums)

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        evaluation = evaluated(f, positions, args, kwargs)
        result, name = evaluation.result, evaluation.name
        result, aux = with_auxiliary(result, name) if has_aux else (result, None)
        outputs, rebuild = flatten(result, f"the result of {name}")
        as_graph = evaluation.subgraph(*outputs).as_graph
        taller = len(outputs) > len(evaluation.leaves)
        by_columns = taller if forward is None else forward
        by = evaluation.by_columns if by_columns else evaluation.by_rows
        rows = by(outputs, as_graph)
        found = [unpacked(argnums, evaluation.arguments(row)) for row in rows]
        jacobian = rebuild(iter(found))
        return (jacobian, evaluation.passed_on(aux)) if has_aux else jacobian

    return differentiated


def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives of f.

    Parameters
    ----------
    f : callable
        Returns one number; its differentiated arguments are trees of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.
    has_aux : bool
        `f` returns ``(number, auxiliary)``; the auxiliary result is passed on.

    Returns
    -------
    callable
        With the arguments of `f`; returns the `jacobian` of its gradient: in place of each number
        of the argument, the gradient of that partial derivative in the shape of the argument.
        With `has_aux` it returns ``(Hessian, auxiliary)``.

    Raises
    ------
    OperandError
        If `f` does not return one number, an argument is not made of numbers, or `argnums`
        names one that was not given by position.
    NumericalError
        If the value is not finite.

    Notes
    -----
    One backward sweep per number of the argument, over the graph of the gradient.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 4.0])
    [[8.0, 6.0], [6.0, 0.0]]
    """
    return jacrev(grad(f, argnums, has_aux), argnums, has_aux)
