"""How files hang together: no circle of imports, and names that mean one thing."""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "scalargrad"


def reached(imports: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Return the modules that one imports, directly or not."""
    found, ahead = set[str](), [start]
    while ahead:
        new = set(imports[ahead.pop()]) - found
        found |= new
        ahead += new
    return found


def circles(imports: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Return the groups of modules of which each imports every other, directly or not."""
    reach = {module: reached(imports, module) for module in imports}
    groups = {
        frozenset(other for other in reach[module] if module in reach[other]) for module in imports
    }
    return [set(group) for group in sorted(groups, key=sorted) if len(group) > 1]


def test_circles_are_found() -> None:
    """Two files that import each other through a third are a circle; a file all read is not."""
    imports = {"a": ["b", "base"], "b": ["c"], "c": ["a"], "base": [], "d": ["a", "base"]}
    assert circles(imports) == [{"a", "b", "c"}]


def test_no_circle_of_imports_comes_back() -> None:
    """Not even for types: but for the hand-overs that the linter lists, imports point one way."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("scalargrad", cache_dir=None)
    imports = {x: graph.find_modules_directly_imported_by(x) for x in graph.modules}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for allowed in settings["tool"]["importlinter"]["contracts"][0]["ignore_imports"]:
        importer, imported = allowed.split(" -> ")
        imports[importer] = imports[importer] - {imported}
    found = [{x.removeprefix("scalargrad.") for x in group} for group in circles(imports)]
    assert found == []


#: Classes of one name, both public: `walk` yields a Step, and `nn.Step` is PyTorch's kind of name
#: for the activation that is a step.
CLASSES_OF_ONE_NAME = {"Step"}


def repeated(places: Mapping[str, list[Path]]) -> set[str]:
    """Return the names that more than one place has."""
    return {name for name, found in places.items() if len(found) > 1}


def test_a_name_means_one_file_and_one_class() -> None:
    """A reader who searches for a name finds the one thing it names, but for one listed."""
    files, classes = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
    for path in SOURCE.rglob("*.py"):
        if path.name != "__init__.py":
            files[path.name].append(path)
        for part in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(part, ast.ClassDef):
                classes[part.name].append(path)
    assert repeated(files) == set()
    assert repeated(classes) == CLASSES_OF_ONE_NAME
