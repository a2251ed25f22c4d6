"""jit: derivatives, arguments, results, refusals, pickling, threads and settings."""

from __future__ import annotations

import copy
import functools
import math
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import TraceError, Value, disable_jit, grad, gradients, jit, tanh, value_and_grad
from scalargrad.nn import MLP


def f(a: Any, b: Any) -> Any:
    """Return (sin a)·b³ + b / a."""
    return sg.sin(a) * b**3 + b / a


def data_of(tree: Any) -> Any:
    """Return nested_result lists and tuples with floats in place of Values."""
    if isinstance(tree, list | tuple):
        return [data_of(x) for x in tree]
    return tree.data if isinstance(tree, Value) else tree


# Numbers and derivatives --------------------------------------------------------------------------


def test_jit_and_derivatives_nest_in_any_order() -> None:
    """grad, value_and_grad, hessian and jvp of a jitted function, and jitted themselves."""
    compiled, at = jit(f), (0.5, 2.0)
    sine, cosine = math.sin(0.5), math.cos(0.5)
    slopes = 8.0 * cosine - 8.0, 12.0 * sine + 2.0
    assert jit(grad(f))(*at) == pytest.approx(slopes[0], rel=1e-14)
    value, gradient = jit(value_and_grad(f, argnums=(0, 1)))(*at)
    assert (value, *gradient) == pytest.approx((8.0 * sine + 4.0, *slopes), rel=1e-14)
    assert grad(grad(compiled))(*at) == pytest.approx(32.0 - 8.0 * sine, rel=1e-14)
    mixed = 12.0 * cosine - 4.0
    expected = [[32.0 - 8.0 * sine, mixed], [mixed, 12.0 * sine]]
    assert np.allclose(sg.hessian(lambda v: compiled(v[0], v[1]))([*at]), expected, rtol=1e-12)
    assert np.allclose(jit(sg.hessian(lambda v: f(v[0], v[1])))([*at]), expected, rtol=1e-12)
    along = slopes[0] + 3.0 * slopes[1]
    assert sg.jvp(compiled, at, (1.0, 3.0)) == pytest.approx((value, along), rel=1e-14)


def test_jitted_grad_differentiates_by_its_argument_only() -> None:
    """Other dependences on the same Value, and constants, do not count."""
    assert jit(grad(lambda x: 5.0))(3.0) == 0.0
    assert jit(lambda x, y: grad(lambda z: y * y)(x) + x)(3.0, 2.0) == 3.0
    assert jit(lambda x: grad(lambda y: y * x)(x))(3.0) == 3.0
    assert jit(lambda x: grad(lambda y: y * y)(5.0) * x)(2.0) == 20.0


def test_backward_of_a_jitted_result_accumulates_in_grad() -> None:
    """∂y/∂y is 1; a second call doubles; None counts as 0; a repeated leaf gets both terms."""
    compiled: Any = jit(lambda a, b, c: a * b + tanh(c))
    x, y = Value(2.0), Value(3.0)
    y.grad = None  # type: ignore[assignment]
    found = compiled(x, y, x)
    for times in (1, 2):
        found.backward()
        assert x.grad == pytest.approx(times * (4.0 - math.tanh(2.0) ** 2), rel=1e-14)
        assert (y.grad, found.grad) == (times * 2.0, 1.0)
    z = Value(0.5)
    square: Any = jit(lambda a: a * a)
    square(z * 3.0).backward()
    assert z.grad == pytest.approx(9.0)


ROWS = [[random.Random(k).gauss(0, 1) for _ in range(8)] for k in range(40)]


def outputs(w: Any, rows: Any = tuple(ROWS)) -> list[Any]:
    """Return a number for each row."""
    return [sg.relu(tanh(sum(a * x for a, x in zip(w, row, strict=True)))) for row in rows]


def test_detach_and_no_grad_stop_gradients_in_jit() -> None:
    """A detached Value is a constant, and so are results computed under no_grad."""

    def f(x: Any) -> Any:
        with sg.no_grad():
            y = x * x
        return x * y

    x = Value(3.0)
    detached: Any = jit(lambda x: x * x.detach())(x)
    assert (detached.data, gradients(detached, x)) == (9.0, 3.0)
    found: Any = jit(f)(x)
    assert (found.data, gradients(found, x), gradients(f(x), x)) == (27.0, 9.0, 9.0)
    product = jit(lambda x, y: x * y)
    for _ in range(2):
        with sg.no_grad():
            y = product(x, x)
            assert (type(y), y.data, y.parents) == (Value, 9.0, ())
        assert gradients(product(x, x), x) == 6.0


# Arguments ----------------------------------------------------------------------------------------


def test_jit_static_argument_as_loop_count() -> None:
    """Each count needs its own program."""

    def power(x: Any, n: int) -> Any:
        return math.prod([x] * n, start=1.0)

    assert jit(power, static_argnums=1)(2.0, 10) == 1024.0
    compiled = jit(static_argnames="n")(power)
    assert (compiled(2.0, n=3), compiled(2.0, n=4), compiled(3.0, n=4)) == (8.0, 16.0, 81.0)
    assert len(compiled.all_paths()) == 2


def test_jit_static_argument_must_be_hashable_or_an_array() -> None:
    """Arrays are compared by content."""
    arrays = [np.array([k, 0]) for k in (1, 2, 1)]
    compiled = jit(lambda x, array: x + array[0], static_argnums=1)
    assert [compiled(3.0, a) for a in arrays] == [4.0, 5.0, 4.0]
    with pytest.raises(TraceError, match="static"):
        compiled(3.0, [1])


class Pair(NamedTuple):
    """A pair with named fields."""

    first: Any
    second: Any


# Results ------------------------------------------------------------------------------------------


def nested_result(x: Any) -> Any:
    """Return a result with blocks, ragged rows, constants, repetitions and text."""
    blocks = [[[x[f + 2 * i + j] * 3.0 for j in range(2)] for i in range(3)] for f in (0, 6)]
    ragged = [[x[0] + 1.0, x[1] + 1.0], [x[2] + 1.0, x[3] + 1.0, x[4] + 1.0]]
    constant: Any = ([x[0] + 2.0, 1.0, "a"], [None], [])
    return [blocks, ragged, constant, (Pair(x[0], [x[1], 7.0]), {"a": x[2]}["a"]), [x[0], x[0]]]


@pytest.mark.parametrize("kind", [float, Value, np.float64])
def test_jit_returns_new_containers_with_the_structure_of_the_result(kind: Any) -> None:
    """The caller may change them without affecting later calls."""
    numbers = [float(k) for k in range(12)]
    compiled: Any = jit(nested_result)
    argument: Any = np.array(numbers) if kind is np.float64 else [*map(kind, numbers)]
    compiled(argument)
    for _ in range(2):
        found = compiled(argument)
        assert data_of(found) == data_of(nested_result(numbers))
        assert type(found[3][0]) is Pair
        assert type(found[2]) is tuple
        found[0][1][2].append(0.0)  # must not change the next result
        found[2][2].append([])
    if kind is Value:
        compiled(argument)[0][1][2][1].backward()
        assert [x.grad for x in argument] == [0.0] * 11 + [3.0]


def test_repr_and_op_of_a_jitted_result() -> None:
    """It is formatted as a Value, and its op has the name of the function."""
    cube = jit(lambda x: x**3)
    x = Value(2.0)
    y = cube(x)
    assert repr(y) == repr(x**3)
    with pytest.raises(TypeError, match="'Value' and 'int'"):
        y << 2
    y = jit(square)(x)
    assert y.op is not None
    assert y.op.name == "square"


def square(x: Any) -> Any:
    """Return x²."""
    return x * x


# Captured state -----------------------------------------------------------------------------------


class Settings(NamedTuple):
    """A named tuple with a number and a dict."""

    rate: float
    extra: dict[str, float]


class Layer:
    """An object with a number, a dict and a list, whose method is compiled."""

    def __init__(self, k: float) -> None:
        self.k, self.items = sg.Parameter(k), [1.0]
        self.empty: dict[str, float] = {}

    @jit
    def at(self, x: Any) -> Any:
        """Return a number that depends on all attributes."""
        return x * self.k + sum(self.items) + len(self.empty)


def make_functions() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return functions with typical captured state, and their arguments."""
    model, settings = MLP(2, [3, 1], rng=0), Settings(0.5, {})
    data, table, array = [[1.0, 2.0], [3.0, 4.0]], {"a": 1.0, "b": {}}, np.array([1.0, 2.0])
    return {
        "nothing": (lambda x, y: (x + y) * tanh(x), (Value(1.0), Value(2.0))),
        "data": (lambda x: sum(x * row[0] for row in data) + array[0] + table["a"], (2.0,)),
        "model": (lambda x: model([x, 1.0]), (2.0,)),
        "named tuple": (lambda x: x * settings.rate * len(settings.extra), (2.0,)),
        "other functions": (lambda x: sum(outputs([x] * 8)), (2.0,)),
        "object": (functools.partial(Layer.at, Layer(2.0)), (2.0,)),
        "derivative": (grad(lambda x: x * settings.rate), (2.0,)),
    }


@pytest.mark.parametrize("name", make_functions())
def test_jit_runs_the_function_only_at_the_first_call(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later calls run the compiled program and have the same result."""
    function, arguments = make_functions()[name]

    def printing(*args: Any) -> Any:
        print("runs")
        return function(*args)

    compiled = jit(printing)
    first = compiled(*arguments)
    assert "runs" in capsys.readouterr().out
    assert [repr(compiled(*arguments)) for _ in range(3)] == [repr(first)] * 3
    assert capsys.readouterr().out == ""


def test_jit_as_decorator_with_options() -> None:
    """The jitted function has the name and the docstring of the original."""

    @jit(static_argnums=(1,))
    def scaled(x: float, n: int) -> float:
        """Multiply."""
        return x * n

    assert scaled(2.0, 3) == 6.0
    assert (getattr(scaled, "__name__", ""), scaled.__doc__) == ("scaled", "Multiply.")
    assert "scaled" in repr(scaled)


# Refusals -----------------------------------------------------------------------------------------


def assign_grad(x: Any) -> Any:
    """Assign `.grad`, as a training step does."""
    x.grad = 0.0
    return x * x


REFUSED: dict[str, Callable[[Any], Any]] = {
    "data": lambda x: x * x.data,
    "grad": lambda x: x * x.grad,
    "backward": lambda x: (x * x).backward(),
    "zero_grad": lambda x: x.zero_grad(),
    "assigned": assign_grad,
    "graph": lambda x: (x * x).parents,
    "printed": lambda x: [print(x)],
}


@pytest.mark.parametrize("noun", REFUSED)
def test_jit_refuses_operations_that_a_program_cannot_repeat(noun: str) -> None:
    """The error names the operation and the file; eager code works again afterwards."""
    with pytest.raises(TraceError, match=noun) as error:
        jit(REFUSED[noun])(Value(2.0))
    assert "test_jitted.py" in str(error.value)
    x = Value(2.0)
    (x * x).backward()
    assert (x.data, x.grad, x > 1.0, bool(x)) == (2.0, 4.0, True, True)


# Pickling, threads and disable_jit ----------------------------------------------------------------


@jit
def squared_distance(a: list[float], b: list[float]) -> float:
    """Return the squared distance of two points."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


slope_of_square = jit(value_and_grad(square))


def test_jitted_functions_are_pickled_by_name() -> None:
    """Also if only the original function has a name in its module."""
    loaded = pickle.loads(pickle.dumps(squared_distance))
    assert loaded([1.0, 2.0], [4.0, 6.0]) == 25.0
    assert copy.copy(loaded)([0.0], [3.0]) == 9.0
    loaded_square = pickle.loads(pickle.dumps(jit(square)))
    assert "nodes" in loaded_square.explain(3.0)


def test_pickling_a_jitted_lambda_is_an_error() -> None:
    """It has no name by which it could be found."""
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(jit(lambda x: x * x * x))


def test_a_jitted_derivative_is_not_pickled_by_the_name_of_its_function() -> None:
    """It has the name of the function, but loading it by this name would return the function."""
    assert pickle.loads(pickle.dumps(slope_of_square))(3.0) == (9.0, 6.0)
    with pytest.raises(pickle.PicklingError, match="square"):
        pickle.dumps(jit(value_and_grad(square)))


def test_disable_jit_runs_functions_eagerly_and_keeps_their_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`.data` can be read. Blocks nest, end with exceptions, and apply to one thread."""

    def cube(x: Any) -> Any:
        print("runs")
        return x * x * x

    compiled = jit(cube)
    compiled(1.0)
    with disable_jit():
        reads: Any = jit(lambda x: x * Value(x.data))
        assert reads(Value(3.0)).data == 9.0
        y = compiled(Value(2.0))
        assert (y.data, y.op.symbol) == (8.0, "*")
        capsys.readouterr()
        with disable_jit(disable=False):
            compiled(2.0)
        thread = threading.Thread(target=compiled, args=(3.0,))
        thread.start()
        thread.join()
        assert capsys.readouterr().out == ""
    with pytest.raises(ZeroDivisionError), disable_jit():
        raise ZeroDivisionError
    assert compiled(4.0) == 64.0
    assert capsys.readouterr().out == ""
    with pytest.raises(TraceError, match="data"):
        reads(Value(2.0))


@pytest.mark.parametrize(
    ("name", "setting", "output"),
    [
        ("SCALARGRAD_JIT", "off", "ran\nran\n16.0\n"),
        ("SCALARGRAD_JIT", "of", "SCALARGRAD_JIT"),
        ("SCALARGRAD_THREADS", "two", "SCALARGRAD_THREADS"),
    ],
)
def test_environment_variables_configure_jit(name: str, setting: str, output: str) -> None:
    """With `off` a function runs at each call; other words are errors."""
    program = """
import numpy
from scalargrad import jit, vmap
square = jit(lambda x: (print("ran"), x * x)[1])
square(3.0)
print(square(4.0))
jit(vmap(lambda x: x * x))(numpy.ones(20_000))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, name: setting},
    )
    assert output in done.stdout + done.stderr
    assert (done.returncode == 0) == ("ran" in output)


def test_jit_without_llvmlite_runs_eagerly_and_warns_once() -> None:
    """The warning has the remedy, and the line of the first call; later calls are silent."""
    program = """
import sys
from scalargrad import Value, disable_jit, grad, jit
sys.modules["llvmlite"] = None
cube = jit(lambda x: (print("ran"), x**3)[1])
print(cube(2.0))  # line 6
with disable_jit(False):
    print(cube(Value(3.0)).data)
print(jit(grad(lambda x: x**3))(2.0))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "ran\n8.0\nran\n27.0\n12.0\n"
    assert done.stderr.count("JitWarning") == 1
    assert done.stderr.startswith("<string>:6: JitWarning")
    assert "pip install 'scalargrad-engine[jit]'" in done.stderr
