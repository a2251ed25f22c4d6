"""Pictures of graphs, in DOT (and from it SVG, PNG and PDF) and in Mermaid.

`graphs` holds `draw`. `opening` chooses which parts of a graph are folded; `builder` and
`folded_diagram` turn the graph into the shapes and lines of a `diagram`, with the texts of `gates`.
`looks`, `scale` and `copies` decide on highlights, colours and drawn-out fan-out; `chain_rows`,
`row_layout` and `turns` wrap long chains into rows. `dot` (with `wire_tables`, `edges` and `inks`)
and `mermaid` write the diagram as text, `layout` runs Graphviz, `svg` finishes its output, and
`bitmap` makes a PNG of that.
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
