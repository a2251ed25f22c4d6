"""The compiled kernel: its loops, its file, and what happens where it cannot be kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad.compiler import kernel, loops, machine
from scalargrad.compiler.encode import (
    ALONG,
    ANY,
    BESIDE,
    SAME,
    SPREAD,
    encode,
    mode,
)
from scalargrad.compiler.instructions import (
    Affine,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Packed,
    Products,
    Run,
)
from scalargrad.compiler.numpy_runner import NumpyMachine
from scalargrad.ops import TABLE
from scalargrad.ops.operation import Elementwise

CELLS = 4000

RUNS = {
    SAME: Run(3, Affine(0, 3, 0, 1), Affine(50, 0, 0, 2)),
    SPREAD: Run(7, Affine(0, 7, 0, 1), Affine(100, 0, 1, 40)),
    BESIDE: Run(2, Affine(0, 20, 1, 0), Affine(100, 0, 1, 9)),
    ALONG: Run(20, Affine(0, 20, 0, 1), Affine(200, 0, 25, 1)),
    ANY: Run(3, Affine(0, 5, 2, 3), Affine(100, 7, 3, 2)),
}


def products(runs: tuple[Run, ...], rows: int, columns: int) -> Products:
    """Return an instruction whose results stand apart from its operands."""
    return Products(2000, rows, columns, 1999, runs)


INSTRUCTIONS: list[Instruction] = [
    Copy(2000, 3, 4, Affine(7, 2, 9)),
    Gather(2000, np.array([5, 3, 900])),
    GatheredProducts(2000, 1999, np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]])),
    products((RUNS[SPREAD]._replace(b=Affine(100, 30, 1, 40)),), 3, 6),
    products((Run(20, Affine(0, 20, 30, 1), Affine(200, 0, 5, 0)),), 2, 3),
    products((Run(20, Affine(0, 20, 30, 1), Affine(200, 40, 25, 1)),), 3, 5),
    products((RUNS[SPREAD]._replace(a=RUNS[SPREAD].b, b=RUNS[SPREAD].a),), 5, 6),
    products(tuple(RUNS.values()), 5, 6),
    products((RUNS[SAME], Run(30, Affine(0, 30, 0, 1), Affine(200, 0, 0, 1))), 5, 1),
    *(products((run, run), 5, 7) for run in RUNS.values()),
]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_the_loops_do_what_numpy_does(instruction: Instruction) -> None:
    """Each loop, run as plain Python, leaves the memory that NumPy's runner leaves."""
    cells = np.random.default_rng(1).normal(size=CELLS)
    expected = NumpyMachine(Packed([instruction], cells, 0, slice(0)))
    expected.run()
    loop = {
        Copy: loops.copy,
        Gather: loops.gather,
        GatheredProducts: loops.gathered_products,
        Products: loops.products,
    }[type(instruction)]
    loop(encode([instruction], {}), 0, cells)
    assert np.allclose(cells, expected.memory, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chosen", list(RUNS))
def test_a_run_is_looped_over_along_its_neighbours(chosen: int) -> None:
    """The mode of a run follows from which of its indices runs over neighbouring cells."""
    run = RUNS[chosen]
    assert mode(6, run.terms, run.a, run.b) == chosen


def test_every_operation_of_the_table_has_lane_code() -> None:
    """An entry without a spelling for lanes would send its programs to NumPy."""
    opened = {"add", "sub", "mul", "neg", "square", "identity"}
    known = {op.name for op in kernel.codes() if isinstance(op, Elementwise)}
    assert known | opened == {n for n, op in TABLE.items() if isinstance(op, Elementwise)}


def test_the_source_is_written_whole_under_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal source is one file, left as it is; other source is another file."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    first = kernel._written("run = 1")
    assert kernel._written("run = 1") == first
    assert kernel._written("run = 2") != first
    assert sorted(tmp_path.rglob("*")) == sorted({first.parent, *first.parent.glob("kernel_*.py")})
    assert kernel._imported(first).run == 1


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is then compiled for this process alone."""
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(blocked / name))
    monkeypatch.setattr(kernel, "source", lambda cached: f"run = {cached}")
    found: Any = kernel.kernel.__wrapped__()
    assert found is False


def test_a_folder_that_may_only_be_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba could not keep its machine code there."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    monkeypatch.setattr("os.access", lambda path, kind: False)
    with pytest.raises(PermissionError):
        kernel._written("run = 1")


def test_without_numba_numpy_runs_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Numba, or told to do without, still compiles."""
    packed = Packed([INSTRUCTIONS[0]], np.zeros(CELLS), 0, slice(0))
    monkeypatch.setenv("SCALARGRAD_JIT", "numpy")
    machine.has_kernel.cache_clear()
    try:
        assert isinstance(machine.machine_for(packed), NumpyMachine)
    finally:
        monkeypatch.undo()
        machine.has_kernel.cache_clear()
    assert isinstance(machine.machine_for(packed), kernel.KernelMachine)


def test_importing_scalargrad_loads_neither_numpy_nor_numba() -> None:
    """They are imported when jit is first used."""
    code = "import sys, scalargrad; print({'numpy', 'numba'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
