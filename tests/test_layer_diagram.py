"""The layer diagram of the documentation agrees with the import contract of the linter."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: A page with the diagram: a comment, then a block of text.
DIAGRAM = re.compile(r"<!-- layers -->\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def contract_layers() -> list[set[str]]:
    """Return the modules of each layer of the import contract, from top to bottom."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [contract] = tools["importlinter"]["contracts"]
    return [
        {module.removeprefix("scalargrad.") for module in layer.split(" | ")}
        for layer in contract["layers"]
    ]


def diagram_layers(diagram: str) -> list[set[str]]:
    """Return the modules of each row of a diagram; rules of dashes separate groups of rows."""
    rows = [row for row in diagram.splitlines() if not row.startswith("─")]
    return [set(re.split(r"\s{2,}", row)[0].split(" | ")) for row in rows]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explained/map.md"])
def test_layer_diagram_agrees_with_the_import_contract(page: str) -> None:
    """Each row has the modules of one layer in `pyproject.toml`, in the same order."""
    [diagram] = DIAGRAM.findall((ROOT / page).read_text(encoding="utf-8"))
    assert diagram_layers(diagram) == contract_layers()
