"""Random graphs with shared nodes: eager, compiled and PyTorch's derivatives agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.inner import TABLE, FixedArityOperation, topological_order

from scalargrad import Value, gradients, jit

pytestmark = pytest.mark.differential

#: Smooth operations that PyTorch has too.
SMOOTH = (  # noqa: SIM905 - forty lines otherwise
    "add sub mul div pow neg square reciprocal exp expm1 log log1p log2 log10 sqrt sin cos tan "
    "asin acos atan atan2 sinh cosh tanh asinh acosh atanh hypot erf erfc sigmoid softplus silu "
    "gelu gelu_tanh identity sum mean logsumexp dot"
).split()
#: Maximum amplification of an error in a graph; beyond it, both sides are rounding noise.
AMPLIFICATION = 1e4

#: An operand: a number, or the index of a node with an optional interval to squash it into.
Operand = tuple[int | float, tuple[float, float] | None]
Operations = Callable[[str], Callable[..., Any]]


@dataclass
class Graph:
    """A graph, and the steps that built it from its leaves."""

    leaves: list[Value]
    root: Value
    steps: list[tuple[str, list[Operand]]]


def build_graph(
    leaves: list[Any], steps: list[tuple[str, list[Operand]]], operations: Operations
) -> Any:
    """Return the sum of the last three nodes of a graph."""
    nodes = [*leaves]
    for name, operands in steps:
        nodes.append(operations(name)(*(operand(nodes, *x, operations) for x in operands)))
    return sum(nodes[-2:], start=nodes[-3] if len(nodes) > 2 else 0.0)


def operand(
    nodes: list[Any],
    place: int | float,
    interval: tuple[float, float] | None,
    operations: Operations,
) -> Any:
    """Return a constant, a node, or a node squashed into an interval."""
    if isinstance(place, float):
        return place
    if interval is None:
        return nodes[place]
    low, high = interval
    return low + (high - low) * operations("sigmoid")(nodes[place])


def ours(name: str) -> Callable[..., Any]:
    """Return an operation of the registry."""
    return TABLE[name].of


def amplification(root: Value) -> float:
    """Return the factor by which an error of a node can grow up to the root."""
    grown: dict[Value, float] = {}
    for node in topological_order(root):
        pairs = zip(node.parents, node.local_grads, strict=True)
        grown[node] = 1.0 + sum(
            abs(local) * grown[parent]
            for parent, local in pairs
            if isinstance(parent, Value) and local is not None
        )
    return grown[root]


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int) -> Graph:
    """Draw a graph whose operands are earlier nodes or numbers."""
    numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
    leaves = [Value(x) for x in draw(st.lists(numbers, min_size=1, max_size=4))]
    nodes: list[Any] = [*leaves]
    steps: list[tuple[str, list[Operand]]] = []
    for _ in range(draw(st.integers(1, max_nodes))):
        op = TABLE[draw(st.sampled_from(SMOOTH))]
        operands: list[Operand] = []
        for i in range(
            op.arity if isinstance(op, FixedArityOperation) else draw(st.integers(2, 5))
        ):
            place = draw(st.integers(0, len(nodes) - 1))
            low, high = op.domain.interval(i)
            if i > 0 and draw(st.integers(0, 5)) == 0:
                constant = draw(st.floats(low, high).map(lambda c: round(c, 2) or 1.0))
                operands.append((constant, None))
            elif low <= nodes[place].data <= high:
                operands.append((place, None))
            else:
                operands.append((place, (low, high)))
        nodes.append(op.of(*(operand(nodes, *x, ours) for x in operands)))
        steps.append((op.name, operands))
    root = build_graph(leaves, steps, ours)
    assume(amplification(root) < AMPLIFICATION)
    return Graph(leaves, root, steps)


def approx_scaled(expected: list[float], tolerance: float) -> Any:
    """Return an approximation relative to the largest expected number."""
    scale = max(1.0, *(abs(x) for x in expected))
    return pytest.approx(expected, rel=tolerance, abs=tolerance * scale)


@given(graphs(max_nodes=6))
def test_jit_of_random_graphs_agrees_with_eager(graph: Graph) -> None:
    """Value, gradient and second derivatives of any operations agree."""
    compiled: Any = jit(lambda leaves: build_graph(leaves, graph.steps, ours))
    root = compiled(graph.leaves)
    assert root.data == pytest.approx(graph.root.data, rel=1e-10, abs=1e-10)
    first = gradients(graph.root, graph.leaves, create_graph=True)
    mine = gradients(root, graph.leaves, create_graph=True)
    assert [g.data for g in mine] == approx_scaled([g.data for g in first], 1e-9)
    assume(all(amplification(g) < AMPLIFICATION for g in first))
    for found, expected in zip(mine, first, strict=True):
        assert gradients(found, graph.leaves) == approx_scaled(
            gradients(expected, graph.leaves), 1e-8
        )


def torch_operations(torch: Any) -> Operations:
    """Return PyTorch's operations by the names of the registry.

    Its pow is replaced: at an exponent of 0 its gradient does not depend on the base, so that the
    mixed second derivative, 1/x, would be 0.
    """
    functional = torch.nn.functional

    def dot(*xs: Any) -> Any:
        half = len(xs) // 2
        products = torch.dot(torch.stack(xs[:half]), torch.stack(xs[half : 2 * half]))
        return products + sum(xs[2 * half :])

    by_name: dict[str, Callable[..., Any]] = {
        "pow": lambda x, y: torch.exp(y * torch.log(x)),
        "gelu": functional.gelu,
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        "identity": lambda x: x + 0.0,
        "sum": lambda *xs: torch.stack(xs).sum(),
        "mean": lambda *xs: torch.stack(xs).mean(),
        "logsumexp": lambda *xs: torch.logsumexp(torch.stack(xs), 0),
        "dot": dot,
        "softplus": functional.softplus,
        "silu": functional.silu,
    }

    def operation(name: str) -> Callable[..., Any]:
        f = by_name.get(name) or getattr(torch, name)
        return lambda *xs: f(*(torch.as_tensor(x, dtype=torch.float64) for x in xs))

    return operation


def torch_gradients(
    y: Any, tensors: list[Any], torch: Any, create_graph: bool = False
) -> list[Any]:
    """Return PyTorch's gradients, zero where there is no path."""
    if not y.requires_grad:
        return [torch.zeros((), dtype=torch.float64) for _ in tensors]
    found = torch.autograd.grad(
        y, tensors, create_graph=create_graph, retain_graph=True, allow_unused=True
    )
    return [torch.zeros((), dtype=torch.float64) if g is None else g for g in found]


@pytest.mark.wide
@given(graphs(max_nodes=12))
def test_gradients_of_random_graphs_agree_with_pytorch(graph: Graph) -> None:
    """Value and gradients agree within 1e-10, every row of the Hessian within 1e-9."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    tensors = [torch.tensor(x.data, dtype=torch.float64, requires_grad=True) for x in graph.leaves]
    root = build_graph(tensors, graph.steps, torch_operations(torch))
    assert graph.root.data == pytest.approx(root.item(), rel=1e-10, abs=1e-10)
    torch_first = torch_gradients(root, tensors, torch, create_graph=True)
    expected = approx_scaled([g.item() for g in torch_first], 1e-10)
    assert gradients(graph.root, graph.leaves) == expected
    graph.root.backward()
    assert [x.grad for x in graph.leaves] == expected
    first = gradients(graph.root, graph.leaves, create_graph=True)
    assume(all(amplification(g) < AMPLIFICATION for g in first))
    for g, t in zip(first, torch_first, strict=True):
        rows = [h.item() for h in torch_gradients(t, tensors, torch)]
        assert gradients(g, graph.leaves) == approx_scaled(rows, 1e-9)
