"""Write the pictures of the README and the gallery: a graph, two step pages and a training page.

    python -m examples.pictures [FOLDER]

This is how the pictures in docs/images are made. Pages are photographed in Chromium,
driven by Playwright, which the extra [oracles] brings.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.step_pages import PAGES
from examples.training_page import moons
from scalargrad import draw
from scalargrad.demo import sigmoid_neuron

#: Browsers that draw the same pages; the first has no windows and is faster.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def photograph(page: Path, state: str, picture: Path, width: int, height: int) -> Path:
    """Write a picture (PNG) of the window with a page in a state, such as "step=40"."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        window = browser.new_page(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        window.goto(f"{page.as_uri()}#{state}")
        window.screenshot(path=picture)
        browser.close()
    return picture


def graph(folder: Path) -> Path:
    """Draw the sigmoid neuron after its backward pass."""
    f = sigmoid_neuron()
    f.backward()
    return draw(f).save(folder / "sigmoid.svg")


def step_page(folder: Path) -> Path:
    """Photograph the walk through a weight that fans out, when one of its two terms is known."""
    with TemporaryDirectory() as scratch:
        page = PAGES["regularised"]().save(Path(scratch) / "page.html")
        return photograph(page, "step=23", folder / "step-page.png", 1536, 700)


def attention(folder: Path) -> Path:
    """Photograph one head of attention where nothing flows back to the masked score."""
    with TemporaryDirectory() as scratch:
        page = PAGES["attention"]().save(Path(scratch) / "page.html")
        return photograph(page, "step=115", folder / "attention.png", 1280, 720)


def training_page(folder: Path) -> Path:
    """Photograph the training on two moons at epoch 40, one example selected."""
    with TemporaryDirectory() as scratch:
        page = moons().save(Path(scratch) / "page.html", title="Training on two moons")
        return photograph(page, "step=40&example=17", folder / "training-page.png", 1280, 800)


PICTURES = {
    "sigmoid.svg": graph,
    "step-page.png": step_page,
    "attention.png": attention,
    "training-page.png": training_page,
}


def write(folder: Path) -> list[Path]:
    """Write every picture into `folder` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [draw_it(folder) for draw_it in PICTURES.values()]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if sys.argv[1:] else "docs/images")):
        print(path)
