"""The reference names everything public, and packages say what is public."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import scalargrad
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "reference").rglob("*.rst"))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

_PACKAGE = re.compile(r"^\.\. package:: (\S+)\n(?:\n((?:   .+\n)+))?", re.MULTILINE)


def documented() -> Iterator[Any]:
    """Yield every object that a page of the reference describes."""
    for name, chosen in _PACKAGE.findall(TEXT):
        module = importlib.import_module(name)
        for word in chosen.split() or module.__all__:
            yield getattr(module, word)
    for family in re.findall(r"^\.\. operations:: (\w+)", TEXT, re.MULTILINE):
        module = importlib.import_module(f"scalargrad.ops.{family}")
        yield from (getattr(module, word) for word in module.__all__)


def packages() -> list[ModuleType]:
    """Return the package and every part of it that says what is public."""
    parts = pkgutil.walk_packages(scalargrad.__path__, "scalargrad.")
    inner = ("scalargrad.cli", "scalargrad.ops", "scalargrad.table")
    listed = [part.name for part in parts if not part.name.startswith(inner)]
    modules = [scalargrad, *map(importlib.import_module, listed)]
    return [module for module in modules if "__all__" in vars(module)]


PACKAGES = packages()


@pytest.mark.parametrize("module", PACKAGES, ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    """What a package lists in `__all__` has a page under docs/reference."""
    found = {id(thing) for thing in documented()}
    public = {name: getattr(module, name) for name in module.__all__ if name != "TABLE"}
    missing = [
        name
        for name, thing in public.items()
        if id(thing) not in found and not isinstance(thing, ModuleType)
    ]
    assert not missing


def test_every_operation_is_in_the_reference() -> None:
    """Each entry of the table is on the page of its family, and the pages hang together."""
    found = {id(thing) for thing in documented()}
    assert not [name for name, op in TABLE.items() if id(op) not in found]
    index = (ROOT / "docs" / "reference" / "operations" / "index.rst").read_text(encoding="utf-8")
    families = re.findall(r"^\.\. operations:: (\w+)", TEXT, re.MULTILINE)
    assert all(f"\n   {family}\n" in index for family in families)


@pytest.mark.parametrize(
    "module",
    [m for m in PACKAGES if m is not scalargrad and hasattr(m, "__path__")],
    ids=lambda module: module.__name__,
)
def test_a_package_lists_what_it_offers(module: ModuleType) -> None:
    """Every `from … import name as name` of a package is in its `__all__`, for help and dir."""
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    offered = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert offered == set(module.__all__)
    assert offered <= set(dir(module))


def test_the_error_catalogue_has_every_class() -> None:
    """Each error and warning has a heading on the page, above a case that is run."""
    page = (ROOT / "docs" / "explained" / "errors.md").read_text(encoding="utf-8")
    words = {w for line in page.splitlines() if line.startswith("## ") for w in line.split()}
    named = {word.strip(",()") for word in words}
    assert set(scalargrad.errors.__all__) - {"ScalargradError"} <= named


def test_operations_are_shown_as_compiled_functions_run_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As LLVM IR and NumPy code, but for reductions and what fills more than a page."""
    pytest.importorskip("numpy")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    shown = importlib.import_module("compiled_code")
    elementwise = [op for op in TABLE.values() if isinstance(op, Elementwise)]
    without = {op.name for op in elementwise if not shown.llvm_lines(op)}
    assert without <= {"lgamma", "digamma", "betaln"}
    assert {op.name for op in elementwise if not shown.numpy_lines(op)} <= {"betaln"}
    assert "fdiv <8 x double> %a, %b" in "\n".join(shown.llvm_lines(TABLE["div"]))
