"""Replacements for functions that other libraries have under names that are not here."""

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


#: The functions meant by the names, and where they are compared.
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


def test_what_is_to_be_written_has_the_numbers_of_the_function() -> None:
    """The error's remedy computes what the function does; a row of the docs' page says the same."""
    cases: list[str] = [*OF_ONE, *OF_TWO]
    for name in cases:
        with pytest.raises(AttributeError) as caught:
            getattr(scalargrad, name)
        written = str(caught.value).partition(": write ")[2]
        rows = [x for x in PAGE.read_text("utf-8").splitlines() if x.endswith(f"| `{written}` |")]
        assert any(name in row for row in rows)
        known = {
            "low": -1.0,
            "high": 2.0,
            "xs": [*map(Value, XS)],
            "math": math,
            **vars(scalargrad),
        }
        one, points = OF_ONE.get(name, (None, []))
        for x in points:
            found = eval(written, {**known, "x": Value(x)})
            assert one is not None
            assert getattr(found, "data", found) == pytest.approx(float(one(x)), rel=1e-12)
        two, pairs = OF_TWO.get(name, (None, []))
        for x, y in pairs:
            found = eval(written, {**known, "x": Value(x), "y": Value(y)})
            assert two is not None
            assert float(getattr(found, "data", found)) == pytest.approx(
                float(two(x, y)), rel=1e-12
            )


def test_a_name_that_nobody_has_says_nothing_more() -> None:
    """As of any module; no name that is here counts as another's."""
    with pytest.raises(AttributeError, match=r"'nothing'$"):
        scalargrad.nothing  # type: ignore[attr-defined] # noqa: B018
    assert not {*OF_ONE, *OF_TWO} & {*dir(scalargrad)}
