"""Errors of pictures, subgraphs and plots."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scalargrad import Value, draw, ops, plots
from scalargrad.nn import MLP
from scalargrad.plots import confusion_matrix, decision_boundary, first_layer_weights, loss_curve
from scalargrad.show.graphs import network

_X = Value(2.0, "x")


_POINTS = [[0.0, 1.0], [1.0, 1.0]]


def open_a_part_that_is_not_there() -> None:
    """Misspell a path."""
    model = MLP(2, [3, 1], rng=0)
    draw(model([Value(1.0), Value(2.0)]), model=model, open="layer.1")


class _Empty:
    layers: tuple[Any, ...] = ()


CASES: dict[str, Callable[[], object]] = {
    "draw_a_number": lambda: draw(3.0),  # type: ignore[arg-type]
    "draw_in_an_unknown_direction": lambda: draw(_X, direction="sideways"),
    "draw_a_negative_depth": lambda: draw(_X, depth=-1),
    "draw_too_coarsely": lambda: draw(_X, dpi=2),
    "draw_beyond_the_limit": lambda: draw(ops.sum([_X] * 41), limit=10),
    "draw_copies_beyond_the_limit": lambda: draw(_X * _X, copies=True, limit=1),
    "highlight_a_stranger": lambda: draw(_X * 2.0, highlight=Value(7.0, "stranger")),
    "highlight_a_number": lambda: draw(_X, highlight=3.0),  # type: ignore[arg-type]
    "save_under_an_unknown_suffix": lambda: draw(_X).save(Path("f.gif")),
    "network_of_a_number": lambda: network(3.0),
    "network_beyond_the_limit": lambda: network(MLP(4, [5, 1], rng=0), limit=24),
    "network_without_layers": lambda: network(_Empty()),
    "losses_and_accuracies_of_two_lengths": lambda: loss_curve([2.0, 1.0], [0.5]),
    "columns_without_epochs": lambda: plots.training_curves({"loss": [1.0]}),
    "points_in_space": lambda: decision_boundary(lambda p: 0.0, [[1.0, 2.0, 3.0]], [1]),
    "a_point_at_infinity": lambda: decision_boundary(lambda p: 0.0, [[1.0, math.inf]], [1]),
    "a_class_that_the_model_does_not_score": lambda: decision_boundary(
        lambda p: [p[0], p[1]], _POINTS, [0, 2], 3
    ),
    "labels_that_no_sign_can_tell": lambda: decision_boundary(lambda p: p[0], _POINTS, [1, 2], 3),
    "points_and_labels_of_two_lengths": lambda: decision_boundary(lambda p: p[0], _POINTS, [0], 3),
    "no_points": lambda: decision_boundary(lambda p: p[0], [], []),
    "truths_and_predictions_of_two_lengths": lambda: confusion_matrix([0, 1], [0]),
    "a_class_without_a_name": lambda: confusion_matrix([1, 2, 3], [1, 2, 2], ["a", "b", "c"]),
    "a_label_that_is_no_class": lambda: confusion_matrix(["cat"], ["dog"]),  # type: ignore[list-item]
    "a_label_below_zero": lambda: confusion_matrix([-2, 1], [1, 1]),
    "half_a_class": lambda: confusion_matrix([0.5], [1]),  # type: ignore[list-item]
    "one_class_and_no_name_for_another": lambda: confusion_matrix([1], [0], ["a"]),
    "curves_of_nothing": lambda: plots.loss_curves({}),
    "curves_of_no_activation": lambda: plots.activation_curves([]),
    "axes_of_a_word": lambda: loss_curve([1.0], ax="axes"),  # type: ignore[arg-type]
    "a_figure_that_is_a_number": lambda: first_layer_weights([[1.0]], (1, 1), figure=3),  # type: ignore[arg-type]
    "an_image_of_one_side": lambda: first_layer_weights([[1.0]], (1,)),  # type: ignore[arg-type]
    "weights_that_are_no_image": lambda: first_layer_weights([[1.0, 2.0, 3.0]], (2, 2)),
}
