"""vmap in jit: results and gradients are those of an eager loop over the examples."""

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
CAPTURED = [[Value(x) for x in row] for row in EXAMPLES]
NETWORK = MLP(3, [5, 4, 2], rng=3)
WEIGHTS = [0.3, -0.7, 0.5]


class Pair(NamedTuple):
    """An example with named fields."""

    first: Any
    second: Any


def neuron(w: Any, x: Any) -> Any:
    """Return the output of a neuron for one example."""
    return tanh(dot(w, x)) * x[0]


each = vmap(neuron, in_axes=(None, 0))


def total(w: Any, examples: Any) -> Any:
    """Return the sum over all examples."""
    return sum(each(w, examples))


def sum_of_deviations(w: Any, examples: Any) -> Any:
    """Return a sum over examples each of which uses the mean, as in a normalization."""
    found = each(w, examples)
    average = sum(found) / len(found)
    return sum(vmap(lambda h: (h - average) ** 2 * w[1])(found))


def reuse_results(w: Any, examples: Any) -> Any:
    """Return a number that uses results repeatedly, individually and in another order."""
    found = each(w, examples)
    pairs = vmap(lambda a, b: a * b * b)(found, found[::-1])
    return sum(found) + sum(found) * w[0] + dot(found, TARGETS) + sg.maximum(*found) + sum(pairs)


#: Functions of three shared numbers and seven examples of three numbers.
FORMS: dict[str, Function] = {
    "sum over examples": total,
    "result for each example": each,
    "mean used in each example": sum_of_deviations,
    "reused results": reuse_results,
    "one example and none": lambda w, xs: [total(w, xs[:1]), *each(w, [])],
    "where": lambda w, xs: sum(
        vmap(lambda x: sg.where(x[0] > w[0], x[1] * w[1], clip(x[2], -0.5, 0.5) * w[2]))(xs)
    ),
    "detached": lambda w, xs: sum(vmap(lambda x: (w[0] * x[0]).detach() * w[1] * x[1])(xs)),
    "captured Values": lambda w, xs: total(w, CAPTURED),
    "network": lambda w, xs: sum(a * a + b for a, b in vmap(NETWORK)(xs)) * w[0],
    "nested results": lambda w, xs: vmap(
        lambda x: {"a": (x[0] * w[0], 3), "b": [Pair(x[1], w[1])], "c": np.array([x[2], w[2]])}
    )(xs),
    "examples of nested containers": lambda w, xs: vmap(
        lambda d: d["pair"].first * d["row"][1] * w[0] + d["array"][0] * w[1] + len(d["name"])
    )(
        [
            {"pair": Pair(x[0], None), "row": tuple(x), "array": np.array(TARGETS), "name": "x"}
            for x in xs
        ]
    ),
    "difference of examples": lambda w, xs: 1.0 / (each(w, xs)[0] - each(w, xs)[1]),
}

#: Derivatives taken inside the compiled function.
DERIVATIVES: dict[str, Function] = {
    "value_and_grad": value_and_grad(total),
    "grad per example": vmap(grad(neuron), in_axes=(None, 0)),
    "grad of a sum of gradients": grad(
        lambda w, xs: sum(vmap(lambda x: grad(lambda a: tanh(a * x[0]) * w[1] * a)(w[0]))(xs))
    ),
    "hessian": sg.hessian(total),
    "jacobian": sg.jacobian(each),
}


@pytest.mark.parametrize("name", FORMS | DERIVATIVES)
def test_jitted_vmap_is_a_loop_over_examples(name: str) -> None:
    """Results, gradients and second derivatives, with respect to shared numbers and examples."""
    f = (FORMS | DERIVATIVES)[name]
    check(f, leaves(WEIGHTS), leaves(EXAMPLES) if name in FORMS else EXAMPLES)


@pytest.mark.parametrize("name", ["network", "reused results"])
def test_jitted_vmap_of_a_thousand_examples_is_a_loop(name: str) -> None:
    """They are added in blocks; passed as lists and as an array."""
    w, examples = leaves(WEIGHTS), table(1003, 3, 1)
    f: Function = FORMS[name]
    if name == "reused results":
        f = lambda w, xs: sum_of_deviations(w, xs) + sum(each(w, xs)) * w[0] + each(w, xs)[700]  # noqa: E731
    expected = numbers(f(w, examples))
    for xs in (examples, np.array(examples))[: 1 if name == "network" else 2]:
        found, eager = numbers(jit(f)(w, xs)), numbers(f(w, xs))
        assert close(found, eager)
        for k in (0, len(found) // 2, -1):
            if isinstance(eager[k], Value):
                assert close(gradients(found[k], w), gradients(eager[k], w))
        assert close(math.fsum(plain(found)), math.fsum(plain(expected)))


@pytest.mark.parametrize("count", [20_003, 30_000])
def test_jitted_vmap_has_equal_bits_with_any_number_of_threads(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads share so many examples; the sum is NumPy's up to rounding."""
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


#: Functions of two parameters and one example: smooth, with kinks, and independent of some.
FUNCTIONS: dict[str, Function] = {
    "exponential": lambda p, t: p[0] * sg.exp(-p[1] * t),
    "kinks": lambda p, t: sg.relu(p[0] * t - 1.0) * p[1] + sg.maximum(t, p[1]) + clip(t, 0.5, 1.5),
    "reduction": lambda p, t: sg.logsumexp([p[0] * t, p[1], t]),
    "piecewise constant": lambda p, t: sg.floor(p[0] * t) + p[1],
    "parameters only": lambda p, t: p[0] * p[1],
    "example only": lambda p, t: t * t,
    "constant": lambda p, t: 3.0,
}
DIRECTION = [1.0, 0.5]
PER_EXAMPLE: dict[str, Callable[[Function], Function]] = {
    "value_and_grad": value_and_grad,
    "second derivative by the example": lambda f: grad(grad(f, argnums=1), argnums=1),
    "jacfwd": lambda f: sg.jacfwd(lambda p, t: {"y": f(p, t), "z": (p[1], t)}),
    "jacrev, twice": lambda f: sg.jacrev(sg.jacrev(lambda p, t: [f(p, t), p[0] * t])),
    "vjp": lambda f: lambda p, t: vjp(lambda q: f(q, t), p)[1](1.0),
    "hvp": lambda f: lambda p, t: sg.hvp(lambda q: f(q, t), (p,), (DIRECTION,)),
}


@pytest.mark.parametrize("examples", [3, 70])
@pytest.mark.parametrize("name", PER_EXAMPLE)
def test_jitted_vmap_of_a_derivative_has_an_entry_for_each_example(
    name: str, examples: int
) -> None:
    """Also if it is equal for all examples."""
    ts = 0.11 + 1.7 * np.arange(examples) / examples
    mapped = [vmap(PER_EXAMPLE[name](f), in_axes=(None, 0)) for f in FUNCTIONS.values()]
    found = jit(lambda p, ts: [f(p, ts) for f in mapped])([1.3, 0.7], ts)
    expected = [f([1.3, 0.7], ts) for f in mapped]
    assert map_shapes(found) == map_shapes(expected)
    assert close(found, expected)


# Mixed examples and conditions --------------------------------------------------------------------


MIXED_EXAMPLES: list[list[Any]] = [
    [[1.0, 2.0], (1.0, 2.0)],
    [[1.0, 2.0], [1.0, None]],
    [{"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0}],
    [np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])],
    [["x", 2.0], ["y", 2.0]],
]


@pytest.mark.parametrize(
    "examples", MIXED_EXAMPLES, ids=["types", "lengths", "keys", "shapes", "strings"]
)
def test_jitted_vmap_takes_examples_of_different_structure(examples: list[Any]) -> None:
    """Each example is traced on its own."""

    def f(w: Any, x: Any) -> Any:
        parts = numbers(x)
        found = sum(k * a * w[0] for k, a in enumerate(parts) if isinstance(a, float | Value))
        return found + len(parts) + parts.count("x")

    check(lambda w: vmap(lambda x: f(w, x))(examples), leaves([0.3]))


def test_vmap_returns_none_for_examples_that_return_none() -> None:
    """As one None, not as an array."""
    assert vmap(lambda x: (2.0 * x, None))(np.array([1.0, 2.0]))[1] is None


def test_jitted_vmap_runs_the_function_once(capsys: pytest.CaptureFixture[str]) -> None:
    """For all examples together, and not again in a second call."""

    def f(x: Any) -> Any:
        print("runs")
        return neuron(WEIGHTS, x)

    compiled = jit(vmap(f))
    compiled(EXAMPLES)
    assert capsys.readouterr().out == "runs\n"
    compiled(EXAMPLES[::-1])
    assert capsys.readouterr().out == ""


def test_jitted_vmap_allows_conditions_on_shared_numbers() -> None:
    """And on a sum over examples: the numbers of each call select the branch."""

    def f(w: Any, xs: Any) -> Any:
        found = vmap(lambda x: x[0] * w[0] if w[1] > 0 else x[1] * w[0])(xs)
        return sum(found) if total(w, xs) > 0 else 2.0 * w[1] * found[1]

    compiled = jit(f)
    for w in ([0.3, 1.0, 0.5], [0.3, -1.0, 0.2], [-0.3, 0.7, -0.5], [0.3, 1.0, 0.5]):
        assert close(compiled(w, EXAMPLES), f(w, EXAMPLES))


def test_jitted_vmap_allows_conditions_on_equal_constants() -> None:
    """Constants that are equal in all examples count as one number."""
    f = jit(lambda xs: vmap(lambda n, x: x * n if n > 1 else -x)(np.full(2, 2.0), xs))
    assert [*f([0.5, 1.0])] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("f", "match"),
    [(lambda x: x[0] if x[0] > 0 else x[1], "test_vmap.py"), (max, "where")],
    ids=["condition", "max"],
)
def test_jitted_vmap_refuses_conditions_on_an_example(f: Any, match: str) -> None:
    """The message names the line and a remedy."""
    with pytest.raises(sg.TraceError, match=match):
        jit(vmap(f))(EXAMPLES)


@pytest.mark.parametrize("f", [lambda s, x: s * s, lambda s, x: s * x], ids=["shared", "equal"])
def test_jit_refuses_gradients_with_respect_to_results_equal_in_all_examples(f: Function) -> None:
    """Eager code has one Value for each example, and a gradient for each of them."""

    def gradients_of_results(s: Any) -> Any:
        results = vmap(lambda x: f(s, x))([2.0, 2.0, 2.0])
        return gradients(2.0 * results[1] + results[2], results)

    assert gradients_of_results(Value(1.5)) == [0.0, 2.0, 1.0]
    with pytest.raises(sg.TraceError, match="examples"):
        jit(gradients_of_results)(Value(1.5))


def test_jit_allows_gradients_with_respect_to_a_value_that_each_example_returns() -> None:
    """It is one Value in eager code as well."""
    f = jit(lambda s: gradients(vmap(lambda x: s)([2.0, 3.0])[0] * 2.0, s))
    assert f(Value(1.5)) == 2.0


@pytest.mark.parametrize("count", [3, 300])
def test_jitted_vmap_raises_a_domain_error_of_any_example(count: int) -> None:
    """Of the first while tracing, and of the last when the program runs."""
    compiled = jit(lambda xs: sum(vmap(sg.log)(xs)))
    fine, first, last = np.ones(count), np.ones(count), np.ones(count)
    first[0], last[-1], fine[1] = -1.0, -1.0, math.e
    with pytest.raises(sg.DomainError):
        compiled(first)
    assert compiled(fine) == pytest.approx(1.0)
    with pytest.raises(sg.DomainError):
        compiled(last)


# take in examples ---------------------------------------------------------------------------------

TOKENS = [3, 0, 3, -1, 2, 0, 3]
TOKEN_NETWORK = MLP(2, [3, 2], rng=3)


def entry(w: Any, token: Any, x: Any = 0.5) -> Any:
    """Return a number computed from the list element of a token."""
    return tanh(take(w, token) * x) * w[1]


def token_loss(w: Any, token: Any, target: Any) -> Any:
    """Return a loss with the row of a token and the score of a target."""
    rows = [[w[0], w[1]], [w[1], w[2]], (w[2], 0.5), [w[3], w[0]]]
    scores = TOKEN_NETWORK(take(rows, token))
    return sg.logsumexp(scores) - take(scores, target) + w[3] * take(w, target) ** 2


def sum_of_entries(w: Any, tokens: Any, factors: Any = TARGETS) -> Any:
    """Return the sum over tokens."""
    return sum(vmap(entry, (None, 0, 0))(w, tokens, factors))


#: Functions of four numbers and seven indices.
LOOKUPS: dict[str, Function] = {
    "result for each token": vmap(entry, (None, 0)),
    "network": lambda w, t: sg.mean(vmap(token_loss, (None, 0, 0))(w, t, [1, 0, 1, 1, 0, -1, 0])),
    "computed index": lambda w, t: sum(vmap(lambda i: take(w, 1 - abs(i)) * w[0])(t)),
    "array of rows": lambda w, t: sum(
        vmap(lambda i: dot(take(np.array(EXAMPLES), i).tolist(), w[:3]))(t)
    ),
    "list for each example": lambda w, t: sum(
        vmap(lambda i, row: take(row, sg.where(i > 2, i - 3, i)) * w[0])(t, EXAMPLES)
    ),
    "shared index": lambda w, t: sum(
        vmap(lambda x: take([x, w[1], 2.0, w[0] * x], t[4]) ** 2)(TARGETS)
    ),
    "results of another vmap": lambda w, t: sum(
        vmap(lambda i: take(vmap(tanh)(w), i) * w[1])(t)
    ),
    "grad of grad": grad(lambda w, t: sum(g * g for g in grad(sum_of_entries)(w, t))),
    "grad per example of a network": vmap(grad(lambda w, i: token_loss(w, i, -1)), (None, 0)),
    "jacobian": sg.jacobian(vmap(entry, (None, 0))),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKUPS)
def test_take_in_jitted_vmap_is_a_loop_over_examples(name: str) -> None:
    """Results, gradients and second derivatives, with indices that are numbers or Values."""
    w = leaves([0.3, -0.7, 0.5, 1.1])
    check(LOOKUPS[name], w, TOKENS)
    tokens = leaves(list(map(float, TOKENS)))
    assert close(jit(LOOKUPS[name])(w, tokens), LOOKUPS[name](w, tokens))


# out_axes -----------------------------------------------------------------------------------------

ARRAY = np.array([0.5, -0.3, 2.0])
ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def nested_result(w: Any, x: Any) -> Any:
    """Return nested numbers and an array of an example, and a shared number."""
    first, second = w[0] * x[0] - x[1], x[2] * x[2]
    return {"pair": (first, [second, first * second]), "row": x * 2.0, "own": w[0] * w[1]}


#: Functions of weights and an example, with out_axes.
AXES: list[tuple[Any, Any]] = [
    (lambda w, x: w[0] * x[0], 0),
    (lambda w, x: x * w[1], 1),
    (lambda w, x: x * w[1], -2),
    (lambda w, x: (x[0], x * w[1]), (0, 1)),
    (lambda w, x: [x[0], (x[1], w[2])], [0, (0, None)]),
    (nested_result, {"pair": 0, "row": 1, "own": None}),
    (lambda w, x: x.reshape(3, 1) * w[2], 2),
    (lambda w, x: x.reshape(3, 1) * w[2], 1),
]


def map_shapes(tree: Any) -> Any:
    """Return a result with shapes in place of arrays."""
    if isinstance(tree, dict):
        return {k: map_shapes(x) for k, x in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map_shapes(x) for x in tree)
    return np.shape(tree)


@pytest.mark.wide
@pytest.mark.parametrize(("f", "axes"), AXES)
def test_vmap_out_axes_match_jax(f: Any, axes: Any) -> None:
    """Containers, shapes and numbers, with and without jit."""
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


def test_vmap_stacks_values_in_object_arrays_with_gradients() -> None:
    """The gradient of the sum with respect to the shared weight is Σ x = 5."""
    w = Value(2.0)
    found = vmap(lambda x: w * x[0])(ROWS)
    assert found.dtype == object
    sum(found).backward()
    assert w.grad == 5.0


ROOT_TIMES = vmap(lambda x, y: sg.sqrt(x) * y, in_axes=(0, None))


@pytest.mark.parametrize(
    ("f", "derivatives"),
    [(vmap(sg.sqrt), [0.0, 0.0, 1 / 6]), (lambda xs: ROOT_TIMES(xs, xs[1]), [0.0, 3.0, 4 / 6])],
    ids=["own example", "another example"],
)
def test_gradient_of_one_jitted_example_ignores_infinite_derivatives_of_others(
    f: Any, derivatives: list[float]
) -> None:
    """√0 is another example and has an infinite derivative."""
    xs = [Value(0.0), Value(4.0), Value(9.0)]
    jit(f)(xs)[2].backward()
    assert [x.grad for x in xs] == pytest.approx(derivatives)


@pytest.mark.parametrize("transform", [lambda f: f, jit], ids=["eager", "jit"])
def test_vmap_out_axes_none_returns_a_shared_result_once(transform: Any) -> None:
    """d(w²)/dw is counted once."""

    def square(w: Any) -> Any:
        return vmap(lambda x: (w * x, [w * w]), out_axes=(0, None))([1.0, 2.0])[1][0]

    assert transform(grad(square))(3.0) == 6.0


@pytest.mark.parametrize("transform", [lambda f: f, jit], ids=["eager", "jit"])
def test_vmap_out_axes_none_refuses_a_result_that_differs_between_examples(
    transform: Any,
) -> None:
    """At w = 1, w**x is equal for all x, but its derivative is x."""

    def power(w: Any) -> Any:
        return vmap(lambda x: w**x, out_axes=None)([2.0, 3.0])

    with pytest.raises(sg.OperandError, match="example"):
        transform(grad(power))(1.0)


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
    ids=["axis", "text", "too few axes", "keys", "bool", "no examples", "ragged"],
)
def test_vmap_refuses_out_axes_that_do_not_match_the_result(f: Any, axes: Any, xs: Any) -> None:
    """Instead of a result of another shape."""
    with pytest.raises(sg.OperandError):
        vmap(f, out_axes=axes)(xs)
