"""The core runs without a compiler and without wheels: in WebAssembly, as in a browser."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.wide

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "src"
BASE = ["graphviz", "markdown_it", "mdurl", "pygments", "rich"]


def test_smoke_program_runs_in_pyodide(tmp_path: Path) -> None:
    """Graphs, derivatives, a formula and training, with the dependencies of the core only."""
    pyodide, node = os.environ.get("PYODIDE"), shutil.which("node")
    if not pyodide or not node:
        pytest.skip("PYODIDE names no folder of npm's pyodide, or there is no node to run it")
    for name in BASE:
        (folder,) = importlib.import_module(name).__path__
        shutil.copytree(folder, tmp_path / name)
    done = subprocess.run(
        [node, HERE / "pyodide.mjs", pyodide, HERE / "smoke.py", SOURCES, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.splitlines()[-1:] == ["the core works"], done.stderr
