"""Write the data of the page as JSON: the graph, the templates of its texts, the steps.

At other inputs not only numbers change but formulas too: an exponential unit is cut off, a power
becomes constant. So for each gate there is a template of every way in which it can be written, with
the condition under which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, get_args

from scalargrad.comparisons import Comparison
from scalargrad.ops.reductions import Largest
from scalargrad.show.graphs.gates import gate_sign, gate_text
from scalargrad.show.number_format import body, number, relation
from scalargrad.show.shown_graph import scores_of
from scalargrad.show.steps.formulas import MATHML, TEXT, Notation
from scalargrad.show.steps.layers import layered
from scalargrad.show.steps.page.drawings import Drawings
from scalargrad.show.steps.partials import (
    FIXED,
    Derivative,
    Fork,
    GateForm,
    SymbolicGate,
    is_plain_sum,
    named_symbols,
    numbers_in,
    shorten,
)
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.show.steps.wording import TEXTS, fan_out_notes, gate_sentence
from scalargrad.system.json_number import json_number
from scalargrad.table.operation import Operation
from scalargrad.table.printing import Expression, Slot, text
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
        self._operations: dict[str, Json] = {}
        self._gates: list[Json] = []
        self._forms: dict[GateForm, int] = {}
        self.operations: dict[str, tuple[Operation, int]] = {}
        self._nodes = [self._node(node) for node in scene.order]
        known = [found for found in scene.comparisons if None not in found.operands]
        self._unknown = len(scene.comparisons) - len(known)
        self._comparisons = [self._comparison(found) for found in known]

    def json(self, steps: Iterable[Step]) -> Json:
        """Return the data of the page, and which steps it shows, as JSON."""
        scene, start = self._scene, Step(self._scene, 0, "forward")
        positions = [step.index for step in steps]
        found, stages = layered(scene)
        return {
            "nodes": self._nodes,
            "inputs": [self._place[leaf] for leaf in scene.inputs],
            "sums": [place for node, place in self._place.items() if node in scene.pre_activations],
            "layers": found,
            "stages": stages if len(positions) == scene.count else None,
            "gates": self._gates,
            "operations": self._operations,
            "scripts": [TEXT.templates, MATHML.templates],
            "texts": TEXTS,
            "start": start.sentence("partial"),
            "announced": {n: fan_out_notes(start, n) for n in get_args(Notation)},
            "positions": positions if len(positions) < scene.count else None,
            "drawings": self._drawn.json,
            "templates": self._drawn.templates,
            "comparisons": self._comparisons,
            "unknown": self._unknown,
        }

    def key(self, op: Operation, arity: int) -> str:
        """Name an operation with this number of operands, and note that the page needs it."""
        name = op.name
        if TABLE.get(op.name) is not op:  # a user's own: several may have one name
            name = self._custom.setdefault(op, f"custom{len(self._custom)} {op.name}")
        key = f"{name}/{arity}"
        self.operations[key] = op, arity
        if key not in self._operations:
            self._operations[key] = {"name": op.name, "lazy": op.lazy}
            if (stands_for := body(op, arity)) is not None:
                operands, expression = stands_for
                terms = _Terms(self, {x: x.name for x in operands})
                terms.index(expression)
                self._operations[key]["body"] = terms.written
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
        plain = f"{scene.in_formulas[node][0]}\N{COMBINING MACRON}{scene.in_formulas[node][1:]}"
        if (barred := TEXT.bar(scene.in_formulas[node])) != plain:
            found["barred"] = barred
        if self._full[node] != scene.names[node]:
            found["full"] = self._full[node]
        if op is None:
            return found | {"kind": "parameter" if isinstance(node, Parameter) else "input"}
        key, gate = self.key(op, len(node.parents)), scene.gate(node)
        if gate.form not in self._forms:
            self._forms[gate.form] = len(self._gates)
            self._gates.append({"key": key, **self._gate(gate)})
        found["form"] = self._forms[gate.form]
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
        whole = Symbol("", found.op, tuple(map(written, found.operands)))
        terms.index(whole)
        template = text(whole, {x: Slot(name) for x, name in names.items()})
        return {"terms": terms.written, "written": template, "outcome": found.outcome}

    def _constant(self, x: float) -> Json:
        """Return a constant operand; for a maximum held by softmax, its scores too."""
        found: Json = {"constant": json_number(float(x))}
        if isinstance(x, Largest) and scores_of(x, self._place):
            found["largest"] = [
                self._place[y] if isinstance(y, Value) else {"constant": json_number(y)}
                for y in x.scores
            ]
            found["word"] = self._scene.held_word(x)
        return found

    def _gate(self, gate: SymbolicGate) -> Json:
        """Return the templates of an operation; conditions and rules are indices into `terms`."""
        form = gate.form
        own = {symbol: f"x{i}" for i, symbol in enumerate(form.operands)} | {form.result: "y"}
        terms = _Terms(self, own | {symbol: symbol.name for symbol in FIXED})
        slots: dict[Symbol, str] = {symbol: Slot(name) for symbol, name in own.items()}
        slots |= {symbol: symbol.name for symbol in FIXED}
        slots |= {symbol: number(x) for symbol, x in form.constants.items()}
        op, expression = form.op, form.expression
        names = [Slot(own[symbol]).at(0) for symbol in (form.result, *form.operands)]
        written = text(Symbol("", op, form.operands), slots)
        valid = op.domain.valid
        needs = op.domain.needs or (valid and text(valid(*form.operands), slots))
        return {
            "symbol": gate_sign(op),
            "shown": gate_text(gate.node),
            "sentence": gate_sentence(gate.node, names[0], names[1:]),
            "undefined": f"{written} is undefined at {{}}: it needs {needs}.",
            "sign": relation(*self._scene.constants(gate, expression)),
            "plain": is_plain_sum(expression),
            "written": _templates(expression, slots),
            "wires": [
                self._wire(gate, i, slots, terms) if isinstance(x, Value) else None
                for i, x in enumerate(gate.node.parents)
            ],
            "terms": terms.written,
        }

    def _wire(self, gate: SymbolicGate, i: int, slots: dict[Symbol, str], terms: _Terms) -> Json:
        """Return the pattern of a wire, and how its local derivative is written at all points."""

        def written(found: Fork | Derivative) -> Json:
            if found is None:
                return None
            if isinstance(found, Fork):
                condition = terms.index(found.condition)
                return {"if": condition, "then": written(found.holds), "else": written(found.fails)}
            rule, textbook = found
            shown = shorten(rule)
            made = {
                "rule": terms.index(rule),
                "rounds": relation(*numbers_in(rule)),
                "reads": [str(slots[x]) for x in named_symbols(rule) if x not in FIXED],
                "sign": relation(*self._scene.constants(gate, shown)),
                "text": _templates(shown, slots),
                "factor": [writer.factor_of(shown, slots) for writer in (TEXT, MATHML)],
            }
            if textbook is not None:
                sign = relation(*self._scene.constants(gate, textbook))
                made["textbook"] = {"sign": sign, "text": _templates(textbook, slots)}
            return made

        return {"pattern": gate.form.pattern(i), "written": written(gate.form.derivative(i))}


def _templates(expression: Expression, slots: dict[Symbol, str]) -> list[str]:
    return [writer.expression(expression, slots) for writer in (TEXT, MATHML)]


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
