"""A table looked up by a computed index."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close

from scalargrad import (
    DomainError,
    OperandError,
    TraceError,
    Value,
    exp,
    floor,
    gradients,
    jit,
    sin,
    take,
    vmap,
    where,
)
from scalargrad.nn import Embedding, EmbeddingBag


def test_take_chooses_at_each_call() -> None:
    """One program serves all indices, and the gradient goes to the entry chosen."""
    entries = [Value(10.0), Value(20.0), Value(30.0)]
    compiled = jit(lambda index: take(entries, index) ** 2)
    for k in (0, 2, 1, -1, -3):
        y = compiled(k)
        assert y.data == entries[k].data ** 2
        assert gradients(y, entries) == [2 * v.data * (v is entries[k]) for v in entries]
    assert len(compiled.all_paths()) == 1


@pytest.mark.parametrize("index", [3, -4, 0.5, math.nan, math.inf])
def test_an_index_outside_raises_when_it_comes(index: float) -> None:
    """Compiled as eagerly, at the first call and after others, also where nan would be hidden."""
    entries = [1.0, 2.0, 3.0]
    compiled = jit(lambda index: where(take(entries, index) > 5.0, 1.0, 0.0))
    computed = jit(lambda xs: take(entries, vmap(lambda i: i / 0.5)(xs)[1]))
    for wrong in (index, Value(index)):
        with pytest.raises(IndexError, match="-3 to 2"):
            take(entries, wrong)
    for _ in range(2):
        with pytest.raises(IndexError, match="-3 to 2"):
            compiled(index)
        with pytest.raises(IndexError, match="-3 to 2"):
            computed([0.0, 0.5 * index])
        assert (compiled(1), computed([math.nan, 0.5])) == (0.0, 2.0)


ROWS = Embedding(3, 2, rng=0)


def entry_or_nothing(i: Any) -> Any:
    """Return an entry of a table, or -1 beyond its end."""
    try:
        return take([1.0, 2.0, 4.0], i)
    except IndexError:
        return -1.0


def embedded_or_nothing(i: Any) -> Any:
    """Return a number of a row, or -1 where there is none."""
    try:
        return ROWS(i)[1] * 1.0
    except DomainError:
        return -1.0


@pytest.mark.parametrize("f", [entry_or_nothing, embedded_or_nothing])
@pytest.mark.parametrize("indices", [[7, 1, 7, 2, 8, 0], [1, 7, 7, 0, 7, 8]])
def test_take_beyond_the_end_may_be_caught_in_a_compiled_function(f: Any, indices: Any) -> None:
    """Whichever comes first; the message had read the number of a recording."""
    compiled = jit(f)
    for i in indices * 2:
        assert number(compiled(i)) == pytest.approx(number(f(i)), rel=1e-14)


TABLE: Any = (10.0, 20.0, 30.0)


@pytest.mark.parametrize(
    ("look_up", "argument", "called"),
    [
        (lambda x: TABLE[int(x)], Value(1.5), "eagerly"),
        (lambda x: TABLE[int(x)], 1.5, "compiled"),
        (lambda x: TABLE[int(x.data)], Value(1.5), "compiled"),
        (lambda x: TABLE[floor(x)], Value(1.5), "eagerly"),
        (lambda x: TABLE[round(x)], Value(1.5), "eagerly"),
        (lambda x: [*TABLE][round(x)], 1.5, "compiled"),
        (lambda x: np.array(TABLE)[int(x)], 1.5, "compiled"),
    ],
)
def test_int_of_a_value_as_an_index_is_refused_with_take_and_floor(
    look_up: Any, argument: Any, called: str
) -> None:
    """Eagerly ``int(x.data)`` was advised, which compiled functions refuse; this serves in both."""
    f = jit(look_up) if called == "compiled" else look_up
    error = TraceError if called == "compiled" else OperandError
    with pytest.raises(error, match=r"take\(values, (scalargrad\.)?floor\(x\)\)"):
        f(argument)
    assert take(TABLE, floor(Value(1.5))).data == jit(lambda x: take(TABLE, floor(x)))(1.5) == 20.0


def number(x: Any) -> float:
    """Return the data of a Value."""
    return float(getattr(x, "data", x))


def test_take_of_rows_gives_a_row() -> None:
    """A table of embeddings yields the row of a token, eagerly the very row."""
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert take(rows, 1) is rows[1]
    assert jit(lambda token: take(rows, token))(1) == [3.0, 4.0]
    array = np.array(rows)
    found: Any = jit(lambda entries, token: 2 * take(entries, token))(array, -1)
    assert found.tolist() == [6.0, 8.0]
    closed: Any = jit(lambda token: take(array, token) + take(array, 0))(1)
    assert closed.tolist() == [4.0, 6.0]
    for wrong in ([[1.0], 2.0], [[1.0, 2.0], [3.0]], [[1.0], None]):
        for use in (take, jit(take)):
            with pytest.raises(OperandError, match="rows"):
                use(wrong, Value(1.0))


def test_take_of_a_value_is_a_choice_eagerly_too() -> None:
    """A Value as index reads the same entry, from either end, and gets no gradient."""
    entries: list[Any] = [Value(10.0), 5.0, Value(30.0)]
    for k in (0, 1, 2, -1, -3):
        index = Value(float(k))
        y = take(entries, index) + 0.0
        assert y.data == [10.0, 5.0, 30.0][k]
        assert gradients(y, [index, entries[0], entries[2]]) == [0.0, k in {0, -3}, k in {2, -1}]
    assert jit(lambda vs: take(vs, Value(2.0)) * 2.0)([1.0, 2.0, 3.0]) == 6.0


def replaced(x: Any, y: Any, k: Any) -> Any:
    """Exchange an entry."""
    entries = [x, y, x * y]
    first = take(entries, k)
    entries[1] = x - y
    return first + 3 * take(entries, k)


def of_all_kinds(x: Any, y: Any, k: Any) -> Any:
    """Look up numbers, results and arguments in any order, and one alone."""
    mixed = [y * y, 7.0, x, sin(x), x]
    return take(mixed, k) + take([1.0, 2.0, 4.0, 8.0, 16.0], k) * x + take([y], k * 0.0)


TABLES = [
    replaced,
    of_all_kinds,
]  # fmt: skip


@pytest.mark.parametrize("function", TABLES)
def test_a_table_is_read_as_it_is_then(function: Callable[..., Any]) -> None:
    """Also where it begins with the same entry, and where only signs of zeros differ."""
    compiled = jit(function)
    for k in (1, 2, 0, -1):
        x, y = Value(0.5), Value(3.0)
        eager, mine = function(x, y, k), compiled(x, y, k)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, [x, y]) == pytest.approx(gradients(eager, [x, y]))


def test_an_embedding_takes_a_traced_index() -> None:
    """One program looks up any token; the padding row is read and gets no gradient."""
    embedding, bag = Embedding(6, 2, padding_idx=1, rng=0), EmbeddingBag(6, 2, mode="sum", rng=0)
    compiled = jit(
        lambda tokens: sum(sum(row) * (k + 1) for k, row in enumerate(embedding(tokens)))
    )
    weights, bagged = [list(row) for row in embedding.weight], jit(bag)
    for tokens in ([0, 5, 0], [1, 2, 1]):
        eager: Any = sum(sum(row) * (k + 1) for k, row in enumerate(embedding(tokens)))
        mine = compiled(tokens)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, weights) == gradients(eager, weights)
        assert close(bagged(tokens), bag(tokens))
    assert len(compiled.all_paths()) == 1
    for wrong, error in (
        ([0, 6, 0], DomainError),
        ([0, -1, 0], DomainError),
        ([0, 0.5, 0], OperandError),
    ):
        with pytest.raises(error):
            compiled(wrong)


@pytest.mark.wide
@pytest.mark.parametrize("padding_idx", [None, 7])
def test_lookups_one_by_one_have_pytorchs_gradients(padding_idx: int | None) -> None:
    """Of a table of 50 rows, with a row for padding or without."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch")
    embedding = Embedding(50, 3, padding_idx=padding_idx, rng=0)
    theirs = torch.nn.Embedding(50, 3, padding_idx=padding_idx, dtype=torch.float64)
    with torch.no_grad():
        weights = [[p.data for p in row] for row in embedding.weight]
        theirs.weight.copy_(torch.tensor(weights, dtype=torch.float64))

    def loss(tokens: list[Any]) -> Any:
        return sum(exp(x) * (k + 1) for k, token in enumerate(tokens) for x in embedding(token))

    compiled = jit(loss)
    for tokens in ([7, 3, 49, 3, 7, 0, 12], [4, 0, 46, 0, 4, 0, 9]):
        mine = compiled(tokens)
        factors = torch.arange(1, 8, dtype=torch.float64)[:, None]
        expected = (torch.exp(theirs(torch.tensor(tokens))) * factors).sum()
        (gradient,) = torch.autograd.grad(expected, theirs.weight)
        assert mine.data == pytest.approx(expected.item(), rel=1e-12)
        found = gradients(mine, [p for row in embedding.weight for p in row])
        assert found == pytest.approx(gradient.ravel().tolist(), rel=1e-12, abs=1e-300)
