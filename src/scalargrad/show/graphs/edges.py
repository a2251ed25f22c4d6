"""The lines of a diagram as edges of Graphviz: where they end, and how they are drawn."""

from __future__ import annotations

from collections import Counter

from scalargrad.show.graphs.diagram import (
    Border,
    Bundle,
    Diagram,
    Folded,
    GateShape,
    Line,
    Wire,
)
from scalargrad.show.graphs.palette import HALO, INK, SLATE

#: The sides on which lines leave and enter a shape, for each direction of the picture.
SIDES = {"LR": ("e", "w"), "TB": ("s", "n")}

_THICK = {"color": SLATE, "penwidth": "2.6", "arrowsize": "0.7"}
_BOLD = {"color": f"{HALO}:{INK}:{HALO}", "penwidth": "2", "arrowsize": "0.9"}
_BACK = {"dir": "back"}
_NO_ARROW = {"arrowhead": "none"}


class Edges:
    """Decides where each line ends and how it is drawn, by the shapes that it joins.

    Parameters
    ----------
    diagram : Diagram
        With all its shapes.
    direction : str
        ``"LR"`` or ``"TB"``.
    """

    def __init__(self, diagram: Diagram, direction: str) -> None:
        self._leaving, self._entering = SIDES[direction]
        self._highlighted, self._back = diagram.look.highlighted, diagram.look.back
        self._shapes = {shape.id: shape for shape in diagram.shapes}
        self._arrivals = Counter(line.target for line in diagram.lines if line.enters)
        self._twins = Counter((line.source, line.target) for line in diagram.lines)

    def ends(self, line: Line) -> tuple[str, str]:
        """Return the ports at which an edge begins and ends: of a wire's line, or of a side."""
        tail, head = line.source, line.target
        source, target = self._shapes[tail], self._shapes[head]
        if isinstance(source, Wire | Bundle):
            tail += f":line:{self._leaving}"
        elif not (line.enters or isinstance(target, Border) or self._is_copying(line)):
            tail += f":{self._leaving}"
        if isinstance(target, Wire | Bundle):
            head += f":line:{self._entering}"
        elif isinstance(target, Folded):
            head += f":{self._entering}"
        return tail, head

    def style(self, line: Line) -> dict[str, str]:
        """Return the attributes of an edge."""
        style = {**self._layout(line)}  # a copy: its own may be shared by all lines
        if line.thick:
            style |= _THICK
        if self._highlighted.intersection({line.id, line.id.rpartition("-to")[0]}):
            style |= _BOLD
        return style | _BACK if line.id in self._back else style

    def _layout(self, line: Line) -> dict[str, str]:
        source, target = self._shapes[line.source], self._shapes[line.target]
        if isinstance(target, Border):
            return _NO_ARROW
        if isinstance(source, Border):
            return {} if line.enters else _NO_ARROW
        if self._is_copying(line):  # room to pass the leaves
            return {"minlen": "2"} if line.enters else {**_NO_ARROW, "minlen": "2", "weight": "100"}
        if not line.enters:
            return {**_NO_ARROW, "weight": "100"}
        if self._twins[line.source, line.target] > 1:  # they need room to part
            return {"minlen": "2"}
        return {"weight": "50"} if self._arrivals[target.id] == 1 else {}  # chains run straight

    def _is_copying(self, line: Line) -> bool:
        source = self._shapes[line.source]
        return isinstance(source, GateShape) and source.copies
