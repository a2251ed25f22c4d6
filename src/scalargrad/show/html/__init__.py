"""Frame and parts common to all pages, each one HTML file that needs no network.

A page is a template (`.html`), styles (`.css`) and plain JavaScript (`.js`), which lie beside the
Python that fills them. Beside this file lie `document.html`, the frame of all pages; `look.css`,
their colours, controls and timeline; `elements.js`, with which they make what they show and move
on; and `number_format.js`, which writes numbers.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import compress

from scalargrad.errors import LayoutError
from scalargrad.system.files import file_path, require_writable, write_atomically
from scalargrad.system.short_repr import format_value

_PLACE = re.compile(r"\{\{(\w+)\}\}")


@cache
def source(package: str, name: str) -> str:
    """Return the text of a file that lies in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def page(
    package: str,
    name: str,
    scripts: Sequence[str],
    functions: str,
    recorded: Any,
    *,
    title: str,
    **parts: str,
) -> str:
    """Return a page: the template, the style and the scripts of a package, in what all pages share.

    Parameters
    ----------
    package, name : str
        Where the template and the style lie, and what they are called.
    scripts : sequence of str
        The scripts in the order in which they build on each other.
    functions : str
        What operations compute, in JavaScript.
    recorded : JSON
        What the scripts read.
    title : str
        The heading.
    **parts : str
        What fills the other places of the template, as HTML.
    """
    shared = [source(__package__, f"{x}.js") for x in ("elements", "number_format")]
    own = [source(package, f"{x}.js") for x in scripts]
    script = "\n".join([f"const functions = {functions};", *shared, *own])
    style = source(__package__, "look.css") + source(package, f"{name}.css")
    body = fill(source(package, f"{name}.html"), {"title": escape(title), **parts})
    body += f'<script type="application/json" id="recorded">{inert(recorded)}</script>\n'
    body += f'<script type="module">{script}</script>'
    return document(title, style, body, script)


def document(title: str, style: str, body: str, script: str = "") -> str:
    """Return an HTML document that fetches nothing, which its policy forbids.

    Only its own script and style run, known by their hashes.
    """
    own = {"policy": policy(script, style), "title": escape(title), "style": style, "body": body}
    return fill(source(__package__, "document.html"), own)


def save(path: str | os.PathLike[str], page: Callable[[], str]) -> Path:
    """Check the file name, make a page and write it, whole or not at all.

    Raises
    ------
    LayoutError
        If the name does not end in .html.
    OSError
        If the folder does not exist or cannot be written to.
    """
    require_page(path)
    return write_atomically(path, page().encode())


def require_page(path: str | os.PathLike[str]) -> None:
    """Check that a page can be saved under this name, before anything is computed for it.

    Raises
    ------
    LayoutError
        If the name does not end in .html.
    OSError
        If the folder does not exist or cannot be written to.
    """
    path = file_path(path)
    if Path(path).suffix.lower() not in {".html", ".htm"}:
        raise LayoutError(
            f"a page cannot be saved as {format_value(Path(path).name)}: end it in .html"
        )
    require_writable(path)


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Fill the places of a template, each once, whatever the parts contain.

    Examples
    --------
    >>> fill("<p>{{a}}{{b}}</p>", {"a": "{{b}}", "b": "!"})
    '<p>{{b}}!</p>'
    """
    return _PLACE.sub(lambda match: parts[match[1]], template)


def policy(script: str, style: str) -> str:
    """Return a policy under which this script and this style run, and nothing is fetched."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def inert(content: Any) -> str:
    r"""Return content as JSON that cannot end the element it stands in.

    Examples
    --------
    >>> inert({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return written.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


#: What unpacks a page in its frame. Packed it takes a third of the room in the notebook's file.
_UNPACKED = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<script>
const packed = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));
const page = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
new Response(page).text().then((text) => {{
  document.open();
  document.write(text);
  document.close();
}});
</script>"""


def frame(document: str, title: str, height: int, *, beneath: tuple[str, str]) -> str:
    """Return a document as a frame for a notebook's cell, cut off from the notebook itself.

    What stands `beneath`, a heading and HTML, is folded; it is left where frames are cut, as on
    GitHub and in notebooks that are not trusted.
    """
    heading, content = beneath
    unpacked = _UNPACKED.format(packed=b64encode(compress(document.encode(), 9)).decode())
    return (
        f'<iframe srcdoc="{escape(unpacked)}" title="{escape(title)}" '
        'sandbox="allow-scripts allow-forms allow-downloads allow-modals" '
        'allow="fullscreen *; clipboard-write *" '
        f'width="100%" height="{height}" style="border: 1px solid #8888; border-radius: 6px">'
        f"</iframe><details><summary>{heading}</summary>{content}</details>"
    )
