"""The notation of an operation in one target language: a template with precedences.

Precedences, loosest first: conditional 1, comparison 2, sum 3, product 4, sign 5, power 6,
atom 9. An operand that binds more loosely than its place demands is put in parentheses.
"""

from __future__ import annotations

from typing import NamedTuple

CONDITIONAL, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = 1, 2, 3, 4, 5, 6, 9


class Notation(NamedTuple):
    """A template such as ``"{0} + {1}"`` and how tightly it and its operands bind."""

    template: str
    precedence: int = ATOM
    operands: tuple[int, ...] = ()

    def demand(self, index: int) -> int:
        """Return the precedence operand `index` must have to stand without parentheses."""
        return self.operands[index] if self.operands else CONDITIONAL


def infix(sign: str, precedence: int) -> Notation:
    """Return the notation of a left-associative operator between two operands."""
    return Notation(f"{{0}} {sign} {{1}}", precedence, (precedence, precedence + 1))


def call(name: str, arity: int) -> Notation:
    """Return the notation of a function call with `arity` arguments."""
    return Notation(f"{name}({', '.join(f'{{{i}}}' for i in range(arity))})")
