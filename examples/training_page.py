"""Write the training of a small network on two moons as a page, one HTML file.

    python examples/training_page.py [FOLDER]
    python examples/training_page.py --picture docs/images/training-page.png

This is how docs/pages/training-on-two-moons.html is made, and its picture in the README. The
picture is taken by Chromium, driven by Playwright, which the extra [oracles] brings.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scalargrad import data, watch
from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.training import TrainingPage

#: Programs that draw pages alike; the first has no windows and is quicker.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


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


def photograph(path: Path) -> Path:
    """Write a picture (PNG) of the page at epoch 40, one example selected."""
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.goto(f"{write(Path(folder)).as_uri()}#step=40&example=17")
        page.screenshot(path=path)
        browser.close()
    return path


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--picture", path]:
            print(photograph(Path(path)))
        case [folder]:
            print(write(Path(folder)))
        case _:
            print(write(Path("docs/pages")))
