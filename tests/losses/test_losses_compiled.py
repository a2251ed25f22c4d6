"""Losses of many classes inside compiled functions, where the classes are arguments."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from scalargrad import jit, value_and_grad, vmap
from scalargrad.errors import ScalargradError
from scalargrad.losses import cross_entropy, multi_margin_loss, nll_loss

_SCORES = [[0.2, -1.0, 0.5], [1.5, 0.3, -0.2], [-0.4, 0.1, 0.9], [0.0, 2.0, 1.0]]
_LOSSES: dict[str, Any] = {
    "cross-entropy": cross_entropy,
    "weighted": partial(cross_entropy, weight=[1.0, 2.0, 0.5]),
    "smoothed": partial(cross_entropy, label_smoothing=0.2, ignore_index=2),
    "nll": partial(nll_loss, ignore_index=0),
    "margin": partial(multi_margin_loss, weight=[0.5, 1.0, 2.0]),
    "squared margin": partial(multi_margin_loss, p=2),
}


@pytest.mark.parametrize("loss", _LOSSES.values(), ids=_LOSSES.keys())
def test_classes_may_be_arguments_of_a_compiled_function(loss: Any) -> None:
    """One program serves all classes: values and gradients equal eager ones for each."""
    compiled = jit(value_and_grad(loss))
    for classes in ([0, 1, 2, 1], [2, 2, 1, 0], [1, 1, 1, 1]):
        value, gradient = value_and_grad(lambda z, t=classes: loss(z, t))(_SCORES)
        found, slopes = compiled(_SCORES, classes)
        assert found == pytest.approx(value, rel=1e-13)
        assert np.array(slopes) == pytest.approx(np.array(gradient), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("loss", _LOSSES.values(), ids=_LOSSES.keys())
def test_classes_may_be_examples_of_vmap(loss: Any) -> None:
    """One example, recorded for all, stands for every class: losses and slopes equal eager ones."""
    total = partial(loss, reduction="sum")
    each = vmap(value_and_grad(total), in_axes=(0, 0))
    for classes in ([0, 1, 2, 1], [2, 2, 1, 0]):
        found, slopes = jit(each)(np.array(_SCORES), np.array(classes))
        eager = [value_and_grad(total)(z, t) for z, t in zip(_SCORES, classes, strict=True)]
        assert found == pytest.approx([loss for loss, _ in eager], rel=1e-13)
        assert slopes == pytest.approx(np.array([x for _, x in eager]), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_examples_without_a_class_are_left_out_compiled_too(loss: Any) -> None:
    """The mean is over the examples that are not of class -100, whichever these are."""
    compiled = jit(loss)
    for classes in ([0, -100, 2, 1], [-100, -100, 1, 0], [0, 1, 2, 1]):
        assert compiled(_SCORES, classes) == pytest.approx(loss(_SCORES, classes), rel=1e-13)
    with pytest.raises(ScalargradError, match="every example is ignored"):
        compiled(_SCORES, [-100] * 4)


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5])
def test_a_class_out_of_range_is_an_error_compiled_too(wrong: float) -> None:
    """An argument that names no class raises what it raises eagerly."""
    compiled = jit(cross_entropy)
    compiled(_SCORES, [0.0, 1.0, 2.0, 1.0])
    with pytest.raises(ScalargradError, match="cross_entropy: a target is"):
        compiled(_SCORES, [0.0, 1.0, 2.0, wrong])
    each = jit(vmap(cross_entropy))
    each(np.array(_SCORES), np.array([0.0, 1.0, 2.0, 1.0]))
    with pytest.raises(ScalargradError, match="cross_entropy: a target is"):
        each(np.array(_SCORES), np.array([0.0, 1.0, 2.0, wrong]))
