"""Parameter matrices, as of nn.Embedding and nn.Linear, record the entries a gradient reached."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, Value, nn, optim


def embedding_matrix(rows: int, columns: int) -> tuple[Any, optim.Optimizer]:
    """Return a matrix of zeros, and an optimizer that steps only active entries."""
    module = nn.Embedding(rows, columns)
    for p in module.parameters():
        p.data = 0.0
    return module.weight, optim.SparseAdam(module.parameters(), lr=0.1)


def active_labels(optimizer: optim.Optimizer) -> list[str]:
    """Return the labels of the entries that the next step would change."""
    return sorted(p.label for p in optimizer.active_parameters())


def test_active_parameters_are_those_that_backward_reached() -> None:
    """Entries outside the graph of the root are not active; a slope of 0 counts, as in PyTorch."""
    weight, optimizer = embedding_matrix(3, 2)
    (weight[2][0] * 3.0 + weight[0][1] * 0.0).backward()
    assert active_labels(optimizer) == ["e[0,1]", "e[2,0]"]
    assert [p.grad for row in weight for p in row] == [0.0, 0.0, 0.0, 0.0, 3.0, 0.0]
    optimizer.step()
    assert [p.data for row in weight for p in row][:4] == [0.0] * 4
    assert weight[2][0].data == pytest.approx(-0.1)


def test_zero_grad_clears_the_active_parameters() -> None:
    """zero_grad of the optimizer, the matrix or an entry clears them; so does an assigned None."""
    weight, optimizer = embedding_matrix(1, 2)
    (weight[0][0] + weight[0][1]).backward()
    weight[0][0].zero_grad()
    assert active_labels(optimizer) == ["e[0,1]"]
    weight[0][1].grad = None
    optimizer.zero_grad()
    assert active_labels(optimizer) == []
    assert [p.grad for p in weight[0]] == [0.0, 0.0]
    weight[0, 0].backward()
    weight.zero_grad()
    assert (active_labels(optimizer), weight[0, 0].grad) == ([], 0.0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_active_parameters_of_a_copied_model_are_its_own(duplicate: Callable[[Any], Any]) -> None:
    """The copy records gradients of the copy only."""
    model = nn.Embedding(2, 2)
    model.weight[1, 1].backward()
    twin = duplicate(model)
    assert (twin.weight[1, 1].grad, twin.weight[1, 1].label) == (1.0, "e[1,1]")
    (twin.weight[0, 0] * Value(2.0)).backward()
    mine, its = (optim.SGD(x.parameters(), lr=0.1) for x in (model, twin))
    assert (active_labels(mine), active_labels(its)) == (["e[1,1]"], ["e[0,0]", "e[1,1]"])


def test_parameter_matrix_is_indexed_like_a_matrix() -> None:
    """Two numbers or slices select as in NumPy; an entry cannot be replaced."""
    weight = nn.Linear(4, 3).weight
    rows = [[*row] for row in weight]
    assert weight[1, 2] is rows[1][2]
    assert list(weight[1, 1:3]) == rows[1][1:3]
    assert list(weight[0:2, 3]) == [rows[0][3], rows[1][3]]
    assert [list(row) for row in weight[1:, ::2]] == [rows[1][::2], rows[2][::2]]
    with pytest.raises(TypeError):
        weight[0][0] = Parameter(1.0)
