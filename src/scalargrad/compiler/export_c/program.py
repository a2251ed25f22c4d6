"""The program of a compiled function, with names of its inputs and outputs.

For ``jit(lambda p: p[0] * p[1])`` and the arguments ``[Value(2.0), 3.0]`` these are:

    inputs     p[0], p[1]
    outputs    result, d(result)/d(p[0])
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scalargrad.checks.numbers import is_real
from scalargrad.compiler.backend.llvm.operations import has_llvm_form
from scalargrad.compiler.call.arguments import replaced
from scalargrad.compiler.call.outline import Place
from scalargrad.compiler.call.specialization import value_cells
from scalargrad.compiler.guards.object_state import attributes, is_record
from scalargrad.compiler.passes.kinds import ADJOINT, DETACH, LOSS, has_lanes
from scalargrad.compiler.passes.program import Program, Writer
from scalargrad.engine.tree import is_dataclass
from scalargrad.errors import TraceError
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.opdef.operation import FixedArityOperation
from scalargrad.ops import eq, ne, sum

if TYPE_CHECKING:
    from scalargrad.compiler.jitted import Jitted


@dataclass(frozen=True)
class ExportedProgram:
    """A program, and the names of its inputs and outputs.

    Attributes
    ----------
    name : str
        Name of the C function.
    recorded : Program
        Its outputs are `outputs` and, if `is_guarded`, whether the recorded branch was taken.
    inputs, outputs : sequence of str
        Names of the arguments' numbers; names of the results, then of the derivatives of each.
    is_guarded : bool
        Whether the function takes other branches, or leaves a domain, for some numbers.
    """

    name: str
    recorded: Program
    inputs: Sequence[str]
    outputs: Sequence[str]
    is_guarded: bool


def extract_program(
    compiled: Jitted[Any, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ExportedProgram:
    """Return the program of a compiled function for arguments like these.

    Raises
    ------
    TraceError
        If it draws random numbers, calls custom operations, or is evaluated eagerly.
    """
    path, call = compiled.path_of(args, kwargs)
    if path.is_whole or has_lanes(path.function.recorded.ops):
        path = compiled.record_elementwise(args, kwargs)
    if path.draws:
        raise TraceError(
            f"{compiled!r} draws random numbers, which exported code cannot: draw them outside, "
            "and pass them as arguments"
        )
    for op in path.function.recorded.nodes().occurring():
        if isinstance(op, FixedArityOperation) and op is not DETACH and not has_llvm_form(op):
            raise TraceError(
                f"{op.name} cannot be exported to C, only operations of scalargrad can: write it "
                "as an expression of them"
            )
    named = _inputs(compiled, args, kwargs)
    inputs, values = [*named.values()], {*value_cells(call[4])}
    wrt = [k for k, x in enumerate(named) if x in values]
    numbers = [float(x) for x in path.inputs(call[4], path.closed_over)]
    recorded, results = path.function.recorded, _results(path.outline)
    copy = _copy_program(recorded, numbers, [*named])
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
    return ExportedProgram(name, copy.program(written), inputs, outputs, bool(guards))


def _copy_program(recorded: Program, numbers: Sequence[float], inputs: Sequence[int]) -> Writer:
    """Copy a traced program, with these inputs in this order; other inputs become constants."""
    count = len(inputs)
    copy = Writer(recorded, count)
    copy.new.update((x, k) for k, x in enumerate(inputs))
    for node in range(count, len(recorded)):
        if node < recorded.inputs:
            copy.new[node] = copy.constant(numbers[node])
        elif node not in recorded.constants:
            copy.copy(node)
    return copy


# Names --------------------------------------------------------------------------------------------


def _inputs(
    compiled: Jitted[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[int, str]:
    """Return the inputs of a program and their names, in the order of the arguments."""
    places = map(Place, itertools.count())
    positional, named = replaced(args, kwargs, compiled.static, places)
    given = inspect.signature(compiled.__wrapped__).bind(*positional, **named)
    arguments = given.arguments.items()
    leaves = [leaf for name, x in arguments for leaf in _leaves(name, x, is_record)]
    return {place.index: label for label, place in leaves if isinstance(place, Place)}


def _results(outline: Any) -> list[tuple[str, int | float]]:
    """Return the names of the numbers of a result, with indices of outputs or constants."""
    return [
        (name, x.index if isinstance(x, Place) else float(x))
        for name, x in _leaves("result", outline, is_dataclass)
        if isinstance(x, Place) or (is_real(x) and not isinstance(x, bool))
    ]


def _leaves(name: str, x: Any, has_fields: Callable[[type], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the names and leaves of containers and of objects with fields."""
    parts = _parts(x, has_fields)
    if parts is None:
        yield name, x
    for place, y in parts or ():
        yield from _leaves(name + place, y, has_fields)


def _parts(x: Any, has_fields: Callable[[type], bool]) -> list[tuple[str, Any]] | None:
    """Return the entries of a container with the ends of their names; None for a leaf."""
    if isinstance(x, dict):
        return [(f"[{key!r}]", y) for key, y in x.items()]
    if isinstance(x, list | tuple) and not isinstance(x, ParameterMatrix):
        return [(f"[{k}]", y) for k, y in enumerate(x)]
    if has_fields(type(x)):
        return [(f".{field}", y) for field, y in attributes(x).items()]
    if getattr(x, "shape", None):
        places = itertools.product(*map(range, x.shape))
        return [("".join(f"[{k}]" for k in at), y) for at, y in zip(places, x.flat, strict=True)]
    return None
