"""What long programs were packed into is kept on disk, for processes that record them again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compiler.test_known_programs import irregular, over_examples, recurrence
from tests.patience import PATIENCE

import scalargrad as sg
from scalargrad import jit, value_and_grad, vmap
from scalargrad.compiler import disk_cache, known_programs
from scalargrad.compiler.loops.examples_apart import examples_apart
from scalargrad.compiler.loops.looped import looped


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep programs of any length, in a folder of their own."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(disk_cache, "said", set())
    monkeypatch.setattr(known_programs, "ON_DISK", range(10_000_000))
    yield tmp_path / "scalargrad" / "code"
    known_programs.forget()


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the programs that are packed, not found."""
    found: list[Any] = []

    def noted(program: Any, **options: Any) -> Any:
        found.append(program)
        return looped(program, **options)

    def noted_apart(program: Any) -> Any:
        apart = examples_apart(program)
        found.extend([] if apart is None else [program])
        return apart

    monkeypatch.setattr("scalargrad.compiler.runner.looped", noted)
    monkeypatch.setattr("scalargrad.compiler.runner.examples_apart", noted_apart)
    return found


def over_blocks(x: Any, y: Any) -> Any:
    """Add up so many examples that they run in blocks, in registers."""
    return sum(vmap(lambda k: sg.tanh(k * x) * y)(np.linspace(0.0, 1.0, 5_000)))


def over_wide_blocks(x: Any, y: Any) -> Any:
    """Add up examples in blocks that need more numbers than there are registers."""

    def example(k: Any) -> Any:
        hidden = [sg.tanh(k * x + 0.01 * j) for j in range(30)]
        return sum(sg.dot(hidden, hidden[j:] + hidden[:j]) * y for j in range(30))

    return sum(vmap(example)(np.linspace(0.0, 1.0, 5_000)))


def wide_by_numpy(x: float, y: float) -> tuple[float, tuple[float, float]]:
    """Return value and slopes of those: all products of two of a few numbers are a square."""
    k = np.linspace(0.0, 1.0, 5_000)[:, None]
    hidden = np.tanh(k * x + 0.01 * np.arange(30))
    whole, slope = hidden.sum(1), (k * (1.0 - hidden**2)).sum(1)
    return y * (whole @ whole), (2.0 * y * (whole @ slope), whole @ whole)


def recurrences(x: Any, y: Any) -> Any:
    """Add up examples that are long recurrences, and stay loops."""

    def example(k: Any) -> Any:
        s = k * x
        for _ in range(3_000):
            s = s + 0.001 * sg.sin(s * y)
        return s

    return sum(vmap(example)([0.1 * k for k in range(8)]))


def lookups(x: Any, y: Any) -> Any:
    """Look numbers up in a row."""
    row = [x, y, x * y, -0.0, 1.5]
    return sum(sg.take(row, (7 * k) % 5) * k for k in range(20))


def as_elsewhere(function: Callable[[Any, Any], Any], x: float = 0.3, y: float = 1.2) -> Any:
    """Return value and slopes as a process that has packed nothing computes them."""
    known_programs.forget()
    return jit(value_and_grad(function, argnums=(0, 1)))(x, y)


@pytest.mark.parametrize(
    "function",
    [irregular, recurrence, recurrences, over_examples, over_blocks, over_wide_blocks, lookups],
)
def test_another_process_finds_a_program_packed(
    function: Callable[[Any, Any], Any], packed: list[Any]
) -> None:
    """It computes the same digits, at other points as well."""
    oracle = wide_by_numpy if function is over_wide_blocks else value_and_grad(function, (0, 1))
    for x, y in ((0.3, 1.2), (-1.5, 0.4)):
        first, second = as_elsewhere(function, x, y), as_elsewhere(function, x, y)
        assert first == second
        value, slopes = oracle(x, y)
        assert [first[0], *first[1]] == pytest.approx([value, *slopes], rel=1e-11)
    assert len(packed) == 1


def _angle_from(height: float) -> Callable[[Any, Any], Any]:
    return lambda x, y: sg.atan2(height, x * y)


def test_programs_that_differ_in_a_constant_have_each_their_own_file(packed: list[Any]) -> None:
    """Also if only its sign differs."""
    for _ in range(2):
        for constant in (0.5, 0.25, 0.0, -0.0):
            found = as_elsewhere(_angle_from(constant), -1.0, 1.0)
            assert found[0] == float(np.arctan2(constant, -1.0))
    assert len(packed) == 4


def test_a_program_packed_by_other_source_is_packed_again(
    packed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no mistake of a compiler outlives it."""
    as_elsewhere(irregular)
    monkeypatch.setattr(known_programs, "packer", lambda: "another version")
    as_elsewhere(irregular)
    assert len(packed) == 2


def test_the_packer_is_known_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another byte of it is another packer; in an archive, it is none."""
    monkeypatch.setattr(known_programs, "__file__", str(tmp_path / "compiler" / "known.py"))
    found = [known_programs.packer.__wrapped__()]
    (tmp_path / "ops").mkdir()
    for text in ("x = 1", "x = 2", "x = 1"):
        (tmp_path / "ops" / "own.py").write_text(text)
        found.append(known_programs.packer.__wrapped__())
    assert found[0] == ""
    assert found[1] == found[3] != found[2]


def test_without_files_of_source_nothing_is_kept(
    packed: list[Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version could not be told from the next."""
    monkeypatch.setattr(known_programs, "packer", lambda: "")
    for _ in range(2):
        as_elsewhere(irregular)
    assert len(packed) == 2


def test_a_damaged_file_is_no_obstacle(packed: list[Any], folder: Path) -> None:
    """The program is packed and written again."""
    expected = as_elsewhere(irregular)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    for _ in range(2):
        assert as_elsewhere(irregular) == expected
    assert len(packed) == 2


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    packed: list[Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Programs are then packed by each process, with one word of it."""
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in its place")
    for function in (irregular, recurrence):
        as_elsewhere(function)
    assert len(packed) == 2
    assert caplog.text.count("cannot be kept for other processes") == 1


def _scaled(factor: float) -> Callable[[Any, Any], Any]:
    @sg.custom_op(partials=lambda y, x: (factor,))
    def scaled(x: float) -> float:
        return factor * x

    return lambda x, y: scaled(x) * y


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_programs_with_operations_of_the_user_are_not_kept(
    factor: float, packed: list[Any]
) -> None:
    """Another process may declare one of the same name otherwise."""
    for own in (factor, 5.0):
        found = as_elsewhere(_scaled(own))
        assert found[0] == pytest.approx(own * 0.3 * 1.2, rel=1e-15)
        assert found[1] == pytest.approx([own * 1.2, own * 0.3], rel=1e-15)
    assert len(packed) == 2


def test_data_alone_makes_no_program_long(
    packed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read numbers that a short program closes over takes as long as to pack them."""
    monkeypatch.setattr(known_programs, "ON_DISK", range(30_000, 10_000_000))
    for _ in range(2):
        as_elsewhere(over_blocks)
    assert len(packed) == 2
    for _ in range(2):
        as_elsewhere(recurrences)
    assert len(packed) == 3


SCRIPT = """
from scalargrad import jit, sin, value_and_grad
from scalargrad.compiler import runner

def loss(p):
    total = 0.0
    for k in range(3_000):
        total = total + sin(p[0] * (k * k % 17)) * p[(7 * k * k) % 5]
    return total

def noted(program, **options):
    print("packed", end=" ")
    return looped(program, **options)

looped, runner.looped = runner.looped, noted
print(jit(value_and_grad(loss))([0.1, 0.2, 0.3, 0.4, 0.5]))
"""


def test_a_script_that_is_run_again_packs_nothing(tmp_path: Path) -> None:
    """Only its first process does; both find the same digits."""

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout

    first = run()
    assert first.startswith("packed (")
    assert run() == first.removeprefix("packed ")


NUMPY = "from scalargrad import jit\nprint(sum(jit(lambda xs: [x * x for x in xs])([0.5] * 9_000)))"


def test_numpy_keeps_nothing(tmp_path: Path) -> None:
    """Without llvmlite, platformdirs need not be installed either."""
    done = subprocess.run(
        [sys.executable, "-c", NUMPY],
        env={**os.environ, "SCALARGRAD_JIT": "numpy", "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert float(done.stdout) == 2250.0
    assert not [*tmp_path.iterdir()]
