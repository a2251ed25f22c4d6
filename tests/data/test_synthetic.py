"""Points made by rule and by seeded chance."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import sklearn.datasets

from scalargrad.data import blobs, circles, moons, sine, spirals, xor
from scalargrad.errors import MissingPackageError, OperandError

MAKERS: list[Callable[..., Any]] = [moons, circles, spirals, blobs, xor, sine]
SEEDED = [
    (moons, {"noise": 0.2}),
    (circles, {}),
    (spirals, {}),
    (blobs, {}),
    (xor, {"noise": 0.1}),
    (sine, {"noise": 0.1}),
]


@pytest.mark.parametrize(("make", "options"), SEEDED)
def test_equal_seeds_give_equal_data_and_other_seeds_other_data(
    make: Callable[..., Any], options: dict[str, float]
) -> None:
    """A seed fixes every number; another seed gives other numbers."""
    assert make(40, seed=7, **options) == make(40, seed=7, **options)
    assert make(40, seed=7, **options) != make(40, seed=8, **options)


@pytest.mark.parametrize("make", MAKERS)
def test_data_are_plain_python_numbers(make: Callable[..., Any]) -> None:
    """Inputs are lists of float and targets int or float: nothing of NumPy leaks out."""
    inputs, targets = make(12)
    assert len(inputs) == len(targets) == 12
    assert {type(x) for row in inputs for x in row} == {float}
    assert {type(y) for y in targets} == ({float} if make is sine else {int})


@pytest.mark.parametrize("make", MAKERS)
def test_too_few_points_are_refused(make: Callable[..., Any]) -> None:
    """No points, or a curve of one point, is an error that states the number given."""
    with pytest.raises(OperandError, match="n is 0; give"):
        make(0)


@pytest.mark.parametrize("make", [blobs, spirals])
def test_no_classes_are_refused(make: Callable[..., Any]) -> None:
    """A set of points needs at least one class."""
    with pytest.raises(OperandError, match="classes is 0"):
        make(10, classes=0)


def test_moons_are_those_of_scikit_learn() -> None:
    """The points are exactly scikit-learn's of the same seed."""
    points, labels = sklearn.datasets.make_moons(n_samples=30, noise=0.1, random_state=1337)
    assert moons(30, 0.1, seed=1337) == (points.tolist(), labels.tolist())


def test_circles_without_noise_lie_on_their_radii() -> None:
    """Class 0 is on the unit circle, class 1 on the circle of the factor."""
    for x, y in zip(*circles(20, noise=0.0, factor=0.3), strict=True):
        assert math.hypot(*x) == pytest.approx(0.3 if y else 1.0)


def test_blobs_are_shared_evenly_and_spread_as_asked() -> None:
    """Each class has its share of points, at the asked standard deviation."""
    inputs, targets = blobs(3000, classes=3, spread=2.0, seed=3)
    assert Counter(targets) == {0: 1000, 1: 1000, 2: 1000}
    first = [x[0] for x, y in zip(inputs, targets, strict=True) if y == 0]
    assert statistics.stdev(first) == pytest.approx(2.0, rel=0.1)


def test_spiral_arms_are_rotations_of_each_other() -> None:
    """With three classes, a third of a turn takes each arm to the next."""
    inputs, targets = spirals(30, classes=3, noise=0.0)
    assert targets[:4] == [0, 1, 2, 0]
    turn = complex(-0.5, math.sqrt(0.75))
    for i in range(0, 30, 3):
        arms = [complex(*x) for x in inputs[i : i + 3]]
        assert arms[1] == pytest.approx(arms[0] * turn)
        assert arms[2] == pytest.approx(arms[1] * turn)


def test_a_spiral_winds_as_often_as_asked() -> None:
    """With two turns, the last point has gone round twice: its angle is that of the start."""
    inputs, _ = spirals(400, classes=1, turns=2.0, noise=0.0)
    angles = [math.atan2(y, x) for x, y in inputs]
    steps = [(b - a) % (2 * math.pi) for a, b in itertools.pairwise(angles)]
    assert sum(steps) == pytest.approx(4 * math.pi * 399 / 400)


def test_xor_is_the_truth_table_and_repeats() -> None:
    """The four corners come in turn, with exclusive or as the class."""
    inputs, targets = xor(8)
    assert inputs[:4] == inputs[4:] == [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    assert targets == [0, 1, 1, 0] * 2


def test_sine_spans_one_period_evenly() -> None:
    """Points run from -π to π in equal steps, and y is sin x."""
    inputs, targets = sine(2000)
    xs = [x for (x,) in inputs]
    assert (xs[0], xs[-1]) == (-math.pi, math.pi)
    assert xs[1000] - xs[999] == pytest.approx(2 * math.pi / 1999)
    assert targets == [math.sin(x) for x in xs]


def test_without_scikit_learn_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Data of scikit-learn's without scikit-learn name the package to install."""
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(MissingPackageError, match=r"python -m pip install scikit-learn$"):
        moons()
