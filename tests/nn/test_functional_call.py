"""functional_call: a module as a function of its parameters, eager and compiled, restored after."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, errors, grad, jit, nn, value_and_grad


class Line(nn.Module):
    """A line whose slope is in two attributes."""

    def __init__(self) -> None:
        self.slope, self.offset = Parameter(2.0), Parameter(1.0)
        self.again = {"slope": (self.slope,)}

    def forward(self, x: Any) -> Any:
        """Compute slope · x + offset."""
        return self.again["slope"][0] * x + self.offset


def test_functional_call_uses_the_numbers_and_restores_parameters() -> None:
    """5·3 + 1: the slope is replaced in both attributes, and the offset keeps its number."""
    line = Line()
    slope, held = line.slope, line.again
    assert nn.functional_call(line, {"slope": 5.0}, (3.0,)).data == 16.0
    assert nn.functional_call(line, {"slope": 5.0, "offset": 0.5}, 3.0).data == 15.5
    assert nn.functional_call(line, {}, kwargs={"x": 3.0}).data == 7.0
    assert (line.slope is slope, line.again is held, slope.data) == (True, True, 2.0)


def test_functional_call_gradients_belong_to_the_numbers() -> None:
    """∂(wx + b)²/∂w = 2(wx + b)x; the gradients of the parameters stay 0."""
    line, given = Line(), Value(5.0)
    (nn.functional_call(line, {"slope": given}, 3.0) ** 2).backward()
    assert (given.grad, line.slope.grad) == (2 * 16.0 * 3.0, 0.0)


@pytest.mark.parametrize("compiled", [False, True])
def test_functional_call_makes_a_loss_a_function_of_parameters(compiled: bool) -> None:
    """The mean squared error of a linear layer, by matrix algebra; arrays replace lists."""
    rng = np.random.default_rng(1)
    x, y, w, b = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=(1, 3)), [0.25]
    layer = nn.Linear(3, 1, rng=0)
    before = layer.state_dict()

    def loss(parameters: Any, rows: Any, targets: Any) -> Any:
        pairs = zip(rows, targets, strict=True)
        found = [(nn.functional_call(layer, parameters, (row,))[0] - t) ** 2 for row, t in pairs]
        return sum(found) / len(found)

    step = value_and_grad(loss)
    value, slopes = (jit(step) if compiled else step)({"weight": w, "bias": b}, x, y)
    error = x @ w[0] + b[0] - y
    assert value == pytest.approx(np.mean(error**2), rel=1e-12)
    assert np.ravel(slopes["weight"]) == pytest.approx(2 * error @ x / 7, rel=1e-12)
    assert slopes["bias"] == pytest.approx([2 * np.mean(error)], rel=1e-12)
    assert layer.state_dict() == before


def test_functional_call_restores_parameters_after_an_error() -> None:
    """The error of the module is not replaced by another."""
    layer = nn.Linear(2, 1, rng=0)
    weight = layer.weight
    with pytest.raises(errors.OperandError, match="2 inputs"):
        nn.functional_call(layer, {"bias": [1.0]}, ([1.0, 2.0, 3.0],))
    with pytest.raises(errors.OperandError, match="bias"):
        nn.functional_call(layer, {"bias": [1.0, 2.0]}, ([1.0, 2.0],))
    with pytest.raises(errors.OperandError, match="biases"):
        nn.functional_call(layer, {"biases": [1.0]}, ([1.0, 2.0],))
    assert layer.weight is weight
    assert all(isinstance(p, Parameter) for p in layer.parameters())


def test_functional_call_refuses_parameters_in_a_deque() -> None:
    """It would silently keep its own number."""
    line = Line()
    vars(line)["last"] = deque([line.slope])
    del line.slope, line.again
    with pytest.raises(errors.StateError, match="deque"):
        nn.functional_call(line, {"last.0": 3.0}, 1.0)


def test_functional_call_in_threads() -> None:
    """Each thread gets the result for its own slope."""
    line, found = Line(), dict[int, list[float]]()

    def call(k: int) -> None:
        found[k] = [nn.functional_call(line, {"slope": k}, 2.0).data for _ in range(200)]

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [2.0 * k + 1.0] * 200 for k in range(4)}
    assert line.slope.data == 2.0


def test_functional_call_with_names_of_named_parameters() -> None:
    """PyTorch's functional_call takes `dict(model.named_parameters())`."""
    model = nn.MLP(2, [3, 1], rng=0)
    names = dict(model.named_parameters())
    numbers = {name: p.data for name, p in names.items()}
    assert nn.functional_call(model, names, [1.0, 2.0]).data == model([1.0, 2.0]).data
    slopes = grad(lambda p: nn.functional_call(model, p, [1.0, 2.0]))(numbers)
    model([1.0, 2.0]).backward()
    assert slopes == {name: p.grad for name, p in names.items()}
