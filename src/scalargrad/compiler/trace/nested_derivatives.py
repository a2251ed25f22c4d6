"""Trace derivatives inside a function: each becomes a node, which a later pass expands.

Of ``grad(lambda y: y * y)(x)`` the nodes are::

    %1 = identity(%0), %2 = mul(%1, %1), %3 = 1.0, %4 = loss(%2, %3), %5 = adjoint(%1, %4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.engine.tree import replace_values
from scalargrad.engine.value import Scalar, Value
from scalargrad.ops import identity
from scalargrad.transforms.evaluation import Evaluation, Subgraph

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace


class Region(Evaluation):
    """A run of a function that is differentiated within the recording under way.

    It implements what `Evaluation` does in eager code. Leaves and nodes are written to the
    recording like all others, and a derivative is one more node there.
    """

    def __init__(
        self,
        trace: Trace,
        f: Callable[..., Any],
        argnums: Sequence[int],
        args: Sequence[Any],
        kwargs: Any,
    ) -> None:
        self._trace = trace
        self._start = len(trace.ops)
        super().__init__(f, argnums, args, kwargs)

    def _leaves_of(self, numbers: Sequence[Any]) -> list[Value]:
        return [*self._trace.region_leaves(numbers, self._start)]

    def require_finite(self, y: Any) -> None:
        """Note that `y` must be finite; calls in which it is not are made eagerly."""
        if isinstance(y, Value):
            self._trace.finite.append(self._trace.refer(y, identity))
        else:
            super().require_finite(y)

    def require_read(self, y: Any) -> None:
        """Do nothing: what is read by a name shows only when all is recorded."""

    def subgraph(self, *outputs: Any) -> Subgraph:
        """Describe the subgraph of outputs: whether it reaches Values from outside."""
        return Subgraph([], self.recorded and not all(map(self._is_own, outputs)))

    def _is_own(self, y: Any) -> bool:
        """Return whether a number depends only on plain numbers and the leaves of this region."""
        if not isinstance(y, Value):
            return True
        node = self._trace.refer(y, identity)
        return self._trace.plainness.is_young(node, self._start)

    def returned(self, x: Any, subgraph: Subgraph) -> Any:
        """Return an output for the caller: a plain number unless it belongs to an outer graph."""
        return x if subgraph.as_graph or not isinstance(x, Value) else self._trace.as_plain(x)

    def auxiliary(self, aux: Any) -> Any:
        """Return an auxiliary result; Values become numbers, except those of an outer graph."""
        kept = self.recorded
        return replace_values(
            aux, lambda x: x if kept and not self._is_own(x) else self._trace.as_plain(x)
        )

    def pull_back(
        self, weighted: Sequence[tuple[Value, Any]], subgraph: Subgraph, **_: bool
    ) -> list[Scalar]:
        """Return Σ seed · ∂output/∂leaf for each leaf; `weighted` are pairs (output, seed).

        Calls that return nan are made eagerly, and that is where it is refused.
        """
        trace = self._trace
        seeds = [(trace.refer(y, identity), trace.refer(w, identity)) for y, w in weighted]
        wrt = [trace.refer(leaf, identity) for leaf in self.leaves]
        plain = not subgraph.as_graph and all(trace.plainness.of(w) for _, w in seeds)
        return trace.adjoints(wrt, seeds, plain=plain)

    def push_forward(
        self, outputs: Sequence[Any], tangents: Iterable[dict[Value, Scalar]], subgraph: Subgraph
    ) -> list[list[Scalar]]:
        """Return the tangents of the outputs, for each of several tangents of the leaves."""
        trace = self._trace
        roots = [trace.refer(y, identity) if isinstance(y, Value) else None for y in outputs]
        directions = [
            {trace.refer(x, identity): trace.refer(dx, identity) for x, dx in moving.items()}
            for moving in tangents
        ]
        nodes = [y for y in roots if y is not None]
        found = trace.tangents(nodes, directions, as_graph=subgraph.as_graph)
        return [[0.0 if y is None else row[y] for y in roots] for row in found]
