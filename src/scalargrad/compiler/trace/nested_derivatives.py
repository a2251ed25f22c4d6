"""Record derivatives taken inside a function: each becomes a node, which a later pass expands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.trace.tape import Tape
from scalargrad.ops import identity
from scalargrad.transforms.evaluation import Evaluation, Subgraph
from scalargrad.tree import replaced
from scalargrad.value import Scalar, Value


class Region(Evaluation):
    """A run of a function that is differentiated within the recording under way.

    It implements what `Evaluation` does in eager code. Leaves and nodes are written to the
    recording like all others, and a derivative is one more node there.
    """

    def __init__(
        self,
        trace: Tape,
        f: Callable[..., Any],
        argnums: Sequence[int],
        args: Sequence[Any],
        kwargs: Any,
    ) -> None:
        self._trace = trace
        self._start = len(trace.ops)
        super().__init__(f, argnums, args, kwargs)

    def _leaf(self, x: Any) -> Value:
        return self._trace.region_leaf(x)

    def require_finite(self, y: Any) -> None:
        """Note that `y` must be finite; calls in which it is not are made eagerly."""
        if isinstance(y, Value):
            self._trace.finite.append(self._trace.refer(y, identity))
        else:
            super().require_finite(y)

    def subgraph(self, *outputs: Any) -> Subgraph:
        """Describe the subgraph of outputs: whether it reaches Values from outside."""
        return Subgraph([], not all(map(self._is_own, outputs)))

    def _is_own(self, y: Any) -> bool:
        """Return whether a number depends only on plain numbers and the leaves of this region."""
        if not isinstance(y, Value):
            return True
        return self._trace.plainness.outside(self._trace.refer(y, identity), self._start)

    def plain(self, x: Any, subgraph: Subgraph) -> Any:
        """Return an output for the caller: a plain number unless it belongs to an outer graph."""
        return x if subgraph.as_graph or not isinstance(x, Value) else self._trace.as_plain(x)

    def passed_on(self, aux: Any) -> Any:
        """Return an auxiliary result; Values become numbers, except those of an outer graph."""
        return replaced(aux, lambda x: self._trace.as_plain(x) if self._is_own(x) else x)

    def pull_back(self, weighted: Sequence[tuple[Value, Any]], subgraph: Subgraph) -> list[Scalar]:
        """Return Σ seed · ∂output/∂leaf for each leaf; `weighted` are pairs (output, seed)."""
        trace = self._trace
        seeds = [(trace.refer(y, identity), trace.refer(w, identity)) for y, w in weighted]
        wrt = [trace.refer(leaf, identity) for leaf in self.leaves]
        return trace.adjoints(wrt, seeds, plain=not subgraph.as_graph)

    def push_forward(
        self, outputs: Sequence[Any], directions: Sequence[Scalar], subgraph: Subgraph
    ) -> list[Scalar]:
        """Return the tangent of each output for these tangents of the leaves.

        A forward sweep is made of two backward ones: Σ ẋ · ∂y/∂x is the derivative with respect
        to u of Σ ẋ · ∂(u·y)/∂x.
        """
        return [self._tangent(y, directions, subgraph) for y in outputs]

    def by_columns(self, outputs: Sequence[Any], as_graph: bool) -> list[list[Any]]:
        """Return the gradient of each output, by backward sweeps; see `push_forward`."""
        return self.by_rows(outputs, as_graph)

    def _tangent(self, y: Any, directions: Sequence[Scalar], subgraph: Subgraph) -> Scalar:
        if not isinstance(y, Value):
            return 0.0
        trace = self._trace
        u = trace.leaf(identity, 1.5)  # any number that no pass folds
        wrt = [trace.refer(leaf, identity) for leaf in self.leaves]
        pulled = trace.adjoints(wrt, [(trace.refer(y, identity), u.index)], plain=False)
        seeds = [
            (trace.refer(signal, identity), trace.refer(direction, identity))
            for signal, direction in zip(pulled, directions, strict=True)
            if isinstance(signal, Value)
        ]
        (tangent,) = trace.adjoints([u.index], seeds, plain=not subgraph.as_graph)
        moved: Scalar = tangent
        return moved
