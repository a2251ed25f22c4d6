"""Every operation of the table: a test of each claim is generated from its entry.

A new operation is tested here without a line being added: its partials are held against central
differences, and against mpmath too where `MPMATH` knows a function of the same meaning.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import pickle
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import scalargrad
from scalargrad import DomainError, OperandError, Value, gradients, ops
from scalargrad.ops import TABLE
from scalargrad.ops.reductions import Dot
from scalargrad.table.notation import Notation
from scalargrad.table.operation import Binary, Elementwise, ListReduction, Operation, Unary
from scalargrad.table.symbol import evaluate

FAMILIES = (
    "activations",
    "arithmetic",
    "comparisons",
    "exponential",
    "hyperbolic",
    "indexing",
    "likelihood",
    "logic",
    "reductions",
    "rounding",
    "selection",
    "special",
    "standard_normal",
    "trigonometric",
)
COMPARISONS = [name for name, op in TABLE.items() if op.truth]
#: Numbers of operands tried where an operation takes any number.
ARITIES = (1, 2, 3, 6)
DIGITS = 50

#: The mathematics of each operation, said once more in mpmath's words.
MPMATH: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": mp.power,
    "neg": lambda x: -x,
    "abs": mp.fabs,
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "exp": mp.exp,
    "exp2": lambda x: mp.power(2, x),
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda x: mp.log(x, 2),
    "log10": lambda x: mp.log(x, 10),
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "deg2rad": mp.radians,
    "rad2deg": mp.degrees,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "hypot": mp.hypot,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfinv": mp.erfinv,
    "ndtr": mp.ncdf,
    "log_ndtr": lambda x: mp.log(mp.ncdf(x)),
    "lgamma": mp.loggamma,
    "digamma": mp.digamma,
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
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "rint": mp.nint,
    "floor_divide": lambda x, y: mp.floor(x / y),
    "remainder": lambda x, y: x - y * mp.floor(x / y),
    "maximum": lambda *x: max(x),
    "minimum": lambda *x: min(x),
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda condition, x, other: x if condition else other,
    "lt": lambda a, b: mp.mpf(a < b),
    "le": lambda a, b: mp.mpf(a <= b),
    "gt": lambda a, b: mp.mpf(a > b),
    "ge": lambda a, b: mp.mpf(a >= b),
    "eq": lambda a, b: mp.mpf(a == b),
    "ne": lambda a, b: mp.mpf(a != b),
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

#: Where an operation does not hand a NaN on, and is right not to.
KEEPS_NAN: dict[str, Callable[..., bool]] = {
    "pow": lambda base, exponent: base != 1.0 and exponent != 0.0,  # IEEE 754: pow(1, nan) is 1
    "hypot": lambda x, y: math.inf not in {math.fabs(x), math.fabs(y)},  # IEEE 754: inf
    "where": lambda condition, x, other: math.isnan(x if condition else other),
    "leaky_relu": lambda x, slope: not x > 0,  # the slope plays no part
    "elu": lambda x, alpha: not x > 0,
    **dict.fromkeys(COMPARISONS, lambda *x: False),  # false, or true for != and as a truth
}

every_operation = pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
every_function = pytest.mark.parametrize(
    "op", [op for op in TABLE.values() if op.name in MPMATH], ids=lambda op: op.name
)


def arities(op: Operation) -> tuple[int, ...]:
    """Return the numbers of operands to test an operation with."""
    return (op.arity,) if isinstance(op, Elementwise) else ARITIES


def points(op: Operation, arity: int, count: int) -> Iterator[tuple[float, ...]]:
    """Draw points from the domain an operation declares, away from its kinks."""
    generator = random.Random(f"{op.name} of {arity}")
    found = 0
    while found < count:
        point = tuple(generator.uniform(*op.domain.interval(i)) for i in range(arity))
        if op.domain.smooth(*point):
            found += 1
            yield point


def call(op: Any, operands: Sequence[Any]) -> Any:
    """Apply an operation the way a program writes it."""
    if isinstance(op, ListReduction):
        return op(operands)
    if isinstance(op, Dot):
        n = len(operands) // 2
        return op(operands[:n], operands[n : 2 * n], *operands[2 * n :])
    return op(*operands)


def nodes(point: Sequence[float]) -> list[Value]:
    """Return a leaf for each number."""
    return [Value(x) for x in point]


def derivative(op: Operation, point: Sequence[float], orders: Sequence[int]) -> float:
    """Return the partial derivative of those orders, from mpmath, in 50 digits."""
    with mp.workdps(DIGITS):
        exact = tuple(mpmath.mpf(x) for x in point)
        return float(mp.diff(MPMATH[op.name], exact, tuple(orders)))


def unit(arity: int, *indices: int) -> list[int]:
    """Return orders of differentiation: one more for each time an index is named."""
    return [indices.count(i) for i in range(arity)]


def difference(f: Callable[..., float], point: Sequence[float], index: int) -> float:
    """Return a central difference with Richardson's extrapolation, of order step⁴."""

    def quotient(step: float) -> float:
        above, below = list(point), list(point)
        above[index] += step
        below[index] -= step
        return (f(*above) - f(*below)) / (above[index] - below[index])

    return (4.0 * quotient(5e-4) - quotient(1e-3)) / 3.0


def exact(x: float) -> str:
    """Return a form of a float that tells 0.0 from -0.0 and takes all NaNs as one."""
    return "nan" if x != x else x.hex()


# Derivatives ------------------------------------------------------------------------------------


@every_function
def test_value_agrees_with_mpmath(op: Operation) -> None:
    """An operation computes the function its name says, as mpmath has it."""
    for arity in arities(op):
        for point in points(op, arity, 20):
            expected = derivative(op, point, [0] * arity)
            assert call(op, point) == pytest.approx(expected, rel=1e-14, abs=1e-15), point


@every_function
def test_partials_agree_with_mpmath(op: Operation) -> None:
    """Each local gradient is mpmath's derivative of the function of the same name."""
    for arity in arities(op):
        for point in points(op, arity, 12):
            found = op.of(*nodes(point)).local_grads
            expected = [derivative(op, point, unit(arity, i)) for i in range(arity)]
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-14), point


@every_operation
def test_partials_agree_with_central_differences(op: Operation) -> None:
    """Each local gradient is what a difference quotient of the float path approximates."""
    for arity in arities(op):
        for point in points(op, arity, 12):
            found = op.of(*nodes(point)).local_grads
            expected = [difference(op.of, point, i) for i in range(arity)]
            assert found == pytest.approx(expected, rel=1e-8, abs=1e-9), point


@every_function
def test_second_derivatives_agree_with_mpmath(op: Operation) -> None:
    """A partial derivative taken as a graph differentiates again, as mpmath does."""
    for arity in arities(op)[:3]:
        for point in points(op, arity, 4):
            xs = nodes(point)
            first = gradients(op.of(*xs), xs, create_graph=True)
            for i, partial in enumerate(first):
                expected = [derivative(op, point, unit(arity, i, j)) for j in range(arity)]
                assert gradients(partial, xs) == pytest.approx(expected, rel=1e-11, abs=1e-13)


@every_operation
def test_second_derivatives_agree_with_central_differences(op: Operation) -> None:
    """A partial derivative taken as a graph has the slope of the local gradient."""
    for arity in arities(op)[:3]:
        for point in points(op, arity, 4):
            xs = nodes(point)
            first = gradients(op.of(*xs), xs, create_graph=True)
            for i, partial in enumerate(first):

                def local_grad(*moved: float, i: int = i) -> float:
                    found: float = op.of(*nodes(moved)).local_grads[i]
                    return found

                expected = [difference(local_grad, point, j) for j in range(arity)]
                assert gradients(partial, xs) == pytest.approx(expected, rel=1e-7, abs=1e-8)


@every_function
def test_third_derivatives_agree_with_mpmath(op: Operation) -> None:
    """Third derivatives by each operand alone agree with mpmath."""
    for arity in arities(op)[:2]:
        for point in points(op, arity, 3):
            for i in range(arity):
                xs = nodes(point)
                first = gradients(op.of(*xs), xs[i], create_graph=True)
                second = gradients(first, xs[i], create_graph=True)
                expected = derivative(op, point, unit(arity, i, i, i))
                assert gradients(second, xs[i]) == pytest.approx(expected, rel=1e-10, abs=1e-12)


# One declaration, many paths --------------------------------------------------------------------


def declared(op: Operation, point: tuple[float, ...]) -> float:
    """Run the declaration of an operation as it stands in the file, on floats."""
    if not isinstance(op, Elementwise):
        result: float = op.function(point)
    elif op.composite:
        trace = op.function(*op.operand_symbols)
        result = evaluate(trace, dict(zip(op.operand_symbols, point, strict=True)))
    else:
        result = op.function(*point)
    return result


def declared_partials(op: Operation, point: tuple[float, ...]) -> list[float]:
    """Evaluate the declared partials one operation at a time."""
    result, operands, partials = op.trace_partials(len(point))
    bindings: dict[Any, Any] = {
        **dict(zip(operands, point, strict=True)),
        result: op_value(op, point),
    }
    return [evaluate(partial, bindings) for partial in partials]


def op_value(op: Operation, point: tuple[float, ...]) -> float:
    """Return the operation's unchecked value."""
    value: float = op.of(*point, checked=False)
    return value


def is_outside(op: Operation, point: tuple[float, ...]) -> bool:
    """Return whether the declared domain excludes a point; a NaN belongs to every domain."""
    valid = op.domain.valid
    if valid is None or any(x != x for x in point):
        return False
    assert isinstance(op, Elementwise)
    bindings: dict[Any, Any] = dict(zip(op.operand_symbols, point, strict=True))
    return not evaluate(valid(*op.operand_symbols), bindings)


def check_paths(op: Operation, point: tuple[float, ...]) -> None:
    """Hold the printed code, for every mixture of Values and numbers, against the declaration."""
    value = exact(declared(op, point))
    partials = [exact(p) for p in declared_partials(op, point)]
    outside = is_outside(op, point)
    assert exact(op_value(op, point)) == value, point
    if outside:
        with pytest.raises(DomainError):
            op.of(*point)
    else:
        assert exact(op.of(*point)) == value, point
    for mask in itertools.product((True, False), repeat=len(point)):
        if not any(mask):
            continue
        operands = [Value(x) if is_node else x for x, is_node in zip(point, mask, strict=True)]
        check_node(op, operands, op.of(*operands, checked=False), value, partials)
        if outside:
            with pytest.raises(DomainError):
                op.of(*operands)
        else:
            check_node(op, operands, op.of(*operands), value, partials)
            called: Any = op
            if isinstance(op, Unary | Binary):  # called, they are methods printed for nodes
                check_node(op, operands, called(*operands), value, partials)


def check_node(
    op: Operation, operands: Sequence[Any], node: Value, value: str, partials: Sequence[str]
) -> None:
    """Hold one node against the value and partials it should carry."""
    assert type(node) is Value
    assert node.op is op
    assert exact(node.data) == value, operands
    for parent, operand in zip(node.parents, operands, strict=True):
        assert parent is operand if isinstance(operand, Value) else type(parent) is float
    for operand, local, partial in zip(operands, node.local_grads, partials, strict=True):
        if isinstance(operand, Value):
            assert local is not None
            assert exact(local) == partial, operands
        else:
            assert local is None


EXTREMES = (
    math.nan,
    math.inf,
    -math.inf,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -3.0,
    1e308,
    -1e308,
    5e-324,
    -5e-324,
)


@pytest.mark.alike
@every_operation
def test_paths_agree_at_the_extremes(op: Operation) -> None:
    """Floats, Values and the declaration agree bit for bit; nothing but DomainError is raised."""
    for arity in arities(op)[:3]:
        for point in itertools.product(EXTREMES[: 13 if arity < 3 else 9], repeat=arity):
            check_paths(op, point)


@every_operation
def test_paths_agree_at_sampled_points(op: Operation) -> None:
    """Inside the domain too, every path computes the same bits."""
    for arity in arities(op)[:3]:
        for point in points(op, arity, 20):
            check_paths(op, point)


@pytest.mark.alike
@every_operation
@given(data=st.data())
def test_paths_agree_anywhere(op: Operation, data: st.DataObject) -> None:
    """For all floats there are, every path computes the same bits or raises DomainError."""
    arity = data.draw(st.sampled_from(arities(op)[:3]))
    check_paths(op, tuple(data.draw(st.tuples(*[st.floats()] * arity))))


#: Where a partial is nan at finite operands, as in PyTorch.
UNDEFINED: dict[str, Callable[..., bool]] = {
    "pow": lambda base, exponent: base < 0.0,
    "hypot": lambda x, y: x == y == 0.0,
}


@pytest.mark.alike
@every_operation
@given(data=st.data())
def test_finite_operands_have_partials(op: Operation, data: st.DataObject) -> None:
    """At finite operands a partial may overflow, but is nan only at the points listed."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    arity = data.draw(st.sampled_from(arities(op)[:3]))
    point = tuple(data.draw(st.tuples(*[finite] * arity)))
    node = op.of(*nodes(point), checked=False)
    undefined = UNDEFINED.get(op.name)
    if is_outside(op, point) or (undefined is not None and undefined(*point)):
        return
    if math.isfinite(node.data):
        assert not any(math.isnan(local) for local in node.local_grads)


@every_operation
def test_call_makes_the_same_node(op: Operation) -> None:
    """The way a program writes it makes the node that `of` makes."""
    for arity in arities(op):
        for point in points(op, arity, 3):
            xs = nodes(point)
            found, expected = call(op, xs), op.of(*xs)
            assert (found.op, found.parents) == (op, expected.parents)
            assert (found.data, found.local_grads) == (expected.data, expected.local_grads)


@every_operation
def test_numbers_alone_give_a_float(op: Operation) -> None:
    """Floats, ints, bools and NumPy numbers give a float, and no node."""
    for arity in arities(op):
        (point,) = points(op, arity, 1)
        kinds: list[Callable[[float], Any]] = [float, np.float64, np.float32, np.array]
        for kind in kinds:
            assert type(call(op, [kind(x) for x in point])) is float
        for number in (2, True):
            with suppress(DomainError):  # it may lie outside the domain
                assert type(call(op, [number] * arity)) is float


@pytest.mark.parametrize(
    "op", [x for x in TABLE.values() if type(x) in (Unary, Binary)], ids=lambda op: op.name
)
def test_an_operand_too_many_is_refused_by_how_the_operation_is_called(op: Any) -> None:
    """In place of Python's words, which name a class of the table."""
    with pytest.raises(OperandError) as caught:
        op(*[0.5] * (op.arity + 1))
    names = ", ".join(symbol.name for symbol in op.operand_symbols)
    assert f"{op.name} was given {op.arity + 1} operands: write {op.name}({names})" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("op", "written", "number"),
    [
        (ops.log, "log(x) / log(base)", math.log(5.0, 3.0)),
        (ops.softplus, "softplus(beta * x) / beta", math.log1p(math.exp(3.0 * 5.0)) / 3.0),
    ],
)
def test_what_other_libraries_take_as_a_second_operand_is_written_out(
    op: Any, written: str, number: float
) -> None:
    """What the message says gives the number of math.log(x, base), and PyTorch's softplus."""
    with pytest.raises(OperandError, match=re.escape(f"or {written}")):
        op(Value(5.0), 3.0)
    found = eval(written, {op.name: op, "x": Value(5.0), "base": 3.0, "beta": 3.0})
    assert found.data == pytest.approx(number, rel=1e-14)


@every_operation
def test_nan_is_handed_on(op: Operation) -> None:
    """A NaN operand gives a NaN result, but for the exceptions listed."""
    keeps = KEEPS_NAN.get(op.name)
    for arity in arities(op)[:3]:
        for point in itertools.product((math.nan, 1.0, -2.0, 0.0, math.inf), repeat=arity):
            if any(x != x for x in point):
                assert math.isnan(call(op, point)) == (keeps is None or keeps(*point)), point


@every_operation
def test_constants_have_no_local_gradient(op: Operation) -> None:
    """The partial of a number operand is None, and its parent the number itself."""
    for arity in arities(op):
        if arity == 1:
            continue
        (point,) = points(op, arity, 1)
        node = op.of(*point[:-1], Value(point[-1]))
        assert node.local_grads[:-1] == (None,) * (arity - 1)
        assert node.parents[:-1] == point[:-1]


# Entries ----------------------------------------------------------------------------------------


@every_operation
def test_entry_is_documented(op: Operation) -> None:
    """An entry has a name, a label, a pattern, an opening sentence and an example that runs."""
    assert op.name.isidentifier()
    assert op.symbol.strip()
    assert isinstance(op.pattern, str)
    documentation = inspect.getdoc(op) or ""
    opening = documentation.partition("\n\n")[0]
    assert opening[0].isupper()
    assert opening.endswith(".")
    assert f">>> {op.name}(" in documentation


@every_operation
def test_entry_with_a_domain_says_when_it_raises(op: Operation) -> None:
    """The docstring has a Raises section if and only if the operation can raise DomainError."""
    assert ("DomainError" in (op.__doc__ or "")) == (op.domain.valid is not None)


@every_operation
def test_sampled_points_lie_inside_the_domain(op: Operation) -> None:
    """Tests draw only points at which the operation is defined."""
    for arity in arities(op):
        for point in points(op, arity, 50):
            assert not is_outside(op, point)
    assert repr(op).startswith(f"<operation {op.name}(")


@every_operation
def test_pickling_gives_the_same_entry(op: Operation) -> None:
    """An operation of the table is pickled by name."""
    assert pickle.loads(pickle.dumps(op)) is op


@pytest.mark.parametrize("family", FAMILIES)
def test_family_exports_what_it_declares(family: str) -> None:
    """`__all__` of a family is its operations and public functions, sorted by name."""
    module = importlib.import_module(f"scalargrad.ops.{family}")
    declared_here = {name for name, op in TABLE.items() if op.__module__ == module.__name__}
    functions = {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert set(module.__all__) == declared_here | functions
    assert len(module.__all__) == len(set(module.__all__))


def test_families_are_all_of_the_table() -> None:
    """Every entry belongs to a family, and every exported name is a public name of the package."""
    exported = {name for family in FAMILIES for name in vars(ops)[family].__all__}
    assert set(TABLE) <= exported
    assert set(ops.__all__) == exported | {"TABLE"}
    assert all(getattr(scalargrad, name) is getattr(ops, name) for name in exported)


def test_table_holds_what_was_promised() -> None:
    """The operations the project set out to have are there."""
    promised = """
        add sub mul div pow neg abs exp expm1 log log1p log2 log10 sqrt square reciprocal sin cos
        tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh hypot erf erfc sigmoid softplus
        relu leaky_relu elu silu gelu gelu_tanh step sign floor ceil maximum minimum clip where
        lt le gt ge eq ne sum mean dot logsumexp
    """
    assert set(promised.split()) <= set(TABLE)
    assert callable(ops.softmax)
    assert callable(ops.log_softmax)


@pytest.mark.parametrize("language", ["python", "text", "mathml", "javascript", "c"])
def test_a_notation_has_a_place_for_each_operand(language: str) -> None:
    """A template for n operands names all of them and no others, also in languages not run here."""
    for op in TABLE.values():
        notation = getattr(op, language, None)
        if isinstance(op, Elementwise) and isinstance(notation, Notation):
            places = {int(found) for found in re.findall(r"{(\d+)}", notation.template)}
            assert places == {*range(op.arity)}, op.name
            assert len(notation.operands) in (0, op.arity), op.name


INF, NAN = math.inf, math.nan
#: Beyond or at the edge of a domain, IEEE 754's and C's answers: what compiled code computes before
#: it is known that an operand was none.
BEYOND: list[tuple[str, tuple[float, ...], float]] = [
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


@pytest.mark.parametrize(("name", "operands", "expected"), BEYOND)
def test_unchecked_functions_answer_as_c_does(
    name: str, operands: tuple[float, ...], expected: float
) -> None:
    """Infinity at a pole, NaN where there is no real answer."""
    found = TABLE[name].of_floats_unchecked(*operands)
    assert found == pytest.approx(expected, nan_ok=True)


#: Where a formula would be 0 · ∞ or ln 0: the limit, or 0 by the convention that a constant has no
#: slope.
SLOPES: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (2.0, 0.0), (0.0, math.log(2.0))),
    ("pow", (3.0, 1.0), (1.0, 3.0 * math.log(3.0))),
]


@pytest.mark.parametrize(("name", "operands", "expected"), SLOPES)
def test_slopes_where_the_formula_has_none(
    name: str, operands: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    """In closed form, eagerly and compiled."""
    xs = [Value(x) for x in operands]
    op: Any = TABLE[name]
    for f in (op, scalargrad.jit(op.__call__)):
        assert gradients(f(*xs), xs) == pytest.approx(expected)


#: Mixed derivatives of x ** y where y passes through 0: arguments, which ones, closed form.
MIXED: list[tuple[tuple[float, float], tuple[int, ...], float]] = [
    ((2.0, 0.0), (0, 1), 0.5),  # x ** (y - 1) · (1 + y ln x)
    ((2.0, 0.0), (1, 0), 0.5),
    ((3.0, 0.0), (0, 1, 1), 2.0 * math.log(3.0) / 3.0),  # x ** (y - 1) · (2 + y ln x) ln x
    ((3.0, 0.0), (0, 0, 1), -1.0 / 9.0),  # x ** (y - 2) · (2y - 1 + y (y - 1) ln x)
    ((5.0, 1.0), (0, 1, 0, 1), 2.0 * math.log(5.0) / 5.0 + 2.0 / 5.0),
    ((5.0, 1.0), (1, 1, 0, 0), 2.0 * math.log(5.0) / 5.0 + 2.0 / 5.0),
]


@pytest.mark.parametrize(("at", "order", "expected"), MIXED)
def test_powers_differ_in_base_and_exponent_in_any_order(
    at: tuple[float, float], order: tuple[int, ...], expected: float
) -> None:
    """The base's slope is 0 where the exponent is 0, but is not constant there."""
    power: Any = TABLE["pow"]
    found = power.__call__
    for operand in order:
        found = scalargrad.grad(found, operand)
    lanes = scalargrad.vmap(found, in_axes=(0, None))([at[0]] * 8, at[1])
    assert [found(*at), scalargrad.jit(found)(*at), *lanes] == pytest.approx([expected] * 10)
