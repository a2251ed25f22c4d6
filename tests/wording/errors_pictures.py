"""Errors of pictures, folds and plots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalargrad import Value, draw, ops
from scalargrad.nn import MLP
from scalargrad.plots import (
    activation_curves,
    confusion_matrix,
    decision_boundary,
    first_layer_weights,
    loss_curve,
    loss_curves,
    training_curves,
)
from scalargrad.show.graphs import network
from scalargrad.show.subgraphs import fold

_X = Value(2.0, "x")


@dataclass
class _Travel:
    node: Value
    parent: Value


_POINTS = [[0.0, 1.0], [1.0, 1.0]]


def draw_a_number() -> None:
    """Draw what has no graph."""
    draw(3.0)  # type: ignore[arg-type]


def draw_in_an_unknown_direction() -> None:
    """Neither of the two."""
    draw(_X, direction="sideways")


def draw_a_negative_depth() -> None:
    """There is no level -1."""
    draw(_X, depth=-1)


def draw_too_many_digits() -> None:
    """Ask for more than a float has."""
    draw(_X, digits=18)


def highlight_a_line_that_is_not_there() -> None:
    """Step from a gate to what it does not read."""
    y = _X * 2.0 + 1.0
    draw(y, highlight=_Travel(y, _X))


def draw_too_coarsely() -> None:
    """Of two dots per inch nothing can be seen."""
    draw(_X, dpi=2)


def draw_an_unknown_colour() -> None:
    """Neither of the two quantities."""
    draw(_X, color="grad")  # type: ignore[arg-type]


def draw_beyond_the_limit() -> None:
    """Lines count as well as nodes."""
    draw(ops.sum([_X] * 41), limit=10)


def draw_copies_beyond_the_limit() -> None:
    """Nothing can be folded then."""
    draw(_X * _X, copies=True, limit=4)


def open_a_part_that_is_not_there() -> None:
    """Misspell a path."""
    model = MLP(2, [3, 1], rng=0)
    draw(model([Value(1.0), Value(2.0)]), model=model, open="layer.1")


def highlight_a_stranger() -> None:
    """Take a Value that the root was not computed from."""
    draw(_X * 2.0, highlight=Value(7.0, "stranger"))


def highlight_a_number() -> None:
    """Neither a Value nor a step."""
    draw(_X, highlight=3.0)  # type: ignore[arg-type]


def save_under_an_unknown_suffix() -> None:
    """Ask for a format that there is not."""
    draw(_X).save(Path("f.gif"))


def fold_with_no_module() -> None:
    """Give a class instead of a module."""
    fold(_X, model=MLP)  # type: ignore[arg-type]


def find_no_fold() -> None:
    """Look in a graph so small that it has none."""
    fold(_X).find("layers.0")


def network_of_a_number() -> None:
    """Draw what has no layers."""
    network(3.0)


def network_beyond_the_limit() -> None:
    """More weights than can be told apart."""
    network(MLP(4, [5, 1], rng=0), limit=24)


class _Empty:
    layers: tuple[Any, ...] = ()


def network_without_layers() -> None:
    """Nothing to draw."""
    network(_Empty())


def losses_and_accuracies_of_two_lengths() -> None:
    """One for each step."""
    loss_curve([2.0, 1.0], [0.5])


def columns_without_epochs() -> None:
    """Leave out what a history has."""
    training_curves({"loss": [1.0]})


def points_in_space() -> None:
    """Give three coordinates for a plane."""
    decision_boundary(lambda p: 0.0, [[1.0, 2.0, 3.0]], [1])


def a_point_at_infinity() -> None:
    """Give a point that is in no plane."""
    decision_boundary(lambda p: 0.0, [[1.0, math.inf]], [1])


def a_class_that_the_model_does_not_score() -> None:
    """Two scores have no class 2."""
    decision_boundary(lambda p: [p[0], p[1]], _POINTS, [0, 2], 3)


def labels_that_no_sign_can_tell() -> None:
    """Of labels 1 and 2 both would be positive."""
    decision_boundary(lambda p: p[0], _POINTS, [1, 2], 3)


def points_and_labels_of_two_lengths() -> None:
    """Give one label for two points."""
    decision_boundary(lambda p: p[0], _POINTS, [0], 3)


def no_points() -> None:
    """Draw no plane."""
    decision_boundary(lambda p: p[0], [], [])


def truths_and_predictions_of_two_lengths() -> None:
    """One for each."""
    confusion_matrix([0, 1], [0])


def a_class_without_a_name() -> None:
    """Classes are numbered from 0."""
    confusion_matrix([1, 2, 3], [1, 2, 2], ["a", "b", "c"])


def a_label_that_is_no_class() -> None:
    """Give a word."""
    confusion_matrix(["cat"], ["dog"])  # type: ignore[list-item]


def a_label_below_zero() -> None:
    """Count from -2."""
    confusion_matrix([-2, 1], [1, 1])


def half_a_class() -> None:
    """Call a class 0.5."""
    confusion_matrix([0.5], [1])  # type: ignore[list-item]


def one_class_and_no_name_for_another() -> None:
    """Name one of two."""
    confusion_matrix([1], [0], ["a"])


def curves_of_nothing() -> None:
    """Plot no loss."""
    loss_curves({})


def curves_of_no_activation() -> None:
    """Plot no activation."""
    activation_curves([])


def axes_of_a_word() -> None:
    """Give no axes."""
    loss_curve([1.0], ax="axes")  # type: ignore[arg-type]


def a_figure_that_is_a_number() -> None:
    """Give no figure."""
    first_layer_weights([[1.0]], (1, 1), figure=3)  # type: ignore[arg-type]


def an_image_of_one_side() -> None:
    """Leave out the width."""
    first_layer_weights([[1.0]], (1,))  # type: ignore[arg-type]


def weights_that_are_no_image() -> None:
    """One for each pixel."""
    first_layer_weights([[1.0, 2.0, 3.0]], (2, 2))
