"""Write the data of the page as JSON: the graph, its traced operations, the steps.

The page writes its own texts, because at other inputs not only numbers change but formulas
too: a ReLU is cut off, another operand becomes the largest. So it gets what texts are printed
from in Python: the traced expressions and the notations of the table of operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from scalargrad.comparisons import Comparison
from scalargrad.ops.reductions import Largest
from scalargrad.show.decimal_results import body
from scalargrad.show.graphs.gates import gate_sign, gate_text
from scalargrad.show.shown_graph import scores_of
from scalargrad.show.steps.layers import layered
from scalargrad.show.steps.page.drawn import Drawings
from scalargrad.show.steps.partials import SymbolicGate
from scalargrad.show.steps.resolver import FIXED
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.show.steps.wording import change_note
from scalargrad.system.json_number import json_number
from scalargrad.table.operation import Operation
from scalargrad.table.printing import Expression, _mathml_default, _text_notation
from scalargrad.table.symbol import TABLE, Symbol
from scalargrad.value import Parameter, Value

Json: TypeAlias = Any


class Record:
    """Writes what a page needs to know of a walked graph.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    drawn : Drawings
        The drawings of the page.
    full : mapping from Value to str
        The names in full, where the scene has short ones.

    Attributes
    ----------
    operations : dict from str to (Operation, int)
        Every operation the page computes with and its number of operands: those of the gates, and
        those in their partials, such as the subtraction in the slope 3·x³⁻¹.
    """

    def __init__(self, scene: Scene, drawn: Drawings, full: Mapping[Value, str]) -> None:
        self._scene, self._drawn, self._full = scene, drawn, full
        self._place = scene.place
        self._custom: dict[Operation, str] = {}
        self._notations: dict[str, Json] = {}
        self._gates: dict[str, Json] = {}
        self.operations: dict[str, tuple[Operation, int]] = {}
        self._nodes = [self._node(node) for node in scene.order]
        known = [found for found in scene.comparisons if None not in found.operands]
        self._unknown = len(scene.comparisons) - len(known)
        self._comparisons = [self._comparison(found) for found in known]

    def json(self, steps: Iterable[Step]) -> Json:
        """Return the data of the page, and which steps it shows, as JSON."""
        scene = self._scene
        positions = [step.index for step in steps]
        found, stages = layered(scene)
        return {
            "nodes": self._nodes,
            "inputs": [self._place[leaf] for leaf in scene.inputs],
            "sums": [place for node, place in self._place.items() if node in scene.pre_activations],
            "layers": found,
            "stages": stages if len(positions) == scene.count else None,
            "gates": self._gates,
            "notations": self._notations,
            "positions": positions if len(positions) < scene.count else None,
            "nudges": self._nudges() if self._custom else {},
            "drawings": self._drawn.json,
            **self._drawn.templates.json,
            "comparisons": self._comparisons,
            "unknown": self._unknown,
        }

    def _nudges(self) -> dict[int, str]:
        """Return what nudges of the inputs do, in words, where the page cannot compute them."""
        scene = self._scene
        leaves = [leaf for leaf in scene.inputs if scene.terms[leaf]]
        return {
            self._place[leaf]: change_note(scene, leaf, sum(scene.terms[leaf])) for leaf in leaves
        }

    def key(self, op: Operation, arity: int) -> str:
        """Name an operation with this number of operands, and note that the page needs it."""
        name = op.name
        if TABLE.get(op.name) is not op:  # a user's own: several may have one name
            name = self._custom.setdefault(op, f"custom{len(self._custom)} {op.name}")
        key = f"{name}/{arity}"
        self.operations[key] = op, arity
        if key not in self._notations:
            self._notations[key] = _notation(op, arity)
            if (stands_for := body(op, arity)) is not None:
                operands, expression = stands_for
                terms = _Terms(self, {x: x.name for x in operands})
                terms.index(expression)
                self._notations[key]["body"] = terms.written
        return key

    def _node(self, node: Value) -> Json:
        scene, op = self._scene, node.op
        found: dict[str, Json] = {
            "name": scene.names[node],
            "data": json_number(scene.data[node]),
            "parents": [],
        }
        if scene.in_formulas[node] != scene.names[node]:
            found["word"] = scene.in_formulas[node]
        if self._full[node] != scene.names[node]:
            found["full"] = self._full[node]
        if op is None:
            return found | {"kind": "parameter" if isinstance(node, Parameter) else "input"}
        key = self.key(op, len(node.parents))
        if key not in self._gates:
            self._gates[key] = self._gate(scene.gate(node))
        found["gate"] = key
        if gate_text(node) != gate_sign(op):
            found["shown"] = gate_text(node)
        found["parents"] = [
            self._place[x] if isinstance(x, Value) else self._constant(x) for x in node.parents
        ]
        found["locals"] = [json_number(x) for x in node.local_grads]
        return found

    def _comparison(self, found: Comparison) -> Json:
        """Return a comparison of nodes, which are named by their places, and what Python found."""
        names: dict[Symbol, str] = {}

        def written(x: Value | float | None) -> Expression:
            if not isinstance(x, Value):
                return x or 0.0
            node = self._scene.standing_for(x)
            if node is None:
                return x.data if x.op is None else Symbol("", x.op, tuple(map(written, x.parents)))
            name = str(self._place[node])
            names[symbol := Symbol(name)] = name
            return symbol

        terms = _Terms(self, names)
        terms.index(Symbol("", found.op, tuple(map(written, found.operands))))
        return {"terms": terms.written, "outcome": found.outcome}

    def _constant(self, x: float) -> Json:
        """Return a constant operand; for a maximum held by softmax, its scores too."""
        found: Json = {"constant": json_number(float(x))}
        if isinstance(x, Largest) and scores_of(x, self._place):
            found["largest"] = [
                self._place[y] if isinstance(y, Value) else {"constant": json_number(y)}
                for y in x.scores
            ]
        return found

    def _gate(self, gate: SymbolicGate) -> Json:
        """Return an operation, each of its expressions as an index into `terms`."""
        names = {symbol: f"x{i}" for i, symbol in enumerate(gate.operands)}
        names |= {gate.result: "y"} | {symbol: symbol.name for symbol in FIXED}
        op, terms = gate.op, _Terms(self, names)
        valid = op.domain.valid
        return {
            "symbol": gate_sign(op),
            "pattern": op.pattern,
            "expression": terms.index(gate.expression()),
            "partials": [terms.index(partial) for partial in gate.partials],
            "textbooks": [None if x is None else terms.index(x) for x in gate.textbooks],
            "written": terms.index(Symbol("", op, gate.operands)),
            "valid": None if valid is None else terms.index(valid(*gate.operands)),
            "needs": op.domain.needs,
            "terms": terms.written,
        }


class _Terms:
    """Expressions written as one list, in which parts are referred to by their index.

    A part is a number, ``{"name": "y"}`` for the result, ``{"name": "x0"}`` … for operands,
    or a list of an operation's key and the indices of its operands. What is shared stands once.
    """

    def __init__(self, record: Record, names: Mapping[Symbol, str]) -> None:
        self.written: list[Json] = []
        self._record, self._names = record, names
        self._indices: dict[Symbol | str, int] = {}

    def index(self, expression: Expression) -> int:
        """Write an expression, its parts first and without recursion, and return its index."""
        stack = [expression]
        while stack:
            part = stack[-1]
            missing = [x for x in _operands(part) if _identity(x) not in self._indices]
            if missing:
                stack += missing
                continue
            stack.pop()
            if _identity(part) not in self._indices:
                self._indices[_identity(part)] = len(self.written)
                self.written.append(self._entry(part))
        return self._indices[_identity(expression)]

    def _entry(self, part: Expression) -> Json:
        if not isinstance(part, Symbol):
            return json_number(part)
        if part.op is None:
            return {"name": self._names[part]}
        key = self._record.key(part.op, len(part.operands))
        return [key, *(self._indices[_identity(x)] for x in part.operands)]


def _identity(part: Expression) -> Symbol | str:
    return part if isinstance(part, Symbol) else repr(float(part))


def _operands(part: Expression) -> tuple[Expression, ...]:
    return part.operands if isinstance(part, Symbol) else ()


def _notation(op: Operation, arity: int) -> Json:
    mathml = op.mathml or _mathml_default(op, arity)
    return {
        "name": op.name,
        "lazy": op.lazy,
        "comparison": op.comparison is not None,
        "text": list(_text_notation(op, arity)),
        "mathml": list(mathml),
    }
