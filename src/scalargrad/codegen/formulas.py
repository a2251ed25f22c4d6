"""Formatting of expressions of symbols for people, as a line of text or as MathML.

Composite operations are not expanded here; `scalargrad.codegen.code_printer` generates code to run.

>>> x = Symbol("x")
>>> format_expression(1.0 - x ** 2.0, {x: "x"})
'1 − x²'
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scalargrad.opdef.declaration import ATOM, CONDITIONAL, SIGN, SUM, Notation, Operation, call
from scalargrad.opdef.symbol import Symbol

Expression = Symbol | float
Fragment = tuple[str, int]

#: The typographic minus sign, for numbers and formulas that people read.
MINUS = "−"


def parenthesise(fragment: Fragment, demand: int, pair: str = "({})") -> str:
    """Return the text of a fragment, in parentheses where it binds too loosely."""
    text, precedence = fragment
    return text if precedence >= demand else pair.format(text)


class Slot(str):
    """A placeholder for a name in a template: ``⟦x0 4⟧`` is x0, at a required precedence of 4."""

    __slots__ = ()

    def at(self, demand: int) -> str:
        """Return the placeholder with the required precedence."""
        return f"⟦{self} {demand}⟧"


def _parenthesise_mathml(fragment: Fragment, demand: int, pair: str = "({})") -> str:
    if isinstance(fragment[0], Slot):
        return fragment[0].at(demand)
    return parenthesise(fragment, demand, pair)


def number_text(value: float, digits: int = 4) -> str:
    """Return a number with `digits` significant digits and the shortest exponent."""
    text = f"{value:.{digits}g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def _format_number(value: float) -> str:
    return number_text(value).replace("-", MINUS)


def format_expression(
    expression: Expression, names: dict[Symbol, str], demand: int = CONDITIONAL
) -> str:
    """Return `expression` as a line of text: ``s·(1 − s)``, ``−1/x²``.

    It is put in parentheses if it binds more loosely than the precedence `demand`, or if a minus
    sign would follow another sign. If the names are `Slot` objects, the result is a template.
    """
    fragment = _fragment(expression, names, _text_notation, lambda word: word)
    return _with_superscripts(
        _parenthesise_mathml(fragment, _demand_after_sign(demand, expression))
    )


_WHOLE_POWER = re.compile(r"\^(?:\((−\d+)\)|(\d+))(?![\w.^])")
_SUPERSCRIPTS = str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


#: Pattern of the power ½ of a name, a number, or parentheses other than those of a function.
_ROOT = re.compile(r"(?<![\w.])([\w.]+|\([^()]*\))\^0\.5(?![\w.^])")


def _with_superscripts(formula: str) -> str:
    """Return a formula with whole powers as superscripts, and the power ½ as a root."""
    formula = _ROOT.sub(r"√\1", formula)
    return _WHOLE_POWER.sub(lambda match: (match[1] or match[2]).translate(_SUPERSCRIPTS), formula)


def _fragment(
    expression: Expression,
    names: dict[Symbol, str],
    notation_of: Callable[[Operation, int], Notation],
    token: Callable[[str], str],
    pair: str = "({})",
) -> Fragment:
    """Format an expression: names and numbers as tokens, operations by their notations."""
    if not isinstance(expression, Symbol) or expression.op is None:
        word = names[expression] if isinstance(expression, Symbol) else _format_number(expression)
        return token(word), _precedence(word)
    notation = notation_of(expression.op, len(expression.operands))
    parts = []
    for i, operand in enumerate(expression.operands):
        part = _fragment(operand, names, notation_of, token, pair)
        parts.append(_parenthesise_mathml(part, _demand(notation, i, operand), pair))
    return notation.template.format(*parts), notation.precedence


_WITH_EXPONENT = re.compile(r"[\d.]+e")


def _precedence(word: str) -> int:
    """Return the precedence of a name or number.

    A negative number may only begin a sum; 1e−3 is a product, which cannot be a base of a power.
    """
    if word.startswith(("-", MINUS)):
        return SUM
    return SIGN if _WITH_EXPONENT.match(word) else ATOM


def _text_notation(op: Operation, arity: int) -> Notation:
    name = op.symbol if op.symbol in {"max", "min"} else op.name  # short and as readable
    notation = op.text or op.comparison or op.python or call(name, arity)
    return notation._replace(template=notation.template.replace("-", MINUS))


def _demand(notation: Notation, index: int, operand: Expression) -> int:
    """Return the lowest precedence at which operand `index` needs no parentheses."""
    demand = notation.demand(index)
    opens = notation.template.startswith(f"{{{index}}}")
    return demand if opens else _demand_after_sign(demand, operand)


def _demand_after_sign(demand: int, operand: Expression) -> int:
    """Return the lowest precedence at which an operand after a sign needs no parentheses."""
    return ATOM if demand > CONDITIONAL and _opens_with_minus(operand) else demand


def _opens_with_minus(expression: Expression) -> bool:
    while isinstance(expression, Symbol) and expression.op is not None:
        template = _text_notation(expression.op, len(expression.operands)).template
        if not template.startswith("{0}"):
            return template.startswith(MINUS)
        expression = expression.operands[0]
    return False  # the precedence of a name or number accounts for its sign


def mathml(expression: Expression, names: dict[Symbol, str], demand: int = CONDITIONAL) -> str:
    """Return `expression` as one MathML element; each name is escaped, in an <mi> or <mn>.

    It is put in parentheses if it binds more loosely than the precedence `demand`, or if a minus
    sign would follow another sign.
    """
    fragment = _fragment(expression, names, _mathml_notation, identifier, MATHML_PAIR)
    return _parenthesise_mathml(fragment, _demand_after_sign(demand, expression), MATHML_PAIR)


MATHML_PAIR = "<mrow><mo>(</mo>{}<mo>)</mo></mrow>"
_NUMBER = re.compile(r"[-−]?(\d+(\.\d+)?(e[-−]?\d+)?|inf|nan)")


def _escape(word: str) -> str:
    from html import escape  # takes 3 ms, so not imported with the package

    return escape(word)


def identifier(word: str) -> str:
    """Return one MathML token for a name or a formatted number; a `Slot` is returned unchanged."""
    if isinstance(word, Slot):
        return word
    if _NUMBER.fullmatch(word):
        return f"<mn>{word.replace('-', MINUS)}</mn>"
    return with_subscripts(word)


_SCRIPTED = (
    re.compile(r"([^\W\d_])(?P<below>\d+)"),
    re.compile(r"([^\W\d_])_(?P<below>\w+(,\d+)*)"),
    re.compile(r"([^\W\d_])(?P<above>[⁰¹²³⁴⁵⁶⁷⁸⁹]*)(?P<below>[₀₁₂₃₄₅₆₇₈₉,]+)"),
)
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


def script_parts(word: str) -> tuple[str, str, str] | None:
    """Return the letter of a name, its subscript and its superscript; None for other names.

    Examples
    --------
    >>> script_parts("v5"), script_parts("L_reg"), script_parts("w²₄,₃"), script_parts("loss")
    (('v', '5', ''), ('L', 'reg', ''), ('w', '4,3', '2'), None)
    >>> script_parts("x_2,0")
    ('x', '2,0', '')
    """
    match = next(filter(None, (pattern.fullmatch(word) for pattern in _SCRIPTED)), None)
    if match is None:
        return None
    groups = match.groupdict(default="")
    return match[1], groups["below"].translate(_PLAIN), groups.get("above", "").translate(_PLAIN)


def with_subscripts(word: str) -> str:
    """Return a name in MathML: a letter with its index as subscript, its layer as superscript."""
    parts = script_parts(word)
    if parts is None:
        tag = "mtext" if ", " in word else "mi"  # several names, as in max(z1, z2), are text
        return f"<{tag}>{_escape(word)}</{tag}>"
    letter, below, above = parts
    tag = "mtext" if any(map(str.isalpha, below)) else "mn"
    base = f"<mi>{letter}</mi><{tag}>{below}</{tag}>"
    return f"<msubsup>{base}<mn>{above}</mn></msubsup>" if above else f"<msub>{base}</msub>"


def _mathml_notation(op: Operation, arity: int) -> Notation:
    """Return the MathML notation of an operation, made from that of the text if it has none."""
    if op.mathml is not None:
        return op.mathml
    notation = op.text or op.comparison or op.python or call(op.symbol, arity)
    tokens = map(_mathml_token, _TEMPLATE_TOKEN.findall(notation.template))
    return notation._replace(template=f"<mrow>{''.join(tokens)}</mrow>")


_TEMPLATE_TOKEN = re.compile(r"\{\d+\}|\w+|[^\w\s]")


def _mathml_token(token: str) -> str:
    if token.startswith("{"):
        return token
    tag = "mn" if token.isdigit() else "mi" if token.isalnum() else "mo"
    return f"<{tag}>{_escape(token)}</{tag}>"
