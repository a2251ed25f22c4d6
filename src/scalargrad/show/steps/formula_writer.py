"""Write formulas as plain text or as MathML, and gradients in one of three notations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias, get_args

from scalargrad import ops
from scalargrad.errors import OperandError
from scalargrad.show.number_format import number
from scalargrad.system.short_repr import shown
from scalargrad.table.notation import CONDITIONAL, PRODUCT, SIGN
from scalargrad.table.printing import Expression, mathml, scripted, text
from scalargrad.table.symbol import Symbol
from scalargrad.table.validation import is_word

#: How the gradient of f with respect to x is written: ∂f/∂x, x̄, or, of a pre-activation, δ_x.
Notation: TypeAlias = Literal["partial", "bar", "delta"]

#: What a formula is written in.
Form: TypeAlias = Literal["text", "mathml"]

_NUMBER = Symbol("number")


@dataclass(frozen=True)
class FormulaWriter:
    """How the pieces of a formula are written; the words of names come unescaped.

    Attributes
    ----------
    name
        The name of a node.
    partial
        The derivative of one name by another.
    bar, delta
        The gradient of a node in the notation of error signals and of deltas.
    phrase
        Words between formulas.
    print
        An expression with its names, in parentheses where it binds more loosely than demanded.
    join, listing
        Pieces one after the other, and with commas between them.
    sign
        A sign between two pieces, such as = or ≈.
    product
        A product of two factors.
    """

    name: Callable[[str], str]
    partial: Callable[[str, str], str]
    bar: Callable[[str], str]
    delta: Callable[[str], str]
    phrase: Callable[[str], str]
    print: Callable[[Expression, dict[Symbol, str], int], str]
    join: Callable[[Iterable[str]], str]
    listing: Callable[[Iterable[str]], str]
    sign: Callable[[str], str]
    product: Callable[[str, str], str]

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
        is_quotient = isinstance(expression, Symbol) and expression.op in {ops.div, ops.reciprocal}
        return self.print(expression, names, SIGN if is_quotient else PRODUCT)

    def signal(self, root: str, node: str, notation: Notation) -> str:
        """Write the gradient of the root with respect to a node."""
        if not is_word(notation, get_args(Notation)):
            known = ", ".join(map(repr, get_args(Notation)))
            raise OperandError(f"notation is {shown(notation)}; use one of {known}")
        if notation == "partial":
            return self.partial(root, node)
        return self.bar(node) if notation == "bar" else self.delta(node)

    def chain(self, *links: tuple[str, str]) -> str:
        """Write pieces, each after the sign that relates it to the one before, if any."""
        pieces: list[str] = []
        for sign, piece in links:
            pieces += (self.sign(sign), piece) if sign else (piece,)
        return self.join(pieces)


_INDEXED = "_[⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


def _bar(word: str) -> str:
    """Put a bar over a letter with or without an index, or over every letter of a word."""
    letter, index = word[0], word[1:]
    if letter.isalpha() and (not index or index.isdigit() or index[0] in _INDEXED):
        return f"{letter}\N{COMBINING MACRON}{index}"
    return "".join(f"{character}\N{COMBINING OVERLINE}" for character in word)


def _mi(word: str) -> str:
    return scripted(word)


def _mrow(pieces: Iterable[str], between: str = "") -> str:
    return f"<mrow>{between.join(pieces)}</mrow>"


TEXT = FormulaWriter(
    name=str,
    partial=lambda of, by: f"∂{of}/∂{by}",
    bar=_bar,
    delta=lambda word: f"δ_{word}",
    phrase=str,
    print=text,
    join=" ".join,
    listing=", ".join,
    sign=str,
    product=lambda left, right: f"{left}·{right}",
)

MATHML = FormulaWriter(
    name=_mi,
    partial=lambda of, by: (
        f"<mfrac>{_mrow(['<mo>∂</mo>', _mi(of)])}{_mrow(['<mo>∂</mo>', _mi(by)])}</mfrac>"
    ),
    bar=lambda word: f'<mover accent="true">{_mi(word)}<mo>¯</mo></mover>',
    delta=lambda word: f"<msub><mi>δ</mi>{_mi(word)}</msub>",
    phrase=lambda words: f"<mtext>&#160;{escape(words)}&#160;</mtext>",
    print=mathml,
    join=_mrow,
    listing=lambda pieces: _mrow(pieces, "<mo>,</mo>"),
    sign=lambda sign: f"<mo>{sign}</mo>",
    product=lambda left, right: _mrow([left, "<mo>·</mo>", right]),
)
