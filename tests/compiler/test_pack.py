"""Packing keeps the numbers of any graph, and finds the lanes of regular ones."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Value, atan2, gradients, jit, sigmoid, sin, tanh
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.packing.instructions import Gather, GatheredProducts, Packed
from scalargrad.compiler.runner import LoopRunner
from scalargrad.nn import MLP

pytestmark = pytest.mark.usefixtures("backend")

Loss = Callable[[list[Any], list[Any]], Any]


def data(rows: int, columns: int, seed: int = 0) -> list[list[float]]:
    """Return a table of random numbers."""
    generator = random.Random(seed)
    return [[generator.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)]


def packed_of(f: Any, *args: Any) -> Packed:
    """Return the instructions of forward and backward."""
    compiled = jit(f)
    compiled(*args)
    (path,) = programs_of(compiled)
    ((_, packed),) = path.function.values_and_row.parts
    assert isinstance(packed, Packed)
    return packed


def check(f: Any, *args: Any) -> None:
    """Compare value and gradient of f with eager ones."""
    leaves = [x for x in _leaves(args) if isinstance(x, Value)]
    eager, mine = f(*args), jit(f)(*args)
    assert math.isclose(mine.data, eager.data, rel_tol=1e-12, abs_tol=1e-12)
    pairs = zip(gradients(mine, leaves), gradients(eager, leaves), strict=True)
    assert all(math.isclose(a, b, rel_tol=1e-10, abs_tol=1e-12) for a, b in pairs)


def _leaves(tree: Any) -> list[Any]:
    return [x for part in tree for x in _leaves(part)] if isinstance(tree, list | tuple) else [tree]


def weights(count: int) -> list[Value]:
    """Return leaves to differentiate with respect to."""
    return [Value(x) for (x,) in data(count, 1, seed=1)]


def neuron_loss(w: list[Any], rows: list[Any]) -> Any:
    """Sum the squared outputs of one neuron over samples."""
    total: Any = 0.0
    for row in rows:
        out = tanh(sum(a * x for a, x in zip(w, row, strict=False)))
        total = total + out * out
    return total


def test_more_samples_make_wider_instructions_not_more() -> None:
    """Fifty samples take the instructions that five take."""
    few, many = (packed_of(neuron_loss, weights(4), data(n, 4)) for n in (5, 50))
    assert len(many.instructions) == len(few.instructions)


def test_a_layer_over_a_batch_needs_no_tables() -> None:
    """A network written neuron by neuron becomes regular instructions only."""
    random.seed(3)
    model = MLP(3, [8, 8, 1])

    def loss(rows: list[Any]) -> Any:
        return sum((model(row) - 1.0) ** 2 for row in rows)

    packed = packed_of(loss, data(20, 3))
    tables = [x for x in packed.instructions if isinstance(x, Gather | GatheredProducts)]
    assert len(packed.instructions) < 40
    assert not [x for x in tables if isinstance(x, GatheredProducts) and x.a.size > 6]


def test_data_written_as_numbers_packs_like_data_passed_in() -> None:
    """Literals that differ between samples become lanes, labels of 1.0 and -1.0 too."""
    rows, labels = data(30, 3), [1.0, -1.0, 1.0] * 10

    def passed(w: list[Any], rows: list[Any], labels: list[Any]) -> Any:
        outputs = [sum(a * x for a, x in zip(w, row, strict=True)) for row in rows]
        return sum((1 + -y * out) ** 2 for y, out in zip(labels, outputs, strict=True))

    inside = packed_of(lambda w: passed(w, rows, labels), weights(3))
    outside = packed_of(passed, weights(3), rows, labels)
    assert len(inside.instructions) <= len(outside.instructions) + 2


@pytest.mark.parametrize("apart", [0, 1, 7])
def test_memory_is_used_again(apart: int) -> None:
    """A chain of forty steps over lanes takes the memory of a few of them.

    Operands that do not lie in order are brought together in memory of their own.
    """

    def chain(xs: list[Any]) -> Any:
        for _ in range(40):
            xs = [atan2(x, xs[apart * i % len(xs)]) if apart else sin(x) for i, x in enumerate(xs)]
        return sum(xs)

    compiled = jit(chain)
    compiled([0.1 * i for i in range(64)])
    (path,) = programs_of(compiled)
    runner = path.function.values
    ((_, packed),) = (runner.plain if isinstance(runner, LoopRunner) else runner).parts
    assert isinstance(packed, Packed)
    assert packed.memory.size < 5 * 64


def test_ragged_samples_agree() -> None:
    """Samples of different lengths."""
    rows = [row[: 1 + i % 4] for i, row in enumerate(data(17, 4))]
    check(neuron_loss, weights(4), rows)


def test_shared_inputs_agree() -> None:
    """Every sample uses the same few Values, some of them twice."""
    w = weights(3)
    check(neuron_loss, w, [[w[i % 3], w[(i * i) % 3], w[0]] for i in range(12)])


def test_terms_across_samples_agree() -> None:
    """Differences of neighbours, and products of far ones."""

    def loss(w: list[Any], rows: list[Any]) -> Any:
        outs = [sin(sum(a * x for a, x in zip(w, row, strict=True))) for row in rows]
        near = sum((a - b) ** 2 for a, b in itertools.pairwise(outs))
        return near + sum(a * b for a, b in zip(outs, reversed(outs), strict=True))

    check(loss, weights(3), data(11, 3))


def test_permuted_order_agrees() -> None:
    """Terms and factors in another order in every sample."""
    generator = random.Random(5)
    plan = [
        (k, [(i, generator.random() < 0.5) for i in generator.sample(range(5), 5)])
        for k in generator.sample(range(16), 16)
    ]

    def loss(w: list[Any], rows: list[Any]) -> Any:
        total: Any = 0.0
        for k, order in plan:
            row = rows[k]
            terms = [w[i] * row[i] if first else row[i] * w[i] for i, first in order]
            total = tanh(sum(terms)) * 0.5 + total
        return total

    check(loss, weights(5), data(16, 5))


def test_a_deep_chain_agrees() -> None:
    """Three thousand steps one after the other, without recursion."""

    def chain(w: list[Any], rows: list[Any]) -> Any:
        x = w[0]
        for _ in range(3000):
            x = sin(x) * w[1] + 0.3
        return x

    check(chain, weights(2), [])


def test_sums_of_products_of_three_indices_agree() -> None:
    """A small convolution: lanes with two indices, terms with two."""
    image = data(6, 7)

    def loss(kernel: list[Any], rows: list[Any]) -> Any:
        total: Any = 0.0
        for i in range(4):
            for j in range(5):
                window = sum(
                    kernel[3 * di + dj] * rows[i + di][j + dj] for di in range(3) for dj in range(3)
                )
                total = total + tanh(window) ** 2
        return total

    check(loss, weights(9), image)
    check(loss, weights(9), [[Value(x) for x in row] for row in image])


def test_signals_from_several_gates_in_turn_need_no_table() -> None:
    """Units that read what came before through three gates each, written gate after gate."""
    units, gates = 7, [tanh, sigmoid, sin]

    def loss(w: list[Any], x: list[Any]) -> Any:
        before = [tanh(a * b) for a, b in zip(w, x, strict=False)]
        total: Any = 0.0
        for j in range(units):
            for k, gate in enumerate(gates):
                row = w[units * (3 * j + k + 1) :]
                total = total + gate(sum(a * b for a, b in zip(before, row, strict=False)))
        return total * total

    w, x = weights(units * (3 * units + 1)), [Value(0.1 * k) for k in range(units)]
    check(loss, w, x)
    instructions = packed_of(loss, w, x).instructions
    tables = [x.a.shape for x in instructions if isinstance(x, GatheredProducts)]
    assert max((lanes * terms for lanes, terms in tables), default=0) < 3 * units


@pytest.mark.parametrize("count", [6, 12, 16, 24])
def test_a_few_sums_of_numbers_in_no_order_are_one_instruction(count: int) -> None:
    """Grids of two or three products each would be many instructions that do little."""
    draws = random.Random(3)
    chosen = [[draws.randrange(40) for _ in range(4)] for _ in range(count)]

    def loss(x: list[Any], y: list[Any]) -> Any:
        return sum(tanh(x[i] * y[j] + x[k] * y[m]) for i, j, k, m in chosen)

    x, y = weights(40), [Value(a) for (a,) in data(40, 1)]
    check(loss, x, y)
    forward = packed_of(loss, x, y).instructions[:3]
    assert [type(x).__name__ for x in forward] == ["GatheredProducts", "Apply", "GatheredProducts"]


def test_constants_alone_are_computed_while_compiling() -> None:
    """A result that depends on nothing is a constant, signed zero included."""
    zero = jit(lambda x: (Value(0.0) * -1.0, Value(2.0) + 3.0, x))
    found: Any = zero(1.0)
    assert (math.copysign(1.0, found[0]), found[1]) == (-1.0, 5.0)


def test_a_sum_of_zeros_keeps_its_sign() -> None:
    """-0.0 + -0.0 is -0.0, and 0.0 + -0.0 is 0.0."""
    compiled = jit(lambda x, y: (x + y, x - y, 0.0 + x))
    for x, y in ((-0.0, -0.0), (0.0, -0.0), (-0.0, 0.0)):
        expected = (x + y, x - y, 0.0 + x)
        assert [math.copysign(1.0, z) for z in compiled(x, y)] == [
            math.copysign(1.0, z) for z in expected
        ]
