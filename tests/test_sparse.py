"""Tables of parameters, as of nn.Embedding and nn.Linear, know which entries a gradient reached."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, Value, nn, optim


def table(rows: int, columns: int) -> tuple[Any, optim.Optimizer]:
    """Return a table of zeros, and an optimiser that knows which of it are touched."""
    module = nn.Embedding(rows, columns)
    for p in module.parameters():
        p.data = 0.0
    return module.weight, optim.SparseAdam(module.parameters(), lr=0.1)


def touched(optimizer: optim.Optimizer) -> list[str]:
    """Return the labels of the entries that the next step would visit."""
    return sorted(p.label for p in optimizer.active_parameters())


def test_a_backward_sweep_touches_what_it_reaches() -> None:
    """Entries the root does not depend on stay out; a slope of 0 counts, as in PyTorch."""
    weight, optimizer = table(3, 2)
    (weight[2][0] * 3.0 + weight[0][1] * 0.0).backward()
    assert touched(optimizer) == ["e[0,1]", "e[2,0]"]
    assert [p.grad for row in weight for p in row] == [0.0, 0.0, 0.0, 0.0, 3.0, 0.0]
    optimizer.step()
    assert [p.data for row in weight for p in row][:4] == [0.0] * 4
    assert weight[2][0].data == pytest.approx(-0.1)


def test_clearing_forgets_what_was_touched() -> None:
    """After zero_grad of the optimiser, or of an entry; PyTorch's habit of None is cleared too."""
    weight, optimizer = table(1, 2)
    (weight[0][0] + weight[0][1]).backward()
    weight[0][0].zero_grad()
    assert touched(optimizer) == ["e[0,1]"]
    weight[0][1].grad = None
    optimizer.zero_grad()
    assert touched(optimizer) == []
    assert [p.grad for p in weight[0]] == [0.0, 0.0]
    weight[0, 0].backward()
    weight.zero_grad()
    assert (touched(optimizer), weight[0, 0].grad) == ([], 0.0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_model_keeps_its_own_record(duplicate: Callable[[Any], Any]) -> None:
    """The copy notes what reaches the copy, and only that."""
    model = nn.Embedding(2, 2)
    model.weight[1, 1].backward()
    twin = duplicate(model)
    assert (twin.weight[1, 1].grad, twin.weight[1, 1].label) == (1.0, "e[1,1]")
    (twin.weight[0, 0] * Value(2.0)).backward()
    mine, its = (optim.SGD(x.parameters(), lr=0.1) for x in (model, twin))
    assert (touched(mine), touched(its)) == (["e[1,1]"], ["e[0,0]", "e[1,1]"])


def test_a_table_is_indexed_like_a_matrix() -> None:
    """Two numbers or slices choose as in NumPy; an entry cannot be exchanged behind its record."""
    weight = nn.Linear(4, 3).weight
    rows = [[*row] for row in weight]
    assert weight[1, 2] is rows[1][2]
    assert list(weight[1, 1:3]) == rows[1][1:3]
    assert list(weight[0:2, 3]) == [rows[0][3], rows[1][3]]
    assert [list(row) for row in weight[1:, ::2]] == [rows[1][::2], rows[2][::2]]
    with pytest.raises(TypeError):
        weight[0][0] = Parameter(1.0)
