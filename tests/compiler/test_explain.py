"""What explain shows: what a function became, how long it takes, and a picture of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalargrad import Value, drawn, exp, jit, sin, take, tanh, vmap
from scalargrad.nn import MLP

SVG = "{http://www.w3.org/2000/svg}"


def explained() -> Any:
    """Explain a small network over some points."""
    model = MLP(2, [8, 1], activation="tanh")
    points = [[0.1 * k, 1.0 - 0.1 * k] for k in range(20)]
    return jit(lambda: sum((model(p) - 1.0) ** 2 for p in points)).explain()


def test_the_text_has_a_section_for_values_and_one_for_gradients() -> None:
    """Each says how much there is to do and how long it takes."""
    found = str(explained())
    lines = found.splitlines()
    for title in ("forward", "forward and backward"):
        (head,) = (line for line in lines if line.startswith(f"{title}:"))
        assert "instructions" in head
        (time,) = (line for line in lines if line.startswith(f"time of {title}:"))
        assert any(unit in time for unit in (" ns", " µs", " ms"))
    assert "tanh" in found


def test_the_picture_is_what_a_notebook_shows(tmp_path: Path) -> None:
    """It is saved as SVG, well-formed, and says what a bar is where one is pointed at."""
    found = explained()
    path = found.save(tmp_path / "program.svg")
    assert path.read_text(encoding="utf-8") == found._repr_svg_() == found.svg()
    root = ET.fromstring(found.svg())
    shown = " ".join(x.text or "" for x in root.iter())
    assert {"forward", "tanh", "lanes"} <= {*shown.replace(",", " ").split()}
    titles = [x.find(f"{SVG}title") for x in root.iter(f"{SVG}rect")]
    assert sum(x is not None for x in titles) >= 4
    assert repr(found) == str(found)


def test_a_long_program_is_shown_in_pieces() -> None:
    """A thousand operations do not make a thousand bars, and no kind is lost."""
    draws = random.Random(0)
    mixed = [draws.choice([sin, tanh, exp]) for _ in range(900)]

    def chain(x: Any) -> Any:
        for f in mixed:
            x = f(-x)
        return x

    found = jit(chain).explain(1.0)
    assert found.svg().count("<rect") < 600
    assert all(name in found.svg() for name in ("sin", "tanh", "exp"))


def test_programs_of_every_kind_are_explained(tmp_path: Path) -> None:
    """With look-ups, with draws, of nothing, of many lanes; a generator is left as it was."""
    rng = random.Random(1)
    state = rng.getstate()
    looked_up = jit(lambda vs, k: take(vs, k) + drawn(rng.random))
    text = str(looked_up.explain([Value(1.0), Value(2.0)], 1))
    assert "take" in text
    assert "time of a call" not in text  # a call would move the generator
    assert rng.getstate() == state
    assert jit(lambda x: x).explain(1.0).svg().startswith("<svg")
    mapped = jit(lambda xs, w: sum(vmap(lambda x: tanh(w * x))(xs)))
    assert "lanes" in str(mapped.explain([0.001 * k for k in range(5000)], Value(1.0)))
    lines = jit(lambda xs: sum(x * x for x in xs)).explain([0.5] * 50).splitlines()
    assert lines[-1].startswith("time of a call: ")


@pytest.mark.native
def test_loops_are_explained_as_loops(tmp_path: Path) -> None:
    """A recurrence is named with how often it is made, and examples with how many there are."""
    data = [0.01 * k for k in range(150)]

    def smoothed(a: Any) -> Any:
        state, total = 0.0, 0.0
        for x in data:
            state = a * state + x
            total = total + state * state
        return total

    found = jit(smoothed).explain(Value(0.5))
    assert "recurrence" in found
    assert "149 iterations" in found
    assert "define" in found.code
    assert "recurrence" in found.save(tmp_path / "loops.svg").read_text(encoding="utf-8")

    def swing(x: Any) -> Any:
        v = 0.0
        for _ in range(1500):
            x, v = x + 0.1 * v, v - 0.1 * sin(x)
        return x

    assert "13 examples" in jit(vmap(swing)).explain([0.1 * k for k in range(13)])

    def many(x: Any) -> Any:
        for count in range(60, 180):
            for _ in range(count):
                x = sin(x) if count % 2 else tanh(x) * 1.5
        return x

    assert jit(many).explain(0.3).svg().count("<rect") < 300
