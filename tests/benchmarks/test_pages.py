"""The benchmark of step pages measures what it says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.show.training.helpers import classifier

from benchmarks import pages
from scalargrad import Value
from scalargrad.show.steps import walk


def test_the_graphs_are_as_large_as_the_table_says() -> None:
    """Just below two thousand nodes, and far above what is drawn at once."""
    sizes = [len(make().scene.order) for make in pages.GRAPHS.values()]
    assert sizes == [1780, 1945]


def test_each_page_is_written_opened_and_stepped_through(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four findings for each graph, of which opening has a goal."""
    monkeypatch.setattr(pages, "GRAPHS", {"x·x": lambda: walk(Value(3.0, "x") * Value(2.0, "y"))})
    rows = list(pages.findings(browser, 1))
    assert [row.what for row in rows] == [
        f"x·x, 3 nodes: {what}" for what in ("written", "size", "opened", "a step")
    ]
    assert [row.goal for row in rows] == ["", "", "under 2 s", ""]


def test_frames_of_a_training_page_are_measured(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame takes some time, in which all is drawn; none is shown that the screen has not."""
    monkeypatch.setattr(pages, "training_page", lambda: classifier()[0])
    one, played = pages.frames(browser, 1)
    assert one.goal == "a sixtieth of a second"
    assert one.measured.endswith((" ms", " µs"))
    shown, unit = played.measured.split(" ", 1)
    assert unit == "frames a second"
    assert 1 <= int(shown) <= 61


def test_wrong_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    with pytest.raises(SystemExit):
        pages.main(["--rounds", "0"])
    assert "at least one is needed" in capsys.readouterr().err
