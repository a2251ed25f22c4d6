"""One step of a walk as text: in symbols, in numbers and in words; steps as rows of a table.

A `Step` has the nodes and numbers of one step. It formats them as a `Formula`, a chain of links,
and a `FormulaWriter` turns the links into text or MathML. The links of ∂f/∂z = 1·q = 1·3 = 3 are ::

    symbols  ("", "∂f/∂z")  ("=", "1·q")
    numbers  ("=", "1·3")  ("=", "3")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import chain, islice
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

from scalargrad import ops
from scalargrad.checks.arguments import check_instance, is_word
from scalargrad.codegen.formulas import (
    MATHML_PAIR,
    MINUS,
    Expression,
    format_expression,
    mathml,
    with_subscripts,
)
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import CONDITIONAL, PRODUCT, SIGN
from scalargrad.opdef.symbol import Symbol
from scalargrad.show.characters import typeset_indices
from scalargrad.show.display_graph import format_maximum
from scalargrad.show.graphs.gates import gate_text, inlines_constants
from scalargrad.show.number_format import (
    format_number,
    format_running_sum,
    format_signed,
    gate_relation,
    join_relations,
    relation,
)
from scalargrad.show.steps.symbolic_gates import SymbolicGate, abbreviate, is_plain_sum
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.system.short_repr import format_value, pluralize

#: Notation of the gradient of f with respect to x: ∂f/∂x, x̄, or δ_x for a pre-activation.
Notation: TypeAlias = Literal["partial", "bar", "delta"]

#: Markup of a formula, and the part of it.
MarkupForm: TypeAlias = Literal["text", "mathml"]
FormulaPart: TypeAlias = Literal["whole", "symbols", "numbers"]

_NUMBER_SYMBOL = Symbol("number")

#: A piece of a formula, after the sign that relates it to the previous piece, if there is one.
Link: TypeAlias = tuple[str, str]

#: Templates of all texts of steps; pages fill in the same templates.
TEXTS = {
    "via": "via {gate}",
    "operand": "{gate}, operand {number}",
    "share": "on this wire",
    "more": "and {count} more",
    "rest": "{count} more",
    "inputs": "Start from {inputs}.",
    "forward": "The gate {gate} computes {name} from {operands}.",
    "seed": "The backward pass starts at the output {name}, whose own gradient is 1.",
    "backward": "From {name} back to {parent}: upstream {upstream} times local {local}.",
    "held": "{largest} is held constant: softmax does not depend on the number subtracted",
    "received": "{pattern}: {parent} receives {received}",
    "nothing": "{pattern}: {parent} receives nothing, it stops here",
    "kink": (
        "{gate} has a kink or jump at {place}: it has no derivative there, and {local} is used by "
        "convention"
    ),
    "no nudge": "no prediction for a nudge of {leaf}: {gate} has a kink or jump here",
    "part": "{gradient} {sum}, {arrived} of {expected}",
    "sum": "{gradient} {sum}, complete: adder at a fan-out",
    "nudge": "nudge {leaf} by {nudge}: the gradient predicts that {root} changes by {change}",
    "not finite": "first value that is not finite: {name} = {value}; give a finite number",
    "overflow": (
        "first {kind} that is not finite: {formula}; {change} the operands of {name}, or guard "
        "them with where"
    ),
}


def fill_text(key: str, **values: object) -> str:
    """Return the text with this key, with its placeholders replaced by values."""
    return TEXTS[key].format(**values)


@dataclass(frozen=True)
class FormulaWriter:
    """Writes formulas as text or as MathML; names are passed unescaped.

    Attributes
    ----------
    name, barred
        Write the name of a node, without and with a bar.
    print
        Write an expression with these names, in parentheses if its precedence is too low.
    escape
        Write words between formulas.
    templates : dict from str to str
        The notation of larger pieces, with ``{}`` for each part; pages fill in the same.
    """

    name: Callable[[str], str]
    barred: Callable[[str], str]
    print: Callable[[Expression, dict[Symbol, str], int], str]
    escape: Callable[[str], str]
    templates: Mapping[str, str]

    def fill(self, template: str, *pieces: str) -> str:
        """Return a template with its parts filled in."""
        return self.templates[template].format(*pieces)

    def partial(self, of: str, by: str) -> str:
        """Return the derivative of one name with respect to another."""
        return self.fill("partial", self.name(of), self.name(by))

    def bar(self, word: str) -> str:
        """Return the gradient of a node in bar notation."""
        return self.fill("bar", self.barred(word))

    def phrase(self, words: str) -> str:
        """Return words between formulas."""
        return self.fill("phrase", self.escape(words))

    def row(self, pieces: Iterable[str], between: str = "between") -> str:
        """Return pieces in a row."""
        return self.fill("row", self.templates[between].join(pieces))

    def expression(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Return an expression on its own."""
        return self.print(expression, names, CONDITIONAL)

    def number(self, value: float) -> str:
        """Return a number with four significant digits."""
        return self.print(_NUMBER_SYMBOL, {_NUMBER_SYMBOL: format_number(value)}, CONDITIONAL)

    def factor(self, value: float) -> str:
        """Return a number as a factor of a product, in parentheses if it is negative."""
        return self.print(_NUMBER_SYMBOL, {_NUMBER_SYMBOL: format_number(value)}, PRODUCT)

    def factor_of(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Return an expression as a factor of a product, with a quotient in parentheses."""
        if not isinstance(expression, Symbol):
            return self.factor(expression)
        is_quotient = expression.op in {ops.div, ops.reciprocal}
        return self.print(expression, names, SIGN if is_quotient else PRODUCT)

    def gradient(self, root: str, node: str, notation: Notation) -> str:
        """Return the gradient of the root with respect to a node, in a notation."""
        if not is_word(notation, get_args(Notation)):
            known = ", ".join(map(repr, get_args(Notation)))
            raise OperandError(f"notation is {format_value(notation)}; use one of {known}")
        if notation == "partial":
            return self.partial(root, node)
        return self.bar(node) if notation == "bar" else self.fill("delta", self.name(node))

    def chain(self, links: Iterable[Link]) -> str:
        """Return a chain of links: each piece after its sign, if it has one."""
        pieces = ([self.fill("sign", sign), piece] if sign else [piece] for sign, piece in links)
        return self.row(chain.from_iterable(pieces))


_INDEX_START = "_[⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


def _overline(word: str) -> str:
    """Return a word with a bar: over its letter if it is a letter with an index, else over all."""
    letter, index = word[0], word[1:]
    if letter.isalpha() and (not index or index.isdigit() or index[0] in _INDEX_START):
        return f"{letter}\N{COMBINING MACRON}{index}"
    return "".join(f"{character}\N{COMBINING OVERLINE}" for character in word)


TEXT = FormulaWriter(
    name=str,
    barred=_overline,
    print=format_expression,
    escape=str,
    templates={
        "partial": "∂{}/∂{}", "bar": "{}", "delta": "δ_{}", "phrase": "{}", "row": "{}",
        "between": " ", "comma": ", ", "sign": "{}", "product": "{}·{}", "pair": "({})",
        "whole": "{}",
    },
)  # fmt: skip

MATHML = FormulaWriter(
    name=with_subscripts,
    barred=with_subscripts,
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
    """One formula as a chain of links, first in symbols, then in numbers.

    If the numbers would only repeat the symbols, `brief` is the sign before the result, and the
    whole formula has the result only.
    """

    symbols: list[Link]
    numbers: list[Link]
    brief: str = ""

    def links(self, part: FormulaPart) -> list[Link]:
        """Return the links of a part; the first link of the numbers has no sign."""
        if part == "symbols":
            return self.symbols
        if part == "numbers":
            return [("", self.numbers[0][1]), *self.numbers[1:]]
        brief = [(self.brief, self.numbers[-1][1])] if self.brief else self.numbers
        return [*self.symbols, *brief]


def symbolic_link(gate: SymbolicGate, expression: Expression, writer: FormulaWriter) -> Link:
    """Return an expression of a gate in symbols, after ≈ if a constant in it is rounded."""
    return gate.form.equality_sign(expression), writer.expression(expression, gate.names)


#: Maximum number of inputs in the formula of the first step, and of names in a sentence.
_MAX_INPUTS, _MAX_NAMES = 8, 4
_WRITERS: dict[str, FormulaWriter] = {"text": TEXT, "mathml": MATHML}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step:
    """One step: the inputs, the result of a gate, the seed, or the gradient along one wire.

    Attributes
    ----------
    graph : WalkedGraph
        The graph that was walked, with its names and numbers.
    index : int
        Position in the whole walk, from 0.
    phase : {"forward", "seed", "backward"}
        The part of the walk.
    node : Value or None
        The result of the gate; the root for the seed; None for the inputs.
    operand : int or None
        Backward: the index of the operand in the gate; x · x has two wires to one node.
    parent : Value or None
        Backward: the operand, which receives the contribution.
    upstream : float or None
        Backward: the complete gradient of the gate, in root unit / gate unit.
    local : float or None
        Backward: ∂gate/∂operand, in gate unit / parent unit.
    contribution : float or None
        Backward: upstream · local, in root unit / parent unit.
    total : float or None
        Backward: the parent's gradient so far, including this contribution. Seed: 1.
    arrived, expected : int
        Backward: the number of contributions in the total, and in the complete gradient.

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
        """The name of the effect of the gate on a gradient; may be empty."""
        return self.node.op.pattern if self.node is not None and self.node.op is not None else ""

    @property
    def fans_out(self) -> bool:
        """True if several wires leave the parent, so that its gradient is a sum."""
        return self.expected > 1

    @property
    def place(self) -> str:
        """The node or wire of the step: ``inputs``, a node ``f``, or a wire ``f → z``."""
        if self.node is None:
            return "inputs"
        name = self.graph.names[self.node]
        return name if self.parent is None else f"{name} → {self.graph.names[self.parent]}"

    def __repr__(self) -> str:
        return f"Step({self.index}, {self.place!r}, {self.text()!r})"

    def text(self, notation: Notation = "partial") -> str:
        """Return the step as one line: symbols, then numbers.

        Parameters
        ----------
        notation : {"partial", "bar", "delta"}
            Notation of gradients: ∂f/∂x; x̄; or δ_s for the weighted sum s of a unit and
            ∂f/∂x for all other nodes.

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
        """Return the same line as a MathML element."""
        return self._formula("whole", "mathml", notation)

    def symbols(self, notation: Notation = "partial", form: MarkupForm = "text") -> str:
        """Return the step in symbols only: ``∂f/∂y = ∂f/∂q·∂q/∂y``."""
        return self._formula("symbols", form, notation)

    def numbers(self, notation: Notation = "partial", form: MarkupForm = "text") -> str:
        """Return the step in numbers only: ``(-4)·1 = -4``."""
        return self._formula("numbers", form, notation)

    def local_text(self, form: MarkupForm = "text") -> str:
        """Return the local derivative and its number, ``∂f/∂z = q = 3``; empty if not backward."""
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
        of_names = join_relations(filled_in, result)
        if symbols[1] == numbers:  # a number
            return Formula([("", left)], [(of_names, writer.number(local))])
        repeats = TEXT.expression(partial, gate.number_texts) == format_number(local)
        links = [(filled_in, numbers), (result, writer.number(local))]
        symbolic_links = [("", left), symbols]
        if textbook is not None:
            symbolic_links.insert(1, symbolic_link(gate, textbook, writer))
        return Formula(symbolic_links, links, of_names if repeats else "")

    def sentence(self, notation: Notation = "partial") -> str:
        """Return a sentence that describes the step."""
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

        Some operations have no pattern. At the seed, the remarks announce the gradients that
        will be sums.

        Examples
        --------
        >>> from scalargrad import Value
        >>> from scalargrad.show.steps import walk
        >>> x = Value(3.0, "x")
        >>> for note in walk(x * x)[-1].notes("bar"):
        ...     print(note)
        swap multiplier: x receives 1·x
        x̄ = 3 + 3 = 6, complete: adder at a fan-out
        nudge x by +0.01: the gradient predicts that v1 changes by +0.06
        """
        if self.phase == "seed":
            return self.fan_out_notes(notation)
        notes = [self.pattern_note(notation), self.kink_note(), self.sum_note(notation)]
        notes.append(self._nudge_note())
        if self.phase == "forward":
            notes = [self._held_scores_note()]
        return [note for note in (*notes, self._alarm_note()) if note]

    def _formula(self, part: FormulaPart, form: MarkupForm, n: Notation) -> str:
        writer, graph = _formula_writer(form), self.graph
        if self.node is None:
            formulas = []
            for leaf in graph.inputs[:_MAX_INPUTS]:
                name, data = writer.name(graph.formula_names[leaf]), graph.data[leaf]
                formula = Formula([("", name)], [(relation(data), writer.number(data))])
                formulas.append(writer.chain(formula.links(part)))
            if (rest := len(graph.inputs) - _MAX_INPUTS) > 0:
                formulas.append(writer.phrase(fill_text("more", count=rest)))
            return writer.fill("whole", writer.row(formulas, "comma"))
        if self.phase == "forward":
            formula = self._forward_formula(self.node, writer)
        elif self.phase == "seed":
            start = "", self._gradient(self.node, writer, n)
            formula = Formula([start], [("=", writer.number(1.0))])
        else:
            formula = self._backward_formula(self.node, writer, n)
        return writer.fill("whole", writer.chain(formula.links(part)))

    def _forward_formula(self, node: Value, writer: FormulaWriter) -> Formula:
        """Return the formula of a gate, ``f = q·z = 3·(-4) = -12``."""
        graph, gate = self.graph, self.graph.gate(node)
        expression, data = gate.form.expression, graph.data[node]
        numbers, operands = gate.number_texts, relation(*gate.operand_numbers)
        names_all = is_plain_sum(expression) and not graph.held_scores(node)
        repeats = names_all or TEXT.expression(expression, numbers) == format_number(data)
        name = "", writer.name(graph.formula_names[node])
        filled_in = operands, writer.expression(expression, numbers)
        return Formula(
            [name, symbolic_link(gate, expression, writer)],
            [filled_in, (gate.relation, writer.number(data))],
            join_relations(operands, gate.relation) if repeats else "",
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
        """Return upstream · local in symbols; at the root the upstream gradient is 1, as in 1·q."""
        graph, (_, operand, parent, upstream, _, _) = self.graph, self._wire_values()
        if node is not graph.root:
            local = writer.partial(graph.formula_names[node], graph.formula_names[parent])
            return writer.fill("product", self._gradient(node, writer, notation), local)
        gate = graph.gate(node)
        partial = gate.partial(operand)
        local = writer.factor_of(partial, gate.names)
        return writer.fill("product", writer.factor(upstream), local)

    def _gradient(self, node: Value, writer: FormulaWriter, notation: Notation) -> str:
        """Return the gradient of a node in a notation; δ is for pre-activations only."""
        graph, is_delta = self.graph, is_word(notation, {"delta"})
        effective = "partial" if is_delta and node not in graph.pre_activations else notation
        return writer.gradient(
            graph.formula_names[graph.root], graph.formula_names[node], effective
        )

    def _gate_name(self, node: Value) -> str:
        """Return the name of the gate of a contribution, with the operand if that is repeated."""
        word = self.graph.formula_names[node]
        _, operand, parent, *_ = self._wire_values()
        several = self.graph.is_repeated(node, parent)
        return fill_text("operand", gate=word, number=operand + 1) if several else word

    def _wire_values(self) -> tuple[Value, int, Value, float, float, float]:
        """Return the gate, operand index, parent, upstream, local derivative and contribution."""
        wire = self.node, self.operand, self.parent, self.upstream, self.local, self.contribution
        return cast("tuple[Value, int, Value, float, float, float]", wire)

    def pattern_note(self, notation: Notation = "partial") -> str:
        """Return a remark on the effect of the gate on the gradient along this wire."""
        if self.phase != "backward":
            return ""
        node, operand, parent_node, _, local, contribution = self._wire_values()
        gate, parent = self.graph.gate(node), self.graph.names[parent_node]
        signal, pattern = self._gradient(node, TEXT, notation), gate.form.pattern(operand)
        # If another number is inf or nan, a 0 may become nan later, as 0·inf.
        is_dead = local == 0 and contribution == 0 and self.graph.alarm_at is None
        if is_dead:
            return fill_text("nothing", pattern=pattern or gate_text(node), parent=parent)
        if pattern == "swap multiplier":
            partial = gate.partial(operand)
            factor = TEXT.factor_of(partial, gate.names)
            at_root = node is self.graph.root  # where the formula, too, has 1·q
            product = TEXT.fill("product", *(("1", factor) if at_root else (factor, signal)))
            return fill_text("received", pattern=pattern, parent=parent, received=product)
        if pattern in {"distributor", "gradient router", "sign flip"}:
            share = TEXT.fill("product", TEXT.factor(local), signal)
            if local in {1.0, -1.0}:
                share = signal if local > 0 else f"{MINUS}{signal}"
            return fill_text("received", pattern=pattern, parent=parent, received=share)
        return pattern

    def kink_note(self) -> str:
        """Return a remark that the local derivative at a kink or jump is a convention."""
        if self.phase != "backward" or not isfinite(self.local or 0.0):
            return ""
        node, _, _, _, local, _ = self._wire_values()
        if not self.graph.is_at_kink(node):
            return ""
        operands = dict.fromkeys(x for x in node.parents if isinstance(x, Value))
        data, names = self.graph.data, self.graph.names
        place = ", ".join(
            f"{names[x]} {relation(data[x])} {format_number(data[x])}" for x in operands
        )
        return fill_text("kink", gate=gate_text(node), place=place, local=format_number(local))

    def sum_note(self, notation: Notation = "partial") -> str:
        """Return the running sum of a gradient with contributions from several wires."""
        if not self.fans_out or self.parent is None:
            return ""
        formula = format_running_sum(self.graph.terms[self.parent], self.arrived, self.expected)
        return fill_text(
            "sum" if self.arrived == self.expected else "part",
            gradient=self._gradient(self.parent, TEXT, notation),
            sum=formula,
            arrived=self.arrived,
            expected=self.expected,
        )

    def _nudge_note(self) -> str:
        """Return the prediction from a complete gradient of an input: ``nudge x by +0.01: …``.

        The nudge is a hundredth of the largest power of ten in the input. There is no remark if a
        number is not finite, and no prediction at a kink, where the gradient is a convention.
        """
        leaf, total, data = self.parent, self.total, self.graph.data
        if leaf is None or total is None or leaf.parents or self.arrived < self.expected:
            return ""
        x, names = data[leaf], self.graph.names
        if leaf in self.graph.kinks:
            return fill_text("no nudge", leaf=names[leaf], gate=gate_text(self.graph.kinks[leaf]))
        size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
        nudge = float(f"1e{size - 2}") or 0.01  # for an input that is almost 0
        if not isfinite(nudge * total) or not isfinite(data[self.graph.root]):
            return ""
        words = {"leaf": names[leaf], "root": names[self.graph.root]}
        return fill_text(
            "nudge", nudge=format_signed(nudge), change=format_signed(nudge * total), **words
        )

    def _held_scores_note(self) -> str:
        """Return a remark on why the maximum that softmax subtracts has no gradient."""
        scores = [] if self.node is None else self.graph.held_scores(self.node)
        largest = format_maximum([self.graph.formula_names[x] for x in scores])
        return fill_text("held", largest=largest) if scores else ""

    @property
    def nonfinite_node(self) -> Value | None:
        """The node whose value or gradient in this step is not finite, if there is one."""
        if self.parent is not None and self.total is not None:
            return None if isfinite(self.total) else self.parent
        leaves = (x for x in self.graph.order if not x.parents)
        nodes = leaves if self.node is None else [self.node]
        return next((x for x in nodes if not isfinite(self.graph.data[x])), None)

    def _alarm_note(self) -> str:
        """Return the origin of the first number that is not finite, and a remedy."""
        node, names = self.nonfinite_node, self.graph.names
        if node is None or self.index != self.graph.alarm_at:
            return ""
        if self.node is None:
            return fill_text(
                "not finite", name=names[node], value=format_number(self.graph.data[node])
            )
        return fill_text(
            "overflow",
            change="scale" if self.local is None or isfinite(self.local) else "shift",
            kind="gradient" if self.phase == "backward" else "value",
            formula=self.text(),
            name=names[self.node],
        )

    def fan_out_notes(self, notation: Notation = "partial") -> list[str]:
        """Return the gradients that will be sums: ``w feeds 2 gates; w̄ needs 2 terms``."""
        graph = self.graph
        sums = [node for node in graph.order if graph.reader_counts[node] > 1]
        announced = [
            f"{graph.names[node]} feeds {pluralize(graph.feeds[node], 'gate')}; "
            f"{self._gradient(node, TEXT, notation)} needs {graph.reader_counts[node]} terms"
            for node in sums[:_MAX_NAMES]
        ]
        rest = len(sums) - len(announced)
        return [*announced, f"and {rest} more that fan out"] if rest else announced


def gate_sentence(node: Value, name: str, operands: Sequence[str]) -> str:
    """Return the sentence of a gate with these operands, without constants in its symbol."""
    read = [
        format_number(x) if isinstance(x, float) else operand
        for x, operand in zip(node.parents, operands, strict=True)
        if isinstance(x, Value) or not inlines_constants(node)
    ]
    return fill_text("forward", gate=gate_text(node), name=name, operands=_join_names(read))


def _join_names(words: Sequence[str]) -> str:
    """Join words with commas and "and"; after the first few, the rest are counted."""
    if len(words) > _MAX_NAMES:
        words = [*words[: _MAX_NAMES - 1], fill_text("rest", count=len(words) - _MAX_NAMES + 1)]
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _formula_writer(form: MarkupForm) -> FormulaWriter:
    if not is_word(form, _WRITERS):
        raise OperandError(f"form is {format_value(form)}; use 'text' or 'mathml'")
    return _WRITERS[form]


# The rows of tables, and HTML for notebooks -------------------------------------------------------

HEADINGS = ("step", "at", "chain rule", "remark")
#: Maximum number of rows of a table in a notebook.
_MAX_HTML_ROWS = 100
_ALIGN_LEFT = 'style="text-align: left"'
# Also as an attribute, because untrusted notebooks remove styles.
_NO_WRAP = 'nowrap="nowrap" style="text-align: left; white-space: nowrap"'


def format_row(step: Step) -> tuple[str, ...]:
    """Return the cells of one row: position from 1, node or wire, formula, remarks."""
    return str(step.index + 1), step.place, step.text(), "; ".join(row_remarks(step))


def row_remarks(step: Step) -> list[str]:
    """Return the remarks of a row: the pattern or local derivative, a kink, the running sum."""
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
    check_instance(graph, "graph", WalkedGraph, "the graph of a walk, walk(root).graph")
    root = graph.names[graph.root]
    totals = {leaf: sum(graph.terms[leaf]) for leaf in graph.inputs if leaf is not graph.root}
    return ", ".join(
        f"∂{root}/∂{graph.names[leaf]} {relation(total)} {format_number(total)}"
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
    cells = (number, escape(typeset_indices(place, names)), step.mathml())
    whole = "".join(f"<td {_NO_WRAP}>{x}</td>" for x in cells)
    return f"{whole}<td {_ALIGN_LEFT}>{escape(typeset_indices(remark, names))}</td>"
