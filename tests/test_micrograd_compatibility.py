"""Compatibility: programs for micrograd, and Values like it, run with the import line changed."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.replay.corpus import gpt, headlines
from scalargrad import GraphError, OperandError, TraceError, Value, draw, grad, jit, no_grad, walk
from scalargrad.export import to_json


def test_micrograd_readme_prints_its_published_numbers() -> None:
    """The result and both gradients agree to the four printed digits."""
    a, b = Value(-4.0), Value(2.0)
    g = headlines.readme_expression(a, b, Value.relu)
    g.backward()
    assert f"{g.data:.4f}" == "24.7041"
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


def test_micrograd_neuron_with_exp_has_the_gradients_of_tanh() -> None:
    """The gradients of tanh(w·x + b), written with exp, are 1, 0, 0.5 and -1.5."""
    x1, x2, w1, w2 = Value(2.0), Value(0.0), Value(-3.0), Value(1.0)
    b = Value(6.8813735870195432)
    n = x1 * w1 + x2 * w2 + b
    e = (2 * n).exp()
    o = (e - 1) / (e + 1)
    o.backward()
    assert o.data == pytest.approx(math.sqrt(0.5), rel=1e-9)
    found = [w1.grad, x1.grad, w2.grad, x2.grad, b.grad]
    assert found == pytest.approx([1.0, -1.5, 0.0, 0.5, 0.5], rel=1e-9)


def test_prev_of_a_graph_reaches_every_node() -> None:
    """A topological sort over _prev, as in micrograd's drawing code, reaches every node."""
    x, y = Value(2.0), Value(3.0)
    root = (x * y + x) ** 2
    nodes: set[Value] = set()
    edges: set[tuple[Value, Value]] = set()

    def build(v: Value) -> None:
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    assert {x, y, root} < nodes
    assert {v._op for v in nodes} == {"", "+", "*", "**2"}
    # x·y, +x and the power make 3 interior nodes; the exponent 2 is wrapped as one more leaf.
    assert (len(nodes), len(edges)) == (6, 6)


# A character-level transformer, written on scalars ----------------------------------------------

#: The functions of the model, as micrograd has them: methods.
METHODS = SimpleNamespace(exp=lambda x: x.exp(), log=lambda x: x.log(), relu=lambda x: x.relu())
ANNA = [26, 0, 13, 13, 0, 26]


def weights(leaf: Callable[[float], Any]) -> list[Any]:
    """Draw the parameters of the model."""
    rng = random.Random(42)
    return [leaf(rng.gauss(0.0, 0.2)) for _ in range(4192)]


def loss_of(parameters: list[Any]) -> Any:
    """Return the mean cross-entropy of the model over the letters of a name."""
    return gpt.loss(parameters, ANNA[:-1], ANNA[1:], METHODS)


def test_character_model_gradients_agree_with_central_differences() -> None:
    """The gradients of three parameters are those of central differences."""
    parameters = weights(Value)
    loss_of(parameters).backward()
    for w in parameters[::1500]:
        at = w.data
        w.data = at + 1e-5
        above = loss_of(parameters).data
        w.data = at - 1e-5
        below = loss_of(parameters).data
        w.data = at
        assert w.grad == pytest.approx((above - below) / 2e-5, rel=1e-6, abs=1e-9)


def train(leaf: Callable[[float], Any]) -> tuple[list[float], list[float]]:
    """Take three steps of gradient descent; return the losses and the last gradients."""
    parameters, losses, gradients = weights(leaf), list[float](), list[float]()
    for _ in range(3):
        loss = loss_of(parameters)
        loss.backward()
        losses.append(float(loss.data))
        gradients = [float(w.grad) for w in parameters]
        for w in parameters:
            w.data -= 0.1 * w.grad
            w.grad = w.grad * 0
    return losses, gradients


@pytest.mark.wide
def test_character_model_trains_as_in_pytorch() -> None:
    """The same program on PyTorch's scalars gives the same losses and gradients."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

    def leaf(x: float) -> Any:
        tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        tensor.grad = torch.zeros_like(tensor)
        return tensor

    (losses, gradients), (expected_losses, expected_gradients) = train(Value), train(leaf)
    assert losses == pytest.approx(expected_losses, rel=1e-10)
    assert gradients == pytest.approx(expected_gradients, rel=1e-8, abs=1e-10)


def test_assigning_backward_is_an_error() -> None:
    """Also in a subclass, where other attributes may be assigned."""

    class Own(Value):
        def sine(self) -> Value:
            out = Own(math.sin(self.data))

            def _backward() -> None:
                self.grad += math.cos(self.data) * out.grad

            out._backward = _backward
            return out

    with pytest.raises(OperandError, match="custom_op"):
        Own(1.0).sine()
    with pytest.raises(OperandError, match="has no effect"):
        Value(1.0)._backward = lambda: None


def sine(x: Value) -> Value:
    """Return a node made as in microgpt: a number, its operands and their local gradients."""
    return Value(math.sin(x.data), (x,), (math.cos(x.data),))


def test_value_with_children_and_local_grads_is_a_node(tmp_path: Path) -> None:
    """Its ``_children`` and ``_local_grads`` can be read; (x·sin x)' = sin x + x·cos x."""
    x = Value(0.5, "x")
    y = sine(x) * x
    y.backward()
    slope = math.sin(0.5) + 0.5 * math.cos(0.5)
    assert x.grad == grad(lambda x: x * sine(x))(0.5) == pytest.approx(slope, rel=1e-15)
    assert (sine(x)._children, sine(x)._local_grads) == ((x,), (math.cos(0.5),))
    assert [v.data for v in (x - 1.0)._children] == [0.5, 1.0]
    assert (x - 1.0)._local_grads == (1.0, 0.0)
    assert (sine(x)._prev, Value(2.0, (), ())._children) == ({x}, ())
    assert "given" in draw(y).save(tmp_path / "y.mmd").read_text("utf-8")
    jit(lambda v: v * v)(sine(x)).backward()
    assert x.grad == pytest.approx(slope + math.sin(2 * 0.5), rel=1e-15)
    with no_grad():
        assert sine(x)._children == ()


def twice(x: Value) -> Value:
    """Return a node made without reading the number of its operand."""
    return Value(1.0, (x,), (2.0,))


@pytest.mark.parametrize(
    "use",
    [
        *(grad(grad(sine)), lambda x: walk(sine(Value(x))), lambda x: to_json(sine(Value(x)))),
        *(lambda x: pickle.dumps(sine(Value(x))), lambda x: jit(twice)(Value(x))),
        lambda x: jit(lambda x, c: Value(x, (c,), (3.0,)))(x, Value(2.0)),
    ],
)
def test_value_with_fixed_local_grads_is_refused_where_a_formula_is_needed(use: Any) -> None:
    """Second derivatives, steps, export, pickling and jit need a formula."""
    with pytest.raises((GraphError, OperandError, TraceError), match=r"custom|detach"):
        use(0.5)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        *((((Value(2.0),), "tanh"), {}), (((Value(2.0),), (1.0, 2.0)), {})),
        *((((2.0,), (1.0,)), {}), ((), {"_children": (Value(2.0),), "_op": "tanh"})),
    ],
)
def test_value_with_children_but_no_local_grads_is_an_error(arguments: Any, keywords: Any) -> None:
    """Micrograd's arguments, by position or by name, lead to the accepted ones."""
    with pytest.raises(OperandError, match="local_grads"):
        Value(1.0, *arguments, **keywords)
