"""UCSB's training program for PyTorch, with only the imports changed."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from scalargrad import Value, nn, no_grad, optim
from scalargrad.errors import OperandError

B, D = 0.8567408430737848, -0.09333038904059893


def run_listing(model: Any, steps: int, points: int, rate: float, every: int = 100) -> list[float]:
    """Run the loop: predict, loss, print, zero, backward, step; return the losses."""
    x = np.linspace(-math.pi, math.pi, points)
    y = np.sin(x)
    xx = x[:, None] ** np.array([1, 2, 3])
    loss_fn = nn.MSELoss(reduction="sum")
    optimizer = optim.SGD(model.parameters(), lr=rate)
    losses = []
    for t in range(steps):
        y_pred = model(xx)
        loss = loss_fn(y_pred, y)
        losses.append(loss.item())
        if t % every == every - 1:
            print(t, loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def polynomial() -> nn.Sequential:
    """Return the model: one linear layer, and a flatten that makes its column a vector."""
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
    for parameter in model.parameters():
        parameter.data = 0.0
    return model


def format_result(model: nn.Sequential) -> str:
    """Return the fitted polynomial as text, from the bias and the columns of the weight."""
    linear_layer: Any = model[0]
    a = linear_layer.bias.item()
    b, c, d = (linear_layer.weight[:, i].item() for i in range(3))
    return f"Result: y = {a:.4f} + {b:.4f} x + {c:.4f} x^2 + {d:.4f} x^3"


def test_ucsb_program_agrees_with_its_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    """On all 2,000 points, k steps leave (I - ηH)ᵏ of the distance to the least-squares cubic."""
    model = polynomial()
    run_listing(model, steps=6, points=2000, rate=1e-6, every=3)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["2", "5"]
    x = np.linspace(-math.pi, math.pi, 2000)
    powers = np.column_stack([x**k for k in range(4)])
    best = np.array([0.0, B, 0.0, D])
    shrink = np.linalg.matrix_power(np.eye(4) - 2e-6 * powers.T @ powers, 6)
    expected = best - shrink @ best
    layer: Any = model[0]
    found = [layer.bias.item(), *(layer.weight[:, i].item() for i in range(3))]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_ucsb_program_prints_the_polynomial() -> None:
    """`item` reads `model[0]`, its bias and the columns of its weight."""
    model = polynomial()
    layer: Any = model[0]
    layer.bias[0].data = 0.5
    for i in range(3):
        layer.weight[0, i].data = float(i)
    assert format_result(model) == "Result: y = 0.5000 + 0.0000 x + 1.0000 x^2 + 2.0000 x^3"


def test_ucsb_program_with_a_two_layer_model() -> None:
    """Linear(2, 3)-ReLU-Linear(3, 1) maps a batch of pairs to a column; the loss falls."""
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    x = np.linspace(-1.0, 1.0, 20)
    pairs, targets = np.column_stack([x, x**2]), (abs(x) - x).reshape(20, 1)
    loss_fn, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(60):
        loss = loss_fn(model(pairs), targets)
        losses.append(loss.item())
        model.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 10.0


def test_ucsb_program_result_of_a_two_layer_model_is_an_error() -> None:
    """The printed slip: its first layer has three biases, so there is no single number to print."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with pytest.raises(OperandError, match=re.escape("item() takes a vector of one number")):
        format_result(model)


@pytest.mark.wide
@pytest.mark.parametrize("bias", [True, False])
def test_ucsb_program_agrees_with_pytorch(bias: bool) -> None:
    """From the same start the program in PyTorch has the same losses, to 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = nn.Sequential(nn.Linear(3, 1, bias=bias, rng=2), nn.Flatten(0, 1))
    twin = torch.nn.Sequential(torch.nn.Linear(3, 1, bias=bias), torch.nn.Flatten(0, 1)).double()
    start = {name: np.array(x) for name, x in model.state_dict().items()}
    twin.load_state_dict({name: torch.tensor(x) for name, x in start.items()})
    x = torch.linspace(-math.pi, math.pi, 50, dtype=torch.float64)
    xx, y = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3])), torch.sin(x)
    loss_fn = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(twin.parameters(), lr=1e-5)
    expected = []
    for _ in range(20):
        loss = loss_fn(twin(xx), y)
        expected.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(run_listing(model, 20, 50, 1e-5), expected, rtol=1e-10)


BATCH = [[0.5, -1.0], [2.0, 0.25], [0.0, 3.0]]


@pytest.mark.parametrize("make", [lambda: nn.Linear(2, 3, rng=0), lambda: nn.MLP(2, [3, 1], rng=0)])
def test_linear_and_mlp_of_a_batch_equal_those_of_its_rows(make: Any) -> None:
    """The batch may be a list of rows, a tuple or an array."""
    model = make()

    def numbers(x: Any) -> Any:
        return [numbers(part) for part in x] if isinstance(x, list) else x.data

    with no_grad():
        expected = [numbers(model(row)) for row in BATCH]
        for batch in (BATCH, tuple(BATCH), np.array(BATCH), list(np.array(BATCH))):
            assert numbers(model(batch)) == expected


def test_linear_of_a_batch_of_sparse_inputs() -> None:
    """A list of dicts is a batch of sparse inputs."""
    layer = nn.Linear(4, 2, rng=0)
    rows = [{0: 1.0, 3: 2.0}, {}]
    assert [[y.data for y in row] for row in layer(rows)] == [
        [y.data for y in layer(row)] for row in rows
    ]


@pytest.mark.wide
def test_flatten_agrees_with_pytorch() -> None:
    """For pairs of dimensions of a 2 × 3 × 4 array."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    numbers = np.arange(24.0).reshape(2, 3, 4)
    for start, end in [(0, 0), (0, 1), (0, 2), (1, 2), (1, -1), (-2, -1), (2, 2)]:
        expected = torch.nn.Flatten(start, end)(torch.tensor(numbers)).tolist()
        assert nn.Flatten(start, end)(numbers) == expected


def test_flatten_refuses_too_few_dimensions() -> None:
    """One example is not a batch."""
    with pytest.raises(OperandError, match="an input of 1 dimensions; pass a batch"):
        nn.Flatten()([1.0, 2.0])


def test_parameter_matrix_index_selects_as_in_numpy() -> None:
    """The selected parameters are those of a NumPy matrix."""
    weight = nn.Linear(3, 2).weight
    labels = np.array([[f"w[{j},{i}]" for i in range(3)] for j in range(2)])

    def names(x: Any) -> Any:
        return x.label if isinstance(x, Value) else [names(part) for part in x]

    for index in [(0, 1), (slice(None), 1), (1, slice(1, None)), (slice(0, 1), slice(None)), 1]:
        assert names(weight[index]) == labels[index].tolist()  # type: ignore[call-overload]
    with pytest.raises(OperandError, match="3 indices"):
        weight[0, 1, 2]
