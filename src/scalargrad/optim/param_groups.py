"""Read the parameters given to an optimiser, named or not, and sort out those of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.sparse import SparseParameter, Touched
from scalargrad.system.one_line import shown
from scalargrad.table.validation import listed
from scalargrad.value import Value


def params_of(group: Any) -> list[Any]:
    """Return the parameters of a group as they were given; one alone is a list of one."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise OperandError(f"a group is {shown(group)}; give a dict with its params")
    given = group["params"]
    return [given] if isinstance(given, Value) else listed(given, "params", "Parameters")


def with_name(given: Any) -> tuple[str, Value]:
    """Return a parameter and its name, which is empty unless it was given.

    Raises
    ------
    OperandError
        If it is no Value, or one that was computed.
    """
    pair = isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str)
    name, parameter = given if pair else ("", given)
    if not isinstance(parameter, Value):
        remedy = ": give those inside one by one, as module.parameters() does"
        inside = remedy if isinstance(parameter, list | tuple) else ""
        raise OperandError(f"an optimiser trains Parameters, not {shown(parameter)}{inside}")
    if parameter.parents:
        raise OperandError(
            f"{parameter!r} was computed by {parameter.op}: only leaves can be trained"
        )
    return name, parameter


def in_table(parameter: Value) -> bool:
    """Return whether a parameter belongs to a table that records what was touched."""
    return isinstance(parameter, SparseParameter) and parameter.touched is not None


def by_table(parameters: Iterable[Value]) -> tuple[list[Value], list[Touched]]:
    """Split parameters into those of no table, and the tables' records of what was touched."""
    members: list[Value] = []
    records: dict[int, Touched] = {}
    for parameter in parameters:
        touched = parameter.touched if isinstance(parameter, SparseParameter) else None
        if touched is None:
            members.append(parameter)
        else:
            records[id(touched)] = touched
    return members, list(records.values())
