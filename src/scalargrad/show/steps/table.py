"""The steps of a walk as a table: plain text, and HTML for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice

from rich.cells import cell_len

from scalargrad.show.characters import indexed
from scalargrad.show.number_format import number, relation
from scalargrad.show.steps.scene import Scene
from scalargrad.show.steps.step import Step
from scalargrad.table.validation import instance

HEADINGS = ("step", "at", "chain rule", "remark")
_WIDEST_FORMULA = 60
_RULE = 78
_ROWS_OF_HTML = 100
_LEFT = 'style="text-align: left"'
# As an attribute too, because untrusted notebooks lose styles.
_WHOLE = 'nowrap="nowrap" style="text-align: left; white-space: nowrap"'


def row(step: Step) -> tuple[str, ...]:
    """Return one row: position from 1, place, formula, remark."""
    return str(step.index + 1), step.place, step.text(), "; ".join(remarks(step))


def remarks(step: Step) -> list[str]:
    """Return the remarks of a row: the pattern or local derivative, and the running sum."""
    if step.phase != "backward":
        return step.notes()
    pattern = step.pattern_note("partial") or step.local_text()
    return [note for note in (pattern, step.sum_note("partial")) if note]


def text(steps: Sequence[Step]) -> str:
    """Return the steps as aligned columns of plain text, under a line for each pass.

    A few very long formulas overflow their column instead of widening it for all.
    """
    rows = [HEADINGS, *map(row, steps)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    widths[2] = min(widths[2], _WIDEST_FORMULA)
    lines = [_line(HEADINGS, widths)]
    phase = ""
    for step, cells in zip(steps, rows[1:], strict=True):
        if step.phase != phase:
            phase = step.phase
            lines.append(f"── {phase} ".ljust(_RULE, "─"))
        lines.append(_line(cells, widths))
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    number, *rest = cells
    padded = [
        cell + " " * (width - cell_len(cell)) for cell, width in zip(rest, widths[1:], strict=True)
    ]
    return "  ".join([number.rjust(widths[0]), *padded]).rstrip()


def outcome(scene: Scene) -> str:
    """Return the final gradient of each input in one line.

    Examples
    --------
    >>> from scalargrad import Value, walk
    >>> x, y = Value(3.0, "x"), Value(2.0, "y")
    >>> outcome(walk(x * x * y).scene)
    '∂v2/∂x = 12, ∂v2/∂y = 9'
    """
    instance(scene, "scene", Scene, "that of a walk, walk(root).scene")
    root = scene.names[scene.root]
    totals = {leaf: sum(scene.terms[leaf]) for leaf in scene.inputs if leaf is not scene.root}
    return ", ".join(
        f"∂{root}/∂{scene.names[leaf]} {relation(total)} {number(total)}"
        for leaf, total in totals.items()
    )


def html(steps: Sequence[Step]) -> str:
    """Return the steps as an HTML table with the formulas in MathML."""
    head = "".join(f"<th {_LEFT}>{heading}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{_html_row(step)}</tr>" for step in islice(steps, _ROWS_OF_HTML))
    rest = len(steps) - _ROWS_OF_HTML
    more = f"<p>and {rest} more step{'s' * (rest > 1)}: print the walk to see all</p>" * (rest > 0)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x: auto">{table}</div>{more}'


def _html_row(step: Step) -> str:
    number, place, _, remark = row(step)
    names = set(step.scene.names.values())
    cells = (number, escape(indexed(place, names)), step.mathml())
    whole = "".join(f"<td {_WHOLE}>{x}</td>" for x in cells)
    return f"{whole}<td {_LEFT}>{escape(indexed(remark, names))}</td>"
