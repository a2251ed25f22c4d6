"""vmap: a function of one example applied to many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.errors import OperandError


def vmap(
    f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0
) -> Callable[..., list[Any]]:
    """Return a function that applies `f` to each example: ``[f(x) for x in xs]``.

    Parameters
    ----------
    f : callable
        A function of one example.
    in_axes : int, None or sequence of them
        For each positional argument, 0 if it holds one entry per example, None if all
        examples share it. A single setting serves all arguments. Keyword arguments are shared.

    Returns
    -------
    callable
        Returns a list with one result per example.

    Raises
    ------
    OperandError
        If the mapped arguments differ in length, or none is mapped.

    Notes
    -----
    Inside a compiled function the examples become lanes of the same instructions, as those of
    any loop do. Each is recorded, so recording takes time in proportion to their number.

    Examples
    --------
    >>> vmap(lambda w, x: w * x, in_axes=(None, 0))(10.0, [1.0, 2.0])
    [10.0, 20.0]
    """

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> list[Any]:
        axes = (in_axes,) * len(args) if in_axes is None or isinstance(in_axes, int) else in_axes
        counts = _counts(args, axes)
        return [
            f(*[x if axis is None else x[k] for x, axis in zip(args, axes, strict=True)], **kwargs)
            for k in range(counts)
        ]

    return mapped


def _counts(args: Sequence[Any], axes: Sequence[int | None]) -> int:
    """Return the number of examples."""
    if len(axes) != len(args) or any(axis not in {0, None} for axis in axes):
        raise OperandError(
            f"vmap: in_axes {tuple(axes)} for {len(args)} arguments: give 0 or None for each"
        )
    counts = {len(x) for x, axis in zip(args, axes, strict=True) if axis is not None}
    if len(counts) != 1:
        raise OperandError(
            f"vmap: the mapped arguments hold {sorted(counts) or 'no'} examples: give one number"
        )
    return counts.pop()
