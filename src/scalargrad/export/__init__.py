"""Export compiled functions to C and machine code, and graphs to JSON, NetworkX and SymPy."""

from __future__ import annotations

from scalargrad.export.json_graph import from_json as from_json
from scalargrad.export.json_graph import to_json as to_json
from scalargrad.export.json_graph import to_networkx as to_networkx
from scalargrad.export.library import load as load
from scalargrad.export.sympy_graph import to_sympy as to_sympy

__all__ = [
    "from_json",
    "load",
    "to_json",
    "to_networkx",
    "to_sympy",
]
