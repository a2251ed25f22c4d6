"""Step pages of large graphs: how long they take to write and to open, and how large they are.

Also frames of a training page: everything on it computed, drawn and laid out anew.

    python -m benchmarks.pages --write docs/benchmarks.md

A page is open when the browser has laid it out and its first step is drawn; a step ends when the
layout after it is done.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import scalargrad as sg
from benchmarks.measuring import in_units
from benchmarks.reporting import Finding, as_markdown, gathered, replace_section
from scalargrad import data
from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.show.steps import Walk, walk
from scalargrad.show.training import TrainingPage, watch

_OPEN = "performance.getEntriesByType('navigation')[0].domComplete"
_STEP = """k => {
  const start = performance.now();
  scalargrad.goTo(k);
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""


_FRAME = """k => {
  const start = performance.now();
  scalargrad.frame(k);
  document.documentElement.getBoundingClientRect();
  return performance.now() - start;
}"""


# Snapshots shown one after another for some frames of the screen: the milliseconds between those.
_PLAYED = """async ([frames, count]) => {
  const between = [];
  let last = 0;
  for (let i = 0; i < frames; i += 1) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    if (last) between.push(now - last);
    last = now;
    scalargrad.frame(i % count);
  }
  return between;
}"""


def training_page() -> TrainingPage:
    """Watch two moons for sixty epochs."""
    points = data.moons(100, 0.1, seed=1337)
    model = MLP(2, [16, 16, 1], rng=1337)
    return watch(
        model,
        points.inputs,
        [2 * y - 1 for y in points.targets],
        loss=hinge_loss,
        optimizer=SGD(model.parameters(), lr=0.5),
        epochs=60,
        batch_size=None,
        quiet=True,
    )


def network() -> Walk:
    """Walk through the squared error of an MLP of 1,780 nodes, folded by its modules."""
    model = MLP(16, [32, 32, 1], activation="tanh", rng=1)
    error = sg.square(model([sg.Value(0.1 * i, f"x{i}") for i in range(16)]) - 1.0)
    return walk(error, model=model)


def by_hand() -> Walk:
    """Walk through a network of + and × in loops, 1,945 nodes, folded by its graph alone."""
    x: list[sg.Value] = [sg.Value(0.1 * i, f"x{i}") for i in range(8)]
    for width in (24, 17):
        x = [_unit(x, j) for j in range(width)]
    return walk(sg.square(_unit(x, 0) - 1.0))


def _unit(x: Sequence[sg.Value], j: int) -> sg.Value:
    total: sg.Value = sg.Parameter(0.0, "b")
    for i, xi in enumerate(x):
        total = total + sg.Parameter(0.1 * ((i + 2 * j) % 7 - 3), "w") * xi
    return sg.tanh(total)


GRAPHS: dict[str, Callable[[], Walk]] = {"MLP(16, [32, 32, 1])": network, "+ and × alone": by_hand}


def findings(browser: Any, rounds: int) -> Iterator[Finding]:
    """Measure each graph: writing, size, opening, stepping."""
    with tempfile.TemporaryDirectory() as folder:
        for name, make in GRAPHS.items():
            steps = make()
            what = f"{name}, {len(steps.scene.order):,} nodes"
            path = Path(folder) / "walk.html"
            start = time.perf_counter()
            steps.save(path)
            yield Finding(f"{what}: written", "", in_units(time.perf_counter() - start), None)
            yield Finding(f"{what}: size", "", f"{path.stat().st_size / 1e6:.2f} MB", None)
            opening, stepping = _in_browser(browser, path, len(steps), rounds)
            yield Finding(f"{what}: opened", "under 2 s", in_units(opening), opening < 2.0)
            yield Finding(f"{what}: a step", "", in_units(stepping), None)


def frames(browser: Any, rounds: int) -> Iterator[Finding]:
    """Measure the frames of a training page on two moons: computed one by one, and played."""
    with tempfile.TemporaryDirectory() as folder:
        training = training_page()
        path = Path(folder) / "training.html"
        training.save(path)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(path.as_uri())
        count = len(training.snapshots)
        taken = [page.evaluate(_FRAME, 7 * k % count) / 1e3 for k in range(40 * rounds)]
        page.evaluate(_PLAYED, [count, count])
        played = [
            1e3 * len(between) / sum(between)
            for between in (page.evaluate(_PLAYED, [4 * count, count]) for _ in range(rounds))
        ]
        page.close()
    took, a_second = median(taken), median(played)
    what = "Training page of two moons"
    yield Finding(f"{what}: a frame", "a sixtieth of a second", in_units(took), took <= 1 / 60)
    shown = f"{a_second:.0f} frames a second"
    yield Finding(f"{what}: played", "60 frames a second", shown, a_second >= 59)


def _in_browser(browser: Any, path: Path, count: int, rounds: int) -> tuple[float, float]:
    """Return the median seconds to open a page, and of steps far apart, into other folds."""
    opening, stepping = [], []
    for _ in range(rounds):
        page = browser.new_page()
        page.goto(path.as_uri())
        opening.append(page.evaluate(_OPEN) / 1e3)
        stepping += [page.evaluate(_STEP, count * k // 20) / 1e3 for k in range(1, 20)]
        page.close()
    return median(opening), median(stepping)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in Chromium, print the table and, if asked, put it into its section of a file."""
    parser = argparse.ArgumentParser(description="Measure step pages of large graphs.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE too")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="times a page is opened")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least one is needed")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        parser.error(f"{error}; python -m pip install -e '.[oracles]' installs what is needed")
    if chromium is None:
        parser.error("there is no chromium: install it, or say where it is by CHROMIUM=…")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        measured = findings(browser, options.rounds)
        rows = gathered(chain(measured, frames(browser, options.rounds)))
        browser.close()
    if options.write is not None:
        replace_section(options.write, "pages", as_markdown(rows, "Chromium"))


if __name__ == "__main__":
    main()
