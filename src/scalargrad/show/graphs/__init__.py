"""Pictures of graphs, in DOT (and from it SVG, PNG and PDF) and in Mermaid.

`graphs` holds `draw`, and decides on highlights. A `view` says which nodes are seen and which are
folded; of it `builder` makes the shapes and lines of a `diagram`, with the texts of `gates`;
`chain_rows` wraps long chains into rows. `layout` measures the shapes and lets Graphviz place them;
`svg` draws them for pictures, pages and slides. A `picture` shows and saves what was drawn, as PNG,
PDF, TikZ and Mermaid too. `network_picture` draws the units and weights of a network.
"""

from __future__ import annotations

from scalargrad.show.graphs.graphs import draw as draw
from scalargrad.show.graphs.graphs import glance as glance
from scalargrad.show.graphs.network_picture import network as network
from scalargrad.show.graphs.picture import Picture as Picture

__all__ = [
    "Picture",
    "draw",
    "glance",
    "network",
]
