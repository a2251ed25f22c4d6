"""Patterns: the inputs that each result of a program depends on, as a sparse matrix."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.unfold import written_out
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import unrolled, with_choices


def pattern(program: Program, inputs: int, results: int) -> tuple[Integers, Integers]:
    """Return where a Jacobian may have entries that are not 0.

    Parameters
    ----------
    program : Program
        As recorded.
    inputs : int
        How many inputs, the first ones, are differentiated with respect to.
    results : int
        How many outputs, the first ones, are differentiated.

    Returns
    -------
    first, columns : arrays of integers
        The columns of row i are ``columns[first[i] : first[i + 1]]``, in increasing order.

    Notes
    -----
    `passes.dependence` asks the same of programs whose results depend on most inputs, and holds a
    bit for each pair of a node and an input. Here a result depends on few of a great many, and what
    has the same inputs as an operand shares its set: bits of 30,000 residuals in 60,000 numbers
    would take 20 GB, or a pass over the program for every few hundred numbers.
    """
    program = written_out(with_choices(unrolled(program)))
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


def transposed(first: Integers, columns: Integers, width: int) -> tuple[Integers, Integers]:
    """Return the rows of each column of a pattern, in the form of the columns of each row."""
    rows = np.repeat(np.arange(len(first) - 1), np.diff(first))
    order = np.argsort(columns, kind="stable")
    counts: Any = np.bincount(columns, minlength=width)
    return np.concatenate([[0], np.cumsum(counts)]), rows[order]
