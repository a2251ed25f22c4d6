"""One step of a walk through a graph, and what it says: in symbols, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import chain, islice
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

from scalargrad import ops
from scalargrad.checks.arguments import instance, is_word
from scalargrad.codegen.formulas import MATHML_PAIR, MINUS, Expression, mathml, scripted, text
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import CONDITIONAL, PRODUCT, SIGN
from scalargrad.opdef.symbol import Symbol
from scalargrad.show.characters import indexed
from scalargrad.show.graphs.gates import folds, gate_text
from scalargrad.show.number_format import (
    gate_relation,
    loosest,
    number,
    relation,
    running_sum,
    signed,
)
from scalargrad.show.shown_graph import largest_of
from scalargrad.show.steps.symbolic_gates import SymbolicGate, abbreviate, is_plain_sum
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.system.short_repr import format_value, pluralize

#: How the gradient of f with respect to x is written: ∂f/∂x, x̄, or, of a pre-activation, δ_x.
Notation: TypeAlias = Literal["partial", "bar", "delta"]

#: What a formula is written in, and what is written of it.
Form: TypeAlias = Literal["text", "mathml"]
Part: TypeAlias = Literal["whole", "symbols", "numbers"]

_NUMBER_SYMBOL = Symbol("number")

#: A piece of a formula after a sign that relates it to the one before, or none.
Link: TypeAlias = tuple[str, str]

#: All texts of steps; pages fill the same.
TEXTS = {
    "via": "via {gate}",
    "operand": "{gate}, operand {number}",
    "share": "on this wire",
    "more": "and {count} more",
    "rest": "{count} more",
    "inputs": "Start from {inputs}.",
    "forward": "The gate {gate} computes {name} from {operands}.",
    "seed": "The backward pass starts at the output: {name} changes one for one with itself.",
    "backward": "From {name} back to {parent}: upstream {upstream} times local {local}.",
    "held": "{largest} is held constant: softmax is the same whatever is subtracted",
    "received": "{pattern}: {parent} receives {received}",
    "nothing": "{pattern}: {parent} receives nothing, it stops here",
    "kink": (
        "{gate} has a kink or jump at {place}: it has no derivative there, {local} is taken by "
        "convention"
    ),
    "no nudge": "no nudge of {leaf} is predicted: {gate} has a kink or jump here",
    "part": "{signal} {sum}, {arrived} of {expected}",
    "sum": "{signal} {sum}, complete: adder at a fan-out",
    "nudge": "nudge {leaf} by {nudge}: the gradient foretells that {root} changes by {change}",
    "not finite": "first value that is not finite: {name} = {value}; give a finite number",
    "overflow": (
        "first {kind} that is not finite: {formula}; {change} the operands of {name}, or guard "
        "them with where"
    ),
}


def fill_text(text: str, **filled: object) -> str:
    """Return a text with its places filled."""
    return TEXTS[text].format(**filled)


@dataclass(frozen=True)
class FormulaWriter:
    """The notation of formulas, for text or for MathML; the words of names come unescaped.

    Attributes
    ----------
    name, barred
        The name of a node, and that with a bar.
    print
        An expression with its names, in parentheses where it binds more loosely than demanded.
    escape
        Words between formulas.
    templates : dict from str to str
        Whatever is put together of these, with ``{}`` for each; pages fill the same.
    """

    name: Callable[[str], str]
    barred: Callable[[str], str]
    print: Callable[[Expression, dict[Symbol, str], int], str]
    escape: Callable[[str], str]
    templates: Mapping[str, str]

    def fill(self, template: str, *pieces: str) -> str:
        """Put pieces together as a template says."""
        return self.templates[template].format(*pieces)

    def partial(self, of: str, by: str) -> str:
        """Write the derivative of one name by another."""
        return self.fill("partial", self.name(of), self.name(by))

    def bar(self, word: str) -> str:
        """Write the gradient of a node in the notation of error signals."""
        return self.fill("bar", self.barred(word))

    def phrase(self, words: str) -> str:
        """Write words between formulas."""
        return self.fill("phrase", self.escape(words))

    def row(self, pieces: Iterable[str], between: str = "between") -> str:
        """Write pieces one after the other."""
        return self.fill("row", self.templates[between].join(pieces))

    def expression(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Write an expression that stands alone."""
        return self.print(expression, names, CONDITIONAL)

    def number(self, value: float) -> str:
        """Write a number with four significant digits."""
        return self.print(_NUMBER_SYMBOL, {_NUMBER_SYMBOL: number(value)}, CONDITIONAL)

    def factor(self, value: float) -> str:
        """Write a number as a factor of a product, in parentheses if it is negative."""
        return self.print(_NUMBER_SYMBOL, {_NUMBER_SYMBOL: number(value)}, PRODUCT)

    def factor_of(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Write an expression as a factor of a product, a quotient in parentheses."""
        if not isinstance(expression, Symbol):
            return self.factor(expression)
        is_quotient = expression.op in {ops.div, ops.reciprocal}
        return self.print(expression, names, SIGN if is_quotient else PRODUCT)

    def gradient(self, root: str, node: str, notation: Notation) -> str:
        """Write the gradient of the root with respect to a node."""
        if not is_word(notation, get_args(Notation)):
            known = ", ".join(map(repr, get_args(Notation)))
            raise OperandError(f"notation is {format_value(notation)}; use one of {known}")
        if notation == "partial":
            return self.partial(root, node)
        return self.bar(node) if notation == "bar" else self.fill("delta", self.name(node))

    def chain(self, links: Iterable[Link]) -> str:
        """Write links: pieces, each after the sign that relates it to the one before, if any."""
        signed = ([self.fill("sign", sign), piece] if sign else [piece] for sign, piece in links)
        return self.row(chain.from_iterable(signed))


_INDEX_START = "_[⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


def _overline(word: str) -> str:
    """Put a bar over a letter with or without an index, or over every letter of a word."""
    letter, index = word[0], word[1:]
    if letter.isalpha() and (not index or index.isdigit() or index[0] in _INDEX_START):
        return f"{letter}\N{COMBINING MACRON}{index}"
    return "".join(f"{character}\N{COMBINING OVERLINE}" for character in word)


TEXT = FormulaWriter(
    name=str,
    barred=_overline,
    print=text,
    escape=str,
    templates={
        "partial": "∂{}/∂{}", "bar": "{}", "delta": "δ_{}", "phrase": "{}", "row": "{}",
        "between": " ", "comma": ", ", "sign": "{}", "product": "{}·{}", "pair": "({})",
        "whole": "{}",
    },
)  # fmt: skip

MATHML = FormulaWriter(
    name=scripted,
    barred=scripted,
    print=mathml,
    escape=escape,
    templates={
        "partial": "<mfrac><mrow><mo>∂</mo>{}</mrow><mrow><mo>∂</mo>{}</mrow></mfrac>",
        "bar": '<mover accent="true">{}<mo>¯</mo></mover>',
        "delta": "<msub><mi>δ</mi>{}</msub>",
        "phrase": "<mtext>&#160;{}&#160;</mtext>",
        "row": "<mrow>{}</mrow>", "between": "", "comma": "<mo>,</mo>", "sign": "<mo>{}</mo>",
        "product": "<mrow>{}<mo>·</mo>{}</mrow>",
        "pair": MATHML_PAIR,
        "whole": '<math displaystyle="true">{}</math>',
    },
)  # fmt: skip


class Formula(NamedTuple):
    """One formula as a chain of links: each is a piece, after a sign or none.

    Where the numbers would only repeat, the whole has the result alone, after the sign `brief`.
    """

    symbols: list[Link]
    numbers: list[Link]
    brief: str = ""

    def links(self, part: Part) -> list[Link]:
        """Return the links of a part; of the numbers, the first without a sign."""
        if part == "symbols":
            return self.symbols
        if part == "numbers":
            return [("", self.numbers[0][1]), *self.numbers[1:]]
        brief = [(self.brief, self.numbers[-1][1])] if self.brief else self.numbers
        return [*self.symbols, *brief]


def symbolic_link(gate: SymbolicGate, expression: Expression, writer: FormulaWriter) -> Link:
    """Return an expression of a gate in names, after ≈ if there is a rounded number among them."""
    return gate.form.equality_sign(expression), writer.expression(expression, gate.names)


_MAX_INPUTS, _MAX_NAMES = 8, 4
_WRITERS: dict[str, FormulaWriter] = {"text": TEXT, "mathml": MATHML}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step:
    """One step: the inputs, a gate computed, the seed, or a gradient sent back along a wire.

    Attributes
    ----------
    graph : WalkedGraph
        The walked graph, with its names and numbers.
    index : int
        Position in the whole walk, from 0.
    phase : {"forward", "seed", "backward"}
        Which part of the walk.
    node : Value or None
        The gate at work; the root in the seed; None for the inputs.
    operand : int or None
        Backward: which operand of the gate receives; x · x has two wires to one node.
    parent : Value or None
        Backward: the node that receives.
    upstream : float or None
        Backward: the gate's own gradient, complete, in root unit / gate unit.
    local : float or None
        Backward: ∂gate/∂operand, in gate unit / parent unit.
    contribution : float or None
        Backward: upstream · local, in root unit / parent unit.
    total : float or None
        Backward: the parent's gradient so far, this contribution included. Seed: 1.
    arrived, expected : int
        Backward: how many contributions the total holds, and how many it will.

    Examples
    --------
    >>> from scalargrad import Value
    >>> from scalargrad.show.steps import walk
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> q = x + y
    >>> q.label = "q"
    >>> step = walk(q * z)[4]
    >>> step
    Step(4, 'v1 → z', '∂v1/∂z = 1·q = 1·3 = 3')
    >>> step.upstream, step.local, step.contribution, step.pattern
    (1.0, 3.0, 3.0, 'swap multiplier')
    """

    graph: WalkedGraph
    index: int
    phase: Literal["forward", "seed", "backward"]
    node: Value | None = None
    operand: int | None = None
    parent: Value | None = None
    upstream: float | None = None
    local: float | None = None
    contribution: float | None = None
    total: float | None = None
    arrived: int = 0
    expected: int = 0

    @property
    def pattern(self) -> str:
        """The gate's effect on a gradient on its way back, in a word or two; may be empty."""
        return self.node.op.pattern if self.node is not None and self.node.op is not None else ""

    @property
    def fans_out(self) -> bool:
        """True if the parent feeds several wires, so that its gradient is a sum."""
        return self.expected > 1

    @property
    def place(self) -> str:
        """The place of the step: ``inputs``, a node ``f``, or a wire ``f → z``."""
        if self.node is None:
            return "inputs"
        name = self.graph.names[self.node]
        return name if self.parent is None else f"{name} → {self.graph.names[self.parent]}"

    def __repr__(self) -> str:
        return f"Step({self.index}, {self.place!r}, {self.text()!r})"

    def text(self, notation: Notation = "partial") -> str:
        """Write the step as one line: symbols, then numbers.

        Parameters
        ----------
        notation : {"partial", "bar", "delta"}
            How gradients are written: ∂f/∂x; x̄; or δ_s for the sum s that enters a unit
            and ∂f/∂x for all else.

        Examples
        --------
        >>> from scalargrad import Value
        >>> from scalargrad.show.steps import walk
        >>> x, y = Value(3.0, "x"), Value(-4.0, "y")
        >>> for step in walk(x * y):
        ...     print(step.text())
        x = 3, y = −4
        v1 = x·y = 3·(−4) = −12
        ∂v1/∂v1 = 1
        ∂v1/∂y = 1·x = 1·3 = 3
        ∂v1/∂x = 1·y = 1·(−4) = −4
        """
        return self._formula("whole", "text", notation)

    def mathml(self, notation: Notation = "partial") -> str:
        """Write the same line as a MathML element."""
        return self._formula("whole", "mathml", notation)

    def symbols(self, notation: Notation = "partial", form: Form = "text") -> str:
        """Write the step in symbols only: ``∂f/∂y = ∂f/∂q·∂q/∂y``."""
        return self._formula("symbols", form, notation)

    def numbers(self, notation: Notation = "partial", form: Form = "text") -> str:
        """Write the step in numbers only: ``(-4)·1 = -4``."""
        return self._formula("numbers", form, notation)

    def local_text(self, form: Form = "text") -> str:
        """Write the local derivative with its number, ``∂f/∂z = q = 3``; empty if not backward."""
        writer = _formula_writer(form)
        if self.phase != "backward":
            return ""
        return writer.fill("whole", writer.chain(self._local_formula(writer).links("whole")))

    def _local_formula(self, writer: FormulaWriter) -> Formula:
        """Return the local derivative of a wire, ``∂f/∂z = q = 3``."""
        graph, (node, operand, parent, _, local, _) = self.graph, self._wire_values()
        gate = graph.gate(node)
        rule, textbook = gate.derivative(operand)
        partial = abbreviate(rule)
        left = writer.partial(graph.formula_names[node], graph.formula_names[parent])
        if self.fans_out and (node is graph.root or graph.is_repeated(node, parent)):
            left = writer.row([left, writer.phrase(TEXTS["share"])])  # not the whole derivative
        symbols = symbolic_link(gate, partial, writer)
        numbers = writer.expression(partial, gate.number_texts)
        filled_in, result = gate.derivative_relations(operand)
        of_names = loosest(filled_in, result)
        if symbols[1] == numbers:  # a number
            return Formula([("", left)], [(of_names, writer.number(local))])
        repeats = TEXT.expression(partial, gate.number_texts) == number(local)
        links = [(filled_in, numbers), (result, writer.number(local))]
        written = [("", left), symbols]
        if textbook is not None:
            written.insert(1, symbolic_link(gate, textbook, writer))
        return Formula(written, links, of_names if repeats else "")

    def sentence(self, notation: Notation = "partial") -> str:
        """Say in a sentence what happens."""
        graph, node = self.graph, self.node
        if node is None:
            return fill_text("inputs", inputs=_join_names([graph.names[x] for x in graph.inputs]))
        name = graph.names[node]
        if self.phase == "forward":
            operands = [graph.names[x] if isinstance(x, Value) else "" for x in node.parents]
            return gate_sentence(node, name, operands)
        if self.parent is None:
            return fill_text("seed", name=name)
        upstream, parent = self._gradient(node, TEXT, notation), graph.names[self.parent]
        local = TEXT.partial(graph.formula_names[node], graph.formula_names[self.parent])
        return fill_text("backward", name=name, parent=parent, upstream=upstream, local=local)

    def notes(self, notation: Notation = "partial") -> list[str]:
        """Return the remarks on the step: the gate's pattern, a kink, the running sum, a nudge.

        A gate without a name for what it does has no pattern; the seed announces the
        gradients that will be sums.

        Examples
        --------
        >>> from scalargrad import Value
        >>> from scalargrad.show.steps import walk
        >>> x = Value(3.0, "x")
        >>> for note in walk(x * x)[-1].notes("bar"):
        ...     print(note)
        swap multiplier: x receives 1·x
        x̄ = 3 + 3 = 6, complete: adder at a fan-out
        nudge x by +0.01: the gradient foretells that v1 changes by +0.06
        """
        if self.phase == "seed":
            return self.fan_out_notes(notation)
        told = self.pattern_note(notation), self.kink_note(), self.sum_note(notation)
        found = [*told, self._nudge_note()]
        if self.phase == "forward":
            found = [self._held_scores_note()]
        return [note for note in (*found, self._alarm_note()) if note]

    def _formula(self, part: Part, form: Form, n: Notation) -> str:
        writer, graph = _formula_writer(form), self.graph
        if self.node is None:
            written = []
            for leaf in graph.inputs[:_MAX_INPUTS]:
                name, data = writer.name(graph.formula_names[leaf]), graph.data[leaf]
                formula = Formula([("", name)], [(relation(data), writer.number(data))])
                written.append(writer.chain(formula.links(part)))
            if (rest := len(graph.inputs) - _MAX_INPUTS) > 0:
                written.append(writer.phrase(fill_text("more", count=rest)))
            return writer.fill("whole", writer.row(written, "comma"))
        if self.phase == "forward":
            formula = self._forward_formula(self.node, writer)
        elif self.phase == "seed":
            start = "", self._gradient(self.node, writer, n)
            formula = Formula([start], [("=", writer.number(1.0))])
        else:
            formula = self._backward_formula(self.node, writer, n)
        return writer.fill("whole", writer.chain(formula.links(part)))

    def _forward_formula(self, node: Value, writer: FormulaWriter) -> Formula:
        """Return what a gate computes, ``f = q·z = 3·(-4) = -12``."""
        graph, gate = self.graph, self.graph.gate(node)
        expression, data = gate.form.expression, graph.data[node]
        numbers, operands = gate.number_texts, relation(*gate.operand_numbers)
        names_all = is_plain_sum(expression) and not graph.held_scores(node)
        repeats = names_all or TEXT.expression(expression, numbers) == number(data)
        name = "", writer.name(graph.formula_names[node])
        filled_in = operands, writer.expression(expression, numbers)
        return Formula(
            [name, symbolic_link(gate, expression, writer)],
            [filled_in, (gate.relation, writer.number(data))],
            loosest(operands, gate.relation) if repeats else "",
        )

    def _backward_formula(self, node: Value, writer: FormulaWriter, notation: Notation) -> Formula:
        """Return the chain rule along one wire, ``∂f/∂y = ∂f/∂q·∂q/∂y = (-4)·1 = -4``."""
        _, _, parent, upstream, local, contribution = self._wire_values()
        left = self._gradient(parent, writer, notation)
        if self.fans_out:
            left = writer.row(
                [left, writer.phrase(f"{fill_text('via', gate=self._gate_name(node))}:")]
            )
        product = writer.fill("product", writer.factor(upstream), writer.factor(local))
        rule = self._upstream_times_local(node, writer, notation)
        filled_in = relation(upstream, local)
        equals = filled_in if rule == product else "="
        result = gate_relation(ops.mul, [upstream, local], contribution)
        return Formula(
            [("", left), ("" if self.fans_out else equals, rule)],
            [(filled_in, product), (result, writer.number(contribution))],
            result if rule == product else "",
        )

    def _upstream_times_local(self, node: Value, writer: FormulaWriter, notation: Notation) -> str:
        """Return upstream · local in symbols; at the root the upstream is 1, so it says 1·q."""
        graph, (_, operand, parent, upstream, _, _) = self.graph, self._wire_values()
        if node is not graph.root:
            local = writer.partial(graph.formula_names[node], graph.formula_names[parent])
            return writer.fill("product", self._gradient(node, writer, notation), local)
        gate = graph.gate(node)
        partial = gate.partial(operand)
        local = writer.factor_of(partial, gate.names)
        return writer.fill("product", writer.factor(upstream), local)

    def _gradient(self, node: Value, writer: FormulaWriter, notation: Notation) -> str:
        """Return the gradient of a node in a notation; only a pre-activation's is written δ."""
        graph, is_delta = self.graph, is_word(notation, {"delta"})
        written = "partial" if is_delta and node not in graph.pre_activations else notation
        return writer.gradient(graph.formula_names[graph.root], graph.formula_names[node], written)

    def _gate_name(self, node: Value) -> str:
        """Name the gate that a contribution comes through and, of several wires, which."""
        word = self.graph.formula_names[node]
        _, operand, parent, *_ = self._wire_values()
        several = self.graph.is_repeated(node, parent)
        return fill_text("operand", gate=word, number=operand + 1) if several else word

    def _wire_values(self) -> tuple[Value, int, Value, float, float, float]:
        """Return the gate, its operand, the parent, upstream, local derivative, contribution."""
        wire = self.node, self.operand, self.parent, self.upstream, self.local, self.contribution
        return cast("tuple[Value, int, Value, float, float, float]", wire)

    def pattern_note(self, notation: Notation = "partial") -> str:
        """Say what the gate does to the gradient on its way back along this wire."""
        if self.phase != "backward":
            return ""
        node, operand, parent_node, _, local, contribution = self._wire_values()
        gate, parent = self.graph.gate(node), self.graph.names[parent_node]
        signal, pattern = self._gradient(node, TEXT, notation), gate.form.pattern(operand)
        # Beside inf or nan a 0 does not stop anything: it can become nan later, as 0·inf.
        is_dead = local == 0 and contribution == 0 and self.graph.alarm_at is None
        if is_dead:
            return fill_text("nothing", pattern=pattern or gate_text(node), parent=parent)
        if pattern == "swap multiplier":
            partial = gate.partial(operand)
            factor = TEXT.factor_of(partial, gate.names)
            at_root = node is self.graph.root  # there the formula writes 1·q, too
            product = TEXT.fill("product", *(("1", factor) if at_root else (factor, signal)))
            return fill_text("received", pattern=pattern, parent=parent, received=product)
        if pattern in {"distributor", "gradient router", "sign flip"}:
            share = TEXT.fill("product", TEXT.factor(local), signal)
            if local in {1.0, -1.0}:
                share = signal if local > 0 else f"{MINUS}{signal}"
            return fill_text("received", pattern=pattern, parent=parent, received=share)
        return pattern

    def kink_note(self) -> str:
        """Say that a local derivative is a convention, because its gate is at a kink or jump."""
        if self.phase != "backward" or not isfinite(self.local or 0.0):
            return ""
        node, _, _, _, local, _ = self._wire_values()
        if not self.graph.is_at_kink(node):
            return ""
        read = dict.fromkeys(x for x in node.parents if isinstance(x, Value))
        data, names = self.graph.data, self.graph.names
        place = ", ".join(f"{names[x]} {relation(data[x])} {number(data[x])}" for x in read)
        return fill_text("kink", gate=gate_text(node), place=place, local=number(local))

    def sum_note(self, notation: Notation = "partial") -> str:
        """Give the sum so far of a gradient that several wires contribute to."""
        if not self.fans_out or self.parent is None:
            return ""
        written = running_sum(self.graph.terms[self.parent], self.arrived, self.expected)
        return fill_text(
            "sum" if self.arrived == self.expected else "part",
            signal=self._gradient(self.parent, TEXT, notation),
            sum=written,
            arrived=self.arrived,
            expected=self.expected,
        )

    def _nudge_note(self) -> str:
        """Say what a complete gradient of an input means: ``nudge x by +0.01: …``.

        The nudge is a hundredth of the greatest power of ten in the input. Where a number is not
        finite, nothing is said; at a kink, where the gradient is a convention, nothing is
        predicted.
        """
        leaf, total, data = self.parent, self.total, self.graph.data
        if leaf is None or total is None or leaf.parents or self.arrived < self.expected:
            return ""
        x, names = data[leaf], self.graph.names
        if leaf in self.graph.kinks:
            return fill_text("no nudge", leaf=names[leaf], gate=gate_text(self.graph.kinks[leaf]))
        size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
        nudge = float(f"1e{size - 2}") or 0.01  # of what is almost 0
        if not isfinite(nudge * total) or not isfinite(data[self.graph.root]):
            return ""
        said = {"leaf": names[leaf], "root": names[self.graph.root]}
        return fill_text("nudge", nudge=signed(nudge), change=signed(nudge * total), **said)

    def _held_scores_note(self) -> str:
        """Say why no gradient goes back to the maximum that softmax subtracts."""
        scores = [] if self.node is None else self.graph.held_scores(self.node)
        written = largest_of([self.graph.formula_names[x] for x in scores])
        return fill_text("held", largest=written) if scores else ""

    @property
    def nonfinite_node(self) -> Value | None:
        """The node of which the step tells a value or a gradient that is not finite, if any."""
        if self.parent is not None and self.total is not None:
            return None if isfinite(self.total) else self.parent
        leaves = (x for x in self.graph.order if not x.parents)
        told = leaves if self.node is None else [self.node]
        return next((x for x in told if not isfinite(self.graph.data[x])), None)

    def _alarm_note(self) -> str:
        """Say where the first number that is not finite comes from, and what to do about it."""
        node, names = self.nonfinite_node, self.graph.names
        if node is None or self.index != self.graph.alarm_at:
            return ""
        if self.node is None:
            return fill_text("not finite", name=names[node], value=number(self.graph.data[node]))
        return fill_text(
            "overflow",
            change="scale" if self.local is None or isfinite(self.local) else "shift",
            kind="gradient" if self.phase == "backward" else "value",
            formula=self.text(),
            name=names[self.node],
        )

    def fan_out_notes(self, notation: Notation = "partial") -> list[str]:
        """Announce the gradients that will be sums: ``w feeds 2 gates; w̄ needs 2 terms``."""
        graph = self.graph
        sums = [node for node in graph.order if graph.readers[node] > 1]
        announced = [
            f"{graph.names[node]} feeds {pluralize(graph.feeds[node], 'gate')}; "
            f"{self._gradient(node, TEXT, notation)} needs {graph.readers[node]} terms"
            for node in sums[:_MAX_NAMES]
        ]
        rest = len(sums) - len(announced)
        return [*announced, f"and {rest} more that fan out"] if rest else announced


def gate_sentence(node: Value, name: str, operands: Sequence[str]) -> str:
    """Say what a gate of such operands computes; a constant that is part of it is left out."""
    read = [
        number(x) if isinstance(x, float) else operand
        for x, operand in zip(node.parents, operands, strict=True)
        if isinstance(x, Value) or not folds(node)
    ]
    return fill_text("forward", gate=gate_text(node), name=name, operands=_join_names(read))


def _join_names(words: Sequence[str]) -> str:
    """Join words with commas and "and"; of many, name the first and count the rest."""
    if len(words) > _MAX_NAMES:
        words = [*words[: _MAX_NAMES - 1], fill_text("rest", count=len(words) - _MAX_NAMES + 1)]
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _formula_writer(form: Form) -> FormulaWriter:
    if not is_word(form, _WRITERS):
        raise OperandError(f"form is {format_value(form)}; use 'text' or 'mathml'")
    return _WRITERS[form]


# The rows of tables, and HTML for notebooks -------------------------------------------------------

HEADINGS = ("step", "at", "chain rule", "remark")
_MAX_HTML_ROWS = 100
_ALIGN_LEFT = 'style="text-align: left"'
# As an attribute too, because untrusted notebooks lose styles.
_NO_WRAP = 'nowrap="nowrap" style="text-align: left; white-space: nowrap"'


def format_row(step: Step) -> tuple[str, ...]:
    """Return one row: position from 1, place, formula, remark."""
    return str(step.index + 1), step.place, step.text(), "; ".join(row_remarks(step))


def row_remarks(step: Step) -> list[str]:
    """Return the remarks of a row: the pattern or local derivative, and the running sum."""
    if step.phase != "backward":
        return step.notes()
    pattern = step.pattern_note("partial") or step.local_text()
    return [note for note in (pattern, step.kink_note(), step.sum_note("partial")) if note]


def outcome(graph: WalkedGraph) -> str:
    """Return the final gradient of each input in one line.

    Examples
    --------
    >>> from scalargrad import Value, walk
    >>> x, y = Value(3.0, "x"), Value(2.0, "y")
    >>> outcome(walk(x * x * y).graph)
    '∂v2/∂x = 12, ∂v2/∂y = 9'
    """
    instance(graph, "graph", WalkedGraph, "that of a walk, walk(root).graph")
    root = graph.names[graph.root]
    totals = {leaf: sum(graph.terms[leaf]) for leaf in graph.inputs if leaf is not graph.root}
    return ", ".join(
        f"∂{root}/∂{graph.names[leaf]} {relation(total)} {number(total)}"
        for leaf, total in totals.items()
    )


def format_html_table(steps: Sequence[Step]) -> str:
    """Return the steps as an HTML table with the formulas in MathML."""
    head = "".join(f"<th {_ALIGN_LEFT}>{heading}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{_format_html_row(step)}</tr>" for step in islice(steps, _MAX_HTML_ROWS))
    rest = len(steps) - _MAX_HTML_ROWS
    more = f"<p>and {rest} more step{'s' * (rest > 1)}: print the walk to see all</p>" * (rest > 0)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x: auto">{table}</div>{more}'


def _format_html_row(step: Step) -> str:
    number, place, _, remark = format_row(step)
    names = set(step.graph.names.values())
    cells = (number, escape(indexed(place, names)), step.mathml())
    whole = "".join(f"<td {_NO_WRAP}>{x}</td>" for x in cells)
    return f"{whole}<td {_ALIGN_LEFT}>{escape(indexed(remark, names))}</td>"
