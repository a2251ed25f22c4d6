"""JSON: a program as data, with a schema, from which it is read back.

The schema ships with the package as ``program.schema.json``. Numbers are written so that they are
read back to the bit; JSON has no infinities, so those and nan are strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scalargrad.compiler.passes.kinds import (
    BATCH,
    CONSTANT,
    ENTRY,
    INPUT,
    PRODUCTS,
    ROW,
    SCATTER,
    TAKE,
    UNBATCH,
    Kind,
    Op,
    OverLanes,
    Scattered,
    Total,
    of_lanes,
)
from scalargrad.compiler.passes.partial import Partial, partial
from scalargrad.compiler.passes.program import Program, without_dead_nodes
from scalargrad.errors import StateError, TraceError
from scalargrad.export.exported import Exported
from scalargrad.export.soundness import require_sound
from scalargrad.ops import TABLE
from scalargrad.system.json_number import json_number
from scalargrad.system.one_line import shown
from scalargrad.table.operation import Elementwise
from scalargrad.version import __version__

FORMAT = "scalargrad program 1"
_KINDS = {x.name: x for x in (INPUT, PRODUCTS, ROW, TAKE, SCATTER, ENTRY, BATCH, UNBATCH)}
_OVER_LANES: dict[str, Any] = {"total": Total, "scattered": Scattered}


def json_file(exported: Exported) -> dict[str, str]:
    """Return the text of the ``.json`` file."""
    program = without_dead_nodes(exported.program)
    head = {
        "format": FORMAT,
        "written_by": f"scalargrad {__version__}",
        "name": exported.name,
        "inputs": list(exported.inputs),
        "outputs": list(exported.outputs),
        "results": program.outputs,
        "expected": list(exported.outcomes),
        "one": program.one,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(x, ensure_ascii=False)}" for key, x in head.items()]
    nodes = ",\n".join(json.dumps(x) for x in _nodes(program))
    lines.append(f'"nodes": [\n{nodes}\n]')
    return {".json": "{\n" + ",\n".join(lines) + "\n}\n"}


def _nodes(program: Program) -> Iterator[dict[str, Any]]:
    for node, (op, args) in enumerate(zip(program.ops, program.args, strict=True)):
        if op is CONSTANT:
            yield {"op": "constant", "value": json_number(program.constants[node])}
        else:
            yield {**_written(op), "args": list(args)}


def _written(op: Op) -> dict[str, Any]:
    if isinstance(op, OverLanes):
        return {"op": op.name, "lanes": op.lanes}
    if isinstance(op, Kind):
        return {"op": op.name}
    found = op.op if isinstance(op, Partial) else op
    if TABLE.get(found.name) is not found:
        raise TraceError(
            f"{op.name} cannot be written to a file, which knows the operations of scalargrad "
            "alone: write it as an expression of them"
        )
    return {"op": found.name, "partial": op.index} if isinstance(op, Partial) else {"op": op.name}


def read(text: str, where: str) -> Exported:
    """Return a program from its JSON.

    Raises
    ------
    StateError
        If it is damaged or foreign; `where` says where it stood.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise StateError(f"{where} has the format {shown(found['format'])}, not {FORMAT!r}")
        program = _program(found)
        outcomes = tuple(map(bool, found["expected"]))
        (name,), inputs, outputs = map(_words, ([found["name"]], found["inputs"], found["outputs"]))
        read_back = Exported(name, program, inputs, outputs, outcomes, is_written=True)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise StateError(
            f"{where} holds no program of scalargrad's, or is damaged: {type(error).__name__}: "
            f"{error}"
        ) from error
    except RecursionError:
        raise StateError(f"{where} is nested too deeply to hold a program") from None
    if len(read_back.inputs) != program.inputs or len(program.outputs) != len(
        read_back.outputs
    ) + len(outcomes):
        raise StateError(f"{where} is damaged: its names are not as many as its numbers")
    return read_back


def _words(found: Any) -> list[str]:
    if not (isinstance(found, list) and all(isinstance(x, str) for x in found)):
        raise TypeError(f"{shown(found)} should be a list of names")
    return [*found]


def _is_place(x: Any, before: int) -> bool:
    return type(x) is int and 0 <= x < before


def _program(found: dict[str, Any]) -> Program:
    nodes = found["nodes"]
    program = Program(sum(x["op"] == "input" for x in nodes), one=found["one"])
    for place, node in enumerate(nodes):
        args = tuple(node.get("args", ()))
        if not all(_is_place(x, place) for x in args):
            raise ValueError(f"node {place} reads what is not before it")
        program.ops.append(_read_op(node))
        program.args.append(args)
        if node["op"] == "constant":
            program.constants[place] = float(node["value"])
    if program.ops[: program.inputs] != [INPUT] * program.inputs:
        raise ValueError("inputs stand after other nodes")
    results: list[Any] = found["results"]
    if not all(_is_place(x, len(nodes)) for x in results):
        raise ValueError("an output is not a node")
    program.outputs = results
    require_sound(program)
    return program


def _read_op(node: dict[str, Any]) -> Op:
    name = node["op"]
    if name == "constant":
        return CONSTANT
    if name in _OVER_LANES:
        return of_lanes(_OVER_LANES[name], int(node["lanes"]))
    if name in _KINDS:
        return _KINDS[name]
    op = TABLE[name]
    if "partial" not in node:
        return op
    if not (isinstance(op, Elementwise) and _is_place(node["partial"], op.arity)):
        raise ValueError(f"{name} has no partial {node['partial']}")
    return partial(op, node["partial"])
