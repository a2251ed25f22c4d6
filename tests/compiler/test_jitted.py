"""What a user of jit relies on."""

from __future__ import annotations

import copy
import math
import pickle
import random
import threading
import warnings
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import (
    DomainError,
    JitWarning,
    Parameter,
    TraceError,
    Value,
    exp,
    grad,
    hessian,
    jit,
    jvp,
    maximum,
    no_grad,
    value_and_grad,
)
from scalargrad.compiler.call.recording_limits import COMPARISONS
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.graph import topological_order
from scalargrad.nn import MLP, Linear

pytestmark = pytest.mark.usefixtures("backend")


def readme(a: Any, b: Any) -> Any:
    """Compute the expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + sg.relu(b + a)
    d += 3 * d + sg.relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


@pytest.mark.parametrize("kind", [float, Value, Parameter])
def test_the_class_of_a_number_makes_numbers(kind: Any) -> None:
    """Code for floats and Values alike begins a sum with type(x)(0.0)."""

    def polynomial(x: Any) -> Any:
        total = type(x)(0.0)
        for k in range(1, 4):
            total = total * x + type(x)(k)
        return total

    compiled = jit(polynomial)
    for x in 2.0, -3.0:
        found = compiled(kind(x))
        assert (found.data if kind is not float else found) == x * x + 2.0 * x + 3.0


def test_the_readme_expression_has_micrograds_numbers() -> None:
    """Micrograd's README prints 24.7041, 138.8338 and 645.5773."""
    a, b = Value(-4.0), Value(2.0)
    g = jit(readme)(a, b)
    g.backward()
    assert (round(g.data, 4), round(a.grad, 4), round(b.grad, 4)) == (24.7041, 138.8338, 645.5773)


def test_numbers_in_give_numbers_out() -> None:
    """Without a Value anywhere, results are plain floats."""
    assert type(jit(readme)(-4.0, 2)) is float


def test_a_result_is_shown_as_what_it_is() -> None:
    """A reader sees a Value, as of eager code, and no name of a class inside."""
    cube = jit(lambda x: x**3)
    x = Value(2.0)
    y = cube(x)
    y.label = "Output"
    assert repr(y) == "Value(data=8.0, grad=0.0, label='Output')"
    assert repr(cube(x)) == repr(x**3)


def test_ints_are_traced() -> None:
    """One program serves all whole numbers."""
    double = jit(lambda n: 2 * n)
    assert [double(3), double(4), double(5.0)] == [6.0, 8.0, 10.0]
    assert len(programs_of(double)) == 1


def test_static_arguments_are_part_of_the_program() -> None:
    """A static count can drive a loop, and each count is another program."""

    def power(x: Any, n: int) -> Any:
        result: Any = 1.0
        for _ in range(n):
            result = result * x
        return result

    assert jit(power, static_argnums=1)(2.0, 10) == 1024.0
    named = jit(static_argnames="n")(power)
    assert (named(2.0, n=3), named(2.0, n=4)) == (8.0, 16.0)


def test_results_keep_their_shape() -> None:
    """Lists, tuples, dicts, arrays and what is no number come back as they were made."""

    def several(x: Any, array: Any) -> Any:
        return {"pair": (x, 2 * x), "list": [x * x], "none": None, "array": array * x}

    found = jit(several)(3.0, np.array([[1.0, 2.0]]))
    assert found["pair"] == (3.0, 6.0)
    assert found["list"] == [9.0]
    assert found["none"] is None
    assert found["array"].dtype == float
    assert found["array"].tolist() == [[3.0, 6.0]]


def test_closed_over_values_are_read_at_each_call() -> None:
    """Changing a parameter changes the next result, and gradients flow to it."""
    w = sg.Parameter(2.0)
    scaled = jit(lambda x: w * x)
    assert scaled(3.0).data == 6.0
    w.data = 5.0
    y = scaled(3.0)
    y.backward()
    assert (y.data, w.grad) == (15.0, 3.0)


def test_an_interior_value_closed_over_is_a_leaf_of_the_program() -> None:
    """Its number is the one it has, and gradients flow through it to its operands."""
    w = Value(2.0)
    h = w * w
    y = jit(lambda x: h * x)(10.0)
    y.backward()
    assert (y.data, w.grad) == (40.0, 40.0)


def test_a_result_keeps_its_gradient() -> None:
    """Neither a later call nor a changed leaf alters the gradient of an earlier result."""
    square = jit(lambda x: [x * x, x**3])
    x = Value(3.0)
    first = square(x)
    x.data = 100.0
    square(Value(7.0))
    assert [sg.gradients(y, x) for y in first] == [6.0, 27.0]
    assert sg.gradients(sg.gradients(first[1], x, create_graph=True), x) == 18.0


def test_higher_derivatives_are_those_of_the_function() -> None:
    """grad, hessian, jvp and value_and_grad of a compiled function are the eager ones."""
    compiled = jit(readme)
    assert grad(grad(compiled))(-4.0, 2.0) == pytest.approx(grad(grad(readme))(-4.0, 2.0))
    both = [hessian(lambda v, f=f: f(v[0], v[1]))([-4.0, 2.0]) for f in (compiled, readme)]
    assert np.allclose(both[0], both[1], rtol=1e-12)
    assert jvp(compiled, (-4.0, 2.0), (1.0, 3.0)) == pytest.approx(
        jvp(readme, (-4.0, 2.0), (1.0, 3.0))
    )


def test_derivatives_can_be_compiled() -> None:
    """grad, value_and_grad and hessian inside jit are what they are outside."""
    assert jit(grad(readme))(-4.0, 2.0) == pytest.approx(138.83381924198252)
    value, gradient = jit(value_and_grad(readme, argnums=(0, 1)))(-4.0, 2.0)
    assert (value, *gradient) == pytest.approx((24.7040816327, 138.8338192420, 645.5772594752))
    pair = lambda v: readme(v[0], v[1])  # noqa: E731 - one line twice
    assert np.allclose(jit(hessian(pair))([-4.0, 2.0]), hessian(pair)([-4.0, 2.0]))
    third = grad(grad(grad(lambda x: sg.sin(x) * x)))
    assert jit(third)(2.0) == pytest.approx(third(2.0))


@pytest.mark.parametrize(
    "along",
    [
        lambda v: jvp(sg.sin, (0.4,), (v,))[1],
        lambda v: sg.vjp(sg.sin, 0.4)[1](v)[0],
        lambda v: sg.hvp(sg.sin, 0.4, v)[1],
    ],
)
def test_a_derivative_at_a_float_along_a_value_is_a_value(along: Any) -> None:
    """It is linear in the direction, so its gradient by that is its value along 1."""
    v = Value(0.65)
    assert sg.gradients(jit(along)(v), v) == pytest.approx(along(1.0), rel=1e-15)


def test_a_gradient_of_what_does_not_move_is_zero() -> None:
    """A result that is a number, or does not depend on the argument, has gradient 0."""
    assert jit(grad(lambda x: 5.0))(3.0) == 0.0
    assert jit(lambda x, y: grad(lambda z: y * y)(x) + x)(3.0, 2.0) == 3.0


def test_a_gradient_stops_at_what_it_is_taken_of() -> None:
    """The derivative by an argument leaves out other ways to the same Value."""
    assert jit(lambda x: grad(lambda y: y * x)(x))(3.0) == 3.0
    assert jit(lambda x: grad(lambda y: y * y)(5.0) * x)(2.0) == 20.0


def test_a_compiled_function_inside_another_is_part_of_it() -> None:
    """Called while recording, it adds its nodes to the recording."""
    inner = jit(lambda x: x * x)
    outer = jit(lambda x: inner(x) + 1.0)
    assert outer(3.0) == 10.0
    assert not programs_of(inner)


def test_backward_gives_the_result_its_own_gradient() -> None:
    """∂y/∂y is 1 where a compiled result stands on leaves alone, as eagerly."""
    x = Value(3.0)
    y = jit(lambda x: x * x)(x)
    y.backward()
    assert (y.grad, x.grad) == (1.0, 6.0)


def test_no_grad_gives_leaves() -> None:
    """Under no_grad the result is a Value without operands, as eagerly."""
    x = Value(3.0)
    with no_grad():
        y = jit(lambda x: x * x)(x)
    assert (type(y), y.data, y.parents) == (Value, 9.0, ())


def test_conditions_are_recorded_path_by_path() -> None:
    """Each outcome of a comparison has its own program, chosen by the numbers of the call."""

    def halves(x: Any) -> Any:
        if x > 10:
            return x / 2
        return 3 * x if x > 0 else -x

    compiled = jit(halves)
    for x in (20.0, 4.0, -1.0, 30.0, 5.0, -2.0, 10.0):
        assert compiled(x) == halves(x)


def test_too_many_paths_are_evaluated_eagerly() -> None:
    """The ninth way through the comparisons warns, naming where and maximum; the next is silent."""
    count = jit(lambda x: sum(1.0 for k in range(20) if x > k) + x)
    for k in range(8):
        assert count(k + 0.5) == k + 1 + k + 0.5
    with pytest.warns(JitWarning, match="where, maximum"):
        assert count(15.5) == 16 + 15.5
    assert count(17.5) == 18 + 17.5
    assert count(3.5) == 4 + 3.5
    with pytest.raises(TraceError, match="evaluated eagerly"):
        count.explain(17.5)


def test_the_warning_of_paths_shows_where_they_part() -> None:
    """It names the line of the comparison that differs, not of one that is always the same."""

    def largest(logits: list[Any]) -> Any:
        assert logits[0] < 100.0
        top = max(logits)
        return sum(exp(x - top) for x in logits)

    compiled = jit(largest)
    line = largest.__code__.co_firstlineno + 2
    rows = [[float((7 * i + k) % 11) for i in range(10)] for k in range(10)]
    with pytest.warns(JitWarning, match=rf"test_jitted.py:{line}\)") as caught:
        found = [compiled(row) for row in rows]
    assert str(caught[0].message).endswith("\n    top = max(logits)")
    mended = jit(lambda logits: sum([exp(x - maximum(*logits)) for x in logits]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [mended(row) for row in rows] == pytest.approx(found, rel=1e-14)


def test_many_comparisons_are_told_at_the_second_recording() -> None:
    """Nearly all parameters take another path: there is no need to wait for the ninth."""

    def outer(p: Any) -> Any:
        waves = [(math.sin(k), math.cos(k * k)) for k in range(COMPARISONS)]
        return sum(max(p[0] * a, p[1] * b) for a, b in waves)

    compiled: Any = jit(outer)
    assert compiled([1.0, 0.5]) == pytest.approx(outer([1.0, 0.5]), rel=1e-12)
    with pytest.warns(
        JitWarning, match=r"1,000 comparisons, .* \(.*test_jitted.py:\d+\)"
    ) as caught:
        assert compiled([1.5, 0.2]) == pytest.approx(outer([1.5, 0.2]), rel=1e-12)
    assert str(caught[0].message).endswith("for a, b in waves)")
    assert compiled([0.5, 0.9]) == pytest.approx(outer([0.5, 0.9]), rel=1e-12)


def test_a_comparison_without_a_condition_is_a_number() -> None:
    """Micrograd's accuracy line records one path for all outcomes."""
    hits = jit(lambda ys, scores: sum((y > 0) == (s > 0) for y, s in zip(ys, scores, strict=True)))
    assert hits([1.0, -1.0, 1.0], [0.5, 0.5, 2.0]) == 2.0
    assert hits([1.0, -1.0, 1.0], [-0.5, -0.5, 2.0]) == 2.0
    assert len(programs_of(hits)) == 1


def assign_grad_and_go_on(x: Any) -> Any:
    """Do what a training step does."""
    x.grad = 0.0
    return x * x


def clear_a_weight(x: Any) -> Any:
    """Forget the gradient of a weight that no gradient has reached."""
    LAYER.weight[0][0].zero_grad()
    return LAYER([x])


LAYER = Linear(1, 1, rng=0)
REFUSED: list[tuple[Any, str]] = [
    (lambda x: x * x.data, ".data"),
    (lambda x: x * x.grad, ".grad"),
    (lambda x: (x * x).backward(), "backward"),
    (lambda x: x.zero_grad(), "zero_grad"),
    (clear_a_weight, "zero_grad"),
    (lambda x: setattr(x, "data", 1.0), ".data was assigned"),
    (assign_grad_and_go_on, ".grad was assigned"),
    (lambda x: setattr(x, "grad", 0.0), ".grad was assigned"),
    (lambda x: x.local_grads, "graph"),
    (lambda x: (x * x).parents, "graph"),
    (lambda x: topological_order(x * x), "graph"),
    (lambda x: [print(x)], "printed"),
]
#: What an eager call does with a float, and not with a Value.
REFUSED_OF_FLOATS: list[tuple[Any, str]] = [
    (math.sin, "operation of the same name"),
    (float, "float"),
    (int, "int"),
    (math.floor, "scalargrad.floor"),
    (lambda x: math.fsum([x, x]), "write sum(xs)"),
    (lambda x: [1.0, 2.0, 3.0][int(x)], "int"),
]


@pytest.mark.parametrize(("f", "named"), REFUSED)
def test_what_cannot_be_repeated_is_refused(f: Any, named: str) -> None:
    """The error names the line and what to do, and everything works again afterwards."""
    with pytest.raises(TraceError, match="test_jitted") as error:
        jit(f)(Value(2.0))
    assert named in str(error.value)
    x = Value(2.0)
    (x * x).backward()
    assert (x.data, x.grad, x > 1.0, bool(x)) == (2.0, 4.0, True, True)


@pytest.mark.parametrize(("f", "named"), REFUSED_OF_FLOATS)
def test_what_is_asked_of_a_float_is_refused(f: Any, named: str) -> None:
    """What an eager call would answer with a number that is not known is a TraceError."""
    with pytest.raises(TraceError, match=r"test_jitted|while a compiled") as error:
        jit(f)(2.0)
    assert named in str(error.value)


def test_an_array_indexed_by_a_number_names_the_line() -> None:
    """NumPy makes another error of the refusal, whose traceback still has it."""
    entries = np.array([1.0, 2.0, 3.0])

    @jit
    def entry(k: Any) -> Any:
        return entries[k] * 2.0

    with pytest.raises(TraceError, match=r"test_jitted\.py:\d+\)(.|\n)*return entries\[k\]"):
        entry(1)


@pytest.mark.parametrize("f", [float, int, math.sin, lambda x: [1.0, 2.0][x]])
def test_an_error_of_the_eager_call_arrives_as_it_is(f: Any) -> None:
    """Where the function would fail eagerly, too, that error is raised."""
    with pytest.raises(TypeError) as eagerly:
        f(Value(2.0))
    with pytest.raises(type(eagerly.value)) as compiled:
        jit(f)(Value(2.0))
    assert str(compiled.value) == str(eagerly.value)


def test_values_are_equal_where_they_are_one_node() -> None:
    """As eagerly, two Values are equal only if they are one."""
    x = Value(2.0)
    found: Any = jit(lambda x: (x == x, x == x * 1.0, x != x * 1.0, x == 2.0))(x)
    assert found == (True, False, True, 1.0)


def test_no_grad_inside_stops_gradients() -> None:
    """What is computed without gradients is a leaf eagerly, and detached in a program."""

    def f(x: Any) -> Any:
        with no_grad():
            y = x * x
        return x * y

    x = Value(3.0)
    found: Any = jit(f)(x)
    assert (found.data, sg.gradients(found, x), sg.gradients(f(x), x)) == (27.0, 9.0, 9.0)


FORWARD: list[Any] = [
    lambda w, x: jvp(lambda t: t * t * w, (x,), (2.0,))[1],
    lambda w, x: jvp(lambda t: t * t * w, (x,), (w * x,))[1],
    lambda w, x: jvp(grad(lambda t: t**3 * w), (x,), (2.0,))[1],
    lambda w, x: sum(sg.vmap(lambda y: jvp(lambda t: t * t * w, (y,), (2.0,))[1])([x, 2.0])),
    lambda w, x: sum(
        row[0] for row in sg.jacfwd(lambda p: [sg.sin(k * p[0]) * w for k in range(40)])([x])
    ),
    lambda w, x: sg.hvp(lambda p: p[0] ** 2 * p[1] * w, [x, x], [1.0, w])[1][0],
    lambda w, x: sg.vjp(lambda t: t * t * w, x)[1](w)[0],
    lambda w, x: grad(lambda t: t * t * w)(x),
]


@pytest.mark.parametrize("derivative", FORWARD)
@pytest.mark.parametrize("x", [1.5, Value(1.5)], ids=["float", "Value"])
def test_derivatives_are_taken_within_no_grad(derivative: Any, x: Any) -> None:
    """They are plain numbers there, as in eager evaluation, and not 0."""
    w = Value(0.4)

    @no_grad()
    def plainly() -> Any:
        return derivative(w, x)

    def f(x: Any) -> Any:
        with no_grad():
            found = derivative(w, x)
        return found * x

    expected = plainly()
    assert expected != 0.0
    compiled: Any = jit(f)(x)
    assert type(compiled) is float or isinstance(x, Value)
    assert getattr(compiled, "data", compiled) == pytest.approx(expected * 1.5)
    if isinstance(x, Value):
        assert sg.gradients(compiled, [x, w]) == pytest.approx([expected, 0.0])


def test_a_graph_of_gradients_may_be_asked_for_within_no_grad() -> None:
    """As PyTorch's ``create_graph``: d(x · 2 x w)/dx = 4 x w, and by w it is 2 x²."""

    def f(x: Any, w: Any) -> Any:
        y = x * x * w
        with no_grad():
            slope = sg.gradients(y, x, create_graph=True)
        return slope * x

    x, w = Value(1.5), Value(0.4)
    for function in (f, jit(f)):
        assert sg.gradients(function(x, w), [x, w]) == pytest.approx([4 * 1.5 * 0.4, 2 * 1.5**2])


def test_a_value_that_outlives_its_recording_is_refused() -> None:
    """A Value stashed while recording raises when it is used later."""
    kept = SimpleNamespace()

    def stash(x: Any) -> Any:
        kept.x = x * 2
        return x

    jit(stash)(1.0)
    v = Value(2.0)
    uses: list[Any] = [
        lambda: kept.x + 1.0,
        lambda: kept.x.data,
        lambda: jit(lambda x: x + kept.x)(1.0),
        lambda: sg.atan2(v, kept.x),
        lambda: sg.maximum(v, kept.x),
        lambda: sg.clip(v, kept.x, 3.0),
        lambda: sg.hypot(v, kept.x),
        lambda: sg.logsumexp([v, kept.x]),
        lambda: sg.where(kept.x > v, v, 0.0),
        lambda: v < kept.x,
        lambda: sg.gradients(kept.x, v),
        lambda: jit(lambda x: x)(kept.x),
        lambda: sg.losses.cross_entropy([[v, kept.x]], [0]),
    ]
    for use in uses:
        with pytest.raises(TraceError, match=r"return it|pass it on"):
            use()
    assert repr(kept.x) == "<a number of a recording that is over>"


def test_unhashable_arguments_are_refused() -> None:
    """A set is neither traced nor static."""
    with pytest.raises(TraceError, match="set"):
        jit(lambda x: 1.0)({1.0})


def test_domain_errors_are_those_of_eager_evaluation() -> None:
    """A point outside the domain raises at the first call and at later ones."""
    compiled = jit(sg.log)
    with pytest.raises(DomainError):
        compiled(-1.0)
    assert compiled(math.e) == pytest.approx(1.0)
    with pytest.raises(DomainError):
        compiled(-1.0)
    assert jit(sg.exp)(1000.0) == math.inf


def test_detach_stops_the_gradient() -> None:
    """A detached Value counts as a constant."""
    x = Value(3.0)
    y = jit(lambda x: x * x.detach())(x)
    y.backward()
    assert (y.data, x.grad) == (9.0, 3.0)


def test_a_value_of_a_recorded_value_is_the_value() -> None:
    """Micrograd programs wrap their data again, which recording lets pass."""

    def wrapped(row: list[Any]) -> Any:
        return sg.sum(Value(x) for x in row)

    assert jit(wrapped)([1.0, 2.0]) == 3.0


def test_softmax_is_recorded() -> None:
    """Its shift is part of the program, so other scores give other probabilities."""
    compiled = jit(sg.softmax)
    for scores in ([0.0, 1.0, 2.0], [5.0, -1.0, 1000.0], [3.0, 3.0, 3.0]):
        assert compiled(scores) == pytest.approx(sg.softmax(scores), rel=1e-12)


def test_a_network_learns_the_same_compiled() -> None:
    """Ten steps of gradient descent on a closed-over network give eager losses."""

    def losses(compile_it: bool) -> list[float]:
        random.seed(7)
        model = MLP(2, [8, 1], activation="tanh")
        points = [[random.gauss(0, 1), random.gauss(0, 1)] for _ in range(20)]

        def loss() -> Any:
            scores = [model(p) for p in points]
            return sum((s - p[0] * p[1]) ** 2 for s, p in zip(scores, points, strict=True)) / 20

        chosen = jit(loss) if compile_it else loss
        found = []
        for _ in range(10):
            y = chosen()
            for p in model.parameters():
                p.grad = 0.0
            y.backward()
            for p in model.parameters():
                p.data -= 0.1 * p.grad
            found.append(y.data)
        return found

    assert losses(True) == pytest.approx(losses(False), rel=1e-10)


def test_custom_operations_run() -> None:
    """A user's operation is computed by its own function, also over lanes."""

    @sg.custom_op(partials=lambda y, x: (sg.cos(x),))
    def my_sin(x: float) -> float:
        return math.sin(x)

    compiled = jit(lambda xs: sum(my_sin(x) for x in xs))
    xs = [Value(0.5), Value(1.0)]
    y = compiled(xs)
    y.backward()
    assert y.data == pytest.approx(math.sin(0.5) + math.sin(1.0))
    assert [x.grad for x in xs] == pytest.approx([math.cos(0.5), math.cos(1.0)])


def test_threads_do_not_disturb_one_another() -> None:
    """Calls at the same time, recording or not, each give their own result."""
    compiled = jit(readme)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(100):
            a, b = generator.uniform(-3, 3), generator.uniform(-3, 3)
            x = Value(a)
            if not math.isclose(compiled(x, b).data, readme(a, b), rel_tol=1e-9):
                wrong.append((a, b))
            if not x * x >= 0 or x.data != a:
                wrong.append(a)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_methods_can_be_compiled() -> None:
    """A compiled method is bound to its object, whose Values it reads."""

    class Line:
        def __init__(self) -> None:
            self.slope = sg.Parameter(2.0)

        @jit
        def at(self, x: Any) -> Any:
            return self.slope * x

    first, second = Line(), Line()
    second.slope.data = 3.0
    assert (first.at(5.0).data, second.at(5.0).data) == (10.0, 15.0)


@jit
def squared_distance(a: list[float], b: list[float]) -> float:
    """Return the squared distance of two points."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def test_programs_can_be_pickled() -> None:
    """A program runs where it is unpickled without being recorded again."""
    compiled = jit(lambda x: x * x * x)
    assert (compiled(2.0), grad(compiled)(2.0)) == (8.0, 12.0)
    restored = pickle.loads(pickle.dumps(compiled))
    assert restored(3.0) == 27.0
    assert grad(restored)(3.0) == 27.0
    with pytest.raises(TraceError, match="unpickled without its source"):
        restored([3.0])


def test_a_named_function_is_found_again_by_its_name() -> None:
    """It can be recorded for new shapes where it is unpickled."""
    restored = pickle.loads(pickle.dumps(squared_distance))
    assert restored([1.0, 2.0], [4.0, 6.0]) == 25.0
    assert copy.copy(restored)([0.0], [3.0]) == 9.0


def test_programs_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many shapes are kept."""
    from scalargrad.compiler.call import paths

    monkeypatch.setattr(paths, "SHAPES", 3)
    total: Any = jit(sum)
    for n in range(1, 7):
        assert total([1.0] * n) == n
    assert len(programs_of(total)) == 3


class Pair(NamedTuple):
    """A shape with names."""

    first: Any
    second: Any


def test_shapes_of_arguments_are_kept() -> None:
    """Named tuples, NumPy scalars, integer and object arrays arrive as what they are."""
    compiled = jit(lambda pair, xs: Pair(pair.second * xs[0], pair.first + xs[1]))
    x = Value(5.0)
    found: Any = compiled(Pair(np.float64(2.0), np.int64(3)), np.array([x, 7.0], dtype=object))
    assert isinstance(found, Pair)
    assert (found.first.data, found.second) == (15.0, 9.0)
    doubled: Any = jit(lambda a: 2 * a)(np.array([[1, 2]]))
    assert doubled.tolist() == [[2.0, 4.0]]
    assert jit(lambda a: a)(x) is x


def test_bool_str_and_none_are_static() -> None:
    """They choose the program, as do static arrays, by their content."""

    def chosen(x: Any, square: bool, name: str | None, table: Any = None) -> Any:
        return (x * x if square else x) + len(name or "") + (0 if table is None else table[0])

    compiled = jit(chosen, static_argnums=3)
    assert [compiled(3.0, True, None), compiled(3.0, False, "ab")] == [9.0, 5.0]
    tables = [np.array([k, 0]) for k in (1, 2, 1)]
    assert [compiled(3.0, False, None, t) for t in tables] == [4.0, 5.0, 4.0]
    assert len(programs_of(compiled)) == 4
    with pytest.raises(TraceError, match="static argument 3"):
        compiled(3.0, False, None, [1])


def test_a_value_returned_unchanged_is_a_result() -> None:
    """A closed-over leaf among the results is a node over it; a number stays a number."""
    w = sg.Parameter(2.0)
    found: Any = jit(lambda x: (w, x, 1.5, "text"))(3.0)
    assert (found[0].data, *found[1:]) == (2.0, 3.0, 1.5, "text")
    found[0].backward()
    assert w.grad == 1.0


def test_gradients_of_several_results_are_each_ones_own() -> None:
    """Each of many outputs has its row of the Jacobian, also where it is zero."""
    x, y = Value(2.0), Value(3.0)
    found = jit(lambda x, y: [x * y, x * x, sg.step(x) + 0.0, y.detach()])(x, y)
    rows = [sg.gradients(z, [x, y]) for z in found]
    assert rows == [[3.0, 2.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    total = found[0] + found[1]
    assert sg.gradients(total, [x, y]) == [7.0, 2.0]


def test_truth_inside_other_threads_is_untouched() -> None:
    """While one thread records, another compares, reads, copies and differentiates as usual."""
    outcome: list[Any] = []

    def elsewhere() -> None:
        x = Value(2.0)
        with no_grad(), sg.enable_grad():
            y = x * x
        y.backward()
        x.zero_grad()
        x.data = 3.0
        outcome.extend([x > 1, x < 1, x == x, x != y, bool(x), x.data, x.grad, y.detach().data])
        outcome.append(sg.gradients(x**2, x, create_graph=True).data)
        outcome.append(sg.softmax([x, x])[0].data)
        refusing: list[Any] = [float, int, math.floor]
        for refused in refusing:
            with pytest.raises(TypeError):
                refused(x)

    def records(x: Any) -> Any:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return 2 * x

    assert jit(records)(1.0) == 2.0
    assert outcome == [True, False, True, True, True, 3.0, 0.0, 4.0, 6.0, 0.5]


def test_equality_with_numbers_is_a_comparison() -> None:
    """`x == 0` on a recorded number asks for its data; other objects are unequal."""

    def sign(x: Any) -> Any:
        if x == 0 or x == "zero" or x != x:  # noqa: PLR1714 - each comparison is tried
            return 0.0 * x
        return x / abs(x)

    compiled = jit(sign)
    assert [compiled(x) for x in (0.0, -3.0, 5)] == [0.0, -1.0, 1.0]


def test_gradients_of_gradients_are_those_of_eager_graphs() -> None:
    """Sweeps one after the other are fresh at each call, with or without a graph."""

    def twice(x: Any) -> Any:
        y = x * x * x
        first = sg.gradients(y, x, create_graph=True)
        return [sg.gradients(y, x), sg.gradients(first, x, create_graph=True), first]

    compiled = jit(twice)
    for number in (2.0, 3.0):
        plain, *graphs = compiled(Value(number))
        assert plain == 3.0 * number**2  # without a graph, a float, as eagerly
        assert [y.data for y in graphs] == [6.0 * number, 3.0 * number**2]


def test_a_comparison_that_rounding_decides_comes_out_as_eagerly() -> None:
    """0.3 + 0.2 + 0.1 is 0.6 in this order and more in another, which the program may take."""
    compiled = jit(lambda a, b, c: 1.0 if (c + b) + a > 0.6 else 2.0)
    for _ in range(3):
        assert compiled(0.1, 0.2, 0.3) == 2.0
    assert compiled(1.0, 2.0, 3.0) == 1.0
    assert len(programs_of(compiled)) == 2


def test_explain_counts_nodes_and_instructions() -> None:
    """What was recorded and packed, for a known shape and for a new one."""
    compiled = jit(lambda xs: sg.tanh(sum(xs)))
    text = compiled.explain([1.0, 2.0])
    assert "nodes recorded" in text
    assert "× tanh, 1 lane" in text
    xs = [Value(1.0), Value(2.0)]
    compiled(xs)
    assert "forward and backward" in compiled.explain(xs)
    assert "<lambda>" in repr(compiled)


def test_the_decorator_takes_options() -> None:
    """With options alone, jit returns a decorator; a wrapped function keeps its name."""

    @jit(static_argnums=(1,))
    def scaled(x: float, n: int) -> float:
        """Multiply."""
        return x * n

    assert scaled(2.0, 3) == 6.0
    assert (getattr(scaled, "__name__", ""), scaled.__doc__) == ("scaled", "Multiply.")


def test_a_compiled_result_can_be_stepped_through() -> None:
    """Its operation has the function's name, computes its number, and names its partials."""
    x = Value(2.0)
    y = jit(square_of)(x)
    assert y.op is not None
    _, _, (partial,) = y.op.trace_partials(1)
    assert (y.op.name, partial.op.name) == ("square_of", "∂square_of/∂x0")
    assert (y.op.of(2.0), y.op.of(5.0), partial.op.of(5.0)) == (4.0, 25.0, 10.0)
    several = jit(lambda x: [x * x, x * x * x])(x)
    assert several[1].op.of(3.0) == 27.0


def square_of(x: Any) -> Any:
    """Return the square."""
    return x * x


def _misfit(w: Any) -> Any:
    return (w - 3.0) ** 2


slope_of_misfit = jit(value_and_grad(_misfit))


def test_what_is_made_of_a_function_is_not_taken_for_it_where_it_is_unpickled() -> None:
    """It has the function's name; it is found by its own, and without one it is lost, not wrong."""
    restored = pickle.loads(pickle.dumps(slope_of_misfit))
    assert restored(1.0) == (4.0, -4.0)
    unnamed = pickle.loads(pickle.dumps(jit(value_and_grad(_misfit))))
    with pytest.raises(TraceError, match="unpickled without its source"):
        unnamed(1.0)
