"""Expressions as text: ``q = x + y; f = q * z`` read into a graph.

The text passes two whitelists and is never evaluated or compiled. The first (`tokens`) lets through
names, decimal numbers, brackets and the operators of arithmetic and comparison. Python's own `ast`
then gives the structure, of which the second (`parsing`) reads one kind of node at a time. Every
error marks its place in the text.
"""

from __future__ import annotations

from scalargrad.expression.parsing import parse

__all__ = ["parse"]
