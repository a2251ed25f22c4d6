"""Build the playground: its files, scalargrad's sources, Pyodide and Graphviz.

The variables PYODIDE and GRAPHVIZ_WASM have the folders of the last two, unpacked npm packages that
.ci/npm-packages downloads. Node starts Python once to take a snapshot of its memory. Without these
packages the page names what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

import graphviz
import rich
from sphinx.application import Sphinx

import scalargrad
from scalargrad.puzzles import PUZZLES
from scalargrad.show.html import fill_template, read_resource

#: For each variable that names an npm package: its name, its folder in the site, and its files.
PARTS = {
    "PYODIDE": (
        "Pyodide",
        "pyodide",
        ["pyodide*.mjs", "*.wasm", "*.zip", "*lock.json", "README.md"],
    ),
    "GRAPHVIZ_WASM": ("Graphviz", "graphviz", ["dist/*.js", "LICENSE"]),
}


def build_playground(app: Sphinx, _error: Exception | None) -> None:
    """Write the folder of the playground into the site."""
    own, folder = Path(app.srcdir) / "playground", Path(app.outdir) / "playground"
    folder.mkdir(exist_ok=True)
    missing = [name for name in PARTS if not os.environ.get(name)]
    note = (
        f"This site was built without {' and '.join(PARTS[name][0] for name in missing)}: "
        f".ci/npm-packages downloads them, and {' and '.join(missing)} name their folders for the "
        "build."
    )
    for path in own.iterdir():
        if path.suffix in {".css", ".js"}:
            shutil.copy(path, folder)
    puzzles = [(puzzle.title, puzzle.program) for puzzle in PUZZLES]
    slots = {"missing": note if missing else "", "puzzles": json.dumps(puzzles)}
    page = fill_template(
        (own / "index.html").read_text("utf-8"), {name: escape(x) for name, x in slots.items()}
    )
    (folder / "index.html").write_text(page, "utf-8")
    (folder / "look.css").write_text(read_resource("scalargrad.show.html", "look.css"), "utf-8")
    if missing:
        return
    for name, (_, place, files) in PARTS.items():
        (folder / place).mkdir(exist_ok=True)
        for path in (path for file in files for path in Path(os.environ[name]).glob(file)):
            shutil.copy(path, folder / place)
    with zipfile.ZipFile(folder / "python.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(own / "playground.py", "playground.py")
        for path, name in _sources():
            archive.write(path, name)
    subprocess.run(["node", own / "memory.mjs", folder], check=True)


def _sources() -> Iterator[tuple[Path, str]]:
    """Yield the files of scalargrad and its dependencies, and their names in the archive."""
    for package in (scalargrad, graphviz, rich):
        root = Path(package.__path__[0])
        for path in root.rglob("*.*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, f"{root.name}/{path.relative_to(root).as_posix()}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step after the pages are written."""
    app.connect("build-finished", build_playground)
    return {"parallel_read_safe": True}
