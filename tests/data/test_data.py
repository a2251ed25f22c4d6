"""Data sets: points, digits, names, reviews and hashed features match their descriptions."""

from __future__ import annotations

import itertools
import math
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from scipy.ndimage import zoom

from scalargrad import DomainError, MissingPackageError, OperandError, data
from scalargrad.data import bag_of_words, circles, digits, names, sine, spirals, xor

MAKERS: list[tuple[Callable[..., Any], dict[str, float]]] = [
    (data.moons, {"noise": 0.2}),
    (circles, {}),
    (spirals, {}),
    (data.blobs, {}),
    (xor, {"noise": 0.1}),
    (sine, {"noise": 0.1}),
]


@pytest.mark.parametrize(("make", "options"), MAKERS)
def test_point_data_sets_are_plain_numbers_fixed_by_seed(
    make: Callable[..., Any], options: dict[str, float]
) -> None:
    """Inputs are lists of floats, targets ints or floats; another seed gives other points."""
    inputs, targets = make(40, seed=7, **options)
    assert (inputs, targets) == make(40, seed=7, **options) != make(40, seed=8, **options)
    assert make(40, seed=0, **options) == make(40, **options)
    assert len(inputs) == len(targets) == 40
    assert {type(x) for row in inputs for x in row} == {float}
    assert {type(y) for y in targets} == ({float} if make is sine else {int})
    for too_few in (0, 1) if make is sine else (0,):
        with pytest.raises(OperandError, match="n is"):
            make(too_few)
    if make in {data.blobs, spirals}:
        with pytest.raises(OperandError, match="classes"):
            make(10, classes=0)


def test_moons_and_blobs_equal_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same seed; moons does not need scikit-learn, and circles names it if missing."""
    points, labels = sklearn.datasets.make_blobs(100, centers=3, random_state=5)
    assert data.blobs(seed=5) == (points.tolist(), labels.tolist())
    make_moons = sklearn.datasets.make_moons
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for n in (1, 2, 31, 100):
        points, labels = make_moons(n_samples=n, noise=0.1, random_state=1337)
        assert data.moons(n, 0.1, seed=1337) == (points.tolist(), labels.tolist())
    with pytest.raises(MissingPackageError, match="scikit-learn"):
        circles()


def test_circles_without_noise_have_their_radii() -> None:
    """Class 0 is on the unit circle, class 1 on the circle of radius `factor`."""
    for x, y in zip(*circles(20, noise=0.0, factor=0.3), strict=True):
        assert math.hypot(*x) == pytest.approx(0.3 if y else 1.0)
    with pytest.raises(DomainError, match="factor"):
        circles(20, factor=1.0)
    with pytest.raises(OperandError, match="seed"):
        circles(20, seed=2**32)


def test_spirals_arms_are_rotated_copies_with_the_number_of_turns() -> None:
    """With three classes, a rotation by 120° maps each arm to the next."""
    inputs, targets = spirals(30, classes=3, noise=0.0)
    assert targets[:4] == [0, 1, 2, 0]
    assert [math.hypot(*inputs[i]) for i in (0, 29)] == pytest.approx([0.1, 1.0])
    rotation = complex(-0.5, math.sqrt(0.75))
    for i in range(0, 30, 3):
        arms = [complex(*x) for x in inputs[i : i + 3]]
        assert arms[1] == pytest.approx(arms[0] * rotation)
        assert arms[2] == pytest.approx(arms[1] * rotation)
    inputs, _ = spirals(400, classes=1, turns=2.0, noise=0.0)
    angles = [math.atan2(y, x) for x, y in inputs]
    steps = [(b - a) % (2 * math.pi) for a, b in itertools.pairwise(angles)]
    assert sum(steps) == pytest.approx(4 * math.pi * 399 / 400)


def test_xor_truth_table_and_sine_points() -> None:
    """The four corners are repeated; x is evenly spaced from -π to π, and y is sin x."""
    inputs, targets = xor(8)
    assert inputs[:4] == inputs[4:] == [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    assert targets == [0, 1, 1, 0] * 2
    inputs, heights = sine()
    xs = [x for (x,) in inputs]
    assert (xs[0], xs[-1]) == (-math.pi, math.pi)
    assert xs[1000] - xs[999] == pytest.approx(2 * math.pi / 1999)
    assert heights == [math.sin(x) for x in xs]


def test_digits_equal_scikit_learn() -> None:
    """The parts contain each image once, scaled to [0, 1]; every digit is in the second part."""
    train, held_out = digits()
    whole = sklearn.datasets.load_digits()
    expected = sorted(zip((whole.data / 16).tolist(), whole.target.tolist(), strict=True))
    assert sorted([*zip(*train, strict=True), *zip(*held_out, strict=True)]) == expected
    assert (min(map(min, train.inputs)), max(map(max, train.inputs))) == (0.0, 1.0)
    assert len(held_out.targets) == 360
    assert min(held_out.targets.count(digit) for digit in range(10)) >= 25


def test_digits_resized_bilinearly() -> None:
    """28 × 28 pixels equal SciPy's zoom, and keep the corners; a size of 1 is refused."""
    small, large = digits().train, digits(28).train
    assert small.targets == large.targets
    image, big = np.array(small.inputs[3]).reshape(8, 8), np.array(large.inputs[3]).reshape(28, 28)
    assert (big[0, 0], big[-1, -1]) == (image[0, 0], image[-1, -1])
    np.testing.assert_allclose(big, zoom(image, 3.5, order=1), atol=1e-12)
    with pytest.raises(OperandError, match="size"):
        digits(1)


def test_names_counts() -> None:
    """193 members and 2 observers of the United Nations, their capitals, and 118 elements."""
    kinds: list[Any] = ["country", "capital", "element"]
    assert [len(names(kind)) for kind in kinds] == [195, 195, 118]
    assert names() == [name for kind in kinds for name in names(kind)]
    for kind in kinds:
        chosen = names(kind)
        assert len({*chosen}) == len(chosen)
        assert all(name.strip() == name for name in chosen)
    with pytest.raises(DomainError, match="river"):
        names("river")  # type: ignore[arg-type]


def test_names_order_of_capitals_and_elements() -> None:
    """Capitals are in the order of countries, elements in the order of atomic numbers."""
    capital_of = dict(zip(names("country"), names("capital"), strict=True))
    assert (capital_of["France"], capital_of["Zambia"]) == ("Paris", "Lusaka")
    for number, name in ((1, "Hydrogen"), (74, "Tungsten"), (118, "Oganesson")):
        assert names("element")[number - 1] == name


def test_sentiment_reviews_are_balanced_and_distinct() -> None:
    """Half are positive; no single word determines the class; both classes have negations."""
    train, held_out = data.sentiment()
    assert (len(train.inputs), len(held_out.inputs)) == (166, 42)
    for part in (train, held_out):
        assert 2 * sum(part.targets) == len(part.targets)
    assert len({*train.inputs, *held_out.inputs}) == 208
    bags = [(set(data.words(review)), y) for review, y in zip(*train, strict=True)]
    for word in set().union(*(bag for bag, _ in bags)):
        good = sum(word in bag for bag, y in bags if y)
        bad = sum(word in bag for bag, y in bags if not y)
        assert min(good, bad) > 0 or max(good, bad) < 41
    assert {y for bag, y in bags if {"not", "never", "nothing"} & bag} == {0, 1}


def test_bag_of_words_counts_words_by_crc32() -> None:
    """Words consist of letters; the index is CRC-32 modulo the size."""
    assert data.words("It's 5 o'clock, café!") == ["it's", "o'clock", "café"]
    assert data.words("A-b_c") == ["a", "b", "c"]
    assert bag_of_words("123456789 well well") == {zlib.crc32(b"well") % 10_000: 2.0}
    assert bag_of_words("") == {}
    assert bag_of_words("one two three", size=1) == {0: 3.0}
    with pytest.raises(OperandError, match="size"):
        bag_of_words("word", size=0)
