"""Terminal colours with a contrast of at least 4 on light and on dark backgrounds."""

from __future__ import annotations

from rich.text import Text

VALUE, GRADIENT, LOCAL = "#2a7fd0", "italic #c75b12", "#8a64cf"
PHASE = {"forward": VALUE, "seed": GRADIENT, "backward": GRADIENT}
PALE = "dim"
ALARM = "bold #d0303a"


def result_in_colour(formula: str, style: str) -> Text:
    """Return a formula with its last number in colour."""
    written = Text(formula)
    written.stylize(f"bold {style}", formula.rfind(" ") + 1)
    return written
