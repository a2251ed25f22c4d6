"""Subgraphs: a large graph divided into nested parts, each of which can be drawn as one box.

`subgraph` makes the tree of subgraphs, and names them; `module_calls` finds the module call that
computed each node.
"""
