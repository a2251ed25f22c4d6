"""The reference describes every public name, and packages list their public names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.inner import TABLE, FixedArityOperation

import scalargrad

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in sorted(REFERENCE.rglob("*.rst")))
FAMILIES = re.findall(r"^\.\. operations:: (\w+)", TEXT, re.MULTILINE)

_PACKAGE = re.compile(r"^\.\. package:: (\S+)\n(?:\n((?:   .+\n)+))?", re.MULTILINE)
#: The packages that have a page.
PACKAGES = sorted({name for name, _ in _PACKAGE.findall(TEXT)})


def documented() -> Iterator[Any]:
    """Yield every object that a page of the reference describes."""
    for name, chosen in _PACKAGE.findall(TEXT):
        module = importlib.import_module(name)
        for word in chosen.split() or module.__all__:
            yield getattr(module, word)
    for family in FAMILIES:
        module = importlib.import_module(f"scalargrad.ops.{family}")
        yield from (getattr(module, word) for word in module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_reference_describes_every_public_name(package: str) -> None:
    """Every name in `__all__` of a package exists and is described."""
    module = importlib.import_module(package)
    found = {id(thing) for thing in documented()}
    public = {name: getattr(module, name) for name in module.__all__}
    parts = {name for name, thing in public.items() if isinstance(thing, ModuleType)}
    assert {name for name, thing in public.items() if id(thing) not in found} <= parts
    assert set(public) <= set(dir(module))


def test_reference_describes_every_operation() -> None:
    """Each is on the page of its family, and the index lists every family."""
    found = {id(thing) for thing in documented()}
    assert not [name for name, op in TABLE.items() if id(op) not in found]
    index = (REFERENCE / "operations" / "index.rst").read_text(encoding="utf-8")
    assert all(f"\n   {family}\n" in index for family in FAMILIES)


def test_errors_page_has_every_class() -> None:
    """Each error and warning has a heading on the page."""
    page = (ROOT / "docs" / "explained" / "errors.md").read_text(encoding="utf-8")
    words = {w for line in page.splitlines() if line.startswith("## ") for w in line.split()}
    named = {word.strip(",()") for word in words}
    assert set(scalargrad.errors.__all__) - {"ScalargradError"} <= named


def test_reference_shows_the_compiled_code_of_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As LLVM IR, but for reductions and code that fills more than a page."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    shown = importlib.import_module("compiled_code")
    elementwise = [op for op in TABLE.values() if isinstance(op, FixedArityOperation)]
    without = {op.name for op in elementwise if not shown.llvm_lines(op)}
    assert without <= {"lgamma", "digamma", "betaln", "log_ndtr"}
    assert "fdiv <8 x double> %a, %b" in "\n".join(shown.llvm_lines(TABLE["div"]))
