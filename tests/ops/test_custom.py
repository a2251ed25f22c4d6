"""Claims about operations a user declares: values, derivatives of every order, refusals."""

from __future__ import annotations

import copy
import functools
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    GradcheckError,
    OperandError,
    Value,
    custom_op,
    grad,
    gradcheck,
    gradients,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    no_grad,
    ops,
    vjp,
    vmap,
)
from scalargrad.table.domain import Domain


@custom_op(partials=lambda y, x: (ops.cos(x),), symbol="sine", pattern="wave")
def my_sin(x: float) -> float:
    """Return the sine of x radians."""
    return math.sin(x)


@custom_op(partials=lambda y, a, b: (a / y, b / y), domain=Domain((0.5, 3.0), (0.5, 3.0)))
def distance(a: float, b: float) -> float:
    """Return √(a² + b²), with partials that use the result."""
    return math.sqrt(a * a + b * b)


@custom_op(partials=lambda y, x, rate: (rate * y, x * y))
def growth(x: float, rate: float = 2.0) -> float:
    """Return e^(rate·x)."""
    return math.exp(rate * x)


# Values and derivatives -----------------------------------------------------------------------


def test_floats_give_floats_and_values_give_nodes() -> None:
    """On a number the operation is its function; on a Value it is one node of the graph."""
    assert (my_sin(0.5), type(my_sin(0.5))) == (math.sin(0.5), float)
    x = Value(0.5, "x")
    node = my_sin(x)
    assert (node.data, node.op, node.parents) == (math.sin(0.5), my_sin, (x,))
    node.backward()
    assert x.grad == math.cos(0.5)


@pytest.mark.parametrize("number", [1, True, np.float32(1), np.array(1.0)])
def test_any_real_number_is_an_operand(number: float) -> None:
    """Ints, bools, NumPy scalars and 0-d arrays are operands, alone and beside Values."""
    assert my_sin(number) == math.sin(1.0)
    assert distance(Value(0.0), number).data == 1.0
    assert distance(number, Value(0.0)).data == 1.0


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_every_order(order: int) -> None:
    """The declared derivative is differentiated again: sin comes round after four."""
    f: Any = my_sin
    for _ in range(order):
        f = grad(f)
    assert f(0.6) == pytest.approx(math.sin(0.6 + order * math.pi / 2), abs=1e-15)


def test_an_operation_of_two_operands() -> None:
    """The gradient of √(a² + b²) at (3, 4) is (0.6, 0.8), its Hessian (I - nnᵀ)/5."""
    assert distance(3.0, 4.0) == 5.0
    assert grad(distance, (0, 1))(3.0, 4.0) == pytest.approx((0.6, 0.8), rel=1e-15)
    curved = hessian(lambda p: distance(*p))([3.0, 4.0])
    assert curved == [pytest.approx([0.128, -0.096]), pytest.approx([-0.096, 0.072])]
    assert gradcheck(distance, 3.0, 4.0)
    assert gradcheck(grad(distance, (0, 1)), 3.0, 4.0)


def test_partials_of_numbers_beside_values() -> None:
    """Beside a number, only the Value's partial is kept."""
    assert distance(Value(3.0), 4.0).local_grads == (0.6, None)
    assert distance(3.0, Value(4.0)).local_grads == (None, 0.8)


def test_operations_compose_in_every_function() -> None:
    """Inside jvp, vjp, jacobian and hvp a custom operation is as any other."""

    def f(x: Any, y: Any) -> Any:
        return distance(my_sin(x), growth(y))

    def by_hand(x: Any, y: Any) -> Any:
        return ops.sqrt(ops.sin(x) ** 2 + ops.exp(4 * y))

    point, direction = (0.4, -0.3), (2.0, 5.0)
    assert jvp(f, point, direction)[1] == pytest.approx(jvp(by_hand, point, direction)[1])
    assert vjp(f, *point)[1](3.0) == pytest.approx(vjp(by_hand, *point)[1](3.0))
    assert jacobian(f, (0, 1))(*point) == pytest.approx(jacobian(by_hand, (0, 1))(*point))
    assert hvp(f, point, direction)[1] == pytest.approx(hvp(by_hand, point, direction)[1])


def test_an_operation_may_use_another_in_its_partials() -> None:
    """Custom operations are expressions in one another's derivatives, their own too."""
    my_exp = custom_op(partials=lambda y, x: (y,))(math_exp)
    my_logistic = custom_op(partials=lambda y, x: (my_exp(-x) * y * y,))(logistic)
    assert grad(grad(my_logistic))(0.3) == pytest.approx(grad(grad(ops.sigmoid))(0.3), rel=1e-14)


def math_exp(x: float) -> float:
    """Return e^x."""
    return math.exp(x)


def logistic(x: float) -> float:
    """Return 1/(1 + e^-x)."""
    return 1 / (1 + math.exp(-x))


def test_a_name_that_the_table_has_too() -> None:
    """An operation named exp, whose partial is the table's exp, is confused with it nowhere."""

    @custom_op(partials=lambda y, x: (2 * ops.exp(x),))
    def exp(x: float) -> float:
        return 2 * math.exp(x) + 1

    x = Value(0.5)
    assert exp(x).data == 2 * math.exp(0.5) + 1
    assert [f(0.5) for f in (grad(exp), grad(grad(exp)))] == [2 * math.exp(0.5)] * 2
    assert ops.TABLE["exp"] is ops.exp
    assert ops.exp(0.5) == math.exp(0.5)


def test_operands_with_defaults_may_be_left_out() -> None:
    """A default of the function is a constant operand, unless one is given."""
    assert grad(growth)(0.5) == pytest.approx(2 * math.e)
    assert growth(Value(0.5)).parents[1] == 2.0
    assert grad(growth, 1)(0.5, 3.0) == pytest.approx(0.5 * math.exp(1.5))


def test_lambdas_and_closures_are_functions() -> None:
    """A lambda has no name to print, a closure no other home; both are declared as any."""
    factor = 3.0
    scaled = custom_op(partials=lambda y, x: (factor,))(lambda x: factor * x)
    assert (scaled(2.0), grad(scaled)(2.0), scaled.name) == (6.0, 3.0, "<lambda>")


@pytest.mark.parametrize("partial", [0, 1, True, 2.5])
def test_partials_may_be_numbers(partial: float) -> None:
    """A constant partial is a number; its own derivative is 0."""
    op = custom_op(partials=lambda y, x: (partial,))(lambda x: x)
    assert grad(op)(3.0) == float(partial)
    assert grad(grad(op))(3.0) == 0.0


def test_without_recording_no_graph_is_made() -> None:
    """Inside no_grad the result is a leaf."""
    with no_grad():
        assert my_sin(Value(1.0)).parents == ()


def test_the_declaration_is_what_pictures_and_steps_read() -> None:
    """Name, symbol, pattern, docstring and repr are those declared; the table is untouched."""
    assert (my_sin.name, my_sin.symbol, my_sin.pattern) == ("my_sin", "sine", "wave")
    assert (distance.symbol, repr(my_sin)) == ("distance", "<operation my_sin(x)>")
    assert my_sin.__doc__ == "Return the sine of x radians."
    assert "my_sin" not in ops.TABLE


# Values of the wrong kind ---------------------------------------------------------------------


@pytest.mark.parametrize("result", [3, True, np.float32(3), np.array(3.0)])
def test_results_become_floats(result: Any) -> None:
    """A function may return any real number; data is a float all the same."""
    op = custom_op(partials=lambda y, x: (0.0,))(lambda x: result)
    for found in (op(1.0), op(Value(1.0)).data):
        assert (found, type(found)) == (float(result), float)


@pytest.mark.parametrize("result", [None, "3", 3j, [3.0], Value(3.0)])
def test_results_are_real_numbers(result: Any) -> None:
    """A function that returns anything else is refused when it is called, by its name."""

    def f(x: float) -> Any:
        return result

    op = custom_op(partials=lambda y, x: (0.0,))(f)
    for operand in (1.0, Value(1.0)):
        with pytest.raises(OperandError, match="the result of f is"):
            op(operand)


def test_errors_of_the_function_reach_the_caller() -> None:
    """What the function raises is not dressed up."""
    inverse = custom_op(partials=lambda y, x: (-y * y,))(lambda x: 1 / x)
    with pytest.raises(ZeroDivisionError):
        inverse(Value(0.0))


def test_a_domain_is_checked() -> None:
    """Outside the declared domain DomainError names the operation and its operand."""
    domain = Domain(valid=lambda x: x >= 0)
    root = custom_op(partials=lambda y, x: (0.5 / y,), domain=domain)(lambda x: x**0.5)
    assert root(Value(4.0)).data == 2.0
    with pytest.raises(DomainError, match="undefined at x = -4"):
        root(Value(-4.0, "x"))


@pytest.mark.parametrize("operands", [(), (1.0, 2.0, 3.0)])
def test_the_number_of_operands_is_checked(operands: tuple[float, ...]) -> None:
    """Too few or too many operands are refused with both numbers."""
    with pytest.raises(OperandError, match=f"distance takes 2 operands, not {len(operands)}"):
        distance(*operands)


# Declarations that are refused ----------------------------------------------------------------


def keyword_only(*, x: float) -> float:
    """Take its operand by name only."""
    return x


def mixed(x: float, *, scale: float = 1.0) -> float:
    """Take one operand by position and one by name."""
    return scale * x


@pytest.mark.parametrize(
    "function",
    [
        math.sin,
        abs,
        float,
        keyword_only,
        mixed,
        lambda: 1.0,
        lambda *x: 1.0,
        lambda x, **rest: x,
        functools.partial(operator.mul, 2.0),
        Value(1.0).__neg__,
        ops.sin,
    ],
)
def test_functions_have_plain_positional_parameters(function: Any) -> None:
    """Built-ins, methods, partials and functions of other parameters are refused at once."""
    with pytest.raises(OperandError, match="a Python function of plain positional parameters"):
        custom_op(partials=lambda y, x: (1.0,))(function)


@pytest.mark.parametrize(
    ("partials", "complaint"),
    [
        (lambda y, a, b: (a,), r"are \(a,\): give 2, one for each operand"),
        (lambda y, a, b: (a, b, y), r"are .*: give 2, one for each operand"),
        (lambda y, a, b: (), r"are \(\): give 2, one for each operand"),
        (lambda y, a, b: (a, None), r"are \(a, None\): give 2"),
        (lambda y, a, b: (a, Value(1.0)), r"are .*: give 2, one for each operand"),
        (lambda y, a, b: a, r"cannot be traced: .*not iterable.* returns a tuple"),
        (lambda y, a: (a, a), r"cannot be traced: .*positional argument"),
        (lambda y, a, b: (math.sin(a), b), r"cannot be traced.*scalargrad's operations"),
        (lambda y, a, b: (a.exp(), b), r"cannot be traced.*scalargrad's operations"),
        (lambda y, a, b: (a if a > 0 else b, b), r"cannot be traced: .*use where"),
    ],
)
def test_partials_are_one_expression_for_each_operand(partials: Any, complaint: str) -> None:
    """Wrong numbers and kinds of partials are refused when the operation is declared."""
    with pytest.raises(OperandError, match=f"the partials of product {complaint}"):

        @custom_op(partials=partials)
        def product(a: float, b: float) -> float:
            return a * b


def test_a_wrong_partial_is_found_by_gradcheck() -> None:
    """The report names the operand whose partial is wrong, with both numbers."""

    @custom_op(partials=lambda y, a, b: (b, b))
    def product(a: float, b: float) -> float:
        return a * b

    with pytest.raises(GradcheckError) as caught:
        gradcheck(product, 2.0, 5.0)
    first, line = str(caught.value).splitlines()
    assert first == "product: 1 of 2 partial derivatives disagree"
    said, quotient = line.split(", apart")[0].split("central difference ")
    assert said.strip() == "output 0, argument 1 (at 5): gradient 5,"
    assert float(quotient) == pytest.approx(2.0)


def test_a_wrong_second_derivative_is_found_by_gradcheck() -> None:
    """A partial right in value but cut from its operand fails when it is differentiated."""
    square = custom_op(partials=lambda y, x: (2 * detached(x),))(lambda x: x * x)
    assert gradcheck(square, 3.0)
    with pytest.raises(GradcheckError, match=r"gradient 0, central difference (2|1\.9)"):
        gradcheck(grad(square), 3.0)


detached = custom_op(partials=lambda y, x: (0.0,))(lambda x: x)


# Settings that change after the declaration ----------------------------------------------------

SLOPE = 2.0
CHANGED = "after the operation was declared"


class Setting:
    """An object with a number."""

    def __init__(self, slope: float) -> None:
        self.slope = slope


@custom_op(partials=lambda y, x: (SLOPE,))
def straight(x: float) -> float:
    """Return x; only the derivative reads the global."""
    return x


def half_of_slope() -> float:
    """Read the global for another function."""
    return SLOPE / 2


@custom_op(partials=lambda y, x: (2 * half_of_slope() * ops.cos(x),))
def by_a_helper(x: float) -> float:
    """Return 2 sin x, whose derivative reads the global by a function."""
    return SLOPE * math.sin(x)


@custom_op(partials=lambda y, x: (straight(x),))
def by_another(x: float) -> float:
    """Return x²/2, whose derivative is another custom operation."""
    return x * x / 2


def each_way(op: Any) -> list[Callable[[], Any]]:
    """Return what differentiates an operation eagerly and compiled, each of which ran once."""
    compiled, slope, inside = (
        jit(lambda x: 1.0 * op(x)),
        jit(grad(lambda x: 1.0 * op(x))),
        jit(grad(op)),
    )
    several, twice = vmap(grad(op)), jit(grad(grad(op)))

    def by_value() -> float:
        x = Value(0.5)
        compiled(x).backward()
        return x.grad

    ways: list[Callable[[], Any]] = [
        lambda: grad(op)(0.5),
        lambda: slope(0.5),
        lambda: inside(0.5),
        lambda: grad(compiled)(0.5),
        lambda: several([0.5, 0.5]),
        lambda: twice(0.5),
        by_value,
    ]
    for way in ways:
        way()
        way()
    return ways


@pytest.mark.parametrize("op", [straight, by_a_helper, by_another])
def test_a_global_that_has_changed_is_refused(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivative that reads a global, itself or by another function, is never that of before."""
    ways = each_way(op)
    monkeypatch.setitem(globals(), "SLOPE", 5.0)
    for way in ways:
        with pytest.raises(OperandError, match=rf"{CHANGED}.*SLOPE, then 2\.0, now 5\.0.*operand"):
            way()
    monkeypatch.undo()
    for way in ways:
        way()


def test_a_variable_bound_to_another_number_is_refused() -> None:
    """So is one of an enclosing function."""
    rate = 2.0
    op = custom_op(partials=lambda y, x: (rate * y,))(lambda x: math.exp(rate * x))
    ways = each_way(op)
    rate = 3.0
    for way in ways:
        with pytest.raises(OperandError, match=rf"{CHANGED}.*rate, then 2\.0, now 3\.0"):
            way()


@pytest.mark.parametrize("kind", ["attribute", "item", "array", "member", "default"])
def test_a_number_in_an_object_that_has_changed_is_refused(kind: str) -> None:
    """An attribute, an item, an entry of an array, of a class, a default: none is frozen."""
    held, items, array = Setting(2.0), [2.0], np.array([2.0])

    class Settings:
        slope = 2.0

    def by_default(y: Any, x: Any, slopes: list[float] = [2.0]) -> Any:  # noqa: B006
        return (slopes[0] * x,)

    partials: dict[str, Callable[..., Any]] = {
        "attribute": lambda y, x: (held.slope * x,),
        "item": lambda y, x: (items[0] * x,),
        "array": lambda y, x: (float(array[0]) * x,),
        "member": lambda y, x: (Settings.slope * x,),
        "default": by_default,
    }
    op = custom_op(partials=partials[kind])(lambda x: x * x)
    ways = each_way(op)
    assert grad(op)(0.5) == 1.0
    held.slope = items[0] = array[0] = Settings.slope = by_default.__defaults__[0][0] = 7.0  # type: ignore[index]
    for way in ways:
        with pytest.raises(OperandError, match=CHANGED):
            way()


def test_a_setting_that_makes_no_difference_may_change() -> None:
    """What is read and leaves the derivative as it was is nobody's concern."""
    held, rate = Setting(2.0), 2.0
    op = custom_op(partials=lambda y, x: ((2.0 if held.slope > 0 and rate else 3.0) * x,))(
        lambda x: x * x
    )
    assert grad(op)(0.5) == 1.0
    held.slope, rate = 9.0, 4.0
    assert [grad(op)(0.5), jit(grad(op))(0.5), grad(op)(0.5)] == [1.0] * 3
    held.slope = -1.0
    with pytest.raises(OperandError, match=CHANGED):
        grad(op)(0.5)


def test_a_factory_may_close_over_its_arguments() -> None:
    """An operation for each exponent, declared in a loop, has the derivative of its own."""

    def power(n: int) -> Any:
        return custom_op(partials=lambda y, x: (n * x ** (n - 1),))(lambda x: x**n)

    for n, op in [(n, power(n)) for n in (1, 2, 3, 4)]:
        assert grad(op)(3.0) == jit(grad(op))(3.0) == n * 3.0 ** (n - 1)
        assert op(Value(3.0)).data == 3.0**n


def test_a_variable_of_a_loop_is_refused() -> None:
    """Operations that close over the variable of a loop would all differ from their values."""
    made = [
        custom_op(partials=lambda y, x: (n * x ** (n - 1),))(lambda x: x**n)  # noqa: B023
        for n in (2, 3)
    ]
    assert grad(made[1])(2.0) == 12.0
    with pytest.raises(OperandError, match=rf"{CHANGED}.*n, then 2, now 3"):
        grad(made[0])(2.0)


@pytest.mark.parametrize("limit", [0.5, 5.0])
def test_a_domain_that_has_changed_is_refused(limit: float) -> None:
    """Neither a point that was inside is computed then, nor one that was outside called so."""
    most = 1.0
    op = custom_op(
        partials=lambda y, x: (2 * x,), domain=Domain((0.0, 1.0), valid=lambda x: x < most)
    )(lambda x: x * x)
    compiled = jit(lambda x: 1.0 * op(x))
    assert op(0.75) == compiled(0.75) == 0.5625
    with pytest.raises(DomainError, match="it needs x < 1"):
        op(3.0)
    most = limit
    for call in (op, compiled, grad(op), grad(compiled), jit(grad(op))):
        for x in (0.75, 3.0):
            with pytest.raises(OperandError, match=rf"the domain of <lambda>.*{CHANGED}"):
                call(x)


# Copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_custom_operations_are_not_copied(duplicate: Callable[[Any], Any]) -> None:
    """Pickling or copying one is refused with what to do, where a table's is found again."""
    with pytest.raises(OperandError, match="'my_sin' cannot be pickled or copied: declare it"):
        duplicate(my_sin)
    assert copy.copy(ops.sin) is ops.sin


def test_gradients_reach_closed_over_values() -> None:
    """A node of a custom operation is part of a graph that holds other Values."""
    w = Value(2.0)
    slope = grad(lambda x: my_sin(w * x))(0.5)
    assert slope.data == pytest.approx(2 * math.cos(1.0))
    assert gradients(slope, w) == pytest.approx(math.cos(1.0) - math.sin(1.0))


def test_a_decorator_without_partials_says_what_to_write() -> None:
    """As written by whoever takes it for a decorator without arguments."""
    with pytest.raises(OperandError, match=r"write @custom_op\(partials="):

        @custom_op
        def double(x: float) -> float:
            return 2.0 * x
