"""Pictures of graphs, in DOT (and from it SVG, PNG and PDF) and in Mermaid.

`graphs` holds `draw`. `expanded_folds` chooses which parts of a graph are folded; `builder` and
`folded_diagram` turn the graph into the shapes and lines of a `diagram`, with the texts of `gates`.
`highlighting`, `scale` and `copies` decide on highlights, colours and drawn-out fan-out;
`chain_rows` and `row_layout` wrap long chains into rows. `dot` (with `wire_tables` and `palette`),
`mermaid` and `tikz` write text, `layout` runs Graphviz, `svg` finishes its output, and `conversion`
makes a PNG or a PDF of that.
`network_picture` draws the units and weights of a network.
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
