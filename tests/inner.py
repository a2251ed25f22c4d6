"""The inner modules that tests import: those whose interface is itself a design.

All other tests import documented names, so that an inner module can move without a change here.
"""

from __future__ import annotations

from scalargrad.codegen.javascript import function_key, javascript_functions, javascript_lanes
from scalargrad.engine.tree import flatten
from scalargrad.graph import leaves, topological_order
from scalargrad.opdef.declaration import Domain
from scalargrad.opdef.operation import FixedArityOperation, Operation, Reduction
from scalargrad.opdef.symbol import Symbol, evaluate
from scalargrad.ops import TABLE as WHOLE_TABLE
from scalargrad.show.branch_log import recorded_comparisons
from scalargrad.show.subgraphs.module_calls import record_calls
from scalargrad.show.subgraphs.subgraph import Subgraph, divide_graph

__all__ = [
    "TABLE", "WHOLE_TABLE", "Domain", "FixedArityOperation", "Operation", "Reduction", "Subgraph",
    "Symbol", "divide_graph", "evaluate", "flatten", "function_key", "javascript_functions",
    "javascript_lanes", "leaves", "record_calls", "recorded_comparisons", "topological_order",
]  # fmt: skip

#: The operations that users call; those whose names begin with _ are parts of derivatives.
TABLE = {name: op for name, op in WHOLE_TABLE.items() if not name.startswith("_")}
