"""Style variables: every variable used in a style sheet, template or script is defined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOW = ROOT / "src/scalargrad/show"
LOOK = SHOW / "html/look.css"

#: For each kind of page, the folders and files that it consists of.
PAGES: dict[str, list[Path]] = {
    "step page": [SHOW / "html", SHOW / "steps/page"],
    "training page": [SHOW / "html", SHOW / "training"],
    "playground": [LOOK, ROOT / "docs/playground"],
    "site": [ROOT / "docs/_static"],
}

_USED = re.compile(r"var\(\s*(--[\w-]+)")
_DEFINED = re.compile(r"(?<![\w(-])(--[\w-]+)[\"']?\s*[:,]")  # --x: 1px, setProperty("--x", …)


def files_of(paths: list[Path]) -> Iterator[Path]:
    """Yield the style sheets, templates and scripts in folders, and single files."""
    for root in paths:
        for path in [root, *root.rglob("*")]:
            if path.suffix in {".css", ".html", ".js", ".mjs", ".py"}:
                yield path


@pytest.mark.parametrize(
    "page", [pytest.param(x, marks=[pytest.mark.wide] if x == "site" else []) for x in PAGES]
)
def test_style_variables_of_a_page_are_defined(page: str) -> None:
    """An undefined color would be white text on white, which no other test notices."""
    texts = [path.read_text(encoding="utf-8") for path in files_of(PAGES[page])]
    used = {name for text in texts for name in _USED.findall(text)}
    if page == "site":  # its theme defines the others
        furo = find_spec("furo")
        if furo is None:
            pytest.skip("the site's theme, furo, is not installed")
        assert furo.submodule_search_locations is not None
        theme = next(Path(furo.submodule_search_locations[0]).rglob("furo.css"))
        texts.append(theme.read_text(encoding="utf-8"))
    defined = {name for text in texts for name in _DEFINED.findall(text)}
    assert used
    assert used - defined == set()


def test_style_variables_are_checked_in_every_file() -> None:
    """A new page with its own styles belongs in PAGES."""
    checked = {path for paths in PAGES.values() for path in files_of(paths)}
    for folder in ("src", "docs", "notebooks", "examples"):
        for path in files_of([ROOT / folder]):
            is_built = {"_build", "pages", "images"} & {*path.relative_to(ROOT).parts}
            if not is_built and "var(--" in path.read_text(encoding="utf-8"):
                assert path in checked, path
