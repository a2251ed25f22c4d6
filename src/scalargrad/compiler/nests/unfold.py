"""Prepare a program for the search for loops: small operations, and derivatives side by side.

Tangents are written beside the nodes that they belong to (`tangents`). Backward sweeps that others
differentiate (in a Hessian, the gradient) are written out node by node if they are many: a sweep
through a loop repeats itself as the loop does, and so do sweeps of many points. The others are left
to `derive`.
"""

from __future__ import annotations

import math

import numpy as np

from scalargrad.compiler.nests.partition import crosses
from scalargrad.compiler.nests.small_operations import SmallOperations, Sweeps
from scalargrad.compiler.nests.tangents import without_tangents
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    TAKE,
    has_lanes,
)
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.unroll import lookups_recur, with_choices
from scalargrad.opdef.operation import Reduction
from scalargrad.ops import (
    identity,
)

#: The most sweeps read by others that are differentiated as equations.
_FEW = 4
#: The most sweeps with respect to different nodes that are not written out: more repeat themselves.
_MANY = 8
#: The least share of the nodes of all sweeps that each of many passes on average, if they are not
#: written out.
_SHARED = 0.25
#: The number of sweeps, about, over which that average is taken.
_SAMPLE = 32


def unfold(program: Program, *, lanes: bool = True) -> Program | None:
    """Return `program` in small operations, its sweeps side by side.

    None if an inner sweep leads out of examples. Lookups that depend on each other, or that inner
    sweeps may pass, are choices among all entries.

    Parameters
    ----------
    lanes : bool
        Whether several directions of a forward sweep may be lanes of one node.
    """
    found = without_tangents(program, lanes=lanes)
    return None if found is None else _unfolded(found)


def _unfolded(program: Program) -> Program | None:
    """Return a program without tangents as `unfold` does."""
    if lookups_recur(program):
        program = with_choices(program)
    nodes = program.nodes()
    reductions = any(isinstance(op, Reduction) for op in nodes.occurring())
    sweeps = nodes.sweeps()
    inner = _inner(program, sweeps) if len(sweeps) > 1 else {}
    last = {seeds: wrt for seeds, wrt in sweeps.items() if seeds not in inner}
    if len({tuple(wrt.values()) for wrt in last.values()}) > _MANY or _are_separate(program, last):
        inner = sweeps
    elif inner and _stay_equations(program, sweeps, inner):
        inner = {}
    unfolding = SmallOperations(program, inner)
    if not inner and not reductions and not unfolding.chain_starts:
        return program
    if inner and TAKE in nodes.occurring():
        return _unfolded(with_choices(program))
    if (
        inner
        and has_lanes(nodes.table)
        and any(crosses(program, wrt.values(), seeds[::2]) for seeds, wrt in inner.items())
    ):
        return None
    return unfolding.run()


def expand(program: Program) -> Program:
    """Return a program without lanes in small operations, its sweeps written node by node.

    Lookups are choices among all entries.
    """
    found = without_tangents(with_choices(program), lanes=False)
    assert found is not None  # as there are no lanes
    program = found
    return SmallOperations(program, program.nodes().sweeps()).run()


def _are_separate(program: Program, sweeps: Sweeps) -> bool:
    """Return whether many sweeps pass few nodes that others pass, too."""
    if len(sweeps) <= _MANY:
        return False
    nodes = program.nodes()
    every = np.count_nonzero(nodes.needed(x for seeds in sweeps for x in seeds[::2]))
    some = [*sweeps][:: math.ceil(len(sweeps) / _SAMPLE)]
    passed = np.mean([np.count_nonzero(nodes.needed(seeds[::2])) for seeds in some])
    return bool(passed < _SHARED * every)


def _stay_equations(program: Program, sweeps: Sweeps, inner: Sweeps) -> bool:
    """Return whether sweeps that others read are few, and those of gradients are by leaves.

    A derivative by a node within counts the reads of partials: these are equations by then. Leaves
    are inputs and constants.
    """
    if len(inner) > _FEW:
        return False
    nodes = program.nodes()
    is_copy = nodes.where(lambda op: op is identity)

    def is_leaf(x: int) -> bool:
        while is_copy[x]:
            (x,) = nodes.args_of(x)
        return x < program.inputs or x in program.constants

    gradient = nodes.where(lambda op: op is ADJOINT)
    by = [x for wrt in sweeps.values() for x in wrt.values()]
    if (nodes.needed(by) & gradient).any():
        return False
    later = [wrt for seeds, wrt in sweeps.items() if (nodes.needed(seeds[::2]) & gradient).any()]
    return all(is_leaf(x) for wrt in later for x in wrt.values())


def _inner(program: Program, sweeps: Sweeps) -> Sweeps:
    """Return the sweeps to be written out: what others or their points read, or by constants."""
    nodes, constants = program.nodes(), program.constants.keys()
    needed = nodes.needed(x for seeds, wrt in sweeps.items() for x in (*seeds, *wrt.values()))
    return {
        seeds: wrt
        for seeds, wrt in sweeps.items()
        if any(needed[x] for x in wrt) or not constants.isdisjoint(wrt.values())
    }
