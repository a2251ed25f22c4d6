"""The program to export, with names for its numbers: ``w[3]``, ``points[0][1]``, ``result``."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from scalargrad.compiler.call.arguments import replaced
from scalargrad.compiler.call.outline import Place
from scalargrad.compiler.call.specialization import value_cells
from scalargrad.compiler.guards.object_state import attributes, is_record
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.nests.compile_nests import is_printed
from scalargrad.compiler.passes.kinds import ADJOINT, LOSS, has_lanes
from scalargrad.compiler.passes.program import Program, Writer
from scalargrad.errors import TraceError
from scalargrad.nn.sparse import Table
from scalargrad.ops import eq, ne, sum
from scalargrad.table.numbers import is_real


@dataclass(frozen=True)
class Exported:
    """A program with names for its inputs and outputs.

    Attributes
    ----------
    name : str
    recorded : Program
        Its outputs are those named, then whether the recorded way was taken, if `is_guarded`.
    inputs, outputs : sequence of str
        The numbers of the arguments; the results, then the derivatives of each.
    is_guarded : bool
        Whether the function takes another way for some numbers, or leaves a domain.
    """

    name: str
    recorded: Program
    inputs: Sequence[str]
    outputs: Sequence[str]
    is_guarded: bool


def exported(
    compiled: Jitted[Any, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exported:
    """Return the program of a compiled function for arguments like these.

    Raises
    ------
    TraceError
        If it draws random numbers, calls operations of one's own, or is evaluated eagerly.
    """
    path, call = compiled.taken(args, kwargs)
    if path.is_whole or has_lanes(path.function.recorded.ops):
        path = compiled.record_elementwise(args, kwargs)
    if path.draws:
        raise TraceError(
            f"{compiled!r} draws random numbers, which a file cannot: draw outside, and give the "
            "numbers as arguments"
        )
    for op in path.function.recorded.nodes().occurring():
        if not is_printed(op):
            raise TraceError(
                f"{op.name} cannot be written in C, which knows the operations of scalargrad "
                "alone: write it as an expression of them"
            )
    named = _inputs(compiled, args, kwargs)
    inputs, values = [*named.values()], {*value_cells(call[4])}
    wrt = [k for k, x in enumerate(named) if x in values]
    numbers = [float(x) for x in path.inputs(call[4], path.closed_over)]
    recorded, results = path.function.recorded, _results(path.outline)
    copy = _copied(recorded, numbers, [*named])
    made = [copy.operand(x) for x in recorded.outputs]
    found = [made[x] if isinstance(x, int) else copy.constant(x) for _, x in results]
    written, guards = [*found], made[path.results :]
    outputs = [label for label, _ in results]
    outputs += [f"d({result})/d({inputs[k]})" for result in outputs for k in wrt]
    one = copy.constant(1.0)
    for root in found if wrt else ():
        loss = copy.write(LOSS, (root, one))
        written += [copy.write(ADJOINT, (node, loss)) for node in wrt]
    if guards:
        zero, count = copy.constant(0.0), copy.constant(float(len(guards)))
        held = [
            copy.write(ne if outcome else eq, (guard, zero))
            for guard, outcome in zip(guards, path.outcomes, strict=True)
        ]
        written.append(copy.write(eq, (copy.write(sum, tuple(held)), count)))
    return Exported(name, copy.program(written), inputs, outputs, bool(guards))


def _copied(recorded: Program, numbers: Sequence[float], inputs: Sequence[int]) -> Writer:
    """Return a copy of a recorded program that has these inputs in this order.

    The inputs after them are constants.
    """
    given = len(inputs)
    copy = Writer(recorded, given)
    copy.new.update((x, k) for k, x in enumerate(inputs))
    for node in range(given, len(recorded)):
        if node < recorded.inputs:
            copy.new[node] = copy.constant(numbers[node])
        elif node not in recorded.constants:
            copy.copy(node)
    return copy


# Names --------------------------------------------------------------------------------------------


def _inputs(
    compiled: Jitted[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[int, str]:
    """Return the inputs of a program with their names, in the order of the arguments."""
    places = map(Place, itertools.count())
    positional, named = replaced(args, kwargs, compiled.static, places)
    given = inspect.signature(compiled.__wrapped__).bind(*positional, **named)
    arguments = given.arguments.items()
    leaves = [leaf for name, x in arguments for leaf in _leaves(name, x, is_record)]
    return {place.index: label for label, place in leaves if isinstance(place, Place)}


def _results(outline: Any) -> list[tuple[str, int | float]]:
    """Return the numbers of a result by name, as indices of outputs or as constants."""
    return [
        (name, x.index if isinstance(x, Place) else float(x))
        for name, x in _leaves("result", outline, is_dataclass)
        if isinstance(x, Place) or (is_real(x) and not isinstance(x, bool))
    ]


def _leaves(name: str, x: Any, has_fields: Callable[[type], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of containers, or of objects of classes with fields, by name."""
    parts = _parts(x, has_fields)
    if parts is None:
        yield name, x
    for place, y in parts or ():
        yield from _leaves(name + place, y, has_fields)


def _parts(x: Any, has_fields: Callable[[type], bool]) -> list[tuple[str, Any]] | None:
    """Return the entries of a container, each with its place; None for anything else."""
    if isinstance(x, dict):
        return [(f"[{key!r}]", y) for key, y in x.items()]
    if isinstance(x, list | tuple) and not isinstance(x, Table):
        return [(f"[{k}]", y) for k, y in enumerate(x)]
    if has_fields(x.__class__):
        return [(f".{field}", y) for field, y in attributes(x).items()]
    if getattr(x, "shape", None):
        places = itertools.product(*map(range, x.shape))
        return [("".join(f"[{k}]" for k in at), y) for at, y in zip(places, x.flat, strict=True)]
    return None


def layout(names: Sequence[str], most: int = 200) -> list[str]:
    """Return lines that describe a layout; consecutive numbers of one container share a line.

    Examples
    --------
    >>> layout(["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]", "b"])
    ['0 to 3: w[0][0] to w[1][1]', '4: b']
    """
    lines: list[str] = []
    start = 0
    for _, group in itertools.groupby(names, lambda name: re.sub(r"\[\d+\]", "[]", name)):
        first, *others = group
        stop = start + len(others)
        lines.append(
            f"{start} to {stop}: {first} to {others[-1]}" if others else f"{start}: {first}"
        )
        start = stop + 1
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"… and so on, to {len(names) - 1}: {names[-1]}"]
