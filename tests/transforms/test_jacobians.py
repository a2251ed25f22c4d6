"""Jacobians by rows, by columns, and by whichever is fewer; auxiliary results."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    OperandError,
    Value,
    cos,
    exp,
    gradcheck,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    sin,
    vjp,
)
from scalargrad.compiler.decorator import jit
from scalargrad.transforms.evaluation import Evaluation

every_way = pytest.mark.parametrize("way", [jacfwd, jacrev, jacobian])


def wide(x: Any) -> Any:
    """Return one number of three."""
    return [x[0] * x[1] * sin(x[2])]


def tall(x: Any) -> Any:
    """Return three numbers of one, the last of which does not depend on it."""
    return {"a": sin(x), "b": [x * x, Value(7.0)]}


@every_way
def test_every_way_gives_the_same_numbers(way: Any) -> None:
    """In closed form, for more inputs than outputs, and for fewer."""
    (row,) = way(wide)([2.0, 3.0, 0.5])
    assert row == pytest.approx([3 * np.sin(0.5), 2 * np.sin(0.5), 6 * np.cos(0.5)], rel=1e-14)
    found = way(tall)(2.0)
    assert found == {"a": pytest.approx(np.cos(2.0), rel=1e-14), "b": [4.0, 0.0]}


@every_way
def test_several_arguments_and_arrays(way: Any) -> None:
    """A tuple for each output; arrays have the result's axes before the argument's."""

    def f(x: Any, y: Any) -> Any:
        return np.array([x[0] * y, x[1] + y, x[0] * x[1], y * y])

    x, y = np.array([2.0, 3.0]), 5.0
    of_x, of_y = way(f, argnums=(0, 1))(x, y)
    assert of_x.tolist() == [[5.0, 0.0], [0.0, 1.0], [3.0, 2.0], [0.0, 0.0]]
    assert of_y.tolist() == [2.0, 1.0, 0.0, 10.0]


@every_way
def test_ways_nest_and_compile(way: Any) -> None:
    """The Jacobian of a Jacobian has second derivatives; compiled it is the same."""

    def f(x: Any) -> Any:
        return [exp(x[0] * x[1]), cos(x[0])]

    x = [0.3, -0.7]
    twice = way(way(f))(x)
    e = np.exp(-0.21)
    assert twice[0][0] == pytest.approx([0.49 * e, e * (1 - 0.21)], rel=1e-13)
    assert twice[1] == [[pytest.approx(-np.cos(0.3), rel=1e-13), 0.0], [0.0, 0.0]]
    compiled = jit(way(f))(x)
    for mine, eager in zip(compiled, way(f)(x), strict=True):
        assert mine == pytest.approx(eager, rel=1e-14)


def calls_made(run: Callable[[], object]) -> int:
    """Count the calls of Python functions in a run."""
    profile = cProfile.Profile()
    profile.runcall(run)
    return sum(entry.callcount for entry in profile.getstats())


def test_compiling_a_jacobian_is_linear_in_the_residuals() -> None:
    """Four times as many residuals, each of its own operations: four times the work."""

    def compiling(count: int) -> int:
        def residuals(p: Any) -> Any:
            return [p[0] * exp(-p[1] * 0.01 * k) - 0.5 for k in range(count)]

        return calls_made(lambda: jit(jacobian(residuals))([1.0, 2.0]))

    compiling(10)  # what only the first one does
    assert compiling(800) < 5 * compiling(200)


@every_way
def test_a_jacobian_of_values_belongs_to_their_graph(way: Any) -> None:
    """∂(∂x²/∂x)/∂x = 2, through the Value given."""
    x = Value(3.0)
    for row in way(lambda x: [x * x, 2.0 * x, x])(x):
        y = row
    (first, *_) = way(lambda x: [x * x, 2.0 * x, x])(x)
    first.backward()
    assert (first.data, x.grad, float(getattr(y, "data", y))) == (6.0, 2.0, 1.0)


@every_way
def test_no_inputs_and_no_outputs(way: Any) -> None:
    """An empty argument has an empty gradient, an empty result no rows."""
    assert way(lambda x: [1.0, 2.0])([]) == [[], []]
    assert way(lambda x: [])([1.0, 2.0]) == []


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_the_way_is_chosen_by_shape(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two inputs, three outputs are differentiated forwards, two or one backwards."""
    taken: list[str] = []
    for name in ("by_rows", "by_columns"):
        usual = getattr(Evaluation, name)

        def noting(*args: Any, name: str = name, usual: Any = usual) -> Any:
            taken.append(name)
            return usual(*args)

        monkeypatch.setattr(Evaluation, name, noting)
    jacobian(lambda x: [x[0] * x[1]] * outputs)([1.0, 2.0])
    assert taken == ["by_columns" if outputs == 3 else "by_rows"]


@every_way
def test_an_auxiliary_result_is_passed_on(way: Any) -> None:
    """As a float, beside the Jacobian."""
    found, aux = way(lambda x: ([x * x, x], {"kept": x + 1.0}), has_aux=True)(3.0)
    assert (found, aux) == ([6.0, 1.0], {"kept": 4.0})
    with pytest.raises(OperandError, match="with has_aux it returns"):
        way(lambda x: [x], has_aux=True)(3.0)


def test_auxiliary_results_of_the_other_transformations() -> None:
    """Hessian, vjp and jvp, as in JAX."""
    assert hessian(lambda x: (x**3, [x]), has_aux=True)(2.0) == (12.0, [2.0])
    value, pull_back, aux = vjp(lambda x: ([x * x, x], x + 1.0), 3.0, has_aux=True)
    assert (value, pull_back([1.0, 10.0]), aux) == ([9.0, 3.0], (16.0,), 4.0)
    found = jvp(lambda x: (x * x, x + 1.0), (3.0,), (2.0,), has_aux=True)
    assert found == (9.0, 12.0, 4.0)


def test_the_check_of_gradients_is_of_the_backward_sweep() -> None:
    """However many outputs there are; the step decides what a kink within it gives."""
    assert gradcheck(lambda x: [sin(x), cos(x), x * x], 0.4)
    assert gradcheck(abs, 1e-3, eps=1e-4)
    assert not gradcheck(abs, 1e-3, eps=1e-2, raise_exception=False)


def test_states_of_a_loop_are_compiled_by_columns() -> None:
    """One state after the other: forward, the work grows as they do, and the numbers are theirs."""

    def states(p: Any) -> Any:
        x, found = 0.3, []
        for k in range(count):
            x = x + 0.01 * (p[0] * x - p[1] * x * x * (0.1 + 0.001 * k))
            found.append(x)
        return found

    work = {}
    for count in (50, 80, 320):
        compiled = jit(jacobian(states))
        work[count] = calls_made(lambda compiled=compiled: compiled([1.3, 0.7]))  # type: ignore[misc]
        if count == 80:
            for row, exact in zip(compiled([1.1, 0.4]), jacrev(states)([1.1, 0.4]), strict=True):
                assert row == pytest.approx(exact, rel=1e-12)
    assert work[320] < 5 * work[80]


def test_a_tangent_of_many_results_takes_two_sweeps() -> None:
    """Under jit as eagerly, for results that do not depend on what moves, too."""

    def f(x: Any) -> Any:
        return {"a": [x[0] * x[1], sin(x[0])], "b": (x[2], 7.0, x[1] * x[1])}

    def tangent(x: Any, v: Any) -> Any:
        return jvp(f, (x,), (v,))[1]

    point, direction = [0.5, -2.0, 3.0], [1.0, 0.25, 0.0]
    found = jit(tangent)(point, direction)
    assert found["a"] == pytest.approx([-2.0 + 0.125, np.cos(0.5)], rel=1e-14)
    assert found["b"] == (0.0, 0.0, -1.0)
