"""Export functions to C, machine code, PyTorch and JAX, graphs to JSON, NetworkX and SymPy."""

from __future__ import annotations

from scalargrad.compiler.export_c.files import load
from scalargrad.export.graphs import from_json, to_json, to_networkx, to_sympy
from scalargrad.export.tensors import jax_function, torch_function

__all__ = [
    "from_json",
    "jax_function",
    "load",
    "to_json",
    "to_networkx",
    "to_sympy",
    "torch_function",
]
