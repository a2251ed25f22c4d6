"""Explain a compiled function: what its program consists of, and how long each part takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.choice import code_for, executable_for, has_llvm
from scalargrad.compiler.backend.llvm.extents import size_of
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.explain.explanation import (
    Explanation,
    Timed,
    shortest,
    time_of,
    timed,
)
from scalargrad.compiler.function import Function
from scalargrad.compiler.loops.listing import name_of
from scalargrad.compiler.loops.loop import CellTable, Clear, Increase, Loop, Looped, Read, Write
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
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
    Scatter,
    Take,
)
from scalargrad.compiler.passes.program import without_dead_nodes
from scalargrad.compiler.runner import Inputs, LoopRunner

#: The most pieces that are timed; in a longer program, each is several instructions. Each has a
#: memory of the whole program, so that of many cells has fewer pieces, but not less than so many.
_PIECES, _CELLS, _FEWEST = 400, 40_000_000, 32
#: The most parts of a program of loops that are timed: more loops are timed in stretches.
_BARS = 100

_NAMES = {
    Copy: "copy",
    Gather: "gather",
    Products: "sum of products",
    GatheredProducts: "sum of gathered products",
    Take: "take",
    Scatter: "scatter",
}


def explain(path: Path, inputs: Inputs, call: Callable[[], object]) -> Explanation:
    """Return the size after each pass, and the instructions and times of each program.

    Parameters
    ----------
    inputs : list of float or float64
        The numbers on which the program is timed.
    call : callable
        Makes a call with these, which is timed as well, unless it draws random numbers.
    """
    function = path.function
    runners = {"forward": function.values}
    if len(function.moving) == 1 and path.differentiable:
        runners["forward and backward"] = function.values_and_row
    lines = [f"{path.name}: {path.recorded} nodes recorded{_found(function)}"]
    programs, codes = [], []
    for name, runner in runners.items():
        memory = runner.memory_after(inputs)
        for title, packed in runner.parts:
            full = f"{name}, {title}" if title else name
            if isinstance(packed, Looped):
                lines += _loops(full, packed)
                codes.append(_code_of_loops(packed))
                if memory is not None:
                    programs.append(_loops_timed(full, packed, memory))
                continue
            lines += _program(full, packed)
            codes.append(code_for(packed))
            programs.append(_timed(full, packed, packed.memory if memory is None else memory))
    lines.append(f"run by {'machine code' if has_llvm() else 'NumPy'}")
    lines += [_where_time_goes(program) for program in programs if program.seconds]
    if not path.draws:
        lines.append(
            f"time of a call: {time_of(shortest(call))}, with its arguments read and results made"
        )
    return Explanation("\n".join(lines), programs, "\n".join(filter(None, codes)))


def _found(function: Function) -> str:
    """Describe the result of the first pass: sums of products, or loops."""
    if isinstance(function.values, LoopRunner):
        loops = [x for x in function.values.packed.loops if isinstance(x, Loop)]
        return f", found as {sum(len(loop.steps) for loop in loops)} steps of {len(loops)} loops"
    return f", {len(without_dead_nodes(function.as_run))} after flattening"


def _timed(title: str, packed: Packed, memory: Floats) -> Timed:
    """Time each piece of a program alone, over many runs, on the memory as a run leaves it."""
    instructions, cells = packed.instructions, len(packed.memory)
    size = -(-len(instructions) // min(_PIECES, max(_FEWEST, _CELLS // max(1, cells)))) or 1
    pieces = [instructions[k : k + size] for k in range(0, len(instructions), size)]

    def seconds(part: list[Instruction]) -> float:
        executable = executable_for(replace(packed, instructions=part))
        executable.memory[:cells] = memory[:cells]  # it has spare cells of its own beyond them
        return shortest(executable.run)

    gathers, nbytes = _gathers(packed), packed.memory.nbytes
    return timed(title, pieces, _described, seconds, gathers=gathers, nbytes=nbytes)


def _loops_timed(title: str, program: Looped, memory: Floats) -> Timed:
    """Time each loop alone, on the memory that a whole run leaves; of very many, stretches."""

    def seconds(loops: list[Loop | Clear]) -> float:
        part = LoopExecutable(Printed(replace(program, loops=loops)))
        part.memory[:] = memory
        return shortest(part.run)

    size = math.ceil(len(program.loops) / _BARS)
    parts = [program.loops[k : k + size] for k in range(0, len(program.loops), size)]
    gathers = sum(
        isinstance(x, Read | Write | Increase) and isinstance(x.place, CellTable)
        for loop in program.loops
        if isinstance(loop, Loop)
        for x in loop.steps
    )
    nbytes = 8 * program.cells
    return timed(title, parts, _loop, seconds, gathers=gathers, nbytes=nbytes, of="loop")


def _loop(loop: Loop | Clear) -> tuple[str, int]:
    """Return the kind of a loop, and its iterations."""
    return name_of(loop), loop.size if isinstance(loop, Clear) else loop.count


def _where_time_goes(program: Timed) -> str:
    """Return a line that names the kinds of instructions that take the most time."""
    shares = [share for share in program.shares[:4] if share.seconds]
    parts = [f"{share.name} {share.seconds / program.seconds:.0%}" for share in shares]
    return f"time of {program.title}: {program.seconds * 1e6:.3g} µs, {', '.join(parts)}"


def _gathers(packed: Packed) -> int:
    return sum(
        isinstance(x, Gather | GatheredProducts | Take | Scatter) for x in packed.instructions
    )


def _program(name: str, packed: Packed) -> list[str]:
    head = (
        f"{name}: {len(packed.instructions)} instructions, {_gathers(packed)} of them gathers, "
        f"{packed.memory.nbytes} bytes"
    )
    return [head, *_kinds(packed.instructions)]


def _loops(name: str, program: Looped) -> list[str]:
    """Return lines that describe the loops of a program."""
    loops = [x for x in program.loops if isinstance(x, Loop)]
    lines = [f"{name}: {len(loops)} loops, {8 * program.cells} bytes"]
    steps: Counter[tuple[str, int]] = Counter()
    for loop in loops:
        steps[_loop(loop)] += len(loop.steps)
    for (kind, count), total in steps.items():
        often = "" if count == 1 else f", {count} iterations"
        lines.append(f"  {kind}{often}: {total} step{'s' * (total != 1)}")
    return lines


def _code_of_loops(program: Looped) -> str:
    """Return the LLVM IR of a program of loops."""
    from scalargrad.compiler.loops.loop_printer import printed

    return printed(program).module.text()


def _kinds(instructions: Iterable[Instruction]) -> list[str]:
    """Return a line for each kind of instruction: how many there are, over how many lanes."""
    count: Counter[str] = Counter()
    lanes: Counter[str] = Counter()
    for instruction in instructions:
        name, width = _described(instruction)
        count[name] += 1
        lanes[name] += width
    return [
        f"  {count[name]:4} × {name}, {total} lane{'s' * (total != 1)}"
        for name, total in lanes.most_common()
    ]


def _described(instruction: Instruction) -> tuple[str, int]:
    """Return the kind of an instruction, and its lanes."""
    own = instruction.op.name if isinstance(instruction, Apply) else _NAMES[type(instruction)]
    return own, size_of(instruction)


def listing(packed: Packed) -> str:
    """Return every instruction as an assignment to memory cells, with the ranges of its indices.

    Examples
    --------
    >>> from scalargrad.compiler.packing.instructions import Affine
    >>> copied = Copy(100, 2, 3, Affine(0, 1, 2))
    >>> print(listing(Packed([copied], None, 0, slice(0))))  # type: ignore[arg-type]
    m[100 + 3i + j] = m[0 + i + 2j]    i < 2, j < 3
    """
    return "\n".join(_written(instruction) for instruction in packed.instructions)


def _written(instruction: Instruction) -> str:
    if isinstance(instruction, Apply):
        op, out, lanes, operands = instruction
        shown = ", ".join(_cell(Affine(x, 0, int(lanes > 1))) for x in operands)
        return f"{_cell(Affine(out, 0, int(lanes > 1)))} = {op.name}({shown}){_range(1, lanes)}"
    if isinstance(instruction, Copy):
        out, rows, columns, source = instruction
        return f"{_out(out, rows, columns)} = {_cell(source)}{_range(rows, columns)}"
    if isinstance(instruction, Gather):
        cells = instruction.sources.tolist()
        return f"m[{instruction.out} + j] = m[({_table(cells)})]{_range(1, len(cells))}"
    if isinstance(instruction, Products):
        out, rows, columns, start, runs = instruction
        shown = " + ".join([_cell(start), *map(_sum, runs)])
        return f"{_out(out, rows, columns)} = {shown}{_range(rows, columns)}"
    if isinstance(instruction, Take | Scatter):
        return _lookup(instruction)
    a, b = (_table(x.ravel().tolist()) for x in (instruction.a, instruction.b))
    lanes, terms = instruction.a.shape
    begun = _table(instruction.start.tolist())
    first = f"{_cell(Affine(instruction.out, 0, int(lanes > 1)))} = m[({begun})]"
    return f"{first} + Σ(t < {terms}) m[({a})]·m[({b})]{_range(1, lanes)}"


def _lookup(instruction: Take | Scatter) -> str:
    if isinstance(instruction, Take):
        out, index, base, stride, size = instruction
        entry = (
            f"({_table(base.tolist())}) + ({_table(stride.tolist())})·m[({_table(index.tolist())})]"
        )
        return f"m[{out} + j] = m[{entry}]{_range(1, len(size))}"
    out, start = instruction.out, instruction.start
    place, added = (_table(x.ravel().tolist()) for x in (instruction.place, instruction.values))
    return f"m[({_table((out + start).tolist())}) + m[({place})]] += m[({added})]"


def _out(out: int, rows: int, columns: int) -> str:
    return _cell(Affine(out, columns * (rows > 1), int(columns > 1)))


def _cell(place: Affine) -> str:
    parts = [str(place.base)]
    for distance, index in zip(place[1:], "ijt", strict=True):
        if distance:
            parts.append(index if distance == 1 else f"{distance}{index}")
    return f"m[{' + '.join(parts)}]"


def _sum(run: ProductRun) -> str:
    product = f"{_cell(run.a)}·{_cell(run.b)}"
    return product if run.terms == 1 else f"Σ(t < {run.terms}) {product}"


def _range(rows: int, columns: int) -> str:
    shown = [f"{name} < {n}" for name, n in (("i", rows), ("j", columns)) if n > 1]
    return f"    {', '.join(shown)}" if shown else ""


def _table(cells: list[int]) -> str:
    return ", ".join(map(str, cells[:4])) + (", …" if len(cells) > 4 else "")
