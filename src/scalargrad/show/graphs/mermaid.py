"""A diagram as Mermaid text, which GitHub, GitLab and many editors render."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from scalargrad.show.graphs.diagram import Box, Diagram, Folded, GateShape, Junction, Line, Wire
from scalargrad.show.graphs.look import Look

_Shown: TypeAlias = Box | GateShape | Wire | Folded

_CLASSES = """\
    classDef parameter fill:#fff,color:#222,stroke:#222,stroke-width:2px
    classDef input fill:#fff,color:#222,stroke:#222,stroke-dasharray:5 3
    classDef constant fill:#e6e6e6,color:#222,stroke:none
    classDef gate fill:#fff,color:#222,stroke:#222
    classDef wire fill:none,stroke:none
    classDef folded fill:#e9eef4,color:#222,stroke:#222"""

_LIT = "fill:#ffe2a0,color:#222,stroke-width:4px"
_ALARMED = "color:#a3161f,stroke:#a3161f,stroke-width:4px"
_BOLD_LINE = "stroke:#9a5b00,stroke-width:4px"

# Mermaid reads punctuation as its syntax, as Markdown or as HTML; &#60; it leaves alone.
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")


def to_mermaid(diagram: Diagram, direction: str) -> str:
    """Return `diagram` as a Mermaid flowchart."""
    shapes = [shape for shape in diagram.shapes if not isinstance(shape, Junction)]
    # Mermaid cannot draw a dot small enough: lines from one start at the wire before it.
    dots = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
    wires = {dot: dot.replace("-fan", "-wire") for dot in dots}
    through = [line for line in diagram.lines if line.target not in dots]
    lines = [replace(line, source=wires.get(line.source, line.source)) for line in through]
    return "\n".join(
        [
            f"flowchart {direction}",
            *(f"    {_shape(shape)}" for shape in shapes),
            *([f'    legend["{escaped(diagram.legend)}"]:::wire'] if diagram.legend else []),
            *(f"    {_line(line)}" for line in lines),
            _CLASSES,
            *_emphasis(shapes, lines, diagram.look),
            "",
        ]
    )


def _emphasis(shapes: list[_Shown], lines: list[Line], look: Look) -> Iterator[str]:
    """Yield a style for each highlighted shape, and for lines, by index."""
    for shape in shapes:
        if shape.id in look.alarmed:
            yield f"    style {_id(shape.id)} {_ALARMED}"
        elif shape.id in look.highlighted and not isinstance(shape, Wire):
            yield f"    style {_id(shape.id)} {_LIT}"
    for i, line in enumerate(lines):
        if line.id in look.highlighted:
            yield f"    linkStyle {i} {_BOLD_LINE}"


def _shape(shape: _Shown) -> str:
    match shape:
        case Box():
            return f'{_id(shape.id)}["{escaped(shape.text)}"]:::{shape.kind}'
        case GateShape():
            return f'{_id(shape.id)}(("{escaped(shape.text)}")):::gate'
        case Folded():
            text = "<br/>".join(map(escaped, (shape.text, *shape.details)))
            return f'{_id(shape.id)}(["{text}"]):::folded'
    name = f"{escaped(shape.name)} {shape.sign} " if shape.name else ""
    below = f"<br/>grad {shape.gradient}" if shape.gradient else ""
    return f'{_id(shape.id)}["{name}{shape.value}{below}"]:::wire'


def _line(line: Line) -> str:
    thin, thick = ("-->", "==>") if line.enters else ("---", "===")
    if line.share is not None:
        thin = "-.-" if line.share < 0 else "---"
    return f"{_id(line.source)} {thick if line.thick else thin} {_id(line.target)}"


def _id(id: str) -> str:
    return id.replace("-", "_")


def escaped(text: str) -> str:
    """Escape `text` for a quoted Mermaid label.

    Examples
    --------
    >>> escaped('a "b"')
    'a #34;b#34;'
    """
    coded = _SPECIAL.sub(lambda match: f"#{ord(match[0])};", text)
    return coded.replace("\n", "<br/>")
