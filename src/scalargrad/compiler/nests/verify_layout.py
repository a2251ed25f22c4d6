"""Verifier of the memory layout of scheduled loops, run when SCALARGRAD_VERIFY=1.

Arrays in memory do not overlap, their elements have different addresses, and what is stored lies
within its array. All arrays are alive until the last statement, but for buffers, which keep the
elements of the iterations that run together::

    x at 8, strides (20, 1), shape (3, 20)      # 8 … 67
    y at 64, strides (1,), shape (5,)           # overlaps x
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scalargrad.compiler.nests.equations import (
    CLASSES,
    SET,
    Access,
    Array,
    Body,
    Loop,
    Program,
    Step,
    within_loops,
)
from scalargrad.compiler.nests.plan import Buffer, Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.nests.verify import (
    Domain,
    VerificationError,
    Verifier,
    is_verifying,
    within,
)

#: Called with each scheduled program: its equations, its loops in order, and their layout.
LAYOUT_OBSERVERS: list[Callable[[Program, Body, Plan], None]] = []


def checked_layout(program: Program, body: Body, layout: Plan) -> None:
    """Verify the memory layout of scheduled loops if SCALARGRAD_VERIFY=1.

    Raises
    ------
    VerificationError
        If it is invalid.
    """
    if is_verifying():
        try:
            verify_layout(body, layout)
        except VerificationError as error:
            raise VerificationError(f"after plan: {error}") from None
    for observe in LAYOUT_OBSERVERS:
        observe(program, body, layout)


def verify_layout(body: Body, layout: Plan) -> None:
    """Raise an error if arrays overlap in memory, or an address is outside of its array.

    Sums without terms are stored, too: their addresses are among those checked. All arrays in
    memory are alive until the last statement, but for buffers, which keep the elements of the
    iterations that run together.

    Raises
    ------
    VerificationError
        Names the array and its addresses.
    """
    _verify_memory(layout)
    writers: dict[Array, int] = {}
    for step, loops in within_loops(body):
        writers[step.out.array] = writers.get(step.out.array, 0) + 1
        for x in (step.out, *step.reads()):
            if x.array in layout.buffers:
                _verify_buffer(step, x, loops, layout.buffers[x.array])
        if step.how != SET and step.out.array in layout.offsets:
            _verify_sum(step, loops, layout)
    for array, count in writers.items():
        if array not in layout.offsets and (count > 1 or array.kind != "temp"):
            raise VerificationError(f"{array} is not in memory, and no single register holds it")


def _verify_memory(layout: Plan) -> None:
    """Check that arrays do not overlap, that elements do not, and that memory is long enough."""
    stop, before = 0, "the start"
    for array in sorted(layout.offsets, key=lambda a: (layout.offsets[a], _last(a, layout))):
        first, strides = layout.offsets[array], layout.strides[array]
        if first < stop:
            raise VerificationError(f"{array} at {first} overlaps {before}, which ends at {stop}")
        stop, before = max(stop, _last(array, layout) + 1), array.name
        span = 0
        for stride, size in sorted(zip(strides, _shape(array, layout), strict=True)):
            if size > 1 and stride <= span:
                raise VerificationError(f"elements of {array} share addresses: strides {strides}")
            span += stride * max(size - 1, 0)
    for x in layout.displacements:
        if x.cell < stop:
            raise VerificationError(f"a displacement at {x.cell} overlaps an array before {stop}")
        stop, before = x.cell + 1, "a displacement"
    if stop > layout.cells:
        raise VerificationError(f"{before} ends at {stop}, memory at {layout.cells}")


def _shape(array: Array, layout: Plan) -> tuple[int, ...]:
    """Return the shape of an array in memory."""
    buffer = layout.buffers.get(array)
    if buffer is None:
        return array.shape
    return (*array.shape[: buffer.place], buffer.size, *array.shape[buffer.place + 1 :])


def _last(array: Array, layout: Plan) -> int:
    """Return the address of the last element of an array."""
    pairs = zip(_shape(array, layout), layout.strides[array], strict=True)
    return layout.offsets[array] + sum(max(n - 1, 0) * stride for n, stride in pairs)


def _verify_buffer(step: Step, x: Access, loops: Sequence[Loop], buffer: Buffer) -> None:
    """Check that a buffer has an element for each iteration that runs at once."""
    own = next((loop for loop in loops if loop.var is buffer.var), None)
    if own is None:
        raise VerificationError(f"{step} accesses {x.array} outside of the loop of its buffer")
    jam = own.jam if isinstance(own, ScheduledLoop) else 1
    blocks = buffer.block.extent.base if buffer.block else 1
    if buffer.size < CLASSES * jam * blocks:
        raise VerificationError(
            f"{x.array} has a buffer of {buffer.size}, {CLASSES * jam * blocks} run at once"
        )


def _verify_sum(step: Step, loops: Sequence[Loop], layout: Plan) -> None:
    """Check the addresses at which a sum is stored; one that grows in memory must be cleared."""
    out = step.out
    verifier = Verifier(Program([out.array, *(x.array for x in out.tables)], []))
    every = domain = Domain({}, 1, is_sampled=False)
    for loop in loops:
        table = loop.var.extent.via
        verifier.arrays |= {x.array for x in (table, *table.tables)} if table else set()
        verifier.known = {}
        extents = verifier.values(loop, loop.var.extent, every)
        if extents is None:
            return
        every = within(every, loop.var, extents.clip(0))
        if loop.var in out.variables and len(every.at) == len(domain.at) + 1:
            domain = every  # no loop of the sum encloses this one
    verifier.known = {}
    if domain.at.keys() >= out.variables:
        elements = verifier.elements(step, out, domain)
        if elements is None or len(np.unique(elements)) == domain.size:
            return
    elif all(v.extent.variables <= out.variables for v in out.variables):
        return  # a loop of the sum encloses loops over its elements: no code is emitted
    if out.array not in layout.cleared:
        raise VerificationError(f"{step} adds to {out.array} in memory, which is not cleared")
