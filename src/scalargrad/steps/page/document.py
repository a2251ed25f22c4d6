"""The page of a walk: one HTML file that needs nothing else, put together from its parts."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

from scalargrad.errors import GraphError
from scalargrad.ops.javascript import javascript_functions
from scalargrad.steps import table
from scalargrad.steps.page.drawn import drawings
from scalargrad.steps.page.record import Record
from scalargrad.steps.scene import Scene
from scalargrad.steps.step import Step

#: Most nodes a page draws at once.
LIMIT = 300

#: The script in the order in which its parts build on each other.
_SCRIPTS = (
    *("figures", "expressions", "sweep", "formulas", "wording", "state", "drawings"),
    *("drawing", "marks", "chips", "layers", "panel", "predict", "inputs", "timeline"),
    *("viewport", "tools", "sheet", "main"),
)
_LONGEST_EXPRESSION, _MOST_GATES = 160, 12
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(steps: Sequence[Step], title: str | None = None, limit: int = LIMIT) -> str:
    """Return steps of a walk as one HTML document that moves through them.

    Parameters
    ----------
    steps : sequence of Step
        All or part of one walk.
    title : str, optional
        The heading; by default it names the root.
    limit : int
        Most nodes to draw at once; a larger graph is drawn by its folds.

    Raises
    ------
    GraphError
        If there are no steps.
    LayoutError
        If there is no Graphviz, or it fails.

    Notes
    -----
    The document refers to nothing outside itself, and its Content-Security-Policy forbids
    it: only its own script and style run, known by their hashes.
    """
    if not steps:
        raise GraphError("a page needs steps to show, and this walk has none: give it at least one")
    scene = steps[0].scene
    drawn = drawings(scene, limit)
    record = Record(scene, drawn)
    known = json.dumps(record.json(steps), ensure_ascii=False, separators=(",", ":"))
    functions = javascript_functions(record.operations.values())
    script = f"const functions = {functions};\n{_script()}"
    style = _read("page.css")
    return _filled(
        _read("page.html"),
        {
            "policy": _policy(script, style),
            "title": escape(title or f"Backpropagation through {scene.names[scene.root]}"),
            "expression": escape(_expression(scene)),
            "style": style,
            "table": table.html(steps),
            "graph": drawn.first,
            "walk": _inert(known),
            "script": script,
        },
    )


def frame(document: str) -> str:
    """Return a document as a frame for a notebook's cell, cut off from the notebook itself."""
    return (
        f'<iframe srcdoc="{escape(document)}" title="Backpropagation, step by step" '
        'sandbox="allow-scripts allow-downloads allow-modals" '
        'allow="fullscreen *; clipboard-write *" '
        'width="100%" height="640" style="border: 1px solid #8888; border-radius: 6px"></iframe>'
    )


def _inert(json_text: str) -> str:
    """Escape what could end the element that JSON stands in; to JSON it means the same."""
    return json_text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _policy(script: str, style: str) -> str:
    """Return a policy under which this script and this style run, and nothing is fetched."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _filled(template: str, parts: dict[str, str]) -> str:
    """Fill the places of a template, each once, whatever the parts contain."""
    return _PLACE.sub(lambda match: parts[match[1]], template)


def _expression(scene: Scene) -> str:
    """Return what the graph computes in one line, or how large it is if that is too long."""
    gates = [Step(scene, 0, "forward", node) for node in scene.order if node.parents]
    if not gates:
        return scene.names[scene.root]
    if len(gates) <= _MOST_GATES:
        written = ",  ".join(gate.symbols() for gate in gates)
        if len(written) <= _LONGEST_EXPRESSION:
            return written
    plural = "s" * (len(scene.inputs) != 1)
    return f"{scene.names[scene.root]}: {len(gates)} gates over {len(scene.inputs)} input{plural}"


@cache
def _script() -> str:
    return "\n".join(_read(f"{name}.js") for name in _SCRIPTS)


@cache
def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
