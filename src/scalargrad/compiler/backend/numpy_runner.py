"""The NumPy backend: execute each instruction of a packed program on arrays.

It is slower than machine code, but needs no compiler and runs custom operations too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.packing.instructions import (
    Apply,
    Gather,
    Packed,
    Products,
    Scatter,
    Take,
)
from scalargrad.compiler.passes.kinds import CLASSES, SEQUENTIAL
from scalargrad.compiler.passes.partial import Partial, expression_of, subexpressions
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol

Bound = Callable[[], None]


class NumpyExecutable:
    """A program with memory to run in; its instructions are bound to views of that memory.

    Parameters
    ----------
    packed : Packed
        The program.

    Attributes
    ----------
    memory : float64, cells
        Its first cells take the inputs before `run`.
    """

    def __init__(self, packed: Packed) -> None:
        self.memory = packed.memory.copy()
        self._steps = [_BINDERS[type(x)](x, self.memory) for x in packed.instructions]

    def run(self) -> None:
        """Run the instructions in order."""
        with np.errstate(all="ignore"):
            for step in self._steps:
                step()


def _bind_gather(instruction: Gather, memory: Floats) -> Bound:
    out = memory[instruction.out : instruction.out + len(instruction.sources)]
    return functools.partial(np.take, memory, instruction.sources, out=out)


def _bind_apply(instruction: Apply, memory: Floats) -> Bound:
    op, lanes = instruction.op, instruction.lanes
    assert isinstance(op, Elementwise | Partial)
    compute = vectorised(op)
    out = memory[instruction.out : instruction.out + lanes]
    operands = [memory[x : x + lanes] for x in instruction.operands]

    def step() -> None:
        out[:] = compute(*operands)

    return step


def sum_in_order(terms: Floats) -> Floats:
    """Return the sum of rows: of up to 64 one after the other, else of eight sums of every eighth.

    `numpy.sum` chooses its order by the shape of the array; here digits must not depend on that.
    """
    if len(terms) > SEQUENTIAL:
        terms = np.array([_one_by_one(terms[k::CLASSES]) for k in range(CLASSES)])
    return _one_by_one(terms)


def _one_by_one(terms: Floats) -> Floats:
    """Return a sum of rows; NumPy adds these in order, but would add a single column in pairs."""
    in_pairs = terms[0].size == 1
    found: Floats = np.add.accumulate(terms)[-1] if in_pairs else np.add.reduce(terms, initial=-0.0)
    return found


def _by_terms(products: Floats) -> Floats:
    """Return a contiguous array with the last axis, of the terms of sums, first."""
    return np.ascontiguousarray(np.moveaxis(products, -1, 0))


def _bind_products(instruction: Products, memory: Floats) -> Bound:
    a, b = instruction.a, instruction.b
    out = memory[instruction.out : instruction.out + len(a)]

    def step() -> None:
        total, products = memory[instruction.start], memory[a] * memory[b]
        if products.shape[1] > SEQUENTIAL:
            total += sum_in_order(_by_terms(products))
        else:
            for t in range(products.shape[1]):
                total += products[:, t]
        out[:] = total

    return step


def _bind_take(instruction: Take, memory: Floats) -> Bound:
    out = memory[instruction.out : instruction.out + len(instruction.place)]

    def step() -> None:
        places, known = _places(memory[instruction.place], instruction.size)
        out[:] = np.where(known, memory[instruction.base + instruction.stride * places], np.nan)

    return step


def _bind_scatter(instruction: Scatter, memory: Floats) -> Bound:
    start, size = instruction.start[:, None], instruction.size[:, None]
    out = memory[instruction.out : instruction.out + int(size.sum())]

    def step() -> None:
        places, known = _places(memory[instruction.place], size)
        values = memory[instruction.values]
        out[:] = 0.0
        np.add.at(out, (start + places)[known], values[known])

    return step


def _places(index: Floats, size: Addresses) -> tuple[Addresses, NDArray[np.bool_]]:
    """Return the entry that each index selects (0 if out of range), and whether it is valid."""
    known = (index >= -size) & (index < size) & (index == np.floor(index))
    whole = np.where(known, index, 0.0).astype(np.int64)
    return np.where(whole < 0, whole + size, whole), known


#: For each kind of instruction, what returns a function that executes one on a memory.
_BINDERS: dict[type, Callable[[Any, Floats], Bound]] = {
    Apply: _bind_apply,
    Gather: _bind_gather,
    Products: _bind_products,
    Take: _bind_take,
    Scatter: _bind_scatter,
}


@functools.cache
def vectorised(op: Elementwise | Partial) -> Callable[..., Any]:
    """Return `op` as a function of arrays: printed in NumPy where possible, else elementwise."""
    symbols, expression = expression_of(op)
    if not has_numpy_code(expression):
        return np.vectorize(op.of_floats_unchecked, otypes=[np.float64])
    names = {symbol: f"a{i}" for i, symbol in enumerate(symbols)}
    lines, result = numpy_code(expression, names)
    head = f"def lanes({', '.join(names.values())}):"
    source = "\n    ".join([head, *lines, f"return {result}"])
    namespace: dict[str, Any] = {"np": np, "math": _Lifted}
    exec(compile(source, f"<printed from {op.name}>", "exec"), namespace)
    lanes: Callable[..., Any] = namespace["lanes"]
    return lanes


class _Lifted:
    """Functions that NumPy lacks, applied element by element."""

    erf = staticmethod(np.vectorize(math.erf, otypes=[np.float64]))
    erfc = staticmethod(np.vectorize(math.erfc, otypes=[np.float64]))


def numpy_code(expression: Expression, names: dict[Symbol, str]) -> tuple[list[str], str]:
    """Return assignments that compute an expression on arrays, and the name of the result."""
    written: dict[Any, str] = dict(names)
    lines: list[str] = []
    for part in subexpressions(expression):
        if part not in written:
            written[part] = f"t{len(lines)}"
            lines.append(f"{written[part]} = {_operation(part, written)}")
    return lines, _name(expression, written)


def _operation(part: Symbol, names: dict[Any, str]) -> str:
    op = part.op
    operands = [_name(x, names) for x in part.operands]
    assert op is not None, f"unbound symbol {part.name}"
    if op.lazy:
        return _CHOICE.format(f"{operands[0]} != 0.0", *operands[1:])
    if op.comparison is not None:
        return _CHOICE.format(op.comparison.template.format(*operands), "1.0", "0.0")
    if op.python is not None:
        return op.python.template.format(*operands)
    assert op.lane is not None, f"{op.name} has no lane code"
    return op.lane.format(*operands)


_CHOICE = "np.where({0}, {1}, {2})"


def _name(x: Expression, names: dict[Any, str]) -> str:
    if isinstance(x, Symbol):
        return names[x]
    if x != x or x in {float("inf"), float("-inf")}:
        return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}[str(x)]
    return repr(x) if str(x)[0] != "-" else f"({x!r})"


def has_numpy_code(expression: Expression) -> bool:
    """Return whether all operations of an expression can be written in NumPy."""
    return all(x.op is None or _spelled(x.op) for x in subexpressions(expression))


def _spelled(op: Any) -> bool:
    known = op.lazy or op.comparison or op.python or op.lane
    return bool(known) and TABLE.get(op.name) is op
