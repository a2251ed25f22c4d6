"""LoweringError: the reason why a program cannot be compiled in one of its candidate forms.

`compile_nests` catches it and tries the next candidate. No other exception is caught there, so a
mistake in the compiler is an error and not merely slower code.
"""

from __future__ import annotations


class LoweringError(Exception):
    """A candidate form of a program cannot be compiled; the message is the reason."""
