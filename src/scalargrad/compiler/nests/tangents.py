"""Write forward sweeps node by node: the tangent of each node beside the node itself.

A tangent is a sum of products of partial derivatives and the tangents of operands, so it is
computed, searched for loops and differentiated like any other node. Several directions are the
lanes of one node; where nodes already have lanes, those of the examples of vmap, each direction has
nodes of its own.

This is recorded for sin(x)·y in the direction (2, y)::

    %2 = identity(%0)
    %3 = identity(%1)
    %4 = sin(%2)
    %5 = mul(%4, %3)
    %6 = 2.0
    %7 = direction(%2, %6, %3, %1)
    %8 = tangent(%5, %7)

and written as::

    %5 = sin(%2)
    %6 = cos(%2)
    %7 = mul(%3, %6)    the tangent of %5, where %3 = 2.0
    %8 = mul(%7, %4)
    %9 = mul(%1, %5)
    %10 = add(%8, %9)    the tangent of %5 · %4
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from scalargrad.compiler.nests.partition import crosses
from scalargrad.compiler.nests.small_operations import SmallOperations, Sweeps
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    DIRECTION,
    LOSS,
    ROW,
    TAKE,
    TANGENT,
    UNBATCH,
    Held,
    Op,
    Total,
    has_lanes,
    is_detached,
)
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program, Writer, without_dead_nodes
from scalargrad.compiler.passes.unroll import with_choices
from scalargrad.opdef.operation import FixedArityOperation
from scalargrad.ops import add

#: Minimum number of directions that are lanes; fewer have nodes of their own.
_MIN_LANES = 3


def without_tangents(program: Program, *, lanes: bool) -> Program | None:
    """Return a program whose tangents are written as operations; None if that is not possible.

    It is impossible if a tangent passes a gradient with respect to a number that examples share.
    Backward sweeps that tangents pass are expanded into nodes, and gathers into selects.

    Parameters
    ----------
    lanes : bool
        Whether several directions may be lanes of one node; else each has nodes of its own.
    """
    while TANGENT in program.nodes().occurring():
        made = SmallOperations(program, {}).run()
        sweeps = _forward_sweeps(made)
        ready = _without_gradients(made, sweeps)
        if ready:
            program = _Tangents(made, ready, lanes=lanes).run()
            continue
        if TAKE in program.nodes().occurring():
            program = with_choices(program)
            continue
        passed = _gradients_passed(made, sweeps)
        if has_lanes(made.nodes().table) and any(
            crosses(made, wrt.values(), seeds[::2]) for seeds, wrt in passed.items()
        ):
            return None
        program = SmallOperations(made, passed).run()
    return program


# Forward sweeps -----------------------------------------------------------------------------------


@dataclass(eq=False)
class _ForwardSweep:
    """Directions that are written together, and the nodes that they pass.

    Attributes
    ----------
    directions : dict from int to dict from int to int
        The leaves that move in each direction, and their tangents.
    tangents : dict from int to (int, int)
        The node and the direction of each requested tangent.
    moving : set of int
        The nodes, leaves excluded, that depend on leaves, among those that tangents depend on.
    passes : bool
        Whether there are tangents of other sweeps among these.
    outer : dict from _ForwardSweep to None
        The sweeps that pass tangents of this one, inner ones first.
    """

    directions: dict[int, dict[int, int]]
    tangents: dict[int, tuple[int, int]]
    moving: set[int] = field(default_factory=set)
    passes: bool = False
    outer: dict[_ForwardSweep, None] = field(default_factory=dict)


def _forward_sweeps(program: Program) -> list[_ForwardSweep]:
    """Return the forward sweeps of a program, inner ones before those that pass them.

    Directions that follow one another belong together if both have a tangent of one node.
    """
    nodes = program.nodes()
    tangents: dict[int, dict[int, int]] = {}
    for x, (node, direction) in zip(nodes.places(TANGENT), nodes.args_with(TANGENT), strict=True):
        tangents.setdefault(direction, {})[x] = node
    found: list[_ForwardSweep] = []
    last, roots = -1, set[int]()
    for x in sorted(tangents):
        before, roots = roots, {*tangents[x].values()}
        if x != last + 1 or before.isdisjoint(roots):
            found.append(_ForwardSweep({}, {}))
        args = nodes.args_of(x)
        found[-1].directions[x] = dict(zip(args[::2], args[1::2], strict=True))
        found[-1].tangents.update({y: (node, x) for y, node in tangents[x].items()})
        last = x
    for sweep in found:
        leaves = {x for direction in sweep.directions.values() for x in direction}
        sweep.moving = _between(nodes, leaves, {node for node, _ in sweep.tangents.values()})
    sweep_of = {x: sweep for sweep in found for x in sweep.tangents}
    for sweep in found:
        inner = sweep.moving & sweep_of.keys()
        sweep.passes = bool(inner)
        for x in inner:
            sweep_of[x].outer[sweep] = None
    return found


def _between(nodes: Nodes, leaves: set[int], roots: set[int]) -> set[int]:
    """Return the nodes, leaves excluded, that depend on leaves, and that roots depend on."""
    first, args = min(leaves), nodes.args_of
    below, ahead = {*roots}, [*roots]
    while ahead:
        more = {x for x in args(ahead.pop()) if x > first} - below
        below |= more
        ahead += more
    found = {*leaves}
    detached = [is_detached(op) for op in nodes.table]
    for node in sorted(below - leaves):
        if not (found.isdisjoint(args(node)) or detached[nodes.codes[node]]):
            found.add(node)
    return found - leaves


def _without_gradients(program: Program, sweeps: Sequence[_ForwardSweep]) -> list[_ForwardSweep]:
    """Return the forward sweeps that pass no gradient, and no forward sweep that does."""
    nodes = program.nodes()
    barred = {*nodes.places(ADJOINT), *nodes.places(LOSS)}
    found = []
    for sweep in sweeps:
        if sweep.moving.isdisjoint(barred):
            found.append(sweep)
        else:
            barred |= sweep.tangents.keys()
    return found


def _gradients_passed(program: Program, sweeps: Sequence[_ForwardSweep]) -> Sweeps:
    """Return the backward sweeps that forward ones pass, but for those that pass tangents."""
    nodes = program.nodes()
    gradients = nodes.where(lambda op: op is ADJOINT)
    moving = {x for sweep in sweeps for x in sweep.moving}
    passed = nodes.needed([x for x in nodes.places(ADJOINT) if x in moving]) & gradients
    passed &= ~nodes.depending(nodes.where(lambda op: op is TANGENT))
    every = nodes.sweeps().items()
    return {seeds: wrt for seeds, wrt in every if any(passed[x] for x in wrt)}


# Writing ------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Direction:
    """One direction, or several as lanes, of a forward sweep that is written.

    Attributes
    ----------
    sweep : _ForwardSweep
    seeds : dict from int to tuple of int or None
        For each leaf that moves, the node of its tangent in each lane, None where it is 0.
    tangents : dict from int to int
        For each node of the new program that moves, its tangent.
    """

    sweep: _ForwardSweep
    seeds: dict[int, tuple[int | None, ...]]
    tangents: dict[int, int] = field(default_factory=dict)


class _Tangents(SmallOperations):
    """Writer of a program in small operations with its tangents, but for those of some sweeps."""

    def __init__(self, program: Program, sweeps: Sequence[_ForwardSweep], *, lanes: bool) -> None:
        #: The directions in which the node that is written has tangents, inner ones first.
        self._open: list[_Direction] = []
        super().__init__(program, {})
        self._lanes = lanes
        self._sizes = program.nodes().sizes()
        self._now = program.inputs  # the node of the source that is written
        self._moves: dict[int, list[_Direction]] = {}
        self._leaves: dict[int, list[_Direction]] = {}
        self._wanted: dict[int, tuple[_Direction, int, int]] = {}  # with its node and lane
        self._directions: dict[_ForwardSweep, list[_Direction]] = {}
        for sweep in sweeps:
            self._add(sweep)

    def _add(self, sweep: _ForwardSweep) -> None:
        """Make the directions of a sweep, and note which nodes have tangents in them."""
        read = {x for pairs in sweep.directions.values() for pair in pairs.items() for x in pair}
        read.update(*map(self.source.nodes().args_of, sweep.moving), sweep.moving)
        has_examples = bool((self._sizes[[*read]] > 1).any())
        is_wide = self._lanes and len(sweep.directions) >= _MIN_LANES
        every = [*sweep.directions]
        groups = [[x] for x in every]
        if is_wide and not has_examples and not sweep.passes:
            groups = [every]
        for group in groups:
            directions = [sweep.directions[x] for x in group]
            leaves = dict.fromkeys(x for seeds in directions for x in seeds)
            seeds = {x: tuple([seeds.get(x) for seeds in directions]) for x in leaves}
            made = _Direction(sweep, seeds)
            self._directions.setdefault(sweep, []).append(made)
            for x in leaves:
                self._leaves.setdefault(x, []).append(made)
            for x in sweep.moving:
                self._moves.setdefault(x, []).append(made)
            for x, (node, direction) in sweep.tangents.items():
                if direction in group:
                    self._wanted[x] = made, node, group.index(direction)

    def run(self) -> Program:
        """Return the program with its tangents."""
        source = self.source.nodes()
        changed = np.zeros(len(source), np.bool_)
        changed[[*self._moves, *self._leaves, *self._wanted]] = True
        return without_dead_nodes(self.rewrite(changed))

    def write_changed(self, node: int) -> int:
        """Write a node that has a tangent or is one, and return it."""
        self._now = node
        return self._copied(node)

    def _copied(self, node: int) -> int:
        """Write a node of the source with its tangents, and return it."""
        nodes = self.source.nodes()
        op: Op = nodes.table[nodes.codes[node]]
        if op is DIRECTION:
            return -1  # only tangents read it
        self._open = self._moves.get(node, [])
        if node in self._wanted:
            direction, root, lane = self._wanted[node]
            return self._tangent_of(direction, self._new(root), lane)
        args = tuple(map(self._new, nodes.args_of(node)))
        made = self._append(op, args) if node in self._leaves else self.write(op, args)
        for direction in self._leaves.get(node, ()):
            direction.tangents[made] = self._seed(direction, node)
        self._open = []
        return made

    def _new(self, node: int) -> int:
        """Return the new node of a node of the source, which is written now if it comes later.

        Tangents passed to a function may be copied by nodes after those of the function.
        """
        if node < self._now:
            return self.places[node]
        if node in self.source.constants:
            return self.constant(self.source.constants[node])
        is_open, self._open = self._open, []
        made = self._copied(node)
        self._open = is_open
        return made

    def _seed(self, direction: _Direction, leaf: int) -> int:
        """Write the tangent of a leaf."""
        seeds = direction.seeds[leaf]
        found = [self.constant(0.0) if x is None else self._new(x) for x in seeds]
        if len(found) == 1:
            return found[0]
        self._open = self._outer(direction)
        numbers = [self.constants.get(x) for x in found]
        if None in numbers:
            return self.write(BATCH, found)
        return self.write(Held(np.array(numbers, float).tobytes()), ())

    def _outer(self, direction: _Direction) -> list[_Direction]:
        """Return the outer directions, in which tangents of this direction have tangents again.

        Sweeps that pass gradients, and so are written later, are left out.
        """
        return [x for sweep in direction.sweep.outer for x in self._directions.get(sweep, ())]

    def _tangent_of(self, direction: _Direction, node: int, lane: int) -> int:
        """Write one lane of the tangent of a node."""
        found = direction.tangents.get(node)
        if found is None:
            return self.constant(0.0)
        lanes = len(next(iter(direction.seeds.values())))
        return found if lanes == 1 else self.write(UNBATCH, (found, self.constant(float(lane))))

    # Tangents of new nodes ----------------------------------------------------------------------

    def write(self, op: Op, args: Iterable[int]) -> int:
        """Write an operation, or its result if its operands are constants, and its tangents."""
        args = tuple(args)
        node = super().write(op, args)
        return self._with_tangents(op, node, args) if node not in self.constants else node

    def _append(self, op: Op, args: tuple[int, ...]) -> int:
        """Write an operation, and its tangents."""
        return self._with_tangents(op, Writer.write(self, op, args), args)

    def _with_tangents(self, op: Op, node: int, args: tuple[int, ...]) -> int:
        """Write the tangents of a new node in all active directions, and return the node.

        Those of outer sweeps come first, because the partials of inner ones depend on the node.
        """
        is_open, factors = self._open, dict[tuple[_ForwardSweep, int], int | float]()
        for direction in reversed(is_open):
            known = direction.tangents
            if is_detached(op) or not any(x in known for x in args):
                continue
            self._open = self._outer(direction)
            tangent = self._tangent(op, node, args, direction, factors)
            if tangent is not None:
                known[node] = tangent
        self._open = is_open
        return node

    def _tangent(
        self,
        op: Op,
        node: int,
        args: tuple[int, ...],
        direction: _Direction,
        factors: dict[tuple[_ForwardSweep, int], int | float],
    ) -> int | None:
        """Write the tangent of a node with a moving operand; None if the tangent is 0.

        Parameters
        ----------
        factors : dict
            The partials written so far, by sweep and operand.
        """
        known = direction.tangents
        if op is BATCH or op is ROW:
            return self.write(op, [known[x] if x in known else self.constant(0.0) for x in args])
        if op is UNBATCH:
            return self.write(op, (known[args[0]], args[1]))
        if op is TAKE:
            return self.write(op, (args[0], known[args[1]])) if args[1] in known else None
        if isinstance(op, Total):
            pairs = [(args[1 - j], known[x]) for j, x in enumerate(args) if x in known]
            return self._chain_of([self.write(op, pair) for pair in pairs])
        assert isinstance(op, FixedArityOperation)
        op, args = self.without_power(op, args)
        terms = []
        for j, x in enumerate(args):
            if x in known:
                key = direction.sweep, j
                if key not in factors:
                    factors[key] = self.factor(op, (node, *args), j)
                terms.append(self.product(known[x], factors[key]))
        return self._chain_of(terms) if terms else None

    def _chain_of(self, terms: Sequence[int]) -> int:
        """Write the sum of some terms, in order."""
        found, *others = terms
        for x in others:
            found = self.write(add, (found, x))
        return found
