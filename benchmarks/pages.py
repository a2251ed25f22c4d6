"""Step pages of large graphs: how long they take to write and to open, and how large they are.

Also the frames of a training page, each computed, drawn and laid out.

    python -m pip install -e '.[all,oracles]'
    python -m benchmarks.pages [--write docs/benchmarks.md]

A page is open when the browser has laid it out and drawn its first step; a step ends with the
layout that follows it. The variable CHROMIUM names the browser; without it, Chromium is searched on
the path.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import scalargrad as sg
from benchmarks.comparing import Items, main
from benchmarks.measuring import seconds
from benchmarks.reporting import Finding, duration
from scalargrad import data
from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.show.steps import Walk, walk
from scalargrad.show.training import TrainingPage, watch

#: Number of times a page is opened.
ROUNDS = 5

_OPEN = "performance.getEntriesByType('navigation')[0].domComplete"
# Milliseconds of a step or a frame.
_SHOW = """([show, k]) => {
  const start = performance.now();
  scalargrad[show](k);
  document.documentElement.getBoundingClientRect();
  return performance.now() - start;
}"""
# Snapshots per second if each is shown for one frame of the screen.
_PLAY = """async ([frames, count]) => {
  await new Promise(requestAnimationFrame);
  const start = performance.now();
  for (let i = 0; i < frames; i += 1) {
    scalargrad.frame(i % count);
    await new Promise(requestAnimationFrame);
  }
  return 1e3 * frames / (performance.now() - start);
}"""


def training_page() -> TrainingPage:
    """Watch the training on two moons for sixty epochs."""
    points = data.moons(100, 0.1, seed=1337)
    model = MLP(2, [16, 16, 1], rng=1337)
    sides, optimizer = [2 * y - 1 for y in points.targets], SGD(model.parameters(), lr=0.5)
    options: dict[str, Any] = {"epochs": 60, "batch_size": None, "quiet": True}
    return watch(model, points.inputs, sides, loss=hinge_loss, optimizer=optimizer, **options)


def network() -> Walk:
    """Walk through the squared error of an MLP of 1,780 nodes, divided by its modules."""
    model = MLP(16, [32, 32, 1], activation="tanh", rng=1)
    error = sg.square(model([sg.Value(0.1 * i, f"x{i}") for i in range(16)]) - 1.0)
    return walk(error, model=model)


def plain_graph() -> Walk:
    """Walk through a network of + and × in loops, 1,945 nodes, divided by the graph alone."""
    x: list[sg.Value] = [sg.Value(0.1 * i, f"x{i}") for i in range(8)]
    for width in (24, 17, 1):
        weights = [[0.1 * ((i + 2 * j) % 7 - 3) for i in range(len(x))] for j in range(width)]
        x = [sg.tanh(sum(map(_product, row, x), sg.Parameter(0.0, "b"))) for row in weights]
    return walk(sg.square(x[0] - 1.0))


def _product(weight: float, x: sg.Value) -> sg.Value:
    return sg.Parameter(weight, "w") * x


def step_page(browser: Any, path: Path, name: str, steps: Walk) -> Iterator[Finding]:
    """Measure a graph: time to write, size, time to open, and steps between distant places."""
    what = f"{name}, {len(steps.graph.order):,} nodes"
    yield duration(f"{what}: written", seconds(partial(steps.save, path)))
    yield Finding(f"{what}: size", "", f"{path.stat().st_size / 1e6:.2f} MB", None)
    opening, stepping = [], []
    for _ in range(ROUNDS):
        page = browser.new_page()
        page.goto(path.as_uri())
        opening.append(page.evaluate(_OPEN) / 1e3)
        places = [len(steps) * k // 20 for k in range(1, 20)]
        stepping += [page.evaluate(_SHOW, ["goTo", k]) / 1e3 for k in places]
        page.close()
    yield duration(f"{what}: opened", median(opening), 2.0)
    yield duration(f"{what}: a step", median(stepping))


def frames(browser: Any, path: Path, training: TrainingPage) -> Iterator[Finding]:
    """Measure the frames of a training page: computed one by one, and played."""
    training.save(path)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(path.as_uri())
    count = len(training.snapshots)
    places = [7 * k % count for k in range(40 * ROUNDS)]
    taken = [page.evaluate(_SHOW, ["frame", k]) / 1e3 for k in places]
    page.evaluate(_PLAY, [count, count])
    played = [page.evaluate(_PLAY, [4 * count, count]) for _ in range(ROUNDS)]
    page.close()
    yield duration("Training page of two moons: a frame", median(taken), 1 / 60)
    what, shown = "Training page of two moons: played", f"{median(played):.0f} frames a second"
    yield Finding(what, "60 frames a second", shown, median(played) >= 59)


def measure_pages() -> Items:
    """Measure all pages in Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        path = Path(folder) / "page.html"
        yield from step_page(browser, path, "MLP(16, [32, 32, 1])", network())
        yield from step_page(browser, path, "+ and × alone", plain_graph())
        yield from frames(browser, path, training_page())
        browser.close()


if __name__ == "__main__":
    main("pages", measure_pages, repeats=1, where="Chromium")
