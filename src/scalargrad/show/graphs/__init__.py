"""Pictures of graphs: DOT text, and from it SVG, PNG and PDF; Mermaid text besides.

`gates` says what stands in a gate, `diagram` which shapes and lines a picture consists of,
`opening` which parts of a graph are folded, `parts` and `folded_diagram` what is drawn for them,
`chain_rows`, `row_layout` and `turns` where and how a long chain is wrapped, `looks`, `scale` and
`copies` what stands out, its colours, and fan-out in full; `dot`, with `edges` and `inks`, and
`mermaid` write them as text, `layout` runs Graphviz, `svg` finishes what it made.
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
