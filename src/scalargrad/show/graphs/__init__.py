"""Pictures of graphs, in DOT (and from it SVG, PNG and PDF) and in Mermaid.

`graph_picture` has `draw`, which runs these steps:

======================= ============================================================
`visible_graph`         chooses the subgraphs that are expanded and those that are collapsed
`diagram_builder`       makes shapes and lines from it, with the texts of `gates`
`diagram`               the shapes and lines, independent of format
`chain_rows`            wraps a long chain into rows
`layout`                measures the shapes, and runs Graphviz, which places them
`svg`                   writes the SVG of pictures, pages and slides
`picture`               the result: displays and saves the SVG, also as PNG, PDF, TikZ and Mermaid
======================= ============================================================

`network_picture` has `network`, which draws the units and weights of a network.
"""

from __future__ import annotations

from scalargrad.show.graphs.graph_picture import draw as draw
from scalargrad.show.graphs.graph_picture import glance as glance
from scalargrad.show.graphs.network_picture import network as network
from scalargrad.show.graphs.picture import Picture as Picture

__all__ = [
    "Picture",
    "draw",
    "glance",
    "network",
]
