"""Losses of many classes inside compiled functions, where the classes are arguments."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from scalargrad import jit, value_and_grad
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


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5])
def test_a_class_out_of_range_is_an_error_compiled_too(wrong: float) -> None:
    """An argument that names no class raises what it raises eagerly."""
    compiled = jit(cross_entropy)
    compiled(_SCORES, [0.0, 1.0, 2.0, 1.0])
    with pytest.raises(ScalargradError, match="cross_entropy: a target is"):
        compiled(_SCORES, [0.0, 1.0, 2.0, wrong])
