"""Find what depends on what: the inputs of each result, as in the graph of an eager call.

Nothing depends on anything through a detached node. A lane depends on the numbers of that lane
only.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.passes.kinds import ADJOINT, BATCH, DETACH, UNBATCH, Op, Total
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol

#: The roots and seeds of a sweep, in turn.
Seeds = tuple[int, ...]
#: Up to this many results are followed back one by one.
_ONE_BY_ONE = 4
#: The most bits held at once, one for each pair of a node and an input.
_BITS = 2_000_000_000
#: The most pairs of a result and an input that are told apart: more would take longer than any
#: sweep, as those of a running sum, of which each result depends on one input more.
_PAIRS = 200_000


def operands_of(program: Program, wrt: Sequence[int], results: int) -> list[tuple[int, ...] | None]:
    """Return, for each result, the indices in `wrt` of the inputs it depends on; None for all.

    Where results depend on too many inputs in all, each is taken to depend on all or none.
    """
    nodes = program.nodes()
    nodes = nodes.cut_off(nodes.where(lambda op: op is DETACH))
    roots = program.outputs[:results]
    if len(roots) <= _ONE_BY_ONE and BATCH not in nodes.table:
        found = [np.flatnonzero(nodes.needed([root])[[*wrt]]).tolist() for root in roots]
    else:
        found = _in_one_pass(program, nodes, wrt, roots)
    return [None if len(places) == len(wrt) else tuple(places) for places in found]


def _in_one_pass(
    program: Program, nodes: Nodes, wrt: Sequence[int], roots: Sequence[int]
) -> list[list[int]]:
    """Return the indices for each root, found in one pass for as many inputs as memory allows."""
    found: list[list[int]] = [[] for _ in roots]
    counts = [0] * len(roots)
    ops, args = nodes.ops(), nodes.args()
    step = max(64, _BITS // len(ops))
    for first in range(0, len(wrt), step):
        some = wrt[first : first + step]
        sets = _sets(ops, args, program.constants, some)
        own = [sets[root] & ~(-1 << len(some)) for root in roots]
        counts = [count + x.bit_count() for count, x in zip(counts, own, strict=True)]
        if sum(counts) <= _PAIRS:
            for places, x in zip(found, own, strict=True):
                places += [first + k for k in _bits(x)]
    if sum(counts) > _PAIRS:
        return [[*range(len(wrt))] if count else [] for count in counts]
    return found


def _sets(
    ops: Sequence[object],
    args: Sequence[tuple[int, ...]],
    constants: dict[int, float],
    wrt: Sequence[int],
) -> list[int]:
    """Return, for each node, the set of inputs it depends on, as bits of an integer.

    Further bits stand for batched nodes of which it depends on the number in its own lane.
    """
    sets = [0] * len(ops)
    for k, node in enumerate(wrt):
        sets[node] = 1 << k
    batches: list[tuple[int, ...]] = []
    for node, op in enumerate(ops):
        operands = args[node]
        if not operands:
            continue
        if op is BATCH:
            sets[node] = 1 << (len(wrt) + len(batches))
            batches.append(operands)
            continue
        found = 0
        for x in operands:
            found |= sets[x]
        if batches and (op is UNBATCH or isinstance(op, Total)):
            own, crossed = found & ~(-1 << len(wrt)), found >> len(wrt)
            for batch in _bits(crossed):
                lanes = batches[batch]
                read = [lanes[int(constants[operands[1]])]] if op is UNBATCH else lanes
                for x in read:
                    own |= sets[x]
            found = own
        sets[node] = found
    return sets


def _bits(x: int) -> list[int]:
    """Return the positions of the bits that are set in a number."""
    return [k for k, digit in enumerate(f"{x:b}"[::-1]) if digit == "1"]


def sweeps_of(nodes: Nodes) -> dict[Seeds, dict[int, int]]:
    """Return, for each sweep (its roots and seeds), the derivatives, and by which node each is."""
    found: dict[int, dict[int, int]] = {}
    for x, (wrt, loss) in zip(nodes.places(ADJOINT), nodes.args_with(ADJOINT), strict=True):
        found.setdefault(loss, {})[x] = wrt
    merged: dict[Seeds, dict[int, int]] = {}
    for loss, derivatives in found.items():
        merged.setdefault(nodes.args_of(loss), {}).update(derivatives)
    return merged


def is_detached(op: Op) -> bool:
    """Return whether an operation sends no error signal back."""
    return op is DETACH


@functools.cache
def steps(op: Op) -> bool:
    """Return whether an operation is piecewise constant, so that its gradient is 0."""
    return isinstance(op, Elementwise) and all(
        not isinstance(x, Symbol) and x == 0.0 for x in op.partial_expressions
    )
