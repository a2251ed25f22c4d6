"""Shapes and lines, before any format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scalargrad import Parameter, Value, ops
from scalargrad.graph import topological_order
from scalargrad.show.characters import visible
from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.diagram import Box, Diagram, GateShape, Junction, Line


def diagram_of(root: Value) -> Diagram:
    """Return the diagram of one root."""
    return Builder(DrawnGraph(topological_order(root))).build([root])


def lines_into_gates(root: Value) -> list[tuple[str, str]]:
    """Return source and target of every line that brings an operand."""
    return [(line.source, line.target) for line in diagram_of(root).lines if line.enters]


def last_gate(root: Value) -> GateShape:
    """Return the gate that computes the root."""
    return [shape for shape in diagram_of(root).shapes if isinstance(shape, GateShape)][-1]


def test_lines_follow_the_operands() -> None:
    """In (x + y)z the sum reads x and y, the product reads the sum and z."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    assert lines_into_gates((x + y) * z) == [
        ("n0-wire", "n2"),
        ("n1-wire", "n2"),
        ("n2-wire", "n4"),
        ("n3-wire", "n4"),
    ]


def test_square_by_multiplication_has_two_lines_from_one_branch() -> None:
    """The product x · x reads x twice, from the dot where its wire branches."""
    x = Value(3.0, "x")
    assert lines_into_gates(x * x) == [("n0-fan", "n1"), ("n0-fan", "n1")]
    junctions = [shape for shape in diagram_of(x * x).shapes if isinstance(shape, Junction)]
    assert junctions == [Junction("n0-fan", "x is read 2 times")]


def test_leaves_are_told_apart() -> None:
    """Parameters, inputs and the constants of n-ary gates are three kinds of box."""
    root = ops.maximum(Parameter(1.0, "w"), Value(2.0, "x"), 0.0)
    kinds = {shape.text: shape.kind for shape in diagram_of(root).shapes if isinstance(shape, Box)}
    assert kinds == {"w": "parameter", "x": "input", "0": "constant"}


def test_boxed_constant_enters_its_gate_directly() -> None:
    """A constant has no gradient, so no wire: one line joins its box to the gate."""
    lines = diagram_of(ops.maximum(Value(2.0), 7.0)).lines
    assert [line for line in lines if "c1" in line.source] == [
        Line("n1-w1", "n1-c1", "n1", enters=True)
    ]


def test_folded_constant_has_neither_box_nor_line() -> None:
    """In x + 1 only x enters the gate."""
    diagram = diagram_of(Value(2.0) + 1)
    assert sum(isinstance(shape, Box) for shape in diagram.shapes) == 1
    assert sum(line.enters for line in diagram.lines) == 1


def test_leaf_without_label_gets_the_name_it_has_in_steps() -> None:
    """An unlabelled leaf is named v1, v2, …; labels used twice stay as they are."""
    boxes = diagram_of(Value(1.0) * Value(2.0, "w") * Value(3.0, "w")).shapes
    assert [shape.text for shape in boxes if isinstance(shape, Box)] == ["v1", "w", "w"]


@pytest.mark.parametrize(
    ("function", "ordered"),
    [
        (lambda x, y: x + y, True),
        (lambda x, y: x + x, False),
        (lambda x, y: x - x, True),
        (lambda x, y: ops.dot([x, y], [x, y]), False),
        (lambda x, y: ops.where(ops.gt(x, y), x, y), True),
    ],
)
def test_order_of_operands_gives_way_only_where_it_has_no_meaning(
    function: Callable[[Value, Value], Value], ordered: bool
) -> None:
    """Lines keep their order in trees, and everywhere in gates that are not symmetric."""
    assert last_gate(function(Value(1.0), Value(2.0))).ordered is ordered


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00\x1f\x7f", "␀␟␡"),
        ("a\tb\rc", "a␉b␍c"),
        ("two\nlines", "two\nlines"),
        ("\ud800\uffff", "\ufffd\ufffd"),
        ("ünï 漢 😀", "ünï 漢 😀"),
    ],
)
def test_what_cannot_be_printed_is_made_visible(text: str, shown: str) -> None:
    """Control characters become the signs Unicode has for them, what XML forbids U+FFFD."""
    assert visible(text) == shown


def test_title_says_what_was_computed() -> None:
    """The diagram's title names every root with its value."""
    x = Value(3.0, "x")
    y, z = x + 1, x * 2
    y.label, z.label = "y", "z"
    diagram = Builder(DrawnGraph(topological_order(y, z))).build([y, z])
    assert diagram.title == "Computation graph of y = 4, z = 6: 3 nodes"
