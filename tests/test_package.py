"""The package: what it offers, and what it says of what is not installed."""

from __future__ import annotations

import inspect
import pydoc
import re
import subprocess
import sys

import pytest

import scalargrad
from scalargrad import errors, ops


def test_every_operation_is_listed_in_the_package() -> None:
    """`from scalargrad import *` brings every operation, and nothing but public names."""
    assert set(ops.__all__) - {"TABLE"} <= set(scalargrad.__all__)
    assert all(hasattr(scalargrad, name) for name in scalargrad.__all__)
    assert {"Value", "draw", "walk"} <= set(scalargrad.__all__)


def test_all_that_is_loaded_later_and_every_error_is_listed_in_the_package() -> None:
    """Nothing that the package offers, or that a Raises section names, has to be searched for."""
    raised = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ScalargradError)
    }
    offered = {name for name in dir(scalargrad) if not name.startswith("_")}
    assert offered | raised <= set(scalargrad.__all__)
    assert "DomainError" in raised


_WITHOUT_NUMPY = """
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
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_NUMPY], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"{name} needs numpy: python -m pip install numpy" for name in ("jit", "watch")
    ]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("exp", "(x)"),
        ("where", "(condition, x, other)"),
        ("dot", "(w, x, bias=None)"),
        ("clip", "(x, min=None, max=None)"),
        ("maximum", "(*values)"),
    ],
)
def test_operations_show_how_they_are_called(name: str, call: str) -> None:
    """`help`, editors and the operation's own text give its parameters."""
    op = getattr(scalargrad, name)
    assert str(inspect.signature(op)) == call
    assert repr(op) == f"<operation {name}{call}>"
    assert f"{name} = <operation {name}{call}>" in pydoc.plain(pydoc.render_doc(op))


def test_a_kind_of_operation_has_no_signature_of_its_own() -> None:
    """The class is called to declare an operation, and shows how."""
    kind = type(scalargrad.exp)
    assert not hasattr(kind, "__signature__")
    assert {"function", "partials"} <= set(inspect.signature(kind).parameters)


def test_help_on_the_package_begins_with_a_tour() -> None:
    """The first screen says what there is, by name; every name of the tour exists."""
    text = pydoc.plain(pydoc.render_doc(scalargrad))
    tour = text[: text.index("PACKAGE CONTENTS")]
    assert all(word in tour for word in ("walk", ".save", "jit", "fit"))
    for name in re.findall(r"`(\w+)[`.]", scalargrad.__doc__ or ""):
        assert hasattr(scalargrad, name) or hasattr(scalargrad.Value, name), name
    listed = text[text.index("FUNCTIONS\n") :]
    assert all(f"    {name}(" in listed for name in ("grad", "jit", "walk"))
