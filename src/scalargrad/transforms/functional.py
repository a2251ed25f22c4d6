"""Derivatives of functions: grad, value_and_grad, vjp, jvp, hvp and Jacobians; gradcheck.

All have JAX's signatures, and can be nested in any order. Each call runs `f` once on fresh leaves,
so that an outer derivative is never confused with an inner one. Results are floats, unless an
argument or a captured leaf is a Value: then they are Values, which can be differentiated again.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from scalargrad.checks.arguments import check_flag, check_function, check_number, check_positive
from scalargrad.checks.numbers import as_float
from scalargrad.engine.grad_mode import builds_graphs, no_grad
from scalargrad.engine.tree import flatten, flatten_like, leaf_names
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import GradcheckError, OperandError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value
from scalargrad.transforms.evaluation import Evaluation, Subgraph, evaluate_function

_ONE_NUMBER = "return one, or a pair of it and other results with has_aux=True, or use jacobian"


def positions_of(argnums: int | Sequence[int]) -> tuple[int, ...]:
    """Return the positions of the arguments to differentiate with respect to, as a tuple."""
    try:
        several = argnums if isinstance(argnums, Sequence) else (argnums,)
        return tuple(operator.index(position) for position in several)
    except TypeError:
        raise OperandError(
            f"argnums is {format_value(argnums)}: give the position of an argument, or several"
        ) from None


def unpack_results(argnums: int | Sequence[int], results: Sequence[Any]) -> Any:
    """Return a tuple of results if `argnums` is a sequence, else the only result."""
    several = type(argnums) is not int and isinstance(argnums, Sequence)  # the latter is slow
    return tuple(results) if several else results[0]


def _scalar(evaluation: Evaluation, y: Any) -> Any:
    """Return the result of a function to be differentiated, which must be one finite number."""
    if not isinstance(y, Value):
        leaves, _ = flatten(y, f"the result of {evaluation.name}")
        if len(leaves) != 1 or leaves[0] is not y:
            is_array_of_one = getattr(y, "ndim", None) == 0
            remedy = "return its .item()" if is_array_of_one else _ONE_NUMBER
            raise OperandError(
                f"{evaluation.name} returned {format_value(y)}: a gradient needs one number; "
                f"{remedy}"
            )
        y = float(y)
    evaluation.require_finite(y)
    return y


def _results(evaluation: Evaluation, has_aux: bool) -> tuple[Any, Any]:
    """Return the result to differentiate, and the auxiliary result or None."""
    result = evaluation.result
    if not has_aux:
        return result, None
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise OperandError(
            f"{evaluation.name} returned {format_value(result)}: with has_aux it returns "
            "(number, auxiliary)"
        )
    return result[0], result[1]


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes f and its gradient in one evaluation.

    Parameters
    ----------
    f : callable
        Returns one number. Its differentiated arguments are numbers, or lists, tuples, dicts
        and arrays of numbers.
    argnums : int or sequence of int
        Positions of the arguments to differentiate with respect to; negative ones count from
        the last.
    has_aux : bool
        `f` returns ``(number, auxiliary)``. The auxiliary result is returned, too, with floats
        for its Values.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns ``(value, gradient)``. The gradient has the shape
        of the argument, in result unit / argument unit; it is a tuple of gradients if `argnums` is
        a sequence. With `has_aux` the value is ``(value, auxiliary)``.

    Raises
    ------
    OperandError
        If `f` does not return one number, an argument does not consist of numbers, or `argnums`
        names one that was not passed by position.
    NumericalError
        If the value is not finite.

    Notes
    -----
    `f` is run once, on Values; its arguments are not changed.

    Examples
    --------
    >>> value_and_grad(lambda p: p["a"] * p["b"])({"a": 3.0, "b": 4.0})
    (12.0, {'a': 4.0, 'b': 3.0})
    """
    positions = positions_of(argnums)
    check_flag(has_aux, "has_aux")

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        evaluation = evaluate_function(f, positions, args, kwargs)
        result, aux = _results(evaluation, has_aux)
        y = _scalar(evaluation, result)
        subgraph = evaluation.subgraph(y)
        if not subgraph.nodes:
            evaluation.require_read(y)
        gradients = evaluation.arguments(evaluation.gradients(y, subgraph, allow_nonfinite=False))
        value = evaluation.returned(y, subgraph)
        result = (value, evaluation.auxiliary(aux)) if has_aux else value
        return result, unpack_results(argnums, gradients)

    return differentiated


def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of f.

    Parameters
    ----------
    f : callable
        Returns one number. Its differentiated arguments are numbers, or lists, tuples, dicts
        and arrays of numbers.
    argnums : int or sequence of int
        Positions of the arguments to differentiate with respect to; negative ones count from
        the last.
    has_aux : bool
        `f` returns ``(number, auxiliary)``. The auxiliary result is returned, too, with floats
        for its Values.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the gradient, in the shape of the argument and in
        result unit / argument unit; it is a tuple of gradients if `argnums` is a sequence. With
        `has_aux` it returns ``(gradient, auxiliary)``.

    Raises
    ------
    OperandError
        If `f` does not return one number, an argument does not consist of numbers, or `argnums`
        names one that was not passed by position.
    NumericalError
        If the value is not finite.

    Examples
    --------
    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return differentiated


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Evaluate f, and return its result and a function that pulls cotangents back through it.

    Parameters
    ----------
    f : callable
        Its arguments and its result are trees of numbers.
    *primals
        The arguments, all of them differentiated.
    has_aux : bool
        `f` returns ``(result, auxiliary)``.

    Returns
    -------
    result, pull_back
        ``pull_back(cotangent)``, with a cotangent in the shape of the result, returns a tuple with
        one tree per argument: cotangentᵀ · Jacobian. With `has_aux` there is a third result: the
        auxiliary one, with floats for its Values.

    Raises
    ------
    OperandError
        If an argument or the result does not consist of numbers; from ``pull_back``, if the
        shapes of the cotangent and the result differ.

    Examples
    --------
    >>> y, pull_back = vjp(lambda x: [x[0] * x[1], x[0]], [3.0, 4.0])
    >>> y, pull_back([1.0, 10.0])
    ([12.0, 3.0], ([14.0, 3.0],))
    """
    evaluation = evaluate_function(f, range(len(primals)), primals, {})
    result, aux = _results(evaluation, check_flag(has_aux, "has_aux"))
    outputs, rebuild = flatten(result, f"the result of {evaluation.name}")
    subgraph = evaluation.subgraph(*outputs)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        weights = _directions(evaluation, cotangent, result, "the cotangent", "the result")
        pairs = zip(outputs, weights, strict=True)
        seeds = [(y, weight) for y, weight in pairs if isinstance(y, Value)]
        here = subgraph._replace(as_graph=subgraph.as_graph and builds_graphs())
        return tuple(evaluation.arguments(evaluation.pull_back(seeds, here)))

    value = rebuild(evaluation.returned(y, subgraph) for y in outputs)
    return (value, pull_back, evaluation.auxiliary(aux)) if has_aux else (value, pull_back)


def _directions(
    evaluation: Evaluation, tree: Any, model: Any, what: str, like: str
) -> list[Scalar]:
    """Return the numbers of a tangent or cotangent; within `no_grad`, as floats."""
    numbers = flatten_like(tree, model, what, like)
    no_leaves = Subgraph([], as_graph=builds_graphs())
    leaves = [evaluation.returned(x, no_leaves) for x in numbers]
    return [x if isinstance(x, Value) else as_float(x, what) for x in leaves]


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Evaluate f and its directional derivative, in one forward sweep.

    Parameters
    ----------
    f : callable
        Its arguments and its result are trees of numbers.
    primals, tangents : tuples of equal shape
        The arguments, and the direction of the derivative.
    has_aux : bool
        `f` returns ``(result, auxiliary)``.

    Returns
    -------
    result, tangent
        f(primals), and Jacobian · tangents in the shape of the result. With `has_aux` there is a
        third result: the auxiliary one, with floats for its Values.

    Raises
    ------
    OperandError
        If `primals` is not a tuple or list, or `tangents` has a different shape.

    Examples
    --------
    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 10.0))
    (12.0, 34.0)
    """
    if not isinstance(primals, tuple | list):
        raise OperandError(
            f"primals is {format_value(primals)}: give the arguments as a tuple, (x,)"
        )
    evaluation = evaluate_function(f, range(len(primals)), primals, {})
    result, aux = _results(evaluation, check_flag(has_aux, "has_aux"))
    outputs, rebuild = flatten(result, f"the result of {evaluation.name}")
    subgraph = evaluation.subgraph(*outputs)
    directions = _directions(evaluation, tangents, primals, "tangents", "primals")
    by_leaf = dict(zip(evaluation.leaves, directions, strict=True))
    (output_tangents,) = evaluation.push_forward(outputs, [by_leaf], subgraph)
    value = rebuild(evaluation.returned(y, subgraph) for y in outputs)
    tangent = rebuild(iter(output_tangents))
    return (value, tangent, evaluation.auxiliary(aux)) if has_aux else (value, tangent)


def hvp(f: Callable[..., Any], inputs: Any, v: Any) -> tuple[Any, Any]:
    """Compute f and its Hessian times a vector, without forming the Hessian.

    The counterpart of ``torch.autograd.functional.hvp``. Because the Hessian is symmetric, this
    takes only a second backward sweep, over the graph of the first.

    Parameters
    ----------
    f : callable
        Returns one number.
    inputs : tree, or tuple of trees
        The argument, or a plain tuple of several arguments.
    v : as `inputs`
        The vector.

    Returns
    -------
    value, product
        f(inputs), and Hessian · v in the shape of `inputs`.

    Raises
    ------
    OperandError
        If `f` does not return one number, `inputs` do not consist of numbers, or `v` has a
        different shape.
    NumericalError
        If the value is not finite.

    Examples
    --------
    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 4.0], [1.0, 0.0])
    (36.0, [8.0, 6.0])
    """
    several = type(inputs) is tuple  # a named tuple is one argument
    primals, direction = (inputs, v) if several else ((inputs,), (v,))
    flatten_like(direction, primals, "v", "inputs")  # raises OperandError if the shapes differ
    both = value_and_grad(f, tuple(range(len(primals))))
    _, pull_back, value = vjp(lambda *args: both(*args)[::-1], *primals, has_aux=True)
    products = pull_back(direction)
    return value, products if several else products[0]


def jacrev(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of f, by one backward sweep per output.

    Parameters, result and errors are those of `jacobian`. Use it for few outputs of many inputs.

    Examples
    --------
    >>> jacrev(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    return _jacobian(f, argnums, has_aux, forward=False)


def jacfwd(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of f, by one forward sweep per input.

    Parameters, result and errors are those of `jacobian`. Use it for many outputs of few inputs.

    Examples
    --------
    >>> jacfwd(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    return _jacobian(f, argnums, has_aux, forward=True)


def jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    sparse: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes every partial derivative of every output of f.

    Parameters
    ----------
    f : callable
        Its result, and the arguments differentiated, are trees of numbers.
    argnums : int or sequence of int
        Positions of the arguments to differentiate with respect to.
    has_aux : bool
        `f` returns ``(result, auxiliary)``. The auxiliary result is returned, too, with floats
        for its Values.
    sparse : bool
        Return a `scipy.sparse.csr_array` with a row for each number of the result and a column for
        each number of the argument; see Notes. This needs SciPy.

    Returns
    -------
    callable
        Takes the arguments of `f`. It returns the result of `f` with each number replaced by its
        gradient in the shape of the argument (a tuple of gradients if `argnums` is a sequence). An
        array is replaced by the shape of the argument with an array for each number or array, whose
        first axes are those of the result, as in JAX. With `has_aux` it returns
        ``(Jacobian, auxiliary)``.

    Raises
    ------
    OperandError
        If the result or a differentiated argument does not consist of numbers, or `argnums` names
        an argument that was not passed by position.
    TraceError
        With `sparse`, if `f` cannot be compiled, or chooses a branch by a number.

    Notes
    -----
    Takes one backward sweep per output, as `jacrev`, or, if there are more outputs than inputs, one
    forward sweep per input, as `jacfwd`. If many outputs are computed by one formula, use
    ``vmap(grad(formula))``, which is compiled once for all of them.

    With `sparse`, the function is traced to find the possible nonzero entries. Rows without a
    common column, or columns without a common row, get the same color, and each call runs one
    compiled product, `vjp` or `jvp`, for each color. The result cannot be used within `jit`, and
    must be called with plain numbers.

    Examples
    --------
    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 4.0])
    [[4.0, 3.0], [1.0, 1.0]]
    """
    if check_flag(sparse, "sparse"):
        return _sparse(f, argnums, has_aux)
    return _jacobian(f, argnums, has_aux, forward=None)


def _sparse(
    f: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool
) -> Callable[..., Any]:
    """Return a function that computes a Jacobian as a sparse matrix."""
    check_function(f, "f", "one of numbers")
    if check_flag(has_aux, "has_aux"):
        raise OperandError("sparse=True returns a matrix alone: leave has_aux out")
    with optional_dependency("sparse=True needs"):
        from scalargrad.compiler.sparse_jacobian import SparseJacobian
    return SparseJacobian(f, argnums)


def _jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    *,
    forward: bool | None,
) -> Callable[..., Any]:
    """Return a function that computes a Jacobian; `forward` None chooses the mode by its shape."""
    positions = positions_of(argnums)
    check_flag(has_aux, "has_aux")

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        evaluation = evaluate_function(f, positions, args, kwargs)
        result, aux = _results(evaluation, has_aux)
        outputs, rebuild = flatten(result, f"the result of {evaluation.name}")
        subgraph, leaves = evaluation.subgraph(*outputs), evaluation.leaves
        if len(outputs) > len(leaves) if forward is None else forward:
            columns = evaluation.push_forward(outputs, [{x: 1.0} for x in leaves], subgraph)
            rows = [[column[k] for column in columns] for k in range(len(outputs))]
        else:
            as_graph = subgraph.as_graph
            subgraphs = (evaluation.subgraph(y)._replace(as_graph=as_graph) for y in outputs)
            rows = [evaluation.gradients(y, x) for y, x in zip(outputs, subgraphs, strict=True)]
        gradients = [unpack_results(argnums, evaluation.arguments(row)) for row in rows]
        jacobian = rebuild(iter(gradients))
        return (jacobian, evaluation.auxiliary(aux)) if has_aux else jacobian

    return differentiated


def hessian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    sparse: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives of f.

    Parameters
    ----------
    f : callable
        Returns one number; its differentiated arguments are trees of numbers.
    argnums : int or sequence of int
        Positions of the arguments to differentiate with respect to.
    has_aux : bool
        `f` returns ``(number, auxiliary)``. The auxiliary result is returned, too.
    sparse : bool
        Return a `scipy.sparse.csr_array`, as `jacobian` does.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the `jacobian` of its gradient: the argument with
        each number replaced by the gradient of that partial derivative, in the shape of the
        argument. With `has_aux` it returns ``(Hessian, auxiliary)``.

    Raises
    ------
    OperandError
        If `f` does not return one number, an argument does not consist of numbers, or `argnums`
        names one that was not passed by position.
    NumericalError
        If the value is not finite.

    Notes
    -----
    Takes one backward sweep per number of the argument, over the graph of the gradient.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 4.0])
    [[8.0, 6.0], [6.0, 0.0]]
    """
    if check_flag(sparse, "sparse"):
        return _sparse(grad(f, argnums), argnums, has_aux)
    return jacrev(grad(f, argnums, has_aux), argnums, has_aux)


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
        Takes Values; its result is a tree of numbers, with the same shape at every point.
    *args
        The point at which to check: trees of numbers, all of them differentiated.
    eps : float
        Step, relative to max(1, abs(x)).
    atol, rtol : float
        A partial passes if it differs by at most ``atol + rtol * abs(difference quotient)``.
    raise_exception : bool
        Raise GradcheckError on a mismatch; if False, return False.

    Returns
    -------
    bool
        True if every partial passed.

    Raises
    ------
    GradcheckError
        If one did not pass; the message lists each mismatch.
    OperandError
        If there is nothing to check, because `args` or the result contains no numbers.

    Notes
    -----
    Evaluates `f` twice per input number. A difference quotient that is inf or nan never passes.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, section 8.1.

    Examples
    --------
    >>> gradcheck(lambda x, y: x * y**2, 3.0, 4.0)
    True
    """
    check_function(f, "f", "one of numbers")
    name, eps = getattr(f, "__name__", "f"), check_positive(eps, "eps")
    atol, rtol = (
        check_number(atol, "atol", 0.0, finite=False),
        check_number(rtol, "rtol", 0.0, finite=False),
    )
    leaves, rebuild = flatten(args, "the arguments")
    point = [x.data if isinstance(x, Value) else as_float(x, "an argument") for x in leaves]

    def outputs(numbers: Iterable[Any]) -> list[Any]:
        return flatten(f(*rebuild(iter(numbers))), "the result")[0]

    def evaluate_near(numbers: Iterable[float]) -> list[float]:
        results = outputs(map(Value, numbers))
        if len(results) != len(exact):
            raise OperandError(
                f"{name} returns {len(exact)} numbers at the point but {len(results)} near it: a "
                "derivative needs a result whose shape does not change"
            )
        return [y.data if isinstance(y, Value) else float(y) for y in results]

    outputs.__name__ = name
    with no_grad():
        exact = jacrev(outputs)(point)
        if not point or not exact:
            missing = "returns no numbers" if point else "is given no numbers"
            raise OperandError(f"{name} {missing}: there is no derivative to check")
        columns = [_quotients(evaluate_near, point, column, eps) for column in range(len(point))]
    report = [
        f"output {row}, {leaf} (at {x:.6g}): gradient {partial:.10g}, central difference "
        f"{quotients[row]:.10g}, difference {abs(partial - quotients[row]):.3g}"
        for column, (leaf, x, quotients) in enumerate(
            zip(leaf_names(args, "args"), point, columns, strict=True)
        )
        for row, partial in enumerate(partials[column] for partials in exact)
        if not _agree(partial, quotients[row], atol, rtol)
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
        outputs([*point[:column], near, *point[column + 1 :]]) for near in (x + step, x - step)
    )
    width = (x + step) - (x - step)
    return [(high - low) / width for high, low in zip(above, below, strict=True)]


def _agree(partial: float, quotient: float, atol: float, rtol: float) -> bool:
    return isfinite(quotient) and abs(partial - quotient) <= atol + rtol * abs(quotient)
