"""Walk through a graph: forward, seed, backward, as one sequence of steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, SupportsIndex, overload

from scalargrad.checks.arguments import flag, text, whole
from scalargrad.engine.autodiff import compute_adjoints
from scalargrad.engine.value import Value
from scalargrad.errors import GraphError, LayoutError
from scalargrad.show.graphs.graphs import resolution
from scalargrad.show.html import frame
from scalargrad.show.html import save as save_page
from scalargrad.show.steps.frames import WHOLE, frames
from scalargrad.show.steps.page import LIMIT, page
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step, table_html
from scalargrad.show.steps.terminal import table
from scalargrad.system.files import file_path, make_folder, write_atomically

_MOST_IN_NOTEBOOK = 1_000


class Walk(tuple[Step, ...]):
    """The steps through a graph, in order; printing it gives a table.

    A slice is a Walk too; a page is of all steps.

    Attributes
    ----------
    scene : Scene
        What the steps share: the graph in order, its names, its numbers.
    """

    __slots__ = ()

    @property
    def scene(self) -> Scene:
        """The walked graph, which all steps share."""
        return self[0].scene

    @overload
    def __getitem__(self, index: SupportsIndex) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Walk: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Step | Walk:
        found = super().__getitem__(index if isinstance(index, slice) else whole(index, "index"))
        return Walk(found) if isinstance(found, tuple) else found

    def __repr__(self) -> str:
        through = f" through {self.scene.names[self.scene.root]}" if self else ""
        return f"<walk{through}: {len(self)} steps>"

    def __str__(self) -> str:
        return table(self).plain

    def _repr_html_(self) -> str:
        return table_html(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the page in a notebook, with the table below for viewers that remove frames."""
        written = self._repr_html_()
        if self and len(self.scene.order) <= _MOST_IN_NOTEBOOK:  # a larger page would bloat it
            beneath = ("The steps as a table", written)
            with suppress(GraphError, LayoutError):
                title = "Backpropagation, step by step"
                written = frame(page(self), title, 640, beneath=beneath)
        return {"text/plain": str(self), "text/html": written}

    def save(
        self, path: str | os.PathLike[str], *, title: str | None = None, limit: int = LIMIT
    ) -> Path:
        """Write the walk as a page: one HTML file that moves through the steps, offline.

        Forward, seed and backward are one timeline; every step shows the chain rule in
        symbols and in numbers, and the inputs can be changed. Open it in any browser.

        Parameters
        ----------
        path : str or path
            Ends in .html.
        title : str, optional
            The heading; by default it names the root.
        limit : int
            The most nodes to draw at once. A larger graph is drawn by its folds: each opens at a
            click, and the page opens the one where a step takes place.

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        LayoutError
            If the name does not end in .html; if there is no Graphviz, or it fails.
        GraphTooLargeError
            If the graph has more than 10,000 nodes.
        OSError
            If the folder does not exist or cannot be written to.

        Notes
        -----
        The file appears under its name only when it is complete. It fetches nothing, and its
        Content-Security-Policy forbids it to. In a graph with a custom operation the inputs
        are fixed: a page cannot call Python.

        At other inputs the page computes the same graph. Where the program would then take another
        branch, by ``if x > 0``, ``while``, ``max`` or ``where(x > 0, …)``, the page says so and
        greys its numbers. `maximum` and ``where(gt(x, 0), …)`` are gates, which choose anew.
        """
        title = None if title is None else text(title, "title")
        limit = whole(limit, "limit", 1)
        return save_page(path, lambda: page(self, title, limit))

    def export(
        self,
        folder: str | os.PathLike[str],
        *,
        format: Literal["svg", "png", "html", "pdf", "gif", "webp"] = "svg",
        dpi: int = 96,
        dark: bool = False,
    ) -> list[Path]:
        """Write a slide of 16:9 for each step, with only what is known at it.

        Below the graph stands the formula of the step; the arrow of an active wire points the way
        its gradient flows.

        Parameters
        ----------
        folder : str or path
            Made if there is none; the files are ``step-01.svg``, ``step-02.svg`` and so on, or one.
        format : {"svg", "png", "html", "pdf", "gif", "webp"}
            As HTML, PDF, or animated GIF or WebP, all are in one file, ``slides.html`` and so on.
            In HTML each is a section, as reveal.js has them.
        dpi : int
            Dots per inch of a PNG, GIF or WebP: 96 makes slides of 1280 × 720, and 144 of
            1920 × 1080.
        dark : bool
            Light ink on dark paper.

        Returns
        -------
        list of Path
            The files, in the order of the steps.

        Raises
        ------
        LayoutError
            If `format` is none of these, or there is no Graphviz, or it fails.
        GraphTooLargeError
            If the graph has more than 300 nodes.
        MissingPackageError
            If there is no fpdf2 for PDF, or no Pillow for GIF and WebP.
        OSError
            If the folder cannot be made or written to.
        """
        folder, dark = file_path(folder, "folder"), flag(dark, "dark")
        dpi = resolution(dpi)
        drawn = frames(self, format, dpi=dpi, dark=dark)
        make_folder(folder)
        if format in WHOLE:
            return [write_atomically(Path(folder) / f"slides.{format}", drawn[0])]
        width = max(2, len(str(self[-1].index + 1)))
        return [
            write_atomically(Path(folder) / f"step-{step.index + 1:0{width}}.{format}", picture)
            for step, picture in zip(self, drawn, strict=True)
        ]


def walk(root: Value, *, model: object = None) -> Walk:
    """Walk through the graph under `root`: every value forward, every wire backward.

    The inputs come first as one step, then one step for each gate; then the seed,
    ∂root/∂root = 1; then one step for each wire, the gates in reverse order and the operands
    of a gate last to first. Each of these multiplies the gate's upstream gradient by a local
    derivative and adds the product to what its operand has received so far.

    Parameters
    ----------
    root : Value
        The node whose derivatives are computed.
    model : Module or any object, optional
        The network in the graph. Parameters are named by the attributes in which they stand, such
        as scale, those of layers W₁[3,4], b₁[3], unless all have labels of their own; the page
        shows the layers and neurons of a Module as folds. Without it layers are found in the
        graph, and a large graph is folded by itself.

    Returns
    -------
    Walk
        A sequence of `Step`. Printed, it is a table; ``.save("walk.html")`` writes it as a page
        that moves through the steps, offline; ``.export("slides")`` as pictures; a notebook shows
        the page. Its numbers are those of now: it is not changed by later assignments, and it
        changes no `grad`.

    Raises
    ------
    OperandError
        If `root` is not a Value, or `model` holds none.
    GraphChangedError
        If data was assigned after the graph was built, so that its numbers do not fit.

    Notes
    -----
    Takes time and memory linear in nodes and wires; what a step says is written when it is
    asked for. Constants have no backward step.

    References
    ----------
    The order for (x + y)z is that of Hosseini, "Feed-forward networks", 2024.

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
    scene = Scene(root, model)
    steps = [*_forward(scene), *_backward(scene)]
    scene.alarm_at = next((step.index for step in steps if step.alarming is not None), None)
    return Walk(steps)


def _forward(scene: Scene) -> list[Step]:
    """Return the step of the inputs, one for each gate, and the seed."""
    steps = [Step(scene, 0, "forward")]
    for node in scene.order:
        if node.parents:
            scene.known_at[node] = len(steps)
            steps.append(Step(scene, len(steps), "forward", node))
    scene.seed_at = len(steps)
    scene.complete_at[scene.root] = len(steps)
    steps.append(Step(scene, len(steps), "seed", scene.root, total=1.0))
    return steps


def _backward(scene: Scene) -> Iterator[Step]:
    """Yield one step for each wire, and keep its contribution with the scene."""
    signals = compute_adjoints(scene.order, {scene.root: 1.0})
    totals = dict.fromkeys(scene.order, 0.0)
    index = scene.seed_at
    for node in reversed(scene.order):
        for operand in reversed(range(len(node.parents))):
            parent, local = node.parents[operand], node.local_grads[operand]
            if not isinstance(parent, Value) or local is None:
                continue
            index += 1
            contribution = signals[node] * local
            totals[parent] += contribution
            scene.terms[parent].append(contribution)
            scene.complete_at[parent] = index  # but for terms to come
            yield Step(
                scene,
                index,
                "backward",
                node,
                operand,
                parent,
                signals[node],
                local,
                contribution,
                totals[parent],
                arrived=len(scene.terms[parent]),
                expected=scene.readers[parent],
            )
