"""Vectorize over examples: statements of one example become statements of all.

A statement depends on the examples if it reads an array of theirs, or writes to an array that
another such statement writes. Its arrays get one more dimension, indexed by the example e:

    s[i+1] = a[0] · s[i]     →     for e in 100:
                                       s[i+1, e] = a[0] · s[i, e]
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping

from scalargrad.compiler.nests.builder import Builder
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
    replaced,
    statements,
)
from scalargrad.compiler.nests.lowering_error import LoweringError


def vectorized(
    b: Builder, arrays: int, items: int, wide: Mapping[Array, Var], *, first: bool = False
) -> dict[Array, Array]:
    """Turn the last items of a builder into those of all examples.

    Parameters
    ----------
    b : Builder
    arrays, items : int
        The numbers of arrays and items that it had before.
    wide : mapping
        For arrays that hold numbers of examples, the variable that indexes the examples.
    first : bool
        Whether it is the first index of the rows, not the last.

    Returns
    -------
    dict
        For each of these arrays, and each computed from them, the array of rows.

    Raises
    ------
    LoweringError
        If a step reads numbers of unlike examples.
    """
    body = b.items[items:]
    found = _dependent(body, wide)
    rows = {
        a: dataclasses.replace(
            a, shape=(v.extent.base, *a.shape) if first else (*a.shape, v.extent.base)
        )
        for a, v in found.items()
    }

    def of(step: Step, var: Var | None) -> Step | None:
        if found.get(step.out.array) is not var:
            return None
        return step if var is None else step.with_cells(functools.partial(row, as_index(var)))

    def row(own: Index, x: Access) -> Access:
        if x.array not in rows:
            return x
        return Access(rows[x.array], (own, *x.indices) if first else (*x.indices, own))

    made = replaced(body, functools.partial(of, var=None))
    for var in dict.fromkeys(found.values()):
        inside = replaced(body, functools.partial(of, var=var))
        made += [Loop(var, inside)] if inside else []
    b.items[items:] = made
    b.arrays[arrays:] = [rows.get(a, a) for a in b.arrays[arrays:]]
    return rows


def over_examples(program: Program, examples: Collection[Var]) -> Program:
    """Return a program whose loops over all examples have the variable of these.

    They may then run together with the steps of each example.
    """
    cells = ((step.out, _last(step.out)) for step, _ in statements(program.body))
    rows = {x.array: var for x, var in cells if var is not None and var in examples}
    body: Body = []
    for item in program.body:
        steps = [*statements([item])]
        inside = {v for _, around in steps for v in around}
        reads = (x for step, _ in steps for x in step.reads() if x.array in rows)
        found = dict.fromkeys((rows[x.array], var) for x in reads if (var := _last(x)) is not None)
        for new, old in found:
            fits = old is not new and old.extent == new.extent and not inside & {*examples}
            if fits and all(
                old in around and (step.how == SET or around[0] is old) for step, around in steps
            ):
                item = Loop(new, _without([item], old, {old: as_index(new)}))
                break
        body.append(item)
    return Program(program.arrays, body)


def _last(x: Access) -> Var | None:
    """Return the variable that is the last index of a cell; None if it is none."""
    terms = x.indices[-1].terms if x.indices else ()
    return terms[0][0] if terms and x.indices[-1] == as_index(terms[0][0]) else None


def _without(body: Body, var: Var, moved: Mapping[Var, Index]) -> Body:
    """Return a body without the loops over a variable, and another index in its place."""
    found: Body = []
    for item in body:
        if isinstance(item, Step):
            found.append(item.with_cells(lambda x: x.substituted(moved)))
        else:
            inside = _without(item.body, var, moved)
            found += inside if item.var is var else [Loop(item.var, inside, item.down)]
    return found


def _dependent(body: Body, wide: Mapping[Array, Var]) -> dict[Array, Var]:
    found, size = dict(wide), -1
    steps = [step for step, _ in statements(body)]
    while len(found) > size:
        size = len(found)
        for step in steps:
            of = {found[x.array] for x in step.args if isinstance(x, Access) and x.array in found}
            of |= {found[step.out.array]} if step.out.array in found else set()
            if len(of) > 1:
                raise LoweringError(f"{step} reads numbers of unlike examples")
            if of:
                found[step.out.array] = of.pop()
    return found
