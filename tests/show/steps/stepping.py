"""What a page shows at one step after the other, and when it shows something, in one call."""

from __future__ import annotations

from typing import Any

from tests.patience import PATIENCE


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


def until(page: Any, look: str, every: int = 50) -> None:
    """Wait until a function of JavaScript returns true in a page or frame, asked `every` ms.

    One that throws is asked again, as what it looks at may not be there yet. Playwright's
    wait_for_function evaluates text later on, which the policy of our pages forbids.
    """
    page.evaluate(
        f"""([every, patience]) => new Promise((done, fail) => {{
      const look = {look};
      const end = performance.now() + patience;
      const ask = () => {{
        let found;
        try {{ found = look(); }} catch (error) {{ found = error; }}
        if (found === true) done();
        else if (performance.now() > end) fail(new Error(`at the end: ${{found}}`));
        else setTimeout(ask, every);
      }};
      ask();
    }})""",
        [every, 1000 * PATIENCE],
    )
