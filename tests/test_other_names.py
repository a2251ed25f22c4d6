"""What to write for functions that other libraries have under names that are not here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalargrad
from scalargrad import Value
from scalargrad.other_names import OTHER_NAMES

special = pytest.importorskip("scipy.special", reason="SciPy's functions are compared with")
torch = pytest.importorskip("torch", reason="PyTorch's functions are compared with")

_XS = [1.0, 2.5, -4.0]
_ANYWHERE = [0.4, -0.3, 2.6, -3.5, 3.0]
_INSIDE = [0.4, -0.3]
_PAIRS = [(0.4, 0.7), (-0.3, 0.7), (2.6, -0.7), (-3.5, -0.9), (3.0, 3.0), (1.0, 1.0 + 1e-10)]


def _tensor(f: Callable[..., Any]) -> Callable[..., float]:
    """Return a function of PyTorch as one of a float."""
    return lambda x: float(f(torch.tensor(x, dtype=torch.float64)))


#: The functions meant by the names, and where they are compared.
_OF_ONE: dict[str, tuple[Callable[[float], Any], list[float]]] = {
    "absolute": (np.absolute, _ANYWHERE),
    "arccos": (np.arccos, _INSIDE),
    "arccosh": (np.arccosh, [2.6]),
    "arcsin": (np.arcsin, _INSIDE),
    "arcsinh": (np.arcsinh, _ANYWHERE),
    "arctan": (np.arctan, _ANYWHERE),
    "arctanh": (np.arctanh, _INSIDE),
    "cbrt": (np.cbrt, [*_ANYWHERE, 0.0]),
    "clamp": (_tensor(lambda x: torch.clamp(x, -1.0, 2.0)), _ANYWHERE),
    "degrees": (math.degrees, _ANYWHERE),
    "expit": (special.expit, _ANYWHERE),
    "fabs": (math.fabs, _ANYWHERE),
    "fsum": (lambda _: math.fsum(_XS), [0.0]),
    "gamma": (math.gamma, [*_ANYWHERE, -0.5, -1.5]),
    "gammaln": (special.gammaln, _ANYWHERE),
    "heaviside": (lambda x: np.heaviside(x, 0.0), _ANYWHERE),
    "logit": (special.logit, [0.4, 0.9]),
    "logsigmoid": (_tensor(torch.nn.functional.logsigmoid), _ANYWHERE),
    "prod": (lambda _: math.prod(_XS), [0.0]),
    "radians": (math.radians, _ANYWHERE),
    "rsqrt": (_tensor(torch.rsqrt), [0.4, 2.6]),
    "std": (lambda _: np.std(_XS), [0.0]),
    "stop_gradient": (float, _ANYWHERE),
    "swish": (_tensor(torch.nn.functional.silu), _ANYWHERE),
    "trunc": (math.trunc, _ANYWHERE),
    "var": (lambda _: np.var(_XS), [0.0]),
}
_OF_TWO: dict[str, tuple[Callable[[float, float], Any], list[tuple[float, float]]]] = {
    "arctan2": (np.arctan2, _PAIRS),
    "copysign": (math.copysign, _PAIRS),
    "fmod": (math.fmod, _PAIRS),
    "isclose": (math.isclose, _PAIRS),
    "logaddexp": (np.logaddexp, _PAIRS),
    "power": (math.pow, [(0.4, 0.7), (2.6, -0.7), (-3.0, 2.0)]),
}


def _written(name: str, **operands: Value) -> float:
    """Evaluate what is to be written for a name, on Values."""
    numbers = {"low": -1.0, "high": 2.0, "xs": [*map(Value, _XS)], "math": math}
    found = eval(OTHER_NAMES[name], {**vars(scalargrad), **numbers, **operands})
    return float(getattr(found, "data", found))


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_what_stands_for_a_function_of_another_library_has_its_numbers(name: str) -> None:
    """The remedy computes what the function does, also where that is negative."""
    if name in _OF_ONE:
        one, points = _OF_ONE[name]
        for x in points:
            assert _written(name, x=Value(x)) == pytest.approx(float(one(x)), rel=1e-12)
        return
    two, pairs = _OF_TWO[name]
    for x, y in pairs:
        expected = float(two(x, y))
        assert _written(name, x=Value(x), y=Value(y)) == pytest.approx(expected, rel=1e-12)


def test_a_name_of_another_library_says_what_to_write() -> None:
    """What an error tells users to try, scalargrad's function for math's, has a remedy itself."""
    with pytest.raises(AttributeError, match=r"no attribute 'radians': write deg2rad\(x\)"):
        scalargrad.radians  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        scalargrad.nothing  # type: ignore[attr-defined] # noqa: B018
    assert not OTHER_NAMES.keys() & {*dir(scalargrad)}


def test_the_page_that_compares_lists_every_other_name() -> None:
    """A reader who knows another library finds each name in a row with what to write."""
    page = (Path(__file__).parents[1] / "docs" / "explained" / "compared.md").read_text("utf-8")
    for name, written in OTHER_NAMES.items():
        rows = [line for line in page.splitlines() if line.endswith(f"| `{written}` |")]
        assert any(name in row for row in rows), name
