"""The package: what it offers, what it loads when, and what it says of what is not installed."""

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


def printed(program: str, *options: str) -> str:
    """Return what a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_all_that_is_offered_is_listed_in_the_package() -> None:
    """`from scalargrad import *` brings operations and errors, and shadows no builtin."""
    raised = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ScalargradError)
    }
    offered = {name for name in dir(scalargrad) if not name.startswith("_")}
    operations = set(ops.__all__) - {"TABLE"}
    assert offered >= operations
    assert offered | raised == set(scalargrad.__all__) | {"abs", "pow", "sum"}
    assert not set(scalargrad.__all__) & vars(builtins).keys()
    assert {"Value", "draw", "walk", "DomainError"} <= set(scalargrad.__all__)
    for name in scalargrad.__all__:
        assert getattr(scalargrad, name) is getattr(scalargrad, name)
    with pytest.raises(AttributeError, match="gradd"):
        scalargrad.gradd  # type: ignore[attr-defined] # noqa: B018


def test_importing_the_core_loads_nothing_heavy() -> None:
    """NumPy, Matplotlib, Rich, Graphviz and the parser stay unloaded until they are used."""
    heavy = ["numpy", "matplotlib", "rich", "typer", "graphviz", "resvg_py", "dataclasses"]
    heavy.append("scalargrad.expression")
    if sys.version_info < (3, 14):  # from then on, Python's own NamedTuple loads it
        heavy.append("ast")
    program = f"import sys, scalargrad; print([m for m in {heavy!r} if m in sys.modules])"
    assert printed(f"import sys; sys.path[:0] = {sys.path!r}; {program}", "-S").strip() == "[]"


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


def test_what_needs_numpy_says_so_where_it_is_missing() -> None:
    """The base installation has everything else, and the message is the command to type."""
    assert printed(WITHOUT_NUMPY).splitlines() == [
        f"{name} needs numpy: python -m pip install numpy" for name in ("jit", "watch")
    ]


def test_the_version_is_the_newest_of_the_changelog() -> None:
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
def test_operations_show_how_they_are_called(name: str, call: str) -> None:
    """`help`, editors and the operation's own text give its parameters."""
    op = getattr(scalargrad, name)
    assert str(inspect.signature(op)) == call
    assert repr(op) == f"<operation {name}{call}>"
    assert f"{name} = <operation {name}{call}>" in pydoc.plain(pydoc.render_doc(op))
