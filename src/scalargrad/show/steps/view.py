"""Draw one step to fill a terminal: what it says, and where in the graph it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from scalargrad.show.number_format import number, product_relation
from scalargrad.show.steps import formulas
from scalargrad.show.steps.colours import GRADIENT, LOCAL, PALE, PHASE, VALUE, result_in_colour
from scalargrad.show.steps.formula_writer import TEXT
from scalargrad.show.steps.node_list import NodeList
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.value import Value

_ROOMY = 20  # lines from which there is room for more than the formula and its remarks
_PANEL = 12  # lines most steps need in that case, so that the list below it stays in place
_LEAST_LIST = 6  # lines in which a heading, two nodes and what is between them fit
_MOST_KEPT = 4
_WIDEST_MARK = 4
_KEYS = " → next   ← back   Home first   End last   q quit"


class View:
    """Draws steps of one walk.

    Parameters
    ----------
    steps : sequence of Step
        All or part of a walk.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._scene = steps[0].scene
        self._nodes = NodeList(self._scene)

    def draw(self, position: int, console: Console) -> RenderableType:
        """Return the step at `position` as lines that fill the console."""
        step, (width, height) = self._steps[position], console.size
        roomy = height >= _ROOMY
        room = height - 2
        inside = console.options.update_width(width - 4)
        explained = Group(*_explanation(step, roomy))
        panel = len(console.render_lines(explained, inside)) + 2
        if roomy and panel > room - _LEAST_LIST:  # rather than cut off its end, the nudge
            explained = Group(*_explanation(step, roomy=False))
            panel = len(console.render_lines(explained, inside)) + 2
        if roomy:
            panel = min(max(panel, _PANEL), room - _LEAST_LIST)
        elif panel > room - _LEAST_LIST:
            panel = room
        box = Panel(
            explained,
            title=Text(step.place, "bold"),
            title_align="left",
            border_style=PHASE[step.phase],
            height=panel,
        )
        nodes = [self._nodes.draw(step, width, room - panel)] if room > panel else []
        return Group(self._timeline(position, width), box, *nodes, Text(_KEYS, PALE, no_wrap=True))

    def _timeline(self, position: int, width: int) -> Text:
        """Return where in the walk the step is: ``━━━◆━●──``."""
        count = len(self._steps)
        line = Text(f" step {position + 1} of {count}  ", "bold", no_wrap=True, overflow="crop")
        line.append("forward ", VALUE)
        room = max(width - line.cell_len - len(" backward "), 8)
        marks = min(count, room)  # each for one step or, in a long walk, for several
        stands_for = [round(i * (count - 1) / max(marks - 1, 1)) for i in range(marks)]
        here = min(range(marks), key=lambda i: abs(stands_for[i] - position))
        seed = min(range(marks), key=lambda i: abs(self._after_seed(stands_for[i])))
        for i, index in enumerate(stands_for):
            rule = "━" if index < position else "─"
            mark = "●" if i == here else "◆" if i == seed else rule
            style = VALUE if self._after_seed(index) < 0 and i != seed else GRADIENT
            line.append(mark, style if i <= here else PALE)
            spread = min(room // marks, _WIDEST_MARK) - 1 if i < marks - 1 else 0
            line.append(rule * spread, style if i < here else PALE)
        return line.append(" backward", GRADIENT)

    def _after_seed(self, position: int) -> int:
        """Return how many steps after the seed a position of this view is."""
        return self._steps[position].index - self._scene.seed_at


def _explanation(step: Step, roomy: bool) -> list[Text]:
    """Return the lines of the panel; a small one leaves out what the formula says as well."""
    formula = result_in_colour(step.text(), PHASE[step.phase])
    formula.stylize("bold")
    details = [Text(note) for note in step.notes()]
    if step.phase == "backward":
        product = _product(step) if roomy else []
        details = [*product, Text(f"local: {step.local_text()}", LOCAL), *details]
    elif step.node is not None and step.phase == "forward":
        details = _kept(step.scene, step.node)
    if not roomy:
        return [formula, *details]
    return [Text(step.sentence(), PALE), Text(), formula, Text(), *details]


def _kept(scene: Scene, node: Value) -> list[Text]:
    """Return the local derivatives of a gate, which are known as soon as it is computed."""
    wires = [i for i, parent in enumerate(node.parents) if isinstance(parent, Value)]
    found = [
        formulas.local_formula(scene, node, i, TEXT, wire=f"as operand {i + 1}")
        for i in wires[:_MOST_KEPT]
    ]
    lines = [Text(f"  {TEXT.chain(*formula.whole())}", LOCAL) for formula in found]
    more = [Text(f"  and {len(wires) - _MOST_KEPT} more", LOCAL)] * (len(wires) > _MOST_KEPT)
    return [Text("kept for the way back:", LOCAL), *lines, *more]


def _product(step: Step) -> list[Text]:
    """Return upstream × local = contribution, the numbers under the words."""
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    words, numbers = Text(), Text()
    for sign, word, value, style in (
        ("", "upstream", step.upstream, GRADIENT),
        (" × ", "local", step.local, LOCAL),
        (
            f" {product_relation(step.upstream, step.local, step.contribution)} ",
            "contribution",
            step.contribution,
            f"bold {GRADIENT}",
        ),
    ):
        shown = number(value)
        width = max(len(word), len(shown))
        words.append(sign.replace("≈", "=")).append(word.center(width), PALE)
        numbers.append(sign).append(shown.center(width), style)
    return [words, numbers]
