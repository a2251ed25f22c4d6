"""Norms, recurrent cells, attention and containers: closed forms, compiled and in batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scalargrad import DomainError, OperandError, Value, grad, gradcheck, jit, nn, vmap


def fill(module: Any, number: float) -> Any:
    """Set all parameters to the same number."""
    for p in module.parameters():
        p.data = number
    return module


def assert_compiled_equals_eager(slopes: Any, xs: Any) -> None:
    """Assert that the compiled gradient equals the eager one."""
    ours, theirs = ([x.data for row in f(xs) for x in row] for f in (jit(slopes), slopes))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_layer_norm_and_rms_norm_in_closed_form() -> None:
    """(1, 3) has mean 2 and variance 1; (3, 4, 0, 0) has root mean square 5/2."""
    layer = nn.LayerNorm(2, eps=0.0)
    fill(layer, 2.0)
    assert [y.data for y in layer([1.0, 3.0])] == [0.0, 4.0]
    root = nn.RMSNorm(4, eps=0.0, elementwise_affine=False)
    assert root([3.0, 4.0, 0.0, 0.0]) == pytest.approx([1.2, 1.6, 0.0, 0.0])
    assert root.parameters() == []
    rows = layer(np.array([[[1.0, 3.0]], [[3.0, 1.0]]]))
    assert [[[y.data for y in row] for row in part] for part in rows] == [[[0, 4]], [[4, 0]]]
    assert gradcheck(nn.LayerNorm(3), [0.5, -1.0, 2.0])
    shapes: list[Any] = [(2, 2), 0, [], "3"]
    for shape in shapes:
        with pytest.raises(OperandError, match="normalized_shape"):
            nn.RMSNorm(shape)


def test_rnn_gru_and_lstm_cells_in_closed_form() -> None:
    """With weights 1, tanh of sums; with weights 0, all gates are 1/2."""
    assert nn.RNNCell(1, 1, nonlinearity="relu", rng=0).gates == 1
    rnn = fill(nn.RNNCell(2, 1, bias=False), 1.0)
    assert rnn([0.25, 0.5], [1.0])[0].data == pytest.approx(math.tanh(1.75))
    gru, lstm = fill(nn.GRUCell(1, 2), 0.0), fill(nn.LSTMCell(1, 2), 0.0)
    assert [h.data for h in gru([5.0], [1.0, -3.0])] == [0.5, -1.5]
    h, c = lstm([5.0], ([9.0, 9.0], [1.0, -3.0]))
    assert [x.data for x in c] == [0.5, -1.5]
    assert [x.data for x in h] == pytest.approx([math.tanh(0.5) / 2, math.tanh(-1.5) / 2])
    reset = fill(nn.GRUCell(1, 1), 0.0)  # reset gate 3/4, update gate 1/4
    for gate, x in zip(reset.bias_ih, (math.log(3.0), -math.log(3.0), 1.0), strict=True):
        gate.data = x
    reset.bias_hh[2].data = 2.0
    assert reset([5.0], [4.0])[0].data == pytest.approx(0.75 * math.tanh(2.5) + 1.0)
    gated = fill(nn.LSTMCell(1, 1), 0.0)  # gates 3/4, 1/2 and 1/4, candidate tanh 1
    for gate, x in zip(gated.bias_ih, (math.log(3.0), 0.0, 1.0, -math.log(3.0)), strict=True):
        gate.data = x
    h, c = gated([5.0], ([9.0], [2.0]))
    assert c[0].data == pytest.approx(1.0 + 0.75 * math.tanh(1.0))
    assert h[0].data == pytest.approx(0.25 * math.tanh(c[0].data))
    with pytest.raises(DomainError, match="nonlinearity"):
        nn.RNNCell(1, 1, nonlinearity="selu")
    with pytest.raises(OperandError, match="pair"):
        lstm([5.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_recurrent_cells_compiled_and_in_batches(kind: Any) -> None:
    """Over a sequence, with gradients; an example of a batch gives the same as alone."""
    cell = kind(2, 3, rng=0)

    def last(xs: Any) -> Any:
        state: Any = None
        for x in xs:
            state = cell(x, state)
        return sum((state[1] if kind is nn.LSTMCell else state), Value(0.0))

    xs = [[math.sin(3.0 * t), math.cos(t * t)] for t in range(6)]
    assert_compiled_equals_eager(grad(last), xs)
    batch, alone = cell(xs), [cell(x) for x in xs]
    if kind is nn.LSTMCell:
        batch, alone = [*batch[0], *batch[1]], [h for h, _ in alone] + [c for _, c in alone]
    assert [[y.data for y in row] for row in batch] == [[y.data for y in row] for row in alone]
    assert len(jit(vmap(lambda x: last([x])))(xs)) == 6
    for wrong in ([1.0], [[1.0, 2.0], [3.0]], "ab", {0: 1.0}, 1.0):
        with pytest.raises(OperandError, match="input"):
            cell(wrong)
    with pytest.raises(OperandError, match="not 2"):
        nn.RNNCell(2, 3)([1.0, 2.0], [0.0, 0.0])


def test_multihead_attention_of_equal_scores_is_the_mean() -> None:
    """With identity projections; a causal mask gives the mean up to the position."""
    attention = nn.MultiheadAttention(2, 2)
    fill(attention, 0.0)
    for i in range(2):
        attention.in_proj_weight[4 + i][i].data = attention.out_proj.weight[i][i].data = 1.0
    xs = [[0.0, 6.0], [2.0, 0.0], [4.0, 3.0]]
    mixed, weights = attention(xs, xs, xs, is_causal=True)
    assert [[y.data for y in row] for row in mixed] == [[0.0, 6.0], [1.0, 3.0], [2.0, 3.0]]
    assert [w.data for w in weights[2]] == pytest.approx([1 / 3] * 3)
    assert weights[0][1:] == [0.0, 0.0]
    mixed, none = attention(xs[:1], xs, xs, attn_mask=np.array([[0, 1, 1]]) > 0, need_weights=False)
    assert ([y.data for y in mixed[0]], none) == ([0.0, 6.0], None)
    added = [[0.0, math.log(3.0), -math.inf]]
    mixed, weights = attention(xs[:1], xs, xs, attn_mask=added)
    assert [float(getattr(w, "data", w)) for w in weights[0]] == pytest.approx([0.25, 0.75, 0.0])
    assert [y.data for y in mixed[0]] == pytest.approx([1.5, 1.5])
    with pytest.raises(OperandError, match="masked"):
        attention(xs, xs, xs, attn_mask=[[True] * 3] * 3)
    with pytest.raises(OperandError, match="num_heads"):
        nn.MultiheadAttention(5, 2)
    with pytest.raises(OperandError, match="embed_dim"):
        nn.MultiheadAttention(0, 1)


def test_multihead_attention_compiled_equals_eager() -> None:
    """Gradients with respect to the sequence; dropout differs from call to call."""
    attention = nn.MultiheadAttention(4, 2, rng=0)
    xs = [[math.sin(t + 2.0 * j) for j in range(4)] for t in range(5)]

    def total(xs: Any) -> Any:
        return sum((y for row in attention(xs, xs, xs, is_causal=True)[0] for y in row), Value(0.0))

    assert_compiled_equals_eager(grad(total), xs)
    dropping = nn.MultiheadAttention(4, 2, dropout=0.5, rng=0)
    seen = {round(dropping(xs, xs, xs)[0][0][0].data, 12) for _ in range(8)}
    assert len(seen) > 1
    dropping.eval()
    assert len({dropping(xs, xs, xs)[0][0][0].data for _ in range(2)}) == 1


def test_module_list_and_module_dict() -> None:
    """Names as in PyTorch; replacement by name; other objects and used names are refused."""

    class Net(nn.Module):
        def __init__(self) -> None:
            self.layers = nn.ModuleList([nn.Linear(1, 1, bias=False)])
            self.layers.append(nn.Linear(1, 1)).extend([nn.ReLU()])
            self.heads = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Tanh()})

    net = Net()
    names = [
        "layers.0.weight",
        "layers.1.weight",
        "layers.1.bias",
        "heads.a.weight",
        "heads.a.bias",
    ]
    assert [*net.state_dict()] == names
    assert [type(x).__name__ for x in net.layers] == ["Linear", "Linear", "ReLU"]
    assert isinstance(net.layers[-1], nn.ReLU)
    net.heads["a"] = nn.ReLU()
    assert [*net.heads] == net.heads.keys() == ["a", "b"]
    assert (len(net.heads), "a" in net.heads, "c" in net.heads) == (2, True, False)
    assert [*map(repr, net.heads.values())] == ["ReLU()", "Tanh()"]
    wrong: list[Any] = [(nn.ModuleList, [1.0]), (nn.ModuleDict, {"a": 1.0})]
    for kind, modules in (*wrong, (nn.ModuleDict, {"keys": nn.ReLU()})):
        with pytest.raises(OperandError, match=kind.__name__):
            kind(modules)
    with pytest.raises(IndexError, match="3 modules"):
        net.layers[3]
