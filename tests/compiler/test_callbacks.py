"""Custom operations inside compiled functions: machine code calls them in Python."""

from __future__ import annotations

import math
import signal
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.inner import Domain

import scalargrad as sg
from scalargrad import Value, cond, custom_op, grad, jit, ops, scan, vmap, where
from scalargrad.fitting import minimize

pytestmark = pytest.mark.behaviour


@custom_op(partials=lambda y, x: (ops.cos(x),))
def my_sin(x: float) -> float:
    """Return the sine of x."""
    return math.sin(x)


@custom_op(partials=lambda y, x: (1 / x,))
def my_log(x: float) -> float:
    """Return ln x, or raise ValueError."""
    return math.log(x)


@custom_op(partials=lambda y, x: (my_log(x) + 1.0,))
def entropy(x: float) -> float:
    """Return x·ln |x|, whose derivative raises ValueError for a negative x."""
    return x * math.log(abs(x))


def test_jit_custom_op_has_the_value_and_derivatives_of_the_declaration() -> None:
    """Of sin these are known, to any order, by the declared partial."""
    x, f = 0.6, jit(lambda x: x * my_sin(x))
    assert f(x) == x * math.sin(x)
    leaf = Value(x)
    f(leaf).backward()
    assert leaf.grad == pytest.approx(math.sin(x) + x * math.cos(x), rel=1e-15)
    g: Any = my_sin
    for order in range(1, 5):
        g = grad(g)
        assert jit(g)(x) == pytest.approx(math.sin(x + order * math.pi / 2), rel=1e-14)
    (slope,) = sg.gradients(f(leaf), [leaf], create_graph=True)
    slope.backward()
    second = 2 * math.cos(x) - x * math.sin(x)
    assert leaf.grad == pytest.approx(math.sin(x) + x * math.cos(x) + second, rel=1e-14)


@pytest.mark.parametrize("count", [3, 1000, 20_000])
def test_vmap_custom_op_has_the_digits_of_single_calls(count: int) -> None:
    """On lanes, by several threads, and for the examples that are left over."""
    xs = np.linspace(-2.0, 2.0, count)
    expected = [math.sin(x) for x in xs.tolist()]
    assert jit(vmap(my_sin))(xs).tolist() == expected
    slopes = jit(vmap(grad(my_sin)))(xs)
    assert slopes == pytest.approx(np.cos(xs), rel=1e-13)


@pytest.mark.parametrize("is_inside", [True, False])
def test_scan_custom_op_is_called_at_each_step(is_inside: bool) -> None:
    """Within one program, and of compiled steps: the fixed point of cos, and its slope."""

    def step(x: Any, _: Any) -> tuple[Any, None]:
        return my_sin(x + math.pi / 2), None

    fixed = 0.7390851332151607  # of cos
    if is_inside:
        f = jit(lambda x: scan(step, x, length=200)[0])
        assert f(0.3) == pytest.approx(fixed, rel=1e-13)
        assert grad(lambda x: scan(step, x, length=1)[0])(0.3) == pytest.approx(-math.sin(0.3))
        assert jit(grad(lambda x: scan(step, x, length=1)[0]))(0.3) == pytest.approx(-math.sin(0.3))
    else:
        assert scan(jit(step), 0.3, length=200)[0] == pytest.approx(fixed, rel=1e-13)


def test_jit_custom_op_inside_custom_vjp_and_reductions(tmp_path: Path) -> None:
    """A rule whose function applies it, together with reductions of several numbers."""

    def function(x: Any, y: Any) -> Any:
        return my_sin(sg.dot([x, y], [y, 2.0])) + sg.maximum(x, y, 0.5)

    scaled = sg.custom_vjp(function)
    scaled.defvjp(lambda x, y: (function(x, y), (x, y)), lambda r, g: (3.0 * g, my_sin(r[0]) * g))
    assert jit(scaled)(0.25, 1.5) == pytest.approx(math.sin(0.25 * 1.5 + 3.0) + 1.5, rel=1e-15)
    slopes = jit(grad(scaled, (0, 1)))(0.25, 1.5)
    assert slopes == pytest.approx((3.0, math.sin(0.25)), rel=1e-15)
    with pytest.raises(sg.TraceError, match="exported to C"):
        jit(scaled).export(tmp_path / "scaled.c", 0.25, 1.5)


def test_jit_custom_op_exceptions_have_the_traceback_of_an_eager_call() -> None:
    """The user's function and its line are in it; nothing of machine code is."""
    f = jit(lambda x: my_log(x) * 2.0)
    assert f(1.0) == 0.0
    with pytest.raises(ValueError, match="math domain error") as caught:
        f(-1.0)
    assert caught.value.__context__ is None
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert (frames[-1].name, frames[-1].line) == ("my_log", "return math.log(x)")
    assert f(math.e) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: vmap(my_log)([x, 1.0])[0],
        lambda x: scan(lambda c, _: (my_log(c), None), x, length=1)[0],
        lambda x: where(my_log(x) > 0.0, 1.0, 2.0) * x,
        lambda x: 1.0 if my_log(x) > 0.0 else x,
    ],
    ids=["vmap", "scan", "a comparison hides it", "a branch"],
)
def test_jit_custom_op_exceptions_are_never_lost(f: Callable[[Any], Any]) -> None:
    """nan, which the callback returns, may be hidden by a comparison: the call still fails."""
    compiled = jit(f)
    assert compiled(0.5) == f(0.5)
    for _ in range(3):
        with pytest.raises(ValueError, match="math domain error"):
            compiled(-1.0)
    assert compiled(0.25) == f(0.25)


def test_jit_custom_op_exceptions_of_a_gradient_are_raised_by_backward() -> None:
    """The partials call a custom operation that fails, of a result that was right."""
    f = jit(lambda x, y: (entropy(x), x * y))
    f(Value(2.0), Value(1.0))[0].backward()
    x = Value(-2.0)
    first, _ = f(x, Value(1.0))
    assert first.data == pytest.approx(-2.0 * math.log(2.0))
    with pytest.raises(ValueError, match="math domain error") as caught:
        first.backward()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "my_log"


def test_jit_custom_op_is_called_on_the_chosen_side_of_cond_alone_if_it_raises() -> None:
    """The program computes both sides; the call is then made as written, and has a result."""
    f = jit(lambda x: cond(x > 0.0, my_log, lambda x: x * 3.0, x))
    assert [f(x) for x in (1.0, -1.0, math.e)] == pytest.approx([0.0, -3.0, 1.0])


def test_jit_custom_op_errors_of_results_and_domains() -> None:
    """A result that is not a number, and an operand outside the domain."""
    odd: list[Any] = [1.0]
    made = custom_op(partials=lambda y, x: (0.0,))(lambda x: odd[0])
    f = jit(lambda x: made(x) + 0.0 * x)
    assert f(1.0) == 1.0
    odd[0] = "text"
    with pytest.raises(sg.OperandError, match="the result of"):
        f(2.0)
    half = custom_op(partials=lambda y, x: (0.5,), domain=Domain(valid=lambda x: x > 0.0))(
        lambda x: x / 2
    )
    g = jit(lambda x: half(x) + 1.0)
    assert g(4.0) == 3.0
    with pytest.raises(sg.DomainError, match="-4"):
        g(-4.0)


NAMES = ("add", "mul", "sub", "div", "where", "pow", "neg", "identity", "exp")


@pytest.mark.parametrize("name", NAMES)
def test_jit_custom_op_may_have_the_name_of_a_built_in_operation(name: str) -> None:
    """No pass takes it for that one, whose products by 1 and sums with 0 are simplified."""

    def function(a: float, b: float) -> float:
        return 10.0 * a + b * b * b

    function.__name__ = name
    op = custom_op(partials=lambda y, a, b: (10.0, 3 * b * b))(function)
    for b in (0.0, -0.0, 1.0, 2.0, 0.5):

        def f(a: Any, b: float = b) -> Any:
            return op(a, b) + op(b, a * a) * op(a * a, b)

        assert jit(f)(3.0) == pytest.approx(f(3.0), rel=1e-15)
        assert jit(grad(f))(3.0) == pytest.approx(grad(f)(3.0), rel=1e-14)


def test_jit_custom_op_of_several_threads() -> None:
    """A failure in one thread is its own error; the other has right results."""
    f = jit(lambda x: my_log(x) + 1.0)
    f(1.0)
    found: dict[str, list[Any]] = {"good": [], "bad": []}

    def call(name: str, x: float) -> None:
        for _ in range(300):
            try:
                found[name].append(f(x))
            except ValueError as error:
                found[name].append(error)

    threads = [threading.Thread(target=call, args=x) for x in (("good", 1.0), ("bad", -1.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["good"] == [1.0] * 300
    assert {*map(type, found["bad"])} == {ValueError}


def test_jit_custom_op_of_many_examples_fails_in_any_thread() -> None:
    """20,000 examples are shared by threads: the one that is negative fails the call."""
    f = jit(vmap(my_log))
    xs = np.linspace(1.0, 2.0, 20_000)
    assert f(xs) == pytest.approx(np.log(xs), rel=1e-15)
    xs[13_131] = -1.0
    with pytest.raises(ValueError, match="math domain error"):
        f(xs)


def test_jit_custom_op_may_call_a_compiled_function_that_applies_it() -> None:
    """The inner run has no failure; that of the outer one, before it, is not forgotten."""
    inner: list[Any] = [lambda x: x]

    @custom_op(partials=lambda y, x: (1.0,))
    def nested(x: float) -> float:
        if x < 0.0:
            raise ValueError("negative")
        return float(inner[0](x - 1.0)) if x > 1.0 else x

    inner[0] = jit(lambda x: nested(x) + 0.0)
    f = jit(lambda x, y: where(nested(x) > 0.0, nested(y), 0.0))
    assert f(0.5, 2.5) == 0.5
    with pytest.raises(ValueError, match="negative"):
        f(-0.5, 2.5)


def test_jit_custom_op_can_be_interrupted() -> None:
    """Ctrl-C while Python runs below machine code is a KeyboardInterrupt of the call."""
    is_armed = [False]

    @custom_op(partials=lambda y, x: (1.0,))
    def pressed(x: float) -> float:
        if is_armed[0]:
            signal.raise_signal(signal.SIGINT)
        return x

    f = jit(lambda x: pressed(x) * 2.0)
    assert f(1.0) == 2.0
    is_armed[0] = True
    with pytest.raises(KeyboardInterrupt):
        f(2.0)
    is_armed[0] = False
    assert f(3.0) == 6.0


def test_minimize_with_a_custom_op_passes_its_exceptions_on() -> None:
    """A search takes shorter steps after undefined points, but a bug ends it with its error."""

    @custom_op(partials=lambda y, x: (2 * x,))
    def square(x: float) -> float:
        return x * x

    found = minimize(lambda p: square(p[0] - 3.0) + square(p[1]), [0.0, 1.0])
    assert found.x == pytest.approx([3.0, 0.0], abs=1e-6)

    @custom_op(partials=lambda y, x: (2 * x,))
    def broken(x: float) -> float:
        if abs(x) < 0.1:
            raise RuntimeError("a bug")
        return x * x

    with pytest.raises(RuntimeError, match="a bug"):
        minimize(lambda p: broken(p[0] - 3.0), [0.0])


def test_explain_says_which_operations_are_called_in_python() -> None:
    """With the name of the user's function."""
    said = jit(lambda x: my_sin(x) * x).explain(1.0)
    assert "calls my_sin in Python" in said
