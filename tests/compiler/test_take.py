"""take: selection of an element by a computed index."""

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


def test_take_in_jit_selects_at_each_call() -> None:
    """One program serves all indices; the gradient belongs to the selected element."""
    entries = [Value(10.0), Value(20.0), Value(30.0)]
    compiled = jit(lambda index: take(entries, index) ** 2)
    for k in (0, 2, 1, -1, -3):
        y = compiled(k)
        assert y.data == entries[k].data ** 2
        assert gradients(y, entries) == [2 * v.data * (v is entries[k]) for v in entries]
    assert len(compiled.all_paths()) == 1


@pytest.mark.parametrize("index", [3, -4, 0.5, math.nan, math.inf])
def test_take_raises_index_error_beyond_the_ends(index: float) -> None:
    """Eagerly and compiled, at the first call and later, also if the result hides nan."""
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


def take_or_default(i: Any) -> Any:
    """Return an element, or -1 beyond the end."""
    try:
        return take([1.0, 2.0, 4.0], i)
    except IndexError:
        return -1.0


def embed_or_default(i: Any) -> Any:
    """Return a number of a row, or -1 if the index is out of range."""
    try:
        return ROWS(i)[1] * 1.0
    except DomainError:
        return -1.0


@pytest.mark.parametrize("f", [take_or_default, embed_or_default])
@pytest.mark.parametrize("indices", [[7, 1, 7, 2, 8, 0], [1, 7, 7, 0, 7, 8]])
def test_index_error_of_take_can_be_caught_in_jit(f: Any, indices: Any) -> None:
    """Whichever index comes first; formatting the message must not read a traced number."""
    compiled = jit(f)
    for i in indices * 2:
        assert number(compiled(i)) == pytest.approx(number(f(i)), rel=1e-14)


TABLE: Any = (10.0, 20.0, 30.0)


@pytest.mark.parametrize(
    ("f", "argument", "mode"),
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
    f: Any, argument: Any, mode: str
) -> None:
    """The remedy works eagerly and compiled; ``int(x.data)`` would only work eagerly."""
    f = jit(f) if mode == "compiled" else f
    error = TraceError if mode == "compiled" else OperandError
    with pytest.raises(error, match=r"take\(values, (scalargrad\.)?floor\(x\)\)"):
        f(argument)
    assert take(TABLE, floor(Value(1.5))).data == jit(lambda x: take(TABLE, floor(x)))(1.5) == 20.0


def number(x: Any) -> float:
    """Return the data of a Value."""
    return float(getattr(x, "data", x))


def test_take_of_rows_returns_a_row() -> None:
    """Eagerly the row object itself."""
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert take(rows, 1) is rows[1]
    assert jit(lambda token: take(rows, token))(1) == [3.0, 4.0]
    array = np.array(rows)
    found: Any = jit(lambda entries, token: 2 * take(entries, token))(array, -1)
    assert found.tolist() == [6.0, 8.0]
    closed: Any = jit(lambda token: take(array, token) + take(array, 0))(1)
    assert closed.tolist() == [4.0, 6.0]


@pytest.mark.parametrize("rows", [[[1.0], 2.0], [[1.0, 2.0], [3.0]], [[1.0], None]], ids=repr)
@pytest.mark.parametrize("f", [take, jit(take)], ids=["eager", "jit"])
def test_take_refuses_rows_of_different_structure(f: Any, rows: Any) -> None:
    """The result would have no fixed length."""
    with pytest.raises(OperandError, match="rows"):
        f(rows, Value(1.0))


def test_take_with_a_value_as_index() -> None:
    """It counts from either end, and gets no gradient."""
    entries: list[Any] = [Value(10.0), 5.0, Value(30.0)]
    for k in (0, 1, 2, -1, -3):
        index = Value(float(k))
        y = take(entries, index) + 0.0
        assert y.data == [10.0, 5.0, 30.0][k]
        assert gradients(y, [index, entries[0], entries[2]]) == [0.0, k in {0, -3}, k in {2, -1}]
    assert jit(lambda vs: take(vs, Value(2.0)) * 2.0)([1.0, 2.0, 3.0]) == 6.0


def replace_element(x: Any, y: Any, k: Any) -> Any:
    """Index a list before and after an element is replace_element."""
    entries = [x, y, x * y]
    first = take(entries, k)
    entries[1] = x - y
    return first + 3 * take(entries, k)


def mixed_elements(x: Any, y: Any, k: Any) -> Any:
    """Index lists of constants, results and arguments, and a list of one."""
    mixed = [y * y, 7.0, x, sin(x), x]
    return take(mixed, k) + take([1.0, 2.0, 4.0, 8.0, 16.0], k) * x + take([y], k * 0.0)


@pytest.mark.parametrize("function", [replace_element, mixed_elements])
def test_take_in_jit_reads_the_list_at_the_time_of_the_call(function: Callable[..., Any]) -> None:
    """Lists with an equal first element, and elements of any kind."""
    compiled = jit(function)
    for k in (1, 2, 0, -1):
        x, y = Value(0.5), Value(3.0)
        eager, mine = function(x, y, k), compiled(x, y, k)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, [x, y]) == pytest.approx(gradients(eager, [x, y]))


def test_embedding_in_jit_takes_a_traced_index() -> None:
    """One program serves all tokens; the padding row gets no gradient."""
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


@pytest.mark.parametrize(
    ("index", "error"), [(6, DomainError), (-1, DomainError), (0.5, OperandError)], ids=str
)
def test_embedding_in_jit_refuses_an_invalid_index(index: float, error: type[Exception]) -> None:
    """After a call with valid ones."""
    embedding = Embedding(6, 2, padding_idx=1, rng=0)
    compiled = jit(lambda tokens: sum(sum(row) for row in embedding(tokens)))
    compiled([0, 5, 0])
    with pytest.raises(error):
        compiled([0, index, 0])


@pytest.mark.wide
@pytest.mark.parametrize("padding_idx", [None, 7])
def test_jitted_gradients_of_embedding_match_pytorch(padding_idx: int | None) -> None:
    """Of 50 rows, with and without a padding row."""
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
