"""Write programs whose nodes may have lanes, and simplify what passes in and out of lanes.

A node is a single number, or has n lanes; a single number can be an operand of every lane. `BATCH`
makes n single numbers the lanes of a node, `UNBATCH` takes one lane out, and a `Total` sums
products over lanes. The writer recognises, for example, a batch of all lanes of one node, and a sum
of all lanes.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.passes.kinds import (
    BATCH,
    PRODUCTS,
    SCATTER,
    UNBATCH,
    Held,
    Op,
    Scattered,
    Total,
    has_lanes,
    of_lanes,
)
from scalargrad.compiler.passes.program import Program, size_of
from scalargrad.compiler.passes.writer import Writer


def writer_for(program: Program) -> Writer:
    """Return a writer for a pass over `program`: a `LaneWriter` if that has lanes."""
    writer = (LaneWriter if has_lanes(program.ops) else Writer)(program.inputs)
    writer.program.stacked = program.stacked
    return writer


class LaneWriter(Writer):
    """A writer that knows how many lanes each node has."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs)
        self.sizes = self.program.sizes()  # continued as nodes are written
        self.unbatched: dict[int, tuple[int, int]] = {}

    def unique(self, op: Op, args: tuple[int, ...]) -> int:
        """Write a node that will not be merged with equal ones."""
        self.sizes.append(size_of(op, args, self.sizes))
        return super().unique(op, args)

    def size(self, node: int) -> int:
        """Return how many lanes a node has."""
        return self.sizes[node]

    def as_wide(self, outputs: list[int], of: Program) -> list[int]:
        """Return outputs that have as many lanes as those of another program.

        Where all lanes have become one number, such as the derivative 0 of what is linear, it is
        repeated: whoever reads the outputs counts on their lanes.
        """
        lanes = of.sizes()
        return [
            x if self.sizes[x] >= lanes[old] else Writer.node(self, BATCH, (x,) * lanes[old])
            for x, old in zip(outputs, of.outputs, strict=True)
        ]

    def node(self, op: Op, args: tuple[int, ...]) -> int:
        """Return a node equal to `op` over `args`, in its simplest form."""
        if op is BATCH:
            return self.batch(args)
        if op is UNBATCH:
            return self.unbatch(args[0], int(self.constants[args[1]]))
        if isinstance(op, Total):
            return self.total(args, op.lanes)
        return super().node(op, args)

    def batch(self, nodes: Sequence[int]) -> int:
        """Return the node with these lanes; if they are all lanes of one node, that node."""
        first = nodes[0]
        if all(x == first for x in nodes):
            return first
        source, lane = self.unbatched.get(first, (first, -1))
        if lane == 0 and self.sizes[source] == len(nodes):
            unbatched = self.unbatched
            if all(unbatched.get(x) == (source, k) for k, x in enumerate(nodes)):
                return source
        return super().node(BATCH, tuple(nodes))

    def unbatch(self, node: int, lane: int) -> int:
        """Return the node of one lane of another."""
        if self.sizes[node] == 1:
            return node
        op = self.program.ops[node]
        if op is BATCH:
            return self.program.args[node][lane]
        if isinstance(op, Held):
            return self.constant(float(op.numbers[lane]))
        found = super().node(UNBATCH, (node, self.constant(float(lane))))
        self.unbatched[found] = (node, lane)
        return found

    def total(self, pairs: Sequence[int], lanes: int) -> int:
        """Return the node Σ a₀b₀ + a₁b₁ + … over terms and lanes."""
        sizes, constants, one = self.sizes, self.constants, self.one
        single: list[int] = []
        summed: list[int] = []
        for a, b in (pairs,) if len(pairs) == 2 else zip(pairs[::2], pairs[1::2]):  # noqa: B905 - hot loop
            if sizes[a] == sizes[b] == 1:
                single += (super().products([a, b]), self.constant(float(lanes)))
            else:
                summed += (b, a) if a in constants or (a > b and b not in constants) else (a, b)
        if not summed:
            return super().products(single)
        total = self.copied(of_lanes(Total, lanes), tuple(summed))
        return super().products([total, one, *single]) if single else total

    def scattered(self, size: int, pairs: Sequence[int], lanes: int) -> list[int]:
        """Return rows to which all lanes add; a single number is added once per lane."""
        if lanes == 1:
            return super().scattered(size, pairs, lanes)
        sizes, often, n = self.sizes, self.constant(float(lanes)), self.constant(float(size))
        once: list[int] = []
        each: list[int] = []
        for index, x in zip(pairs[::2], pairs[1::2], strict=True):
            if sizes[index] == sizes[x] == 1:
                once += (index, self.products([x, often]))
            else:
                each += (index, x)
        found = [self.node(SCATTER, (n, *once))] if once else []
        return found + ([self.node(of_lanes(Scattered, lanes), (n, *each))] if each else [])

    def copied_products(self, args: tuple[int, ...]) -> int:
        """Return the node of a copied sum, in which all lanes of a node may have come together."""
        return self.products(args) if self.unbatched else self.copied(PRODUCTS, args)

    def products(self, pairs: Sequence[int]) -> int:
        """Return the node a₀b₀ + a₁b₁ + …; terms with all lanes of a node become a total."""
        if self.unbatched and len(pairs) > 2:
            pairs = self._totalled(pairs)
        return super().products(pairs)

    def _totalled(self, pairs: Sequence[int]) -> Sequence[int]:
        """Replace terms with all lanes of a node by its total."""
        unbatched, sizes = self.unbatched, self.sizes
        if unbatched.keys().isdisjoint(pairs):
            return pairs
        kept: list[int] = []
        found: dict[int, list[dict[int, int]]] = {}
        for a, b in zip(pairs[::2], pairs[1::2], strict=True):
            lane_of, factor = (a, b) if a in unbatched else (b, a)
            if lane_of in unbatched and sizes[factor] == 1:
                source, lane = unbatched[lane_of]
                _add(found.setdefault(source, []), lane, factor)
            else:
                kept += (a, b)
        for source, rounds in found.items():
            for factors in rounds:
                kept += self._one_total(source, factors)
        return kept

    def _one_total(self, source: int, factors: dict[int, int]) -> list[int]:
        """Return the terms lane · factor, as a single total if no lane is missing."""
        lanes = self.sizes[source]
        if len(factors) < lanes:
            return [
                x for lane, factor in factors.items() for x in (self.unbatch(source, lane), factor)
            ]
        factor = self.batch([factors[k] for k in range(lanes)])
        return [self.total([source, factor], lanes), self.one]


def _add(rounds: list[dict[int, int]], lane: int, factor: int) -> None:
    """Put a factor in the first round without one for its lane."""
    for known in rounds:
        if lane not in known:
            known[lane] = factor
            return
    rounds.append({lane: factor})
