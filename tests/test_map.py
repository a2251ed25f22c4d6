"""The map of the files is that of the calls: each trip of docs/explained/map.md is made."""

from __future__ import annotations

import functools
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


def section(heading: str) -> str:
    """Return the text of the trip whose heading begins so."""
    (found,) = re.findall(
        rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", MAP.read_text("utf-8"), re.M | re.S
    )
    return str(found)


def listed(heading: str) -> list[str]:
    """Return the files of a trip."""
    return re.findall(r"^\| `(\S+\.py)` \|", section(heading), re.MULTILINE)


def along_the_way(heading: str) -> list[str]:
    """Return the files and folders that help along the way of a trip."""
    return re.findall(r"`(\S+)`", section(heading).partition("Along the way:")[2])


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


def assert_made(heading: str, way: list[str]) -> None:
    """Check that a trip enters the files of its list in their order, and besides only helpers."""
    stations, helpers = listed(heading), along_the_way(heading)
    assert stations
    assert [file for file in way if file in stations] == stations
    beside = [file for file in way if file not in stations]
    assert [file for file in beside if not file.startswith(tuple(helpers))] == []
    assert [x for x in helpers if not any(file.startswith(x) for file in beside)] == []


def test_the_way_of_a_backward_pass_is_complete() -> None:
    """Three files are entered, and all three are listed."""
    x, y, z = leaves()

    def run() -> None:
        f = (x + y) * z
        f.backward()

    run()
    assert sorted(entered(run)) == sorted(listed("`f = (x + y) * z"))
    assert along_the_way("`f = (x + y) * z") == []


def test_the_way_of_a_compiled_call() -> None:
    """The first call records, prints and runs; the next goes through three files only."""
    pytest.importorskip("llvmlite")
    from scalargrad import jit

    jit(lambda x: x + 1.0)(2.0)
    compiled = jit(lambda x, y: (x + y) * y)
    assert_made("`jit(f)(1.0, 2.0)`", entered(lambda: compiled(1.0, 2.0)))
    assert_made("`jit(f)(1.0, 3.0)`", entered(lambda: compiled(1.0, 3.0)))


def test_the_way_of_a_page_and_of_a_picture(tmp_path: Path) -> None:
    """A walk becomes a page, a graph a picture."""
    x, y, z = leaves()
    f = (x + y) * z
    walk(f).save(tmp_path / "before.html")
    assert_made(
        '`walk(f).save("walk.html")`',
        entered(lambda: walk(f).save(tmp_path / "walk.html")),
    )
    assert_made("`draw(f).svg()`", entered(lambda: draw(f).svg()))


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
    assert_made("`fit(model", way)


Trip = dict[str, "Trip"]


def trip_of(thing: object, run: Callable[[], object]) -> Trip:
    """Return which file gives a thing to which, as nested dicts; calls within a file are one."""
    trip: Trip = {}
    under_way: list[tuple[FrameType | None, str, Trip]] = [(None, "", trip)]

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code, path = frame.f_code, frame.f_code.co_filename
        if event == "return" and under_way[-1][0] is frame:
            under_way.pop()
        if event != "call" or not path.startswith(str(SOURCE)):
            return
        given = [frame.f_locals.get(x) for x in code.co_varnames[: code.co_argcount + 2]]
        inside = [y for x in given if isinstance(x, tuple | list) for y in x]
        if any(x is thing for x in [*given, *inside]):
            file = Path(path).relative_to(SOURCE).as_posix()
            _, caller, passed_on = under_way[-1]
            onward = passed_on if file == caller else passed_on.setdefault(file, {})
            under_way.append((frame, file, onward))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return trip


def stops(trip: Trip) -> list[str]:
    """Return the files that pass a thing on, in order; one that only answers is no stop."""
    return [x for file, onward in trip.items() if onward for x in (file, *stops(onward))]


def assert_straight(trip: Trip) -> None:
    """Check that a trip comes back at most five times to a file that it has left."""
    found = stops(trip)
    assert found
    assert len(found) - len(set(found)) <= 5, found


def test_a_root_goes_straight_through_backward() -> None:
    """From the Value to the sweep, and out."""
    x, y, z = leaves()
    f = (x + y) * z
    assert_straight(trip_of(f, f.backward))


def test_an_argument_goes_straight_through_a_compiled_call() -> None:
    """From the call to the numbers, to the program, to the result; also when it is recorded."""
    pytest.importorskip("llvmlite")
    compiled = scalargrad.jit(lambda x, y: (x + y) * y)
    x, _, _ = leaves()
    assert_straight(trip_of(x, lambda: compiled(x, 2.0)))
    assert_straight(trip_of(x, lambda: compiled(x, 3.0)))


def test_a_root_goes_straight_into_a_page(tmp_path: Path) -> None:
    """From the steps to the drawing, to the record, to the texts."""
    x, y, z = leaves()
    f = (x + y) * z
    walk(f).save(tmp_path / "before.html")
    assert_straight(trip_of(f, lambda: walk(f).save(tmp_path / "walk.html")))


def test_a_model_goes_straight_through_fit() -> None:
    """From the options to the program of a step, to the modules that compute it."""
    pytest.importorskip("llvmlite")
    model = nn.Sequential(nn.Linear(1, 1, rng=0))
    sgd = optim.SGD(model.parameters(), lr=0.1)
    run = functools.partial(
        fit, model, [[1.0], [2.0]], [[2.0], [4.0]],
        loss=losses.mse_loss, optimizer=sgd, epochs=2, quiet=True, jit=True,
    )  # fmt: skip
    assert_straight(trip_of(model, run))
