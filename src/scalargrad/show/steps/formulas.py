"""The formulas of a step, as text or MathML: the chain rule in symbols and in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias, get_args

from scalargrad import ops
from scalargrad.errors import OperandError
from scalargrad.show.number_format import loosest, number
from scalargrad.show.steps.partials import SymbolicGate, shorten
from scalargrad.show.steps.scene import Scene
from scalargrad.system.short_repr import shown
from scalargrad.table.declaration import CONDITIONAL, PRODUCT, SIGN
from scalargrad.table.printing import MATHML_PAIR, Expression, mathml, scripted, text
from scalargrad.table.symbol import Symbol
from scalargrad.table.validation import is_word
from scalargrad.value import Value

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
            raise OperandError(f"notation is {shown(notation)}; use one of {known}")
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


def local_formula(scene: Scene, node: Value, operand: int, writer: FormulaWriter) -> Formula:
    """Return the local derivative of a wire, ``∂f/∂z = q = 3``."""
    parent, local = node.parents[operand], node.local_grads[operand]
    assert isinstance(parent, Value)
    assert local is not None
    gate = scene.gate(node)
    rule, textbook = gate.derivative(operand)
    partial = shorten(rule)
    left = writer.partial(scene.in_formulas[node], scene.in_formulas[parent])
    if scene.readers[parent] > 1 and (node is scene.root or scene.is_repeated(node, parent)):
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
