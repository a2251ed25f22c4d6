"""Training pages for the tests, each created once, and functions to read and use one."""

from __future__ import annotations

from functools import cache
from typing import Any

from scalargrad import watch
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.show.training import TrainingPage

HOSTILE = "</script><img src=x onerror=alert(1)><!--"

#: Twelve points of two classes that are linearly separable.
POINTS = [[0.4 * i - 2.2, (-1.0) ** i * 0.3 + 0.1 * i] for i in range(12)]
LABELS = [int(x + y > 0.2) for x, y in POINTS]


def network() -> MLP:
    """Return three tanh units and an output, always with the same weights."""
    return MLP(2, [3, 1], activation="tanh", rng=4)


def watched(model: Any, inputs: Any, targets: Any, loss: Any, **options: Any) -> TrainingPage:
    """Watch five epochs of gradient descent at a rate of 0.1."""
    optimizer = SGD(model.parameters(), lr=0.1)
    options = {"optimizer": optimizer, "epochs": 5, "quiet": True, **options}
    return watch(model, inputs, targets, loss=loss, **options)


@cache
def classifier() -> tuple[TrainingPage, MLP]:
    """Watch plain gradient descent for thirty steps, and return the trained model too."""
    model = network()
    optimizer = SGD(model.parameters(), lr=0.5)
    loss = binary_cross_entropy_with_logits
    options: dict[str, Any] = {"optimizer": optimizer, "epochs": 30}
    page = watched(model, POINTS, LABELS, loss, batch_size=None, shuffle=False, **options)
    return page, model


@cache
def others() -> dict[str, TrainingPage]:
    """Watch other tasks, a few steps each: three classes, a curve, a surface, many inputs."""
    grid = [[i / 2 - 1, j / 2 - 1] for i in range(5) for j in range(5)]
    wide = [[0.1 * i, -0.2 * i, 0.3, 0.05 * i * i] for i in range(10)]
    classes = [(i * i + i) % 3 for i in range(25)]
    squares = [x**2 for x, _ in grid]
    names = ["first", "b", HOSTILE, "the last one"]
    return {
        "three classes": watched(
            MLP(2, [4, 3], rng=0), grid, classes, cross_entropy, target_names=["a", HOSTILE, "c"]
        ),
        "curve": watched(MLP(1, [4, 1], "tanh", rng=0), [[x] for x, _ in grid], squares, mse_loss),
        "surface": watched(MLP(2, [4, 2], rng=0), grid, [[x * y, x] for x, y in grid], mse_loss),
        "four inputs": watched(
            MLP(4, [3, 1], rng=0),
            wide,
            [i % 2 for i in range(10)],
            binary_cross_entropy_with_logits,
            plane=(3, 1),
            feature_names=names,
        ),
    }


def at(page: Any) -> str:
    """Return the position on the page."""
    return said(page, "counter")


def said(page: Any, id: str = "sentence") -> str:
    """Return a text of the page."""
    text: str = page.locator(f"#{id}").text_content()
    return text


def field(page: Any, id: str, value: str) -> None:
    """Type into a control, and leave it."""
    page.locator(f"#{id}").fill(value)
    page.locator(f"#{id}").dispatch_event("change")


def numbers(page: Any) -> dict[str, Any]:
    """Return the numbers of the current snapshot, with all digits."""
    found: dict[str, Any] = page.evaluate("scalargrad.numbers()")
    return found
