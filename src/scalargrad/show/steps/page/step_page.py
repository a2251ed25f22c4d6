"""Render the step page of a walk as one self-contained HTML document.

`render_step_page` combines the drawings with the data of the page, which `PageData` encodes as
JSON: the nodes, the forms of their gates, and the templates of all texts. At other inputs formulas
change as well as numbers: a relu becomes 0, a power becomes constant. So a form has a template for
each branch of a local derivative, with the condition that selects it. A node and a form are ::

    {"name": "f", "data": -12.0, "parents": [3, 2], "form": 1, "locals": [-4.0, 3.0]}
    {"key": "mul/2", "symbol": "×", "written": […], "wires": […], "terms": […]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, TypeAlias, get_args

from scalargrad.checks.numbers import json_number
from scalargrad.codegen.formulas import Expression, Slot, format_expression
from scalargrad.codegen.javascript import javascript_functions
from scalargrad.engine.graph import describe
from scalargrad.engine.value import Value
from scalargrad.errors import GraphTooLargeError
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import TABLE, Symbol, evaluate
from scalargrad.show import html
from scalargrad.show.branch_log import Comparison
from scalargrad.show.display_graph import scores_of
from scalargrad.show.graphs.gates import gate_name, gate_text
from scalargrad.show.max_score import MaxScore, operands_for_display
from scalargrad.show.number_format import format_number, is_exact, relation
from scalargrad.show.steps.layers import encode_layers
from scalargrad.show.steps.page.page_drawings import render_drawings
from scalargrad.show.steps.step import (
    MATHML,
    TEXT,
    TEXTS,
    Notation,
    Step,
    format_html_table,
    gate_sentence,
)
from scalargrad.show.steps.symbolic_gates import (
    FIXED,
    Conditional,
    GateForm,
    LocalDerivative,
    SymbolicGate,
    abbreviate,
    constants_of,
    is_plain_sum,
    named_symbols,
)
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.system.short_repr import pluralize

#: Default of the maximum number of nodes in one drawing.
DEFAULT_LIMIT = 300

#: Maximum number of nodes of a page, which stores about 1.5 kB for each and computes all of them
#: when an input changes.
MAX_NODES = 10_000

#: The scripts, each after those that it uses.
_SCRIPTS = (
    *("formulas", "sweep", "wording", "state", "drawings", "marks", "layers", "panel"),
    *("predict", "inputs", "timeline", "viewport", "tools", "sheet", "main"),
)
#: Maximum length of the expression below the heading, in characters and in gates.
_MAX_EXPRESSION_LENGTH, _MAX_EXPRESSION_GATES = 160, 12


def render_step_page(
    steps: Sequence[Step], title: str | None = None, limit: int = DEFAULT_LIMIT
) -> str:
    """Return the steps of a walk as one HTML document that moves through them.

    Parameters
    ----------
    steps : sequence of Step
        All steps of the walk.
    title : str, optional
        The heading; by default "Backpropagation through" and the name of the root.
    limit : int
        Maximum number of nodes in one drawing; a larger graph is divided into subgraphs.

    Raises
    ------
    GraphTooLargeError
        If the graph has more than 10,000 nodes; this is checked before the layout.
    LayoutError
        If Graphviz is not installed or fails.

    Notes
    -----
    The document loads nothing from outside, and its Content-Security-Policy forbids it: only its
    own script and style can run, which the policy identifies by their hashes.
    """
    graph = steps[0].graph
    if len(graph.order) > MAX_NODES:
        raise GraphTooLargeError(
            f"the graph of {describe(graph.root)} has {len(graph.order):,} nodes, too many for a "
            f"page, which is limited to {MAX_NODES:,}: walk from an earlier node"
        )
    first, drawings = render_drawings(graph, limit)
    data, name = PageData(graph), graph.names[graph.root]
    advice = "" if graph.root.label else f'. To name {name}, set its .label = "f"'
    return html.render_page(
        __package__,
        "page",
        _SCRIPTS,
        javascript_functions(data.operations.values()),
        data.json(drawings),
        title=title or f"Backpropagation through {name}",
        expression=escape(_expression(graph) + advice),
        table=format_html_table(steps),
        graph=first,
    )


def _expression(graph: WalkedGraph) -> str:
    """Return the expression of the graph or, if it is too long, the size of the graph."""
    gates = [Step(graph, 0, "forward", node) for node in graph.order if node.parents]
    if not gates:
        return graph.names[graph.root]
    if len(gates) <= _MAX_EXPRESSION_GATES:
        formulas = (gate.symbols().replace(" ", "\u00a0") for gate in gates)  # no line breaks
        expression = "; ".join(formulas)
        if len(expression) <= _MAX_EXPRESSION_LENGTH:
            return expression
    inputs = pluralize(len(graph.inputs), "input")
    return f"{graph.names[graph.root]}: {len(gates)} gates over {inputs}"


Json: TypeAlias = Any


class PageData:
    """The data of a step page, encoded as JSON.

    Parameters
    ----------
    graph : WalkedGraph
        The walked graph.

    Attributes
    ----------
    operations : dict from str to (Operation, int)
        The operations that the page evaluates, with their numbers of operands: those of the gates,
        and those in partial derivatives, such as the subtraction in 3·x³⁻¹.
    """

    def __init__(self, graph: WalkedGraph) -> None:
        self._graph = graph
        self._index = graph.position
        self._custom: dict[Operation, str] = {}
        self._gates: list[Json] = []
        self._forms: dict[GateForm, int] = {}
        self.operations: dict[str, tuple[Operation, int]] = {}
        self._nodes = [self._encode_node(node) for node in graph.order]
        known = [found for found in graph.comparisons if None not in found.operands]
        self._unknown = len(graph.comparisons) - len(known)
        self._comparisons = [self._encode_comparison(found) for found in known]

    def json(self, drawings: Json) -> Json:
        """Return the data of the page, including its drawings, as JSON."""
        graph, start = self._graph, Step(self._graph, 0, "forward")
        layers, stages = encode_layers(graph)
        return {
            "nodes": self._nodes,
            "inputs": [self._index[leaf] for leaf in graph.inputs],
            "sums": [index for node, index in self._index.items() if node in graph.pre_activations],
            "layers": layers,
            "stages": stages,
            "gates": self._gates,
            "exact": [key for key, (op, _) in self.operations.items() if is_exact(op)],
            "scripts": [TEXT.templates, MATHML.templates],
            "texts": TEXTS,
            "start": start.sentence("partial"),
            "announced": {n: start.fan_out_notes(n) for n in get_args(Notation)},
            **drawings,
            "comparisons": self._comparisons,
            "unknown": self._unknown,
        }

    def key(self, op: Operation, arity: int) -> str:
        """Return the key of an operation with this number of operands, and record its use."""
        name = op.name
        if TABLE.get(op.name) is not op:  # custom operations may share a name
            name = self._custom.setdefault(op, f"custom{len(self._custom)} {op.name}")
        key = f"{name}/{arity}"
        self.operations[key] = op, arity
        return key

    def _encode_node(self, node: Value) -> Json:
        graph, op = self._graph, node.op
        encoded: dict[str, Json] = {
            "name": graph.names[node],
            "data": json_number(graph.data[node]),
            "parents": [],
        }
        word = graph.formula_names[node]
        if not re.fullmatch(r"[^\W\d_]\d*", word):  # x, or v12
            encoded |= {"word": word, "barred": TEXT.bar(word), "script": MATHML.name(word)}
        if op is None:
            return encoded | {"kind": "parameter" if node in graph.parameters else "input"}
        key, gate = self.key(op, len(node.parents)), graph.gate(node)
        if gate.form not in self._forms:
            self._forms[gate.form] = len(self._gates)
            self._gates.append({"key": key, **self._encode_gate(gate)})
        encoded["form"] = self._forms[gate.form]
        encoded["parents"] = [
            self._index[x] if isinstance(x, Value) else self._encode_constant(x)
            for x in operands_for_display(node)
        ]
        encoded["locals"] = [json_number(x) for x in node.local_grads]
        return encoded

    def _encode_comparison(self, found: Comparison) -> Json:
        """Return a comparison, with nodes named by their indices, and its outcome in Python."""
        names: dict[Symbol, str] = {}

        def as_expression(x: Value | float | None) -> Expression:
            if not isinstance(x, Value):
                return x or 0.0
            node = self._graph.find_displayed(x)
            if node is None:
                operands = tuple(map(as_expression, x.parents))
                return x.data if x.op is None else Symbol("", x.op, operands)
            name = str(self._index[node])
            names[symbol := Symbol(name)] = name
            return symbol

        terms = _TermList(self, names)
        whole = Symbol("", found.op, tuple(map(as_expression, found.operands)))
        terms.index(whole)
        template = format_expression(whole, {x: Slot(name) for x, name in names.items()})
        return {"terms": terms.encoded, "written": template, "outcome": found.outcome}

    def _encode_constant(self, x: float) -> Json:
        """Return a constant operand; for the maximum in softmax, also its scores."""
        encoded: Json = {"constant": json_number(float(x))}
        if isinstance(x, MaxScore) and scores_of(x, self._index):
            encoded["largest"] = [
                self._index[y] if isinstance(y, Value) else {"constant": json_number(y)}
                for y in x.scores
            ]
            encoded["word"] = self._graph.operand_text(x)
        return encoded

    def _encode_gate(self, gate: SymbolicGate) -> Json:
        """Return the templates of a form; conditions and rules are indices into `terms`."""
        form = gate.form
        own = {symbol: f"x{i}" for i, symbol in enumerate(form.operands)} | {form.result: "y"}
        terms = _TermList(self, own | FIXED)
        slots: dict[Symbol, str] = {symbol: Slot(name) for symbol, name in own.items()} | FIXED
        slots |= {symbol: format_number(x) for symbol, x in form.constants.items()}
        op, expression = form.op, form.expression
        names = [Slot(own[symbol]).at(0) for symbol in (form.result, *form.operands)]
        operation = format_expression(Symbol("", op, form.operands), slots)
        valid, gap = op.domain.valid, op.domain.gap
        needs = op.domain.needs or (valid and format_expression(valid(*form.operands), slots))
        return {
            "symbol": gate_name(op),
            "shown": gate_text(gate.node),
            "sentence": gate_sentence(gate.node, names[0], names[1:]),
            "undefined": f"{operation} is undefined at {{}}: it needs {needs}.",
            "sign": form.equality_sign(expression),
            "plain": is_plain_sum(expression),
            **({"truth": True} if op.is_boolean else {}),
            **({"gap": terms.index(gap(*form.operands))} if gap else {}),
            "written": _templates(expression, slots),
            "wires": [
                self._encode_wire(gate, i, slots, terms) if isinstance(x, Value) else None
                for i, x in enumerate(gate.node.parents)
            ],
            "terms": terms.encoded,
        }

    def _encode_wire(
        self, gate: SymbolicGate, i: int, slots: dict[Symbol, str], terms: _TermList
    ) -> Json:
        """Return the pattern of a wire, and the branches of its local derivative."""

        def encode(found: Conditional | LocalDerivative) -> Json:
            if found is None:
                return None
            if isinstance(found, Conditional):
                condition = terms.index(found.condition)
                return {
                    "if": condition,
                    "then": encode(found.if_true),
                    "else": encode(found.if_false),
                }
            rule, textbook = found
            displayed = abbreviate(rule)
            encoded = {
                "rule": terms.index(rule),
                "rounds": relation(*constants_of(rule)),
                "reads": [str(slots[x]) for x in named_symbols(rule) if x not in FIXED],
                "sign": gate.form.equality_sign(displayed),
                "text": _templates(displayed, slots),
                "factor": [writer.factor_of(displayed, slots) for writer in (TEXT, MATHML)],
            }
            if textbook is not None:
                sign = gate.form.equality_sign(textbook)
                encoded["textbook"] = {"sign": sign, "text": _templates(textbook, slots)}
            return encoded

        return {"pattern": gate.form.pattern(i), "written": encode(gate.form.derivative(i))}


def _templates(expression: Expression, slots: dict[Symbol, str]) -> list[str]:
    return [writer.expression(expression, slots) for writer in (TEXT, MATHML)]


class _TermList:
    """Expressions encoded as one list, in which subexpressions are referred to by index.

    An entry is a number, ``{"name": "y"}`` for the result, ``{"name": "x0"}`` … for operands, or a
    list of an operation's key and the indices of its operands. Common subexpressions occur once.
    """

    def __init__(self, data: PageData, names: Mapping[Symbol, str]) -> None:
        self.encoded: list[Json] = []
        self._data, self._names = data, names
        self._indices: dict[Any, int] = {}

    def index(self, expression: Expression) -> int:
        """Append an expression after its subexpressions, and return its index."""
        return self._index_of(evaluate(expression, self._indices, self._append_operation, None))

    def _append_operation(self, op: Operation, operands: Sequence[Any]) -> int:
        indices = [*map(self._index_of, operands)]
        self.encoded.append([self._data.key(op, len(operands)), *indices])
        return len(self.encoded) - 1

    def _index_of(self, x: Any) -> int:
        """Return the index of a subexpression; append a name or number that is new."""
        if isinstance(x, int):
            return x
        key = x if isinstance(x, Symbol) else repr(float(x))
        if key not in self._indices:
            self._indices[key] = len(self.encoded)
            is_name = isinstance(x, Symbol)
            self.encoded.append({"name": self._names[x]} if is_name else json_number(x))
        return self._indices[key]
