"""The page of a training page as a document: one file, a strict policy, inert names, small."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from scalargrad import watch
from scalargrad.losses import binary_cross_entropy_with_logits, mse_loss
from scalargrad.nn import MLP
from scalargrad.show.training import TrainingPage

HOSTILE = "</script><img src=x onerror=alert(1)><!--"


def small(**options: Any) -> TrainingPage:
    """Watch one unit at two points, before training."""
    model = MLP(2, [1], rng=0)
    points = [[0.0, 1.0], [1.0, 0.0]]
    return watch(model, points, [0, 1], loss=binary_cross_entropy_with_logits, **options)


def written(training: TrainingPage, tmp_path: Path, **options: Any) -> str:
    """Return the page as it stands on disk."""
    return training.save(tmp_path / "training.html", **options).read_text(encoding="utf-8")


def data_of(document: str) -> Any:
    """Return what the page is given, read as the browser reads it."""
    found = re.search(r'<script type="application/json" id="recorded">(.*?)</script>', document)
    assert found is not None
    return json.loads(found[1])


def test_policy_allows_the_page_s_own_script_and_style_and_nothing_else(tmp_path: Path) -> None:
    """Both by hash; everything else, pictures and the network included, is forbidden."""
    document = written(small(), tmp_path)
    digests = []
    for part in (r'<script type="module">(.*?)</script>', r"<style>(.*?)</style>"):
        (content,) = re.findall(part, document, re.DOTALL)
        digests.append(base64.b64encode(hashlib.sha256(content.encode()).digest()).decode())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy is not None
    assert policy[1] == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; "
        f"style-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )


def test_page_names_no_other_file(tmp_path: Path) -> None:
    """No address but the names of namespaces, no import, no inline handler or style."""
    document = written(small(), tmp_path)
    assert set(re.findall(r"https?://[^\s\"'<)]+", document)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|\bsrc=|\bimport\b.*from|\son\w+=\"|\sstyle=\"", document)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Of inputs, of classes, and the title: none is an element of the page."""
    training = small(feature_names=[HOSTILE, "b"], target_names=["c", HOSTILE])
    document = written(training, tmp_path, title=HOSTILE)
    assert "<img" not in document
    data = data_of(document)
    assert data["cells"][0]["name"] == HOSTILE
    assert data["task"]["names"][1] == HOSTILE
    assert unescape(re.findall(r"<title>(.*?)</title>", document)[0]) == HOSTILE


def test_the_same_training_gives_the_same_page(tmp_path: Path) -> None:
    """So that it can stand under version control."""
    assert written(small(), tmp_path) == written(small(), tmp_path)


@pytest.mark.long
def test_two_hundred_snapshots_of_the_moons_network_take_less_than_two_megabytes(
    tmp_path: Path,
) -> None:
    """337 parameters of 8 bytes, in base 64, beside the page itself."""
    model = MLP(2, [16, 16, 1], rng=0)
    training = watch(model, [[0.1 * i, 0.2] for i in range(100)], [0.0, 1.0] * 50, loss=mse_loss)
    for _ in range(199):
        training.record()
    assert len(training.snapshots) == 200
    assert len(written(training, tmp_path).encode()) < 2_000_000


def test_parameters_are_written_with_every_digit(tmp_path: Path) -> None:
    """As 64-bit floats, lowest byte first, snapshot after snapshot."""
    import struct

    training = small()
    training.record()
    snapshots = data_of(written(training, tmp_path))["snapshots"]
    numbers = struct.unpack("<6d", base64.b64decode(snapshots["parameters"]))
    assert list(numbers) == [x for snapshot in training.snapshots for x in snapshot.parameters]
    assert snapshots["steps"] == [0, 1]


def test_losses_alike_are_written_once(tmp_path: Path) -> None:
    """A hundred examples of two classes have two programs, and each says which is its own."""
    model = MLP(2, [1], rng=0)
    points = [[0.1 * i, 1.0] for i in range(100)]
    training = watch(model, points, [0, 1] * 50, loss=binary_cross_entropy_with_logits)
    data = data_of(written(training, tmp_path))
    assert len(data["losses"]) == 2
    assert data["lossOf"] == [0, 1] * 50


def test_losses_can_be_read_without_javascript(tmp_path: Path) -> None:
    """The page holds them as a table for that case."""
    training = small()
    training.record()
    inside = re.search(r"<noscript>(.*?)</noscript>", written(training, tmp_path), re.DOTALL)
    assert inside is not None
    assert f"<td>0</td><td>{training.snapshots[0].loss:.6g}</td>" in inside[1]


def test_a_failure_leaves_an_existing_page_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of writing costs nothing."""
    path = small().save(tmp_path / "training.html")
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        small().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_notebook_shows_the_page_in_a_frame(tmp_path: Path, framed: Callable[[str], str]) -> None:
    """Cut off from the notebook; a console shows one line."""
    training = small()
    bundle = training._repr_mimebundle_()
    assert bundle["text/plain"] == repr(training)
    assert (
        repr(training)
        == f"<training page of 1 snapshot, step 0: loss {training.snapshots[0].loss:.4g}>"
    )
    assert framed(bundle["text/html"]) == written(training, tmp_path)
    assert 'sandbox="allow-scripts' in bundle["text/html"]


def test_the_frame_in_a_notebook_trains_anew(open_blank: Any) -> None:
    """Cut off as it is, its form is sent, and so is that which closes the help."""
    page = open_blank()
    page.set_content(small()._repr_mimebundle_()["text/html"])
    frame = page.frame_locator("iframe")
    frame.locator("#counter", has_text="step 0/0").wait_for()
    frame.locator("#help").click()
    frame.get_by_role("button", name="Close").click()
    frame.locator("#help-text").wait_for(state="hidden")
    frame.locator("#train").click()
    frame.locator("#counter", has_text="epoch 1/1").wait_for()
    assert frame.locator("#settings-note").text_content().startswith("Trained in this page")


def test_where_a_notebook_s_frames_are_cut_the_losses_are_left() -> None:
    """GitHub, and JupyterLab in a notebook that is not trusted, drop the frame but not a table."""
    training = small()
    training.record()
    left = re.sub(r"<iframe.*?</iframe>", "", training._repr_mimebundle_()["text/html"])
    assert "<summary>The losses as a table</summary>" in left
    rows = [f"<td>{kept.step}</td><td>{kept.loss:.6g}</td>" for kept in training.snapshots]
    assert [row for row in rows if row not in left] == []


def test_numbers_that_are_none_are_written_as_words(tmp_path: Path) -> None:
    """JSON has no infinity: a loss that overflowed is "inf"."""
    model = MLP(1, [1], rng=0)
    training = watch(model, [[1.0], [2.0]], [1.0, 3.0], loss=mse_loss)
    model.parameters()[0].data = 1e200
    training.record()
    assert data_of(written(training, tmp_path))["snapshots"]["losses"][1] == "inf"


def test_the_heading_says_what_is_trained(tmp_path: Path) -> None:
    """How many units, which activation, how many parameters and examples, and the loss."""
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    training = watch(model, [[0.0, 1.0], [1.0, 0.0]], [0.5, 2.0], loss=mse_loss)
    document = written(training, tmp_path)
    assert "<h1>Training a network of 2, 3 and 1 units</h1>" in document
    assert "tanh units · 13 parameters · 2 examples · loss: mse loss" in document


def test_no_two_units_have_the_same_name(tmp_path: Path) -> None:
    """Also in a network with more layers than there are letters before x and y."""
    model = MLP(1, [1] * 30, activation="tanh", rng=0)
    training = watch(model, [[0.5], [1.0]], [0.0, 2.5], loss=mse_loss)
    names = [cell["name"] for cell in data_of(written(training, tmp_path))["cells"]]
    assert len(names) == len(set(names)) == 31
