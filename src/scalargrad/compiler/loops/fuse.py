"""Fuse multiplications and additions of backward loops into fused multiply-adds.

Forward loops do so as they are written (`forward`), by what was recorded alone: a value thus has
the same digits with a gradient and without.
"""

from __future__ import annotations

from collections import Counter

from scalargrad.compiler.loops.loop import (
    Compute,
    Fused,
    Loop,
    Step,
    registers_read,
    renumbered,
)
from scalargrad.ops import add, mul, neg, sub


def fuse(loop: Loop) -> None:
    """Write a·b + c, c - a·b and a·b - c as one step where nothing else reads the product.

    The product itself is left in place, unused; `prune` removes it.
    """
    uses = _uses(loop)
    made: list[Step] = []
    new: list[int] = []

    def product(register: int) -> tuple[int, ...] | None:
        step = loop.steps[register]
        alone = isinstance(step, Compute) and step.op is mul and uses[register] == 1
        return step.operands if alone else None  # type: ignore[union-attr]

    def negative(register: int) -> int:
        made.append(Compute(neg, (register,)))
        return len(made) - 1

    for step in loop.steps:
        found = renumbered(step, new)
        if isinstance(step, Compute) and step.op in {add, sub}:
            x, y = step.operands
            if (factors := product(y)) is not None:
                a, b = (new[k] for k in factors)
                found = Fused((negative(a) if step.op is sub else a, b, new[x]))
            elif (factors := product(x)) is not None:
                a, b = (new[k] for k in factors)
                found = Fused((a, b, negative(new[y]) if step.op is sub else new[y]))
        made.append(found)
        new.append(len(made) - 1)
    loop.steps = made
    loop.carries = [carry._replace(register=new[carry.register]) for carry in loop.carries]
    loop.totals = [
        total._replace(
            terms=tuple([product(t[0]) or t if len(t) == 1 else t for t in total.terms])
        ).renamed(new)
        for total in loop.totals
    ]


def _uses(loop: Loop) -> Counter[int]:
    """Return how often each register is read."""
    uses = Counter(x.register for x in loop.carries)
    uses.update(x for total in loop.totals for term in total.terms for x in term)
    uses.update(x for step in loop.steps for x in registers_read(step))
    return uses
