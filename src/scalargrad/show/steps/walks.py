"""Create the steps of a graph: inputs, gates forward, seed, wires backward.

`walk` records the graph (`walked_graph`) and returns a `Walk`, a tuple of steps. For
f = (x + y)z with q = x + y it has eight::

    inputs   x, y, z
    forward  q   f
    seed     f
    backward f → z   f → q   q → y   q → x
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, SupportsIndex, overload

from scalargrad.checks.arguments import check_flag, check_integer, check_text
from scalargrad.engine.autodiff import compute_adjoints
from scalargrad.engine.value import Value
from scalargrad.errors import GraphError, LayoutError
from scalargrad.show.display_graph import build_graph
from scalargrad.show.graphs.graph_picture import check_dpi
from scalargrad.show.html import notebook_frame, save_page
from scalargrad.show.steps.page import DEFAULT_LIMIT, render_step_page
from scalargrad.show.steps.slides import SINGLE_FILE_FORMATS, render_slides
from scalargrad.show.steps.step import Step, format_html_table
from scalargrad.show.steps.terminal import format_table
from scalargrad.show.steps.walked_graph import WalkedGraph
from scalargrad.system.files import file_path, make_folder, write_atomically

#: Maximum number of nodes of a page in a notebook; a larger page would bloat its file.
_MAX_NOTEBOOK_NODES = 1_000


class Walk(tuple[Step, ...]):
    """The steps through a graph, in order; printed, it is a table.

    A slice is a Walk too; its page always shows all steps.

    Attributes
    ----------
    graph : WalkedGraph
        The data that all steps share: the nodes in order, their names and numbers.
    """

    __slots__ = ()

    @property
    def graph(self) -> WalkedGraph:
        """The walked graph, which all steps share."""
        return self[0].graph

    @overload
    def __getitem__(self, index: SupportsIndex) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Walk: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Step | Walk:
        item = super().__getitem__(
            index if isinstance(index, slice) else check_integer(index, "index")
        )
        return Walk(item) if isinstance(item, tuple) else item

    def __repr__(self) -> str:
        through = f" through {self.graph.names[self.graph.root]}" if self else ""
        return f"<walk{through}: {len(self)} steps>"

    def __str__(self) -> str:
        return format_table(self).plain

    def _repr_html_(self) -> str:
        return format_html_table(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return the page for a notebook, followed by a table for viewers that remove frames."""
        html = self._repr_html_()
        if self and len(self.graph.order) <= _MAX_NOTEBOOK_NODES:
            fallback = ("The steps as a table", html)
            with suppress(GraphError, LayoutError):
                title = "Backpropagation, step by step"
                html = notebook_frame(render_step_page(self), title, 640, fallback=fallback)
        return {"text/plain": str(self), "text/html": html}

    def save(
        self, path: str | os.PathLike[str], *, title: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Path:
        """Save the walk as a page: one HTML file, for any browser, that works offline.

        Forward pass, seed and backward pass are one timeline; every step shows the chain rule in
        symbols and in numbers, and the inputs can be changed.

        Parameters
        ----------
        path : str or path
            The file name, which must end in .html.
        title : str, optional
            The heading; by default "Backpropagation through" and the name of the root.
        limit : int
            Maximum number of nodes in one drawing. A larger graph is divided into subgraphs with
            drawings of their own: a click opens one, and each step opens the one that it is in.

        Returns
        -------
        Path
            The path of the file.

        Raises
        ------
        LayoutError
            If the name does not end in .html, or Graphviz is not installed or fails.
        GraphTooLargeError
            If the graph has more than 10,000 nodes.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file is written atomically. It loads nothing from the network, and its
        Content-Security-Policy forbids it. In a graph with a custom operation the inputs are
        fixed, because a page cannot call Python.

        At other inputs the page computes the same graph. If the program would take another
        branch there, at ``if x > 0``, ``while``, ``max`` or ``where(x > 0, …)``, the page reports
        it and greys its numbers. `maximum` and ``where(gt(x, 0), …)`` are gates, and are evaluated
        at the new inputs.
        """
        title = None if title is None else check_text(title, "title")
        limit = check_integer(limit, "limit", 1)
        return save_page(path, lambda: render_step_page(self, title, limit))

    def export(
        self,
        folder: str | os.PathLike[str],
        *,
        format: Literal["svg", "png", "html", "pdf", "gif", "webp"] = "svg",
        dpi: int = 96,
        dark: bool = False,
    ) -> list[Path]:
        """Save a 16:9 slide for each step, with only the numbers known at that step.

        The formula of the step is below the graph; the arrow of an active wire points in the
        direction in which its gradient flows.

        Parameters
        ----------
        folder : str or path
            The folder, which is created if necessary. The files are ``step-01.svg``,
            ``step-02.svg`` and so on, or a single file.
        format : {"svg", "png", "html", "pdf", "gif", "webp"}
            HTML, PDF, and animated GIF or WebP have all slides in one file, ``slides.html`` and so
            on. In HTML each slide is a section, as in reveal.js.
        dpi : int
            Dots per inch of a PNG, GIF or WebP: 96 gives slides of 1280 × 720 pixels, and 144 of
            1920 × 1080.
        dark : bool
            Whether to draw in light colours on a dark background.

        Returns
        -------
        list of Path
            The files, in the order of the steps.

        Raises
        ------
        LayoutError
            If `format` is not one of these, or Graphviz is not installed or fails.
        GraphTooLargeError
            If the graph has more than 300 nodes.
        MissingPackageError
            If fpdf2 is not installed for PDF, or Pillow for GIF and WebP.
        OSError
            If the folder cannot be created or written to.
        """
        folder, dark = file_path(folder, "folder"), check_flag(dark, "dark")
        dpi = check_dpi(dpi)
        slides = render_slides(self, format, dpi=dpi, dark=dark)
        make_folder(folder)
        if format in SINGLE_FILE_FORMATS:
            return [write_atomically(Path(folder) / f"slides.{format}", slides[0])]
        width = max(2, len(str(self[-1].index + 1)))
        return [
            write_atomically(Path(folder) / f"step-{step.index + 1:0{width}}.{format}", picture)
            for step, picture in zip(self, slides, strict=True)
        ]


def walk(root: Value | Callable[[], Value], *, model: object = None) -> Walk:
    """Walk through the graph of `root`: every value forward, every wire backward.

    The first step is the inputs, followed by one step for each gate; then the seed,
    ∂root/∂root = 1; then one step for each wire, with the gates in reverse order and the operands
    of a gate last to first. Each backward step multiplies the gate's upstream gradient by a local
    derivative and adds the product to the gradient of its operand.

    Parameters
    ----------
    root : Value, or function that returns one
        The node whose derivatives are computed. A function is called without arguments to build
        the graph, and the calls of the model's modules are recorded meanwhile.
    model : Module or any object, optional
        The network in the graph. Unless all parameters have labels of their own, they are named by
        their attributes, such as scale, and those of layers W₁[3,4], b₁[3]. The page shows the
        module calls as subgraphs; see `draw`. Without a model, layers are found in the graph,
        and a large graph is divided automatically.

    Returns
    -------
    Walk
        A sequence of `Step`. Printed, it is a table; ``.save("walk.html")`` saves a page that
        moves through the steps, ``.export("slides")`` saves pictures, and a notebook displays the
        page. Its numbers are the current ones: later assignments do not change it, and it changes
        no `grad`.

    Raises
    ------
    OperandError
        If `root` is not a Value, or `model` has none.
    GraphChangedError
        If data was assigned after the graph was built, so that its numbers contradict each other.

    Notes
    -----
    Time and memory are linear in nodes and wires; the text of a step is formatted on demand.
    Constants have no backward step.

    References
    ----------
    The order for (x + y)z follows Hosseini, "Feed-forward networks", 2024.

    Examples
    --------
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> f = (x + y) * z
    >>> steps = walk(f)
    >>> steps
    <walk through v2: 8 steps>
    >>> steps[-1].text()
    '∂v2/∂x = ∂v2/∂v1·∂v1/∂x = (−4)·1 = −4'
    """
    graph = WalkedGraph(*build_graph(root, model))
    steps = [*_forward_steps(graph), *_backward_steps(graph)]
    graph.alarm_at = next((step.index for step in steps if step.nonfinite_node is not None), None)
    return Walk(steps)


def _forward_steps(graph: WalkedGraph) -> list[Step]:
    """Return the step of the inputs, one for each gate, and the seed."""
    steps = [Step(graph, 0, "forward")]
    for node in graph.order:
        if node.parents:
            graph.known_at[node] = len(steps)
            steps.append(Step(graph, len(steps), "forward", node))
    graph.seed_at = len(steps)
    graph.complete_at[graph.root] = len(steps)
    steps.append(Step(graph, len(steps), "seed", graph.root, total=1.0))
    return steps


def _backward_steps(graph: WalkedGraph) -> Iterator[Step]:
    """Yield one step for each wire, and record its contribution in the graph."""
    adjoints = compute_adjoints(graph.order, {graph.root: 1.0})
    totals = dict.fromkeys(graph.order, 0.0)
    index = graph.seed_at
    for node in reversed(graph.order):
        for operand in reversed(range(len(node.parents))):
            parent, local = node.parents[operand], node.local_grads[operand]
            if not isinstance(parent, Value) or local is None:
                continue
            index += 1
            contribution = adjoints[node] * local
            totals[parent] += contribution
            graph.terms[parent].append(contribution)
            graph.complete_at[parent] = index  # later terms overwrite it
            yield Step(
                graph,
                index,
                "backward",
                node,
                operand,
                parent,
                adjoints[node],
                local,
                contribution,
                totals[parent],
                arrived=len(graph.terms[parent]),
                expected=graph.reader_counts[parent],
            )
