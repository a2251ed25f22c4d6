"""Mermaid text."""

from __future__ import annotations

import re

import pytest

from scalargrad import Parameter, Value, ops
from scalargrad.show.graphs import draw

NODE = re.compile(r'    (\w+)(?:\["(.*)"\]|\(\("(.*)"\)\)):::(\w+)')
LINE = re.compile(r"    (\w+) (-->|---) (\w+)")


def parse(text: str) -> tuple[dict[str, tuple[str, str]], list[tuple[str, ...]]]:
    """Return (text, class) of each node, its entities decoded, and the lines."""
    nodes, lines = {}, []
    for row in text.splitlines():
        if node := NODE.fullmatch(row):
            shown = re.sub("#([0-9]+);", lambda m: chr(int(m[1])), node[2] or node[3])
            nodes[node[1]] = shown.replace("<br/>", "\n"), node[4]
        elif line := LINE.fullmatch(row):
            lines.append(line.groups())
    return nodes, lines


def test_lecture_graph() -> None:
    """(x + y)z has the lecture's numbers on its wires and its two gates."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Parameter(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.backward()
    nodes, lines = parse(draw(f).mermaid)
    assert nodes == {
        "n0": ("x", "input"),
        "n0_wire": ("−2\ngrad −4", "wire"),
        "n1": ("y", "input"),
        "n1_wire": ("5\ngrad −4", "wire"),
        "n2": ("+", "gate"),
        "n2_wire": ("q = 3\ngrad −4", "wire"),
        "n3": ("z", "parameter"),
        "n3_wire": ("−4\ngrad 3", "wire"),
        "n4": ("×", "gate"),
        "n4_wire": ("−12\ngrad 1", "wire"),
    }
    assert [(source, target) for source, arrow, target in lines if arrow == "-->"] == [
        ("n0_wire", "n2"),
        ("n1_wire", "n2"),
        ("n2_wire", "n4"),
        ("n3_wire", "n4"),
    ]


def test_direction() -> None:
    """The flowchart runs the way the picture does."""
    assert draw(Value(1.0), direction="TB").mermaid.startswith("flowchart TB\n")


def test_every_line_joins_declared_nodes() -> None:
    """Branches and boxed constants are joined to nodes that exist."""
    x = Value(2.0, "x")
    nodes, lines = parse(draw(ops.maximum(x * x, x, 0.0)).mermaid)
    assert {end for source, _, target in lines for end in (source, target)} == set(nodes)


@pytest.mark.parametrize(
    "label",
    [
        '"q"',
        "</script><img x=y>",
        "`code` **bold** _it_",
        "- list",
        "1. list",
        "#35; %% end",
        "[a](b) {c} |d|",
        "ünï 漢 😀",
    ],
)
def test_label_is_text(label: str) -> None:
    """No ASCII punctuation of a label reaches Mermaid, which would read it as syntax."""
    text = draw(Value(1.0, label)).mermaid
    assert parse(text)[0]["n0"] == (label, "input")
    shown = text.splitlines()[1].removeprefix('    n0["').removesuffix('"]:::input')
    assert (
        not re.search(r"[^\w\s;#]|_", re.sub(r"#\d+;", "", shown), re.ASCII) or not label.isascii()
    )
