"""Structure of the files: public imports in tests, live references, no import cycles."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import grimp
from tests.test_reference import PACKAGES

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "scalargrad"


#: Modules that tests may import: those in the reference, all operations, the command line.
PUBLIC_MODULES = {*PACKAGES, "scalargrad.ops", "scalargrad.cli"}
#: Names that these modules list; some have the name of their module.
NAMES = {f"{x}.{name}" for x in PUBLIC_MODULES for name in getattr(import_module(x), "__all__", ())}
#: The only file that imports inner names.
INNER = ROOT / "tests" / "inner.py"
#: Maximum number of inner names.
MAX_INNER_NAMES = 40
NESTS = ROOT / "tests" / "compiler" / "nests.py"  # has no public names yet


def module_of(name: str) -> str:
    """Return the module of a dotted name."""
    while not (path := SOURCE.parent / name.replace(".", "/")).is_dir():
        if path.with_suffix(".py").exists():
            break
        name = name.rpartition(".")[0]
    return name


def inner_modules(names: Iterable[str]) -> set[str]:
    """Return the modules of the package among dotted names that are not public."""
    return {
        module_of(x) for x in names if re.match(r"scalargrad\b", x) and x not in NAMES
    } - PUBLIC_MODULES


def find_inner_uses(text: str) -> list[str]:
    """Return the inner modules that a test file imports or patches."""
    imported, targets = dict[str, str](), list[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {x.asname or x.name: x.name for x in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {x.asname or x.name: f"{node.module}.{x.name}" for x in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr":
            where = node.args[0]  # a dotted name, or one as text
            if isinstance(where, ast.Constant):
                targets.append(str(where.value))
            else:
                first, dot, rest = ast.unparse(where).partition(".")
                targets.append(imported.get(first, first) + dot + rest)
    wrong = [f"imports {module}" for module in sorted(inner_modules(imported.values()))]
    return wrong + [f"sets a name of {module}" for module in sorted(inner_modules(targets))]


def test_tests_import_documented_names() -> None:
    """A rewrite of an inner part needs no change of a test; one file lists the exceptions."""
    found = {
        path.relative_to(ROOT).as_posix(): wrong
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path not in {INNER, NESTS} and (wrong := find_inner_uses(path.read_text("utf-8")))
    }
    assert found == {}
    (names,) = re.findall(r"__all__ = \[(.*?)\]", INNER.read_text("utf-8"), re.DOTALL)
    assert len(names.split()) <= MAX_INNER_NAMES


#: Folders whose texts are searched for references.
FOLDERS = ("src", "tests", "docs", "notebooks", "benchmarks", "examples", "fuzz")
KINDS = {".py", ".md", ".ipynb", ".js", ".css", ".html", ".toml"}
GENERATED = {ROOT / "docs" / "pages", ROOT / "docs" / "_build"}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the text files of the project with their paths."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    found += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    for path in found:
        if path.suffix in KINDS and GENERATED.isdisjoint(path.parents) and path != Path(__file__):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def reference_exists(reference: str) -> bool:
    """Return True if a dotted name is a module, or a name that occurs in the text of one."""
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
        files = place.glob("*.py") if place.is_dir() else [place]  # some list their own names
        return any(re.search(rf"\b{name}\b", x.read_text("utf-8")) for x in files)
    return True


def test_dotted_names_in_texts_exist() -> None:
    """Dotted names of two levels or more, in code, comments and prose, exist."""
    present = [
        "scalargrad.codegen.formulas",
        "scalargrad.nn",
        "scalargrad.graph.topological_order",
    ]
    gone = [
        "scalargrad.steps.partials",
        "scalargrad.ops.printing",
        "scalargrad.graph.no_such",
    ]
    assert [reference_exists(x) for x in present + gone] == [True] * 3 + [False] * 3
    dotted = re.compile(r"(?<![\w./-])scalargrad(?:\.[A-Za-z_]\w*){2,}")
    found = {
        f"{path}: {reference}"
        for path, text in texts()
        for reference in dotted.findall(text)
        if not reference_exists(reference)
    }
    assert found == set()


#: Where the recorder is asked for. Other modules declare traced forms by `trace_as`.
ASKING = ("engine", "codegen", "transforms", "compiler")


def imported_names(text: str) -> set[str]:
    """Return the full names that a module imports."""
    nodes = [*ast.walk(ast.parse(text))]
    modules = {x.name for node in nodes if isinstance(node, ast.Import) for x in node.names}
    return modules | {
        f"{node.module}.{x.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for x in node.names
    }


def test_recorder_is_imported_by_engine_transforms_and_compiler_only() -> None:
    """Operations, losses and solvers get their traced forms from the engine."""
    modules = {"scalargrad.engine.recorder", "scalargrad.engine.grad_mode"}  # which imports it
    seam = {f"{x}.{name}" for x in modules for name in ("recorder", "active_recorder")}
    importing = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if imported_names(path.read_text("utf-8")) & (seam | modules)
    }
    assert importing == {*ASKING}


def test_packages_list_modules_and_names_that_exist() -> None:
    """The docstring of a package is its index."""
    code = "\n".join(x.read_text(encoding="utf-8") for x in SOURCE.rglob("*.py"))
    for package in SOURCE.rglob("__init__.py"):
        text = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
        files = {x.stem for x in package.parent.iterdir()}
        for name in {*re.findall(r"(?<!`)`(\w+)`(?!`)", text)} - files:
            defined = rf"^\s*(def|class) {name}\b|^{name}\b[^\n]*="
            assert re.search(defined, code, re.MULTILINE), f"{package}: {name}"


def test_file_names_in_texts_exist() -> None:
    """Where a text names a file with its folder, the file exists."""
    named = re.compile(r"(?<![\w/.*{}<>-])(?:[\w-]+/)+\w+\.(?:py|js|css|ipynb)\b")
    exist = {"/" + x.relative_to(ROOT).as_posix() for f in FOLDERS for x in (ROOT / f).rglob("*.*")}
    ends = {path[i:] for path in exist for i, letter in enumerate(path) if letter == "/"}
    found = {f"{path}: {x}" for path, text in texts() for x in named.findall(text)}
    assert {x for x in found if f"/{x.partition(': ')[2]}" not in ends} == set()


def test_imports_have_no_cycles() -> None:
    """Except for imports listed in the import contract, and those for type checking."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [layers] = tools["importlinter"]["contracts"]
    graph = grimp.build_graph("scalargrad", exclude_type_checking_imports=True, cache_dir=None)
    for importer, imported in (x.split(" -> ") for x in layers["ignore_imports"]):
        graph.remove_import(importer=importer, imported=imported)
    left = {*graph.modules}
    while free := {x for x in left if not graph.find_modules_directly_imported_by(x) & left}:
        left -= free
    assert not left
