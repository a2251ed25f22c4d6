"""Send error signals between single numbers and lanes in a backward sweep.

A single number that all lanes read gets the sum of their signals. A single lane that was taken out
of a node sends its signal back into that lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalargrad.compiler.passes.kinds import BATCH, TAKE, UNBATCH, Total
from scalargrad.compiler.passes.lane_writer import LaneWriter
from scalargrad.errors import TraceError

#: A wire: the operand it comes from, and the partial along it.
Wire = tuple[int, int]
Wires = Callable[[int], list[Wire]]
Signals = dict[int, list[int]]


class Crossing:
    """Collects the error signals of one backward sweep over a program with lanes.

    Parameters
    ----------
    signals : dict from node to list of int
        The terms of the error signal of each node, in pairs of factors; filled by `send`.
    per_lane : bool
        Whether each lane has a root of its own, as in ``vmap(grad(f))``, so that no signals are
        summed over lanes.
    """

    def __init__(self, writer: LaneWriter, signals: Signals, per_lane: bool) -> None:
        self.writer = writer
        self.signals = signals
        self.per_lane = per_lane
        self._totals: dict[int, Signals] = {}  # by number of lanes
        self._unbatched: dict[int, dict[int, list[int]]] = {}

    def terms(self, node: int) -> list[int] | None:
        """Return the terms of the error signal of `node`; None if it gets none."""
        writer, terms = self.writer, self.signals.pop(node, None) or []
        for lanes, totals in self._totals.items():
            pairs = totals.pop(node, None)
            if pairs is not None:
                terms += (writer.one, writer.total(pairs[::-1], lanes))
        unbatched = self._unbatched.pop(node, None) if self._unbatched else None
        if unbatched is not None:
            zero = writer.constant(0.0)
            each = range(writer.sizes[node])
            signals = [writer.products(unbatched[k]) if k in unbatched else zero for k in each]
            terms += (writer.batch(signals), writer.one)
        return terms or None

    def send(self, node: int, upstream: int, moving: bytearray, wires: Wires) -> None:
        """Send the error signal of `node` to its operands."""
        writer = self.writer
        op, args = writer.program.ops[node], writer.program.args[node]
        if not args:  # an input
            return
        if op is BATCH or op is UNBATCH or isinstance(op, Total):
            self.require_single_root()
        if op is BATCH:
            for lane, operand in enumerate(args):
                if moving[operand]:
                    self._over([(operand, writer.one)], 1, writer.unbatch(upstream, lane))
        elif op is UNBATCH:
            lane = int(writer.constants[args[1]])
            self._unbatched.setdefault(args[0], {}).setdefault(lane, []).extend(
                (upstream, writer.one)
            )
        else:
            self._over(
                wires(node), op.lanes if isinstance(op, Total) else writer.sizes[node], upstream
            )

    def send_from_lookup(self, node: int, upstream: int, wires: Sequence[Wire]) -> None:
        """Send the error signal of a lookup over `wires`; see `Lookups.pass_back`."""
        if self.writer.program.ops[node] is not TAKE:
            self.require_single_root()
        self._over(wires, self.writer.sizes[node], upstream)

    def _over(self, wires: Sequence[Wire], lanes: int, upstream: int) -> None:
        """Add upstream · partial, in each of `lanes` lanes, to the signals of operands."""
        sizes, signals = self.writer.sizes, self.signals
        alike = self.per_lane or lanes == 1
        totals = signals if alike else self._totals.setdefault(lanes, {})
        for operand, factor in wires:
            into = signals if sizes[operand] == lanes else totals
            known = into.get(operand)
            if known is None:
                into[operand] = [upstream, factor]
            else:
                known += (upstream, factor)

    def require_single_root(self) -> None:
        """Raise TraceError if lanes have roots of their own: no signal may leave them then."""
        if self.per_lane:
            raise TraceError(
                "a gradient taken inside vmap leads out of it, to what the examples were computed "
                "from: pass that to vmap as an argument, or take the gradient outside"
            )
