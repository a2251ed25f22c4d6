"""How files hang together: no circle of imports, and names that mean one thing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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


#: What is read for references: code, prose and scripts, but no pages and sites made from them.
FOLDERS = ("src", "tests", "docs", "notebooks", "benchmarks", "examples", "fuzz")
KINDS = {".py", ".md", ".ipynb", ".js", ".css", ".html", ".toml"}
MADE = {ROOT / "docs" / "pages", ROOT / "docs" / "_build"}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the text files of the project, with their paths."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    found += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    for path in found:
        if path.suffix in KINDS and MADE.isdisjoint(path.parents):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def names_something(reference: str) -> bool:
    """Return whether a dotted name is a module, or a name that occurs in the text of one."""
    place = SOURCE
    for name in reference.split(".")[1:]:
        if (place / name).is_dir():
            place /= name
            continue
        file = place / f"{name}.py"
        if file.exists():
            place = file
            continue
        if place.is_dir() and name.islower() and not reference.endswith(name):
            return False
        text = (place / "__init__.py" if place.is_dir() else place).read_text("utf-8")
        return re.search(rf"\b{name}\b", text) is not None
    return True


def test_a_module_that_does_not_exist_is_noticed() -> None:
    """Modules and what they hold are found; a folder, a file or a name of former times is not."""
    there = ["scalargrad.table.printing", "scalargrad.nn", "scalargrad.graph.topological_order"]
    gone = ["scalargrad.steps.partials", "scalargrad.ops.printing", "scalargrad.graph.no_such"]
    assert [names_something(x) for x in there + gone] == [True] * 3 + [False] * 3


def test_no_text_names_a_module_that_has_gone() -> None:
    """Dotted names of two levels or more, in code, comments and prose, lead somewhere."""
    dotted = re.compile(r"(?<![\w./-])scalargrad(?:\.[A-Za-z_]\w*){2,}")
    here = Path(__file__).relative_to(ROOT).as_posix()
    found = {
        f"{path}: {reference}"
        for path, text in texts()
        if path != here
        for reference in dotted.findall(text)
        if not names_something(reference)
    }
    assert found == set()


def test_no_text_names_a_file_that_has_gone() -> None:
    """Where a file is named with its folder, such a file exists."""
    named = re.compile(r"(?<![\w/.*{}<>-])(?:[\w-]+/)+\w+\.(?:py|js|css|ipynb)\b")
    exist = {"/" + x.relative_to(ROOT).as_posix() for f in FOLDERS for x in (ROOT / f).rglob("*.*")}
    ends = {path[i:] for path in exist for i, letter in enumerate(path) if letter == "/"}
    found = {f"{path}: {x}" for path, text in texts() for x in named.findall(text)}
    assert {x for x in found if f"/{x.partition(': ')[2]}" not in ends} == set()
