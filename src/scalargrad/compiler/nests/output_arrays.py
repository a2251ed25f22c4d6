"""Write results directly to output arrays, instead of copying them.

    s[i] = p[i] - g[i]
    y[i+1] = s[i]          →     y[i+1] = p[i] - g[i]

Arrays of sums get elements for sums without terms, which are read as 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Program,
    Step,
    Var,
    replaced,
    statements,
)
from scalargrad.compiler.passes.expressions import unread_operands
from scalargrad.ops import TABLE

_IDENTITY = TABLE["identity"]
#: The least and the greatest index in each dimension.
Box = tuple[tuple[int, int], ...]
_Use = tuple[Step, tuple[Var, ...]]


def with_outputs_only(program: Program, outputs: Array) -> tuple[Program, list[Array]]:
    """Return a program that has nothing but its outputs as results, and the arrays that were.

    It is not differentiated any more: operands that only slopes read are left out.
    """
    others = [a for a in program.arrays if a.kind == "out" and a is not outputs]
    for array in others:
        array.kind = "temp"

    def without_unread(step: Step) -> Step:
        unread = unread_operands(step.op)
        args = tuple([0.0 if k in unread else x for k, x in enumerate(step.args)])
        return Step(step.out, step.op, args, step.how) if unread else step

    return Program(program.arrays, replaced(program.body, without_unread)), others


def without_output_copies(found: Program) -> Program:
    """Return a program with fewer copies to its outputs."""
    every = [*statements(found.body)]
    copied = {x.array for step, _ in every if step.op is _IDENTITY for x in step.reads()}
    writers: dict[Array, list[_Use]] = {}
    readers: dict[Array, list[_Use]] = {}
    for step, around in every:
        writers.setdefault(step.out.array, []).append((step, around))
        for x in step.reads():
            if x.array in copied:
                readers.setdefault(x.array, []).append((step, around))
    steps: dict[Step, Step | None] = {}
    for array, writing in writers.items():
        if array.kind == "temp" and len(readers.get(array, ())) == 1:
            (reader,) = readers[array]
            places = _places(array, writing, reader)
            taken = {reader[0], *(step for step, _ in writing)} & steps.keys()
            if places and not taken:
                steps[reader[0]] = None
                for (step, _), out in zip(writing, places, strict=True):
                    steps[step] = Step(out, step.op, step.args)
    gone = {step.out.array for step, new in steps.items() if new is not None}
    arrays = [a for a in found.arrays if a not in gone]
    body = replaced(found.body, lambda step: steps.get(step, step))
    return Program(arrays, body)


def _places(array: Array, writing: list[_Use], reader: _Use) -> list[Access] | None:
    """Return the cells that steps may write directly, without the copy by another step."""
    copy, copied_around = reader
    source = copy.args[0]
    if not isinstance(source, Access) or copy.op is not _IDENTITY or copy.how != SET:
        return None
    if not source.is_whole() or source.variables != {*copied_around}:
        return None
    if any(step.how != SET or step.out.variables != {*around} for step, around in writing):
        return None
    cells = [step.out for step, _ in writing]
    is_one = len(cells) == 1 and cells[0].is_whole()
    if not is_one and not (len({*cells}) == math.prod(array.shape) == len(cells)):
        return None
    found = []
    for cell in cells:
        pairs = zip(source.indices, cell.indices, strict=True)
        found.append(copy.out.substituted({x.terms[0][0]: own for x, own in pairs if x.terms}))
    return found


def with_room_for_empty_sums(program: Program) -> Program:
    """Return a program whose temporary arrays have room for sums without terms.

    A sum that has none at some turns is written there, too, in cells that are never read and may be
    outside of an array.
    """
    boxes: dict[Array, Box] = {}
    for step, around in statements(program.body):
        out = step.out
        sums = [v for v in around if v not in out.variables] if step.how != SET else []
        is_known = all(x.array.data is not None for x in out.tables)  # else it is within anyway
        if out.array.kind == "temp" and is_known and any(v.extent.bounds()[0] < 1 for v in sums):
            whole = boxes.get(out.array, tuple([(0, n - 1) for n in out.array.shape]))
            boxes[out.array] = _union([index.bounds() for index in out.indices], whole)
    others = {
        array: (dataclasses.replace(array, shape=tuple(high - low + 1 for low, high in box)), box)
        for array, box in boxes.items()
        if box != tuple([(0, n - 1) for n in array.shape])
    }
    if not others:
        return program

    def moved(x: Access) -> Access:
        found = others.get(x.array)
        if found is None:
            return x
        pairs = zip(x.indices, found[1], strict=True)
        return Access(found[0], tuple(index - low for index, (low, _) in pairs))

    arrays = [others[a][0] if a in others else a for a in program.arrays]
    return Program(arrays, replaced(program.body, lambda step: step.with_cells(moved)))


def _union(a: Iterable[tuple[int, int]], b: Iterable[tuple[int, int]]) -> Box:
    return tuple([(min(x[0], y[0]), max(x[1], y[1])) for x, y in zip(a, b, strict=True)])
