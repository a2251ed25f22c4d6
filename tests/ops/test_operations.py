"""Every operation of the registry, with tests generated from its definition.

A new operation is tested here without an added line: its partials are compared with central
differences, and with mpmath if `MPMATH` has a function of the same meaning.
"""

from __future__ import annotations

import inspect
import itertools
import math
import operator
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from tests.inner import TABLE, FixedArityOperation, Operation, Reduction
from tests.random_seeds import FEWER_EXAMPLES

import scalargrad
from scalargrad import DomainError, OperandError, Value, grad, gradients, jit, no_grad, ops, parse

INF, NAN = math.inf, math.nan
#: Numbers of operands with which variadic operations are tested.
ARITIES = (1, 2, 3, 6)
EXTREMES = (NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -3.0, 1e308, -1e308, 5e-324, -5e-324)


def compare_as_number(name: str) -> Callable[[Any, Any], Any]:
    """Return a comparison as an mpmath number."""
    return lambda a, b: mp.mpf(getattr(operator, name)(a, b))


#: Operations with the same name in mpmath.
SAME_NAME = [
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "hypot", "erf", "erfc"),
    *("erfinv", "digamma", "sign", "floor", "ceil"),
]

#: Each operation, written with mpmath.
MPMATH: dict[str, Callable[..., Any]] = {
    **{name: getattr(mp, name) for name in SAME_NAME},
    **{name: compare_as_number(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": mp.power,
    "neg": lambda x: -x,
    "abs": mp.fabs,
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "exp2": lambda x: mp.power(2, x),
    "log2": lambda x: mp.log(x, 2),
    "log10": lambda x: mp.log(x, 10),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "logaddexp": lambda a, b: mp.log(mp.exp(a) + mp.exp(b)),
    "logsigmoid": lambda x: -mp.log1p(mp.exp(-x)),
    "deg2rad": mp.radians,
    "rad2deg": mp.degrees,
    "ndtr": mp.ncdf,
    "log_ndtr": lambda x: mp.log(mp.ncdf(x)),
    "lgamma": mp.loggamma,
    "betaln": lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "relu": lambda x: max(x, mp.zero),
    "leaky_relu": lambda x, slope: max(x, mp.zero) + slope * min(x, mp.zero),
    "elu": lambda x, alpha: x if x > 0 else alpha * (mp.exp(x) - 1),
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "gelu": lambda x: x * mp.ncdf(x),
    "gelu_tanh": lambda x: (
        x * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))) / 2
    ),
    "identity": lambda x: x,
    "step": lambda x: mp.mpf(x > 0),
    "rint": mp.nint,
    "floor_divide": lambda x, y: mp.floor(x / y),
    "remainder": lambda x, y: x - y * mp.floor(x / y),
    "maximum": lambda *x: max(x),
    "minimum": lambda *x: min(x),
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda condition, x, other: x if condition else other,
    "logical_and": lambda a, b: mp.mpf(bool(a and b)),
    "logical_or": lambda a, b: mp.mpf(bool(a or b)),
    "logical_not": lambda x: mp.mpf(not x),
    "isnan": lambda x: mp.mpf(mp.isnan(x)),
    "isinf": lambda x: mp.mpf(mp.isinf(x)),
    "isfinite": lambda x: mp.mpf(mp.isfinite(x)),
    "sum": lambda *x: mp.fsum(x),
    "mean": lambda *x: mp.fsum(x) / len(x),
    "logsumexp": lambda *x: mp.log(mp.fsum(mp.exp(each) for each in x)),
    "dot": lambda *x: (
        mp.fdot(x[: len(x) // 2], x[len(x) // 2 : len(x) // 2 * 2]) + sum(x[len(x) // 2 * 2 :])
    ),
}

#: Operations that do not always propagate NaN, and the condition under which they do.
PROPAGATES_NAN: dict[str, Callable[..., bool]] = {
    "pow": lambda base, exponent: base != 1.0 and exponent != 0.0,  # IEEE 754: pow(1, nan) is 1
    "hypot": lambda x, y: INF not in {math.fabs(x), math.fabs(y)},  # IEEE 754: inf
    "where": lambda condition, x, other: math.isnan(x if condition else other),
    "leaky_relu": lambda x, slope: not x > 0,  # the slope plays no part
    "elu": lambda x, alpha: not x > 0,
    # 0 or 1
    **dict.fromkeys([name for name, op in TABLE.items() if op.is_boolean], lambda *x: False),
}

#: Points outside the domain, at its border and beyond, of operations not defined everywhere.
OUTSIDE: dict[str, list[tuple[float, ...]]] = {
    **{key: [(0.0,), (-0.0,), (-1.0,), (-INF,)] for key in ["log", "log2", "log10"]},
    "log1p": [(-1.0,), (-2.0,)],
    "sqrt": [(-5e-324,), (-1.0,)],
    "div": [(1.0, 0.0), (0.0, -0.0)],
    **{key: [(1.0, 0.0), (-2.0, -0.0)] for key in ["floor_divide", "remainder"]},
    "pow": [(-8.0, 1 / 3), (0.0, -1.0), (-0.0, -0.5)],
    "reciprocal": [(0.0,), (-0.0,)],
    **{key: [(1.0 + 2 ** (-52),), (-1.5,)] for key in ["asin", "acos"]},
    "acosh": [(1.0 - 2**-53,), (-2.0,)],
    "atanh": [(1.0,), (-1.0,), (2.0,)],
    "log_loss": [(1.5, 1.0), (-0.1, 0.0)],
    **{key: [(0.0,), (-3.0,)] for key in ["lgamma", "digamma"]},
    "betaln": [(0.0, 1.0), (-2.0, 1.0)],
    "erfinv": [(1.0,), (-1.5,)],
}
#: Points at the border of the domain or just inside.
INSIDE: dict[str, list[tuple[float, ...]]] = {
    **{key: [(5e-324,), (INF,)] for key in ["log", "log2", "log10"]},
    "log1p": [(-1.0 + 2**-53,)],
    "sqrt": [(0.0,), (-0.0,)],
    "pow": [(-8.0, 3.0), (0.0, 0.0), (0.0, 0.5), (-2.0, -1.0)],
    **{key: [(1.0,), (-1.0,)] for key in ["asin", "acos"]},
    "acosh": [(1.0,)],
    "atanh": [(1.0 - 2**-53,)],
    "log_loss": [(0.0, 1.0), (1.0, 0.0)],
    **{key: [(-2.5,), (1e-300,)] for key in ["lgamma", "digamma"]},
    "erfinv": [(0.999,)],
}

every_operation = pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))


def arities(op: Operation) -> tuple[int, ...]:
    """Return the numbers of operands to test an operation with."""
    return (op.arity,) if isinstance(op, FixedArityOperation) else ARITIES


def points(op: Operation, arity: int, count: int) -> Iterator[tuple[float, ...]]:
    """Draw points from the declared domain of an operation, away from its kinks."""
    generator = random.Random(f"{op.name} of {arity}")
    found = 0
    while found < count:
        point = tuple(generator.uniform(*op.domain.interval(i)) for i in range(arity))
        if op.domain.smooth(*point):
            found += 1
            yield point


def call(op: Any, operands: Sequence[Any]) -> Any:
    """Apply an operation as a program writes it."""
    if op.name in {"sum", "mean", "logsumexp"}:
        return op(operands)
    if op.name == "dot":
        n = len(operands) // 2
        return op(operands[:n], operands[n : 2 * n], *operands[2 * n :])
    return op(*operands)


def nodes(point: Sequence[float]) -> list[Value]:
    """Return a leaf for each number."""
    return [Value(x) for x in point]


def slopes(op: Operation, point: Sequence[float]) -> list[float]:
    """Return the partial derivatives at a point."""
    xs = nodes(point)
    found: list[float] = gradients(call(op, xs), xs, allow_nonfinite=True)
    return found


def derivative(op: Operation, point: Sequence[float], *indices: int) -> float:
    """Return mpmath's derivative with respect to the operands at these indices, in 50 digits."""
    orders = tuple(indices.count(i) for i in range(len(point)))
    with mp.workdps(50):
        return float(mp.diff(MPMATH[op.name], tuple(map(mpmath.mpf, point)), orders))


def difference(f: Callable[[Sequence[float]], float], point: Sequence[float], index: int) -> float:
    """Return a central difference with Richardson's extrapolation, of order step⁴."""

    def quotient(step: float) -> float:
        above, below = list(point), list(point)
        above[index] += step
        below[index] -= step
        return (f(above) - f(below)) / (above[index] - below[index])

    return (4.0 * quotient(5e-4) - quotient(1e-3)) / 3.0


def exact(x: float | None) -> str:
    """Return a form of a float that distinguishes 0.0 from -0.0 but not one NaN from another."""
    return "nan" if x is None or x != x else x.hex()


# Numbers ----------------------------------------------------------------------------------------


@every_operation
def test_operation_values_and_derivatives_agree_with_mpmath(op: Operation) -> None:
    """Values agree to 8 ulp, or 4 ulp of 1; first, second and third derivatives agree.

    For an operation without an mpmath function, derivatives are compared with central differences.
    """
    known = op.name in MPMATH
    for arity in arities(op):
        for point in points(op, arity, 8):
            expected = [difference(lambda x: call(op, x), point, i) for i in range(arity)]
            assert slopes(op, point) == pytest.approx(expected, rel=1e-8, abs=1e-9), point
            if known:
                value = derivative(op, point)
                most = max(8 * math.ulp(value), 4 * math.ulp(1.0))
                assert abs(call(op, point) - value) <= most, point
                expected = [derivative(op, point, i) for i in range(arity)]
                assert slopes(op, point) == pytest.approx(expected, rel=1e-12, abs=1e-14), point
    for arity in arities(op)[:3]:
        for point in points(op, arity, 3):
            xs = nodes(point)
            for i, partial in enumerate(gradients(call(op, xs), xs, create_graph=True)):
                if not known:
                    expected = [
                        difference(lambda x, i=i: slopes(op, x)[i], point, j)  # type: ignore[misc]
                        for j in range(arity)
                    ]
                    assert gradients(partial, xs) == pytest.approx(expected, rel=1e-7), point
                    continue
                expected = [derivative(op, point, i, j) for j in range(arity)]
                found = gradients(partial, xs)
                assert found == pytest.approx(expected, rel=1e-11, abs=1e-13), point
                if arity < 3:
                    second = gradients(partial, xs[i], create_graph=True)
                    third = derivative(op, point, i, i, i)
                    found = gradients(second, xs[i])
                    assert found == pytest.approx(third, rel=1e-10, abs=1e-12), point


def check_values_agree_with_numbers(op: Operation, point: Sequence[float]) -> None:
    """Compare Values, mixtures of Values and numbers, and gradients as graphs."""
    try:
        expected = exact(call(op, point))
    except DomainError:
        with pytest.raises(DomainError):
            call(op, nodes(point))
        return
    xs = nodes(point)
    node = call(op, xs)
    own = [exact(x) for x in gradients(node, xs, allow_nonfinite=True)]
    assert exact(node.data) == expected
    graphs = gradients(node, xs, create_graph=True, allow_nonfinite=True)
    assert [exact(x.data) for x in graphs] == own
    for mask in itertools.product((True, False), repeat=len(point)):
        mixed = [x if is_node else x.data for x, is_node in zip(xs, mask, strict=True)]
        value_indices = [i for i, is_node in enumerate(mask) if is_node]
        found = call(op, mixed)
        if op.name == "where" and not mask[0]:
            continue  # a number selects a branch without making a node
        assert exact(found.data if value_indices else found) == expected
        if value_indices:
            some = gradients(found, [xs[i] for i in value_indices], allow_nonfinite=True)
            assert [exact(x) for x in some] == [own[i] for i in value_indices]


@every_operation
def test_operation_of_values_and_numbers_agree_at_extremes(op: Operation) -> None:
    """Replacing Values by numbers changes no bit, nor the points that raise DomainError."""
    for arity in arities(op)[:2]:
        for point in itertools.product(EXTREMES if arity < 3 else EXTREMES[::3], repeat=arity):
            check_values_agree_with_numbers(op, point)


@pytest.mark.differential
@every_operation
@FEWER_EXAMPLES
@given(data=st.data())
def test_operation_of_values_and_numbers_agree_anywhere(op: Operation, data: st.DataObject) -> None:
    """They agree at all floats; at finite ones a partial is nan only where PyTorch's is."""
    arity = data.draw(st.sampled_from(arities(op)[:3]))
    point = data.draw(st.tuples(*[st.floats()] * arity))
    check_values_agree_with_numbers(op, point)
    undefined = (op.name == "pow" and point[0] < 0.0) or (op.name == "hypot" and not any(point))
    if all(map(math.isfinite, point)) and not undefined:
        with suppress(DomainError):
            value, found = call(op, point), slopes(op, point)
            assert not math.isfinite(value) or not any(map(math.isnan, found))


@every_operation
def test_operation_raises_only_outside_its_domain(op: Operation) -> None:
    """Floats and Values raise at the listed points, and the suggested remedy works.

    The remedy changes nothing inside the domain. The docstring has a section Raises if and only if
    there are such points. NaN is not outside any domain: it propagates, with the listed exceptions.
    """
    propagates = PROPAGATES_NAN.get(op.name)
    for arity in arities(op)[:3]:
        for point in itertools.product((NAN, 1.0, -2.0, 0.0, INF), repeat=arity):
            if any(x != x for x in point):
                assert math.isnan(call(op, point)) == (propagates is None or propagates(*point)), (
                    point
                )
    assert ("DomainError" in (op.__doc__ or "")) == (op.name in OUTSIDE)
    for point in INSIDE.get(op.name, []):
        assert call(op, nodes(point)).data == call(op, point)
    for point in OUTSIDE.get(op.name, []):
        assert isinstance(op, FixedArityOperation)
        names = [symbol.name for symbol in op.operand_symbols]
        for kind in (float, Value):
            operands = [kind(x) for x in point]
            with pytest.raises(DomainError, match="undefined") as caught:
                call(op, operands)
            remedy = str(caught.value).partition("not the result: ")[2]
            found: Any = eval(remedy, vars(scalargrad), dict(zip(names, operands, strict=True)))
            assert math.isfinite(getattr(found, "data", found))
        inside = next(points(op, op.arity, 1))
        plain, guarded = nodes(inside), nodes(inside)
        expected = call(op, plain)
        found = eval(remedy, vars(scalargrad), dict(zip(names, guarded, strict=True)))
        assert found.data == expected.data
        assert gradients(found, guarded) == gradients(expected, plain)


# Definitions ------------------------------------------------------------------------------------


@every_operation
def test_operation_is_documented_and_makes_one_node(op: Operation) -> None:
    """It has a symbol, a summary and an example, is pickled by name, and makes one node.

    It can be called directly and by name in a formula; under no_grad it makes a leaf. A string
    among the operands is an OperandError that shows it; an extra operand is a TypeError.
    """
    assert op.symbol.strip()
    documentation = inspect.getdoc(op) or ""
    opening = documentation.partition("\n\n")[0]
    assert opening[0].isupper()
    assert opening.endswith(".")
    assert f">>> {op.name}(" in documentation
    assert repr(op).startswith(f"<operation {op.name}(")
    assert pickle.loads(pickle.dumps(op)) is op
    assert getattr(scalargrad, op.name) is getattr(ops, op.name) is op
    assert op.name in ops.__all__
    count = arities(op)[-1] // 2 * 2 or 1 if isinstance(op, Reduction) else arities(op)[0]
    (point,) = points(op, count, 1)
    xs = nodes(point)
    node = call(op, xs)
    assert (node.op, node.parents, type(node)) == (op, tuple(xs), Value)
    names = [f"a{i}" for i in range(count)]
    text = ", ".join(names)
    if op.name == "dot":
        text = f"({', '.join(names[: count // 2])}), [{', '.join(names[count // 2 :])}]"
    parsed = parse(f"{op.name}({text})", **dict(zip(names, point, strict=True)))
    assert (parsed.op, parsed.data) == (op, node.data)
    assert [x.label for x in parsed.parents if isinstance(x, Value)] == names
    with no_grad():
        leaf = call(op, xs)
    assert (leaf.data, leaf.op, leaf.parents) == (node.data, None, ())
    (point,) = points(op, arities(op)[-1], 1)
    for i in range(len(point)):
        for kind in (float, Value):
            operands: list[Any] = [kind(x) for x in point]
            operands[i] = "1.5"
            with pytest.raises(OperandError, match=r"1\.5"):
                call(op, operands)
    if isinstance(op, FixedArityOperation):
        called: Any = op
        with pytest.raises(TypeError):
            called(*point, 0.5, 0.5)


# Outside the domain, and overflow ---------------------------------------------------------------

#: Operation, operands at or beyond the border of its domain, and the unchecked result, from C.
UNCHECKED: list[tuple[str, tuple[float, ...], float]] = [
    *((name, (0.0,), -INF) for name in ("log", "log2", "log10", "digamma")),
    *((name, (-1.0,), NAN) for name in ("log", "log2", "log10", "sqrt")),
    *(("log1p", (-1.0,), -INF), ("log1p", (-2.0,), NAN)),
    *(("atanh", (1.0,), INF), ("atanh", (-1.0,), -INF), ("atanh", (2.0,), NAN)),
    *(("erfinv", (1.0,), INF), ("erfinv", (-1.0,), -INF), ("erfinv", (2.0,), NAN)),
    *(("acosh", (0.5,), NAN), ("asin", (2.0,), NAN), ("acos", (-2.0,), NAN)),
    *(("lgamma", (0.0,), INF), ("sin", (INF,), NAN), ("cos", (INF,), NAN), ("tan", (INF,), NAN)),
    *(("div", (1.0, 0.0), INF), ("div", (-1.0, 0.0), -INF), ("div", (1.0, -0.0), -INF)),
    *(("div", (0.0, 0.0), NAN), ("reciprocal", (0.0,), INF), ("reciprocal", (-0.0,), -INF)),
    *(("pow", (0.0, -1.0), INF), ("pow", (-2.0, 0.5), NAN), ("exp", (1e3,), INF)),
]


@pytest.mark.parametrize(
    ("name", "operands", "expected"), UNCHECKED, ids=[f"{name}{at}" for name, at, _ in UNCHECKED]
)
def test_operation_of_unchecked_gives_the_results_of_c(
    name: str, operands: tuple[float, ...], expected: float
) -> None:
    """The result is infinity at a pole, and NaN where there is no real result."""
    assert TABLE[name].of(*operands, checked=False) == pytest.approx(expected, nan_ok=True)


OVERFLOWS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "exp": (lambda x: ops.exp(x(1000.0)), INF),
    "sinh": (lambda x: ops.sinh(x(-1000.0)), -INF),
    "square": (lambda x: ops.square(x(1e200)), INF),
    "pow of a number": (lambda x: ops.pow(x(-10.0), 401.0), -INF),
    "pow": (lambda x: ops.pow(x(10.0), x(400.0)), INF),
    "sum": (lambda x: ops.sum([x(1e308)] * 2), INF),
    "dot": (lambda x: ops.dot([x(1e200)], [x(-1e200)]), -INF),
    "softplus": (lambda x: ops.softplus(x(INF)), INF),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_operation_that_overflows_is_infinite(name: str) -> None:
    """Where Python's math raises OverflowError, the result is inf, for floats and Values."""
    expression, expected = OVERFLOWS[name]
    assert expression(float) == expression(Value).data == expected


def test_pow_operator_that_overflows_is_infinite() -> None:
    """A Value on either side of ``**`` prevents Python's OverflowError."""
    assert (10 ** Value(400.0)).data == (Value(10.0) ** 400).data == INF


#: Derivatives of x ** y where a formula would be 0 · ∞ or ln 0, or where y is 0: arguments, the
#: operands to differentiate by in order, closed form.
POWERS: list[tuple[tuple[float, float], tuple[int, ...], float]] = [
    *(((0.0, 2.0), (i,), 0.0) for i in (0, 1)),
    *(((0.0, 1.0), (0,), 1.0), ((0.0, 1.0), (1,), 0.0), ((0.0, 0.0), (0,), 0.0)),
    *(((0.0, 0.0), (1,), -math.inf), ((2.0, 0.0), (0,), 0.0), ((2.0, 0.0), (1,), math.log(2.0))),
    *(((3.0, 1.0), (0,), 1.0), ((3.0, 1.0), (1,), 3.0 * math.log(3.0))),
    *(((2.0, 0.0), (0, 1), 0.5), ((2.0, 0.0), (1, 0), 0.5)),  # x ** (y - 1) · (1 + y ln x)
    ((3.0, 0.0), (0, 1, 1), 2.0 * math.log(3.0) / 3.0),  # x ** (y - 1) · (2 + y ln x) ln x
    ((3.0, 0.0), (0, 0, 1), -1.0 / 9.0),  # x ** (y - 2) · (2y - 1 + y (y - 1) ln x)
    ((5.0, 1.0), (0, 1, 0, 1), 2.0 * math.log(5.0) / 5.0 + 2.0 / 5.0),
    ((5.0, 1.0), (1, 1, 0, 0), 2.0 * math.log(5.0) / 5.0 + 2.0 / 5.0),
]


def power(base: Any, exponent: Any) -> Any:
    """Return base ** exponent."""
    return base**exponent


@pytest.mark.parametrize(
    ("at", "order", "expected"), POWERS, ids=[f"{at} by {order}" for at, order, _ in POWERS]
)
def test_pow_mixed_derivatives_have_their_closed_forms(
    at: tuple[float, float], order: tuple[int, ...], expected: float
) -> None:
    """Eager, compiled and vmapped code agree; 0 ** y has slope -inf in y at 0, and 0 ** 0 is 1."""
    found: Callable[..., Any] = power
    for operand in order:
        found = grad(found, operand)
    lanes = scalargrad.vmap(found, in_axes=(0, None))([at[0]] * 8, at[1])
    assert [found(*at), jit(found)(*at), *lanes] == pytest.approx([expected] * 10)
