"""Registers: eight neighbouring cells at a time, for the loops of the kernel.

These are the functions as Python runs them, on arrays; `register_code` has them as Numba
compiles them, one vector instruction each.
"""

from __future__ import annotations

from typing import Any

#: How many cells a register holds.
WIDTH = 8


def load(m: Any, i: int) -> Any:
    """Return the cells from `i` on."""
    return m[i : i + WIDTH].copy()


def store(m: Any, i: int, x: Any) -> None:
    """Set the cells from `i` on."""
    m[i : i + WIDTH] = x


def full(number: Any) -> Any:
    """Return a register that holds one number throughout."""
    return number


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """Return ab + c."""
    return a * b + c
