"""Error signals that cross between single numbers and lanes in a backward sweep.

A single number that serves all lanes gets the total of their signals; a lane taken out sends
its signal back into that lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalargrad.compiler.passes.kinds import BATCH, TAKE, UNBATCH, Total
from scalargrad.compiler.passes.lane_writer import LaneWriter
from scalargrad.errors import TraceError

#: The node at the end of a wire, and the partial.
Wire = tuple[int, int]
Wires = Callable[[int], list[Wire]]
Signals = dict[int, list[int]]


class Crossing:
    """What a backward sweep notes of wires between single numbers and lanes.

    Parameters
    ----------
    writer : LaneWriter
    signals : dict from node to list of int
        The terms of each node's error signal, in pairs; filled by `send`.
    per_lane : bool
        Every lane has a root of its own, as in ``vmap(grad(f))``: nothing is added up over lanes.
    """

    def __init__(self, writer: LaneWriter, signals: Signals, per_lane: bool) -> None:
        self.writer = writer
        self.signals = signals
        self.per_lane = per_lane
        self._totals: dict[int, dict[int, list[int]]] = {}
        self._unbatched: dict[int, dict[int, list[int]]] = {}

    def terms(self, node: int) -> list[int] | None:
        """Return the terms of the error signal of `node`; None if none arrived."""
        writer, terms = self.writer, self.signals.pop(node, [])
        for lanes, pairs in self._totals.pop(node, {}).items():
            terms += (writer.total(pairs, lanes), writer.one)
        unbatched = self._unbatched.pop(node, None)
        if unbatched is not None:
            zero = writer.constant(0.0)
            each = range(writer.sizes[node])
            signals = [writer.products(unbatched[k]) if k in unbatched else zero for k in each]
            terms += (writer.batch(signals), writer.one)
        return terms or None

    def send(self, node: int, upstream: int, moving: bytearray, wires: Wires) -> None:
        """Pass the error signal of `node` on to its operands."""
        writer = self.writer
        op, args = writer.program.ops[node], writer.program.args[node]
        if op is BATCH or op is UNBATCH or isinstance(op, Total):
            self.require_single_root()
        if op is BATCH:
            for lane, operand in enumerate(args):
                if moving[operand]:
                    self._to(operand, 1, writer.unbatch(upstream, lane), writer.one)
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
        """Pass on the error signal of a lookup over those wires that do not wait for others."""
        if self.writer.program.ops[node] is not TAKE:
            self.require_single_root()
        self._over(wires, self.writer.sizes[node], upstream)

    def _over(self, wires: Sequence[Wire], lanes: int, upstream: int) -> None:
        for operand, factor in wires:
            self._to(operand, lanes, upstream, factor)

    def _to(self, operand: int, lanes: int, upstream: int, factor: int) -> None:
        """Add a term, computed in each of `lanes` lanes, to the signal of an operand."""
        if self.per_lane or lanes in {1, self.writer.sizes[operand]}:
            known = self.signals.setdefault(operand, [])
        else:
            known = self._totals.setdefault(operand, {}).setdefault(lanes, [])
        known += (upstream, factor)

    def require_single_root(self) -> None:
        """Raise TraceError where lanes have roots of their own and a signal would leave them."""
        if self.per_lane:
            raise TraceError(
                "a gradient taken inside vmap leads out of it, to what the examples were computed "
                "from: pass that to vmap as an argument, or take the gradient outside"
            )
