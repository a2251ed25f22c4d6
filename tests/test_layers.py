"""The package is quick to import and loads heavy parts only when they are used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import scalargrad


def test_importing_the_core_loads_nothing_heavy() -> None:
    """NumPy, Matplotlib, Rich, Graphviz and the parser stay unloaded until they are used."""
    heavy = ["numpy", "matplotlib", "rich", "typer", "graphviz", "pygraphviz", "dataclasses"]
    heavy.append("scalargrad.expression")
    if sys.version_info < (3, 14):  # from then on, Python's own NamedTuple loads it
        heavy.append("ast")
    program = f"import sys, scalargrad; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["draw", "nn", "parse", "walk"])
def test_names_loaded_later_are_public_and_stay_what_they_are(name: str) -> None:
    """A lazily loaded name is listed, and is the same object each time."""
    assert name in dir(scalargrad)
    assert getattr(scalargrad, name) is getattr(scalargrad, name)


def test_functions_are_not_replaced_by_modules_of_the_same_name() -> None:
    """Importing inner modules first leaves the public functions callable."""
    program = (
        "import scalargrad.show.steps, scalargrad.show.graphs;"
        "import scalargrad.transforms.differences, scalargrad;"
        "print(*map(callable, (scalargrad.walk, scalargrad.draw, scalargrad.gradcheck)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"] * 3


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy loader does not swallow misspelt names."""
    with pytest.raises(AttributeError, match="gradd"):
        scalargrad.gradd  # type: ignore[attr-defined] # noqa: B018


def test_the_version_is_the_newest_of_the_changelog() -> None:
    """The package, from which wheel and sdist take their version, and the changelog agree."""
    changelog = Path(__file__).parent.parent.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## \[(\S+)\]", changelog, re.MULTILINE)
    assert scalargrad.__version__ == newest
