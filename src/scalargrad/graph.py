"""Traverse the graph of a Value: all its nodes in topological order, its leaves."""

from __future__ import annotations

from scalargrad.engine.graph import leaves, topological_order

__all__ = ["leaves", "topological_order"]
