"""Turn DOT into pictures with Graphviz: that of the pygraphviz wheel, else the system's.

The wheel's is preferred because its version is known; Graphviz before 2.50 omits from SVG the ids
of table cells, by which pages and scripts find values. Both run in a process of their own, so that
messages can be captured, slow layouts interrupted, and no threads share Graphviz's global state.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from scalargrad.errors import LayoutError
from scalargrad.show.graphs.inks import FONTS

#: Dots per inch of a PNG: twice the usual, for sharp text on today's screens.
DPI = 192

PYTHON = [sys.executable, "-P", "-W", "ignore"]  # -P: no module of the working folder
# Standard output is opened anew: where PYTHONUNBUFFERED is set, sys.stdout drops the rest of a
# write that was cut short, as by Ctrl-Z.
BUNDLED = """
import sys
from pygraphviz import AGraph

kind, *options = sys.argv[1:]
graph = AGraph(string=sys.stdin.buffer.read().decode())
with open(1, "wb", closefd=False) as out:
    out.write(graph.draw(format=kind, prog="dot", args=" ".join(options)))
"""

BUNDLED_EACH = """
import json, sys
from pygraphviz import AGraph

kind, *options = sys.argv[1:]
drawn = [
    AGraph(string=dot).draw(format=kind, prog="dot", args=" ".join(options)).decode()
    for dot in json.load(sys.stdin)
]
with open(1, "w", closefd=False) as out:
    json.dump(drawn, out)
"""

_TEXT = (
    "DOT and Mermaid text need neither: Picture.dot, Picture.mermaid, or .save() to .dot or .mmd"
)
_REMEDY = (
    "Install pygraphviz, whose wheels bring Graphviz (python -m pip install pygraphviz), or "
    f"Graphviz itself (https://graphviz.org/download). {_TEXT}"
)
BARE = [*PYTHON, str(Path(__file__).with_name("bare_graphviz.py"))]
#: The formats that need no fonts.
_WITHOUT_FONTS = ("svg", "json0")
#: What Linux says of a library that a program needs; a small container lacks those of X and GLib.
_LACKS_LIBRARY = "cannot open shared object file"
_LIBRARIES = (
    "On Debian or Ubuntu, apt install libglib2.0-0 libxext6 libxrender1 brings what the wheels of "
    f"pygraphviz need, and apt install graphviz another Graphviz. {_TEXT}"
)


def render(dot: str, kind: str, dpi: int = DPI) -> bytes:
    """Return the picture that Graphviz makes of `dot`.

    Parameters
    ----------
    dot : str
        A graph in DOT.
    kind : str
        ``"svg"``, ``"png"`` or ``"pdf"``.
    dpi : int
        Dots per inch of a PNG.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message includes its last line.
    """
    failures = []
    for engine, command in _engines(kind, dpi):
        try:
            run = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{engine} did not start: {error}")
            continue
        if run.returncode == 0 and run.stdout:
            return run.stdout
        failures.append(f"{engine} failed: {_last_words(run.stderr)}")
    found = "; ".join(failures) or "no Graphviz was found"
    raise LayoutError(f"{found}. {_LIBRARIES if _LACKS_LIBRARY in found else _REMEDY}")


def render_each(dots: Sequence[str], kind: str) -> list[str]:
    """Return the output of Graphviz for each graph, as text; equal graphs are laid out once.

    The Graphviz of pygraphviz is started once for all of them.

    Parameters
    ----------
    dots : sequence of str
        Graphs in DOT.
    kind : str
        A text format: ``"svg"`` or ``"json0"``.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message has its last words.
    """
    different = list(dict.fromkeys(dots))
    if len(different) > 1 and find_spec("pygraphviz"):
        commands = [[*PYTHON, "-c", BUNDLED_EACH, kind]]
        if not shutil.which("dot"):
            commands.append([*BARE, kind, FONTS, "each"])
        for command in commands:
            run = subprocess.run(
                command, input=json.dumps(different).encode(), capture_output=True, check=False
            )
            if run.returncode == 0:
                return _in_order(dots, dict(zip(different, json.loads(run.stdout), strict=True)))
    return _in_order(dots, {dot: render(dot, kind).decode() for dot in different})


def _in_order(dots: Sequence[str], drawn: dict[str, str]) -> list[str]:
    return [drawn[dot] for dot in dots]


def _engines(kind: str, dpi: int = DPI) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each installed Graphviz, the preferred one first."""
    options = [f"-Gdpi={dpi}"] if kind == "png" else []
    if sys.executable and find_spec("pygraphviz"):
        yield "the Graphviz in pygraphviz", [*PYTHON, "-c", BUNDLED, kind, *options]
    if dot := shutil.which("dot"):
        yield dot, [dot, f"-T{kind}", *options]
    if sys.executable and kind in _WITHOUT_FONTS and find_spec("pygraphviz"):
        yield "the same without fonts", [*BARE, kind, FONTS]


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave neither a picture nor a reason"
