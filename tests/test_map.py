"""The map of the files is that of the calls: each trip of docs/explained/map.md is made."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import scalargrad
from scalargrad import Value, draw, losses, nn, optim, walk
from scalargrad.train import fit

SOURCE = Path(scalargrad.__file__).parent
MAP = SOURCE.parent.parent / "docs" / "explained" / "map.md"


def listed(heading: str) -> list[str]:
    """Return the files of the trip whose heading begins so."""
    (section,) = re.findall(
        rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", MAP.read_text("utf-8"), re.M | re.S
    )
    return re.findall(r"^\| `(\S+\.py)` \|", section, re.MULTILINE)


def entered(run: Callable[[], object]) -> list[str]:
    """Return the files of the package in which functions are called, in order of the first call."""
    files: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        path = frame.f_code.co_filename
        is_function = frame.f_code.co_flags & CO_OPTIMIZED  # and no body of a module or class
        if event == "call" and is_function and path.startswith(str(SOURCE)):
            files.setdefault(Path(path).relative_to(SOURCE).as_posix())

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return list(files)


def leaves() -> tuple[Value, Value, Value]:
    """Return the inputs of the worked example."""
    return Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")


def assert_in_order(stations: list[str], way: list[str]) -> None:
    """Check that the stations lie on the way, in this order."""
    assert stations
    assert not [file for file in stations if not (SOURCE / file).exists()]
    assert [file for file in way if file in stations] == stations


def test_the_way_of_a_backward_pass_is_complete() -> None:
    """Three files are entered, and all three are listed."""
    x, y, z = leaves()

    def run() -> None:
        f = (x + y) * z
        f.backward()

    run()
    assert sorted(entered(run)) == sorted(listed("`f = (x + y) * z"))


def test_the_way_of_a_compiled_call() -> None:
    """The first call records, prints and runs; the next goes through three files only."""
    pytest.importorskip("llvmlite")
    from scalargrad import jit

    jit(lambda x: x + 1.0)(2.0)
    compiled = jit(lambda x, y: (x + y) * y)
    assert_in_order(listed("`jit(f)(1.0, 2.0)`"), entered(lambda: compiled(1.0, 2.0)))
    assert_in_order(listed("`jit(f)(1.0, 3.0)`"), entered(lambda: compiled(1.0, 3.0)))


def test_the_way_of_a_page_and_of_a_picture(tmp_path: Path) -> None:
    """A walk becomes a page, a graph a picture."""
    x, y, z = leaves()
    f = (x + y) * z
    walk(f).save(tmp_path / "before.html")
    assert_in_order(
        listed('`walk(f).save("walk.html")`'),
        entered(lambda: walk(f).save(tmp_path / "walk.html")),
    )
    assert_in_order(listed("`draw(f).svg()`"), entered(lambda: draw(f).svg()))


def test_the_way_of_a_training() -> None:
    """Options, examples, epochs, and a step as a program."""
    pytest.importorskip("llvmlite")
    model = nn.Sequential(nn.Linear(1, 1, rng=0))
    sgd = optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = [[1.0], [2.0]], [[2.0], [4.0]]
    way = entered(
        lambda: fit(
            model, inputs, targets, loss=losses.mse_loss, optimizer=sgd, epochs=2,
            quiet=True, jit=True,
        )
    )  # fmt: skip
    assert_in_order(listed("`fit(model"), way)
