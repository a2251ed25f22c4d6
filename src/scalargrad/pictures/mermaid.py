"""A diagram as Mermaid text, which GitHub, GitLab and many editors draw by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from scalargrad.pictures.diagram import Box, Diagram, Gate, Junction, Line, Wire
from scalargrad.pictures.looks import Look

_CLASSES = """\
    classDef parameter fill:#fff,color:#222,stroke:#222,stroke-width:2px
    classDef input fill:#fff,color:#222,stroke:#222,stroke-dasharray:5 3
    classDef constant fill:#e6e6e6,color:#222,stroke:none
    classDef gate fill:#fff,color:#222,stroke:#222
    classDef wire fill:none,stroke:none"""

_HALO_FILL, _BOLD = "#ffe2a0", ",stroke-width:4px"
_BOLD_LINE = "stroke:#9a5b00,stroke-width:4px"

# Mermaid reads punctuation as its syntax, as Markdown or as HTML; &#60; it leaves alone.
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")


def to_mermaid(diagram: Diagram, direction: str) -> str:
    """Return `diagram` as a Mermaid flowchart."""
    shapes = [shape for shape in diagram.shapes if not isinstance(shape, Junction)]
    dots = {shape.id for shape in diagram.shapes if isinstance(shape, Junction)}
    lines = [_past(dots, line) for line in diagram.lines if line.target not in dots]
    return "\n".join(
        [
            f"flowchart {direction}",
            *(f"    {_shape(shape)}" for shape in shapes),
            *(f"    {_line(line)}" for line in lines),
            _CLASSES,
            *_emphasis(shapes, lines, diagram.look),
            "",
        ]
    )


def _emphasis(shapes: list[Box | Gate | Wire], lines: list[Line], look: Look) -> Iterator[str]:
    """Yield a style for each shape and, by its index, each line that stands out."""
    for shape in shapes:
        highlighted = shape.id in look.highlighted
        fill = look.tints.get(shape.id, _HALO_FILL if highlighted else "")
        if fill and not isinstance(shape, Wire):
            yield f"    style {_id(shape.id)} fill:{fill},color:#222{_BOLD * highlighted}"
    for i, line in enumerate(lines):
        if line.id in look.highlighted:
            yield f"    linkStyle {i} {_BOLD_LINE}"


def _shape(shape: Box | Gate | Wire) -> str:
    match shape:
        case Box():
            return f'{_id(shape.id)}["{escaped(shape.text)}"]:::{shape.kind}'
        case Gate():
            return f'{_id(shape.id)}(("{escaped(shape.text)}")):::gate'
        case Wire():
            name = f"{escaped(shape.name)} = " if shape.name else ""
            numbers = f"{name}{shape.value}<br/>grad {shape.gradient}"
            return f'{_id(shape.id)}["{numbers}"]:::wire'


def _past(dots: set[str], line: Line) -> Line:
    """Return a line that leaves from a dot as one that leaves from the wire before it.

    Mermaid has no dot small enough for a branch.
    """
    if line.source not in dots:
        return line
    return replace(line, source=line.source.replace("-fan", "-wire"))


def _line(line: Line) -> str:
    return f"{_id(line.source)} {'-->' if line.enters else '---'} {_id(line.target)}"


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
