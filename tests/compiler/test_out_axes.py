"""vmap puts results where JAX does: arrays out where arrays went in, along the axis asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, Value, grad, jit, value_and_grad, vmap

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

pytestmark = pytest.mark.usefixtures("backend")

W = np.array([0.5, -0.3, 2.0])
ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def scored(w: Any, x: Any) -> Any:
    """Return numbers, a list, a dict and an array of an example, and what all share."""
    first, second = w[0] * x[0] - x[1], x[2] * x[2]
    return {"pair": (first, [second, first * second]), "row": x * 2.0, "own": w[0] * w[1]}


#: Functions of weights and an example, with what out_axes is.
CASES: list[tuple[Any, Any]] = [
    (lambda w, x: w[0] * x[0], 0),
    (lambda w, x: w[0] * x[0], -1),
    (lambda w, x: x * w[1], 0),
    (lambda w, x: x * w[1], 1),
    (lambda w, x: x * w[1], -1),
    (lambda w, x: x * w[1], -2),
    (lambda w, x: (x[0], x * w[1]), 0),
    (lambda w, x: (x[0], x * w[1]), (0, 1)),
    (lambda w, x: [x[0], (x[1], w[2])], [0, (0, None)]),
    (lambda w, x: (x[0] * w[0], w[0] * w[1]), (0, None)),
    (scored, {"pair": 0, "row": 1, "own": None}),
    (lambda w, x: x.reshape(3, 1) * w[2], 2),
    (lambda w, x: x.reshape(3, 1) * w[2], 1),
    (lambda w, x: None if len(w) == 3 else x, 0),
]


def parts(tree: Any) -> list[Any]:
    """Return the arrays of a result, with the containers around them."""
    leaves, structure = jax.tree_util.tree_flatten(tree)
    return [str(structure), *[(np.shape(x), np.asarray(x, dtype=float).tolist()) for x in leaves]]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("f", "axes"), CASES)
def test_arrays_go_where_jax_puts_them(f: Any, axes: Any, compiled: bool) -> None:
    """Same containers, same shapes, same numbers, eagerly and compiled."""
    mapped = vmap(f, in_axes=(None, 0), out_axes=axes)
    expected = jax.vmap(f, in_axes=(None, 0), out_axes=axes)(W, ROWS)
    result = (jit(mapped) if compiled else mapped)(W, ROWS)
    found, wanted = parts(result), parts(expected)
    assert found[0] == wanted[0]
    for (shape, numbers), (its_shape, its_numbers) in zip(found[1:], wanted[1:], strict=True):
        assert shape == its_shape
        assert np.allclose(numbers, its_numbers, rtol=1e-14)


def test_gradients_of_each_example_are_rows() -> None:
    """vmap(value_and_grad) of an array returns what JAX's does: an array of each."""

    def loss(w: Any, x: Any) -> Any:
        return (w[0] * x[0] + w[1] * x[1] - x[2]) ** 2

    values, slopes = jit(vmap(value_and_grad(loss), in_axes=(None, 0)))(W, ROWS)
    expected, rows = jax.vmap(jax.value_and_grad(loss), in_axes=(None, 0))(W, ROWS)
    assert values == pytest.approx(np.asarray(expected))
    assert slopes == pytest.approx(np.asarray(rows))
    assert slopes.dtype == np.float64


def test_comparisons_are_an_array_of_flags() -> None:
    """Outside jit, as in JAX."""
    assert vmap(lambda x: x[0] > 2.0)(ROWS).dtype == bool


def test_lists_stay_lists() -> None:
    """An axis is a level of nesting; the parts of a tuple are told apart where asked."""
    rows = ROWS.tolist()
    assert vmap(lambda x: [x[0], x[1]])(rows) == [[1.0, 2.0], [4.0, 5.0]]
    assert vmap(lambda x: [x[0], x[1]], out_axes=1)(rows) == [[1.0, 4.0], [2.0, 5.0]]
    assert vmap(lambda x: [x[0], x[1]], out_axes=-1)(rows) == [[1.0, 4.0], [2.0, 5.0]]
    assert vmap(lambda x: (x[0], 7.0), out_axes=(0, None))(rows) == ([1.0, 4.0], 7.0)
    assert vmap(lambda x: x[0])([np.array([1.0])]) == [1.0]
    assert vmap(lambda x: x)([]) == []


def test_a_shared_array_alone_makes_no_arrays() -> None:
    """Only what is mapped decides."""
    assert vmap(lambda w, x: float(w[0]) * x, in_axes=(None, 0))(W, [1.0, 2.0]) == [0.5, 1.0]


def test_values_make_arrays_of_objects_that_can_be_differentiated() -> None:
    """The gradient of a sum over stacked results reaches the weight of all: Σ x = 5."""
    w = Value(2.0)
    found = vmap(lambda x: w * x[0])(ROWS)
    assert found.dtype == object
    sum(found).backward()
    assert w.grad == 5.0


@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_shared_is_one_computation(compiled: bool) -> None:
    """d(w²)/dw is counted once, however many examples computed it."""

    def own(w: Any) -> Any:
        return vmap(lambda x: (w * x, w * w), out_axes=(0, None))([1.0, 2.0])[1]

    assert (jit(grad(own)) if compiled else grad(own))(3.0) == 6.0


def test_what_is_equal_by_chance_is_not_shared_in_a_program() -> None:
    """It is computed of each example, and the error says so in words of vmap."""
    mapped = vmap(lambda x: x * 0.0 + 1.0, out_axes=None)
    assert mapped([1.0, 2.0]) == 1.0
    with pytest.raises(OperandError, match="out_axes is None for what is computed of each example"):
        jit(mapped)([1.0, 2.0])


@pytest.mark.parametrize("compiled", [False, True])
def test_what_differs_is_not_shared(compiled: bool) -> None:
    """w**x at w = 1 is 1 for every x, but its slope is x."""

    def power(w: Any) -> Any:
        return vmap(lambda x: w**x, out_axes=None)([2.0, 3.0])

    with pytest.raises(OperandError, match="differs from example to example"):
        (jit(grad(power)) if compiled else grad(power))(1.0)


@pytest.mark.parametrize(
    ("f", "axes", "xs", "said"),
    [
        (lambda x: x[0], 1, ROWS, "out_axes is 1.*give -1 to 0"),
        (lambda x: x[: int(x[0])], 0, ROWS, r"shapes \[\(1,\), \(3,\)\]"),
        (lambda x: "one", 0, ROWS, "'one', of type str"),
        (lambda x: (x, x), (0,), ROWS, "same parts"),
        (lambda x: {"a": x}, {"b": 0}, ROWS, "same parts"),
        (lambda x: x, 0.5, ROWS, "out_axes holds 0.5"),
        (lambda x: x, True, ROWS, "out_axes holds True"),
        (lambda x: x, 0, ROWS[:0], "there are no examples"),
        (lambda x: x, 1, [], "there are no examples"),
        (lambda x: x, None, [], "no examples"),
        (lambda x: x, 1, [1.0, 2.0], "axis 1 of 1.0"),
        (lambda x: [0.0] * int(x), 1, [1.0, 2.0], "axis 1"),
        (lambda x: [x], None, [1.0, 2.0], "differs"),
        (lambda x: {"a": np.array([x])}, None, [1.0, 2.0], "differs"),
    ],
)
def test_axes_that_do_not_fit_are_refused(f: Any, axes: Any, xs: Any, said: str) -> None:
    """The error says what was asked for, and what there is."""
    with pytest.raises(OperandError, match=said):
        vmap(f, out_axes=axes)(xs)
