"""What a page shows at one step after the other, asked for in one call."""

from __future__ import annotations

from typing import Any


def at_every_step(page: Any, look: str, first: int, last: int) -> list[Any]:
    """Go to each step and return what a function of JavaScript finds there, laid out.

    Between two calls a browser paints, which takes as long as a step.
    """
    found: list[Any] = page.evaluate(
        f"""([first, last]) => {{
      const look = {look};
      return Array.from({{ length: last - first + 1 }}, (_, i) => {{
        scalargrad.goTo(first + i);
        return look();
      }});
    }}""",
        [first, last],
    )
    return found
