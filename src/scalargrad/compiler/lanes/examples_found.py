"""Find the examples of a vmap in a recorded program, if they are long recurrences.

They are what has lanes, and single numbers that only they are computed from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.passes.differentiate import Seeds
from scalargrad.compiler.passes.expressions import ADD, IDENTITY, MUL, NEG, SUB
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, INPUT, has_lanes, makes_lanes
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program, RecordedProgram
from scalargrad.table.operation import Operation

#: The fewest instructions of an example: fewer are packed in half a second, and then run up to
#: twice as fast.
INSTRUCTIONS = 4_000
#: Instructions that read more numbers than this, in the mean, are those of layers.
_WIDE = 4.75
#: The most single numbers that each example computes for itself and that are read elsewhere too:
#: as all results of examples, they are kept for each.
_SHARED_RESULTS = 64

_SUMS = {ADD, SUB, NEG}


class FoundExamples(NamedTuple):
    """A program, and the examples in it.

    Attributes
    ----------
    lanes : int
        The number of examples.
    own : flags
        The nodes of the examples: those with lanes, and single numbers that only they are computed
        from.
    after : list of int
        The other nodes that depend on the examples.
    read : list of int
        What the examples read: single numbers, then nodes of a number for each example.
    singles : int
        How many of these are single numbers.
    results : list of int
        The nodes of the examples that are read elsewhere, or outputs.
    sweeps : dict
        The gradients that flow through the examples: by seeds, the nodes of ADJOINT.
    one : Program
        An example: a program of `read`, with `results` as its outputs.
    """

    program: Program
    lanes: int
    own: Flags
    after: list[int]
    read: list[int]
    singles: int
    results: list[int]
    sweeps: dict[Seeds, list[int]]
    one: Program


def find_examples(recorded: Program) -> FoundExamples | None:
    """Return the examples of a recorded program; None if it has none, or other ones."""
    nodes = recorded.nodes()
    if len(nodes) < INSTRUCTIONS or not has_lanes(nodes.table) or _is_of_layers(nodes):
        return None
    program = recorded.copy()  # threads share a recording, which keeps lists made of it
    sizes = np.array(program.sizes())
    makes, constant = nodes.where(makes_lanes), nodes.where(lambda op: op is CONSTANT)
    lanes, has_lane = np.unique(sizes[sizes > 1]), (sizes > 1) & ~makes
    if len(lanes) != 1 or np.count_nonzero(has_lane) < INSTRUCTIONS:
        return None
    users, operands = nodes.users(), nodes.operands
    found = _after(program, has_lane)
    if found is None:
        return None
    own = has_lane | _shared(program, has_lane, found[0])
    found = _after(program, own)
    if found is None or not _may_pay(nodes, own):
        return None
    after, sweeps = found
    results = _leaving(program, own).tolist()
    outer = np.unique(operands[own[users] & ~own[operands]])
    outer = outer[~constant[outer]]
    singles, stacks = outer[sizes[outer] == 1].tolist(), outer[sizes[outer] > 1].tolist()
    read = [*singles, *stacks]
    if not {*after}.isdisjoint(read):
        return None
    one = _one_example(program, nodes, own, read, results)
    return FoundExamples(
        program, int(lanes[0]), own, after, read, len(singles), results, sweeps, one
    )


def _leaving(program: Program, own: Flags) -> Integers:
    """Return the nodes of the examples that are read elsewhere, or outputs."""
    nodes, outputs = program.nodes(), np.array(program.outputs, np.int64)
    read = nodes.operands[~own[nodes.users()]]
    found: Integers = np.unique(np.concatenate([read[own[read]], outputs[own[outputs]]]))
    return found


def _after(program: Program, own: Flags) -> tuple[list[int], dict[Seeds, list[int]]] | None:
    """Return which other nodes depend on those of examples, and the sweeps through these.

    None if such a sweep reads what another has computed.
    """
    ops, inside = program.ops, bytearray(own)
    after, derived = bytearray(len(ops)), bytearray(len(ops))
    sweeps: dict[Seeds, list[int]] = {}
    for x in np.flatnonzero(~own).tolist():
        args = program.args[x]
        after[x] = any(inside[y] or after[y] for y in args)
        derived[x] = any(derived[y] for y in args)
        if after[x] and ops[x] is ADJOINT:
            if derived[x] or any(inside[y] for y in args):
                return None
            derived[x] = True
            sweeps.setdefault(args[1:], []).append(x)
    return [x for x, is_after in enumerate(after) if is_after], sweeps


def _shared(program: Program, has_lane: Flags, after: list[int]) -> Flags:
    """Return which single numbers are computed for the examples: each computes its own.

    They may be in a loop, such as -k in each of its steps. What depends on examples, and by what
    derivatives are taken, is not among them; nor is any if many of them are read elsewhere.
    """
    nodes = program.nodes()
    given = nodes.where(lambda op: op in {INPUT, CONSTANT, ADJOINT} or makes_lanes(op))
    shared = ~(given | has_lane)
    shared[after] = False
    shared[[args[0] for args in nodes.args_with(ADJOINT)]] = False
    within = nodes.cut_off(~(shared | has_lane))
    shared &= within.needed(_leaving(program, has_lane).tolist())
    read = np.count_nonzero(shared[_leaving(program, shared | has_lane)])
    return shared if read <= _SHARED_RESULTS else np.zeros_like(shared)


def _one_example(
    program: Program, nodes: Nodes, own: Flags, read: list[int], results: list[int]
) -> Program:
    table, codes = [*nodes.table, INPUT], nodes.codes.copy()
    codes[read] = len(table) - 1
    kept = own.copy()
    kept[nodes.operands[own[nodes.users()]]] = True  # constants, too
    kept[read] = False
    count = len(read) + int(np.count_nonzero(kept))
    places = np.full(len(nodes), -1)
    places[read], places[kept] = np.arange(len(read)), np.arange(len(read), count)
    bare = nodes.cut_off(~own)
    chosen = Nodes(table, codes, bare.first, bare.operands).chosen(places, count)
    constants = {int(places[x]): y for x, y in program.constants.items() if places[x] >= 0}
    return RecordedProgram(len(read), chosen, constants, places[results].tolist())


def _in_sums(nodes: Nodes) -> Flags:
    """Return which nodes take no instruction of their own: terms that a sum alone reads."""
    sums, users = nodes.where(lambda op: op in _SUMS), nodes.users()
    found = np.zeros(len(nodes), np.bool_)
    found[nodes.operands[sums[users]]] = True
    found &= sums | nodes.where(lambda op: op is MUL) | (np.diff(nodes.first) > _WIDE)
    found &= np.bincount(nodes.operands, minlength=len(nodes)) == 1
    return found


def _is_of_layers(nodes: Nodes) -> bool:
    """Return whether instructions read many numbers, as those of sums in layers of a network do.

    Layers run as fast packed, or faster: as products of matrices.
    """
    computed, within = nodes.where(lambda op: isinstance(op, Operation)), _in_sums(nodes)
    read = np.diff(nodes.first)[computed].sum() - np.count_nonzero(within)
    return bool(read > _WIDE * np.count_nonzero(computed & ~within))


def _may_pay(nodes: Nodes, own: Flags) -> bool:
    """Return whether examples take many instructions, and more than all else."""
    computed = nodes.where(lambda op: isinstance(op, Operation))
    instructions = np.count_nonzero(own & computed & ~_in_sums(nodes))
    outside = np.count_nonzero(computed & ~own & ~nodes.where(lambda op: op is IDENTITY))
    return bool(instructions >= INSTRUCTIONS and outside < np.count_nonzero(own))
