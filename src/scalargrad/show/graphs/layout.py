"""Place shapes with Graphviz: that of the package graphviz-pure, else the system's.

The package's goes first because its version is known, so that pictures are alike everywhere. Both
are programs, so that messages can be captured, slow layouts interrupted, and no threads share
state. The system's also writes PNG and PDF, where there is no resvg or no fpdf2 for `conversion`.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence

from scalargrad.errors import LayoutError

#: Called with DOT and a format where no program can be started: the playground's page, which
#: runs in a browser, sets it to Graphviz as WebAssembly.
in_process: Callable[[str, str], str] | None = None

#: Dots per inch of a PNG: twice the usual, for sharp text on today's screens.
DPI = 192

_DOWNLOAD = "Graphviz itself (https://graphviz.org/download)"
_REMEDY = (
    "Install graphviz-pure, a Graphviz without other libraries (python -m pip install "
    f"graphviz-pure), or {_DOWNLOAD}. DOT and Mermaid text need neither: Picture.dot, "
    "Picture.mermaid, or .save() to .dot or .mmd"
)
_REMEDIES = {
    "png": f"PNG needs two packages (python -m pip install resvg-py fontpkg-arimo), or {_DOWNLOAD}",
    "pdf": f"PDF needs two packages (python -m pip install fpdf2 fontpkg-arimo), or {_DOWNLOAD}",
}
#: The format of places, and how a graph ends in it.
_PLACES, _END = "json0", "\n}\n"


def render(dot: str, kind: str, dpi: int = DPI) -> bytes:
    """Return the picture that Graphviz makes of `dot`.

    Parameters
    ----------
    dot : str
        A graph in DOT.
    kind : str
        ``"json0"``, ``"png"`` or ``"pdf"``.
    dpi : int
        Dots per inch of a PNG.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message includes its last line.
    """
    if in_process is not None and kind == _PLACES:
        return in_process(dot, kind).encode()
    failures = []
    options = [f"-Gdpi={dpi}"] if kind == "png" else []
    for program in _programs(kind):
        command = [program, f"-T{kind}", *options]
        try:
            run = subprocess.run(command, input=dot.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{program} did not start: {error}")
            continue
        if run.returncode == 0 and run.stdout:
            return run.stdout
        failures.append(f"{program} failed: {_last_words(run.stderr)}")
    found = "; ".join(failures) or "no Graphviz was found"
    raise LayoutError(f"{found}. {_REMEDIES.get(kind, _REMEDY)}")


def places(dots: Sequence[str]) -> list[str]:
    """Return where Graphviz places the shapes and lines of each graph, as JSON.

    Graphviz is started once for all of them, and lays out equal graphs once.

    Raises
    ------
    LayoutError
        If there is no Graphviz, or none that succeeds; the message has its last words.
    """
    if not dots:
        return []
    if in_process is not None:  # it reads one graph at a time
        return [render(dot, _PLACES).decode() for dot in dots]
    different = list(dict.fromkeys(dots))
    text = render("\n".join(different), _PLACES).decode().replace("\r\n", "\n")
    found = dict(zip(different, text.split(_END)[:-1], strict=True))
    return [found[dot] + _END for dot in dots]


def _programs(kind: str) -> Iterator[str]:
    """Yield each installed program of Graphviz that writes this format, the preferred first."""
    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    if kind == _PLACES:
        yield from (str(file.locate()) for file in files if file.stem == "graphviz-pure")
    if dot := shutil.which("dot"):
        yield dot


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave neither a picture nor a reason"
