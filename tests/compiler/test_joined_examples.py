"""What is done to all results of a vmap in a loop outside it runs as if written inside."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import close, numbers
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, gradients, jit, value_and_grad, vmap
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.trace import example_lanes, whole_arrays

Function = Callable[..., Any]

TARGETS = np.sin(np.arange(12.0)).reshape(4, 3)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Treat few examples as many."""
    if "many" not in request.fixturenames:
        monkeypatch.setattr(example_lanes, "FEWEST", 2)


def path(k: Any, x: Any) -> list[Any]:
    """Return four states of a recurrence."""
    found = []
    for _ in range(4):
        x = 0.8 * x + 0.1 * sg.sin(k * x)
        found.append(x)
    return found


def flat(paths: Any, targets: Any) -> Any:
    """Return a sum over all states of all examples."""
    return sum(
        (p - t) ** 2
        for ps, ts in zip(paths, targets, strict=True)
        for p, t in zip(ps, ts, strict=True)
    )


def nested(paths: Any, targets: Any) -> Any:
    """Return a sum of sums over examples."""
    return sum(
        sum((p - t) ** 2 for p, t in zip(ps, ts, strict=True))
        for ps, ts in zip(paths, targets, strict=True)
    )


def by_example(paths: Any, targets: Any) -> Any:
    """Return a sum over the states of one example after the other."""
    total = 0.0
    for k in range(3):
        for ps, ts in zip(paths, targets, strict=True):
            total = total + (ps[k] - ts[k]) ** 2
    return total


def reduced(paths: Any, targets: Any) -> Any:
    """Return sums that start from their first terms."""
    return functools.reduce(
        operator.add,
        (
            functools.reduce(operator.add, [(p - t) ** 2 for p, t in zip(ps, ts, strict=True)])
            for ps, ts in zip(paths, targets, strict=True)
        ),
    )


def by_sum(paths: Any, targets: Any) -> Any:
    """Return one sum of many terms."""
    errors = [
        p - t for ps, ts in zip(paths, targets, strict=True) for p, t in zip(ps, ts, strict=True)
    ]
    return sg.sum([e * e for e in errors])


def of_shifted(paths: Any, targets: Any) -> Any:
    """Compute with the targets, too, after the examples."""
    return sum(
        (2.0 * (t - 0.5) - 2.0 * (p - 0.5)) ** 2 / 4.0
        for ps, ts in zip(paths, targets, strict=True)
        for p, t in zip(ps, ts, strict=True)
    )


LOSSES: list[Function] = [flat, nested, by_example, reduced, by_sum, of_shifted]


def counted(compiled: Jitted[..., Any]) -> Counter[str]:
    """Return how often each operation occurs in the only recording."""
    (found,) = programs_of(compiled)
    written = str(found.function.recorded).splitlines()
    return Counter(line.split(" = ")[1].split("(")[0] for line in written)


@pytest.mark.parametrize("kind", ["constants", "list", "array", "whole array"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_in_a_loop_outside(
    loss: Function, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the gradient of eager code, and its operations are recorded once for each state."""
    if kind == "whole array":
        monkeypatch.setattr(whole_arrays, "FEWEST", 1)
    targets: Any = TARGETS if "array" in kind else TARGETS.tolist()

    def of(k: Any, xs: Any, *targets: Any) -> Any:
        paths = vmap(lambda x: path(k, x), out_axes=1)(xs)
        return loss(paths, *(targets or (TARGETS.tolist(),)))

    compiled = jit(value_and_grad(of, argnums=(0, 1)))
    given = 0.7, [0.3, -0.4, 0.5], *([] if kind == "constants" else [targets])
    found = compiled(*given)
    with sg.disable_jit():
        assert close(numbers(found), numbers(value_and_grad(of, argnums=(0, 1))(*given)))
    times = counted(compiled)
    assert times["total"] == 1
    assert times["unbatch"] == 0
    assert times["pow"] + times["sin"] <= 8


def test_a_cross_entropy_outside() -> None:
    """The logarithm of a sum of exponentials over classes is recorded once for all examples."""
    rows, labels = [[0.3, -0.1], [0.2, 0.9], [-0.5, 0.4], [0.0, 0.1]], [2, 0, 1, 0]

    def loss(weights: Any) -> Any:
        logits = vmap(lambda row: [sg.dot(w, row) for w in weights])(rows)
        return sg.losses.cross_entropy(logits, labels)

    weights = [[0.5, -0.3], [0.1, 0.8], [-0.6, 0.2]]
    compiled = jit(value_and_grad(loss))
    found = compiled(weights)
    with sg.disable_jit():
        assert close(numbers(found), numbers(value_and_grad(loss)(weights)))
    assert counted(compiled)["logsumexp"] == 1


@pytest.mark.parametrize("classes", [3, 40])
def test_each_example_may_choose_a_result_by_its_label(classes: int) -> None:
    """The derivative of -log softmax(z)[label] is softmax(z) - onehot(label)."""
    xs, labels = [0.1 * k for k in range(80)], [(7 * k) % classes for k in range(80)]

    def loss(weights: Any) -> Any:
        scores = vmap(lambda x: [w * x for w in weights])(xs)
        chosen = [row[label] for row, label in zip(scores, labels, strict=True)]
        sums = [sum(sg.exp(z) for z in row) for row in scores]
        return -sum(sg.log(sg.exp(z) / total) for z, total in zip(chosen, sums, strict=True))

    weights = [math.cos(k) for k in range(classes)]
    compiled = jit(sg.grad(loss))
    softmax = [[math.exp(w * x) for w in weights] for x in xs]
    softmax = [[z / math.fsum(row) for z in row] for row in softmax]
    expected = [
        math.fsum(
            x * (row[k] - (k == label)) for x, row, label in zip(xs, softmax, labels, strict=True)
        )
        for k in range(classes)
    ]
    assert compiled(weights) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert (counted(compiled)["log"] == 1) == (classes == 3)


@pytest.mark.parametrize("many", [100, 300])
def test_gradients_by_results(many: int) -> None:
    """A sum over all results depends on each of them: d(Σp)²/dp = 2 Σp."""

    def by_results(xs: Any) -> Any:
        results = vmap(lambda x: x * x)(xs)
        total = sum(results)
        return gradients(total, [results[0], results[5]]), gradients(total**2, [xs[1], results[1]])

    xs = [Value(0.01 * i) for i in range(many)]
    total = math.fsum((0.01 * i) ** 2 for i in range(many))
    first, second = jit(by_results)(xs)
    assert first == [1.0, 1.0]
    assert second == pytest.approx([2.0 * total * 0.02, 2.0 * total], rel=1e-12)


@pytest.mark.parametrize("twice", range(4))
@pytest.mark.parametrize("apart", range(4))
def test_a_sum_of_as_many_terms_as_examples(twice: int, apart: int) -> None:
    """A sum adds one result twice, but not another, of which the square is added."""

    def total(xs: Any) -> Any:
        results = vmap(lambda x: x * x)(xs)
        terms = [*results[:apart], *results[apart + 1 :], results[twice]]
        return sum(terms) + results[apart] ** 2

    xs = [0.5**k for k in range(4)]
    times = [(k != apart) + (k == twice) for k in range(4)]
    squares = [2.0 * (k == apart) * x * x for k, x in enumerate(xs)]
    expected = [2.0 * x * (n + y) for x, n, y in zip(xs, times, squares, strict=True)]
    assert jit(sg.grad(total))(xs) == expected


def test_results_and_what_is_computed_of_them_are_results_as_well() -> None:
    """Errors, the largest of them and a condition beside the loss."""

    def report(k: Any, xs: Any) -> Any:
        errors = [y - 0.1 * i for i, y in enumerate(vmap(lambda x: sg.sin(k * x))(xs))]
        small = [e for e in errors if e < 0.5]
        return sum(e * e for e in errors), errors, sg.maximum(*errors), len(small), errors[1] / 2.0

    given = 0.7, [0.3, -0.4, 0.5, 2.0]
    with sg.disable_jit():
        expected = report(*given)
    assert close(numbers(jit(report)(*given)), numbers(expected))


def test_sums_of_negative_zeros() -> None:
    """A sum that begins with 0.0 is 0.0, one of nothing but -0.0 is -0.0; atan2 tells."""

    def sums(xs: Any) -> Any:
        results = vmap(lambda x: x * 2.0)(xs)
        total = 0.0
        for y in results[1:]:
            total = total + y
        found = sum(results), sg.sum(results), results[0] + total, sum(results, -0.0)
        return [sg.atan2(x, -1.0) for x in found]

    assert jit(sums)([-0.0, -0.0, -0.0]) == [math.pi, math.pi, math.pi, -math.pi]


def test_an_example_that_no_loss_reads() -> None:
    """An infinite slope that eager code never meets: log(0) in an example that is left out."""

    def loss(xs: Any) -> Any:
        results = vmap(lambda x: x * 2.0)(xs)
        return sum([sg.sqrt(y) for y in results][1:])

    assert jit(sg.grad(loss))([0.0, 2.0, 8.0]) == pytest.approx([0.0, 0.5, 0.25], rel=1e-15)


UNITS: list[Function] = [sg.sin, sg.tanh, sg.square, abs, lambda x: 0.5 - x]
PAIRS: list[Function] = [
    operator.add,
    operator.sub,
    operator.mul,
    sg.maximum,
    lambda x, y: sg.logsumexp([x, y, 0.1, x]),
]


def by_pairs(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each pair of two lists, in any order."""
    first, second, pair = draws.choice(lists), draws.choice(lists), draws.choice(PAIRS)
    made = [0.0] * len(first)
    for n in draws.sample(range(len(first)), len(first)):
        made[n] = pair(first[n], second[n])
    return made


def by_singles(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each number and a single one."""
    pair, single = draws.choice(PAIRS), draws.choice(singles)
    return [pair(x, single) for x in draws.choice(lists)]


def by_data(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each number and another constant."""
    pair, unit = draws.choice(PAIRS), draws.choice(UNITS)
    return [pair(draws.uniform(-1.0, 1.0), unit(x)) for x in draws.choice(lists)]


def odd_one(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on each number but one."""
    first, unit = draws.choice(lists), draws.choice(UNITS)
    odd = draws.randrange(len(first))
    return [unit(x) if n != odd else x * 0.5 for n, x in enumerate(first)]


def by_choice(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list with the same operation on numbers of any list, another at each place."""
    pair, first = draws.choice(PAIRS), draws.choice(lists)
    return [pair(draws.choice(lists)[n], x) for n, x in enumerate(first)]


def mapped(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return results of a further vmap."""
    unit, single = draws.choice(UNITS), draws.choice(singles)
    return vmap(lambda x: unit(x) * single)(draws.choice(lists))


def by_turns(draws: random.Random, lists: Any, singles: Any) -> Any:
    """Return a list in which each number depends on the one before."""
    first, pair = draws.choice(lists), draws.choice(PAIRS)
    return [*itertools.accumulate(first, pair)]


def added(draws: random.Random, lists: Any, singles: Any) -> None:
    """Add a sum over all numbers of a list, or most of them, to the single ones."""
    first, second, pair = draws.choice(lists), draws.choice(lists), draws.choice(PAIRS)
    left_out = draws.randrange(2 * len(first))
    terms = [pair(first[n], second[n]) for n in range(len(first)) if n != left_out]
    terms += draws.choices(terms, k=draws.choice([0, 0, 1, 2]))  # some of them twice
    start = draws.choice([0.0, 0.1 * second[0]])
    singles.append(sum(draws.sample(terms, len(terms)), start) / len(first))


def random_program(seed: int) -> tuple[Function, list[float]]:
    """Return a random program of lists of results and sums over them, with gradients by all."""
    draws = random.Random(seed)
    count = draws.choice([2, 3, 8])
    steps = draws.choices(
        [by_pairs, by_singles, by_data, by_choice, odd_one, mapped, by_turns, added, added], k=9
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

    return whole, [draws.uniform(-1.0, 1.0) for _ in range(count)]


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(300, light=60))
def test_random_programs(seed: int) -> None:
    """Values and gradients, by results too, are those of eager code."""
    whole, xs = random_program(seed)
    found = jit(whole)(Value(0.6), [*map(Value, xs)])
    with sg.disable_jit():
        assert close(numbers(found), numbers(whole(Value(0.6), [*map(Value, xs)])))


def test_results_of_as_many_examples_join() -> None:
    """The first of two results and the second of three are not all results of two examples."""

    def loss(xs: Any) -> Any:
        two = vmap(lambda x: 2.0 * x)(xs)
        three = vmap(lambda y: 3.0 * y)([*two, 0.1])
        return two[0] * 5.0 + three[1] * 7.0 + sum(three)

    assert jit(sg.grad(loss))([0.5, 0.25]) == [16.0, 48.0]


def test_results_that_a_vmap_reads_do_not_join_those_made_of_its_results() -> None:
    """Joined, they would wait for themselves; recording such a function never ended."""
    xs = np.linspace(-1.0, 1.0, 5).tolist()

    def chained(p: Any) -> Any:
        s = vmap(lambda x: sg.tanh(x * p))(xs)
        first = sg.exp(s[0])
        t = vmap(lambda x: x * first)(xs)
        return sum([first, *map(sg.exp, t[1:])]) + sum(a**3 for a in s) + sum(b**4 for b in t)

    value, slope = jit(value_and_grad(chained))(0.5)
    above, below = chained(0.5 + 1e-6), chained(0.5 - 1e-6)
    assert math.isclose(value, chained(0.5), rel_tol=1e-12)
    assert math.isclose(slope, (above - below) / 2e-6, rel_tol=1e-7)
