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
from scalargrad.show.steps.partials import SymbolicGate, is_plain_sum, shorten
from scalargrad.show.steps.scene import Scene
from scalargrad.system.short_repr import format_value, pluralize

#: How the gradient of f with respect to x is written: ∂f/∂x, x̄, or, of a pre-activation, δ_x.
Notation: TypeAlias = Literal["partial", "bar", "delta"]

#: What a formula is written in, and what is written of it.
Form: TypeAlias = Literal["text", "mathml"]
Part: TypeAlias = Literal["whole", "symbols", "numbers"]

_NUMBER = Symbol("number")

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


def say(text: str, **filled: object) -> str:
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

    def put(self, template: str, *pieces: str) -> str:
        """Put pieces together as a template says."""
        return self.templates[template].format(*pieces)

    def partial(self, of: str, by: str) -> str:
        """Write the derivative of one name by another."""
        return self.put("partial", self.name(of), self.name(by))

    def bar(self, word: str) -> str:
        """Write the gradient of a node in the notation of error signals."""
        return self.put("bar", self.barred(word))

    def phrase(self, words: str) -> str:
        """Write words between formulas."""
        return self.put("phrase", self.escape(words))

    def row(self, pieces: Iterable[str], between: str = "between") -> str:
        """Write pieces one after the other."""
        return self.put("row", self.templates[between].join(pieces))

    def expression(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Write an expression that stands alone."""
        return self.print(expression, names, CONDITIONAL)

    def number(self, value: float) -> str:
        """Write a number with four significant digits."""
        return self.print(_NUMBER, {_NUMBER: number(value)}, CONDITIONAL)

    def factor(self, value: float) -> str:
        """Write a number as a factor of a product, in parentheses if it is negative."""
        return self.print(_NUMBER, {_NUMBER: number(value)}, PRODUCT)

    def factor_of(self, expression: Expression, names: dict[Symbol, str]) -> str:
        """Write an expression as a factor of a product, a quotient in parentheses."""
        if not isinstance(expression, Symbol):
            return self.factor(expression)
        is_quotient = expression.op in {ops.div, ops.reciprocal}
        return self.print(expression, names, SIGN if is_quotient else PRODUCT)

    def signal(self, root: str, node: str, notation: Notation) -> str:
        """Write the gradient of the root with respect to a node."""
        if not is_word(notation, get_args(Notation)):
            known = ", ".join(map(repr, get_args(Notation)))
            raise OperandError(f"notation is {format_value(notation)}; use one of {known}")
        if notation == "partial":
            return self.partial(root, node)
        return self.bar(node) if notation == "bar" else self.put("delta", self.name(node))

    def chain(self, links: Iterable[Link]) -> str:
        """Write links: pieces, each after the sign that relates it to the one before, if any."""
        signed = ([self.put("sign", sign), piece] if sign else [piece] for sign, piece in links)
        return self.row(chain.from_iterable(signed))


_INDEXED = "_[⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


def _bar(word: str) -> str:
    """Put a bar over a letter with or without an index, or over every letter of a word."""
    letter, index = word[0], word[1:]
    if letter.isalpha() and (not index or index.isdigit() or index[0] in _INDEXED):
        return f"{letter}\N{COMBINING MACRON}{index}"
    return "".join(f"{character}\N{COMBINING OVERLINE}" for character in word)


TEXT = FormulaWriter(
    name=str,
    barred=_bar,
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


def in_symbols(gate: SymbolicGate, expression: Expression, writer: FormulaWriter) -> Link:
    """Return an expression of a gate in names, after ≈ if there is a rounded number among them."""
    return gate.form.sign(expression), writer.expression(expression, gate.words)


_MOST_INPUTS, _MOST_NAMES = 8, 4
_WRITERS: dict[str, FormulaWriter] = {"text": TEXT, "mathml": MATHML}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step:
    """One step: the inputs, a gate computed, the seed, or a gradient sent back along a wire.

    Attributes
    ----------
    scene : Scene
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

    scene: Scene
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
        name = self.scene.names[self.node]
        return name if self.parent is None else f"{name} → {self.scene.names[self.parent]}"

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
        writer = _writer(form)
        if self.phase != "backward":
            return ""
        return writer.put("whole", writer.chain(self._local(writer).links("whole")))

    def _local(self, writer: FormulaWriter) -> Formula:
        """Return the local derivative of a wire, ``∂f/∂z = q = 3``."""
        scene, (node, operand, parent, _, local, _) = self.scene, self._wire()
        gate = scene.gate(node)
        rule, textbook = gate.derivative(operand)
        partial = shorten(rule)
        left = writer.partial(scene.in_formulas[node], scene.in_formulas[parent])
        if self.fans_out and (node is scene.root or scene.is_repeated(node, parent)):
            left = writer.row([left, writer.phrase(TEXTS["share"])])  # not the whole derivative
        symbols = in_symbols(gate, partial, writer)
        numbers = writer.expression(partial, gate.shown)
        filled_in, result = gate.relations(operand)
        of_names = loosest(filled_in, result)
        if symbols[1] == numbers:  # a number
            return Formula([("", left)], [(of_names, writer.number(local))])
        repeats = TEXT.expression(partial, gate.shown) == number(local)
        links = [(filled_in, numbers), (result, writer.number(local))]
        written = [("", left), symbols]
        if textbook is not None:
            written.insert(1, in_symbols(gate, textbook, writer))
        return Formula(written, links, of_names if repeats else "")

    def sentence(self, notation: Notation = "partial") -> str:
        """Say in a sentence what happens."""
        scene, node = self.scene, self.node
        if node is None:
            return say("inputs", inputs=_listed([scene.names[x] for x in scene.inputs]))
        name = scene.names[node]
        if self.phase == "forward":
            operands = [scene.names[x] if isinstance(x, Value) else "" for x in node.parents]
            return gate_sentence(node, name, operands)
        if self.parent is None:
            return say("seed", name=name)
        upstream, parent = self._signal(node, TEXT, notation), scene.names[self.parent]
        local = TEXT.partial(scene.in_formulas[node], scene.in_formulas[self.parent])
        return say("backward", name=name, parent=parent, upstream=upstream, local=local)

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
            found = [self._held_note()]
        return [note for note in (*found, self._alarm_note()) if note]

    def _formula(self, part: Part, form: Form, n: Notation) -> str:
        writer, scene = _writer(form), self.scene
        if self.node is None:
            written = []
            for leaf in scene.inputs[:_MOST_INPUTS]:
                name, data = writer.name(scene.in_formulas[leaf]), scene.data[leaf]
                formula = Formula([("", name)], [(relation(data), writer.number(data))])
                written.append(writer.chain(formula.links(part)))
            if (rest := len(scene.inputs) - _MOST_INPUTS) > 0:
                written.append(writer.phrase(say("more", count=rest)))
            return writer.put("whole", writer.row(written, "comma"))
        if self.phase == "forward":
            formula = self._forward(self.node, writer)
        elif self.phase == "seed":
            start = "", self._signal(self.node, writer, n)
            formula = Formula([start], [("=", writer.number(1.0))])
        else:
            formula = self._backward(self.node, writer, n)
        return writer.put("whole", writer.chain(formula.links(part)))

    def _forward(self, node: Value, writer: FormulaWriter) -> Formula:
        """Return what a gate computes, ``f = q·z = 3·(-4) = -12``."""
        scene, gate = self.scene, self.scene.gate(node)
        expression, data = gate.form.expression, scene.data[node]
        numbers, operands = gate.shown, relation(*gate.operand_numbers)
        names_all = is_plain_sum(expression) and not scene.held(node)
        repeats = names_all or TEXT.expression(expression, numbers) == number(data)
        name = "", writer.name(scene.in_formulas[node])
        filled_in = operands, writer.expression(expression, numbers)
        return Formula(
            [name, in_symbols(gate, expression, writer)],
            [filled_in, (gate.relation, writer.number(data))],
            loosest(operands, gate.relation) if repeats else "",
        )

    def _backward(self, node: Value, writer: FormulaWriter, notation: Notation) -> Formula:
        """Return the chain rule along one wire, ``∂f/∂y = ∂f/∂q·∂q/∂y = (-4)·1 = -4``."""
        _, _, parent, upstream, local, contribution = self._wire()
        left = self._signal(parent, writer, notation)
        if self.fans_out:
            left = writer.row([left, writer.phrase(f"{say('via', gate=self._gate_words(node))}:")])
        product = writer.put("product", writer.factor(upstream), writer.factor(local))
        rule = self._rule(node, writer, notation)
        filled_in = relation(upstream, local)
        equals = filled_in if rule == product else "="
        result = gate_relation(ops.mul, [upstream, local], contribution)
        return Formula(
            [("", left), ("" if self.fans_out else equals, rule)],
            [(filled_in, product), (result, writer.number(contribution))],
            result if rule == product else "",
        )

    def _rule(self, node: Value, writer: FormulaWriter, notation: Notation) -> str:
        """Return upstream · local in symbols; at the root the upstream is 1, so it says 1·q."""
        scene, (_, operand, parent, upstream, _, _) = self.scene, self._wire()
        if node is not scene.root:
            local = writer.partial(scene.in_formulas[node], scene.in_formulas[parent])
            return writer.put("product", self._signal(node, writer, notation), local)
        gate = scene.gate(node)
        partial = gate.partial(operand)
        local = writer.factor_of(partial, gate.words)
        return writer.put("product", writer.factor(upstream), local)

    def _signal(self, node: Value, writer: FormulaWriter, notation: Notation) -> str:
        """Return the gradient of a node in a notation; only a pre-activation's is written δ."""
        scene, is_delta = self.scene, is_word(notation, {"delta"})
        written = "partial" if is_delta and node not in scene.pre_activations else notation
        return writer.signal(scene.in_formulas[scene.root], scene.in_formulas[node], written)

    def _gate_words(self, node: Value) -> str:
        """Name the gate that a contribution comes through and, of several wires, which."""
        word = self.scene.in_formulas[node]
        _, operand, parent, *_ = self._wire()
        several = self.scene.is_repeated(node, parent)
        return say("operand", gate=word, number=operand + 1) if several else word

    def _wire(self) -> tuple[Value, int, Value, float, float, float]:
        """Return the gate, its operand, the parent, upstream, local derivative, contribution."""
        wire = self.node, self.operand, self.parent, self.upstream, self.local, self.contribution
        return cast("tuple[Value, int, Value, float, float, float]", wire)

    def pattern_note(self, notation: Notation = "partial") -> str:
        """Say what the gate does to the gradient on its way back along this wire."""
        if self.phase != "backward":
            return ""
        node, operand, parent_node, _, local, contribution = self._wire()
        gate, parent = self.scene.gate(node), self.scene.names[parent_node]
        signal, pattern = self._signal(node, TEXT, notation), gate.form.pattern(operand)
        # Beside inf or nan a 0 does not stop anything: it can become nan later, as 0·inf.
        is_dead = local == 0 and contribution == 0 and self.scene.alarm_at is None
        if is_dead:
            return say("nothing", pattern=pattern or gate_text(node), parent=parent)
        if pattern == "swap multiplier":
            partial = gate.partial(operand)
            factor = TEXT.factor_of(partial, gate.words)
            at_root = node is self.scene.root  # there the formula writes 1·q, too
            product = TEXT.put("product", *(("1", factor) if at_root else (factor, signal)))
            return say("received", pattern=pattern, parent=parent, received=product)
        if pattern in {"distributor", "gradient router", "sign flip"}:
            share = TEXT.put("product", TEXT.factor(local), signal)
            if local in {1.0, -1.0}:
                share = signal if local > 0 else f"{MINUS}{signal}"
            return say("received", pattern=pattern, parent=parent, received=share)
        return pattern

    def kink_note(self) -> str:
        """Say that a local derivative is a convention, because its gate is at a kink or jump."""
        if self.phase != "backward" or not isfinite(self.local or 0.0):
            return ""
        node, _, _, _, local, _ = self._wire()
        if not self.scene.is_at_kink(node):
            return ""
        read = dict.fromkeys(x for x in node.parents if isinstance(x, Value))
        data, names = self.scene.data, self.scene.names
        place = ", ".join(f"{names[x]} {relation(data[x])} {number(data[x])}" for x in read)
        return say("kink", gate=gate_text(node), place=place, local=number(local))

    def sum_note(self, notation: Notation = "partial") -> str:
        """Give the sum so far of a gradient that several wires contribute to."""
        if not self.fans_out or self.parent is None:
            return ""
        written = running_sum(self.scene.terms[self.parent], self.arrived, self.expected)
        return say(
            "sum" if self.arrived == self.expected else "part",
            signal=self._signal(self.parent, TEXT, notation),
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
        leaf, total, data = self.parent, self.total, self.scene.data
        if leaf is None or total is None or leaf.parents or self.arrived < self.expected:
            return ""
        x, names = data[leaf], self.scene.names
        if leaf in self.scene.kinks:
            return say("no nudge", leaf=names[leaf], gate=gate_text(self.scene.kinks[leaf]))
        size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
        nudge = float(f"1e{size - 2}") or 0.01  # of what is almost 0
        if not isfinite(nudge * total) or not isfinite(data[self.scene.root]):
            return ""
        said = {"leaf": names[leaf], "root": names[self.scene.root]}
        return say("nudge", nudge=signed(nudge), change=signed(nudge * total), **said)

    def _held_note(self) -> str:
        """Say why no gradient goes back to the maximum that softmax subtracts."""
        scores = [] if self.node is None else self.scene.held(self.node)
        written = largest_of([self.scene.in_formulas[x] for x in scores])
        return say("held", largest=written) if scores else ""

    @property
    def alarming(self) -> Value | None:
        """The node of which the step tells a value or a gradient that is not finite, if any."""
        if self.parent is not None and self.total is not None:
            return None if isfinite(self.total) else self.parent
        leaves = (x for x in self.scene.order if not x.parents)
        told = leaves if self.node is None else [self.node]
        return next((x for x in told if not isfinite(self.scene.data[x])), None)

    def _alarm_note(self) -> str:
        """Say where the first number that is not finite comes from, and what to do about it."""
        node, names = self.alarming, self.scene.names
        if node is None or self.index != self.scene.alarm_at:
            return ""
        if self.node is None:
            return say("not finite", name=names[node], value=number(self.scene.data[node]))
        return say(
            "overflow",
            change="scale" if self.local is None or isfinite(self.local) else "shift",
            kind="gradient" if self.phase == "backward" else "value",
            formula=self.text(),
            name=names[self.node],
        )

    def fan_out_notes(self, notation: Notation = "partial") -> list[str]:
        """Announce the gradients that will be sums: ``w feeds 2 gates; w̄ needs 2 terms``."""
        scene = self.scene
        sums = [node for node in scene.order if scene.readers[node] > 1]
        announced = [
            f"{scene.names[node]} feeds {pluralize(scene.feeds[node], 'gate')}; "
            f"{self._signal(node, TEXT, notation)} needs {scene.readers[node]} terms"
            for node in sums[:_MOST_NAMES]
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
    return say("forward", gate=gate_text(node), name=name, operands=_listed(read))


def _listed(words: Sequence[str]) -> str:
    """Join words with commas and "and"; of many, name the first and count the rest."""
    if len(words) > _MOST_NAMES:
        words = [*words[: _MOST_NAMES - 1], say("rest", count=len(words) - _MOST_NAMES + 1)]
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _writer(form: Form) -> FormulaWriter:
    if not is_word(form, _WRITERS):
        raise OperandError(f"form is {format_value(form)}; use 'text' or 'mathml'")
    return _WRITERS[form]


# The rows of tables, and HTML for notebooks -------------------------------------------------------

HEADINGS = ("step", "at", "chain rule", "remark")
_ROWS_OF_HTML = 100
_LEFT = 'style="text-align: left"'
# As an attribute too, because untrusted notebooks lose styles.
_WHOLE = 'nowrap="nowrap" style="text-align: left; white-space: nowrap"'


def table_row(step: Step) -> tuple[str, ...]:
    """Return one row: position from 1, place, formula, remark."""
    return str(step.index + 1), step.place, step.text(), "; ".join(remarks(step))


def remarks(step: Step) -> list[str]:
    """Return the remarks of a row: the pattern or local derivative, and the running sum."""
    if step.phase != "backward":
        return step.notes()
    pattern = step.pattern_note("partial") or step.local_text()
    return [note for note in (pattern, step.kink_note(), step.sum_note("partial")) if note]


def outcome(scene: Scene) -> str:
    """Return the final gradient of each input in one line.

    Examples
    --------
    >>> from scalargrad import Value, walk
    >>> x, y = Value(3.0, "x"), Value(2.0, "y")
    >>> outcome(walk(x * x * y).scene)
    '∂v2/∂x = 12, ∂v2/∂y = 9'
    """
    instance(scene, "scene", Scene, "that of a walk, walk(root).scene")
    root = scene.names[scene.root]
    totals = {leaf: sum(scene.terms[leaf]) for leaf in scene.inputs if leaf is not scene.root}
    return ", ".join(
        f"∂{root}/∂{scene.names[leaf]} {relation(total)} {number(total)}"
        for leaf, total in totals.items()
    )


def table_html(steps: Sequence[Step]) -> str:
    """Return the steps as an HTML table with the formulas in MathML."""
    head = "".join(f"<th {_LEFT}>{heading}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{_html_row(step)}</tr>" for step in islice(steps, _ROWS_OF_HTML))
    rest = len(steps) - _ROWS_OF_HTML
    more = f"<p>and {rest} more step{'s' * (rest > 1)}: print the walk to see all</p>" * (rest > 0)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x: auto">{table}</div>{more}'


def _html_row(step: Step) -> str:
    number, place, _, remark = table_row(step)
    names = set(step.scene.names.values())
    cells = (number, escape(indexed(place, names)), step.mathml())
    whole = "".join(f"<td {_WHOLE}>{x}</td>" for x in cells)
    return f"{whole}<td {_LEFT}>{escape(indexed(remark, names))}</td>"
