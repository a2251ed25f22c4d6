"""The graph of a walk, at the time of the walk: the data that all its steps share.

`walk` creates a `WalkedGraph` from a root; the steps, the page, the slides and the terminal read
it. For f = (x + y)z its nodes, in topological order, and their names and numbers are ::

    order   x  y  v1  z  f
    names   'x'  'y'  'v1'  'z'  'f'
    data    -2.0  5.0  3.0  -4.0  -12.0
"""

from __future__ import annotations

import re
from math import nan
from unicodedata import normalize

from scalargrad.engine.graph import describe
from scalargrad.engine.value import Value
from scalargrad.errors import GraphChangedError
from scalargrad.show.branch_log import recorded_comparisons
from scalargrad.show.display_graph import DisplayGraph, format_maximum, scores_of
from scalargrad.show.max_score import operands_for_display
from scalargrad.show.number_format import format_number
from scalargrad.show.steps.symbolic_gates import GateForm, SymbolicGate
from scalargrad.show.weighted_sums import ACTIVATIONS, readers_of
from scalargrad.system.cached_property import cached_property

#: Maximum number of comparisons that a page evaluates again at other inputs.
_MAX_COMPARISONS = 10_000
#: Characters that make a name need parentheses in a formula.
_OPERATOR_CHARACTERS = set(" +-−*·/^=<>,|")
_SUPERSCRIPT_DIGITS = tuple("⁰¹²³⁴⁵⁶⁷⁸⁹")
#: The index of a name such as w[0,1], whose comma needs no parentheses.
_INDEX = re.compile(r"\[[\w, ]*\]|,(?=[₀-₉])|(?<=_)\w+(,\d+)+$")


class WalkedGraph(DisplayGraph):
    """A graph at the time when it was walked.

    Attributes
    ----------
    root : Value
        The node whose derivatives are computed.
    inputs : list of Value
        The leaves. Parameters come last, in the order of the model or layer by layer. The others
        are ordered from left to right as in the expression; x0, x1 and so on by their numbers.
    formula_names : dict from Value to str
        Names in formulas, where one such as a + b has parentheses.
    data : dict from Value to float
        The numbers, copied because a leaf may be assigned to later.
    feeds : dict from Value to int
        The number of gates that read each node; x · x is one gate.
    terms : dict from Value to list of float
        The terms of each gradient, in the order in which they are added.
    seed_at : int
        The position of the seed.
    known_at, complete_at : dict from Value to int
        The positions at which each value is computed, and at which its gradient is complete.
    alarm_at : int or None
        The position of the step that reports the first number that is inf or nan, if there is one.
    comparisons : list of Comparison
        The comparisons that Python made, as in ``if x > 0``.
    kinks : dict from Value to Value
        For each node that a gate at a kink or jump depends on, that gate.
    """

    def __init__(self, root: Value, model: object = None) -> None:
        super().__init__([root], model)
        (self.root,) = self.roots
        self.formula_names = {node: _formula_name(name) for node, name in self.names.items()}
        self.inputs = _order_inputs(self)
        self.data = {node: node.data for node in self.order}
        self.feeds = {node: len({*read}) for node, read in readers_of(self.order).items()}
        self.terms: dict[Value, list[float]] = {node: [] for node in self.order}
        self.seed_at = 0
        self.known_at: dict[Value, int] = dict.fromkeys(self.order, 0)
        self.complete_at: dict[Value, int] = {}
        self.alarm_at: int | None = None
        self._forms: dict[object, GateForm] = {}
        self._gates: dict[Value, SymbolicGate] = {}
        self._require_unchanged()
        self.comparisons = recorded_comparisons(root, _MAX_COMPARISONS)

    @cached_property
    def pre_activations(self) -> set[Value]:
        """The weighted sums s of units θ(s), whose error ∂root/∂s UNC writes δ."""
        entering = (x for node in self.order if node.op in ACTIVATIONS for x in node.parents)
        computed = {x for x in entering if isinstance(x, Value) and x.parents}
        return computed | {row.total for rows in self.layers for row in rows}

    def _require_unchanged(self) -> None:
        """Raise GraphChangedError if the number of a node is not the result of its operands.

        The numbers in its step would contradict each other.
        """
        for node in self.order:
            if node.op is None:
                continue
            now = node.op.of_floats_unchecked(
                *(self.data[x] if isinstance(x, Value) else x for x in node.parents)
            )
            recorded = self.data[node]
            if now != recorded and not (now != now and recorded != recorded):
                raise GraphChangedError(
                    f"{describe(node)}, but its operands now give {now:.6g}: data was assigned "
                    "after the graph was built. Build the graph again before walking through it"
                )

    @cached_property
    def kinks(self) -> dict[Value, Value]:
        """The gates at a kink, by the nodes that they depend on."""
        kinks: dict[Value, Value] = {}
        for node in reversed(self.order):
            gate = node if self.is_at_kink(node) else kinks.get(node)
            operands = (x for x in node.parents if isinstance(x, Value))
            kinks |= {} if gate is None else dict.fromkeys(operands, gate)
        return kinks

    def is_at_kink(self, node: Value) -> bool:
        """Return True if the operation of a node has a kink or jump at its operands.

        An operand that is a comparison is true or false, and cannot be near a kink.
        """
        gap = None if node.op is None else node.op.domain.gap
        return gap is not None and gap(*map(self._continuous, node.parents)) == 0.0

    def _continuous(self, operand: Value | float) -> float:
        if not isinstance(operand, Value):
            return operand
        return nan if operand.op is not None and operand.op.is_boolean else self.data[operand]

    def gate(self, node: Value) -> SymbolicGate:
        """Return the gate that made `node`; gates of the same form are traced once."""
        if node not in self._gates:
            assert node.op is not None
            operands = operands_for_display(node)
            held = [bool(scores_of(x, self.position)) for x in operands]
            numbers = enumerate(zip(operands, held, strict=True))
            constants = {i: x for i, (x, h) in numbers if isinstance(x, float) and not h}
            key = node.op, repr(constants), *held
            if key not in self._forms:
                self._forms[key] = GateForm(node.op, len(held), constants)
            self._gates[node] = SymbolicGate(node, self._forms[key], self)
        return self._gates[node]

    def held_scores(self, node: Value) -> list[Value]:
        """Return the scores whose maximum is a constant of a gate, as in softmax."""
        return [score for x in operands_for_display(node) for score in scores_of(x, self.position)]

    def operand_text(self, operand: Value | float) -> str:
        """Return an operand as text: a name, the maximum of some scores, or a number."""
        if isinstance(operand, Value):
            return self.formula_names[operand]
        scores = scores_of(operand, self.position)
        return (
            format_maximum([self.formula_names[x] for x in scores])
            if scores
            else format_number(operand)
        )

    def is_repeated(self, node: Value, parent: Value) -> bool:
        """Return True if a gate has the same operand more than once."""
        return sum(x is parent for x in node.parents) > 1  # by identity: 2.0 == Value(2.0)


def _order_inputs(graph: DisplayGraph) -> list[Value]:
    """Return the inputs in order: parameters last, those of a model by their positions in it.

    Inputs whose names differ only in their numbers, as x0 and x1, are ordered by the numbers.
    """
    leaves = [node for node in graph.order if not node.parents]
    plain = {leaf: normalize("NFKC", graph.names[leaf]) for leaf in leaves}  # θ0 for θ₀
    stems = {leaf: re.sub(r"\d+", "#", plain[leaf]) for leaf in leaves}
    by_number = sorted(leaves, key=lambda leaf: [int(n) for n in re.findall(r"\d+", plain[leaf])])
    same_stem = {stem: [x for x in by_number if stems[x] == stem] for stem in stems.values()}
    numbered = [same_stem[stems[leaf]].pop(0) for leaf in leaves]
    place = {leaf: i for i, leaf in enumerate(graph.parameter_names)}
    return sorted(numbered, key=lambda x: (x in graph.parameters, place.get(x, -1)))


def _formula_name(name: str) -> str:
    """Return a name for formulas, in parentheses if it could be read as several."""
    enclosed = name.startswith("(") and name.find(")") == len(name) - 1
    has_operator = _OPERATOR_CHARACTERS.intersection(_INDEX.sub("", name))
    is_joined = has_operator or name.endswith(_SUPERSCRIPT_DIGITS)  # ∂f/∂(x²)
    return f"({name})" if is_joined and not enclosed else name
