"""Programs of loops as C: one loop for each, over cells of static memory.

What `jit` runs as loops, such as the steps of a filter or of a differential equation, is a few
loops in C as well, with their gradients, however many steps there are.
"""

from __future__ import annotations

from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Cells,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    Number,
    Place,
    Read,
    Step,
    Write,
    is_sequential,
    registers_read,
)
from scalargrad.compiler.packing.instructions import Affine
from scalargrad.compiler.passes.kinds import CLASSES
from scalargrad.export.c_operations import Operations, initial_code
from scalargrad.export.c_packed import cell_code
from scalargrad.table.c import number_code


class LoopedStatements:
    """The loops of a program, each of them the body of a function.

    Attributes
    ----------
    bodies : list of str
    functions : dict from str to str
        The sources of the functions and tables that they need, by name.
    cells : int
        The size of the memory.
    initial : str
        What it holds at first.
    """

    def __init__(self, program: Looped) -> None:
        self._operations = Operations()
        self.functions = self._operations.functions
        self.cells, self.initial = max(1, program.cells), initial_code(program.initial())
        self.bodies = [
            _cleared(x) if isinstance(x, Clear) else "\n".join(self._loop(x)) for x in program.loops
        ]

    def _loop(self, loop: Loop) -> list[str]:
        before = [
            f"double c{k} = {'0.0' if x.start is None else f'm[{x.start}]'};"
            for k, x in enumerate(loop.carries)
        ]
        after = [f"m[{x.onto}] += c{k};" for k, x in enumerate(loop.carries) if x.onto is not None]
        for k, total in enumerate(loop.totals):
            if is_sequential(loop, total):
                before.append(f"double t{k} = m[{total.start}];")
                after.append(f"m[{total.cell}] = t{k};")
            else:
                before.append(f"double t{k}[{CLASSES}] = {{0.0}};")
                added = "".join(f" + t{k}[{row}]" for row in range(CLASSES))
                after.append(f"m[{total.cell}] = m[{total.start}]{added};")
        head = f"for (long i = 0; i < {loop.count}; i++) {{"
        if loop.down:
            head = f"for (long i = {loop.count - 1}; i >= 0; i--) {{"
        return [*before, head, *(f"  {line}" for line in self._body(loop)), "}", *after]

    def _body(self, loop: Loop) -> list[str]:
        """Return the lines of an iteration."""
        names = [_name(k, step) for k, step in enumerate(loop.steps)]
        read = {x for step in loop.steps for x in registers_read(step)}
        read |= {x.register for x in loop.carries}
        read |= {x for total in loop.totals for term in total.terms for x in term}
        lines = []
        for k, step in enumerate(loop.steps):
            if isinstance(step, Write | Increase):
                sign = "=" if isinstance(step, Write) else "+="
                lines.append(f"{self._at(step.place)} {sign} {names[step.register]};")
            elif k in read and not isinstance(step, Number):
                lines.append(f"const double {names[k]} = {self._value(step, names)};")
        lines += [f"c{k} = {names[x.register]};" for k, x in enumerate(loop.carries)]
        for k, total in enumerate(loop.totals):
            place = f"t{k}" if is_sequential(loop, total) else f"t{k}[i % {CLASSES}]"
            lines += [f"{place} += {' * '.join(names[x] for x in term)};" for term in total.terms]
        return lines

    def _value(self, step: Read | Compute | Fused | CarriedOver, names: list[str]) -> str:
        if isinstance(step, Read):
            return self._at(step.place)
        if isinstance(step, CarriedOver):
            return f"c{step.carry}"
        operands = [names[x] for x in step.operands]
        if isinstance(step, Compute):
            return self._operations.code(step.op).format(*operands)
        return "{} * {} + {}".format(*operands)

    def _at(self, place: Place) -> str:
        if isinstance(place, Cells):
            return cell_code(Affine(place.cell, place.stride), "i", "0")
        return f"m[{self._operations.entry(place.cells, 'i')}]"


def _name(k: int, step: Step) -> str:
    """Return a register as C: a variable, or a constant."""
    if not isinstance(step, Number):
        return f"r{k}"
    code = number_code(step.value)
    return f"({code})" if code.startswith("-") else code


def _cleared(clear: Clear) -> str:
    return f"for (long i = 0; i < {clear.size}; i++) m[{clear.start} + i] = 0.0;"
