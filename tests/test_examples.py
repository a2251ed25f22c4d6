"""The examples run and give the promised results."""

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


def test_fit_a_decay_finds_the_true_parameters() -> None:
    """Each fitted parameter is within four standard errors of the true one."""
    example = runpy.run_path(str(EXAMPLES / "fit_a_decay.py"))
    best, errors = example["fit"](example["measurements"]())
    for true, found, error in zip(example["TRUE"].values(), best, errors, strict=True):
        assert 0 < error < 0.1
        assert abs(found - true) < 4 * error


#: The style sheet and the script of a page.
STYLE_AND_SCRIPT = re.compile(r"<style>.*?</style>|<script type=\"module\">.*?</script>", re.DOTALL)


def test_step_pages_writes_eight_pages(tmp_path: Path) -> None:
    """Each forbids the network and names its root; docs has the same styles and scripts."""
    example = runpy.run_path(str(EXAMPLES / "step_pages.py"))
    paths = example["write"](tmp_path)
    assert len(paths) == 8
    for path in paths:
        page = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in page
        assert "Backpropagation through" in page
        shipped = (EXAMPLES.parent / "docs" / "pages" / path.name).read_text(encoding="utf-8")
        current = STYLE_AND_SCRIPT.findall(page)
        assert len(current) == 2
        assert STYLE_AND_SCRIPT.findall(shipped) == current, f"run step_pages: {path.name} is old"


def test_step_pages_attention_agrees_with_multihead_attention() -> None:
    """Its weights and its output are those of the library's attention with a causal mask."""
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


def test_step_pages_in_docs_are_up_to_date() -> None:
    """The pages in docs/pages have the names of the current examples; if not, run step_pages.py."""
    example = runpy.run_path(str(EXAMPLES / "step_pages.py"))
    for name, build in example["PAGES"].items():
        shipped = (EXAMPLES.parent / "docs" / "pages" / f"{name}.html").read_text(encoding="utf-8")
        for written in build().graph.names.values():
            assert written in shipped


@pytest.mark.wide
def test_training_page_example_agrees_with_the_page_in_docs(tmp_path: Path) -> None:
    """A hundred epochs in under two megabytes, with the losses of the page in docs/pages."""
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


def test_pictures_graph_in_docs_is_up_to_date(tmp_path: Path) -> None:
    """The README's picture has the texts and line widths of the graph as drawn now."""
    drawn = pictures.graph(tmp_path)
    current, shipped = (
        re.findall(r"<title>.*?</title>|>[^<>]+</text>|stroke-width=\S+", path.read_text("utf-8"))
        for path in (drawn, IMAGES / drawn.name)
    )
    assert current == shipped
    assert len(current) > 50


@pytest.mark.wide
@pytest.mark.parametrize("take", [pictures.step_page, pictures.attention, pictures.training_page])
def test_pictures_of_pages_in_docs_are_up_to_date(
    take: Callable[[Path], Path], tmp_path: Path
) -> None:
    """The pictures of README and gallery, taken again, differ at most by fonts."""
    pytest.importorskip("playwright.sync_api", reason="pictures are taken by playwright")
    if not any(map(shutil.which, pictures.BROWSERS)):
        pytest.skip("pictures are taken in Chromium, which is not installed here")
    path = take(tmp_path)
    taken, shipped = imread(path), imread(IMAGES / path.name)
    assert taken.shape == shipped.shape
    assert np.mean(np.abs(taken - shipped).max(axis=-1) > 0.2) < 0.02


@pytest.mark.wide
def test_digits_in_c_reads_digits_as_in_python(tmp_path: Path) -> None:
    """The compiled program agrees with the trained network, and is right nine times in ten."""
    if not (shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("exported C is compiled by gcc, which is not installed here")
    example = runpy.run_path(str(EXAMPLES / "digits_in_c.py"))
    model = example["train_network"](epochs=2)
    paths = example["write"](model, tmp_path)
    assert [path.name for path in paths] == ["digits.c", "digits.h", "read_digit.c"]
    _, held_out = data.digits()
    found = example["read"](example["build"](tmp_path), held_out.inputs)
    assert found == [max(range(10), key=model(x).__getitem__) for x in held_out.inputs]
    hits = sum(a == b for a, b in zip(found, held_out.targets, strict=True))
    assert hits > 0.9 * len(found)


@pytest.mark.wide
def test_gradbench_tool_answers_a_session() -> None:
    """The gradient of the logarithm of a sum of exponentials is softmax, here ½ each."""
    lse = {"module": "lse", "function": "gradient"}
    given = {"x": [3.0, 3.0], "min_runs": 3, "min_seconds": 0}
    requests = [{"kind": kind, "id": 7, "input": given, **lse} for kind in ("define", "evaluate")]
    command = [sys.executable, "-m", "examples.gradbench.tool"]
    run = partial(subprocess.run, cwd=EXAMPLES.parent, text=True, check=True)
    output = run(command, input="\n".join(map(json.dumps, requests)), stdout=subprocess.PIPE).stdout
    known, found = map(json.loads, output.splitlines())
    assert known == {"id": 7, "success": True}
    assert found["output"] == pytest.approx([0.5, 0.5])
    assert [x["name"] for x in found["timings"]] == ["evaluate"] * 3
