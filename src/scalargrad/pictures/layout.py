"""From DOT text to a picture: the system's Graphviz, else the one in the pygraphviz wheel.

Either runs as a program of its own, so that its messages can be caught, a picture that
takes too long can be interrupted, and its global state is shared by no two threads.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from scalargrad.errors import LayoutError

_BUNDLED = """
import sys
from pygraphviz import AGraph

kind, *options = sys.argv[1:]
graph = AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=kind, prog="dot", args=" ".join(options)))
"""

_OPTIONS = {"png": ["-Gdpi=192"]}  # twice the usual, for sharp text on today's screens
_REMEDY = (
    "Install pygraphviz 2.0 or later (pip install pygraphviz), whose wheels bring Graphviz, or "
    "Graphviz itself (https://graphviz.org/download). DOT and Mermaid text need neither: "
    "Picture.dot, Picture.mermaid, or .save() to .dot or .mmd"
)


def render(dot: str, kind: str) -> bytes:
    """Return the picture that Graphviz makes of `dot`.

    Parameters
    ----------
    dot : str
        A graph in DOT.
    kind : str
        ``"svg"``, ``"png"`` or ``"pdf"``.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message has its last words.
    """
    failures = []
    for engine, command in _engines(kind):
        try:
            run = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{engine} did not start: {error}")
            continue
        if run.returncode == 0 and run.stdout:
            return run.stdout
        failures.append(f"{engine} failed: {_last_words(run.stderr)}")
    raise LayoutError(f"{'; '.join(failures) or 'no Graphviz was found'}. {_REMEDY}")


def _engines(kind: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each Graphviz there is, the preferred one first."""
    options = _OPTIONS.get(kind, [])
    if dot := shutil.which("dot"):
        yield dot, [dot, f"-T{kind}", *options]
    if sys.executable and find_spec("pygraphviz"):
        python = [sys.executable, "-P", "-W", "ignore"]  # -P: no module of the working folder
        yield "the Graphviz in pygraphviz", [*python, "-c", _BUNDLED, kind, *options]


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave neither a picture nor a reason"
