"""Run a notebook from top to bottom, as Jupyter does: python tests/run_notebook.py NOTEBOOK.

IPython's shell, which a Jupyter kernel wraps, runs the cells and makes every representation of
their results. A start takes a third of the time, without the messages of a kernel.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(notebook: Path) -> int:
    """Run the cells; return 1 at the first failure, whose traceback is printed."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    no_history = Config({"HistoryManager": {"enabled": False}})
    shell: Any = InteractiveShell.instance(config=no_history)
    shell.display_formatter.active_types = shell.display_formatter.format_types
    os.chdir(notebook.parent)
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            done = shell.run_cell("".join(cell["source"]), store_history=True)
            if not done.success:
                print(f"cell {number} of {notebook.name} failed")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
