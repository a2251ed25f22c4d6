"""Whether a person sees every control of a page, judged by the pixels that a browser paints."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("seen.js").read_text(encoding="utf-8")

#: The windows and colour schemes in which all controls must be seen.
LOOKS: list[dict[str, Any]] = [
    {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for width, height in ((1280, 800), (390, 844))
    for scheme in ("light", "dark")
]


def unseen_controls(page: Any, least: int) -> list[str]:
    """Return the controls that are hard to see, and whether the page is wider than its window.

    The contrast of a text with the colour painted behind it must be 5.5 : 1; that of an icon, a
    slider, an empty field or a disabled control, 3 : 1.

    Parameters
    ----------
    page : playwright Page
        An open page; it is scrolled.
    least : int
        The number of controls that the page has at least, so that none is overlooked.
    """
    page.evaluate(_SCRIPT)
    while page.evaluate("seen.next()"):
        picture = b64encode(page.screenshot()).decode()
        page.evaluate("picture => seen.judge(picture)", picture)
    count, faults = page.evaluate("seen.result()")
    assert count >= least
    found: list[str] = faults
    return found
