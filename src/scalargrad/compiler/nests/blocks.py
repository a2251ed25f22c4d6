"""Many examples in blocks, which threads share: example s·L + e is number e of block s.

A sum over examples is the sum of those of the blocks. The number of blocks depends only on that of
the examples, so that digits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Collection

from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    nest,
    statements,
)
from scalargrad.ops import TABLE

#: The fewest examples that are split into blocks, and the most blocks.
EXAMPLES, BLOCKS = 10_000, 40


class Block(Var):
    """The variable of a loop over blocks, whose turns share no cell that they write."""


def in_blocks(program: Program, examples: Collection[Var]) -> Program:
    """Return a program whose loops over many examples are loops over blocks of them."""
    for var in examples:
        blocks = max(k for k in range(1, BLOCKS + 1) if var.extent.base % k == 0)
        if var.extent.base >= EXAMPLES and blocks > 1 and _may_be_split(program, var):
            program = _Split(program, var, blocks).run()
    return program


def _may_be_split(program: Program, var: Var) -> bool:
    """Return whether loops over a variable are outermost, and add up by partial sums."""
    return all(
        around[0] is var and (step.how == SET or adds_loop_by_loop(step.out))
        for step, around in statements(program.body)
        if var in around
    )


class _Split:
    def __init__(self, program: Program, var: Var, blocks: int) -> None:
        self.program, self.var = program, var
        self.block = Block(f"{var}s", Index(blocks))
        self.own = Var(f"{var}0", Index(var.extent.base // blocks))
        self.moved = {var: self.block * (var.extent.base // blocks) + self.own}
        self.arrays = [*program.arrays]

    def run(self) -> Program:
        body: Body = []
        for item in self.program.body:
            if not isinstance(item, Loop) or item.var is not self.var:
                body.append(item)
                continue
            totals: Body = []
            inside = self._inside(item.body, (), totals)
            body += [Loop(self.block, [Loop(self.own, inside, item.down)]), *totals]
        return Program(self.arrays, body)

    def _inside(self, body: Body, around: tuple[Loop, ...], totals: Body) -> Body:
        found: Body = []
        for item in body:
            if isinstance(item, Loop):
                inside = self._inside(item.body, (*around, item), totals)
                found.append(Loop(item.var, inside, item.down))
                continue
            if item.how != SET and self.var not in item.out.variables:
                item = Step(self._total(item, around, totals), item.op, item.args, item.how)
            found.append(item.with_cells(lambda x: x.substituted(self.moved)))
        return found

    def _total(self, step: Step, around: tuple[Loop, ...], totals: Body) -> Access:
        """Write the sum of those of the blocks, and return the cell of one block's."""
        out = step.out
        parts = Array(f"{out.array} of blocks", (self.block.extent.base, *out.array.shape))
        self.arrays.append(parts)
        part = Access(parts, (as_index(self.block), *out.indices))
        one = Var(f"{self.block}1", self.block.extent)
        read = part.substituted({self.block: as_index(one)})
        cells = [loop for loop in around if loop.var in out.variables]
        total = Step(out, TABLE["identity"], (read,), step.how)
        totals.append(nest(total, [*cells, Loop(one)]))
        return part
