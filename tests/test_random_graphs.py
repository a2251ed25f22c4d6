"""Random graphs with shared nodes: values, gradients and second derivatives against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalargrad import Value, gradients, ops
from scalargrad.graph import topological_order
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
F = torch.nn.functional

#: Every smooth operation of the table, as PyTorch has it. Not its pow: at an exponent of 0 its
#: gradient forgets the base, so that the mixed second derivative, 1/x, comes out as 0.
TORCH: dict[str, Callable[..., Any]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": lambda x, y: torch.exp(y * torch.log(x)),
    "neg": torch.neg,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "atan2": torch.atan2,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "hypot": torch.hypot,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "identity": lambda x: x + 0.0,
    "sum": lambda *x: torch.stack(x).sum(),
    "mean": lambda *x: torch.stack(x).mean(),
    "logsumexp": lambda *x: torch.logsumexp(torch.stack(x), 0),
    "dot": lambda *x: (
        torch.dot(torch.stack(x[: len(x) // 2]), torch.stack(x[len(x) // 2 : len(x) // 2 * 2]))
        + sum(x[len(x) // 2 * 2 :])
    ),
}
#: What a graph may still do to an error: beyond this, both sides are rounding noise.
AMPLIFICATION = 1e4


@dataclass
class Graph:
    """One graph, built twice."""

    leaves: list[Value]
    root: Value
    tensors: list[Any]
    torch_root: Any


def squash(x: Any, low: float, high: float, sigmoid: Callable[[Any], Any]) -> Any:
    """Move a number into an interval, smoothly."""
    return low + (high - low) * sigmoid(x)


def amplification(root: Value) -> float:
    """Return how much larger an error of a node can become on its way to the root."""
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
    """Draw a graph whose operands are any earlier nodes or numbers, and build it on both sides."""
    numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
    data = draw(st.lists(numbers, min_size=1, max_size=4))
    leaves = [Value(x) for x in data]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in data]
    pairs: list[tuple[Any, Any]] = list(zip(leaves, tensors, strict=True))
    for _ in range(draw(st.integers(1, max_nodes))):
        op = TABLE[draw(st.sampled_from(sorted(TORCH)))]
        arity = op.arity if isinstance(op, Elementwise) else draw(st.integers(2, 5))
        ours, theirs = [], []
        for i in range(arity):
            constant = arity > 1 and i > 0 and draw(st.integers(0, 5)) == 0
            x, t = pairs[draw(st.integers(0, len(pairs) - 1))]
            low, high = op.domain.interval(i)
            if constant:
                x = draw(st.floats(low, high).map(lambda c: round(c, 2) or 1.0))
                t = torch.tensor(x, dtype=torch.float64)
            elif not low <= x.data <= high:
                x, t = squash(x, low, high, ops.sigmoid), squash(t, low, high, torch.sigmoid)
            ours.append(x)
            theirs.append(t)
        pairs.append((op.of(*ours), TORCH[op.name](*theirs)))
    recent = pairs[-3:]
    root, torch_root = recent[0]
    for x, t in recent[1:]:
        root, torch_root = root + x, torch_root + t
    assume(amplification(root) < AMPLIFICATION)
    return Graph(leaves, root, tensors, torch_root)


def theirs(y: Any, tensors: list[Any], create_graph: bool = False) -> list[Any]:
    """Return PyTorch's gradients, zero where there is no path."""
    if not y.requires_grad:
        return [torch.zeros((), dtype=torch.float64) for _ in tensors]
    found = torch.autograd.grad(
        y, tensors, create_graph=create_graph, retain_graph=True, allow_unused=True
    )
    return [torch.zeros((), dtype=torch.float64) if g is None else g for g in found]


def close(expected: list[float], tolerance: float) -> Any:
    """Return an approximation relative to the largest number expected."""
    scale = max(1.0, *(abs(x) for x in expected))
    return pytest.approx(expected, rel=tolerance, abs=tolerance * scale)


@given(graphs(max_nodes=15))
def test_values_and_gradients_agree_with_pytorch(graph: Graph) -> None:
    """Value, backward and gradients of a random graph are PyTorch's within 1e-10."""
    assert graph.root.data == pytest.approx(graph.torch_root.item(), rel=1e-10, abs=1e-10)
    expected = close([g.item() for g in theirs(graph.torch_root, graph.tensors)], 1e-10)
    assert gradients(graph.root, graph.leaves) == expected
    graph.root.backward()
    assert [x.grad for x in graph.leaves] == expected


@given(graphs(max_nodes=15))
def test_gradients_as_a_graph_are_the_same_numbers(graph: Graph) -> None:
    """create_graph changes what is returned, not what is computed."""
    plain = gradients(graph.root, graph.leaves)
    as_graph = gradients(graph.root, graph.leaves, create_graph=True)
    assert [g.data for g in as_graph] == close(plain, 1e-12)


@given(graphs(max_nodes=5))
def test_second_derivatives_agree_with_pytorch(graph: Graph) -> None:
    """Every row of the Hessian of a small random graph is PyTorch's within 1e-9."""
    first = gradients(graph.root, graph.leaves, create_graph=True)
    torch_first = theirs(graph.torch_root, graph.tensors, create_graph=True)
    assume(all(amplification(g) < AMPLIFICATION for g in first))
    for g, t in zip(first, torch_first, strict=True):
        expected = [h.item() for h in theirs(t, graph.tensors)]
        assert gradients(g, graph.leaves) == close(expected, 1e-9)


@given(graphs(max_nodes=10))
def test_second_backward_doubles_exactly(graph: Graph) -> None:
    """Whatever the graph, two sweeps leave exactly twice the gradients of one."""
    graph.root.backward()
    once = [x.grad for x in graph.leaves]
    graph.root.backward()
    assert [x.grad for x in graph.leaves] == [2.0 * g for g in once]
