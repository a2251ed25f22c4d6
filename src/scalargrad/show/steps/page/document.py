"""Write the page of a walk: one HTML file that needs nothing else, put together from its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

from scalargrad.errors import GraphError, GraphTooLargeError
from scalargrad.graph import describe
from scalargrad.show.characters import aliases
from scalargrad.show.html import fill, inert, policy, shared_script, source
from scalargrad.show.steps import table
from scalargrad.show.steps.page.drawings import drawings
from scalargrad.show.steps.page.page_record import Record
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.table.javascript import javascript_functions

#: The most nodes a page draws at once.
LIMIT = 300

#: The most nodes of a page, which has about 1.5 kB for each and computes all at every move.
MOST = 10_000

#: The script in the order in which its parts build on each other.
_SCRIPTS = (
    *("formulas", "sweep", "wording", "state", "drawings", "marks", "layers", "panel"),
    *("predict", "inputs", "timeline", "viewport", "tools", "sheet", "main"),
)
_LONGEST_EXPRESSION, _MOST_GATES, _FEW_ALIASES = 160, 12, 6


def page(steps: Sequence[Step], title: str | None = None, limit: int = LIMIT) -> str:
    """Return steps of a walk as one HTML document that moves through them.

    Parameters
    ----------
    steps : sequence of Step
        All or part of one walk.
    title : str, optional
        The heading; by default it names the root.
    limit : int
        The most nodes to draw at once; a larger graph is drawn by its folds.

    Raises
    ------
    GraphError
        If there are no steps.
    GraphTooLargeError
        If the graph has more than 10,000 nodes; nothing has been laid out then.
    LayoutError
        If there is no Graphviz, or it fails.

    Notes
    -----
    The document refers to nothing outside itself, and its Content-Security-Policy forbids
    it: only its own script and style run, known by their hashes.
    """
    if not steps:
        raise GraphError("a page needs steps to show, and this walk has none: give it at least one")
    walked = steps[0].scene
    if len(walked.order) > MOST:
        raise GraphTooLargeError(
            f"the graph of {describe(walked.root)} has {len(walked.order):,} nodes, too many for a "
            f"page of at most {MOST:,}: walk a node further down"
        )
    short, legend = aliases(walked.names)
    scene = walked.renamed(short)
    drawn = drawings(scene, limit)
    record = Record(scene, drawn, walked.names)
    functions = javascript_functions(record.operations.values())
    script = f"const functions = {functions};\n{_script()}"
    titled = title or f"Backpropagation through {walked.names[walked.root]}"
    style = source("scalargrad.show.html", "look.css") + _read("page.css")
    return fill(
        _read("page.html"),
        {
            "policy": policy(script, style),
            "title": escape(titled),
            "heading": _breakable(titled),
            "expression": escape(_expression(scene) + _advice(scene)),
            "legend": _legend(legend),
            "style": style,
            "table": table.html(steps),
            "graph": drawn.first,
            "walk": inert(record.json(steps)),
            "script": script,
        },
    )


def _legend(legend: Mapping[str, str]) -> str:
    """Return the list of short names and what they stand for; "" if there are none."""
    if not legend:
        return ""
    entries = (
        f"<div><dt>{escape(a)}</dt><dd>{_breakable(name)}</dd></div>" for a, name in legend.items()
    )
    shown = " open" if len(legend) <= _FEW_ALIASES else ""
    return (
        f'<details class="aliases"{shown}><summary>Short for</summary>'
        f"<dl>{''.join(entries)}</dl></details>"
    )


def _breakable(text: str) -> str:
    """Return text as HTML in which a long name may be broken after an underscore or a dot."""
    return re.sub(r"(?<=\w\w[_.])(?=\w{2})", "<wbr>", escape(text))


def _expression(scene: Scene) -> str:
    """Return the expression that the graph computes or, if it is too long, the graph's size."""
    gates = [Step(scene, 0, "forward", node) for node in scene.order if node.parents]
    if not gates:
        return scene.names[scene.root]
    if len(gates) <= _MOST_GATES:
        written = ",  ".join(gate.symbols() for gate in gates)
        if len(written) <= _LONGEST_EXPRESSION:
            return written
    plural = "s" * (len(scene.inputs) != 1)
    return f"{scene.names[scene.root]}: {len(gates)} gates over {len(scene.inputs)} input{plural}"


def _advice(scene: Scene) -> str:
    """Say how to name a root that has no label."""
    return "" if scene.root.label else f'; {scene.names[scene.root]} is named by .label = "f"'


@cache
def _script() -> str:
    parts = [_read(f"{name}.js") for name in _SCRIPTS]
    return "\n".join([shared_script(), *parts])


def _read(name: str) -> str:
    return source(__package__, name)
