"""Draw how a wire reaches several readers: by a dot, or for distant ones by repeating its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from scalargrad.show.characters import visible
from scalargrad.show.graphs.diagram import Box, Junction, Line, Shape, Wire
from scalargrad.show.subgraphs.folds import Item
from scalargrad.value import Value

#: A node read at more depths than `MOST_DEPTHS` is named again beside each reader but the first. So
#: is one read at more than `FEW`, if the first and last are `FAR` apart, where a chain continues in
#: rows.
MOST_DEPTHS, FAR, FEW = 10, 16, 3


def read_far_apart(
    items: Sequence[Item],
    readers: Mapping[Value, Iterable[Item]],
    stands: Mapping[Value, Item],
) -> Iterator[Value]:
    """Yield the nodes that are read at many depths, such as the factor of a long recurrence.

    Parameters
    ----------
    items : sequence of Value or Fold
        What is drawn, operands before what reads them.
    readers : mapping from Value to items
        The visible nodes, and what reads each.
    stands : mapping from Value to item
        The item that each node is drawn in.
    """
    after: dict[Item, list[Item]] = {item: [] for item in items}
    for node, reading in readers.items():
        if node in stands:
            after[stands[node]] += reading
    depths: dict[Item, int] = {}  # counted from the end: a gate stands by what reads it first
    for item in reversed(items):
        depths[item] = 1 + max((depths[reader] for reader in after[item]), default=0)
    for node, reading in readers.items():
        found = {depths[item] for item in reading}
        is_far = len(found) > FEW and max(found) - min(found) >= FAR
        if is_far or len(found) > MOST_DEPTHS:
            yield node


def branched(
    shapes: Sequence[Shape], entering: Sequence[Line], again: Mapping[str, str]
) -> tuple[list[Shape], list[Line]]:
    """Return the shapes at which wires branch, and all lines from there on.

    Parameters
    ----------
    shapes : sequence of shape
        What is drawn so far.
    entering : sequence of Line
        The lines from wires to what reads them.
    again : mapping from str to str
        By the ids of wires whose readers lie far apart, the names to repeat there.
    """
    leaving = Counter(line.source for line in entering)
    wires = [shape.id for shape in shapes if isinstance(shape, Wire) and leaving[shape.id] > 1]
    fans = {wire: f"{wire.removesuffix('-wire')}-fan" for wire in wires}
    added: list[Shape] = [Junction(fan, "") for fan in fans.values()]
    lines = [Line(f"{fan.removesuffix('-fan')}-stem", wire, fan) for wire, fan in fans.items()]
    first = _first_readers(entering)
    for line in entering:
        if line.source not in again or line.id in first or line.id.startswith("exit"):
            lines.append(replace(line, source=fans.get(line.source, line.source)))
            continue
        box, wire = _named_again(line.id, again[line.source]), f"{line.id}-wire"
        added += [box, Wire(wire, "", "", "", "", "")]
        lines += [Line(f"{line.id}-out", box.id, wire), replace(line, source=wire)]
    return added, lines


def _first_readers(lines: Sequence[Line]) -> set[str]:
    """Return the first line from each source: its node stands there and is not named again."""
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.source, line.id)
    return set(first.values())


def _named_again(line: str, name: str) -> Box:
    return Box(f"{line}-again", "again", visible(name), "")
