"""A Jacobian as a sparse matrix, from as many compiled products as its pattern has colours."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import NumericalError, OperandError, TraceError
from scalargrad.ops import dot
from scalargrad.sparsity.colouring import coloured
from scalargrad.sparsity.pattern import pattern, transposed
from scalargrad.system.packages import needed
from scalargrad.system.short_repr import shown
from scalargrad.transforms.evaluation import place_of
from scalargrad.transforms.functional import grad, positions_of
from scalargrad.tree import Rebuild, flatten, is_array, object_array
from scalargrad.value import Value

Others = tuple[list[Any], dict[str, Any]]


class SparseJacobian:
    """The Jacobian of a function, as a callable that returns sparse matrices.

    Parameters
    ----------
    f : callable
    argnums : int or sequence of int
        The arguments to differentiate with respect to, whose numbers are the columns.
    """

    def __init__(self, f: Callable[..., Any], argnums: int | Sequence[int]) -> None:
        functools.update_wrapper(self, f)
        self._f, self._name = f, getattr(f, "__name__", "f")
        self._function = Jitted(f)
        self._positions = positions_of(argnums)
        self._plans: dict[Any, _Plan] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the Jacobian at these arguments, a `scipy.sparse.csr_array`."""
        with needed("sparse=True needs"):
            import scipy.sparse
        positions = [place_of(args, k, self._name) for k in self._positions]
        x = np.concatenate([_numbers(args[k], f"argument {k}") for k in positions])
        others = [None if k in positions else a for k, a in enumerate(args)], kwargs
        key, _, _ = self._function.signature(args, kwargs)
        plan = self._plans.get(key)
        if plan is None or not plan.surroundings.unchanged():
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
            f"{where} holds Values: a sparse Jacobian is compiled by itself and not differentiated "
            "again; call it with numbers, outside jit and other derivatives"
        )
    return np.array(leaves, dtype=float)


class _Plan:
    """The pattern of a Jacobian for arguments of one structure, and the products that give it.

    Rows are coloured, and cotangents pulled back, unless that takes more than twice as many
    colours as columns: one backward sweep is compiled sooner than the two that push a tangent
    forward. Both are gradients of a `dot`: so many results that each have a cotangent of their
    own would be as many sweeps, of which examples under `vmap` have a square.

    Parameters
    ----------
    f : callable
    positions : sequence of int
        The arguments to differentiate with respect to.
    rebuilds : sequence of Rebuild
        Build each of these arguments from its numbers.
    x : array of n numbers
        The numbers of these arguments.
    others : (list, dict)
        All arguments, with None in place of these, and those given by name.

    Attributes
    ----------
    shape : (int, int)
        The number of results, and n.
    surroundings : Surroundings
        What the function closes over.
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
            return object_array(  # in which constants have nodes, too
                [y if isinstance(y, Value) else x[0].detach() * 0.0 + y for y in leaves]
            )

        def pulled_back(x: Any, v: Any, others: Others) -> Any:
            return grad(lambda y: dot(of_numbers(y, others), v))(x)

        def pushed(x: Any, v: Any, others: Others) -> Any:
            return grad(lambda u: dot(pulled_back(x, u, others), v))(ones)

        path = Jitted(of_numbers).recorded_singly((x, others), {})
        if path.branches:
            raise TraceError(
                "sparse=True takes functions that never ask a number for a way to go, as another "
                "way may have another pattern: choose with where"
            )
        self.surroundings: Surroundings = path.surroundings
        first, columns = self._rows = pattern(path.function.recorded, len(x), path.results)
        self.shape = path.results, len(x)
        ones = np.ones(path.results)  # the path itself would be looked through at each call
        of_columns = transposed(first, columns, len(x))
        rows = np.repeat(np.arange(path.results), np.diff(first))
        if np.diff(of_columns[0]).max(initial=0) <= 2 * np.diff(first).max(initial=0):
            colours = coloured(*of_columns, (first, columns))
            self._product, self._colour, self._place = Jitted(pulled_back), colours[rows], columns
        else:
            colours = coloured(first, columns, of_columns)
            self._product, self._colour, self._place = Jitted(pushed), colours[columns], rows
        self._seeds = [(colours == k) * 1.0 for k in range(colours.max(initial=-1) + 1)]

    def matrix(self, x: Any, others: Others) -> tuple[Any, Any, Any]:
        """Return the entries of the Jacobian row by row, their columns, and where rows begin."""
        found = [np.asarray(self._product(x, seed, others), float) for seed in self._seeds]
        entries = np.array(found)[self._colour, self._place] if found else np.empty(0)
        if not np.isfinite(entries).all():
            raise NumericalError(f"a derivative is not finite: {shown(entries)}")
        return entries, *self._rows[::-1]
