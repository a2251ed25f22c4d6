"""A traced program with its derivatives, each compiled when it is first needed.

For ``f(x) = x * x``, a gradient is more outputs of the same program, as ADJOINT nodes:

    %1 = mul(%0, %0)            the result
    %2 = 1.0
    %3 = loss(%1, %2)
    %4 = adjoint(%0, %3)        its gradient
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scalargrad.compiler.nests.unfold import expand
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    LOSS,
    TANGENT,
    UNBATCH,
    Op,
    Total,
    has_lanes,
    is_detached,
    steps,
)
from scalargrad.compiler.passes.nodes import Nodes, starts
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.runner import Inputs, Runner, runner_for
from scalargrad.system.cached_property import cached_property
from scalargrad.system.process import collector_paused


class Function:
    """A program, its results, and their derivatives with respect to some inputs.

    Parameters
    ----------
    recorded : Program
        As recorded. Its outputs are the results, then the guards.
    results : int
        The number of results.
    wrt : tuple of int
        The inputs to differentiate with respect to.
    """

    def __init__(self, recorded: Program, results: int, wrt: tuple[int, ...]) -> None:
        self.recorded = recorded
        self.results = results
        self.wrt = wrt
        self._pulled_back: dict[tuple[int, ...], Function] = {}
        self._operands_of: dict[tuple[int, ...], tuple[int, ...] | None] = {}

    @cached_property
    def _followed(self) -> Program:
        """The program in which dependence is traced; derivatives in it must be written out."""
        table = self.recorded.nodes().table
        if not self.wrt or {ADJOINT, TANGENT}.isdisjoint(table) or has_lanes(table):
            return self.recorded
        return expand(self.recorded)

    @cached_property
    def _attached(self) -> Nodes:
        """The nodes of that program, as gradients flow back through them."""
        nodes = self._followed.nodes()
        return nodes.cut_off(nodes.where(is_detached))

    def operands_of(self, places: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the indices in `wrt` of the inputs that some results depend on; None for all."""
        if places not in self._operands_of:
            roots = [self._followed.outputs[k] for k in places]
            read = self._within_lanes(roots).needed(roots)[[*self.wrt]]
            self._operands_of[places] = None if read.all() else (*np.flatnonzero(read).tolist(),)
        return self._operands_of[places]

    def _within_lanes(self, roots: Sequence[int]) -> Nodes:
        """Return the nodes as roots read them that are single lanes: with numbers of these alone.

        An example of vmap depends on its own numbers, unless something below joins lanes.
        """
        nodes = self._attached
        is_lane = nodes.where(lambda op: op is UNBATCH)
        if not is_lane[[*roots]].all():
            return nodes
        taken = [nodes.args_of(x) for x in roots]
        joins = is_lane | nodes.where(lambda op: isinstance(op, Total))
        if (nodes.needed([x for x, _ in taken]) & joins).any():
            return nodes
        users = nodes.users()
        lanes = [int(self._followed.constants[k]) for _, k in taken]
        is_read = np.isin(np.arange(len(users)) - nodes.first[users], lanes)
        kept = is_read | ~nodes.where(lambda op: op is BATCH)[users]
        counts = np.bincount(users[kept], minlength=len(nodes))
        return Nodes(nodes.table, nodes.codes, starts(counts), nodes.operands[kept])

    def attached(self) -> tuple[bool, ...]:
        """Return, for each result, whether a gradient flows back from it to any input in `wrt`."""
        return self._depending(is_detached)

    def given_back(self) -> dict[int, int]:
        """Return the results that are inputs in `wrt` themselves, with their indices there."""
        place = {node: k for k, node in enumerate(self.wrt)}
        results = self.recorded.outputs[: self.results]
        return {k: place[node] for k, node in enumerate(results) if node in place}

    def reached(self) -> tuple[bool, ...]:
        """Return, for each result, whether it depends on any input in `wrt`."""
        return self._depending(lambda _: False)

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The indices of results whose gradient is not identically 0."""
        return tuple(i for i, moves in enumerate(self._depending(steps)) if moves)

    @cached_property
    def are_read(self) -> list[bool]:
        """For each result, whether another is computed from it."""
        places = range(self.results)
        return self.read_by(places, places)

    def read_by(self, others: Sequence[int], results: Sequence[int]) -> list[bool]:
        """Return, for each of some results, by index, whether one of the others was made from it.

        Of an example of vmap, it is if something was computed from all examples; of a gradient
        within the program, if it is on the way to another gradient of the same roots.
        """
        nodes, outputs = self.recorded.nodes(), self.recorded.outputs
        is_lane = nodes.where(lambda op: op is UNBATCH)
        whole = [nodes.args_of(x)[0] if is_lane[x] else x for x in outputs[: self.results]]
        below = nodes.cut_off(is_lane | nodes.where(is_detached))
        read = below.needed(y for k in others for y in below.args_of(whole[k]))
        found = [bool(read[outputs[k]] or read[whole[k]]) for k in results]
        if ADJOINT in nodes.table:
            made = below.needed([whole[k] for k in others])
            signals = [below.args_of(x) for x in below.places(ADJOINT) if made[x]]
            for i, k in enumerate(results):
                if nodes.table[nodes.codes[whole[k]]] is ADJOINT:
                    x, loss = below.args_of(whole[k])
                    under = below.needed([x])
                    found[i] |= any(y != x and of == loss and under[y] for y, of in signals)
        if TANGENT in nodes.table:
            made = below.needed([whole[k] for k in others])
            tangents = [below.args_of(x) for x in below.places(TANGENT) if made[x]]
            for i, k in enumerate(results):
                if nodes.table[nodes.codes[whole[k]]] is TANGENT:
                    x, direction = below.args_of(whole[k])
                    same = [y for y, of in tangents if y != x and of == direction]
                    found[i] |= bool(below.needed(same)[x])
        return found

    def _depending(self, beyond: Callable[[Op], bool]) -> tuple[bool, ...]:
        """Return, for each result, whether it depends on `wrt`, but not through `beyond`."""
        if not self.wrt:
            return (False,) * self.results
        program = self._followed
        nodes = program.nodes()
        on = np.zeros(len(nodes), np.bool_)
        on[[*self.wrt]] = True
        found = nodes.cut_off(nodes.where(beyond)).depending(on)
        return tuple(found[program.outputs[: self.results]].tolist())

    @cached_property
    def values(self) -> Runner:
        """The runner that computes the outputs."""
        return runner_for(self.recorded)

    def with_row(self, index: int) -> Program:
        """Return the program with the gradient of one result as further outputs."""
        copy = self.recorded.copy()
        (one,) = copy.add([CONSTANT], [()])
        copy.constants[one] = 1.0
        return _asked(copy, self.wrt, [(copy.outputs[index], one)])

    @cached_property
    def along(self) -> tuple[int | None, Runner]:
        """The result whose gradient is computed along with the values, if any, and a runner.

        It is the only one that moves.
        """
        moving = self.moving or [k for k, x in enumerate(self.reached()) if x]
        if len(moving) != 1:
            return None, self.values
        return moving[0], runner_for(self.with_row(moving[0]))

    def outputs(self, inputs: Inputs) -> list[float]:
        """Return the results, with the digits that a call with gradients gives them."""
        return self.along[1](inputs)[: self.results]

    def with_seeds(self, seeds: list[float], inputs: Inputs) -> Inputs:
        """Return inputs with seeds after those that have nodes."""
        if isinstance(inputs, list):
            return [*inputs, *seeds]
        n = self.recorded.inputs
        return np.concatenate([inputs[:n], seeds, inputs[n:]])

    @collector_paused()
    def pulled_back(self, places: tuple[int, ...]) -> Function:
        """Return Σ seed · gradient over results in these places as a function.

        Its inputs are the same, followed by a seed for each place.
        """
        if places not in self._pulled_back:
            n, count = self.recorded.inputs, len(places)
            program, seeds = self.recorded.with_inputs(count), range(n, n + count)
            roots = [(program.outputs[k], seed) for k, seed in zip(places, seeds, strict=True)]
            program.outputs = []
            asked = _asked(program, self.wrt, roots)
            self._pulled_back[places] = Function(asked, len(self.wrt), (*self.wrt, *seeds))
        return self._pulled_back[places]


def _asked(program: Program, wrt: tuple[int, ...], roots: list[tuple[int, int]]) -> Program:
    """Add the gradient of Σ seed · root to the outputs of `program`, as ADJOINT nodes."""
    (loss,) = program.add([LOSS], [tuple(x for pair in roots for x in pair)])
    program.outputs += program.add([ADJOINT] * len(wrt), [(x, loss) for x in wrt])
    return program
