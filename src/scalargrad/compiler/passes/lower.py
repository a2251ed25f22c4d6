"""Lower a program: write reductions, such as a maximum of several numbers, in simpler operations.

It comes after differentiation, as a reduction has a simpler derivative than what it is written in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from scalargrad.compiler.passes.expressions import (
    IDENTITY,
    Plan,
    follow,
    plan,
    plan_of,
    written_out,
)
from scalargrad.compiler.passes.kinds import CONSTANT, DETACH, PRODUCTS, Op
from scalargrad.compiler.passes.program import Program, without_dead_nodes
from scalargrad.compiler.passes.saved_exponentials import SavedExponentials
from scalargrad.compiler.passes.writer import Writer
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.symbol import Symbol


def lower(program: Program) -> Program:
    """Return a program in sums of products and operations with few operands.

    Dead nodes are dropped. What is returned cannot be differentiated any more.
    """
    saved = SavedExponentials(program)
    if not saved and not any(map(_is_lowered, {*program.ops})):
        return without_dead_nodes(program)
    writer, alive = Writer(program.inputs), program.alive()
    new = [*range(program.inputs), *[-1] * (len(program) - program.inputs)]
    products: Callable[[tuple[int, ...]], int] = writer.copied_products
    folded = False
    for node in range(program.inputs, len(program)):
        if not alive[node]:
            continue
        op = program.ops[node]
        args = tuple([new[x] for x in program.args[node]])
        if op is PRODUCTS:
            new[node] = products(args)
        elif op is CONSTANT:
            new[node] = writer.copied_constant(program, node)
        elif op is DETACH or (op is IDENTITY and args[0] not in writer.constants):
            new[node] = args[0]
        elif saved and (made := saved.written(writer, op, program.args[node], args)) is not None:
            new[node] = made
        else:
            found = _plan(op, len(args))
            new[node] = writer.node(op, args) if found is None else follow(writer, found, args)
            if new[node] in writer.constants:  # sums of it may simplify
                products, folded = writer.products, True
    return writer.finish([new[x] for x in program.outputs], tidy=folded)


def _is_lowered(op: Op) -> bool:
    """Return whether an operation is written in others."""
    return op is DETACH or isinstance(op, Reduction) or _plan(op, 0) is not None


@functools.cache
def _plan(op: Op, arity: int) -> Plan | None:
    """Return how an operation is written in others; None if it stays."""
    if not isinstance(op, Operation):
        return None
    if not isinstance(op, Reduction) or op.expression is None:
        return plan_of(op, arity)
    symbols = tuple(Symbol(f"x{i}") for i in range(arity))
    return plan(written_out(op, symbols), symbols)
