"""Forward mode in compiled functions: tangents are nodes beside the nodes that they belong to."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.compiler.nests import record, without_tangents
from tests.compiler.random_programs import compare
from tests.compiler.random_tangents import ForwardDrawing, jacobians_differ

from scalargrad import (
    GraphError,
    Value,
    cos,
    exp,
    grad,
    gradients,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    log,
    maximum,
    no_grad,
    scan,
    sin,
    sqrt,
    take,
    vmap,
    where,
)


def written(f: Callable[..., Any], *numbers: float, lanes: bool = True) -> Any:
    """Return the program of a function of some numbers, its tangents written."""
    recording, _ = record(f, [Value(x) for x in numbers])
    found = without_tangents(recording.program, lanes=lanes)
    assert found is not None
    return found


def lines(program: Any) -> list[str]:
    """Return the listing of a program without the numbers of nodes."""
    return [line.partition(" = ")[2].strip() for line in str(program).splitlines()]


def test_without_tangents_writes_a_tangent_beside_its_node() -> None:
    """d(sin(x)·y) = cos(x)·y·dx + sin(x)·dy, by the product rule."""
    found = written(lambda x, y: jvp(lambda a, b: sin(a) * b, (x, y), (2.0, y))[1], 0.5, 3.0)
    assert str(found).splitlines() == [
        "%0 = input",
        "%1 = input",
        "%2 = identity(%0)",
        "%3 = 2.0",
        "%4 = identity(%1)",
        "%5 = sin(%2)",
        "%6 = cos(%2)",
        "%7 = mul(%3, %6)",
        "%8 = mul(%7, %4)",
        "%9 = mul(%1, %5)",
        "%10 = add(%8, %9)  ←",
    ]


def test_without_tangents_makes_directions_lanes() -> None:
    """Three directions are lanes of one node, whose lanes are the results; two are nodes."""
    f = jacfwd(lambda xs: [xs[0] * xs[1] * xs[2], xs[0], exp(xs[1])])
    three = lines(written(lambda *xs: f(xs), 1.0, 2.0, 3.0))
    assert "1, 0, 0    3 lanes" in three
    assert sum(line.endswith("3 lanes") for line in three) < 20
    assert not any(
        "lanes" in line for line in lines(written(lambda *xs: f(xs), 1, 2, 3, lanes=False))
    )
    two = jacfwd(lambda xs: [xs[0] * xs[1], xs[0], xs[1]])
    assert not any("lanes" in line for line in lines(written(lambda *xs: two(xs), 1.0, 2.0)))


def test_without_tangents_gives_each_example_its_own() -> None:
    """Of the examples of vmap, which are lanes already, each direction has nodes of its own."""
    f = jacfwd(lambda ys: [ys[0] * ys[1] * ys[2], ys[0]])
    program = written(lambda x, y: vmap(lambda z: f([z, x, y])[0][1])([x, y]), 2.0, 3.0)
    assert {line.partition("    ")[2] for line in lines(program)} == {"", "2 lanes"}


@pytest.mark.parametrize("way", [jacfwd, jacrev, lambda f: jacfwd(lambda x: [f(x)])])
def test_without_tangents_writes_gradients_that_tangents_pass(way: Any) -> None:
    """Forward over reverse mode leaves neither tangents nor gradients."""
    found = written(lambda x, y: jvp(grad(lambda a: sin(a) * a), (x,), (y,))[1], 0.5, 1.0)
    assert not {"tangent", "direction", "adjoint", "loss"} & {
        x.partition("(")[0] for x in lines(found)
    }
    twice = jit(way(grad(lambda a: sin(a) * a)))(0.5)
    assert np.ravel(twice) == pytest.approx([2 * math.cos(0.5) - 0.5 * math.sin(0.5)], rel=1e-14)


def product_and_exp(x: Any) -> Any:
    """Return two functions of two numbers, and a number itself."""
    return [x[0] ** 2 * x[1], exp(x[0] * x[1]), x[0]]


SECOND = {
    "jacfwd(jacfwd)": jacfwd(jacfwd(product_and_exp)),
    "jacrev(jacfwd)": jacrev(jacfwd(product_and_exp)),
    "jacfwd(jacrev)": jacfwd(jacrev(product_and_exp)),
    "jacobian(jacobian)": jacobian(jacobian(product_and_exp)),
}


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_second_derivatives_by_jacfwd(name: str, is_mapped: bool) -> None:
    """Those of x²y and exp(xy), also for each example of vmap."""
    x, y = 0.3, -0.7
    e = math.exp(x * y)
    expected = [[[2 * y, 2 * x], [2 * x, 0]]]
    expected += [[[y * y * e, (1 + x * y) * e], [(1 + x * y) * e, x * x * e]], [[0, 0], [0, 0]]]
    second: Any = SECOND[name]
    found = jit(vmap(second))([[1.0, 2.0], [x, y]])[1] if is_mapped else jit(second)([x, y])
    assert np.allclose(np.array(found, float), expected, 1e-13, 1e-13)


def spring(p: Any) -> Any:
    """Return the positions of an oscillator, q'' = -k q, by steps of symplectic Euler."""
    (k, q, v), path = p, []
    for _ in range(60):
        v = v - 0.1 * k * q
        q = q + 0.1 * v
        path.append(q)
    return np.array(path)


def test_jacobian_of_many_steps_is_that_of_the_matrix_power() -> None:
    """Of a linear recurrence, the derivatives by the start are the powers of its matrix."""
    k = 1.3
    step, power = np.array([[1 - 0.01 * k, 0.1], [-0.1 * k, 1.0]]), np.eye(2)
    expected = []
    for _ in range(60):
        power = step @ power
        expected.append(power[0])
    found = jit(jacobian(spring))(np.array([k, 0.8, -0.2]))
    assert np.allclose(found[:, 1:], expected, 1e-12, 1e-14)
    near = [spring([k + h, 0.8, -0.2]) for h in (1e-5, -1e-5)]
    assert np.allclose(found[:, 0], (near[0] - near[1]) / 2e-5, 1e-7, 1e-8)


def _without_graphs(x: Any) -> Any:
    with no_grad():
        return jvp(lambda y: y**3, (x,), (1.0,))[1]


def _looked_up(table: Any) -> Any:
    """Return the entries at indices that are computed."""
    return [take(table, (table[0] > 0.0) * k) for k in range(4)]


FORWARD: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "inf": (lambda x: jvp(sqrt, (x,), (1.0,))[1], (0.0,)),
    "nan of 0·inf": (lambda x: jvp(sqrt, (x,), (x,))[1], (0.0,)),
    "another direction": (
        lambda x: jacfwd(lambda y: [sqrt(y[0]), y[1], y[2]])([x, 1.0, x]), (0.0,),
    ),
    "not chosen": (
        lambda x: jvp(lambda y: where(y > -1.0, y, sqrt(y)), (x,), (1.0,))[1], (0.0,),
    ),
    "hidden nan": (
        lambda x: where(jvp(sqrt, (x,), (x,))[1] > 0.0, 1.0, 2.0), (0.0,),
    ),
    "overflow": (lambda x: jvp(lambda y: exp(y) * 1e300, (x,), (1e300,))[1], (3.0,)),
    "a tie": (lambda x: jvp(lambda y: maximum(y, x, 2.0 * y - x), (x,), (1.0,))[1], (0.5,)),
    "a condition": (
        lambda x: x if jvp(lambda y: y * y, (x,), (1.0,))[1] > 1.0 else -x, (0.7,),
    ),
    "a table": (
        lambda x: jacfwd(lambda y: _looked_up([y[0], y[1] * x, 2.0, y[2]]))([x, x * x, x]), (0.7,),
    ),
    "detached": (lambda x: jvp(lambda y: y * y.detach(), (x,), (1.0,))[1], (0.7,)),
    "without graphs": (_without_graphs, (0.7,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD)
def test_tangents_that_are_not_finite_or_chosen_are_as_eagerly(name: str) -> None:
    """Compiled, they are inf or nan where they are eagerly, and comparisons see the same."""
    f, numbers = FORWARD[name]
    compiled = jit(f)
    with np.errstate(all="ignore"):
        for _ in range(3):
            found, expected = np.array(compiled(*numbers), float), np.array(f(*numbers), float)
            assert np.array_equal(found, expected, equal_nan=True)


def test_jvp_in_each_step_of_a_scan_is_newtons_method() -> None:
    """Steps are copied with their tangents: the square root of 2."""

    def step(x: Any, _: Any) -> tuple[Any, Any]:
        y, slope = jvp(lambda z: z * z - 2.0, (x,), (1.0,))
        return x - 0.01 * y / slope, slope

    found, slopes = jit(lambda x: scan(step, x, length=3000))(1.0)
    assert found == pytest.approx(math.sqrt(2.0), rel=1e-9)
    assert slopes[-1] == pytest.approx(2.0 * math.sqrt(2.0), rel=1e-9)


def test_jacfwd_of_examples_by_shared_numbers_is_a_row_for_each() -> None:
    """The residuals of a fit: ∂(a·exp(-b·t))/∂(a, b)."""
    t = np.linspace(0.0, 2.0, 50)
    model: Any = jit(jacfwd(lambda p: vmap(lambda s: p[0] * exp(-p[1] * s))(t)))
    found = model([2.0, 0.7])
    e = np.exp(-0.7 * t)
    assert np.allclose(found, [e, -2.0 * t * e])


def test_grad_of_jvp_reaches_the_tangent_and_the_point() -> None:
    """∂(cos(x)·v) = -sin(x)·v by x, cos(x) by v."""
    f = jit(grad(lambda x, v: jvp(sin, (x,), (v,))[1], (0, 1)))
    assert f(0.4, 3.0) == pytest.approx((-3.0 * math.sin(0.4), math.cos(0.4)), rel=1e-14)


def test_gradients_by_a_tangent_that_another_was_computed_from_are_refused() -> None:
    """In eager code the tangent of z⁴ is computed from that of z²."""

    def powers(z: Any) -> Any:
        square = z * z
        return [square, square**2]

    both = jit(lambda x: jvp(powers, (x,), (1.0,))[1])
    first, second = both(Value(0.7))
    with pytest.raises(GraphError, match="another output"):
        gradients(second, [first])


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.wide), 2])
def test_random_tangents_agree_with_reverse_mode_and_eager_code(seed: int) -> None:
    """See `random_tangents`, which is also a command."""
    assert jacobians_differ(seed) in {"", "not compared"}
    assert compare(seed, bool(seed % 2), drawing=ForwardDrawing) in {"", "not compared"}


def test_hessian_by_forward_over_reverse_is_symmetric() -> None:
    """That of log(1 + exp(x·y)) + cos(x)."""
    f: Any = lambda p: log(1.0 + exp(p[0] * p[1])) + cos(p[0])  # noqa: E731
    found = np.array(jit(jacfwd(grad(f)))([0.3, -0.8]))
    assert np.allclose(found, found.T, 1e-13)
    assert np.allclose(found, partial(hessian(f), [0.3, -0.8])(), 1e-12)
