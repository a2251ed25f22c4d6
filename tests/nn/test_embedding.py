"""Embedding and EmbeddingBag look up rows as PyTorch's do, at the cost of the rows."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from scalargrad import DomainError, OperandError, Value, jit, nn, ops, optim, square, vmap
from scalargrad.graph import topological_order
from scalargrad.sparse import Table


def test_a_row_is_the_parameters_themselves() -> None:
    """A look-up makes no node; nested indices give nested rows."""
    table = nn.Embedding(4, 2, rng=0)
    assert table(3) == list(table.weight[3])
    assert table([[0, 1], [2, 2]])[1][0] == list(table.weight[2])


def test_rows_are_drawn_from_the_standard_normal() -> None:
    """Mean 0 and variance 1, within three standard errors of 20,000 draws."""
    numbers = [p.data for p in nn.Embedding(200, 100, rng=0).parameters()]
    mean = sum(numbers) / len(numbers)
    assert mean == pytest.approx(0.0, abs=3 / 20_000**0.5)
    assert sum(x * x for x in numbers) / len(numbers) == pytest.approx(1.0, abs=0.03)


def test_only_rows_looked_up_are_touched() -> None:
    """Two words of 5,000 touch two rows, and clearing visits just those."""
    table = nn.Embedding(5_000, 3, rng=0)
    for word in (17, 4_999):
        (table(word)[0] * table(word)[2]).backward()
    assert len(table.weight.touched) == 4
    table.zero_grad()
    assert not table.weight.touched
    assert all(p.grad == 0.0 for p in table.weight[17])


def test_the_padding_row_is_zero_and_receives_no_gradient() -> None:
    """Also when counted from the end, as PyTorch prints it."""
    table = nn.Embedding(4, 2, padding_idx=-1, rng=0)
    assert repr(table) == "Embedding(4, 2, padding_idx=3)"
    row = table(3)
    (row[0] + row[1]).backward()
    assert [p.data for p in table.weight[3]] == [0.0, 0.0]
    assert not table.weight.touched


BAGS: list[tuple[list[int], list[float] | None]] = [
    ([1, 4, 2, 4], None),
    ([0, 5], None),
    ([], None),
    ([1, 4], [0.5, -2.0]),
]


@pytest.mark.parametrize("mode", ["mean", "sum"])
@pytest.mark.parametrize("padding_idx", [None, 4])
@pytest.mark.parametrize(("bag", "weights"), BAGS)
def test_bags_equal_pytorchs(
    bag: list[int], weights: list[float] | None, mode: str, padding_idx: int | None
) -> None:
    """Values and gradients of sums and means, padding left out, at 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    if weights and mode == "mean":
        with pytest.raises(OperandError, match="mode='sum'"):
            nn.EmbeddingBag(6, 3, mode=mode)(bag, weights)
        return
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


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_bags_padded_to_one_length_are_examples_of_vmap(mode: str) -> None:
    """Values and gradients are those of eager bags without the padding, an empty bag included."""
    bags, factors = (
        [[1, 4, 4], [0, 5, 2], [4, 4, 4]],
        [[2.0, 3.0, 1.0], [0.5, 1.5, -1.0], [1.0] * 3],
    )
    bag = nn.EmbeddingBag(6, 2, mode=mode, padding_idx=4, rng=0)
    shorter = [[1], [0, 5, 2], []]
    weights = [[2.0], [0.5, 1.5, -1.0], []] if mode == "sum" else None
    expected = bag(shorter, weights)
    ops.sum([square(y) for row in expected for y in row]).backward()
    slopes = [p.grad for p in bag.parameters()]
    bag.zero_grad()
    given = (bags, factors) if mode == "sum" else (bags,)
    found = jit(vmap(bag))(*given)
    assert [[y.data for y in row] for row in found] == [[y.data for y in row] for row in expected]
    ops.sum([square(y) for row in found for y in row]).backward()
    assert [p.grad for p in bag.parameters()] == pytest.approx(slopes, rel=1e-15)


def test_several_bags_are_several_rows() -> None:
    """With and without weights, each bag on its own; one node for each number."""
    bag = nn.EmbeddingBag(6, 2, mode="sum", rng=0)
    both = bag([[0, 1], [2]])
    assert [y.data for y in both[1]] == [p.data for p in bag.weight[2]]
    assert len([n for n in topological_order(*both[0]) if n.parents]) == 2
    weighted = bag([[0], [2]], [[2.0], [3.0]])
    assert weighted[1][0].data == 3.0 * bag.weight[2][0].data


def test_weights_of_samples_may_be_trained() -> None:
    """The factor's gradient is the number it multiplies."""
    bag, factor = nn.EmbeddingBag(3, 1, mode="sum", rng=0), Value(0.5)
    bag([1], [factor])[0].backward()
    assert factor.grad == bag.weight[1][0].data


def test_weights_of_bags_are_one_list_for_each() -> None:
    """Of fewer bags than there are, some would have no weights."""
    bag = nn.EmbeddingBag(3, 1, mode="sum", rng=0)
    with pytest.raises(OperandError, match="for 1 bags, and there are 2"):
        bag([[0], [1]], [[2.0]])


def test_arrays_of_indices_are_read() -> None:
    """As they come from data files."""
    numpy = pytest.importorskip("numpy", reason="arrays are optional")
    table, bag = nn.Embedding(4, 1, rng=0), nn.EmbeddingBag(4, 1, rng=0)
    assert table(numpy.array([2]))[0] == list(table.weight[2])
    assert bag(numpy.array([2]))[0].data == bag.weight[2][0].data


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (4, DomainError, "index 4; it has 0 … 3"),
    (-1, DomainError, "index -1"),
    (1.5, OperandError, "whole numbers"),
]


@pytest.mark.parametrize(("index", "error", "message"), REFUSED)
def test_indices_outside_the_table_are_refused(
    index: Any, error: type[Exception], message: str
) -> None:
    """A negative index is a mistake here, not a row from the end."""
    with pytest.raises(error, match=message):
        nn.Embedding(4, 2)(index)
    with pytest.raises(error, match=message):
        nn.EmbeddingBag(4, 2)([index])


def test_options_that_make_no_sense_are_refused() -> None:
    """Unknown modes, padding outside the table, and too few weights."""
    with pytest.raises(OperandError, match="'max'; use 'mean' or 'sum'"):
        nn.EmbeddingBag(4, 2, mode="max")
    with pytest.raises(DomainError, match="padding_idx was given index 4"):
        nn.Embedding(4, 2, padding_idx=4)
    with pytest.raises(OperandError, match="1 per_sample_weights for 2"):
        nn.EmbeddingBag(4, 2, mode="sum")([0, 1], [1.0])


def test_bags_by_hand() -> None:
    """A mean or a sum without the padding row; nothing left gives zeros."""
    rows = [[1.0, 2.0], [3.0, 5.0], [0.0, 0.0]]
    mean, total = nn.EmbeddingBag(3, 2, padding_idx=2), nn.EmbeddingBag(3, 2, mode="sum")
    assert repr(mean) == "EmbeddingBag(3, 2, mode='mean', padding_idx=2)"
    for bag in (mean, total):
        bag.load_state_dict({"weight": rows})
    assert [y.data for y in mean([0, 1, 2])] == [2.0, 3.5]
    assert [y.data for y in mean([2])] == [0.0, 0.0]
    assert [y.data for y in total([0, 1, 1])] == [7.0, 12.0]
    assert [y.data for y in total([0, 1], [2.0, -1.0])] == [-1.0, -1.0]
    assert [y.data for y in total([])] == [0.0, 0.0]


class Sealed(Table):
    """A table that may be looked up but not read as a whole."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("the whole table was read")


def test_a_training_step_never_reads_the_whole_table() -> None:
    """Looking up, clearing and updating find their rows without a pass over the others."""
    table = nn.Embedding(1_000, 2, rng=0)
    model = nn.Sequential(table)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    table.weight = Sealed(table.weight, table.weight.touched)
    before = table.weight[7][1].data
    model(7)[1].backward()
    optimizer.step()
    model.zero_grad()
    assert table.weight[7][1].data == before - 0.5
    assert not table.weight.touched
