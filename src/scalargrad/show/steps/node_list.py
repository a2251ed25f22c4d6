"""The nodes of a graph as a list in a terminal, with the active wire drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from scalargrad.show.number_format import number
from scalargrad.show.steps.colours import ALARM, GRADIENT, PALE, PHASE, VALUE
from scalargrad.show.steps.formula_writer import TEXT
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.value import Parameter, Value

_WIDEST_NAME, _WIDEST_GATE, _NARROWEST_GATE = 16, 28, 6
_NUMBER_WIDTH, _GAP = 10, 2


class NodeList:
    """Draws the nodes of a walked graph with their numbers at a step.

    Parameters
    ----------
    scene : Scene
        The walked graph.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._place = {node: i for i, node in enumerate(scene.order)}
        self._gates: dict[Value, str] = {}
        longest = max(map(cell_len, scene.names.values()))
        self._name_width = min(max(longest, len("node")), _WIDEST_NAME)

    def draw(self, step: Step, width: int, lines: int) -> Table:
        """Return the nodes of the graph in order, in `lines` lines with the active wire in view."""
        grid = self._headed(width)
        active = self._active(step)
        rows = in_view(len(self._scene.order), [self._place[x] for x in active], lines - 1)
        gutter = Gutter(step, [self._place[x] for x in active])
        for row in rows:
            if row is None:
                grid.add_row(Text(gutter.mark(None), gutter.style), Text("⋮", PALE))
            else:
                grid.add_row(
                    Text(gutter.mark(row), gutter.style),
                    *self._cells(step, self._scene.order[row], active),
                )
            gutter.passed(row)
        for _ in range(lines - 1 - len(rows)):
            grid.add_row()
        return grid

    def _headed(self, width: int) -> Table:
        """Return the table of nodes without rows; its columns have the same place in every step."""
        taken = 3 + self._name_width + 2 * _NUMBER_WIDTH + 4 * _GAP
        computed = max(min(width - taken, _WIDEST_GATE), _NARROWEST_GATE)
        columns: list[tuple[str, int, Literal["left", "right"]]] = [
            ("", 3, "left"),
            ("node", self._name_width, "left"),
            ("computed as", computed, "left"),
            ("value", _NUMBER_WIDTH, "right"),
            ("gradient", _NUMBER_WIDTH, "right"),
        ]
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        for _, column, justify in columns:
            grid.add_column(width=column, justify=justify, no_wrap=True, overflow="ellipsis")
        grid.add_row(*[Text(heading, PALE) for heading, *_ in columns])
        return grid

    def _active(self, step: Step) -> list[Value]:
        """Return the nodes of the step, first the one that the others feed or are fed by."""
        if step.node is None:
            return []
        if step.phase == "forward":
            parents = (x for x in step.node.parents if isinstance(x, Value))
            return [step.node, *dict.fromkeys(parents)]
        return [step.node] if step.parent is None else [step.node, step.parent]

    def _cells(self, step: Step, node: Value, active: Sequence[Value]) -> list[Text]:
        scene = self._scene
        known = scene.is_known(node, step.index)
        arrived, expected = scene.arrived(node, step.index), scene.expected[node]
        if node not in self._gates:
            self._gates[node] = self._gate(node)
        emphasis = "bold" if node in active[:1] or node is step.parent else ""
        style = emphasis if known else PALE
        if arrived == 0:
            gradient = Text("·", PALE)
        elif arrived < expected:
            gradient = Text(f"{number(sum(scene.terms[node][:arrived]))} + ?", GRADIENT)
        else:
            total = sum(scene.terms[node]) if node is not scene.root else 1.0
            gradient = Text(number(total), f"{emphasis} {GRADIENT}")
        return [
            self._name(step, node, f"{style} reverse" if emphasis and known else style),
            Text(self._gates[node], style or (PALE if node.op is None else "")),
            Text(number(scene.data[node]), f"{emphasis} {VALUE}") if known else Text("·", PALE),
            gradient,
        ]

    def _name(self, step: Step, node: Value, style: str) -> Text:
        """Return a node's name, with a sign in front of the first that is inf or nan."""
        alarm, name = self._scene.alarm, self._scene.names[node]
        if alarm is None or alarm.node is not node or alarm.position > step.index:
            return Text(name, style)
        return Text.assemble((f"! {name}", f"{style} {ALARM}"))

    def _gate(self, node: Value) -> str:
        if node.op is None:
            return "parameter" if isinstance(node, Parameter) else "input"
        gate = self._scene.gate(node)
        expression = gate.expression()
        return TEXT.expression(expression, self._scene.words(gate, expression))


class Gutter:
    """Draws the active wire beside the rows: from its source to where the arrow points."""

    def __init__(self, step: Step, places: Sequence[int]) -> None:
        self._places = set(places)
        self._low, self._high = (min(places), max(places)) if places else (0, -1)
        self._forward = step.phase == "forward"
        self._stopped = step.local == 0 and step.contribution == 0
        self._row = -1
        self.style = PHASE[step.phase]

    def passed(self, row: int | None) -> None:
        """Note that a row was drawn."""
        self._row = self._row if row is None else row

    def mark(self, row: int | None) -> str:
        """Return the piece of the wire beside a row, or beside rows left out."""
        if row is None:
            return " ┆ " if self._low <= self._row < self._high else ""
        if row not in self._places:
            return " │ " if self._low < row < self._high else ""
        if self._low == self._high:
            return " ─▶"
        corner = "╭" if row == self._low else "╰" if row == self._high else "├"
        arrives = row == self._high if self._forward else row == self._low
        return f" {corner}{('x' if self._stopped else '▶') if arrives else '─'}"


def in_view(count: int, places: Sequence[int], lines: int) -> list[int | None]:
    """Choose the rows to draw: those around `places`, None for rows left out between them.

    Examples
    --------
    >>> in_view(5, [3], 5)
    [0, 1, 2, 3, 4]
    >>> in_view(100, [0, 50], 7)
    [0, 1, None, 49, 50, 51, None]
    """
    if count <= lines:
        return list(range(count))
    chosen: list[int] = []
    reach = 0
    while True:
        for row in dict.fromkeys(p + d for p in places or [0] for d in (-reach, reach)):
            if not 0 <= row < count or row in chosen:
                continue
            if len(_with_gaps(sorted([*chosen, row]), count)) > lines:
                return _with_gaps(sorted(chosen), count)
            chosen.append(row)
        reach += 1


def _with_gaps(rows: Sequence[int], count: int) -> list[int | None]:
    shown: list[int | None] = []
    previous = -1
    for row in rows:
        if row > previous + 1:
            shown.append(None)
        shown.append(row)
        previous = row
    return [*shown, None] if previous < count - 1 else shown
