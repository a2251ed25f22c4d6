"""Style variables: whatever a style sheet, a template or a script uses is defined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOW = ROOT / "src/scalargrad/show"
LOOK = SHOW / "html/look.css"

#: For each kind of page, the folders and files it is put together from.
PAGES: dict[str, list[Path]] = {
    "step page": [SHOW / "html", SHOW / "steps/page"],
    "training page": [SHOW / "html", SHOW / "training"],
    "playground": [LOOK, ROOT / "docs/playground"],
    "site": [ROOT / "docs/_static"],
}

_USED = re.compile(r"var\(\s*(--[\w-]+)")
_DEFINED = re.compile(r"(?<![\w(-])(--[\w-]+)[\"']?\s*[:,]")  # --x: 1px, setProperty("--x", …)


def files_of(places: list[Path]) -> Iterator[Path]:
    """Yield the style sheets, templates and scripts in folders, and the files themselves."""
    for place in places:
        for path in [place, *place.rglob("*")]:
            if path.suffix in {".css", ".html", ".js", ".mjs", ".py"}:
                yield path


@pytest.mark.parametrize(
    "page", [pytest.param(x, marks=[pytest.mark.wide] if x == "site" else []) for x in PAGES]
)
def test_every_var_of_a_style_is_defined(page: str) -> None:
    """Else a colour falls back to none: white text on white, which no test by role would notice."""
    texts = [path.read_text(encoding="utf-8") for path in files_of(PAGES[page])]
    used = {name for text in texts for name in _USED.findall(text)}
    if page == "site":  # whose theme defines the rest
        furo = find_spec("furo")
        if furo is None:
            pytest.skip("the site's theme, furo, is not installed")
        assert furo.submodule_search_locations is not None
        theme = next(Path(furo.submodule_search_locations[0]).rglob("furo.css"))
        texts.append(theme.read_text(encoding="utf-8"))
    defined = {name for text in texts for name in _DEFINED.findall(text)}
    assert used
    assert used - defined == set()


def test_every_file_with_a_style_variable_is_checked() -> None:
    """A new page with styles of its own belongs in PAGES."""
    checked = {path for places in PAGES.values() for path in files_of(places)}
    for folder in ("src", "docs", "notebooks", "examples"):
        for path in files_of([ROOT / folder]):
            is_built = {"_build", "pages", "images"} & {*path.relative_to(ROOT).parts}
            if not is_built and "var(--" in path.read_text(encoding="utf-8"):
                assert path in checked, path
