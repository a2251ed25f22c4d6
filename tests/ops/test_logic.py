"""Comparisons joined by &, | and ^, by functions, and compiled."""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, TraceError, Value, gt, jit, logical_not, lt, ops, where

JUNCTIONS = [operator.and_, operator.or_, operator.xor]
every_junction = pytest.mark.parametrize("join", JUNCTIONS, ids=lambda f: f.__name__)


@every_junction
def test_signs_join_comparisons_as_they_join_bools(join: Callable[[Any, Any], Any]) -> None:
    """Nodes of comparisons, bools of Python and of NumPy give the truth that two bools give."""
    for a, b in itertools.product((True, False), repeat=2):
        p, q = gt(Value(float(a)), 0.5), lt(Value(float(not b)), 0.5)
        for pair in ((p, q), (p, b), (a, q), (p, np.bool_(b)), (np.bool_(a), q)):
            assert bool(join(*pair)) is join(a, b)
            assert bool(join(join(*pair), True)) is join(join(a, b), True)
        found = join(p, np.array([True, False]))
        assert [bool(x) for x in found] == [join(a, True), join(a, False)]


@every_junction
@pytest.mark.parametrize("other", [Value(3.0), 3, 1.0, "1", None])
def test_signs_refuse_numbers_and_offer_the_function(
    join: Callable[[Any, Any], Any], other: Any
) -> None:
    """Values have no bits: & of numbers would be a product to some and a test to others."""
    truth = gt(Value(1.0), 0.0)
    for pair in ((truth, other), (other, truth), (Value(2.0), truth)):
        with pytest.raises(OperandError, match=r"write scalargrad\.logical_and\(a, b\)"):
            join(*pair)


@every_junction
@pytest.mark.parametrize("other", [lambda a: a, lambda a: 3.0, lambda a: Value(1.0)])
def test_compiled_signs_refuse_numbers_too(
    join: Callable[[Any, Any], Any], other: Callable[[Any], Any]
) -> None:
    """On either side, with the error that is raised eagerly."""
    sides: list[Callable[[Any], Any]] = [
        lambda a: join(a > 0, other(a)),
        lambda a: join(other(a), a > 0),
    ]
    for f in sides:
        with pytest.raises((OperandError, TypeError)) as expected:
            f(Value(1.0))
        with pytest.raises(expected.type, match=re.escape(str(expected.value))):
            jit(f)(Value(1.0))


class Foreign:
    """A number of another library, which knows how to meet others."""

    __array_ufunc__ = None

    def __rand__(self, other: Any) -> str:
        """Join with what stands on the left."""
        return "theirs"

    __ror__ = __rxor__ = __rand__


@every_junction
def test_signs_leave_foreign_numbers_to_their_own_methods(join: Callable[[Any, Any], Any]) -> None:
    """As the arithmetic operators do."""
    assert join(gt(Value(1.0), 0.0), Foreign()) == "theirs"


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # Python 3.12's own
def test_tilde_is_refused_because_on_a_bool_it_gives_a_true_number() -> None:
    """~True is -2 in Python, which is true, so a compiled ~ could not agree with it."""
    with pytest.raises(OperandError, match="logical_not"):
        ~gt(Value(1.0), 0.0)
    with pytest.raises(TraceError, match="logical_not"):
        jit(lambda x: ~(x > 0))(1.0)
    assert logical_not(gt(Value(1.0), 0.0)).data == 0.0


@pytest.mark.parametrize("name", ["logical_and", "logical_or"])
def test_functions_are_numpys(name: str) -> None:
    """Every number but 0 is true, a NaN and an infinity too."""
    numbers = (0.0, -0.0, 1.0, -2.5, np.inf, np.nan)
    for a, b in itertools.product(numbers, repeat=2):
        expected = float(getattr(np, name)(a, b))
        assert vars(ops)[name](a, b) == expected
        assert vars(ops)[name](Value(a), b).data == expected
    assert [logical_not(x) for x in numbers] == [float(np.logical_not(x)) for x in numbers]


@pytest.mark.usefixtures("backend")
@every_junction
def test_compiled_conditions_take_the_way_of_eager_ones(join: Callable[[Any, Any], Any]) -> None:
    """(a > 0) & (a < 2) chooses compiled what it chooses eagerly, in where and after if."""

    def chosen(a: Any) -> Any:
        return where(join(a > 0, a < 2), a * 10, a)

    def branched(a: Any) -> Any:
        return a * 10 if join(a > 0, a < 2) else a

    def shared(a: Any) -> Any:
        return a * (join(a > 0, a < 2) == (a > -5))

    points = (-6.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    for f in (chosen, branched, shared):
        compiled = jit(f)
        assert [compiled(x) for x in points] == [f(x) for x in points]


def test_compiled_numbers_are_refused_with_their_operands() -> None:
    """Where an eager call fails, its error arrives; two leaves may be one Value, or not."""
    with pytest.raises(OperandError, match=r"is Value\(data=2\.5.*they join comparisons"):
        jit(lambda a: a & 3)(Value(2.5))
    with pytest.raises(TypeError, match="unsupported operand"):
        jit(lambda a: a & 3)(2.5)
    with pytest.raises(TraceError, match="two Values were compared"):
        jit(lambda a, b: a == b)(Value(1.0), Value(1.0))


@pytest.mark.parametrize("kind", ["isnan", "isinf", "isfinite"])
@pytest.mark.parametrize("x", [-0.0, 5e-324, 1.7e308, math.inf, -math.inf, math.nan])
def test_kinds_of_numbers_are_those_of_math(kind: str, x: float) -> None:
    """For floats, Values and NumPy, in a graph and as what compiled code branches on."""
    asked, expected = getattr(sg, kind), getattr(math, kind)(x)
    assert asked(x) == float(expected) == getattr(np, kind)(x)
    assert bool(asked(Value(x))) is expected
    assert jit(lambda x: 1.0 if asked(x) else 2.0)(x) == (1.0 if expected else 2.0)
    assert jit(lambda x: where(asked(x), 1.0, 2.0))(x) == (1.0 if expected else 2.0)


def test_missing_numbers_are_left_out() -> None:
    """A gap in the data is skipped by the same compiled function, wherever it is."""
    fit = jit(sg.value_and_grad(lambda k, ys: sum((k - y) ** 2 for y in ys if not sg.isnan(y))))
    assert fit(1.0, [3.0, math.nan, 2.0]) == (5.0, -6.0)
    assert fit(1.0, [math.nan, 3.0, 0.0]) == (5.0, -2.0)
