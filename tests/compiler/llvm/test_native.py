"""Instructions in machine code do what NumPy does, to the last bit however they are laid out."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scalargrad.compiler import jit_mode
from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.backend import choice
from scalargrad.compiler.backend.llvm import encode
from scalargrad.compiler.backend.llvm.native import NativeExecutable, native
from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.backend.numpy_runner import NumpyExecutable
from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Packed,
    ProductRun,
    Products,
)
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

CELLS = 6000
OUT = 3000
START = Affine(OUT - 1)

#: Stretches by how their columns and terms lie.
RUNS = {
    "one sum for all columns": ProductRun(3, Affine(0, 3, 0, 1), Affine(50, 0, 0, 2)),
    "number × row": ProductRun(7, Affine(0, 7, 0, 1), Affine(100, 0, 1, 40)),
    "row × number": ProductRun(7, Affine(100, 0, 1, 40), Affine(0, 7, 0, 1)),
    "row × row": ProductRun(2, Affine(0, 20, 1, 0), Affine(100, 0, 1, 9)),
    "terms side by side": ProductRun(20, Affine(0, 20, 0, 1), Affine(200, 0, 25, 1)),
    "terms × number": ProductRun(20, Affine(0, 20, 0, 1), Affine(200, 0, 25, 0)),
    "no order": ProductRun(3, Affine(0, 5, 2, 3), Affine(100, 7, 3, 2)),
    "many terms": ProductRun(101, Affine(0, 101, 0, 1), Affine(1, 0, 63, 1)),
    "many rows": ProductRun(90, Affine(0, 3, 0, 11), Affine(5, 0, 1, 9)),
    "rows in a line": ProductRun(70, Affine(0, 1, 0, 31), Affine(5, 0, 1, 40)),
    "many, in no order": ProductRun(70, Affine(0, 3, 5, 11), Affine(5, 2, 7, 9)),
}
FACTORS: list[Callable[[ProductRun], Affine]] = [lambda run: run.a, lambda run: run.b]
SHAPES = [(1, 1), (1, 7), (3, 5), (5, 1), (4, 8), (5, 33), (2, 17), (9, 20), (9, 39), (17, 44)]


def products(
    runs: tuple[ProductRun, ...], rows: int, columns: int, start: Affine = START
) -> Products:
    """Return an instruction whose results stand apart from its operands."""
    return Products(OUT, rows, columns, start, runs)


def cells() -> Floats:
    """Return memory full of numbers."""
    return np.random.default_rng(1).normal(size=CELLS)


def addresses(lanes: int, terms: int) -> Addresses:
    """Return addresses in no order."""
    return np.random.default_rng(lanes).integers(0, OUT - 1, size=(lanes, terms))


INSTRUCTIONS: list[Instruction] = [
    Copy(OUT, 3, 4, Affine(7, 2, 9)),
    Copy(OUT, 3, 21, Affine(7, 30, 1)),
    Gather(OUT, np.array([5, 3, 900])),
    *(Apply(TABLE["relu"], OUT, n, (5,)) for n in (1, 3, 8, 21)),
    *(Apply(TABLE["pow"], OUT, n, (5, 90)) for n in (1, 3)),
    *(Apply(TABLE["tanh"], OUT, n, (5,)) for n in (1, 8, 31, 32)),
    *(
        Apply(op, OUT, 77, tuple(range(5, 5 + 90 * op.arity, 90)))
        for op in TABLE.values()
        if isinstance(op, Elementwise) and can_write(op)
    ),
    *(
        GatheredProducts(OUT, addresses(n, 1)[:, 0], addresses(n, t), addresses(n, t))
        for n, t in itertools.product((1, 2, 3, 17), (1, 5, 64, 83))
    ),
    *(products((run, run), *shape) for run in RUNS.values() for shape in SHAPES),
    products(tuple(RUNS.values())[:7], 5, 6),
    products(tuple(RUNS.values())[:7], 5, 1),
    products((RUNS["number × row"], RUNS["row × row"]), 3, 20, Affine(10, 20, 1)),
    products((RUNS["many terms"], RUNS["no order"]), 5, 6, Affine(10, 3, 2)),
    products((RUNS["many terms"], RUNS["terms side by side"]), 5, 6, Affine(10, 3, 2)),
]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_an_instruction_does_what_numpy_does(instruction: Instruction) -> None:
    """It leaves the memory that NumPy's runner leaves, beside the results too."""
    packed = Packed([instruction], cells(), OUT, slice(0))
    expected, found = NumpyExecutable(packed), NativeExecutable(packed)
    expected.run()
    found.run()
    assert np.allclose(
        found.memory[:CELLS], expected.memory, rtol=1e-12, atol=1e-12, equal_nan=True
    )


def alone(instruction: Products, i: int, j: int) -> Products:
    """Return the instruction for one of its sums."""

    def at(place: Affine) -> Affine:
        return Affine(place.base + i * place.outer + j * place.inner, 0, 0, place.term)

    runs = tuple(ProductRun(x.terms, at(x.a), at(x.b)) for x in instruction.runs)
    return Products(OUT, 1, 1, at(instruction.start), runs)


def ran(instruction: Instruction) -> Floats:
    """Return the memory after an instruction."""
    found = NativeExecutable(Packed([instruction], cells(), OUT, slice(0)))
    found.run()
    return found.memory


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", RUNS)
def test_a_sum_has_the_same_digits_alone_in_a_tile_and_from_a_table(
    kind: str, shape: tuple[int, int]
) -> None:
    """Which function adds it up depends on how its terms lie; its digits do not."""
    instruction = products((RUNS[kind], RUNS["terms × number"]), *shape)
    together = ran(instruction)
    for i, j in {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)}:
        one = alone(instruction, i, j)
        places = [
            np.concatenate([f(x).base + f(x).term * np.arange(x.terms) for x in one.runs])
            for f in FACTORS
        ]
        gathered = GatheredProducts(
            OUT, np.array([one.start.base]), places[0][None], places[1][None]
        )
        expected = together[OUT + i * shape[1] + j]
        assert ran(one)[OUT] == expected
        assert ran(gathered)[OUT] == expected


@pytest.mark.parametrize("registers", [16, 32])
@pytest.mark.parametrize("shape", [(3, 33), (9, 50), (16, 100), (15, 88), (13, 113)])
@pytest.mark.parametrize("kind", ["number × row", "row × row", "many rows"])
def test_a_sum_has_the_same_digits_whatever_a_processor_holds_in_registers(
    kind: str, shape: tuple[int, int], registers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the tiles of a processor with few registers nor those of two widths change any."""
    monkeypatch.setattr(encode, "registers", lambda: registers)
    instruction = products((RUNS[kind], RUNS["many rows"]), *shape)
    packed = Packed([instruction], cells(), OUT, slice(0))
    expected, found = NumpyExecutable(packed), NativeExecutable(packed)
    expected.run()
    found.run()
    assert np.allclose(found.memory[:CELLS], expected.memory, rtol=1e-12, atol=1e-12)
    for i, j in itertools.product((0, shape[0] - 1), (0, 31, shape[1] - 1)):
        assert found.memory[OUT + i * shape[1] + j] == ran(alone(instruction, i, j))[OUT]


def recurrence(steps: int) -> Packed:
    """Return small instructions that depend on one another."""
    instructions: list[Instruction] = []
    one, at = np.array([10]), 11
    for _ in range(steps):
        place = np.array([[at - 1, 2]])
        instructions.append(GatheredProducts(at, one, place, np.array([[0, 1]])))
        instructions.append(Apply(TABLE["tanh"], at + 1, 1, (at,)))
        instructions.append(Gather(at + 2, np.array([at, at + 1])))
        instructions.append(Copy(at + 4, 1, 2, Affine(at, 0, 1)))
        factors = ProductRun(2, Affine(at, 0, 0, 1), Affine(3, 0, 1, 1))
        instructions.append(Products(at + 6, 1, 2, Affine(at + 4), (factors,)))
        instructions.append(Apply(TABLE["add"], at + 8, 2, (at + 6, at + 2)))
        at += 10
    memory = np.zeros(at)
    memory[:10] = np.linspace(-1.0, 1.0, 10)
    memory[10] = -0.0
    return Packed(instructions, memory, 10, slice(at - 1, at))


def test_straight_code_computes_what_calls_do_and_what_numpy_does() -> None:
    """After several runs small instructions are printed one after the other."""
    packed = recurrence(30)
    found, expected = NativeExecutable(packed), NumpyExecutable(packed)
    expected.run()
    found.run()
    first = found.memory.copy()
    assert np.allclose(first, expected.memory, rtol=1e-13)
    for _ in range(20):
        found.run()
    assert native(packed).warm
    assert len(native(packed).calls) < 4
    assert found.memory.tobytes() == first.tobytes()
    found.memory[:10] = expected.memory[:10] = 0.3  # an input is never taken for a constant
    found.run()
    expected.run()
    assert np.allclose(found.memory, expected.memory, rtol=1e-13)
    another = NativeExecutable(packed)
    another.run()
    assert another.memory.tobytes() == first.tobytes()


@pytest.mark.parametrize("count", [1, 8, 21])
def test_a_run_tells_whether_all_outputs_are_finite(count: int) -> None:
    """One that is not, anywhere among them, is found; numbers beside them do not count."""
    copies: list[Instruction] = [Copy(OUT + k, 1, 1, Affine(5 + k)) for k in range(count)]
    packed = Packed(copies, cells(), OUT, slice(OUT, OUT + count))
    found = NativeExecutable(packed)
    found.memory[[0, 4, 5 + count, OUT - 1, OUT + count]] = np.inf, np.nan, np.nan, np.inf, np.nan
    assert found.run()
    for bad, place in itertools.product((np.inf, -np.inf, np.nan), {0, count // 2, count - 1}):
        found.memory[5 : 5 + count] = 1e308
        found.memory[5 + place] = bad
        assert not found.run()
    found.memory[5 : 5 + count] = 1e308
    assert found.run()


def test_programs_of_other_lengths_need_no_new_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, addresses and distances are data, and so are the widths of tiles in a row."""
    run = RUNS["number × row"]
    for columns in (40, 104):
        NativeExecutable(Packed([products((run,), 8, columns)], cells(), OUT, slice(0)))
    monkeypatch.setattr(
        "scalargrad.compiler.backend.llvm.native.compile_module",
        lambda *_, **__: pytest.fail("compiled"),
    )
    for columns in (72, 80, 85, 110):
        longer = products((run._replace(terms=9),), 12, columns)
        NativeExecutable(Packed([longer], cells(), OUT, slice(0))).run()


def test_without_llvmlite_numpy_runs_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without llvmlite, or told to do without, still compiles."""
    packed = Packed([INSTRUCTIONS[0]], np.zeros(CELLS), 0, slice(0))
    monkeypatch.setenv("SCALARGRAD_JIT", "numpy")
    jit_mode.chosen.cache_clear()
    choice.has_llvm.cache_clear()
    try:
        assert isinstance(choice.executable_for(packed), NumpyExecutable)
    finally:
        monkeypatch.undo()
        jit_mode.chosen.cache_clear()
        choice.has_llvm.cache_clear()
    assert isinstance(choice.executable_for(packed), NativeExecutable)


def test_what_runs_a_program_keeps_its_memory() -> None:
    """A machine's `run`, kept alone, keeps its tables and its memory from being freed."""
    packed = Packed([INSTRUCTIONS[0]], cells(), 0, slice(0))
    found = NativeExecutable(packed)
    tables, memory, run = weakref.ref(native(packed)), weakref.ref(found.memory.base), found.run
    del found, packed
    gc.collect()
    assert tables() is not None
    assert memory() is not None
    run()


def test_a_program_given_up_is_forgotten() -> None:
    """What was compiled for a program is freed with it."""
    packed = replace(Packed([INSTRUCTIONS[0]], cells(), 0, slice(0)))
    kept = weakref.ref(native(packed))
    del packed
    gc.collect()
    assert kept() is None


def test_importing_scalargrad_loads_neither_numpy_nor_llvmlite() -> None:
    """They are imported when jit is first used."""
    code = "import sys, scalargrad; print({'numpy', 'llvmlite'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
