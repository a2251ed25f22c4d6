"""A graph as it was when it was walked: its order, names and numbers, which all steps share."""

from __future__ import annotations

import re
from math import nan
from unicodedata import normalize

from scalargrad.comparisons import comparisons
from scalargrad.engine.graph import describe
from scalargrad.engine.value import Value
from scalargrad.errors import GraphChangedError
from scalargrad.show.number_format import number
from scalargrad.show.shown_graph import ShownGraph, largest_of, scores_of
from scalargrad.show.steps.partials import GateForm, SymbolicGate
from scalargrad.show.weighted_sums import ACTIVATIONS, readers_of
from scalargrad.system.cached_property import cached_property

#: The most comparisons that a page repeats at every move.
_MOST_COMPARISONS = 10_000
_JOINING = set(" +-−*·/^=<>,|")
_RAISED = tuple("⁰¹²³⁴⁵⁶⁷⁸⁹")
_INDEX = re.compile(r"\[[\w, ]*\]|,(?=[₀-₉])|(?<=_)\w+(,\d+)+$")  # that of w[0,1] joins nothing


class Scene(ShownGraph):
    """A graph as it was when it was walked.

    Attributes
    ----------
    root : Value
        What is differentiated.
    inputs : list of Value
        The leaves among them, parameters last, these in the order of the model or layer by layer;
        otherwise from left to right as in the expression or, of x0, x1 and so on, by these
        numbers.
    in_formulas : dict from Value to str
        Names in formulas, where one such as a + b needs parentheses.
    data : dict from Value to float
        The numbers, kept because a leaf may be assigned to later.
    feeds : dict from Value to int
        How many gates those wires lead to; x · x is one gate.
    terms : dict from Value to list of float
        The terms of each gradient, in the order they arrive.
    seed_at : int
        The position of the seed.
    known_at, complete_at : dict from Value to int
        The positions at which each value is computed, and at which its gradient is complete.
    alarm_at : int or None
        The position of the step that tells the first number that is inf or nan, if one does.
    comparisons : list of Comparison
        What Python compared, as in ``if x > 0``.
    kinks : dict from Value to Value
        For each node that a gate at a kink or jump is computed from, that gate.
    """

    def __init__(self, root: Value, model: object = None) -> None:
        super().__init__([root], model)
        (self.root,) = self.roots
        self.in_formulas = {node: _word(name) for node, name in self.names.items()}
        self.inputs = _in_order(self)
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
        self.comparisons = comparisons(root, _MOST_COMPARISONS)

    @cached_property
    def pre_activations(self) -> set[Value]:
        """The weighted sums s of units θ(s), whose error ∂root/∂s UNC writes δ."""
        entering = (x for node in self.order if node.op in ACTIVATIONS for x in node.parents)
        computed = {x for x in entering if isinstance(x, Value) and x.parents}
        return computed | {row.total for rows in self.layers for row in rows}

    def _require_unchanged(self) -> None:
        """Raise GraphChangedError if a node is no longer what its operation makes of its operands.

        Its step would show numbers that do not fit together.
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
                    f"{describe(node)}, but from its operands as they are now it would be "
                    f"{now:.6g}: data was assigned after the graph was built. Build the graph "
                    "again before walking through it"
                )

    @cached_property
    def kinks(self) -> dict[Value, Value]:
        """The gates at a kink, by the nodes that they are computed from."""
        found: dict[Value, Value] = {}
        for node in reversed(self.order):
            beyond = node if self.is_at_kink(node) else found.get(node)
            operands = (x for x in node.parents if isinstance(x, Value))
            found |= {} if beyond is None else dict.fromkeys(operands, beyond)
        return found

    def is_at_kink(self, node: Value) -> bool:
        """Return True if the operation of a node has a kink or jump at its operands.

        A comparison read as an operand is true or false, not a number beside others.
        """
        gap = None if node.op is None else node.op.domain.gap
        return gap is not None and gap(*map(self._continuous, node.parents)) == 0.0

    def _continuous(self, operand: Value | float) -> float:
        if not isinstance(operand, Value):
            return operand
        return nan if operand.op is not None and operand.op.is_boolean else self.data[operand]

    def gate(self, node: Value) -> SymbolicGate:
        """Return the gate that made `node`; those of one form are traced once."""
        if node not in self._gates:
            assert node.op is not None
            held = [bool(scores_of(x, self.place)) for x in node.parents]
            numbers = enumerate(zip(node.parents, held, strict=True))
            constants = {i: x for i, (x, h) in numbers if isinstance(x, float) and not h}
            key = node.op, repr(constants), *held
            if key not in self._forms:
                self._forms[key] = GateForm(node.op, len(held), constants)
            self._gates[node] = SymbolicGate(node, self._forms[key], self)
        return self._gates[node]

    def held(self, node: Value) -> list[Value]:
        """Return the scores whose maximum a gate holds as a constant, as that of softmax does."""
        return [score for x in node.parents for score in scores_of(x, self.place)]

    def word(self, operand: Value | float) -> str:
        """Return what an operand is called: a name, the maximum of some scores, or a number."""
        if isinstance(operand, Value):
            return self.in_formulas[operand]
        scores = scores_of(operand, self.place)
        return largest_of([self.in_formulas[x] for x in scores]) if scores else number(operand)

    def is_repeated(self, node: Value, parent: Value) -> bool:
        """Return whether a gate has the same operand more than once."""
        return sum(x is parent for x in node.parents) > 1  # 2.0 == Value(2.0)


def _in_order(graph: ShownGraph) -> list[Value]:
    """Return inputs as they are listed: parameters last, those of a model by their places.

    Of the others, those that differ in numbers alone, x0 and x1, are in their order.
    """
    leaves = [node for node in graph.order if not node.parents]
    plain = {leaf: normalize("NFKC", graph.names[leaf]) for leaf in leaves}  # θ0 for θ₀
    stems = {leaf: re.sub(r"\d+", "#", plain[leaf]) for leaf in leaves}
    by_number = sorted(leaves, key=lambda leaf: [int(n) for n in re.findall(r"\d+", plain[leaf])])
    alike = {stem: [x for x in by_number if stems[x] == stem] for stem in stems.values()}
    numbered = [alike[stems[leaf]].pop(0) for leaf in leaves]
    place = {leaf: i for i, leaf in enumerate(graph.places)}
    return sorted(numbered, key=lambda x: (x in graph.parameters, place.get(x, -1)))


def _word(name: str) -> str:
    """Return a name as a formula takes it, in parentheses if it could be read as several."""
    enclosed = name.startswith("(") and name.find(")") == len(name) - 1
    joined = _JOINING.intersection(_INDEX.sub("", name)) or name.endswith(_RAISED)  # ∂f/∂(x²)
    return f"({name})" if joined and not enclosed else name
