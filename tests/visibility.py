"""The visibility of every control of a page, judged by the pixels that a browser paints."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("visibility.js").read_text(encoding="utf-8")

#: Window sizes and color schemes in which all controls must be visible.
DISPLAY_SETTINGS: list[dict[str, Any]] = [
    {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for width, height in ((1280, 800), (390, 844))
    for scheme in ("light", "dark")
]


def find_hidden_controls(page: Any, least: int) -> list[str]:
    """Return the controls that are hard to see, and a fault if the page is wider than its window.

    The contrast of a text with its background must be 5.5 : 1; that of an icon, a slider, an empty
    field or a disabled control, 3 : 1. The page must have at least `least` controls.
    """
    page.evaluate(_SCRIPT)
    while page.evaluate("visibility.next()"):
        picture = b64encode(page.screenshot()).decode()
        page.evaluate("picture => visibility.judge(picture)", picture)
    count, faults = page.evaluate("visibility.result()")
    assert count >= least
    found: list[str] = faults
    return found
