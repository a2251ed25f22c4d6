"""Lookups in a function given to vmap: recorded once, an entry for every example."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    OperandError,
    Value,
    dot,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    logsumexp,
    mean,
    take,
    tanh,
    vjp,
    vmap,
    where,
)
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.nn import MLP, Embedding, EmbeddingBag

from .loops import check, close, leaves, numbers, table

pytestmark = pytest.mark.usefixtures("backend")

Function = Callable[..., Any]

TOKENS = [3, 0, 3, -1, 2, 0, 3]
OTHERS = [1, 1, 0, 2, -2, 2, 0]
ROWS = table(7, 3, 4)
FACTORS = table(1, 7, 5)[0]
NETWORK = MLP(2, [3, 2], rng=3)


def entry(w: Any, token: Any, x: Any = 0.5) -> Any:
    """Look up in a list of numbers."""
    return tanh(take(w, token) * x) * w[1]


def classified(w: Any, token: Any, target: Any) -> Any:
    """Look a token up in a table of rows, and a score among those of a network."""
    rows = [[w[0], w[1]], [w[1], w[2]], (w[2], 0.5), [w[3], w[0]]]
    scores = NETWORK(take(rows, token))
    return logsumexp(scores) - take(scores, target) + w[3] * take(w, target) ** 2


def total(w: Any, tokens: Any, factors: Any = FACTORS) -> Any:
    """Sum over the examples."""
    return sum(vmap(entry, (None, 0, 0))(w, tokens, factors))


#: Functions of four numbers and seven indices, by what they show.
LOOKUPS: dict[str, Function] = {
    "a sum of entries": lambda w, t: sum(vmap(lambda i: take(w, i))(t)),
    "a result for each": vmap(entry, (None, 0)),
    "a network": lambda w, t: mean(vmap(classified, (None, 0, 0))(w, t, [1, 0, 1, 1, 0, -1, 0])),
    "a computed index": lambda w, t: sum(vmap(lambda i: take(w, 1 - abs(i)) * w[0])(t)),
    "one index of an entry": lambda w, t: sum(
        vmap(lambda i: take(w, take([3.0, 2.0, 1.0, 0.0], i)) ** 2)(t)
    ),
    "a table of constants": lambda w, t: sum(vmap(lambda i: take([2.0, 3.0, 5.0, 7.0], i))(t))
    * w[0],
    "an array of rows": lambda w, t: sum(
        vmap(lambda i: dot(take(np.array(ROWS), i).tolist(), w[:3]))(t)
    ),
    "a table for each example": lambda w, t: sum(
        vmap(lambda i, row: take(row, where(i > 2, i - 3, i)) * w[0])(t, ROWS)
    ),
    "a computed table for each": lambda w, t: sum(
        vmap(lambda i, x: take([x * w[0], w[1] + x, tanh(x), -x], i) ** 2)(t, FACTORS)
    ),
    "a table of all kinds": lambda w, t: sum(
        vmap(lambda i, x: take([x, w[1], 0.25, x * w[0]], i) * w[2])(t, FACTORS)
    ),
    "an index that all share": lambda w, t: sum(
        vmap(lambda x: take([x, w[1], 2.0, w[0] * x], t[4]) ** 2)(FACTORS)
    ),
    "a shared index and a shared entry": lambda w, t: (
        sum(vmap(lambda x: take([x, w[1], 2.0, w[0]], t[0] - 2))(FACTORS)) * w[0]
    ),
    "two in one table": lambda w, t: sum(
        vmap(lambda i, j: take(w, i) * take(w, j))(t, OTHERS)
    ),
    "inside and outside": lambda w, t: total(w, t) * take(w, t[2]) + take(w, t[0]),
    "maps of several lengths": lambda w, t: total(w, t) * total(w, t[:3], FACTORS[:3])
    + total(w, t[1:2], FACTORS[:1]),
    "a result as index": lambda w, t: take(w, vmap(lambda i: i + 1)(t)[1]) * w[0],
    "results as a table": lambda w, t: take(vmap(lambda x: x * w[0])(FACTORS), t[2]) ** 2,
    "results looked up by each": lambda w, t: sum(
        vmap(lambda i: take(scaled(w), i) * w[1])(t)
    ),
    "nested": lambda w, t: sum(vmap(lambda i: sum(vmap(lambda a: take(w, i) * a)(w)))(t)),
    "the same index again": lambda w, t: sum(vmap(lambda i: take(w, i) ** 2)([t[0]] * 5)),
    "a constant factor for each": lambda w, t: sum(
        vmap(lambda i, x: take(w, i) * x)([2] * 7, FACTORS)
    ),
    "one entry": lambda w, t: sum(vmap(lambda i, x: take([x * w[0]], i * 0))(t, FACTORS)),
}  # fmt: skip


def scaled(w: Any) -> Any:
    """Return results of a vmap of other length."""
    return vmap(tanh)(w)


DERIVATIVES: dict[str, Function] = {
    "grad": grad(total),
    "grad of grad": grad(lambda w, t, x: sum(g * g for g in grad(total)(w, t, x))),
    "third": grad(lambda w, t, x: grad(lambda w: sum(grad(total)(w, t, x)))(w)[2]),
    "grad per example": vmap(grad(entry), in_axes=(None, 0, 0)),
    "grad per example of a network": lambda w, t, x: vmap(
        grad(lambda w, i: classified(w, i, -1)), (None, 0)
    )(w, t),
    "grad of what grad gives per example": grad(
        lambda w, t, x: sum(sum(g) ** 2 for g in vmap(grad(entry), (None, 0, 0))(w, t, x))
    ),
    "grad by the example": vmap(grad(entry, 2), in_axes=(None, 0, 0)),
    "hessian": hessian(total),
    "hessian per example": vmap(hessian(entry), in_axes=(None, 0, 0)),
    "jacobian": jacobian(vmap(entry, (None, 0, 0))),
    "jvp": lambda w, t, x: jvp(lambda w: total(w, t, x), (w,), ([1.0, 2.0, 3.0, 4.0],)),
    "vjp": lambda w, t, x: vjp(lambda w: vmap(entry, (None, 0, 0))(w, t, x), w)[1](FACTORS),
    "hvp": lambda w, t, x: hvp(lambda w: total(w, t, x), w, [1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.alike
@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups_of_one_example_are_those_of_the_loop(name: str) -> None:
    """Values, gradients and second derivatives, with indices given as numbers and as Values."""
    w = leaves([0.3, -0.7, 0.5, 1.1])
    check(LOOKUPS[name], w, TOKENS)
    check(LOOKUPS[name], w, leaves(list(map(float, TOKENS))))


@pytest.mark.alike
@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_of_lookups_are_those_of_the_loop(name: str) -> None:
    """Taken inside the compiled function, over all examples or in each."""
    check(DERIVATIVES[name], leaves([0.3, -0.7, 0.5, 1.1]), TOKENS, leaves(FACTORS))


def test_one_example_is_recorded_for_all() -> None:
    """One program serves all indices, recorded of one example: it has few nodes."""
    rows = leaves(table(9, 2, 6))

    def loss(token: Any, target: Any) -> Any:
        scores = NETWORK(take(rows, token))
        return logsumexp(scores) - take(scores, target)

    compiled = jit(lambda tokens, targets: sum(vmap(loss)(tokens, targets)))
    rng = random.Random(3)
    for _ in range(3):
        tokens = [rng.randrange(9) for _ in range(60)]
        targets = [rng.randrange(2) for _ in range(60)]
        found = compiled(tokens, targets)
        expected = sum(map(loss, tokens, targets))
        assert close([found], [expected])
        assert close(gradients(found, numbers(rows)), gradients(expected, numbers(rows)))
    (path,) = programs_of(compiled)
    assert path.recorded < 600  # a loop records over twenty nodes for each of 60 examples


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("index", [4, -5, 0.5, math.nan, math.inf])
def test_an_index_outside_in_any_example_raises(index: float) -> None:
    """As the loop does, at the first call and after others, first or last among the examples."""
    w = leaves([0.3, -0.7, 0.5, 1.1])
    compiled = jit(lambda w, t: sum(vmap(entry, (None, 0))(w, t)))
    for wrong in ([0, 1, index], [index, 0, 1], [index, index, index]):
        with pytest.raises(IndexError, match="-4 to 3"):
            compiled(w, wrong)
        assert close([compiled(w, [0, 1, 2])], [sum(entry(w, k) for k in range(3))])


def test_a_result_as_index_may_be_outside() -> None:
    """Its number is not known while the function is recorded, only at each call."""
    w = leaves([0.3, -0.7])
    compiled = jit(lambda t: take(w, vmap(lambda i: i / 0.5)(t)[1]))
    with pytest.raises(IndexError, match="-2 to 1"):
        compiled([0.0, 1.0])
    assert compiled([math.nan, 0.5]).data == -0.7


@pytest.mark.usefixtures("lanes")
def test_tables_of_modules_are_looked_up_by_each_example() -> None:
    """Embedding, its padding row included, and a bag of words of one length."""
    embedding, bag = Embedding(5, 2, padding_idx=1, rng=1), EmbeddingBag(5, 2, rng=2)

    def loss(token: Any, words: Any) -> Any:
        return dot(embedding(token), bag(words))

    def total(tokens: Any, words: Any) -> Any:
        return sum(vmap(loss)(tokens, words))

    check(total, [3, 1, 4, 3], [[0, 4], [2, 2], [3, 1], [0, 0]])
    with pytest.raises(DomainError, match="5"):
        jit(total)([3, 1, 5], [[0], [1], [2]])
    with pytest.raises(OperandError, match=r"0\.5"):
        jit(total)([3, 1, 2], [[0], [0.5], [2]])


def test_an_infinite_entry_leaves_the_others_their_gradient() -> None:
    """What is looked up beside does not turn into nan."""
    w = [Value(math.inf), Value(2.0), Value(3.0)]
    compiled = jit(lambda t: sum(vmap(lambda i: take(w, i) ** 2)(t)))
    assert gradients(compiled([1, 2, 1]), w) == [0.0, 8.0, 6.0]
