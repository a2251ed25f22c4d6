"""What a user of jit relies on: arguments, results, gradients and state are those of Python."""

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


def bent(a: Any, b: Any) -> Any:
    """Return (sin a)·b³ + b / a."""
    return sg.sin(a) * b**3 + b / a


def plain(tree: Any) -> Any:
    """Return nested lists and tuples with floats in place of Values."""
    if isinstance(tree, list | tuple):
        return [plain(x) for x in tree]
    return tree.data if isinstance(tree, Value) else tree


# Numbers and derivatives --------------------------------------------------------------------------


def test_derivatives_nest_with_compilation_either_way() -> None:
    """grad, value_and_grad, hessian and jvp of a compiled function, and compiled themselves."""
    compiled, at = jit(bent), (0.5, 2.0)
    sine, cosine = math.sin(0.5), math.cos(0.5)
    slopes = 8.0 * cosine - 8.0, 12.0 * sine + 2.0
    assert jit(grad(bent))(*at) == pytest.approx(slopes[0], rel=1e-14)
    value, gradient = jit(value_and_grad(bent, argnums=(0, 1)))(*at)
    assert (value, *gradient) == pytest.approx((8.0 * sine + 4.0, *slopes), rel=1e-14)
    assert grad(grad(compiled))(*at) == pytest.approx(32.0 - 8.0 * sine, rel=1e-14)
    mixed = 12.0 * cosine - 4.0
    expected = [[32.0 - 8.0 * sine, mixed], [mixed, 12.0 * sine]]
    assert np.allclose(sg.hessian(lambda v: compiled(v[0], v[1]))([*at]), expected, rtol=1e-12)
    assert np.allclose(jit(sg.hessian(lambda v: bent(v[0], v[1])))([*at]), expected, rtol=1e-12)
    along = slopes[0] + 3.0 * slopes[1]
    assert sg.jvp(compiled, at, (1.0, 3.0)) == pytest.approx((value, along), rel=1e-14)


def test_a_gradient_is_by_the_argument_alone() -> None:
    """What does not move has slope 0; other ways to the same Value are left out."""
    assert jit(grad(lambda x: 5.0))(3.0) == 0.0
    assert jit(lambda x, y: grad(lambda z: y * y)(x) + x)(3.0, 2.0) == 3.0
    assert jit(lambda x: grad(lambda y: y * x)(x))(3.0) == 3.0
    assert jit(lambda x: grad(lambda y: y * y)(5.0) * x)(2.0) == 20.0


def test_backward_adds_to_grads_as_eagerly() -> None:
    """∂y/∂y is 1; twice doubles; None counts as 0; a leaf read twice gets both slopes."""
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


def test_detach_and_no_grad_stop_gradients() -> None:
    """A detached Value counts as a constant, as does what is computed under no_grad."""

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


def test_a_static_argument_drives_a_loop() -> None:
    """Each count is another program; a static argument must be hashable, or an array."""

    def power(x: Any, n: int) -> Any:
        return math.prod([x] * n, start=1.0)

    assert jit(power, static_argnums=1)(2.0, 10) == 1024.0
    named = jit(static_argnames="n")(power)
    assert (named(2.0, n=3), named(2.0, n=4), named(3.0, n=4)) == (8.0, 16.0, 81.0)
    assert len(named.all_paths()) == 2
    tables = [np.array([k, 0]) for k in (1, 2, 1)]
    chosen = jit(lambda x, table: x + table[0], static_argnums=1)
    assert [chosen(3.0, t) for t in tables] == [4.0, 5.0, 4.0]
    with pytest.raises(TraceError, match="static"):
        chosen(3.0, [1])
    with pytest.raises(TraceError, match="set"):
        jit(lambda x: 1.0)({1.0})


class Pair(NamedTuple):
    """A shape with names."""

    first: Any
    second: Any


# Results ------------------------------------------------------------------------------------------


def nested(x: Any) -> Any:
    """Return what has blocks, ragged rows, constants, repetitions and what is no number."""
    blocks = [[[x[f + 2 * i + j] * 3.0 for j in range(2)] for i in range(3)] for f in (0, 6)]
    ragged = [[x[0] + 1.0, x[1] + 1.0], [x[2] + 1.0, x[3] + 1.0, x[4] + 1.0]]
    constant: Any = ([x[0] + 2.0, 1.0, "a"], [None], [])
    return [blocks, ragged, constant, (Pair(x[0], [x[1], 7.0]), {"a": x[2]}["a"]), [x[0], x[0]]]


@pytest.mark.parametrize("kind", [float, Value, np.float64])
def test_results_have_their_structure_and_belong_to_the_caller(kind: Any) -> None:
    """Each call returns lists of its own."""
    numbers = [float(k) for k in range(12)]
    compiled: Any = jit(nested)
    argument: Any = np.array(numbers) if kind is np.float64 else [*map(kind, numbers)]
    compiled(argument)
    for _ in range(2):
        found = compiled(argument)
        assert plain(found) == plain(nested(numbers))
        assert type(found[3][0]) is Pair
        assert type(found[2]) is tuple
        found[0][1][2].append(0.0)  # the next result knows nothing of it
        found[2][2].append([])
    if kind is Value:
        compiled(argument)[0][1][2][1].backward()
        assert [x.grad for x in argument] == [0.0] * 11 + [3.0]


def test_a_result_is_a_value_like_any_other() -> None:
    """It shows and calls itself one, and its op has the function's name."""
    cube = jit(lambda x: x**3)
    x = Value(2.0)
    y = cube(x)
    assert repr(y) == repr(x**3)
    with pytest.raises(TypeError, match="'Value' and 'int'"):
        y << 2
    named = jit(square_of)(x)
    assert named.op is not None
    assert named.op.name == "square_of"


def square_of(x: Any) -> Any:
    """Return the square."""
    return x * x


# What a function reads around it ------------------------------------------------------------------


class Settings(NamedTuple):
    """What a function may close over: a named tuple, with nothing in one of its dicts."""

    rate: float
    extra: dict[str, float]


class Layer:
    """An object with a number, a dict and a list, whose method is compiled."""

    def __init__(self, k: float) -> None:
        self.k, self.items = sg.Parameter(k), [1.0]
        self.empty: dict[str, float] = {}

    @jit
    def at(self, x: Any) -> Any:
        """Return a number that depends on them."""
        return x * self.k + sum(self.items) + len(self.empty)


def typical() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return functions that close over what functions usually do, and their arguments."""
    model, settings = MLP(2, [3, 1], rng=0), Settings(0.5, {})
    data, table, array = [[1.0, 2.0], [3.0, 4.0]], {"a": 1.0, "b": {}}, np.array([1.0, 2.0])
    return {
        "nothing": (lambda x, y: (x + y) * tanh(x), (Value(1.0), Value(2.0))),
        "data": (lambda x: sum(x * row[0] for row in data) + array[0] + table["a"], (2.0,)),
        "a model": (lambda x: model([x, 1.0]), (2.0,)),
        "a named tuple": (lambda x: x * settings.rate * len(settings.extra), (2.0,)),
        "other functions": (lambda x: sum(outputs([x] * 8)), (2.0,)),
        "an object": (functools.partial(Layer.at, Layer(2.0)), (2.0,)),
        "a derivative": (grad(lambda x: x * settings.rate), (2.0,)),
    }


@pytest.mark.parametrize("name", typical())
def test_a_call_with_everything_unchanged_does_not_run_the_function(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first call runs it, the later ones run its program and return the same."""
    function, arguments = typical()[name]

    def noted(*args: Any) -> Any:
        print("runs")
        return function(*args)

    compiled = jit(noted)
    first = compiled(*arguments)
    assert "runs" in capsys.readouterr().out
    assert [repr(compiled(*arguments)) for _ in range(3)] == [repr(first)] * 3
    assert capsys.readouterr().out == ""


def test_the_decorator_takes_options_and_keeps_the_name() -> None:
    """With options alone, jit returns a decorator; a wrapped function keeps name and words."""

    @jit(static_argnums=(1,))
    def scaled(x: float, n: int) -> float:
        """Multiply."""
        return x * n

    assert scaled(2.0, 3) == 6.0
    assert (getattr(scaled, "__name__", ""), scaled.__doc__) == ("scaled", "Multiply.")
    assert "scaled" in repr(scaled)


# What is refused ----------------------------------------------------------------------------------


def assign_grad_and_go_on(x: Any) -> Any:
    """Do what a training step does."""
    x.grad = 0.0
    return x * x


REFUSED: dict[str, Callable[[Any], Any]] = {
    "data": lambda x: x * x.data,
    "grad": lambda x: x * x.grad,
    "backward": lambda x: (x * x).backward(),
    "zero_grad": lambda x: x.zero_grad(),
    "assigned": assign_grad_and_go_on,
    "graph": lambda x: (x * x).parents,
    "printed": lambda x: [print(x)],
}


@pytest.mark.parametrize("noun", REFUSED)
def test_what_cannot_be_repeated_is_refused(noun: str) -> None:
    """The error names what it is and the file, and everything works again afterwards."""
    with pytest.raises(TraceError, match=noun) as error:
        jit(REFUSED[noun])(Value(2.0))
    assert "test_jitted.py" in str(error.value)
    x = Value(2.0)
    (x * x).backward()
    assert (x.data, x.grad, x > 1.0, bool(x)) == (2.0, 4.0, True, True)


# Threads, pickles and switching off ---------------------------------------------------------------


@jit
def squared_distance(a: list[float], b: list[float]) -> float:
    """Return the squared distance of two points."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


slope_of_square = jit(value_and_grad(square_of))


def test_compiled_functions_are_pickled_by_name() -> None:
    """A named function is found again, and recorded where it is; one without a name is refused."""
    named = pickle.loads(pickle.dumps(squared_distance))
    assert named([1.0, 2.0], [4.0, 6.0]) == 25.0
    assert copy.copy(named)([0.0], [3.0]) == 9.0
    plainly_named = pickle.loads(pickle.dumps(jit(square_of)))
    assert "nodes" in plainly_named.explain(3.0)
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(jit(lambda x: x * x * x))


def test_what_is_made_of_a_function_is_not_taken_for_it_where_it_is_unpickled() -> None:
    """It has the function's name; it is found by its own, and without one it is refused."""
    assert pickle.loads(pickle.dumps(slope_of_square))(3.0) == (9.0, 6.0)
    with pytest.raises(pickle.PicklingError, match="square_of"):
        pickle.dumps(jit(value_and_grad(square_of)))


def test_a_disabled_function_runs_as_written_and_forgets_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It may read .data, as no recording may; blocks nest, end with errors, and are of a thread."""

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
    ("name", "setting", "said"),
    [
        ("SCALARGRAD_JIT", "off", "ran\nran\n16.0\n"),
        ("SCALARGRAD_JIT", "of", "SCALARGRAD_JIT"),
        ("SCALARGRAD_THREADS", "two", "SCALARGRAD_THREADS"),
    ],
)
def test_the_environment_chooses_for_a_process(name: str, setting: str, said: str) -> None:
    """Off, a function runs at every call; other words are errors."""
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
    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) == ("ran" in said)


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
