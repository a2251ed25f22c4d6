"""Sparse Jacobians: the sparsity pattern, and a minimum of compiled products.

Columns that share no row have one colour, and their entries are computed by one product:

    pattern   x 0 x      columns 0 and 1 share no row: colours 0, 0, 1
              0 x x      two products instead of three
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.unfold import expand
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import unrolled
from scalargrad.engine.tree import Rebuild, flatten, is_array, object_array
from scalargrad.engine.value import Value
from scalargrad.errors import NumericalError, OperandError, TraceError
from scalargrad.ops import dot
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value
from scalargrad.transforms.evaluation import place_of
from scalargrad.transforms.functional import grad, positions_of


def pattern(program: Program, inputs: int, results: int) -> tuple[Integers, Integers]:
    """Return the sparsity pattern of a Jacobian: its entries that may not be 0.

    Parameters
    ----------
    program : Program
        The traced program.
    inputs : int
        The number of inputs, the first ones, to differentiate with respect to.
    results : int
        The number of outputs, the first ones, that are differentiated.

    Returns
    -------
    first, columns : arrays of integers
        The columns of row i are ``columns[first[i] : first[i + 1]]``, in increasing order.

    Notes
    -----
    A node with the same inputs as an operand shares its set, since results depend on few inputs. A
    bit matrix would take 20 GB for 30,000 residuals and 60,000 inputs.
    """
    program = expand(unrolled(program))
    nothing: frozenset[int] = frozenset()
    sets = [nothing] * len(program)
    sets[:inputs] = [frozenset((k,)) for k in range(inputs)]
    roots = program.outputs[:results]
    needed = program.nodes().needed(roots).tolist()
    for node in range(program.inputs, len(program)):
        if needed[node] and program.ops[node] is not DETACH:
            found = nothing
            for operand in program.args[node]:
                more = sets[operand]
                if more and more is not found:
                    found = found | more if found else more
            sets[node] = found
    rows = [sorted(sets[root]) for root in roots]
    first = np.concatenate([[0], np.cumsum([*map(len, rows)])]).astype(np.int64)
    return first, np.fromiter(chain.from_iterable(rows), np.int64, int(first[-1]))


def transpose(first: Integers, columns: Integers, width: int) -> tuple[Integers, Integers]:
    """Return the rows of each column of a pattern, in the form of the columns of each row."""
    rows = np.repeat(np.arange(len(first) - 1), np.diff(first))
    order = np.argsort(columns, kind="stable")
    counts: Any = np.bincount(columns, minlength=width)
    return np.concatenate([[0], np.cumsum(counts)]), rows[order]


def color_columns(
    first: Integers, columns: Integers, of_columns: tuple[Integers, Integers]
) -> Integers:
    """Return a colour for each column, a number from 0, so that no row has a colour twice.

    Parameters
    ----------
    first, columns : arrays of integers
        The columns of each row, as `pattern` returns them.
    of_columns : (first, rows)
        The rows of each column, as `transpose` returns them.

    Notes
    -----
    Columns are coloured greedily, those in the longest rows first, each with the smallest free
    colour.

    References
    ----------
    Curtis, Powell and Reid, On the estimation of sparse Jacobian matrices, 1974.
    Gebremedhin, Manne and Pothen, What color is your Jacobian?, SIAM Review, 2005.
    """
    starts, rows = of_columns
    of_row = [columns[a:b].tolist() for a, b in pairwise(first)]
    lengths = np.diff(first)
    degree = np.array([lengths[rows[a:b]].sum() for a, b in pairwise(starts)])
    colours = [-1] * len(degree)
    taken_by_row: list[set[int]] = [set() for _ in of_row]
    for column in np.argsort(-degree, kind="stable").tolist():
        own = rows[starts[column] : starts[column + 1]].tolist()
        colour = 0
        while any(colour in taken_by_row[row] for row in own):
            colour += 1
        colours[column] = colour
        for row in own:
            taken_by_row[row].add(colour)
    return np.array(colours, dtype=np.int64)


Others = tuple[list[Any], dict[str, Any]]


class SparseJacobian:
    """The Jacobian of a function, as a callable that returns sparse matrices.

    Parameters
    ----------
    f : callable
        The function.
    argnums : int or sequence of int
        The arguments to differentiate with respect to; their numbers are the columns.
    """

    def __init__(self, f: Callable[..., Any], argnums: int | Sequence[int]) -> None:
        functools.update_wrapper(self, f)
        self._f, self._name = f, getattr(f, "__name__", "f")
        self._function = Jitted(f)
        self._positions = positions_of(argnums)
        self._plans: dict[Any, _Plan] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the Jacobian at these arguments, a `scipy.sparse.csr_array`."""
        with optional_dependency("sparse=True needs"):
            import scipy.sparse
        positions = [place_of(args, k, self._name) for k in self._positions]
        x = np.concatenate([_numbers(args[k], f"argument {k}") for k in positions])
        others = [None if k in positions else a for k, a in enumerate(args)], kwargs
        key, _, _ = self._function.signature(args, kwargs)
        plan = self._plans.get(key)
        if plan is None or not plan.surroundings.are_unchanged():
            rebuilds = [flatten(args[k], "an argument")[1] for k in positions]
            plan = self._plans[key] = _Plan(self._f, positions, rebuilds, x, others)
        return scipy.sparse.csr_array(plan.matrix(x, others), shape=plan.shape)


def _numbers(argument: Any, where: str) -> Any:
    """Return the numbers of an argument as a flat array."""
    if is_array(argument) and argument.dtype.kind in "fiu":
        return argument.ravel().astype(float)
    leaves, _ = flatten(argument, where)
    if any(isinstance(leaf, Value) for leaf in leaves):
        raise OperandError(
            f"{where} has Values: a sparse Jacobian cannot be differentiated or compiled again; "
            "call it with numbers, outside jit and other derivatives"
        )
    return np.array(leaves, dtype=float)


class _Plan:
    """The pattern of a Jacobian for arguments of one structure, and the products to compute it.

    By default rows are coloured, and cotangents pulled back. If that takes more than twice as many
    colours as for columns, columns are coloured, and tangents pushed forward by two backward
    sweeps, which take longer to compile. Both are gradients of a `dot`, because separate cotangents
    for all results would need one sweep each.

    Parameters
    ----------
    f : callable
        The function.
    positions : sequence of int
        The arguments to differentiate with respect to.
    rebuilds : sequence of Rebuild
        Build each of these arguments from its numbers.
    x : array of n numbers
        The numbers of these arguments.
    others : (list, dict)
        All positional arguments, with None in place of these, and the keyword arguments.

    Attributes
    ----------
    shape : (int, int)
        The number of results, and n.
    surroundings : Surroundings
        The captured state of the function.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        positions: Sequence[int],
        rebuilds: Sequence[Rebuild],
        x: Any,
        others: Others,
    ) -> None:
        def of_numbers(x: Any, others: Others) -> Any:
            numbers, args = iter(x), [*others[0]]
            for position, rebuild in zip(positions, rebuilds, strict=True):
                args[position] = rebuild(numbers)
            leaves, _ = flatten(f(*args, **others[1]), "the result")
            return object_array(  # constants become nodes, too
                [y if isinstance(y, Value) else x[0].detach() * 0.0 + y for y in leaves]
            )

        def pull_back(x: Any, v: Any, others: Others) -> Any:
            return grad(lambda y: dot(of_numbers(y, others), v))(x)

        def push_forward(x: Any, v: Any, others: Others) -> Any:
            return grad(lambda u: dot(pull_back(x, u, others), v))(ones)

        path = Jitted(of_numbers).record_elementwise((x, others), {})
        if path.branches:
            raise TraceError(
                "sparse=True does not support branches on numbers, because each branch may have "
                "another pattern: use where"
            )
        self.surroundings: Surroundings = path.surroundings
        first, columns = self._rows = pattern(path.function.recorded, len(x), path.results)
        self.shape = path.results, len(x)
        ones = np.ones(path.results)  # capturing the path would check it at each call
        of_columns = transpose(first, columns, len(x))
        rows = np.repeat(np.arange(path.results), np.diff(first))
        if np.diff(of_columns[0]).max(initial=0) <= 2 * np.diff(first).max(initial=0):
            colours = color_columns(*of_columns, (first, columns))
            self._product, self._colour, self._place = Jitted(pull_back), colours[rows], columns
        else:
            colours = color_columns(first, columns, of_columns)
            self._product, self._colour, self._place = Jitted(push_forward), colours[columns], rows
        self._seeds = [(colours == k) * 1.0 for k in range(colours.max(initial=-1) + 1)]

    def matrix(self, x: Any, others: Others) -> tuple[Any, Any, Any]:
        """Return the entries of the Jacobian by row, their columns, and the start of each row."""
        found = [np.asarray(self._product(x, seed, others), float) for seed in self._seeds]
        entries = np.array(found)[self._colour, self._place] if found else np.empty(0)
        if not np.isfinite(entries).all():
            raise NumericalError(f"a derivative is not finite: {format_value(entries)}")
        return entries, *self._rows[::-1]
