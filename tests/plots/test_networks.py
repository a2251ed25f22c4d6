"""Plots of the inside of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalargrad import relu, tanh
from scalargrad.errors import OperandError
from scalargrad.plots import activation_curves, first_layer_weights
from scalargrad.value import Parameter


@pytest.fixture
def ax() -> Axes:
    """Axes that no window and no pyplot knows of."""
    return Figure().subplots()


def test_each_activation_has_its_curve_and_its_derivative(ax: Axes) -> None:
    """Tanh is drawn as NumPy's, and its dashed derivative as 1 - tanh²."""
    activation_curves([relu, tanh], -2.0, 2.0, 41, ax)
    xs = np.linspace(-2, 2, 41)
    curve, slope = ax.get_lines()[2:]
    assert np.asarray(curve.get_ydata()) == pytest.approx(np.tanh(xs))
    assert np.asarray(slope.get_ydata()) == pytest.approx(1 - np.tanh(xs) ** 2)
    assert slope.get_linestyle() == "--"
    assert [line.get_label() for line in ax.get_lines()] == ["relu", "relu'", "tanh", "tanh'"]


def test_a_function_without_gradient_has_slope_zero(ax: Axes) -> None:
    """A hard threshold returns a plain number, whose derivative is 0."""

    def threshold(x: float) -> float:
        return 1.0 if x > 0 else 0.0

    activation_curves([threshold], -1.0, 1.0, 3, ax)
    step, slope = (list(np.asarray(line.get_ydata())) for line in ax.get_lines())
    assert step == [0.0, 0.0, 1.0]
    assert slope == [0.0] * 3


def test_weights_are_drawn_row_by_row_on_one_scale() -> None:
    """Each neuron is an image of its weights, and the largest weight of all sets the scale."""
    weights: list[list[Any]] = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [Parameter(-8.0)] * 6, [0.0] * 6]
    figure = first_layer_weights(weights, (2, 3), columns=2, figure=Figure())
    images = [ax.images[0] for ax in figure.axes[:3]]
    assert np.asarray(images[0].get_array()).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert {image.get_clim() for image in images} == {(-8.0, 8.0)}
    assert not figure.axes[3].images


def test_weights_of_zero_are_white() -> None:
    """A layer of zeros has a scale too, and draws white images."""
    figure = first_layer_weights([[0.0] * 4], (2, 2), figure=Figure())
    image = figure.axes[0].images[0]
    assert np.asarray(image.to_rgba(np.zeros((2, 2)))).min() == pytest.approx(1.0, abs=0.01)


def test_without_a_figure_pyplot_makes_one() -> None:
    """By default the images go on a new figure."""
    import matplotlib.pyplot as plt

    figure = first_layer_weights([[1.0]], (1, 1))
    assert plt.gcf() is figure
    plt.close(figure)


def test_few_neurons_leave_no_gap() -> None:
    """Two images stand beside the scale, without six empty places."""
    figure = first_layer_weights([[0.5] * 4, [1.0] * 4], (2, 2), columns=8, figure=Figure())
    assert len(figure.axes) == 2 + 1


def test_weights_that_are_no_image_are_refused() -> None:
    """The error states how many weights there are and how many pixels."""
    with pytest.raises(OperandError, match=r"2 × 2 needs 4 weights per neuron; given \[3\]"):
        first_layer_weights([[1.0, 2.0, 3.0]], (2, 2))
