"""Modules print, compute and are saved like the PyTorch modules of the same names."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, nn
from scalargrad.nn import init

pytestmark = pytest.mark.wide

POINTS = [1e4, -1e4, 0.0, 0.5, -0.5, 3.0, -3.0, 19.9, 20.1, -20.1, 700.0]
MODULES: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.2}),
    ("ELU", {"alpha": 0.7}),
    ("SiLU", {}),
    ("Tanh", {}),
    ("Sigmoid", {}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("Softplus", {"beta": 2.0, "threshold": 5.0}),
    ("Threshold", {"threshold": 0.1, "value": 20.0}),
    ("Softmax", {"dim": -1}),
    ("LogSoftmax", {"dim": 0}),
]


@pytest.fixture
def torch() -> Any:
    """Return PyTorch."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


@pytest.mark.parametrize(("name", "options"), MODULES)
def test_activation_modules_equal_pytorch(torch: Any, name: str, options: dict[str, Any]) -> None:
    """Each output and its gradients within 1e-10, and the repr."""
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    for i in range(len(POINTS)):
        leaves = [Value(x) for x in POINTS]
        oracle = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
        found, expected = ours(leaves), theirs(oracle)
        assert [y.data for y in found] == pytest.approx(expected.tolist(), rel=1e-10, abs=1e-10)
        found[i].backward()
        expected[i].backward()
        grads = [x.grad for x in leaves]
        assert grads == pytest.approx(oracle.grad.tolist(), rel=1e-10, abs=1e-10)


def flat(x: Any) -> list[Any]:
    """Return the numbers of nested lists and tuples."""
    return [y for part in x for y in flat(part)] if isinstance(x, list | tuple) else [x]


def compare(torch: Any, ours: Any, theirs: Any, run: Any, *inputs: Any) -> None:
    """Assert that results and gradients of `run(module, *inputs)` equal PyTorch's within 1e-10.

    Our module loads the state of PyTorch's module first.
    """
    ours.load_state_dict(theirs.state_dict())
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    leaves = [[[Value(x) for x in row] for row in given] for given in inputs]
    found, expected = flat(run(ours, *leaves)), run(theirs, *tensors)
    expected = expected if isinstance(expected, tuple) else (expected,)
    wanted = torch.cat([x.reshape(-1) for x in expected])
    data = [x.data if isinstance(x, Value) else x for x in found]
    assert data == pytest.approx(wanted.tolist(), rel=1e-10, abs=1e-12)
    factors = [math.sin(k + 1.0) for k in range(len(found))]
    sum(x * k for x, k in zip(found, factors, strict=True)).backward()
    (wanted * torch.tensor(factors, dtype=torch.float64)).sum().backward()
    slopes = [p.grad for p in ours.parameters()] + [x.grad for x in flat(leaves)]
    exact = [y for x in [*theirs.parameters(), *tensors] for y in x.grad.ravel().tolist()]
    assert slopes == pytest.approx(exact, rel=1e-10, abs=1e-12)


ROWS = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [0.0, 3.0, 0.5]]


def test_linear_equals_pytorch(torch: Any) -> None:
    """On a batch, with gradients of weights, biases and inputs."""
    theirs = torch.nn.Linear(3, 2, dtype=torch.float64)
    compare(torch, nn.Linear(3, 2), theirs, lambda layer, x: layer(x), ROWS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LayerNorm", {}),
        ("LayerNorm", {"eps": 0.1, "bias": False}),
        ("LayerNorm", {"elementwise_affine": False}),
        ("RMSNorm", {}),
        ("RMSNorm", {"eps": 1e-3, "elementwise_affine": False}),
    ],
)
def test_layer_norm_and_rms_norm_equal_pytorch(
    torch: Any, name: str, options: dict[str, Any]
) -> None:
    """On a batch, with random weights and biases; the repr is the same."""
    theirs = getattr(torch.nn, name)(3, **options, dtype=torch.float64)
    for k, p in enumerate(theirs.parameters()):
        torch.nn.init.uniform_(p, k, 2.0)
    ours = getattr(nn, name)([3], **options)
    assert repr(ours) == repr(theirs)
    compare(torch, ours, theirs, lambda norm, x: norm(x), ROWS)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {}), ("LSTMCell", {})],
)
def test_recurrent_cells_equal_pytorch(
    torch: Any, name: str, options: dict[str, Any], bias: bool
) -> None:
    """Two steps of a batch of three without an initial state, and the initialization bound."""
    theirs = getattr(torch.nn, name)(3, 2, bias=bias, **options, dtype=torch.float64)
    ours = getattr(nn, name)(3, 2, bias=bias, **options, rng=0)
    assert repr(ours) == repr(theirs)
    assert {n: np.shape(x) for n, x in ours.state_dict().items()} == {
        n: tuple(x.shape) for n, x in theirs.state_dict().items()
    }
    assert 0.4 < max(abs(p.data) for p in ours.parameters()) <= 2**-0.5
    compare(torch, ours, theirs, lambda cell, x: cell(x, cell(x)), ROWS)


@pytest.mark.parametrize("mask", [None, "causal", "bool", "float"])
@pytest.mark.parametrize("options", [(1, True), (2, True), (4, False)])
def test_multihead_attention_equals_pytorch(
    torch: Any, tmp_path: Path, options: tuple[int, bool], mask: str | None
) -> None:
    """Two queries and three keys, with every kind of mask; a file of PyTorch is loaded."""
    safetensors = pytest.importorskip("safetensors.torch")
    heads, bias = options
    theirs = torch.nn.MultiheadAttention(4, heads, bias=bias, dtype=torch.float64)
    for p in theirs.parameters():
        torch.nn.init.uniform_(p, -1.0, 1.0)
    ours = nn.MultiheadAttention(4, heads, bias=bias, rng=0)
    safetensors.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    assert nn.load_model(ours, tmp_path / "theirs.safetensors") == ([], [])
    given: dict[str | None, Any] = {
        "bool": [[False, True, False], [False, False, True]],
        "float": [[0.5, -math.inf, 0.0], [0.0, -2.0, 1.0]],
        "causal": [[False, True, True], [False, False, True]],
    }
    table = given.get(mask)

    def run(average: bool, attention: Any, q: Any, k: Any, v: Any) -> Any:
        how: dict[str, Any] = {"attn_mask": table}
        if attention is theirs and table is not None:
            how["attn_mask"] = torch.tensor(table, dtype=torch.double if mask == "float" else None)
        elif mask == "causal":
            how = {"is_causal": True}
        return attention(q, k, v, average_attn_weights=average, **how)

    rows = [[math.sin(3.0 * i + j) for j in range(4)] for i in range(8)]
    for average in (True, False):
        compare(torch, ours, theirs, partial(run, average), rows[:2], rows[2:5], rows[5:])


@pytest.mark.parametrize("padding_idx", [None, 4])
@pytest.mark.parametrize(
    ("mode", "bag", "weights"),
    [
        ("mean", [1, 4, 2, 4], None),
        ("sum", [1, 4, 2, 4], None),
        ("mean", [], None),
        ("sum", [1, 4], [0.5, -2.0]),
    ],
)
def test_embedding_bag_equals_pytorch(
    torch: Any, mode: str, bag: list[int], weights: list[float] | None, padding_idx: int | None
) -> None:
    """Values and gradients of sums and means without padding, within 1e-10."""
    ours = nn.EmbeddingBag(6, 3, mode=mode, padding_idx=padding_idx, rng=0)
    theirs = torch.nn.EmbeddingBag(6, 3, mode=mode, padding_idx=padding_idx, dtype=torch.float64)
    start = torch.tensor(ours.state_dict()["weight"], dtype=torch.float64)
    theirs.load_state_dict({"weight": start})
    assert repr(ours) == repr(theirs)
    factors = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    indices = torch.tensor(bag, dtype=torch.int64)
    expected = theirs(indices, torch.tensor([0]), per_sample_weights=factors)[0]
    found = ours(bag, weights)
    assert [y.data for y in found] == pytest.approx(expected.tolist(), rel=1e-10, abs=1e-12)
    for k, y in enumerate(found, start=1):
        (y * k).backward()
    (expected * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    grads = [p.grad for row in ours.weight for p in row]
    assert grads == pytest.approx(theirs.weight.grad.ravel().tolist(), rel=1e-10)


def test_xavier_and_kaiming_bounds_equal_pytorch(torch: Any) -> None:
    """The largest numbers drawn are close to the same bound."""
    for name in ("xavier_uniform_", "kaiming_uniform_"):
        theirs = getattr(torch.nn.init, name)(torch.empty(60, 140, dtype=torch.float64))
        ours = getattr(init, name)([[Parameter(0.0) for _ in range(140)] for _ in range(60)], rng=0)
        largest = max(abs(p.data) for row in ours for p in row)
        assert largest == pytest.approx(theirs.abs().max().item(), rel=2e-3)


def test_repr_of_modules_equals_pytorch(torch: Any) -> None:
    """The same lines for nested modules."""

    def model(kit: Any) -> Any:
        inner = kit.Sequential(kit.Linear(3, 3, bias=False), kit.GELU(), kit.LeakyReLU(0.2))
        outer = [kit.Embedding(5, 3), inner, kit.Dropout(0.1), kit.Linear(3, 1)]
        return kit.Sequential(*outer, kit.LogSoftmax(dim=-1))

    assert str(model(nn)) == str(model(torch.nn))


def pair(kit: Any) -> Any:
    """Return a network 2 → 3 → 1 made of the modules of `kit`."""
    return kit.Sequential(kit.Linear(2, 3), kit.ReLU(), kit.Linear(3, 1))


def test_state_dict_and_files_are_interchangeable_with_pytorch(torch: Any, tmp_path: Path) -> None:
    """Each loads the state of the other, from memory and from a file, and computes the same."""
    safetensors = pytest.importorskip("safetensors.torch")
    theirs, ours, x = pair(torch.nn), pair(nn), [0.7, -1.3]
    shapes = {name: list(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert {n: list(np.shape(x)) for n, x in ours.state_dict().items()} == shapes
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    assert ours(x)[0].data == pytest.approx(theirs(torch.tensor(x)).item(), rel=1e-5, abs=1e-6)
    nn.save_model(ours, tmp_path / "ours.safetensors")
    theirs = pair(torch.nn).double()
    theirs.load_state_dict(safetensors.load_file(tmp_path / "ours.safetensors"))
    expected = theirs(torch.tensor(x, dtype=torch.float64)).item()
    assert ours(x)[0].data == pytest.approx(expected, rel=1e-12)
    for dtype in (torch.float64, torch.float32, torch.float16):
        theirs = torch.nn.Linear(2, 3, dtype=dtype)
        safetensors.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
        layer = nn.Linear(2, 3)
        nn.load_model(layer, tmp_path / "theirs.safetensors")
        assert layer.state_dict()["weight"] == theirs.weight.tolist()
    nn.save_file({"c": torch.ones(2)}, tmp_path / "a")
    assert nn.load_file(tmp_path / "a") == {"c": [1.0, 1.0]}
