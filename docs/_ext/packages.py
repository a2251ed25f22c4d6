"""The directive ``package``: public names of a package, as their docstrings have them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from scalargrad.opdef.operation import Operation


class Package(SphinxDirective):
    """``.. package:: scalargrad.nn`` documents what the package lists in its ``__all__``.

    With content, only the names in it. Operations have pages of their own.
    """

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write one directive of autodoc for each name, and have them read."""
        module = importlib.import_module(self.arguments[0])
        names = " ".join(self.content).split() or public_names(module)
        whole = [] if self.content else [f".. py:module:: {module.__name__}", ""]
        return parsed(self, [*whole, *(line for name in names for line in _written(module, name))])


def parsed(directive: SphinxDirective, lines: Iterable[str]) -> list[nodes.Node]:
    """Return what Sphinx reads in lines of reStructuredText."""
    parent = nodes.section()
    parent.document = directive.state.document
    text = StringList(list(lines), directive.get_source_info()[0])
    directive.state.nested_parse(text, 0, parent)
    return parent.children


def public_names(module: ModuleType) -> list[str]:
    """Return the names documented on the page of `module`: what is its own, but no operations."""
    found = {name: getattr(module, name) for name in module.__all__}
    return [
        name
        for name, thing in found.items()
        if not isinstance(thing, Operation | ModuleType)
        and getattr(thing, "__module__", module.__name__).startswith(module.__name__)
    ]


def _written(module: ModuleType, name: str) -> list[str]:
    """Return the directive that documents a name of `module`."""
    found: Any = getattr(module, name)
    kind = "function" if callable(found) else "data"
    if inspect.isclass(found):
        kind = "exception" if issubclass(found, BaseException) else "class"
    return [f".. auto{kind}:: {module.__name__}.{name}", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("package", Package)
    return {"parallel_read_safe": True}
