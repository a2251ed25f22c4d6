"""Matrices of partial derivatives: jacobian and hessian, with JAX's signatures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.transforms.evaluation import evaluated
from scalargrad.transforms.functional import grad, positions_of, unpacked
from scalargrad.tree import flatten


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes every partial derivative of every output of f.

    Parameters
    ----------
    f : callable
        Its result, and the arguments differentiated, are trees of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        With the arguments of `f`; returns the shape of the result with, in place of each
        number, its gradient in the shape of the argument (a tuple of such if `argnums` is a
        sequence). In place of an array stands that shape with an array for each number or
        array, the result's axes before the argument's, as in JAX.

    Raises
    ------
    OperandError
        If the result or a differentiated argument is not made of numbers, or `argnums` names
        an argument that was not given by position.

    Notes
    -----
    One backward sweep per output.

    Examples
    --------
    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    positions = positions_of(argnums)

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        evaluation = evaluated(f, positions, args, kwargs)
        outputs, rebuild = flatten(evaluation.result, f"the result of {evaluation.name}")
        as_graph = evaluation.subgraph(*outputs).as_graph
        rows = []
        for y in outputs:
            subgraph = evaluation.subgraph(y)._replace(as_graph=as_graph)
            gradient = evaluation.arguments(evaluation.gradients(y, subgraph))
            rows.append(unpacked(argnums, gradient))
        return rebuild(iter(rows))

    return differentiated


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives of f.

    Parameters
    ----------
    f : callable
        Returns one number; its differentiated arguments are trees of numbers.
    argnums : int or sequence of int
        Which positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        With the arguments of `f`; returns the `jacobian` of its gradient: in place of each number
        of the argument, the gradient of that partial derivative in the shape of the argument.

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
    return jacobian(grad(f, argnums), argnums)
