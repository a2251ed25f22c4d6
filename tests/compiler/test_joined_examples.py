"""What is done to results of a vmap outside of it is as in a loop: losses, pairs, look-ups."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, draws
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, grad, gradients, jit, value_and_grad, vmap

Function = Callable[..., Any]

#: So many examples are computed outside of a vmap as in it.
COUNT = 260
TARGETS = np.sin(np.arange(4.0 * COUNT)).reshape(4, COUNT)


def path(k: Any, x: Any) -> list[Any]:
    """Return four states of a recurrence."""
    found = []
    for _ in range(4):
        x = 0.8 * x + 0.1 * sg.sin(k * x)
        found.append(x)
    return found


def nested(paths: Any, targets: Any) -> Any:
    """Return a sum of sums over examples."""
    return sum(
        sum((p - t) ** 2 for p, t in zip(ps, ts, strict=True))
        for ps, ts in zip(paths, targets, strict=True)
    )


def by_example(paths: Any, targets: Any) -> Any:
    """Return a sum over the states of one example after the other."""
    total = 0.0
    for k in range(COUNT):
        for ps, ts in zip(paths, targets, strict=True):
            total = total + (ps[k] - ts[k]) ** 2
    return total


def reduced(paths: Any, targets: Any) -> Any:
    """Return sums that start from their first terms."""
    rows = [
        functools.reduce(operator.add, [(p - t) ** 2 for p, t in zip(ps, ts, strict=True)])
        for ps, ts in zip(paths, targets, strict=True)
    ]
    return functools.reduce(operator.add, rows)


def by_sum(paths: Any, targets: Any) -> Any:
    """Return one sum of many terms, which computes with the targets, too."""
    pairs = [z for ps, ts in zip(paths, targets, strict=True) for z in zip(ps, ts, strict=True)]
    return sg.sum([(2.0 * (t - 0.5) - 2.0 * (p - 0.5)) ** 2 / 4.0 for p, t in pairs])


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (nested, "constants"), (by_example, "list"), (reduced, "list"), (reduced, "array"),
        (by_sum, "array"), (by_sum, "constants"),
    ],
)  # fmt: skip
def test_a_loss_in_a_loop_outside_has_eager_gradients(loss: Function, kind: str) -> None:
    """Over all states of all examples, with targets that are closed over or given."""
    targets: Any = TARGETS if kind == "array" else TARGETS.tolist()

    def of(k: Any, xs: Any, *targets: Any) -> Any:
        paths = vmap(lambda x: path(k, x), out_axes=1)(xs)
        return loss(paths, *(targets or (TARGETS.tolist(),)))

    given = 0.7, draws(COUNT), *([] if kind == "constants" else [targets])
    f = value_and_grad(of, argnums=(0, 1))
    assert close(jit(f)(*given), f(*given))


@pytest.mark.parametrize("classes", [3, 40])
def test_each_example_may_choose_a_result_by_its_label(classes: int) -> None:
    """The derivative of -log softmax(z)[label] is softmax(z) - onehot(label)."""
    xs, labels = [0.03 * k for k in range(COUNT)], [(7 * k) % classes for k in range(COUNT)]

    def loss(weights: Any) -> Any:
        scores = vmap(lambda x: [w * x for w in weights])(xs)
        chosen = [row[label] for row, label in zip(scores, labels, strict=True)]
        sums = [sum(sg.exp(z) for z in row) for row in scores]
        return -sum(sg.log(sg.exp(z) / total) for z, total in zip(chosen, sums, strict=True))

    def cross_entropy(weights: Any) -> Any:
        scores = vmap(lambda x: [w * x for w in weights])(xs)
        return sg.losses.cross_entropy(scores, labels, reduction="sum")

    weights = [math.cos(k) for k in range(classes)]
    softmax = np.exp(np.outer(xs, weights))
    softmax /= softmax.sum(1, keepdims=True)
    expected = xs @ (softmax - np.eye(classes)[labels])
    for f in (loss, cross_entropy):
        assert jit(grad(f))(weights) == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(("twice", "apart"), [(0, 0), (0, 3), (2, 1), (3, 2)])
def test_a_sum_of_as_many_terms_as_examples(twice: int, apart: int) -> None:
    """A sum adds one result twice, but not another, of which the square is added."""

    def total(xs: Any) -> Any:
        results = vmap(lambda x: x * x)(xs)
        terms = [*results[:apart], *results[apart + 1 :], results[twice]]
        return sum(terms) + results[apart] ** 2

    xs = [0.5 ** (k % 4) for k in range(COUNT)]
    times = [(k != apart) + (k == twice) for k in range(COUNT)]
    squares = [2.0 * (k == apart) * x * x for k, x in enumerate(xs)]
    expected = [2.0 * x * (n + y) for x, n, y in zip(xs, times, squares, strict=True)]
    assert jit(grad(total))(xs) == expected


def test_an_example_that_no_loss_reads_sends_nothing() -> None:
    """An infinite slope that eager code never meets: √0 in an example that is left out."""

    def loss(xs: Any) -> Any:
        results = vmap(lambda x: x * 2.0)(xs)
        return sum([sg.sqrt(y) for y in results][1:])

    slopes = jit(grad(loss))([0.0, 2.0, 8.0, *[2.0] * COUNT])
    assert slopes[:4] == pytest.approx([0.0, 0.5, 0.25, 0.5], rel=1e-15)


def unit(w: Any, x: Any) -> Any:
    """Return what is computed for one example."""
    return sg.tanh(w[0] * x + w[1]) * sg.maximum(w[1], 0.5 * x)


def pairs(w: Any, found: Any) -> Any:
    """Compare results with several others, and add all of them up, as the examples' own sum."""
    total = sum(found)
    for i in range(COUNT):
        for j in range(max(i - 7, 0), i):
            total = total + (found[i] - w[1] * found[j]) ** 2
    return total


def carried(w: Any, found: Any) -> Any:
    """Carry a state from one result to the next, several times around."""
    state = total = w[0]
    for _ in range(4):
        for x in found:
            state = 0.9 * state + x
            total = total + state * state
    return total


def looked_up(w: Any, found: Any) -> Any:
    """Let an index choose among the results."""
    return carried(w, [sg.take(found, k) + w[0] for k in range(COUNT)])


@pytest.mark.parametrize(
    ("outside", "kind"), [(pairs, list), (carried, np.array), (looked_up, list)]
)
def test_results_used_one_by_one_are_as_in_a_loop(
    outside: Function, kind: Callable[[Any], Any]
) -> None:
    """Values and gradients are those without vmap, for lists, whole arrays and data closed over."""
    w, data = [0.7, -0.3], draws(COUNT, 7)

    def given(w: Any, xs: Any) -> Any:
        return outside(w, list(vmap(unit, in_axes=(None, 0))(w, xs)))

    def closed_over(w: Any) -> Any:
        return given(w, kind(data))

    expected = value_and_grad(lambda w: outside(w, [unit(w, x) for x in data]))(w)
    assert close(jit(value_and_grad(given))(w, kind(data)), expected)
    assert close(jit(value_and_grad(closed_over))(w), expected)


def test_results_that_a_vmap_reads_do_not_join_those_made_of_its_results() -> None:
    """Joined, they would wait for themselves; recording such a function never ended."""
    xs = np.linspace(-1.0, 1.0, COUNT).tolist()

    def chained(p: Any) -> Any:
        s = vmap(lambda x: sg.tanh(x * p))(xs)
        first = sg.exp(s[0])
        t = vmap(lambda x: x * first)(xs)
        return sum([first, *map(sg.exp, t[1:])]) + sum(a**3 for a in s) + sum(b**4 for b in t)

    assert close(jit(value_and_grad(chained))(0.5), value_and_grad(chained)(0.5))


# Random programs ----------------------------------------------------------------------------------

UNITS: list[Function] = [sg.sin, sg.tanh, sg.square, abs, lambda x: 0.5 - x]
BINARY: list[Function] = [
    operator.add,
    operator.sub,
    operator.mul,
    sg.maximum,
    lambda x, y: sg.logsumexp([x, y, 0.1, x]),
]


def by_pairs(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each pair of two lists, in any order."""
    first, second, pair = draw.choice(lists), draw.choice(lists), draw.choice(BINARY)
    made = [0.0] * len(first)
    for n in draw.sample(range(len(first)), len(first)):
        made[n] = pair(first[n], second[n])
    return made


def by_data(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with an operation on each number, a single one and another constant."""
    pair, unit, single = draw.choice(BINARY), draw.choice(UNITS), draw.choice(singles)
    return [pair(draw.uniform(-1.0, 1.0), unit(x) * single) for x in draw.choice(lists)]


def odd_one(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each number but one."""
    first, unit = draw.choice(lists), draw.choice(UNITS)
    odd = draw.randrange(len(first))
    return [unit(x) if n != odd else x * 0.5 for n, x in enumerate(first)]


def by_choice(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on numbers of any list, another at each place."""
    pair, first = draw.choice(BINARY), draw.choice(lists)
    return [pair(draw.choice(lists)[n], x) for n, x in enumerate(first)]


def mapped(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return results of a further vmap."""
    unit, single = draw.choice(UNITS), draw.choice(singles)
    return vmap(lambda x: unit(x) * single)(draw.choice(lists))


def by_turns(draw: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list in which each number depends on the one before."""
    return [*itertools.accumulate(draw.choice(lists), draw.choice(BINARY))]


def added(draw: random.Random, lists: Any, singles: Any) -> None:
    """Add a sum over all numbers of a list, or most of them, to the single ones."""
    first, second, pair = draw.choice(lists), draw.choice(lists), draw.choice(BINARY)
    left_out = draw.randrange(2 * len(first))
    terms = [pair(first[n], second[n]) for n in range(len(first)) if n != left_out]
    terms += draw.choices(terms, k=draw.choice([0, 0, 1, 2]))  # some of them twice
    start = draw.choice([0.0, 0.1 * second[0]])
    singles.append(sum(draw.sample(terms, len(terms)), start) / len(first))


@pytest.mark.differential
@pytest.mark.parametrize("seed", seeds(8, light=2))
def test_random_programs_of_results_are_eager_ones(seed: int) -> None:
    """Lists of results and sums over them: values and gradients, by results too."""
    generator = random.Random(seed)
    count = generator.choice([3, COUNT])
    steps = generator.choices(
        [by_pairs, by_data, by_choice, odd_one, mapped, by_turns, added, added], k=8
    )

    def run(k: Any, xs: Any) -> Any:
        lists, singles = [vmap(lambda x: sg.sin(k * x))(xs)], [k, 0.3]
        again = random.Random(seed)
        for step in steps:
            made = step(again, lists, singles)
            if made is not None:
                lists.append([sg.tanh(x) for x in made])
        total = sum(x * (i + 1) for i, x in enumerate(singles)) + sum(lists[-1]) + lists[0][1]
        return total, gradients(total, [x for made in lists for x in made[:2]])

    def whole(k: Any, xs: Any) -> Any:
        found = value_and_grad(lambda k, xs: run(k, xs)[0], argnums=(0, 1))(k, xs)
        return found, run(k, [x * 1.0 for x in xs])

    given = Value(0.6), [Value(x) for x in draws(count, seed)]
    assert close(jit(whole)(*given), whole(*given))
