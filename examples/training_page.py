"""Write the training of a small network on two moons as a page, one HTML file.

    python examples/training_page.py [FOLDER]

This is how docs/pages/training-on-two-moons.html is made.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scalargrad import data, watch
from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.training import TrainingPage


def moons(epochs: int = 100) -> TrainingPage:
    """Train the network of micrograd's demo on its two moons, without its weak L2 penalty.

    References
    ----------
    A. Karpathy, micrograd, 2020.
    """
    points = data.moons(100, 0.1, seed=1337)
    labels = [2 * y - 1 for y in points.targets]
    model = MLP(2, [16, 16, 1], rng=1337)
    optimizer = SGD(model.parameters(), lr=1.0)
    return watch(
        model,
        points.inputs,
        labels,
        loss=hinge_loss,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=epochs),
        epochs=epochs,
        batch_size=None,
        shuffle=False,
        quiet=True,
        target_names=["upper moon", "lower moon"],
    )


def write(folder: Path) -> Path:
    """Write the page into `folder` and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    return moons().save(folder / "training-on-two-moons.html", title="Training on two moons")


if __name__ == "__main__":
    print(write(Path(sys.argv[1] if sys.argv[1:] else "docs/pages")))
