"""vmap computes, compiled, what a loop over the examples computes eagerly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.compiler.eager import Function, check, leaves, table
from tests.compiler.loops import close, numbers, plain

import scalargrad as sg
from scalargrad import Value, clip, dot, grad, gradients, jit, take, tanh, value_and_grad, vjp, vmap
from scalargrad.nn import MLP

EXAMPLES = table(7, 3, 1)
TARGETS = table(1, 7, 2)[0]
OUTSIDE = [[Value(x) for x in row] for row in EXAMPLES]
NETWORK = MLP(3, [5, 4, 2], rng=3)
WEIGHTS = [0.3, -0.7, 0.5]


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
    average = sum(found) / len(found)
    return sum(vmap(lambda h: (h - average) ** 2 * w[1])(found))


def used_again(w: Any, examples: Any) -> Any:
    """Use results added up, twice, one by one and in another order."""
    found = each(w, examples)
    pairs = vmap(lambda a, b: a * b * b)(found, found[::-1])
    return sum(found) + sum(found) * w[0] + dot(found, TARGETS) + sg.maximum(*found) + sum(pairs)


#: Functions of three shared numbers and seven examples of three, by what they show.
SHAPES: dict[str, Function] = {
    "a sum over examples": total,
    "a result for each example": each,
    "a total used in each example": centred,
    "results used again": used_again,
    "one example and none": lambda w, xs: [total(w, xs[:1]), *each(w, [])],
    "a choice": lambda w, xs: sum(
        vmap(lambda x: sg.where(x[0] > w[0], x[1] * w[1], clip(x[2], -0.5, 0.5) * w[2]))(xs)
    ),
    "detached": lambda w, xs: sum(vmap(lambda x: (w[0] * x[0]).detach() * w[1] * x[1])(xs)),
    "closed-over Values": lambda w, xs: total(w, OUTSIDE),
    "a network": lambda w, xs: sum(a * a + b for a, b in vmap(NETWORK)(xs)) * w[0],
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
    "slopes that leave out what all share": lambda w, xs: 1.0 / (each(w, xs)[0] - each(w, xs)[1]),
}

#: Derivatives taken inside the compiled function.
DERIVATIVES: dict[str, Function] = {
    "value_and_grad": value_and_grad(total),
    "grad per example": vmap(grad(score), in_axes=(None, 0)),
    "grad of a sum of gradients": grad(
        lambda w, xs: sum(vmap(lambda x: grad(lambda a: tanh(a * x[0]) * w[1] * a)(w[0]))(xs))
    ),
    "hessian": sg.hessian(total),
    "jacobian": sg.jacobian(each),
}


@pytest.mark.parametrize("name", SHAPES | DERIVATIVES)
def test_one_example_recorded_is_the_loop(name: str) -> None:
    """Values, gradients and second derivatives, by what is shared and by the examples."""
    f = (SHAPES | DERIVATIVES)[name]
    check(f, leaves(WEIGHTS), leaves(EXAMPLES) if name in SHAPES else EXAMPLES)


@pytest.mark.parametrize("name", ["a network", "results used again"])
def test_a_thousand_examples_are_the_loop(name: str) -> None:
    """So many are added up and shared out otherwise; given as lists or as an array."""
    w, examples = leaves(WEIGHTS), table(1003, 3, 1)
    f: Function = SHAPES[name]
    if name == "results used again":
        f = lambda w, xs: centred(w, xs) + sum(each(w, xs)) * w[0] + each(w, xs)[700]  # noqa: E731
    expected = numbers(f(w, examples))
    for given in (examples, np.array(examples))[: 1 if name == "a network" else 2]:
        found, eager = numbers(jit(f)(w, given)), numbers(f(w, given))
        assert close(found, eager)
        for k in (0, len(found) // 2, -1):
            if isinstance(eager[k], Value):
                assert close(gradients(found[k], w), gradients(eager[k], w))
        assert close(math.fsum(plain(found)), math.fsum(plain(expected)))


@pytest.mark.parametrize("count", [20_003, 30_000])
def test_the_number_of_threads_changes_no_bit(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many examples are shared by threads; the sum is NumPy's to rounding."""
    xs, w = np.random.default_rng(count).uniform(-1.0, 1.0, (count, 3)), np.array(WEIGHTS)
    results = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("SCALARGRAD_THREADS", threads)
        value, slopes = jit(value_and_grad(total))(w, xs)
        results.append([value, *slopes])
    assert results[0] == results[1] == results[2]
    y = np.tanh(xs @ w)
    expected = [(y * xs[:, 0]).sum(), *((1 - y * y) * xs[:, 0]) @ xs]
    assert results[0] == pytest.approx(expected, rel=1e-9)


#: Functions of two parameters and one example: smooth, linear, with kinks, of few of them.
FUNCTIONS: dict[str, Function] = {
    "exponential": lambda p, t: p[0] * sg.exp(-p[1] * t),
    "kinks": lambda p, t: sg.relu(p[0] * t - 1.0) * p[1] + sg.maximum(t, p[1]) + clip(t, 0.5, 1.5),
    "reduction": lambda p, t: sg.logsumexp([p[0] * t, p[1], t]),
    "constant between jumps": lambda p, t: sg.floor(p[0] * t) + p[1],
    "of parameters only": lambda p, t: p[0] * p[1],
    "of the example only": lambda p, t: t * t,
    "of nothing": lambda p, t: 3.0,
}
DIRECTION = [1.0, 0.5]
PER_EXAMPLE: dict[str, Callable[[Function], Function]] = {
    "value_and_grad": value_and_grad,
    "second, by the example": lambda f: grad(grad(f, argnums=1), argnums=1),
    "jacfwd": lambda f: sg.jacfwd(lambda p, t: {"y": f(p, t), "z": (p[1], t)}),
    "jacrev, twice": lambda f: sg.jacrev(sg.jacrev(lambda p, t: [f(p, t), p[0] * t])),
    "vjp": lambda f: lambda p, t: vjp(lambda q: f(q, t), p)[1](1.0),
    "hvp": lambda f: lambda p, t: sg.hvp(lambda q: f(q, t), (p,), (DIRECTION,)),
}


@pytest.mark.parametrize("examples", [3, 70])
@pytest.mark.parametrize("name", PER_EXAMPLE)
def test_a_derivative_has_an_entry_for_each_example(name: str, examples: int) -> None:
    """Also where it is one number for all of them, be they few or many."""
    ts = 0.11 + 1.7 * np.arange(examples) / examples
    mapped = [vmap(PER_EXAMPLE[name](f), in_axes=(None, 0)) for f in FUNCTIONS.values()]
    found = jit(lambda p, ts: [f(p, ts) for f in mapped])([1.3, 0.7], ts)
    expected = [f([1.3, 0.7], ts) for f in mapped]
    assert shape_of(found) == shape_of(expected)
    assert close(found, expected)


# Examples and conditions --------------------------------------------------------------------------


UNLIKE: list[list[Any]] = [
    [[1.0, 2.0], (1.0, 2.0)],
    [[1.0, 2.0], [1.0, None]],
    [{"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0}],
    [np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])],
    [["x", 2.0], ["y", 2.0]],
]


@pytest.mark.parametrize("examples", UNLIKE)
def test_examples_may_differ_in_more_than_numbers(examples: list[Any]) -> None:
    """In types, lengths, keys, shapes or strings."""

    def described(w: Any, x: Any) -> Any:
        parts = numbers(x)
        found = sum(k * a * w[0] for k, a in enumerate(parts) if isinstance(a, float | Value))
        return found + len(parts) + parts.count("x")

    check(lambda w: vmap(lambda x: described(w, x))(examples), leaves([0.3]))
    assert vmap(lambda x: (2.0 * x, None))(np.array([1.0, 2.0]))[1] is None


def test_the_function_runs_once_for_all_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """However many there are; and not at all in a second call."""

    def noted(x: Any) -> Any:
        print("runs")
        return score(WEIGHTS, x)

    compiled = jit(vmap(noted))
    compiled(EXAMPLES)
    assert capsys.readouterr().out == "runs\n"
    compiled(EXAMPLES[::-1])
    assert capsys.readouterr().out == ""


def test_a_condition_is_on_what_all_examples_share() -> None:
    """Then it chooses at each call, as does one on a sum; on one example it is refused.

    Equal numbers that are known are one number.
    """

    def chosen(w: Any, xs: Any) -> Any:
        found = vmap(lambda x: x[0] * w[0] if w[1] > 0 else x[1] * w[0])(xs)
        return sum(found) if total(w, xs) > 0 else 2.0 * w[1] * found[1]

    compiled = jit(chosen)
    for w in ([0.3, 1.0, 0.5], [0.3, -1.0, 0.2], [-0.3, 0.7, -0.5], [0.3, 1.0, 0.5]):
        assert close(compiled(w, EXAMPLES), chosen(w, EXAMPLES))
    known = jit(lambda xs: vmap(lambda n, x: x * n if n > 1 else -x)(np.full(2, 2.0), xs))
    assert [*known([0.5, 1.0])] == [1.0, 2.0]
    for f, named in ((lambda x: x[0] if x[0] > 0 else x[1], "test_vmap.py"), (max, "where")):
        with pytest.raises(sg.TraceError, match=named):
            jit(vmap(f))(EXAMPLES)


@pytest.mark.parametrize("f", [lambda s, x: s * s, lambda s, x: s * x], ids=["no", "equal"])
def test_a_gradient_by_a_number_that_all_examples_share_is_refused(f: Function) -> None:
    """Eager code has a number for each example, so that by one it is the gradient through that.

    A Value from outside, which each example returns, is one number there, too.
    """

    def by_results(s: Any) -> Any:
        results = vmap(lambda x: f(s, x))([2.0, 2.0, 2.0])
        return gradients(2.0 * results[1] + results[2], results)

    assert by_results(Value(1.5)) == [0.0, 2.0, 1.0]
    with pytest.raises(sg.TraceError, match="examples"):
        jit(by_results)(Value(1.5))
    returned = jit(lambda s: gradients(vmap(lambda x: s)([2.0, 3.0])[0] * 2.0, s))
    assert returned(Value(1.5)) == 2.0


@pytest.mark.parametrize("count", [3, 300])
def test_a_domain_error_in_any_example_is_raised(count: int) -> None:
    """The first example leaves the domain when recorded, a later one when run."""
    compiled = jit(lambda xs: sum(vmap(sg.log)(xs)))
    fine, first, last = np.ones(count), np.ones(count), np.ones(count)
    first[0], last[-1], fine[1] = -1.0, -1.0, math.e
    with pytest.raises(sg.DomainError):
        compiled(first)
    assert compiled(fine) == pytest.approx(1.0)
    with pytest.raises(sg.DomainError):
        compiled(last)


# Lookups by each example --------------------------------------------------------------------------

TOKENS = [3, 0, 3, -1, 2, 0, 3]
LOOKED_UP = MLP(2, [3, 2], rng=3)


def entry(w: Any, token: Any, x: Any = 0.5) -> Any:
    """Look up in a list of numbers."""
    return tanh(take(w, token) * x) * w[1]


def classified(w: Any, token: Any, target: Any) -> Any:
    """Look a token up in a table of rows, and a score among those of a network."""
    rows = [[w[0], w[1]], [w[1], w[2]], (w[2], 0.5), [w[3], w[0]]]
    scores = LOOKED_UP(take(rows, token))
    return sg.logsumexp(scores) - take(scores, target) + w[3] * take(w, target) ** 2


def entries(w: Any, tokens: Any, factors: Any = TARGETS) -> Any:
    """Sum over the examples."""
    return sum(vmap(entry, (None, 0, 0))(w, tokens, factors))


#: Functions of four numbers and seven indices, by what they show.
LOOKUPS: dict[str, Function] = {
    "a result for each": vmap(entry, (None, 0)),
    "a network": lambda w, t: sg.mean(vmap(classified, (None, 0, 0))(w, t, [1, 0, 1, 1, 0, -1, 0])),
    "a computed index": lambda w, t: sum(vmap(lambda i: take(w, 1 - abs(i)) * w[0])(t)),
    "an array of rows": lambda w, t: sum(
        vmap(lambda i: dot(take(np.array(EXAMPLES), i).tolist(), w[:3]))(t)
    ),
    "a table for each example": lambda w, t: sum(
        vmap(lambda i, row: take(row, sg.where(i > 2, i - 3, i)) * w[0])(t, EXAMPLES)
    ),
    "an index that all share": lambda w, t: sum(
        vmap(lambda x: take([x, w[1], 2.0, w[0] * x], t[4]) ** 2)(TARGETS)
    ),
    "results looked up by each": lambda w, t: sum(
        vmap(lambda i: take(vmap(tanh)(w), i) * w[1])(t)
    ),
    "grad of grad": grad(lambda w, t: sum(g * g for g in grad(entries)(w, t))),
    "grad per example of a network": vmap(grad(lambda w, i: classified(w, i, -1)), (None, 0)),
    "jacobian": sg.jacobian(vmap(entry, (None, 0))),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups_of_one_example_are_those_of_the_loop(name: str) -> None:
    """Values, gradients and second derivatives, by indices that are numbers or Values."""
    w = leaves([0.3, -0.7, 0.5, 1.1])
    check(LOOKUPS[name], w, TOKENS)
    tokens = leaves(list(map(float, TOKENS)))
    assert close(jit(LOOKUPS[name])(w, tokens), LOOKUPS[name](w, tokens))


# Where results go ---------------------------------------------------------------------------------

ARRAY = np.array([0.5, -0.3, 2.0])
ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def scored(w: Any, x: Any) -> Any:
    """Return numbers, a list, a dict and an array of an example, and what all share."""
    first, second = w[0] * x[0] - x[1], x[2] * x[2]
    return {"pair": (first, [second, first * second]), "row": x * 2.0, "own": w[0] * w[1]}


#: Functions of weights and an example, with what out_axes is.
AXES: list[tuple[Any, Any]] = [
    (lambda w, x: w[0] * x[0], 0),
    (lambda w, x: x * w[1], 1),
    (lambda w, x: x * w[1], -2),
    (lambda w, x: (x[0], x * w[1]), (0, 1)),
    (lambda w, x: [x[0], (x[1], w[2])], [0, (0, None)]),
    (scored, {"pair": 0, "row": 1, "own": None}),
    (lambda w, x: x.reshape(3, 1) * w[2], 2),
    (lambda w, x: x.reshape(3, 1) * w[2], 1),
]


def shape_of(tree: Any) -> Any:
    """Return a result with shapes in place of arrays."""
    if isinstance(tree, dict):
        return {k: shape_of(x) for k, x in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(shape_of(x) for x in tree)
    return np.shape(tree)


@pytest.mark.wide
@pytest.mark.parametrize(("f", "axes"), AXES)
def test_arrays_go_where_jax_puts_them(f: Any, axes: Any) -> None:
    """Same containers, same shapes, same numbers, also of the gradient of each example."""
    jax = pytest.importorskip("jax", reason="the oracle is JAX")
    jax.config.update("jax_enable_x64", True)
    expected = jax.vmap(f, in_axes=(None, 0), out_axes=axes)(ARRAY, ROWS)
    leaves_of, structure = jax.tree_util.tree_flatten(expected)
    for wrap in (lambda f: f, jit):
        found = wrap(vmap(f, in_axes=(None, 0), out_axes=axes))(ARRAY, ROWS)
        ours, its_structure = jax.tree_util.tree_flatten(found)
        assert its_structure == structure
        for x, y in zip(ours, leaves_of, strict=True):
            np.testing.assert_allclose(np.asarray(x, dtype=float), np.asarray(y), rtol=1e-14)


def test_values_make_arrays_of_objects_that_can_be_differentiated() -> None:
    """The gradient of a sum over stacked results reaches the weight of all: Σ x = 5."""
    w = Value(2.0)
    found = vmap(lambda x: w * x[0])(ROWS)
    assert found.dtype == object
    sum(found).backward()
    assert w.grad == 5.0


def test_an_example_does_not_see_the_slopes_of_others() -> None:
    """The root at 0 has none; what reads other examples has theirs."""
    alone, beside = vmap(sg.sqrt), vmap(lambda x, y: sg.sqrt(x) * y, in_axes=(0, None))
    for f, slopes in (alone, [0.0, 0.0, 1 / 6]), (lambda xs: beside(xs, xs[1]), [0.0, 3.0, 4 / 6]):
        xs = [Value(0.0), Value(4.0), Value(9.0)]
        jit(f)(xs)[2].backward()
        assert [x.grad for x in xs] == pytest.approx(slopes)


@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_shared_is_one_computation(compiled: bool) -> None:
    """d(w²)/dw is counted once; what differs is not shared: w**x at 1 has slope x."""

    def own(w: Any) -> Any:
        return vmap(lambda x: (w * x, [w * w]), out_axes=(0, None))([1.0, 2.0])[1][0]

    def power(w: Any) -> Any:
        return vmap(lambda x: w**x, out_axes=None)([2.0, 3.0])

    wrap: Any = jit if compiled else lambda f: f
    assert wrap(grad(own))(3.0) == 6.0
    with pytest.raises(sg.OperandError, match="example"):
        wrap(grad(power))(1.0)


@pytest.mark.parametrize(
    ("f", "axes", "xs"),
    [
        (lambda x: x[0], 1, ROWS),
        (lambda x: "one", 0, ROWS),
        (lambda x: (x, x), (0,), ROWS),
        (lambda x: {"a": x}, {"b": 0}, ROWS),
        (lambda x: x, True, ROWS),
        (lambda x: x, None, []),
        (lambda x: [0.0] * int(x), 1, [1.0, 2.0]),
    ],
)
def test_axes_that_do_not_fit_are_refused(f: Any, axes: Any, xs: Any) -> None:
    """No axis, ragged shapes, text, other parts, no examples, and what differs."""
    with pytest.raises(sg.OperandError):
        vmap(f, out_axes=axes)(xs)
