"""Draw one step to fill a terminal: what it says, and the nodes with their numbers so far.

Colours have a contrast of at least 4 on light and on dark backgrounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scalargrad.show.number_format import number, product_relation
from scalargrad.show.steps import formulas
from scalargrad.show.steps.formulas import TEXT
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.value import Parameter, Value

VALUE, GRADIENT, LOCAL = "#2a7fd0", "italic #c75b12", "#8a64cf"
PHASE = {"forward": VALUE, "seed": GRADIENT, "backward": GRADIENT}
PALE = "dim"
ALARM = "bold #d0303a"


def result_in_colour(formula: str, style: str) -> Text:
    """Return a formula with its last number in colour."""
    written = Text(formula)
    written.stylize(f"bold {style}", formula.rfind(" ") + 1)
    return written


_ROOMY = 20  # lines from which there is room for more than the formula and its remarks
_PANEL = 12  # lines most steps need in that case, so that the list below it stays in place
_LEAST_LIST = 6  # lines in which a heading and some nodes fit
_MOST_KEPT = 4
_KEYS = " → next   ← back   Home first   End last   q quit"


def drawn(steps: Sequence[Step], position: int, console: Console) -> RenderableType:
    """Return one of the steps of a walk as lines that fill the console."""
    step, (width, height) = steps[position], console.size
    room, inside = height - 2, console.options.update_width(width - 4)
    for roomy in (height >= _ROOMY, False):  # rather than cut off the end, the nudge
        explained = Group(*_explanation(step, roomy))
        panel = len(console.render_lines(explained, inside)) + 2
        if panel <= room - _LEAST_LIST:
            panel = max(panel, _PANEL) if roomy else panel
            break
    else:
        panel = room
    place = f" step {position + 1} of {len(steps)}  {step.phase}"
    box = Panel(
        explained,
        title=Text(step.place, "bold"),
        title_align="left",
        border_style=PHASE[step.phase],
        height=panel,
    )
    nodes = [_nodes(step, room - panel)] if room > panel else []
    heading = Text(place, f"bold {PHASE[step.phase]}", no_wrap=True, overflow="crop")
    return Group(heading, box, *nodes, Text(_KEYS, PALE, no_wrap=True))


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


def _nodes(step: Step, lines: int) -> Table:
    """Return the nodes around that of the step, in so many lines, with what is known of each."""
    scene = step.scene
    grid = Table.grid(padding=(0, 2, 0, 0))
    headings = ("  node", "computed as", "value", "gradient")
    for i in range(len(headings)):
        grid.add_column(justify="right" if i > 1 else "left", no_wrap=True, overflow="ellipsis")
    grid.add_row(*[Text(heading, PALE) for heading in headings])
    at = 0 if step.node is None else scene.place[step.node]
    first = max(0, min(at - (lines - 2) // 2, len(scene.order) - (lines - 1)))
    rows = scene.order[first : first + lines - 1]
    for node in rows:
        grid.add_row(*_row(step, node))
    for _ in range(lines - 1 - len(rows)):
        grid.add_row()
    return grid


def _row(step: Step, node: Value) -> list[Text]:
    """Return the name of a node, what computes it, and its value and gradient as far as known."""
    scene = step.scene
    known = scene.is_known(node, step.index)
    is_active = node in (step.node, step.parent)
    alarm = scene.alarm
    is_first_alarm = alarm is not None and alarm.node is node and alarm.position <= step.index
    mark, style = ("! ", ALARM) if is_first_alarm else ("▶ " if is_active else "  ", "")
    name = Text(f"{mark}{scene.names[node]}", style or ("bold" if is_active else ""))
    value = Text(number(scene.data[node]), VALUE) if known else Text("·", PALE)
    return [name, Text(_gate(scene, node), PALE), value, _gradient(step, node)]


def _gradient(step: Step, node: Value) -> Text:
    """Return the gradient of a node, as a sum that goes on until all its terms have arrived."""
    scene = step.scene
    arrived, expected = scene.arrived(node, step.index), scene.expected[node]
    if arrived == 0:
        return Text("·", PALE)
    total = sum(scene.terms[node][:arrived]) if node is not scene.root else 1.0
    return Text(f"{number(total)}{' + ?' * (arrived < expected)}", GRADIENT)


def _gate(scene: Scene, node: Value) -> str:
    if node.op is None:
        return "parameter" if isinstance(node, Parameter) else "input"
    gate = scene.gate(node)
    expression = gate.form.expression
    return TEXT.expression(expression, scene.words(gate, expression))
