"""Colouring: columns of a Jacobian that share no row have one colour, and one product gives all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scalargrad.compiler.array_types import Integers


def coloured(first: Integers, columns: Integers, of_columns: tuple[Integers, Integers]) -> Integers:
    """Return a colour for each column: a number from 0; no row has two columns of one colour.

    Parameters
    ----------
    first, columns : arrays of integers
        The columns of each row, as `pattern` returns them.
    of_columns : (first, rows)
        The rows of each column, as `transposed` returns them.

    Notes
    -----
    Columns are coloured one after the other, those in the longest rows first, each with the least
    colour that is free.

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
