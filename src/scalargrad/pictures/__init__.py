"""Pictures of graphs: DOT text, and from it SVG, PNG and PDF; Mermaid text besides.

`gates` says what stands in a gate, `diagram` which shapes and lines a picture consists of;
`dot` and `mermaid` write them as text, `layout` runs Graphviz, `svg` finishes what it made.
"""

from __future__ import annotations

from scalargrad.pictures.picture import Picture as Picture
from scalargrad.pictures.picture import draw as draw
