"""A table looked up by a computed index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    OperandError,
    Value,
    atan2,
    exp,
    grad,
    gradients,
    hessian,
    jit,
    sin,
    take,
    tanh,
    value_and_grad,
    vmap,
    where,
)
from scalargrad.compiler.backend.llvm.native import NativeExecutable
from scalargrad.compiler.backend.numpy_runner import NumpyExecutable
from scalargrad.compiler.explain.explain import listing
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.packing.instructions import Packed, Scatter, Take
from scalargrad.compiler.passes.differentiate import differentiate
from scalargrad.compiler.passes.program import without_dead_nodes
from scalargrad.compiler.passes.sum_of_products import sum_of_products
from scalargrad.nn import Embedding, EmbeddingBag

pytestmark = pytest.mark.usefixtures("backend")


def packed_of(compiled: Any, kind: str = "values_and_row") -> Packed:
    """Return the instructions of the only path recorded."""
    (path,) = programs_of(compiled)
    packed: Packed = getattr(path.function, kind).packed
    return packed


def test_take_chooses_at_each_call() -> None:
    """One program serves all indices, and the gradient goes to the entry chosen."""
    table = [Value(10.0), Value(20.0), Value(30.0)]
    compiled = jit(lambda index: take(table, index) ** 2)
    for k in (0, 2, 1, -1, -3):
        y = compiled(k)
        assert y.data == table[k].data ** 2
        assert gradients(y, table) == [2 * v.data * (v is table[k]) for v in table]
    assert len(programs_of(compiled)) == 1


@pytest.mark.parametrize("index", [3, -4, 0.5, math.nan, math.inf])
def test_an_index_outside_raises_when_it_comes(index: float) -> None:
    """Compiled as eagerly, at the first call and after others, also where nan would be hidden."""
    table = [1.0, 2.0, 3.0]
    with pytest.raises(IndexError, match="-3 to 2"):
        take(table, index)
    with pytest.raises(IndexError, match="-3 to 2"):
        take(table, Value(index))
    compiled = jit(lambda index: where(take(table, index) > 5.0, 1.0, 0.0))
    for _ in range(2):
        with pytest.raises(IndexError, match="-3 to 2"):
            compiled(index)
        assert compiled(1) == 0.0
    assert len(programs_of(compiled)) == 1


def test_take_of_rows_gives_a_row() -> None:
    """A table of embeddings yields the row of a token, eagerly the very row."""
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert take(rows, 1) is rows[1]
    assert jit(lambda token: take(rows, token))(1) == [3.0, 4.0]
    array = np.array(rows)
    found: Any = jit(lambda table, token: 2 * take(table, token))(array, -1)
    assert found.tolist() == [6.0, 8.0]
    closed: Any = jit(lambda token: take(array, token) + take(array, 0))(1)
    assert closed.tolist() == [4.0, 6.0]


def test_take_of_a_value_is_a_choice_eagerly_too() -> None:
    """A Value as index reads the same entry, from either end, and gets no gradient."""
    table: list[Any] = [Value(10.0), 5.0, Value(30.0)]
    numbers = [10.0, 5.0, 30.0]
    for k in (0, 1, 2, -1, -3):
        index = Value(float(k))
        y = take(table, index) + 0.0
        assert y.data == numbers[k]
        assert gradients(y, [index, table[0], table[2]]) == [0.0, k in {0, -3}, k in {2, -1}]


def looked_up(weights: list[list[Any]], tokens: list[Any]) -> Any:
    """Use a table several times, some entries more than once."""
    rows = [take(weights, t) for t in tokens]
    return sum(tanh(a * b) for row in rows for a, b in zip(row, rows[0], strict=True))


def table_of(rows: int, columns: int) -> list[list[Value]]:
    """Return a table of different numbers."""
    return [[Value(sin(1.0 + 7 * i + j)) for j in range(columns)] for i in range(rows)]


@pytest.mark.parametrize("tokens", [[0, 1, 2, 3], [4, 4, -1, 4], [2, -3, 2, 0]])
def test_gradients_are_added_up_where_entries_repeat(tokens: list[int]) -> None:
    """Value and gradient agree with eager lookups by number."""
    weights = table_of(5, 3)
    compiled = jit(looked_up)
    compiled(weights, [1, 1, 1, 1])
    eager, mine = looked_up(weights, tokens), compiled(weights, tokens)
    assert mine.data == pytest.approx(eager.data, rel=1e-12)
    found, expected = gradients(mine, weights), gradients(eager, weights)
    assert np.allclose(found, expected, rtol=1e-12, atol=0)


def test_lookups_are_lanes() -> None:
    """All columns at all positions are one take, and their gradients one scatter."""
    few, many = jit(looked_up), jit(looked_up)
    few(table_of(5, 3), [0, 1])
    many(table_of(50, 16), [*range(12)])
    for compiled, lanes, cells in ((few, 2 * 3, 5 * 3), (many, 12 * 16, 50 * 16)):
        packed = packed_of(compiled)
        (found,) = [x for x in packed.instructions if isinstance(x, Take)]
        (back,) = [x for x in packed.instructions if isinstance(x, Scatter)]
        assert (len(found.place), int(back.size.sum())) == (lanes, cells)
    counts = [len(packed_of(x).instructions) for x in (few, many)]
    assert counts[0] == counts[1]


def test_a_table_is_recorded_once() -> None:
    """The operands of a program, and of its gradient, grow with the table plus the lookups."""
    table, tokens = [float(k) for k in range(1000)], [*range(0, 60, 2)]
    compiled = jit(grad(lambda table, tokens: sum(take(table, i) ** 2 for i in tokens)))
    found = compiled(table, tokens)
    assert found == [2.0 * k * (k in tokens) for k in range(1000)]
    (path,) = programs_of(compiled)
    recorded = without_dead_nodes(path.function.recorded)
    program = differentiate(sum_of_products(recorded))
    for x in (recorded, program):
        assert sum(map(len, x.args)) < 10_000  # of entries alone, 30 lookups have 30,000


def replaced(x: Any, y: Any, k: Any) -> Any:
    """Exchange an entry."""
    table = [x, y, x * y]
    first = take(table, k)
    table[1] = x - y
    return first + 3 * take(table, k)


def grown(x: Any, y: Any, k: Any) -> Any:
    """Append an entry."""
    table = [x, y, x * y]
    first = take(table, k - 1)
    table.append(x - y)
    return first + 3 * take(table, k - 1)


def replaced_in_an_array(x: Any, y: Any, k: Any) -> Any:
    """Exchange an entry of an array of rows."""
    table = np.array([[x, y], [y, x], [x, x * y]], dtype=object)
    first = take(table, k)[0]
    table[1, 0] = x - y
    return first + 3 * take(table, k)[0]


def signed_zeros(x: Any, y: Any, k: Any) -> Any:
    """Change the sign of a zero."""
    table = [0.0, 0.0, 0.0]
    first = take(table, k)
    table[1] = -0.0
    return atan2(take(table, k), -x) + 3 * atan2(first, -y)


def of_one_first_entry(x: Any, y: Any, k: Any) -> Any:
    """Look up in tables that begin alike."""
    return take([x, y, y], k) + 3 * take([x, x, y], k) + 5 * take([x, y, y], k - 1)


def named_anew(x: Any, y: Any, k: Any) -> Any:
    """Let a Value that is an entry stand for another number."""
    one = Value(2.0)
    table = [one, one, one]
    first = take(table, k) * x
    one.__init__(k)  # type: ignore[misc]
    return first + 3 * take(table, k) * y


@pytest.mark.parametrize(
    "function",
    [replaced, grown, replaced_in_an_array, signed_zeros, of_one_first_entry, named_anew],
)
def test_a_table_that_changes_between_lookups_is_read_as_it_is_then(function: Any) -> None:
    """Also where it begins with the same entry, and where only signs of zeros differ."""
    compiled = jit(function)
    for k in (1, 2, 0):
        x, y = Value(0.5), Value(3.0)
        eager, mine = function(x, y, k), compiled(x, y, k)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, [x, y]) == pytest.approx(gradients(eager, [x, y]))


def test_higher_derivatives_go_through_lookups() -> None:
    """The Hessian, by reverse mode over the compiled gradient and compiled itself, is eager's."""
    numbers = [0.3, -0.7, 0.5]

    def loss(v: list[Any], i: Any, j: Any) -> Any:
        return take(v, i) ** 3 * sin(take(v, j)) + take(v, i) * v[0]

    for i, j in ((0, 1), (2, 2), (1, 0)):
        expected = hessian(lambda v, i=i, j=j: loss(v, i, j))(numbers)
        assert np.allclose(jit(hessian(loss))(numbers, i, j), expected, rtol=1e-12)
        compiled = jit(loss)
        assert np.allclose(hessian(lambda v, i=i, j=j: compiled(v, i, j))(numbers), expected)  # noqa: B023
        (value, *gradient), (eager, *row) = (
            np.hstack(both(numbers, i, j))
            for both in (jit(value_and_grad(loss)), value_and_grad(loss))
        )
        assert value == pytest.approx(eager)
        assert gradient == pytest.approx(row)


def test_second_derivatives_need_no_comparison_per_entry() -> None:
    """What flows back through a scatter is a take: the program grows with the table, not more."""
    vs = [Value(0.1 * k) for k in range(40)]
    compiled = jit(lambda vs, i, j: take(vs, i) ** 2 * take(vs, j))
    y = compiled(vs, 3, 5)
    rows = gradients(y, vs, create_graph=True)
    assert gradients(rows[3], [vs[3], vs[5]]) == pytest.approx([2 * 0.5, 2 * 0.3])
    assert len(packed_of(compiled).instructions) < 20


def test_a_table_of_constants_and_scattered_values_is_read() -> None:
    """Entries may be numbers, results and arguments in any order, and one alone."""

    def f(x: Any, y: Any, k: Any) -> Any:
        mixed = [y * y, 7.0, x, sin(x), x]
        return take(mixed, k) + take([1.0, 2.0, 4.0, 8.0, 16.0], k) * x + take([y], k * 0.0)

    compiled = jit(f)
    for k in (0, 1, 2, 3, 4, -2):
        x, y = Value(0.5), Value(3.0)
        eager, mine = f(x, y, k), compiled(x, y, k)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, [x, y]) == pytest.approx(gradients(eager, [x, y]))


def test_a_static_index_is_no_lookup() -> None:
    """An index that is a constant of the program reads the entry itself."""
    compiled = jit(lambda vs: take(vs, Value(2.0)) * 2.0)
    assert compiled([1.0, 2.0, 3.0]) == 6.0
    assert not [x for x in packed_of(compiled, "values").instructions if isinstance(x, Take)]


def test_an_embedding_takes_a_traced_index() -> None:
    """One program looks up any token; the padding row is read and gets no gradient."""
    table = Embedding(6, 2, padding_idx=1, rng=0)
    compiled = jit(lambda tokens: sum(sum(row) * (k + 1) for k, row in enumerate(table(tokens))))
    weights = [list(row) for row in table.weight]
    for tokens in ([0, 5, 0], [1, 2, 1]):
        eager: Any = sum(sum(row) * (k + 1) for k, row in enumerate(table(tokens)))
        mine = compiled(tokens)
        assert mine.data == pytest.approx(eager.data)
        assert gradients(mine, weights) == gradients(eager, weights)
    assert len(programs_of(compiled)) == 1
    with pytest.raises(DomainError, match="0 … 5"):
        compiled([0, 6, 0])
    with pytest.raises(DomainError, match="0 … 5"):
        compiled([0, -1, 0])
    with pytest.raises(OperandError, match="whole"):
        compiled([0, 0.5, 0])


@pytest.mark.parametrize("padding_idx", [None, 7, -1])
def test_lookups_one_by_one_share_a_table(padding_idx: int | None) -> None:
    """They give PyTorch's numbers and gradients, and each adds a few nodes, not a table."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch")
    table = Embedding(50, 3, padding_idx=padding_idx, rng=0)
    theirs = torch.nn.Embedding(50, 3, padding_idx=padding_idx, dtype=torch.float64)
    with torch.no_grad():
        weights = [[p.data for p in row] for row in table.weight]
        theirs.weight.copy_(torch.tensor(weights, dtype=torch.float64))

    def loss(tokens: list[Any]) -> Any:
        return sum(exp(x) * (k + 1) for k, token in enumerate(tokens) for x in table(token))

    compiled = jit(loss)
    tokens = [7, 3, 49, 3, 7, 0, 12]
    for shift in (0, -3):
        now = [max(token + shift, 0) for token in tokens]
        mine = compiled(now)
        factors = torch.arange(1, 8, dtype=torch.float64)[:, None]
        expected = (torch.exp(theirs(torch.tensor(now))) * factors).sum()
        (gradient,) = torch.autograd.grad(expected, theirs.weight)
        assert mine.data == pytest.approx(expected.item(), rel=1e-12)
        found = gradients(mine, [p for row in table.weight for p in row])
        assert found == pytest.approx(gradient.ravel().tolist(), rel=1e-12, abs=1e-300)
    recorded = [int(compiled.explain(x).split()[1]) for x in (tokens[:2], tokens)]
    assert recorded[1] - recorded[0] < 5 * 50


def test_a_bag_of_traced_indices_is_summed() -> None:
    """EmbeddingBag looks rows up at each call."""
    bag = EmbeddingBag(6, 2, mode="sum", rng=0)
    compiled = jit(bag)
    for words in ([0, 5, 0], [1, 2, 1]):
        found: Any = compiled(words)
        assert [x.data for x in found] == pytest.approx([x.data for x in bag(words)])


def test_examples_of_vmap_look_up_each_for_itself() -> None:
    """A take inside vmap, and one beside a vmap, agree with a loop over the examples."""
    weights = table_of(4, 2)

    def loss(tokens: list[Any], xs: list[Any]) -> Any:
        inside = vmap(lambda t, x: sum(a * x for a in take(weights, t)))(tokens, xs)
        beside = vmap(lambda x, y: x * y)(take(weights, tokens[0]), xs[:2])
        return sum(inside) + sum(sin(x) for x in beside)

    compiled = jit(loss)
    xs = [0.1, 0.2, 0.3]
    for tokens in ([0, 1, 3], [2, 2, -1]):
        eager, mine = loss(tokens, xs), compiled(tokens, xs)
        assert mine.data == pytest.approx(eager.data)
        assert np.allclose(gradients(mine, weights), gradients(eager, weights))
    with pytest.raises(IndexError):
        compiled([0, 4, 0], xs)


def test_both_machines_find_the_entries_of_a_table() -> None:
    """Entries from either end, and indices that mean none."""
    memory = np.array([10.0, 20.0, 30.0, 1.0, -1.0, 5.0, 0.5, math.nan, 7.0, 8.0, *[9.0] * 8])
    at, size = np.arange(3, 8), np.full(5, 3)
    taken = Take(10, at, np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.int64), size)
    added = Scatter(15, np.array([0]), np.array([3]), at[None], np.array([[8, 9, 8, 8, 8]]))
    packed = Packed([taken, added], memory, 10, slice(10, 18))
    expected = [20.0, 30.0, math.nan, math.nan, math.nan, 0.0, 7.0, 8.0]
    for executable in (NumpyExecutable(packed), NativeExecutable(packed)):
        executable.run()
        assert np.array_equal(executable.memory[10:], expected, equal_nan=True)
    assert listing(packed).splitlines() == [
        "m[10 + j] = m[(0, 0, 0, 0, …) + (1, 1, 1, 1, …)·m[(3, 4, 5, 6, …)]]    j < 5",
        "m[(15) + m[(3, 4, 5, 6, …)]] += m[(8, 9, 8, 8, …)]",
    ]


@pytest.mark.parametrize("rows", [[[1.0], 2.0], [[1.0, 2.0], [3.0]], [[1.0], None]])
def test_a_computed_index_chooses_among_rows_of_one_length(rows: list[Any]) -> None:
    """A number is no row of one."""
    for use in (take, jit(take)):
        with pytest.raises(OperandError, match="rows of one length"):
            use(rows, Value(1.0))
