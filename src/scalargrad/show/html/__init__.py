"""Combine templates, styles and scripts into pages, each one HTML file that needs no network.

A page is a template (`.html`), a style sheet (`.css`) and plain JavaScript (`.js`) in the package
that fills them in. The files in this folder are common to all pages: `document.html` is the frame,
`look.css` has colours, controls and the timeline, `elements.js` creates elements and handles the
timeline, and `number_format.js` formats numbers.

A template has placeholders in double braces, which `fill_template` replaces::

    <h1>{{title}}</h1>
    <p class="expression">{{expression}}</p>
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

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@cache
def read_resource(package: str, name: str) -> str:
    """Return the text of a file in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def render_page(
    package: str,
    name: str,
    scripts: Sequence[str],
    functions: str,
    recorded: Any,
    *,
    title: str,
    **parts: str,
) -> str:
    """Return a page: the template, style and scripts of a package, with those of all pages.

    Parameters
    ----------
    package, name : str
        The package of the template and the style, and their file name without suffix.
    scripts : sequence of str
        The names of the scripts, each after those that it uses.
    functions : str
        The operations, as a JavaScript object of functions.
    recorded : JSON
        The data that the scripts read.
    title : str
        The heading.
    **parts : str
        HTML for the other placeholders of the template.
    """
    shared = [read_resource(__package__, f"{x}.js") for x in ("elements", "number_format")]
    own = [read_resource(package, f"{x}.js") for x in scripts]
    script = "\n".join([f"const functions = {functions};", *shared, *own])
    style = read_resource(__package__, "look.css") + read_resource(package, f"{name}.css")
    template = read_resource(package, f"{name}.html")
    body = fill_template(template, {"title": escape(title), **parts})
    data = script_safe_json(recorded)
    body += f'<script type="application/json" id="recorded">{data}</script>\n'
    body += f'<script type="module">{script}</script>'
    return render_document(title, style, body, script)


def render_document(title: str, style: str, body: str, script: str = "") -> str:
    """Return an HTML document whose Content-Security-Policy forbids all network access.

    Only the given script and style can run; the policy identifies them by their hashes.
    """
    policy = content_security_policy(script, style)
    own = {"policy": policy, "title": escape(title), "style": style, "body": body}
    return fill_template(read_resource(__package__, "document.html"), own)


def save_page(path: str | os.PathLike[str], page: Callable[[], str]) -> Path:
    """Check the file name, create a page and write it atomically.

    Raises
    ------
    LayoutError
        If the name does not end in .html.
    OSError
        If the folder does not exist or cannot be written to.
    """
    require_page_path(path)
    return write_atomically(path, page().encode())


def require_page_path(path: str | os.PathLike[str]) -> None:
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
            f"a page cannot be saved as {format_value(Path(path).name)}: use a name that ends in "
            ".html"
        )
    require_writable(path)


def fill_template(template: str, parts: Mapping[str, str]) -> str:
    """Replace each placeholder of a template once; the replacements are not searched again.

    Examples
    --------
    >>> fill_template("<p>{{a}}{{b}}</p>", {"a": "{{b}}", "b": "!"})
    '<p>{{b}}!</p>'
    """
    return _PLACEHOLDER.sub(lambda match: parts[match[1]], template)


def content_security_policy(script: str, style: str) -> str:
    """Return a policy that allows this script and this style to run, and no network access."""
    return (
        f"default-src 'none'; script-src '{_csp_hash(script)}'; style-src '{_csp_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _csp_hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def script_safe_json(content: Any) -> str:
    r"""Return content as JSON that cannot close the script element around it.

    Examples
    --------
    >>> script_safe_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return encoded.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


#: The document in a frame, which decompresses the page. Compressed, a page takes a third of the
#: space in the file of the notebook.
_FRAME_DOCUMENT = """\
<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<script>
const packed = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));
const page = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
new Response(page).text().then((text) => {{
  document.open();
  document.write(text);
  document.close();
}});
</script>"""


def notebook_frame(document: str, title: str, height: int, *, fallback: tuple[str, str]) -> str:
    """Return a document as a sandboxed frame for the output of a notebook cell.

    The `fallback`, a heading and HTML, follows in a collapsed element. It remains where frames are
    removed, as on GitHub and in untrusted notebooks.
    """
    heading, content = fallback
    packed = b64encode(compress(document.encode(), 9)).decode()
    return (
        f'<iframe srcdoc="{escape(_FRAME_DOCUMENT.format(packed=packed))}" title="{escape(title)}" '
        'sandbox="allow-scripts allow-forms allow-downloads allow-modals" '
        'allow="fullscreen *; clipboard-write *" '
        f'width="100%" height="{height}" style="border: 1px solid #8888; border-radius: 6px">'
        f"</iframe><details><summary>{heading}</summary>{content}</details>"
    )
