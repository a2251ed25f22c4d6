"""The replay corpus: values and gradients of jit are those of eager code."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.replay import PROGRAMS, corpus
from scalargrad import Value, disable_jit, gradients

for module in pkgutil.iter_modules(corpus.__path__):
    importlib.import_module(f"{corpus.__name__}.{module.name}")

#: Programs that take about a second or longer; most of them have a shorter relative.
SLOW = {
    *map("gradbench.{}".format, ("ba", "gmm", "kmeans", "lstm", "particle", "saddle")),
    *("gpt.of_parameters", "gpt.of_three_layers", "gradbench.data_handed_on", "models.gpt"),
    *("loops.after_a_swing", "loops.cells_that_learn", "models.logistic_growth"),
    *("loops.edit_distance", "loops.wave_on_a_square", "nests.bodies", "networks.encoder"),
    *("sums.covariance", "sums.page_rank", "textbook.gauss_jordan", "textbook.householder"),
    *("training.momentum_in_one_program", "vmap_and_scan.planets"),
}
#: Programs that take several seconds; `headlines.moons_by_scan` and momentum test the same code.
LEFT_OUT = {"headlines.moons_of_tanh_by_scan", "training.descent_by_scan"}


def numbers(tree: Any) -> list[Any]:
    """Return the numbers and Values of a result in order."""
    if isinstance(tree, dict):
        return [x for key in sorted(tree, key=repr) for x in numbers(tree[key])]
    if isinstance(tree, np.ndarray):
        return numbers(tree.tolist())
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in numbers(part)]
    if hasattr(tree, "__dict__") and not isinstance(tree, Value):
        return numbers(vars(tree))
    return [tree] if isinstance(tree, int | float | Value) else []


def outcome(call: Callable[[], Any], leaves: Sequence[Value]) -> list[float] | type[Exception]:
    """Return the numbers of a result and the gradients of their sum, or the class of an error."""
    try:
        found = numbers(call())
        total = [x for x in found if isinstance(x, Value)]
        slopes = gradients(sum(total, Value(0.0)), [*leaves], allow_nonfinite=True)
    except Exception as error:  # noqa: BLE001
        return type(error)
    return [*(float(x.data if isinstance(x, Value) else x) for x in found), *slopes]


def close(x: float, y: float, magnitude: float) -> bool:
    """Return True if two numbers agree, relative to this magnitude."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return x == y or (math.isnan(x) and math.isnan(y))
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12 * magnitude)


@pytest.mark.differential
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x, marks=pytest.mark.wide) if x in SLOW else x
        for x in sorted({*PROGRAMS} - LEFT_OUT)
    ],
)
def test_jit_of_a_corpus_program_matches_eager_code(name: str) -> None:
    """At the first call and at the second."""
    function, args = PROGRAMS[name]()
    leaves = [x for x in numbers(args) if isinstance(x, Value)]
    with disable_jit():
        expected = outcome(lambda: function(*args), leaves)
    for _ in range(2):
        found = outcome(lambda: function(*args), leaves)
        if isinstance(expected, type) or isinstance(found, type):
            assert found == expected
        else:
            magnitude = max([1.0, *(abs(x) for x in expected if math.isfinite(x))])
            assert len(found) == len(expected)
            pairs = zip(found, expected, strict=True)
            assert [pair for pair in pairs if not close(*pair, magnitude)] == []


def test_explain_of_a_gpt_of_three_layers_has_fewer_than_2_000_lines() -> None:
    """Its tens of thousands of operations are compiled as loops."""
    function: Any
    function, args = PROGRAMS["gpt.of_three_layers"]()
    assert len(str(function.explain(*args)).splitlines()) < 2000
