"""A reduction of a fixed number of operands, as an elementwise operation.

It keeps the partials of the reduction. Those of the expression that it is written in may be others:
equal operands share the gradient of ``maximum``, while a choice sends all of it to one of them.
"""

from __future__ import annotations

import functools
from typing import Any

from scalargrad.compiler.passes.expressions import written_out
from scalargrad.table.operation import Elementwise, Reduction


class FixedArity(Elementwise):
    """A reduction of a fixed number of operands.

    Attributes
    ----------
    reduction : Reduction
        The operation of the table, whose value and partials these are.
    """

    composite = True

    def __init__(self, reduction: Reduction, arity: int) -> None:
        super().__init__(
            lambda *operands: written_out(reduction, operands),
            lambda result, *operands: reduction.partials(result, operands),
            name=reduction.name,
        )
        self.reduction = reduction
        self.arity = arity
        self.result_symbol, self.operand_symbols, _ = reduction.trace_partials(arity)

    def __reduce__(self) -> tuple[Any, ...]:
        return fixed_arity, (self.reduction, self.arity)


@functools.cache
def fixed_arity(reduction: Reduction, arity: int) -> FixedArity:
    """Return a reduction of `arity` operands, always the same object."""
    return FixedArity(reduction, arity)
