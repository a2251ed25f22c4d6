"""Suggestions for functions that other libraries have under other names."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalargrad
from scalargrad import Value

XS = [1.0, 2.5, -4.0]
ANYWHERE = [0.4, -0.3, 2.6, -3.5, 3.0]
INSIDE = [0.4, -0.3]
PAIRS = [(0.4, 0.7), (-0.3, 0.7), (2.6, -0.7), (-3.5, -0.9), (3.0, 3.0), (1.0, 1.0 + 1e-10)]


def sigmoid(x: float) -> float:
    """Return 1/(1 + e^-x)."""
    return 1.0 / (1.0 + math.exp(-x))


#: The functions of other libraries, and the arguments at which they are compared.
OF_ONE: dict[str, tuple[Callable[[float], Any], list[float]]] = {
    "absolute": (np.absolute, ANYWHERE),
    "arccos": (np.arccos, INSIDE),
    "arccosh": (np.arccosh, [2.6]),
    "arcsin": (np.arcsin, INSIDE),
    "arcsinh": (np.arcsinh, ANYWHERE),
    "arctan": (np.arctan, ANYWHERE),
    "arctanh": (np.arctanh, INSIDE),
    "clamp": (lambda x: np.clip(x, -1.0, 2.0), ANYWHERE),
    "degrees": (math.degrees, ANYWHERE),
    "expit": (sigmoid, ANYWHERE),
    "fabs": (math.fabs, ANYWHERE),
    "fsum": (lambda _: math.fsum(XS), [0.0]),
    "gamma": (math.gamma, [*ANYWHERE, -0.5, -1.5]),
    "gammaln": (math.lgamma, ANYWHERE),
    "heaviside": (lambda x: np.heaviside(x, 0.0), ANYWHERE),
    "logit": (lambda p: math.log(p / (1.0 - p)), [0.4, 0.9]),
    "radians": (math.radians, ANYWHERE),
    "rsqrt": (lambda x: 1.0 / math.sqrt(x), [0.4, 2.6]),
    "stop_gradient": (float, ANYWHERE),
    "swish": (lambda x: x * sigmoid(x), ANYWHERE),
    "trunc": (math.trunc, ANYWHERE),
}
OF_TWO: dict[str, tuple[Callable[[float, float], Any], list[tuple[float, float]]]] = {
    "arctan2": (np.arctan2, PAIRS),
    "copysign": (math.copysign, PAIRS),
    "fmod": (math.fmod, PAIRS),
    "isclose": (math.isclose, PAIRS),
    "power": (math.pow, [(0.4, 0.7), (2.6, -0.7), (-3.0, 2.0)]),
}
PAGE = Path(__file__).parents[1] / "docs" / "explained" / "compared.md"


def suggestion_for(name: str) -> str:
    """Return the code that the error suggests; a row of docs/explained/compared.md agrees."""
    with pytest.raises(AttributeError) as caught:
        getattr(scalargrad, name)
    code = str(caught.value).partition(": write ")[2]
    rows = [x for x in PAGE.read_text("utf-8").splitlines() if x.endswith(f"| `{code}` |")]
    assert any(name in row for row in rows)
    return code


def evaluate(code: str, **operands: Any) -> float:
    """Return the number that the suggested code computes."""
    names = {"low": -1.0, "high": 2.0, "xs": [*map(Value, XS)], "math": math, **vars(scalargrad)}
    found = eval(code, {**names, **operands})
    return float(getattr(found, "data", found))


@pytest.mark.parametrize("name", OF_ONE)
def test_attribute_error_suggests_code_for_a_function_of_one_operand(name: str) -> None:
    """The suggested code computes the function."""
    function, points = OF_ONE[name]
    code = suggestion_for(name)
    for x in points:
        assert evaluate(code, x=Value(x)) == pytest.approx(float(function(x)), rel=1e-12)


@pytest.mark.parametrize("name", OF_TWO)
def test_attribute_error_suggests_code_for_a_function_of_two_operands(name: str) -> None:
    """The suggested code computes the function."""
    function, pairs = OF_TWO[name]
    code = suggestion_for(name)
    for x, y in pairs:
        found = evaluate(code, x=Value(x), y=Value(y))
        assert found == pytest.approx(float(function(x, y)), rel=1e-12)


def test_attribute_error_of_an_unknown_name_has_no_suggestion() -> None:
    """The message is that of any module; no suggested name exists in the package."""
    with pytest.raises(AttributeError, match=r"'nothing'$"):
        scalargrad.nothing  # type: ignore[attr-defined] # noqa: B018
    assert not {*OF_ONE, *OF_TWO} & {*dir(scalargrad)}
