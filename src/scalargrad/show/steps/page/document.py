"""Write the page of a walk: one HTML file that needs nothing else, put together from its parts.

Its data, as JSON, are the graph, the templates of its texts, and the steps. At other inputs not
only numbers change but formulas too: an exponential unit is cut off, a power becomes constant. So
for each gate there is a template of every way in which it can be written, with the condition under
which it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, TypeAlias, get_args

from scalargrad.checks.numbers import json_number
from scalargrad.codegen.formulas import Expression, Slot, text
from scalargrad.codegen.javascript import javascript_functions
from scalargrad.comparisons import Comparison
from scalargrad.engine.graph import describe
from scalargrad.engine.value import Value
from scalargrad.errors import GraphTooLargeError
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import TABLE, Symbol, evaluate
from scalargrad.ops.reductions import MaxScore
from scalargrad.show import html
from scalargrad.show.graphs.gates import gate_sign, gate_text
from scalargrad.show.number_format import is_exact, number, relation
from scalargrad.show.shown_graph import scores_of
from scalargrad.show.steps.layers import layered
from scalargrad.show.steps.page.drawings import drawings
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
from scalargrad.show.steps.step import (
    MATHML,
    TEXT,
    TEXTS,
    Notation,
    Step,
    gate_sentence,
    table_html,
)
from scalargrad.system.short_repr import pluralize

#: The most nodes a page draws at once.
LIMIT = 300

#: The most nodes of a page, which has about 1.5 kB for each and computes all at every move.
MOST = 10_000

#: The script in the order in which its parts build on each other.
_SCRIPTS = (
    *("formulas", "sweep", "wording", "state", "drawings", "marks", "layers", "panel"),
    *("predict", "inputs", "timeline", "viewport", "tools", "sheet", "main"),
)
_LONGEST_EXPRESSION, _MOST_GATES = 160, 12


def page(steps: Sequence[Step], title: str | None = None, limit: int = LIMIT) -> str:
    """Return the steps of a walk as one HTML document that moves through them.

    Parameters
    ----------
    steps : sequence of Step
        All of them.
    title : str, optional
        The heading; by default it names the root.
    limit : int
        The most nodes to draw at once; a larger graph is drawn by its folds.

    Raises
    ------
    GraphTooLargeError
        If the graph has more than 10,000 nodes; nothing has been laid out then.
    LayoutError
        If there is no Graphviz, or it fails.

    Notes
    -----
    The document refers to nothing outside itself, and its Content-Security-Policy forbids
    it: only its own script and style run, known by their hashes.
    """
    scene = steps[0].scene
    if len(scene.order) > MOST:
        raise GraphTooLargeError(
            f"the graph of {describe(scene.root)} has {len(scene.order):,} nodes, too many for a "
            f"page of at most {MOST:,}: walk a node further down"
        )
    first, drawn = drawings(scene, limit)
    record, name = Record(scene), scene.names[scene.root]
    advice = "" if scene.root.label else f'. To name {name}, set its .label = "f"'
    return html.page(
        __package__,
        "page",
        _SCRIPTS,
        javascript_functions(record.operations.values()),
        record.json(drawn),
        title=title or f"Backpropagation through {name}",
        expression=escape(_expression(scene) + advice),
        table=table_html(steps),
        graph=first,
    )


def _expression(scene: Scene) -> str:
    """Return the expression that the graph computes or, if it is too long, the graph's size."""
    gates = [Step(scene, 0, "forward", node) for node in scene.order if node.parents]
    if not gates:
        return scene.names[scene.root]
    if len(gates) <= _MOST_GATES:
        written = "; ".join(gate.symbols().replace(" ", "\u00a0") for gate in gates)  # unbroken
        if len(written) <= _LONGEST_EXPRESSION:
            return written
    inputs = pluralize(len(scene.inputs), "input")
    return f"{scene.names[scene.root]}: {len(gates)} gates over {inputs}"


Json: TypeAlias = Any


class Record:
    """Writes what a page needs to know of a walked graph.

    Parameters
    ----------
    scene : Scene
        The walked graph.

    Attributes
    ----------
    operations : dict from str to (Operation, int)
        Every operation the page computes with and its number of operands: those of the gates, and
        those in their partials, such as the subtraction in the slope 3·x³⁻¹.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._place = scene.place
        self._custom: dict[Operation, str] = {}
        self._gates: list[Json] = []
        self._forms: dict[GateForm, int] = {}
        self.operations: dict[str, tuple[Operation, int]] = {}
        self._nodes = [self._node(node) for node in scene.order]
        known = [found for found in scene.comparisons if None not in found.operands]
        self._unknown = len(scene.comparisons) - len(known)
        self._comparisons = [self._comparison(found) for found in known]

    def json(self, drawn: Json) -> Json:
        """Return the data of the page, with its drawings, as JSON."""
        scene, start = self._scene, Step(self._scene, 0, "forward")
        found, stages = layered(scene)
        return {
            "nodes": self._nodes,
            "inputs": [self._place[leaf] for leaf in scene.inputs],
            "sums": [place for node, place in self._place.items() if node in scene.pre_activations],
            "layers": found,
            "stages": stages,
            "gates": self._gates,
            "exact": [key for key, (op, _) in self.operations.items() if is_exact(op)],
            "scripts": [TEXT.templates, MATHML.templates],
            "texts": TEXTS,
            "start": start.sentence("partial"),
            "announced": {n: start.fan_out_notes(n) for n in get_args(Notation)},
            **drawn,
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
        return key

    def _node(self, node: Value) -> Json:
        scene, op = self._scene, node.op
        found: dict[str, Json] = {
            "name": scene.names[node],
            "data": json_number(scene.data[node]),
            "parents": [],
        }
        word = scene.in_formulas[node]
        if not re.fullmatch(r"[^\W\d_]\d*", word):  # x, or v12
            found |= {"word": word, "barred": TEXT.bar(word), "script": MATHML.name(word)}
        if op is None:
            return found | {"kind": "parameter" if node in scene.parameters else "input"}
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
        if isinstance(x, MaxScore) and scores_of(x, self._place):
            found["largest"] = [
                self._place[y] if isinstance(y, Value) else {"constant": json_number(y)}
                for y in x.scores
            ]
            found["word"] = self._scene.word(x)
        return found

    def _gate(self, gate: SymbolicGate) -> Json:
        """Return the templates of an operation; conditions and rules are indices into `terms`."""
        form = gate.form
        own = {symbol: f"x{i}" for i, symbol in enumerate(form.operands)} | {form.result: "y"}
        terms = _Terms(self, own | FIXED)
        slots: dict[Symbol, str] = {symbol: Slot(name) for symbol, name in own.items()} | FIXED
        slots |= {symbol: number(x) for symbol, x in form.constants.items()}
        op, expression = form.op, form.expression
        names = [Slot(own[symbol]).at(0) for symbol in (form.result, *form.operands)]
        written = text(Symbol("", op, form.operands), slots)
        valid, gap = op.domain.valid, op.domain.gap
        needs = op.domain.needs or (valid and text(valid(*form.operands), slots))
        return {
            "symbol": gate_sign(op),
            "shown": gate_text(gate.node),
            "sentence": gate_sentence(gate.node, names[0], names[1:]),
            "undefined": f"{written} is undefined at {{}}: it needs {needs}.",
            "sign": form.sign(expression),
            "plain": is_plain_sum(expression),
            **({"truth": True} if op.is_boolean else {}),
            **({"gap": terms.index(gap(*form.operands))} if gap else {}),
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
                "sign": gate.form.sign(shown),
                "text": _templates(shown, slots),
                "factor": [writer.factor_of(shown, slots) for writer in (TEXT, MATHML)],
            }
            if textbook is not None:
                sign = gate.form.sign(textbook)
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
        self._indices: dict[Any, int] = {}

    def index(self, expression: Expression) -> int:
        """Write an expression, its parts first, and return its index."""
        return self._placed(evaluate(expression, self._indices, self._applied, None))

    def _applied(self, op: Operation, operands: Sequence[Any]) -> int:
        places = [*map(self._placed, operands)]
        self.written.append([self._record.key(op, len(operands)), *places])
        return len(self.written) - 1

    def _placed(self, x: Any) -> int:
        """Return the index of a part; names and numbers get one when they are first met."""
        if isinstance(x, int):
            return x
        key = x if isinstance(x, Symbol) else repr(float(x))
        if key not in self._indices:
            self._indices[key] = len(self.written)
            is_name = isinstance(x, Symbol)
            self.written.append({"name": self._names[x]} if is_name else json_number(x))
        return self._indices[key]
