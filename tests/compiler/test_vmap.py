"""One example recorded under vmap computes what the loop over all of them computes eagerly."""

from __future__ import annotations

import cProfile
import itertools
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    OperandError,
    TraceError,
    Value,
    clip,
    dot,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    log,
    log_softmax,
    maximum,
    tanh,
    value_and_grad,
    vjp,
    vmap,
    where,
)
from scalargrad.compiler.backend import loop_steps, steps
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.packing.instructions import Copy, Gather
from scalargrad.compiler.passes import segments
from scalargrad.nn import MLP

from .loops import check, close, leaves, numbers, table

pytestmark = pytest.mark.usefixtures("backend")

Function = Callable[..., Any]


EXAMPLES = table(7, 3, 1)
TARGETS = table(1, 7, 2)[0]
OUTSIDE = [[Value(x) for x in row] for row in EXAMPLES]
NETWORK = MLP(3, [5, 4, 2], rng=3)


class Pair(NamedTuple):
    """An example with names."""

    first: Any
    second: Any


def score(w: Any, x: Any) -> Any:
    """Return what a neuron makes of one example."""
    return tanh(dot(w, x)) * x[0]


each = vmap(score, in_axes=(None, 0))


def total(w: Any, examples: Any) -> Any:
    """Sum over all examples."""
    return sum(each(w, examples))


def centred(w: Any, examples: Any) -> Any:
    """Use a sum over all examples for each, as a normalisation does."""
    found = each(w, examples)
    mean = sum(found) / len(found)
    return sum(vmap(lambda h: (h - mean) ** 2 * w[1])(found))


def used_again(w: Any, examples: Any) -> Any:
    """Add up all results twice, and one of them once more."""
    found = each(w, examples)
    return sum(found) + sum(found) * w[0] + dot(found, found) + found[2] * w[1]


def reversed_pairs(w: Any, examples: Any) -> Any:
    """Map over results in another order."""
    found = each(w, examples)
    return sum(vmap(lambda a, b: a * b * b)(found, found[::-1]))


def single_lanes(w: Any, examples: Any) -> Any:
    """Use some results by themselves."""
    found = each(w, examples)
    return found[0] * found[3] + maximum(*found) + found[2]


def nested(w: Any, examples: Any) -> Any:
    """Map inside a mapped function."""
    return vmap(lambda x: sum(vmap(lambda a, b: tanh(a * b))(w, x)))(examples)


#: Functions of three shared numbers and seven examples of three, by what they show.
SHAPES: dict[str, Function] = {
    "a sum over examples": total,
    "a result for each example": each,
    "nested": nested,
    "nested in a sum": lambda w, xs: sum(nested(w, xs)),
    "other examples beside": lambda w, xs: total(w, xs) * total(w, xs[:4]),
    "results mapped again": lambda w, xs: sum(vmap(lambda h: h * h * w[0])(each(w, xs))),
    "a total used in each example": centred,
    "a weighted sum": lambda w, xs: dot(each(w, xs), TARGETS),
    "single results": single_lanes,
    "results in another order": reversed_pairs,
    "the shared argument mapped": lambda w, xs: vmap(lambda a, b: a * b)(w, w),
    "examples of different length": lambda w, xs: vmap(lambda x: sum(x) * w[0])(
        [row[: 1 + i % 3] for i, row in enumerate(xs)]
    ),
    "no dependence on the example": lambda w, xs: sum(vmap(lambda x: w[0] * w[1])(xs)),
    "the same example again": lambda w, xs: sum(vmap(lambda x: w[0] * x[0] * x[1])([xs[0]] * 6)),
    "a column of one number": lambda w, xs: sum(
        vmap(lambda x: w[0] * x[0] * x[1])([[1.0, x[1]] for x in xs])
    ),
    "one example": lambda w, xs: total(w, xs[:1]),
    "no example": lambda w, xs: [w[0] * w[1], *each(w, [])],
    "log-softmax": lambda w, xs: sum(
        vmap(lambda x: log_softmax([w[0] * x[0], w[1] * x[1], x[2]])[1])(xs)
    ),
    "a choice": lambda w, xs: sum(
        vmap(lambda x: where(x[0] > w[0], x[1] * w[1], clip(x[2], -0.5, 0.5) * w[2]))(xs)
    ),
    "a maximum": lambda w, xs: sum(vmap(lambda x: maximum(*x, *w))(xs)),
    "a comparison counted": lambda w, xs: sum(vmap(lambda x: (x[0] > 0) == (x[1] > w[0]))(xs)),
    "detached": lambda w, xs: sum(vmap(lambda x: (w[0] * x[0]).detach() * w[1] * x[1])(xs)),
    "constants alone": lambda w, xs: vmap(lambda x: x * x)(TARGETS)[2] * w[0],
    "closed-over Values": lambda w, xs: total(w, OUTSIDE),
    "a network": lambda w, xs: sum(a * a + b for a, b in vmap(NETWORK)(xs)) * w[0],
    "weights shared along an example": lambda w, xs: sum(
        vmap(lambda x: sum(tanh(w[0] * a + w[1] * b) for a, b in itertools.pairwise(x)))(xs)
    ),
    "results used again": used_again,
    "several arguments": lambda w, xs: vmap(lambda x, y, w: (x[0] - y) * w[0], (0, 0, None))(
        xs, TARGETS, w
    ),
    "nested results": lambda w, xs: vmap(
        lambda x: {"a": (x[0] * w[0], 3), "b": [Pair(x[1], w[1])], "c": np.array([x[2], w[2]])}
    )(xs),
    "examples of all kinds": lambda w, xs: vmap(
        lambda d: d["pair"].first * d["row"][1] * w[0] + d["array"][0] * w[1] + len(d["name"])
    )(
        [
            {"pair": Pair(x[0], None), "row": tuple(x), "array": np.array(TARGETS), "name": "x"}
            for x in xs
        ]
    ),
    "a loop around": lambda w, xs: sum(total([a * k for a in w], xs) for k in (1.0, 2.0, 3.0)),
    "numbers left as they were": lambda w, xs: vmap(lambda x, n: sum([x[0]] * n) * w[0])(
        xs, [2] * 7
    ),
}

#: Derivatives taken inside the compiled function.
DERIVATIVES: dict[str, Function] = {
    "value_and_grad": value_and_grad(total),
    "grad by both": grad(total, argnums=(0, 1)),
    "grad per example": vmap(grad(score), in_axes=(None, 0)),
    "grad per example by the example": vmap(grad(score, 1), in_axes=(None, 0)),
    "grad of grad": grad(lambda w, xs: sum(grad(total)(w, xs))),
    "grad by a number inside": lambda w, xs: vmap(
        lambda x: grad(lambda a: a * a * x[0])(5.0) * w[0]
    )(xs),
    "grad by a number around": lambda w, xs: (
        grad(lambda a: sum(vmap(lambda y: a * a * y)(TARGETS)))(5.0) * w[0]
    ),
    "grad of a sum of gradients": grad(
        lambda w, xs: sum(vmap(lambda x: grad(lambda a: tanh(a * x[0]) * w[1] * a)(w[0]))(xs))
    ),
    "third": grad(lambda w, xs: grad(lambda b: grad(lambda a: total([a, a, b], xs))(b) * b)(w[0])),
    "hessian": hessian(total),
    "hessian per example": vmap(hessian(score), in_axes=(None, 0)),
    "jacobian": jacobian(each),
    "jvp": lambda w, xs: jvp(lambda w: total(w, xs), (w,), ([1.0, 2.0, 3.0],)),
    "jvp by the examples": lambda w, xs: jvp(lambda xs: each(w, xs), (xs,), (xs,)),
    "jvp per example": lambda w, xs: vmap(
        lambda x: jvp(lambda w: score(w, x), (w,), ([1.0, 2.0, 3.0],))
    )(xs),
    "jvp of what stays": lambda w, xs: jvp(
        lambda a: [a, total([a, *w[1:]], xs), total(w, xs)], (w[0],), (2.0,)
    ),
    "vjp": lambda w, xs: vjp(lambda w: each(w, xs), w)[1](TARGETS),
    "hvp": lambda w, xs: hvp(lambda w: total(w, xs), w, [1.0, 2.0, 3.0]),
    "hvp by the examples": lambda w, xs: hvp(lambda xs: total(w, xs), xs, xs),
}


@pytest.mark.alike
@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", SHAPES | DERIVATIVES)
def test_one_example_recorded_is_the_loop(name: str) -> None:
    """Values, gradients and second derivatives are those of the loop over plain examples."""
    check((SHAPES | DERIVATIVES)[name], leaves([0.3, -0.7, 0.5]), EXAMPLES)


@pytest.mark.alike
@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", SHAPES)
def test_examples_can_be_values(name: str) -> None:
    """Gradients flow to the numbers of the examples too."""
    check(SHAPES[name], leaves([0.3, -0.7, 0.5]), leaves(EXAMPLES))


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("dtype", [float, object])
def test_examples_can_be_arrays(dtype: Any) -> None:
    """The rows of an array are examples."""
    examples = np.array(EXAMPLES).astype(dtype)
    check(total, leaves([0.3, -0.7, 0.5]), examples)
    check(total, np.array([0.3, -0.7, 0.5]), examples)


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_examples_can_be_arrays_of_sequences(kind: Any) -> None:
    """NumPy would make one array of numbers of them all."""
    examples = [np.empty(2, dtype=object) for _ in range(2)]
    for i, j in itertools.product(range(2), repeat=2):
        examples[i][j] = kind([4.0 * i + 2.0 * j, 4.0 * i + 2.0 * j + 1.0])

    def digits(x: Any) -> Any:
        return 1000 * x[0][0] + 100 * x[0][1] + 10 * x[1][0] + x[1][1]

    assert jit(vmap(digits))(examples) == [123.0, 4567.0]
    assert jit(lambda scale: [scale * y for y in vmap(digits)(examples)])(2.0) == [246.0, 9134.0]


def program_of(compiled: Any) -> Any:
    """Return the one path recorded."""
    (path,) = programs_of(compiled)
    return path


UNLIKE: list[list[Any]] = [
    [[1.0, 2.0], (1.0, 2.0)],
    [[1.0, 2.0], [1.0, None]],
    [{"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0}],
    [np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])],
    [["x", 2.0], ["y", 2.0]],
]


@pytest.mark.parametrize("examples", UNLIKE)
def test_examples_that_differ_in_more_than_numbers_are_recorded_each(examples: list[Any]) -> None:
    """Other types, lengths, keys, shapes or strings make another program of each example."""

    def described(w: Any, x: Any) -> Any:
        parts = numbers(x)
        found = sum(k * a * w[0] for k, a in enumerate(parts) if isinstance(a, float | Value))
        return found + len(parts) + parts.count("x")

    check(lambda w: vmap(lambda x: described(w, x))(examples), leaves([0.3]))


def test_examples_whose_keys_are_equal_and_differ_are_recorded_each() -> None:
    """The two zeros are one key to Python."""
    signed = vmap(lambda x: sum(y * math.copysign(1.0, key) for key, y in x.items()))
    assert jit(lambda w: signed([{0.0: w}, {-0.0: w}]))(2.0) == [2.0, -2.0]


def test_a_large_layer_agrees() -> None:
    """A weight gradient so large that one factor is laid out anew for it is the loop's."""
    matrix, examples = table(64, 16, 8), table(3, 16, 9)

    def loss(matrix: Any) -> Any:
        return sum(vmap(lambda x: sum(tanh(dot(row, x)) for row in matrix))(examples))

    found, expected = jit(grad(loss))(matrix), grad(loss)(matrix)
    assert close(numbers(found), numbers(expected))


def test_one_example_is_recorded() -> None:
    """The function runs once, however many examples there are."""
    calls: list[Any] = []

    def counted(w: Any, x: Any) -> Any:
        calls.append(None)
        return score(w, x)

    compiled = jit(lambda w: sum(vmap(counted, in_axes=(None, 0))(w, EXAMPLES)))
    compiled([0.3, -0.7, 0.5])
    assert len(calls) == 1


def test_a_batch_becomes_products_of_matrices() -> None:
    """A layer is one instruction forward, and one for its weight gradients, with no tables."""
    layers = [table(6, 4, 5), table(3, 6, 6)]

    def forward(weights: Any, x: Any) -> Any:
        for matrix in weights:
            x = [tanh(dot(row, x)) for row in matrix]
        return sum(x)

    def loss(weights: Any, examples: Any) -> Any:
        return sum(vmap(forward, in_axes=(None, 0))(weights, examples))

    compiled = jit(value_and_grad(loss))
    compiled(layers, table(10, 4, 7))
    ((_, packed),) = program_of(compiled).function.values.parts
    grids = {(x.rows, x.columns) for x in packed.instructions if hasattr(x, "runs")}
    assert {(6, 10), (3, 10), (6, 4), (3, 6)} <= grids
    assert len(packed.instructions) < 25


def test_arguments_side_by_side_are_mapped_over_where_they_are() -> None:
    """Only numbers in another order are copied."""
    copies = []
    for order in ((0, 1, 2, 3), (1, 0, 3, 2)):
        compiled = jit(lambda *xs, order=order: sum(vmap(tanh)([xs[i] for i in order])))
        compiled(0.1, 0.2, 0.3, 0.4)
        ((_, packed),) = program_of(compiled).function.values.parts
        copies.append(sum(isinstance(x, Copy | Gather) for x in packed.instructions))
    assert copies == [0, 1]


@pytest.mark.parametrize(
    "f",
    [
        lambda w, xs: vmap(lambda x: x[0] if x[0] > 0 else x[1])(xs),
        lambda w, xs: vmap(max)(xs),
    ],
)
def test_a_condition_that_depends_on_examples_is_refused(f: Function) -> None:
    """The error names the line, and where, maximum and detach."""
    with pytest.raises(TraceError, match=r"test_vmap.*where, maximum.*detach"):
        jit(f)([0.3, -0.7, 0.5], EXAMPLES)


def test_a_condition_on_what_examples_add_up_to_is_a_guard() -> None:
    """A sum over the examples is one number, on which may depend what is computed next."""

    def chosen(w: Any, xs: Any) -> Any:
        return w[0] if total(w, xs) > 0 else 2.0 * w[1]

    compiled = jit(chosen)
    for w in ([0.3, -0.7, 0.5], [-0.3, 0.7, -0.5], [0.3, -0.7, 0.5]):
        assert compiled(w, EXAMPLES) == chosen(w, EXAMPLES)


@pytest.mark.usefixtures("lanes")
def test_a_condition_on_what_is_shared_is_a_guard() -> None:
    """A comparison that all examples share chooses the program at each call."""

    def chosen(w: Any, xs: Any) -> Any:
        return sum(vmap(lambda x: x[0] * w[0] if w[1] > 0 else x[1] * w[0])(xs))

    compiled = jit(chosen)
    for w in ([0.3, 1.0], [0.3, -1.0], [0.4, 2.0]):
        assert close([compiled(w, EXAMPLES)], [chosen(w, EXAMPLES)])


@pytest.mark.parametrize("use", [lambda kept: kept * 2.0, lambda kept: kept])
def test_a_value_that_leaves_its_example_is_refused(use: Function) -> None:
    """What is stashed inside the mapped function cannot be used or returned outside."""

    def stash(xs: Any) -> Any:
        kept: list[Any] = [None]

        def one(x: Any) -> Any:
            kept[0] = x[0] * 2.0
            return x[1]

        vmap(one)(xs)
        return use(kept[0])

    with pytest.raises(TraceError, match="return it from the function given to vmap"):
        jit(stash)(EXAMPLES)


@pytest.mark.parametrize("use", [lambda kept: kept * 2.0, lambda kept: sum([kept, 1.0, 2.0, kept])])
def test_a_value_that_leaves_one_of_many_calls_of_vmap_is_refused(use: Function) -> None:
    """However little is written between two of them, of what is long by then."""

    def stash(xs: Any, *, leaves: bool) -> Any:
        kept: list[Any] = [None] * 40
        total = 0.0

        def product(x: Any) -> Any:
            kept[k] = x[0] * 2.0
            return x[0] * x[1]

        for k in range(40):
            total += sum(vmap(product)(xs)) / (k + 1.0)
        return total + use(kept[7]) if leaves else total

    compiled = jit(stash, static_argnames="leaves")
    products = math.fsum(x[0] * x[1] for x in EXAMPLES)
    expected = math.fsum(products / k for k in range(1, 41))
    assert compiled(EXAMPLES, leaves=False) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(TraceError, match="return it from the function given to vmap"):
        compiled(EXAMPLES, leaves=True)


def test_a_gradient_that_leaves_its_example_is_refused() -> None:
    """Inside vmap, what examples were computed from is out of reach of a gradient."""

    def reach(w: Any) -> Any:
        scaled = [[w * a for a in x] for x in EXAMPLES]
        return vmap(lambda x: gradients(x[0] * x[1], [w], create_graph=True)[0])(scaled)

    with pytest.raises(TraceError, match="take the gradient outside"):
        jit(reach)(Value(2.0))


def test_numbers_of_other_examples_raise_no_error() -> None:
    """1 / (a - b) is defined although both results hold the first example's number meanwhile."""
    check(lambda w, xs: 1.0 / (each(w, xs)[0] - each(w, xs)[1]), leaves([0.3, -0.7, 0.5]), EXAMPLES)


def test_a_domain_error_in_any_example_is_raised() -> None:
    """The first example leaves the domain when recorded, a later one when run."""
    compiled = jit(lambda xs: sum(vmap(log)(xs)))
    with pytest.raises(DomainError):
        compiled([-1.0, 1.0, 1.0])
    assert compiled([1.0, math.e, 1.0]) == pytest.approx(1.0)
    with pytest.raises(DomainError):
        compiled([1.0, 1.0, -1.0])


@pytest.mark.usefixtures("lanes")
def test_a_program_with_lanes_can_be_pickled() -> None:
    """It runs where it is unpickled, and can be differentiated there."""
    compiled = jit(total)
    w = [0.3, -0.7, 0.5]
    expected = compiled(w, EXAMPLES), grad(compiled)(w, EXAMPLES)
    restored = pickle.loads(pickle.dumps(compiled))
    assert (restored(w, EXAMPLES), grad(restored)(w, EXAMPLES)) == expected


def test_explain_tells_of_blocks(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many lanes there are, in how many blocks, or that machine code needs none."""
    monkeypatch.setattr(segments, "MOST", 300)
    where = "in registers" if backend == "native" else "in 4 blocks"
    assert f"1000 lanes {where}" in jit(total).explain([0.3, -0.7, 0.5], table(1000, 3, 1))
    monkeypatch.setattr(loop_steps, "fits_registers", lambda _: False)
    assert "1000 lanes in 4 blocks" in jit(total).explain([0.3, -0.7, 0.5], table(1000, 3, 1))


@pytest.mark.parametrize("count", [513, 1500])
def test_threads_and_blocks_that_do_not_divide_change_nothing(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, two and three threads give the same bits; blocks of 257 the same numbers as the loop."""
    monkeypatch.setattr(segments, "MOST", 257)
    monkeypatch.setattr(steps, "LANES_FOR_THREADS", 0)
    examples, w = table(count, 3, 11), [0.3, -0.7, 0.5]
    compiled, results = jit(value_and_grad(total)), []
    for count_of_threads in ("1", "2", "3"):
        monkeypatch.setenv("SCALARGRAD_THREADS", count_of_threads)
        results.append(numbers(compiled(w, examples)))
    assert results[0] == results[1] == results[2]
    assert close(results[0], numbers(value_and_grad(total)(w, examples)))


@pytest.mark.parametrize("wanted", ["0", "-1", "two"])
def test_a_wrong_number_of_threads_is_refused(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and what it holds."""
    monkeypatch.setenv("SCALARGRAD_THREADS", wanted)
    with pytest.raises(OperandError, match=f"SCALARGRAD_THREADS is '{wanted}'"):
        steps.threads()


@pytest.mark.parametrize("examples", [255, 256, 1500])
@pytest.mark.parametrize("kind", [list, np.array])
def test_derivatives_that_are_one_number_for_all_examples(kind: Any, examples: int) -> None:
    """Of what is linear, the second derivative is 0 in each example, and each has its own 0."""

    def f(p: Any, t: Any) -> Any:
        return p[0] * p[0] * t + p[1] * p[0]

    xs = kind([0.01 * k for k in range(examples)])
    compiled = jit(vmap(hessian(f), in_axes=(None, 0)))
    compiled([1.0, 2.0], xs)
    profile = cProfile.Profile()
    found = profile.runcall(compiled, [2.0, 3.0], xs)
    assert f.__code__ not in {entry.code for entry in profile.getstats()}  # compiled, not eager
    if kind is list:
        assert found == [[[2 * t, 1.0], [1.0, 0.0]] for t in xs]
    else:
        assert found[0][0].tolist() == (2 * xs).tolist()
        assert found[0][1].tolist() == found[1][0].tolist() == [1.0] * examples
        assert found[1][1].tolist() == [0.0] * examples


def test_jacobians_whose_entries_have_no_examples_beside_such_that_do() -> None:
    """A derivative that is 3 whatever the example is returned for each of them, in its place."""
    found = jit(vmap(jacobian(lambda x: [3.0 * x, x * x, 7.0])))(np.arange(300.0))
    assert [x.tolist() for x in found] == [
        [3.0] * 300,
        (2 * np.arange(300.0)).tolist(),
        [0.0] * 300,
    ]


def test_threads_are_the_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not say which cores a process may use, all of them count."""
    monkeypatch.delenv("SCALARGRAD_THREADS", raising=False)
    assert 1 <= steps.threads() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert steps.threads() == (os.cpu_count() or 1)


FORK = """
import os, signal, warnings
from scalargrad.compiler.backend import steps
parent = steps.executor(2)
assert parent.submit(int).result() == 0
warnings.simplefilter("ignore", DeprecationWarning)  # forking while threads run
child = os.fork()
if child == 0:
    signal.alarm(120)  # rather than waiting for ever
    own = steps.executor(2)
    os._exit(0 if own is not parent and own.submit(int).result() == 0 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """The pool of the parent, whose threads a child lacks, is not used there."""
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 0


def test_an_error_in_any_thread_is_raised() -> None:
    """Work that fails in one part fails as a whole, and the threads go on to serve others."""

    def work(part: int) -> Any:
        if part == 5:
            raise ArithmeticError(part)
        return np.array([float(part)])

    with pytest.raises(ArithmeticError):
        steps.shared(work, range(8), 3)
    assert np.concatenate(steps.shared(work, range(5), 3)).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("f", [lambda s, x: s * s, lambda s, x: s * x], ids=["no", "equal"])
def test_a_gradient_by_a_number_that_all_examples_share_is_refused(f: Function) -> None:
    """Eager code has a number for each example, so that by one it is the gradient through that one.

    A Value from outside, which each example returns, is one number there, too.
    """

    def by_results(s: Any) -> Any:
        results = vmap(lambda x: f(s, x))([2.0, 2.0, 2.0])
        return gradients(2.0 * results[1] + results[2], results)

    assert by_results(Value(1.5)) == [0.0, 2.0, 1.0]
    with pytest.raises(TraceError, match=r"the same number for all examples .*: write a loop"):
        jit(by_results)(Value(1.5))
    returned = jit(lambda s: gradients(vmap(lambda x: s)([2.0, 3.0])[0] * 2.0, s))
    assert returned(Value(1.5)) == 2.0
    unread = jit(lambda s: gradients(s * 2.0, vmap(lambda x: s * s)([2.0, 3.0])))
    assert unread(Value(1.5)) == [0.0, 0.0]
