"""The table and the chart of compiled code say what was measured; no time is asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import calls, compiled, gpt, programs
from benchmarks.chart import write_bars
from benchmarks.compiled import FASTER, SLOWER, Goal
from benchmarks.measuring import seconds
from benchmarks.moons import by_scalargrad
from benchmarks.moons.peers import JAX, OURS, PEERS
from benchmarks.moons.problem import moons
from scalargrad import value_and_grad
from scalargrad.experiments import GPT, Alphabet
from scalargrad.experiments.names import next_character_loss, plain_names


def test_the_plain_gpt_is_the_program_s() -> None:
    """Loss and gradient of microgpt's way of writing it are those of the layers."""
    alphabet = Alphabet(plain_names())
    model = GPT(len(alphabet), rng=0)
    inputs, targets = alphabet.examples([programs.NAME])
    layered = next_character_loss([model(inputs[0])], targets)
    layered.backward()
    step, parameters = programs.gpt_step()
    value, gradient = step(parameters)
    assert len(parameters) == sum(rows * columns for rows, columns in gpt.SHAPES.values()) == 4192
    assert value == pytest.approx(layered.data, rel=1e-12)
    assert gradient == pytest.approx([p.grad for p in model.parameters()], rel=1e-8, abs=1e-12)


def test_the_readme_expression_is_the_published_one() -> None:
    """It has the numbers micrograd's README prints."""
    value, slopes = value_and_grad(programs.readme_expression, argnums=(0, 1))(-4.0, 2.0)
    assert [f"{x:.4f}" for x in (value, *slopes)] == ["24.7041", "138.8338", "645.5773"]


@pytest.mark.parametrize(
    ("factor", "wording", "goal", "said", "met"),
    [
        (3.0, FASTER, "at least 3 × faster", "4 × faster", True),
        (4.5, FASTER, "at least 4.5 × faster", "4 × faster", False),
        (1e5, FASTER, "at least 100,000 × faster", "4 × faster", False),
        (1 / 0.7, SLOWER, "at most 0.7 × its time", "0.25 × its time", True),
        (1 / 0.2, SLOWER, "at most 0.2 × its time", "0.25 × its time", False),
    ],
)
def test_a_goal_compares_two_contestants(
    factor: float, wording: str, goal: str, said: str, met: bool
) -> None:
    """At 1 against 4 µs one is 4 times faster, and takes a quarter of the other's time."""
    found = Goal("a", "b", factor, wording).finding({"a": 1e-6, "b": 4e-6}, "relu")
    assert found.goal == goal
    assert found.measured == f"{said} (1 µs against 4 µs)"
    assert found.met == met


def test_contestants_that_differ_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with another loss is an error instead of a figure."""
    monkeypatch.setitem(PEERS, JAX, lambda problem: lambda: 0.5)
    with pytest.raises(AssertionError, match="the contestants differ"):
        compiled.prepared(moons("tanh", 1), [OURS, JAX])


@pytest.mark.long
def test_the_command_fills_its_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ourselves in place of every peer, all findings are made, and table and chart written."""
    for peer in PEERS:
        monkeypatch.setitem(PEERS, peer, by_scalargrad.scanned)
    monkeypatch.setattr(compiled, "pin", lambda: "pinned nowhere")
    monkeypatch.setattr(programs, "NAME", "a")  # of one letter: its GPT is quickly compiled
    monkeypatch.setattr(programs, "in_fresh_process", lambda *_: "0.5")
    monkeypatch.setattr(programs, "median_of", lambda run, _: seconds(run))
    monkeypatch.setattr(by_scalargrad.Scanned.__init__, "__defaults__", (2,))
    path = tmp_path / "figures.md"
    path.write_text("before\n<!-- compiled -->\n<!-- /compiled -->\nafter\n")
    compiled.main(["--points", "1", "--turns", "1", "--write", str(path)])
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- compiled -->\n\n![Time of a step")
    assert text.endswith("pinned nowhere.\n\n<!-- /compiled -->\nafter\n")
    assert text.count("\n| Moons step, tanh: ") == 2
    assert "| First process ever, import to first result | at most 1 s | 500 ms | yes |" in text
    assert (tmp_path / "images" / "moons-step.svg").exists()


def test_the_chart_names_every_contestant_and_time(tmp_path: Path) -> None:
    """As text, fastest first, in one panel for each kind of unit; the same times, the same file."""
    panels = {"relu": {"slow": 1.5, OURS: 1e-5}, "tanh": {OURS: 2e-5}}
    written = []
    for name in ("a.svg", "b.svg"):
        write_bars(tmp_path / name, panels, ours={OURS})
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    texts = [x.text for x in ET.fromstring(written[0]).iter() if x.tag.endswith("}text")]
    told = [text for text in texts if text in {OURS, "slow", "10 µs", "1.5 s", "20 µs"}]
    assert told.count(OURS) == 2
    assert told.index(OURS) < told.index("slow")
    assert {"10 µs", "1.5 s", "20 µs"} <= set(told)


@pytest.mark.parametrize("arguments", [["--turns", "0"], ["--points", "0"], ["--points", "101"]])
def test_bad_use_is_a_message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with exit code 2 and says what is possible."""
    with pytest.raises(SystemExit) as stopped:
        compiled.main(arguments)
    assert stopped.value.code == 2
    assert "at least one turn" in capsys.readouterr().err


def test_a_missing_peer_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remedy installs all of them."""

    def missing(*_: Any) -> Any:
        raise ModuleNotFoundError("No module named 'jax'")

    monkeypatch.setattr(compiled, "findings", missing)
    monkeypatch.setattr(compiled, "pin", lambda: "")
    with pytest.raises(SystemExit):
        compiled.main([])
    assert "No module named 'jax'; python -m pip install" in capsys.readouterr().err


@pytest.mark.long
def test_calls_fill_their_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings are compared with their limits and written between their marks."""
    monkeypatch.setattr(calls, "pin", lambda: "pinned nowhere")
    monkeypatch.setattr(calls, "COMPARISONS", (calls.unused_parameter, calls.gpt_in_arrays))
    monkeypatch.setattr(calls, "long_plain_loop", lambda: iter(()))
    path = tmp_path / "figures.md"
    path.write_text("<!-- calls -->\n<!-- /calls -->\n")
    calls.main(["--turns", "1", "--write", str(path)])
    text = path.read_text(encoding="utf-8")
    assert "against all with | at most 1.3 × its time |" in text
    assert "called with an array | at most 80 µs |" in text


def test_a_limit_is_for_the_ratio_of_two_times() -> None:
    """Three against two is one and a half: over a limit of 1.3, within one of 1.6."""
    times = {"a": 3e-6, "b": 2e-6}
    assert not calls.ratio("what", times, "a", "b", 1.3).met
    assert (
        calls.ratio("what", times, "a", "b", 1.6).measured == "1.50 × its time (3 µs against 2 µs)"
    )
