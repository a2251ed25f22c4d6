"""draw: shapes, lines, names, numbers and their order; highlights and colours.

All formats have the same shapes, so most tests read the Mermaid text, which needs no layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.show.graphs.parsing import flow, lecture

from scalargrad import Parameter, Value, custom_op, draw, ops
from scalargrad.errors import GraphTooLargeError
from scalargrad.show.graphs import Picture

Function = Callable[[Value], Value]


def chain(length: int) -> Value:
    """Return the last of `length` nodes, each computed from the one before."""
    node = Value(1.0, "x")
    for _ in range(length - 1):
        node = node.tanh()
    return node


# Shapes and lines -----------------------------------------------------------------------------


def test_draw_of_the_lecture_graph() -> None:
    """(x + y)z has the lecture's numbers on its wires, its two gates and its four operands."""
    shown = flow(draw(lecture()))
    assert {id: (text, shown.kinds[id]) for id, text in shown.texts.items()} == {
        "n0": ("x", "input"),
        "n0_wire": ("−2\ngrad −4", "wire"),
        "n1": ("y", "input"),
        "n1_wire": ("5\ngrad −4", "wire"),
        "n2": ("+", "gate"),
        "n2_wire": ("q = 3\ngrad −4", "wire"),
        "n3": ("z", "input"),
        "n3_wire": ("−4\ngrad 3", "wire"),
        "n4": ("×", "gate"),
        "n4_wire": ("f = −12\ngrad 1", "wire"),
    }
    assert shown.arriving("n2") == ["n0_wire -->", "n1_wire -->"]
    assert shown.arriving("n4") == ["n2_wire -->", "n3_wire -->"]


def test_draw_distinguishes_parameters_inputs_and_constants() -> None:
    """They are boxes of three kinds; a constant in the text of a gate has no box."""
    x = Value(2.0, "x")
    shown = flow(draw(ops.maximum(Parameter(1.0, "w"), x + 1.0, x * x, 7.0)))
    leaves = {kind: shown.of(kind) for kind in ("parameter", "input", "constant")}
    assert leaves == {"parameter": ["w"], "input": ["x"], "constant": ["7"]}
    assert shown.of("gate") == ["+1", "×", "max"]
    product, largest = (shown.texts[id] for id in ("n3", "n4"))
    assert (product, largest) == ("×", "max")
    assert shown.arriving("n3") == ["n1_wire -->"] * 2
    assert shown.arriving("n4") == ["n0_wire -->", "n2_wire -->", "n3_wire -->", "n4_c3 -->"]
    assert {end for a, _, b in shown.lines for end in (a, b)} == shown.texts.keys()


def test_draw_names_leaves_without_a_label_as_steps_do() -> None:
    """They are v1, v2, …; labels used twice are numbered."""
    product = Value(1.0) * Value(2.0, "w") * Value(3.0, "w")
    assert flow(draw(product)).of("input") == ["v1", "w", "w_2"]


@pytest.mark.parametrize("name", ["lable", "labl", "labels", "Label"])
def test_draw_warns_about_a_misspelled_label(name: str) -> None:
    """Such an attribute does not name the node."""
    x: Any = Value(2.0)
    setattr(x, name, "in")
    message = rf"\.{name} = 'in' does not name a node: write \.label = 'in'"
    with pytest.warns(UserWarning, match=message):
        draw(x * 3.0)
    x.label = "in"
    draw(x * 3.0)  # which has a label


def test_draw_does_not_warn_about_other_attributes() -> None:
    """Other names, and attributes that are not strings."""
    x: Any = Value(2.0)
    x.name, x.table, x.labels, x.unit = "in", "of inputs", ["a", "b"], "m"
    draw(x * 3.0)


def test_draw_of_several_roots_shares_nodes_and_names_the_roots() -> None:
    """Two functions of one leaf are drawn together, with the leaf once."""
    x = Value(3.0, "x")
    y, z = x + 1, x / 7
    y.label, z.label = "y", "z"
    picture = draw([y, z])
    assert repr(picture) == "<Picture: Computation graph of y = 4, z ≈ 0.4286: 3 nodes>"
    assert flow(picture).of("input") == ["x"]
    assert flow(picture).of("gate") == ["+1", "÷7"]
    assert repr(draw(x)) == "<Picture: Computation graph of x = 3: 1 node>"


GATES: list[tuple[Function, str]] = [
    # a function of x, with each constant on its side
    (lambda x: x * -1, "×−1"),
    (lambda x: 1 + x, "+1"),
    (lambda x: 1 / x, "1/x"),
    (lambda x: x - -1, "−(−1)"),
    (lambda x: 2 - x, "2−x"),
    (lambda x: x / -3, "÷−3"),
    (lambda x: 2**x, "2ˣ"),
    (lambda x: ops.lt(x, 0.0), "<0"),
    (lambda x: ops.lt(0.0, x), "0<x"),
    (lambda x: ops.atan2(1.0, x), "atan2(1, x)"),
    (lambda x: ops.clip(x, 0, 1), "clip(x, 0, 1)"),
    (lambda x: x * 1e-5, "×1e−5"),
    (lambda x: -x, "−x"),
    (ops.reciprocal, "1/x"),
    # integer exponents as superscripts, one half as a root, other fractions after ^
    (lambda x: x**2, "x²"),
    (lambda x: x**-1, "x⁻¹"),
    (lambda x: x**0.5, "√x"),
    (lambda x: x**-0.5, "x^(−0.5)"),
    # gates of several operands have the sign or the symbol of their operation
    (lambda x: x + x, "+"),
    (lambda x: x * x, "×"),
    (lambda x: x**x, "xʸ"),
    (ops.sigmoid, "σ"),
    (lambda x: ops.maximum(x, 0.0), "max"),
    (lambda x: ops.dot([x], [2.0]), "w·x"),
]


@pytest.mark.parametrize(("function", "text"), GATES, ids=[text for _, text in GATES])
def test_draw_writes_gates_as_in_a_lecture(function: Function, text: str) -> None:
    """A gate of one wire is a function of x with its constants; others have a sign or symbol."""
    assert flow(draw(function(Value(0.5, "x")))).of("gate")[-1] == text


@pytest.mark.parametrize("symbol", ["a-b", "<b>&amp;|", r"\N {x}"])
def test_draw_keeps_the_symbol_of_a_custom_op(symbol: str) -> None:
    """Hyphens and markup in the symbol are not changed."""

    @custom_op(partials=lambda y, a, b: (1.0, 1.0), symbol=symbol)
    def merge(a: float, b: float) -> float:
        return a + b

    x = Value(0.5, "x")
    assert flow(draw(merge(x, x))).of("gate") == [symbol]


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12))
def test_mermaid_escapes_labels(label: str) -> None:
    """ASCII punctuation would be syntax of Mermaid."""
    picture = draw(Value(1.0, label))
    assert flow(picture).of("input") == [label]
    written = picture.mermaid.split("\n")[1].removeprefix('    n0["').removesuffix('"]:::input')
    bare = re.sub(r"#\d+;|<br/>", "", written)
    assert not re.search(r"[!-/:-@\[-`{-~]", bare)


# Numbers --------------------------------------------------------------------------------------


def square_of_a_third() -> Value:
    """Return x² at 1/3."""
    return Value(1 / 3, "x") ** 2.0


def test_draw_shows_gradients_after_backward() -> None:
    """Before `backward` there is no gradient, also not 0."""
    y = square_of_a_third()
    before = draw(y)
    assert "grad" not in before.mermaid
    assert "gradient of" not in before.svg()
    y.backward()
    assert "grad" not in before.mermaid  # the numbers are those at the time of drawing
    assert flow(draw(y)).of("wire") == ["0.3333\ngrad 0.6667", "0.1111\ngrad 1"]
    assert "gradient of x: 0.6666666666666666" in draw(y).svg()


def test_draw_omits_gradients_of_an_earlier_graph() -> None:
    """A parameter has the gradient of an earlier loss; the new loss has none yet."""
    w = Value(3.0, "w")
    (w * w).backward()
    after = w * 2.0
    assert "grad" not in draw(after).mermaid
    after.backward()
    assert draw(after).mermaid.count("grad 8") == 1


# Copies ---------------------------------------------------------------------------------------


def test_draw_copies_shows_fan_out_as_copy_gates() -> None:
    """A copy gate reads the wire of x; the wire of each reader has its contribution."""
    x = Value(3.0, "x")
    y = x * x
    y.backward()
    picture = draw(y, copies=True)
    shown = flow(picture)
    assert shown.texts["n0_fan"] == "copy"
    assert shown.arriving("n0_fan") == ["n0_wire -->"]
    assert sorted(shown.of("wire")) == ["3\ngrad 3", "3\ngrad 3", "3\ngrad 6", "9\ngrad 1"]
    assert picture.svg().count("contribution of v1 to the gradient of x: 3.0") == 2
    tree = (Value(1.0, "x") + Value(2.0, "y")) * Value(3.0, "z")
    assert draw(tree, copies=True).dot == draw(tree).dot


def test_draw_copies_contributions_sum_to_the_gradient() -> None:
    """For every node with several readers, with all digits."""
    x, y = Value(0.7, "x"), Value(-1.3, "y")
    u = ops.sin(x * y)
    u.label = "u"
    root = u * u + ops.exp(x) / (u + y) + x * x * u + ops.relu(y)
    root.backward()
    svg = draw(root, copies=True).svg()
    for node in (x, y, u):
        terms = re.findall(rf"contribution of \w+ to the gradient of {node.label}: ([^<]+)<", svg)
        assert len(terms) > 1
        total = sum(float(term.replace("−", "-")) for term in terms)
        assert total == pytest.approx(node.grad, rel=1e-12)


# Paper, the limit, errors ---------------------------------------------------------------------


def test_draw_collapses_subgraphs_above_the_limit() -> None:
    """A graph as large as the limit is drawn whole; with one node more, parts are collapsed."""
    assert "collapsed" not in repr(draw(chain(12), limit=12))
    assert "collapsed" in repr(draw(chain(12), limit=11))


def remedy(draw_it: Callable[[], Any]) -> int:
    """Return the limit that the error proposes."""
    with pytest.raises(GraphTooLargeError, match="limit=") as caught:
        draw_it()
    return int(re.findall(r"limit=(\d+)", str(caught.value))[0])


def test_draw_error_proposes_the_required_limit() -> None:
    """Boxed constants and many lines between few nodes count, too; the proposed limit works."""
    short = chain(12)
    boxed: Value = ops.sum([Value(1.0), *[2.0] * 400])
    tangled: Value = ops.sum([Value(1.0)] + [Value(2.0, "x")] * 41)
    assert draw(short, limit=remedy(lambda: draw(short, limit=2))).dot
    assert remedy(lambda: draw(boxed, limit=300)) == 402
    least = remedy(lambda: draw(tangled, limit=10))
    assert least == 11
    assert draw(tangled, limit=least).dot


# Highlights -----------------------------------------------------------------------------------


def lit(picture: Picture) -> set[str]:
    """Return the ids of highlighted shapes and of lines with a halo."""
    found = re.findall(r'<g [^>]*id="([^"]+)">((?:(?!<g ).)*)', picture.svg(), re.DOTALL)
    return {id for id, drawn in found if "#FFE2A0" in drawn or "#F2A900" in drawn}


def test_draw_highlight_includes_the_lines_between_nodes() -> None:
    """The nodes x, q, f have the lines from x to q and from q to f, but not those of y and z."""
    f = lecture()
    q: Any = f.parents[0]
    assert lit(draw(f, highlight=[q.parents[0], q, f])) == {
        *("n0", "n2", "n4", "n0-out", "n2-out", "n4-out", "n0-wire", "n2-wire", "n4-wire"),
        *("n2-w0", "n4-w0"),
    }


def test_save_tikz_has_the_shapes_and_escapes_latex_characters(tmp_path: Path) -> None:
    """Two boxes, two gates and a dot; % and _ are escaped, Greek letters are commands."""
    x, theta = Value(2.0, "x_{%}"), Value(3.0, "θ1")
    picture = draw(theta * x + x)
    text = picture.save(tmp_path / "f.tikz").read_text(encoding="utf-8")
    assert text.isascii()
    circles = re.findall(r"\(([\d.]+),([\d.]+)\) circle \[", text)
    boxes = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="(\d+.\d+)" ', picture.svg())
    middles = {(float(x) + float(w) / 2, float(y) + float(w) / 2) for x, y, w in boxes}
    assert len(circles) == len(middles & {(float(x), float(y)) for x, y in circles}) == 3
    assert text.count("dash pattern") == 2
    assert r"{$\theta$\textsubscript{1}}" in text
    assert r"{$\times$}" in text
    assert r"{x\_\{\%\}}" in text
    assert not re.search(r"(?<!\\)[%#&~^]|(?<!\\)_", text)
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert all(line.endswith(";") for line in text.splitlines()[1:-1])
