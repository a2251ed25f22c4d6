"""The package: its names, its lazy imports, and its messages for missing packages."""

from __future__ import annotations

import builtins
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scalargrad
from scalargrad import errors, ops


def run_program(program: str, *options: str) -> str:
    """Return the output of a program in its own process."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_all_lists_every_public_name() -> None:
    """`from scalargrad import *` brings operations and errors, and shadows no builtin."""
    error_names = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ScalargradError)
    }
    public = {name for name in dir(scalargrad) if not name.startswith("_")}
    operations = set(ops.__all__) - {"TABLE"}
    assert public >= operations
    assert public | error_names == set(scalargrad.__all__) | {"abs", "pow", "sum"}
    assert not set(scalargrad.__all__) & vars(builtins).keys()
    assert {"Value", "draw", "walk", "DomainError"} <= set(scalargrad.__all__)
    assert [name for name in scalargrad.__all__ if not hasattr(scalargrad, name)] == []
    with pytest.raises(AttributeError, match="gradd"):
        scalargrad.gradd  # type: ignore[attr-defined] # noqa: B018


def test_import_of_the_package_loads_no_heavy_module() -> None:
    """NumPy, Matplotlib, Rich, Graphviz and the parser are not loaded until they are used."""
    heavy = ["numpy", "matplotlib", "rich", "typer", "graphviz", "resvg_py", "dataclasses"]
    heavy.append("scalargrad.expression")
    if sys.version_info < (3, 14):  # from then on, Python's own NamedTuple loads it
        heavy.append("ast")
    program = f"import sys, scalargrad; print([m for m in {heavy!r} if m in sys.modules])"
    assert run_program(f"import sys; sys.path[:0] = {sys.path!r}; {program}", "-S").strip() == "[]"


WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import scalargrad
scalargrad.draw, scalargrad.nn, scalargrad.disable_jit
for name in ("jit", "watch"):
    try:
        getattr(scalargrad, name)
    except scalargrad.MissingPackageError as error:
        print(error)
"""


def test_jit_and_watch_without_numpy_say_how_to_install_it() -> None:
    """Everything else works without NumPy."""
    assert run_program(WITHOUT_NUMPY).splitlines() == [
        f"{name} needs numpy: python -m pip install numpy" for name in ("jit", "watch")
    ]


def test_version_is_the_newest_of_the_changelog() -> None:
    """The package, from which wheel and sdist take their version, and the changelog agree."""
    changelog = Path(__file__).parent.parent.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## \[(\S+)\]", changelog, re.MULTILINE)
    assert scalargrad.__version__ == newest


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("dot", "(w, x, bias=None)"),
        ("maximum", "(*values)"),
    ],
)
def test_operation_signature_repr_and_help_agree(name: str, call: str) -> None:
    """`help`, editors and repr show the same parameters."""
    op = getattr(scalargrad, name)
    assert str(inspect.signature(op)) == call
    assert repr(op) == f"<operation {name}{call}>"
    assert f"{name} = <operation {name}{call}>" in pydoc.plain(pydoc.render_doc(op))
