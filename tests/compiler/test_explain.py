"""What explain shows: text, times and the picture."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalargrad import Value, drawn, exp, jit, sin, take, tanh, vmap
from scalargrad.compiler.explain.explanation import (
    COLOURS,
    REST,
    Explanation,
    Share,
    Timed,
    TimelineBar,
    timeline,
)
from scalargrad.nn import MLP

pytestmark = pytest.mark.usefixtures("backend")

SVG = "{http://www.w3.org/2000/svg}"


def explained() -> Explanation:
    """Explain a small network over some points."""
    model = MLP(2, [8, 1], activation="tanh")
    points = [[0.1 * k, 1.0 - 0.1 * k] for k in range(20)]
    return jit(lambda: sum((model(p) - 1.0) ** 2 for p in points)).explain()


def test_every_instruction_has_a_time() -> None:
    """Bars come in the order instructions run, and kinds add up to the same time."""
    found = explained()
    for program in found.programs:
        assert len(program.bars) == program.instructions
        assert sum(share.seconds for share in program.shares) == pytest.approx(program.seconds)
        assert program.seconds > 0.0
    assert [x.title for x in found.programs] == ["forward", "forward and backward"]
    line = next(x for x in found.splitlines() if x.startswith("forward and backward:"))
    program = found.programs[1]
    assert f"{program.instructions} instructions, {program.gathers} of them gathers" in line
    assert f"time of {program.title}: " in found


def test_the_picture_has_a_bar_for_each_instruction(tmp_path: Path) -> None:
    """Its bars fill the width, name kind and lanes, and the file is what a notebook shows."""
    found = explained()
    path = found.save(tmp_path / "program.svg")
    assert path.read_text(encoding="utf-8") == found._repr_svg_()
    root = ET.fromstring(found.svg())
    bars = [x for x in root.iter(f"{SVG}rect") if x.find(f"{SVG}title") is not None]
    assert len(bars) == sum(program.instructions for program in found.programs)
    total = sum(float(x.attrib["width"]) for x in bars)
    assert total == pytest.approx(len(found.programs) * (880 - 56), rel=0.01)
    assert repr(found) == str(found)


@pytest.mark.uncounted
def test_a_long_program_is_timed_in_pieces() -> None:
    """A thousand instructions make some hundred bars, and no kind is lost."""
    draws = random.Random(0)
    mixed = [draws.choice([sin, tanh, exp]) for _ in range(900)]

    def chain(x: Any) -> Any:
        for f in mixed:
            x = f(-x)
        return x

    program = jit(chain).explain(1.0).programs[0]
    assert len(program.bars) < 400 < program.instructions
    assert sum(share.instructions for share in program.shares) == program.instructions


def test_lookups_draws_blocks_and_nothing_are_explained() -> None:
    """Programs with takes, with random inputs, of many lanes and of no instruction at all."""
    rng = random.Random(1)
    state = rng.getstate()
    looked_up = jit(lambda vs, k: take(vs, k) + drawn(rng.random))
    assert "take" in looked_up.explain([Value(1.0), Value(2.0)], 1)
    assert rng.getstate() == state
    assert jit(lambda x: x).explain(1.0).svg().startswith("<svg")
    mapped = jit(lambda xs, w: sum(vmap(lambda x: tanh(w * x))(xs)))
    text = mapped.explain([0.001 * k for k in range(5000)], Value(1.0))
    assert "lanes" in text


def test_kinds_beyond_the_palette_are_grey_and_gathered_in_one_row() -> None:
    """Twelve kinds: six have colours, nine have rows, three share the last one."""
    kinds = [f"kind{k}" for k in range(12)]
    shares = [Share(name, 1, 10, 1e-6 * (12 - k)) for k, name in enumerate(kinds)]
    bars = [TimelineBar(share.name, share.lanes, share.seconds) for share in shares]
    svg = timeline("a < b", [Timed("forward", 0, 2_000_000, 12, bars, shares)])
    assert "a &lt; b" in svg
    assert "3 others" in svg
    assert "2 MB" in svg
    assert "78 µs" in svg
    assert all(colour in svg for colour in (*COLOURS, REST))
    slow = timeline(
        "", [Timed("x", 0, 10, 2, [TimelineBar("a", 1, 2.0), TimelineBar("b", 1, 0.005)], [])]
    )
    assert "2 s" in slow
    assert "5 ms" in slow
    assert "10 bytes" in slow


def test_what_is_too_short_to_be_timed_has_no_time_in_the_picture() -> None:
    """A program without a measured time has no bar, scale or share; nor has such a part of one."""
    short = TimelineBar("add", 1, 0.0), Share("add", 1, 1, 0.0)
    long = TimelineBar("exp", 9, 5e-6), Share("exp", 1, 9, 5e-6)

    def drawn_of(*parts: tuple[TimelineBar, Share]) -> tuple[list[str], int]:
        bars, shares = [bar for bar, _ in parts], [share for _, share in parts]
        program = Timed("forward", 0, 48, len(parts), bars, shares)
        root = ET.fromstring(timeline("f", [program]))
        widths = [x.attrib["width"] for x in root.iter(f"{SVG}rect")]
        return [x.text or "" for x in root.iter() if x.text], len({*widths} - {"100%", "13.0"})

    texts, bars = drawn_of(short)
    assert "too short to be timed" in texts
    assert not {"0", "0 ns", "0%", "time", "share"} & {*texts}
    assert bars == 0
    texts, bars = drawn_of(long, short)
    assert [x for x in texts if x.endswith(("ns", "µs", "%"))].count("5 µs") == 2  # scale and row
    assert {"100%", "add, 1 lane"} <= {*texts}
    assert not {"0 ns", "0%", "too short to be timed"} & {*texts}


def test_the_time_of_a_call_is_told_unless_it_draws() -> None:
    """A call takes longer than its program; one that draws would move the generator on."""
    rng = random.Random(0)
    lines = jit(lambda xs: sum(x * x for x in xs)).explain([0.5] * 50).splitlines()
    assert lines[-1].startswith("time of a call: ")
    state = rng.getstate()
    drawing = jit(lambda x: x + drawn(rng.random)).explain(0.5)
    assert "time of a call" not in drawing
    assert rng.getstate() == state
