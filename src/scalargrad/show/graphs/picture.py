"""The picture that `draw` and `network` return, to be shown, saved or embedded in a page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from scalargrad.errors import LayoutError
from scalargrad.show.graphs.conversion import pdf, png, tikz
from scalargrad.show.graphs.layout import DPI, render
from scalargrad.system.cached_property import cached_property
from scalargrad.system.files import file_path, require_writable, write_atomically
from scalargrad.system.short_repr import shown

_SUFFIXES = (".svg", ".png", ".pdf", ".tikz", ".dot", ".mmd")


class Drawing(Protocol):
    """The source of a Picture: an SVG, and text in DOT and in Mermaid."""

    @property
    def title(self) -> str:
        """A sentence that describes the picture."""

    def svg(self) -> str:
        """Return the SVG."""

    def dot(self) -> str:
        """Return the text for Graphviz."""

    def mermaid(self) -> str:
        """Return the Mermaid flowchart."""


class Picture:
    """A drawn graph, as `draw` and `network` return it; it shows itself in notebooks.

    The numbers are those at the time of drawing. `svg` and the notebook need Graphviz (that of the
    package graphviz-pure, or the system's), `dot` and `mermaid` do not.

    Attributes
    ----------
    dot : str
        The graph in DOT, the language of Graphviz: the same text for the same graph.
    mermaid : str
        The graph as a Mermaid flowchart.

    Notes
    -----
    Shapes and lines of the SVG have stable ids, built from the index of their node in
    topological order: ``n2`` is the box or gate of node 2, ``n2-wire`` its wire with the texts
    ``n2-value`` and ``n2-gradient``, ``n2-w0`` the line that brings operand 0 into gate 2.
    The module `scalargrad.show.graphs.diagram` lists them all.

    Examples
    --------
    >>> from scalargrad import Value, draw
    >>> x = Value(3.0, "x")
    >>> picture = draw(x * x)
    >>> picture
    <Picture: Computation graph of v1 = 9: 2 nodes>
    >>> print(picture.mermaid.splitlines()[1].strip())
    n0["x"]:::input
    """

    def __init__(self, drawing: Drawing, dpi: int = DPI) -> None:
        self._drawing = drawing
        self._dpi = dpi

    @cached_property
    def dot(self) -> str:
        """The graph in DOT."""
        return self._drawing.dot()

    @cached_property
    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return self._drawing.mermaid()

    def svg(self) -> str:
        """Return the picture as one ``<svg>`` element, fit to be set into a web page.

        Raises
        ------
        LayoutError
            If there is no Graphviz, or it fails.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        return self._drawing.svg()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, whose suffix says in which format.

        Parameters
        ----------
        path : str or path
            Ends in .svg, .png, .pdf, .tikz (for LaTeX), .dot or .mmd (Mermaid).

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        LayoutError
            If the suffix is none of these, or there is no Graphviz, or it fails.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file appears under its name only when it is complete; if anything fails, nothing
        is created and an existing file stays as it was.
        """
        path = Path(file_path(path))
        require_writable(path)
        return write_atomically(path, self._content(path))

    def _content(self, path: Path) -> bytes:
        texts: dict[str, Callable[[], str]] = {
            ".svg": self.svg,
            ".tikz": lambda: tikz(self.svg()),
            ".dot": lambda: self.dot,
            ".mmd": lambda: self.mermaid,
        }
        suffix = path.suffix.lower()
        if suffix in texts:
            return texts[suffix]().encode()
        if suffix == ".png":
            return png(self.svg(), self.dot, self._dpi)
        if suffix == ".pdf":
            return self._pdf()
        raise LayoutError(
            f"a picture cannot be saved as {shown(path.name)}: end the name in "
            f"{', '.join(_SUFFIXES)}"
        )

    def _pdf(self) -> bytes:
        try:
            return pdf([self.svg()])
        except ImportError:
            return render(self.dot, "pdf")

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Picture: {self._drawing.title}>"
