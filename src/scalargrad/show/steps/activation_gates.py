"""Recognise activations in a graph: single gates, and the usual ones written with several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import e
from typing import NamedTuple, TypeAlias

from scalargrad import ops
from scalargrad.show.steps.scene import Scene
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import TABLE
from scalargrad.value import Value

_ACTIVATIONS = {
    *(ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.elu, ops.silu, ops.softplus),
    *(ops.gelu, ops.gelu_tanh),
}

#: What a gate computes from z: "z", a constant, or an operation with the forms of its operands. An
#: operation of the table stands by its name, a user's by itself: it may bear the name of another.
_Form: TypeAlias = "str | float | tuple[str | Operation | _Form, ...]"

_MOST_GATES = 12  # of an activation that is written out


class Activation(NamedTuple):
    """The activation that a unit applies to its sum, with its gates.

    Attributes
    ----------
    name : str
        As it stands in front of its operand: tanh, σ, ReLU.
    gates : tuple of Value
        The gates that compute it from the sum, operands first; the last is the unit's output.
    """

    name: str
    gates: tuple[Value, ...]


def activation_of(
    scene: Scene, total: Value, readers: Mapping[Value, Sequence[Value]]
) -> Activation | None:
    """Return the activation applied to a sum; None unless an activation is all that reads it.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    total : Value
        The sum.
    readers : mapping from Value to sequence of Value
        The gates that read each node.
    """
    forms: dict[Value, _Form] = {total: "z"}
    found = None
    for gate in _gates_of_only(total, readers):
        form = forms[gate] = _form(gate, forms)
        name = _NAMES.get(form) or (_name(gate) if any(x is total for x in gate.parents) else "")
        gates = _needed(gate, total)
        if name and _is_read_only_by(scene, (total, *gates[:-1]), gates):
            found = Activation(name, gates)
    return found


def _gates_of_only(total: Value, readers: Mapping[Value, Sequence[Value]]) -> list[Value]:
    """Return the first few gates that read nothing but a node, constants and each other."""
    inside = {total}
    found: list[Value] = []
    reached = [total]
    while reached and len(found) < _MOST_GATES:
        for gate in readers.get(reached.pop(0), ()):
            if gate not in inside and inside.issuperset(_operands(gate)):
                inside.add(gate)
                found.append(gate)
                reached.append(gate)
    return found


def _operands(gate: Value) -> list[Value]:
    return [x for x in gate.parents if isinstance(x, Value)]


def _needed(gate: Value, total: Value) -> tuple[Value, ...]:
    """Return the gates that lead from a node to a gate, operands first."""
    needed: dict[Value, None] = {}

    def visit(node: Value) -> None:
        if node is not total and node not in needed:
            for x in _operands(node):
                visit(x)
            needed[node] = None

    visit(gate)
    return tuple(needed)


def _is_read_only_by(scene: Scene, nodes: Sequence[Value], gates: Sequence[Value]) -> bool:
    wires = [x for gate in gates for x in _operands(gate)]
    return all(wires.count(node) == scene.expected[node] for node in nodes)


# What gates compute, however it is written ----------------------------------------------------


def _form(gate: Value, forms: Mapping[Value, _Form]) -> _Form:
    """Return what a gate computes from z; x - y is a sum, x / y a product, e ** x an exp."""
    assert gate.op is not None
    of = [forms[x] if isinstance(x, Value) else x for x in gate.parents]
    if gate.op in (ops.sub, ops.div):
        inverse = _negative if gate.op is ops.sub else _reciprocal
        return _joined("add" if gate.op is ops.sub else "mul", of[0], inverse(of[1]))
    if gate.op is ops.neg:
        return _negative(of[0])
    if gate.op is ops.reciprocal or (gate.op is ops.pow and of[1] == -1.0):
        return _reciprocal(of[0])
    if gate.op is ops.pow and of[0] == e:
        return ("exp", of[1])
    if gate.op in (ops.add, ops.mul, ops.maximum) and len(of) == 2:
        return _joined(gate.op.name, *of)
    return (gate.op if _is_own(gate.op) else gate.op.name, *of)


def _joined(op: str, *of: _Form) -> _Form:
    """Return a sum, product or maximum; the order of its two operands does not matter."""
    kept = [x for x in of if x != {"add": 0.0, "mul": 1.0}.get(op)]
    if op == "mul" and -1.0 in kept and len(kept) == 2:
        return _negative(next(x for x in kept if x != -1.0))
    form: _Form = kept[0] if len(kept) == 1 else (op, *sorted(kept, key=repr))
    return _SIGMOID if form in _SIGMOIDS else form


def _negative(x: _Form) -> _Form:
    return -x if isinstance(x, float) else ("neg", x)


def _reciprocal(x: _Form) -> _Form:
    form: _Form = 1 / x if isinstance(x, float) and x else ("reciprocal", x)
    return _SIGMOID if form in _SIGMOIDS else form


_Z, _MINUS_Z = ("exp", "z"), ("exp", ("neg", "z"))
_SIGMOID: _Form = ("sigmoid", "z")
_SIGMOIDS: set[_Form] = {
    ("reciprocal", ("add", _MINUS_Z, 1.0)),
    ("mul", _Z, ("reciprocal", ("add", _Z, 1.0))),
}
_NAMES: dict[_Form, str] = {
    _SIGMOID: "σ",
    ("mul", "z", _SIGMOID): "SiLU",
    ("log", ("add", _Z, 1.0)): "softplus",
    ("log1p", _Z): "softplus",
    ("mul", ("add", _Z, ("neg", _MINUS_Z)), ("reciprocal", ("add", _Z, _MINUS_Z))): "tanh",
    ("maximum", "z", 0.0): "ReLU",
}


def _name(gate: Value) -> str:
    """Return the name of a gate that is an activation by itself; "" for any other."""
    op = gate.op
    assert op is not None
    varying = sum(isinstance(x, Value) for x in gate.parents)
    if varying != 1 or not (op in _ACTIVATIONS or (_is_own(op) and isinstance(op, Elementwise))):
        return ""
    return op.symbol if op.symbol.isalpha() else op.name


def _is_own(op: Operation) -> bool:
    """Return whether an operation is a user's."""
    return TABLE.get(op.name) is not op
