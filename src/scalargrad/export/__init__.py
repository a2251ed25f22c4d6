"""Export compiled functions to C and machine code, and graphs to JSON, NetworkX and SymPy."""

from __future__ import annotations

from scalargrad.export.files import load
from scalargrad.export.json_graph import from_json, to_json, to_networkx
from scalargrad.export.sympy_graph import to_sympy

__all__ = [
    "from_json",
    "load",
    "to_json",
    "to_networkx",
    "to_sympy",
]
