"""The compiled kernel: its loops, its file, and what happens where it cannot be kept."""

from __future__ import annotations

import ctypes
import gc
import math
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scalargrad.compiler import switch
from scalargrad.compiler.backend import kernel, loops, machine, machine_code, registers
from scalargrad.compiler.backend.encode import (
    ALONG,
    ALONG_SCALED,
    ANYHOW,
    BESIDE,
    LOOPS,
    SAME,
    SPREAD,
    encode,
    mode,
)
from scalargrad.compiler.backend.numpy_runner import NumpyMachine
from scalargrad.compiler.passes.instructions import (
    Affine,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Packed,
    Products,
    Run,
)
from scalargrad.compiler.passes.lanes import merged, subexpressions
from scalargrad.compiler.passes.memory import Floats
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

CELLS = 4000

DOUBLING = """
from numba import njit

@njit(
    "void(CPointer(int64), int64, CPointer(float64))",
    no_cpython_wrapper=True, no_cfunc_wrapper=True,
)
def run(code, size, m):
    for i in range(size):
        m[code[i]] *= 2.0
"""


def first_cell(run: machine_code.Function) -> float:
    """Return what becomes of a 3 in the first cell."""
    code, memory = np.array([0]), np.array([3.0])
    call(run, code, memory)
    return float(memory[0])


def call(run: machine_code.Function, code: NDArray[np.int64], memory: Floats) -> None:
    """Run compiled code."""
    address = ctypes.c_void_p(code.ctypes.data), ctypes.c_void_p(memory.ctypes.data)
    run(ctypes.create_string_buffer(8), None, address[0], ctypes.c_int64(len(code)), address[1])


RUNS = {
    SAME: Run(3, Affine(0, 3, 0, 1), Affine(50, 0, 0, 2)),
    SPREAD: Run(7, Affine(0, 7, 0, 1), Affine(100, 0, 1, 40)),
    BESIDE: Run(2, Affine(0, 20, 1, 0), Affine(100, 0, 1, 9)),
    ALONG: Run(20, Affine(0, 20, 0, 1), Affine(200, 0, 25, 1)),
    ALONG_SCALED: Run(20, Affine(0, 20, 0, 1), Affine(200, 0, 25, 0)),
    ANYHOW: Run(3, Affine(0, 5, 2, 3), Affine(100, 7, 3, 2)),
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
    products((RUNS[SPREAD],), 9, 33),
    products((RUNS[SPREAD], RUNS[SPREAD]), 9, 32),
    products((RUNS[SPREAD], RUNS[SPREAD]), 9, 33),
    products((RUNS[ALONG], RUNS[ALONG]), 5, 8),
    *(products((run, run), 5, 7) for run in RUNS.values()),
]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_the_loops_do_what_numpy_does(instruction: Instruction) -> None:
    """Each loop, run as plain Python, leaves the memory that NumPy's runner leaves."""
    cells = np.random.default_rng(1).normal(size=CELLS)
    expected = NumpyMachine(Packed([instruction], cells, 0, slice(0)))
    expected.run()
    code, pc = encode([instruction], {}).tolist(), 0
    while pc < len(code):
        getattr(loops, LOOPS[code[pc]])(code, pc, cells)
        pc += code[pc + 1]
    assert np.allclose(cells, expected.memory, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chosen", list(RUNS))
def test_a_run_is_looped_over_along_its_neighbours(chosen: int) -> None:
    """The mode of a run follows from which of its indices runs over neighbouring cells."""
    run = RUNS[chosen]
    assert mode(6, run.terms, run.a, run.b) == chosen


def test_every_operation_of_the_table_has_lane_code() -> None:
    """An entry without a spelling for lanes would send its programs to NumPy."""
    known = {op.name for op in kernel.codes() if isinstance(op, Elementwise)}
    for name, op in TABLE.items():
        if isinstance(op, Elementwise) and name not in known:
            parts = subexpressions(merged(op.value_expression))
            opened = {part.op.name for part in parts if part.op is not None}
            assert opened <= {"add", "sub", "mul", "neg", "identity"}, "more than sums and products"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep machine code in a folder of its own."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    return tmp_path / "scalargrad"


def test_machine_code_is_kept_and_found_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A second process loads what the first compiled, with a word from the first alone."""
    assert first_cell(machine_code.function(DOUBLING)) == 6.0
    assert "once for this machine" in caplog.text
    (kept,) = folder.iterdir()
    caplog.clear()
    monkeypatch.setattr(machine_code, "_compiled", lambda source: pytest.fail("compiled again"))
    assert first_cell(machine_code.function(DOUBLING)) == 6.0
    assert list(folder.iterdir()) == [kept]
    assert not caplog.text


def test_other_source_is_other_machine_code(folder: Path) -> None:
    """What is kept is found by the source it was compiled from."""
    machine_code.function(DOUBLING)
    assert first_cell(machine_code.function(DOUBLING.replace("2.0", "5.0"))) == 15.0
    assert len(list(folder.iterdir())) == 2


def test_damaged_machine_code_is_compiled_again(folder: Path) -> None:
    """A file cut short is never run."""
    machine_code.function(DOUBLING)
    (kept,) = folder.iterdir()
    kept.write_bytes(whole := kept.read_bytes()[:-1])
    assert first_cell(machine_code.function(DOUBLING)) == 6.0
    assert len(kept.read_bytes()) == len(whole) + 1


@pytest.mark.usefixtures("folder")
def test_registers_compute_in_machine_code_what_they_do_in_python() -> None:
    """The loops are tested as Python, which stands for what Numba compiles."""
    source = (
        DOUBLING.partition("@njit")[0] + "from scalargrad.compiler.backend.register_code import *\n"
    )
    source += "@njit" + DOUBLING.partition("@njit")[2].partition("    for")[0]
    line = "    store(m, 2, multiply_add(load(m, 9), full(m[0]), load(m, 20)))"
    cells = np.random.default_rng(1).normal(size=30)
    compiled = cells.copy()
    call(machine_code.function(source + line), np.array([0]), compiled)
    expected = cells.copy()
    exec(line.strip(), vars(registers) | {"m": expected})
    assert np.allclose(compiled, expected, rtol=1e-15, atol=1e-15)


def test_machine_code_that_calls_what_is_not_there_is_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLVM would link a function of the C library that this process lacks to address 0."""
    calling = DOUBLING.replace("*= 2.0", "= erf(m[0])").replace(
        "from", "from math import erf\nfrom"
    )
    assert first_cell(machine_code.function(calling)) == math.erf(3.0)
    monkeypatch.setattr("llvmlite.binding.address_of_symbol", {"other": 1}.get)
    monkeypatch.setattr(machine_code, "_compiled", lambda source: pytest.fail("compiled again"))
    with pytest.raises(pytest.fail.Exception):
        machine_code.function(calling)


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel is then compiled for this process alone."""
    folder.write_text("a file in its place")
    assert first_cell(machine_code.function(DOUBLING)) == 6.0
    assert "cannot be kept" in caplog.text


def test_machine_code_needs_no_numba_once_it_is_kept() -> None:
    """A process that finds the kernel on disk saves itself the time to import Numba."""
    kernel.kernel()
    code = (
        "import sys, scalargrad; print(scalargrad.jit(scalargrad.exp)(0.0), 'numba' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "1.0 False"


def test_without_numba_numpy_runs_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Numba, or told to do without, still compiles."""
    packed = Packed([INSTRUCTIONS[0]], np.zeros(CELLS), 0, slice(0))
    monkeypatch.setenv("SCALARGRAD_JIT", "numpy")
    switch.chosen.cache_clear()
    machine.has_kernel.cache_clear()
    try:
        assert isinstance(machine.machine_for(packed), NumpyMachine)
    finally:
        monkeypatch.undo()
        switch.chosen.cache_clear()
        machine.has_kernel.cache_clear()
    assert isinstance(machine.machine_for(packed), kernel.KernelMachine)


def test_what_runs_a_program_holds_all_it_reads() -> None:
    """A machine's `run`, kept alone, keeps its instructions and its memory from being freed."""
    machine = kernel.KernelMachine(Packed([INSTRUCTIONS[0]], np.zeros(CELLS), 0, slice(0)))
    memory, run = weakref.ref(machine.memory), machine.run
    pointed_at = [getattr(x, "_obj", None) for x in run.args]  # type: ignore[attr-defined]
    del machine
    gc.collect()
    views = [view for x in pointed_at for view in (getattr(x, "_objects", None) or {}).values()]
    held = [view.obj for view in views]
    assert any(x is memory() for x in held)
    assert [x.dtype.kind for x in held] == ["i", "f"]


def test_importing_scalargrad_loads_neither_numpy_nor_numba() -> None:
    """They are imported when jit is first used."""
    code = "import sys, scalargrad; print({'numpy', 'numba'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
