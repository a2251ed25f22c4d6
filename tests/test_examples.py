"""The examples run and give what they promise."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from examples import pictures
from scalargrad import data, nn

EXAMPLES = Path(__file__).parent.parent / "examples"
IMAGES = EXAMPLES.parent / "docs" / "images"


def test_the_fit_finds_the_true_parameters_within_its_own_errors() -> None:
    """Each fitted parameter lies within four standard errors of the one that made the data."""
    example = runpy.run_path(str(EXAMPLES / "fit_a_decay.py"))
    best, errors = example["fit"](example["measurements"]())
    for true, found, error in zip(example["TRUE"].values(), best, errors, strict=True):
        assert 0 < error < 0.1
        assert abs(found - true) < 4 * error


def test_the_worked_examples_are_written_as_pages(tmp_path: Path) -> None:
    """Each is one HTML file that forbids the network and names its root."""
    example = runpy.run_path(str(EXAMPLES / "step_pages.py"))
    written = example["write"](tmp_path)
    assert len(written) == 8
    for path in written:
        page = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in page
        assert "Backpropagation through" in page


def test_the_head_on_the_page_is_attention() -> None:
    """Its weights, and its output, are those of the library's attention with a causal mask."""
    steps = runpy.run_path(str(EXAMPLES / "step_pages.py"))["attention"]()
    shown = {name: node.data for node, name in steps.graph.names.items()}

    def vector(name: str, n: int = 2) -> list[float]:
        return [shown[f"{name}[{i}]"] for i in range(n)]

    attention = nn.MultiheadAttention(2, 1, bias=False)
    rows = [vector(f"{letter}{i}") for letter in "QKV" for i in range(2)]
    state = {"in_proj_weight": rows, "out_proj.weight": [[1.0, 0.0], [0.0, 1.0]]}
    attention.load_state_dict(state)
    xs = [vector(f"x{t}") for t in range(3)]
    outputs, weights = attention(xs, xs, xs, is_causal=True)
    assert [x.data for x in outputs[1]] == pytest.approx(vector("output"))
    assert [getattr(x, "data", x) for x in weights[1]] == pytest.approx(vector("weight", 3))


def test_the_pages_that_ship_show_the_examples_as_they_are() -> None:
    """docs/pages holds what the example writes now: run it again after a change."""
    example = runpy.run_path(str(EXAMPLES / "step_pages.py"))
    for name, build in example["PAGES"].items():
        shipped = (EXAMPLES.parent / "docs" / "pages" / f"{name}.html").read_text(encoding="utf-8")
        for written in build().graph.names.values():
            assert written in shipped


@pytest.mark.wide
def test_the_training_on_two_moons_is_written_as_a_page(tmp_path: Path) -> None:
    """A hundred epochs in under two megabytes, the same as the page that ships."""
    example = runpy.run_path(str(EXAMPLES / "training_page.py"))
    page = example["write"](tmp_path)
    shipped = EXAMPLES.parent / "docs" / "pages" / page.name
    assert len(page.read_bytes()) < 2_000_000
    losses = [
        json.loads(part)
        for content in (page, shipped)
        for part in re.findall(r'"losses":(\[[\d., e-]+\])', content.read_text(encoding="utf-8"))
    ]
    assert len(losses) == 2
    assert len(losses[0]) == 101
    assert losses[0][:30] == pytest.approx(losses[1][:30], rel=1e-6)
    assert losses[0][-1] < 0.01


def test_the_picture_of_a_graph_that_ships_is_what_is_drawn_now(tmp_path: Path) -> None:
    """The README's graph has the texts and the lines, thin or thick, of the graph drawn anew."""
    drawn = pictures.graph(tmp_path)
    written, shipped = (
        re.findall(r"<title>.*?</title>|>[^<>]+</text>|stroke-width=\S+", path.read_text("utf-8"))
        for path in (drawn, IMAGES / drawn.name)
    )
    assert written == shipped
    assert len(written) > 50


@pytest.mark.wide
@pytest.mark.parametrize("take", [pictures.step_page, pictures.attention, pictures.training_page])
def test_the_pictures_of_pages_show_them_as_they_are(
    take: Callable[[Path], Path], tmp_path: Path
) -> None:
    """The pictures of README and gallery, taken anew, differ at most by fonts."""
    pytest.importorskip("playwright.sync_api", reason="pictures are taken by playwright")
    if not any(map(shutil.which, pictures.BROWSERS)):
        pytest.skip("pictures are taken in Chromium, which is not installed here")
    path = take(tmp_path)
    taken, shipped = imread(path), imread(IMAGES / path.name)
    assert taken.shape == shipped.shape
    assert np.mean(np.abs(taken - shipped).max(axis=-1) > 0.2) < 0.02


@pytest.mark.wide
def test_digits_are_read_in_c_as_in_python(tmp_path: Path) -> None:
    """The compiled program prints what the trained network says, nine times in ten the truth."""
    if not (shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("written C is compiled by gcc, which is not installed here")
    example = runpy.run_path(str(EXAMPLES / "digits_in_c.py"))
    model = example["trained"](epochs=2)
    written = example["write"](model, tmp_path)
    assert [path.name for path in written] == ["digits.c", "digits.h", "read_digit.c"]
    _, held_out = data.digits()
    found = example["read"](example["build"](tmp_path), held_out.inputs)
    assert found == [max(range(10), key=model(x).__getitem__) for x in held_out.inputs]
    hits = sum(a == b for a, b in zip(found, held_out.targets, strict=True))
    assert hits > 0.9 * len(found)


@pytest.mark.wide
def test_the_tool_answers_a_session_of_gradbench() -> None:
    """The gradient of the logarithm of a sum of exponentials is their shares, here ½ each."""
    lse = {"module": "lse", "function": "gradient"}
    given = {"x": [3.0, 3.0], "min_runs": 3, "min_seconds": 0}
    asked = [{"kind": kind, "id": 7, "input": given, **lse} for kind in ("define", "evaluate")]
    command = [sys.executable, "-m", "examples.gradbench.tool"]
    run = partial(subprocess.run, cwd=EXAMPLES.parent, text=True, check=True)
    told = run(command, input="\n".join(map(json.dumps, asked)), stdout=subprocess.PIPE).stdout
    known, found = map(json.loads, told.splitlines())
    assert known == {"id": 7, "success": True}
    assert found["output"] == pytest.approx([0.5, 0.5])
    assert [x["name"] for x in found["timings"]] == ["evaluate"] * 3
