"""Traced programs: nodes, kinds of nodes, dependences, and rewrites of single nodes.

Tracing produces a `program`: `nodes` in arrays, each an operation or one of the `kinds`. The loop
compiler in `scalargrad.compiler.nests` takes it from there. `expressions` turns an operation into
the nodes that compute it; `unroll` expands the examples of vmap into single nodes, and gathers
into selects.
"""
