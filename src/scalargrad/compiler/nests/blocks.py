"""Divide the loop over many examples into blocks, which threads share.

Example s·L + e is number e of block s. The number of blocks depends only on the number of examples,
not on that of threads, so digits do not depend on the threads either. A sum over examples becomes a
sum over the sums of the blocks:

    for e in 20000:                   for es in 40:
        y[e] = p[e] · p[e]     →          for e0 in 500:
                                              y[e0+500*es] = p[e0+500*es] · p[e0+500*es]
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Index,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    nest,
    replaced,
    statements,
    within_loops,
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
            program = _split(program, var, blocks)
    return program


def _may_be_split(program: Program, var: Var) -> bool:
    """Return whether loops over a variable are outermost, and add up by partial sums."""
    return all(
        around[0] is var and (step.how == SET or adds_loop_by_loop(step.out))
        for step, around in statements(program.body)
        if var in around
    )


def _split(program: Program, var: Var, blocks: int) -> Program:
    """Return a program whose loops over a variable are loops over blocks of its turns."""
    size = var.extent.base // blocks
    block, own = Block(f"{var}s", Index(blocks)), Var(f"{var}0", Index(size))
    moved, arrays, body = {var: block * size + own}, [*program.arrays], list[Loop | Step]()
    for item in program.body:
        if not isinstance(item, Loop) or item.var is not var:
            body.append(item)
            continue
        parts, totals = dict[Step, Access](), list[Loop | Step]()
        for step, around in within_loops(item.body):
            if step.how != SET and var not in step.out.variables:
                out = step.out
                array = Array(f"{out.array} of blocks", (blocks, *out.array.shape))
                arrays.append(array)
                parts[step] = Access(array, (as_index(block), *out.indices))
                totals.append(_total(step, parts[step], block, around))

        def of_block(step: Step, parts: dict[Step, Access] = parts) -> Step:
            found = Step(parts.get(step, step.out), step.op, step.args, step.how)
            return found.with_cells(lambda x: x.substituted(moved))

        body += [Loop(block, [Loop(own, replaced(item.body, of_block), item.down)]), *totals]
    return Program(arrays, body)


def _total(step: Step, part: Access, block: Var, around: Sequence[Loop]) -> Loop | Step:
    """Return the sum of those of the blocks, each in a cell, as a step adds to it."""
    one = Var(f"{block}1", block.extent)
    read = part.substituted({block: as_index(one)})
    total = Step(step.out, TABLE["identity"], (read,), step.how)
    cells = [loop for loop in around if loop.var in step.out.variables]
    return nest(total, [*cells, Loop(one)])
