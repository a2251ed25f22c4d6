"""The settings by which Sphinx builds the site: python -m sphinx -W -b html docs docs/_build."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import scalargrad  # noqa: E402

project = "scalargrad"
author = "The scalargrad authors"
version = release = scalargrad.__version__
extensions = [
    "docstrings",
    "myst_nb",
    "operations",
    "packages",
    "playground",
    "search_words",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "jupyter_execute"]
templates_path: list[str] = []

# Docstrings write `name` for code; types are in the signatures and in the NumPy sections.
default_role = "code"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": False}
python_use_unqualified_type_names = True
add_module_names = False

myst_enable_extensions = ["attrs_block", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are rendered with the results kept in them
nb_ipywidgets_js: dict[str, str] = {}

html_theme = "furo"
html_title = f"scalargrad {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [
    ("site.js", {"priority": 100})
]  # before the script that marks what was searched for
html_show_copyright = False
html_show_sphinx = False
html_show_search_summary = False  # summaries are fetched, which a browser refuses under file://
html_copy_source = False
html_search_scorer = str(HERE / "_static" / "search_scorer.js")


def copy_notebooks(_app: Sphinx, _config: object) -> None:
    """Copy the notebooks beside the other pages, with their links to those put right."""
    target = HERE / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        (target / path.name).write_text(text.replace("](../docs/", "](../"), encoding="utf-8")


def point_to_copies(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Let links to the notebooks, which are right in the repository, lead to their copies."""
    source[0] = source[0].replace("](../notebooks/", "](/notebooks/")


def copy_pages(app: Sphinx, _error: Exception | None) -> None:
    """Put the step pages and training pages, which are whole as they are, into the site."""
    shutil.copytree(HERE / "pages", Path(app.outdir) / "pages", dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    """Register what is done before, while and after pages are read."""
    app.connect("config-inited", copy_notebooks)
    app.connect("source-read", point_to_copies)
    app.connect("build-finished", copy_pages)
