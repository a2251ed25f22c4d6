"""parse: its syntax, and the graphs that it builds."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st
from tests.inner import leaves, topological_order

import scalargrad as sg
from scalargrad import DomainError, ExpressionError, Parameter, Value, gradients, parse, walk

# Syntax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["e**x * 2", "2 * e^x", "e ^ x ^ 1 * 2", "a = e^-x; 2 * e**-a / 1"]
)
def test_parse_reads_a_power_of_e_as_exp(text: str) -> None:
    """Lectures write it so; a step would otherwise show 2.718 to a power."""
    f = parse(text, x=0.0)
    assert "exp(" in str(walk(f))
    assert "2.718^" not in str(walk(f))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sum(x, 2, y)", 12.0),
        ("mean(x, 2, y)", 4.0),
        ("minimum([x, y])", 3.0),
        ("dot((x, y), (10, 100))", 730.0),
        ("dot([x, y], (10, 100), 1)", 731.0),
        ("leaky_relu(-x)", -0.03),
        ("elu(-x, 2)", 2 * math.expm1(-3.0)),
        ("clip(x, 5)", 5.0),
        ("clip(x, 0, 1)", 1.0),
    ],
)
def test_parse_arguments_of_operations(text: str, number: float) -> None:
    """Reductions take numbers or one list, dot takes two; arguments with defaults are optional."""
    assert parse(f"x = 3; y = 7; {text}").data == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize("text", ["y = x", "y = +x", "y = where(1 > 0, x, 2)"])
@pytest.mark.parametrize("label", ["x", ""])
def test_parse_assignment_of_a_named_value_makes_an_identity_node(text: str, label: str) -> None:
    """The label of the value is not changed."""
    x = Value(3.0, label)
    y = parse(text, x=x)
    assert (y.label, y.op, y.parents) == ("y", sg.identity, (x,))
    assert x.label == label


def test_parse_uses_value_arguments_in_the_graph() -> None:
    """A Value or Parameter is a node of the graph, and receives gradients."""
    w, x = Parameter(2.0, "weight"), Value(3.0)
    f = parse("w * x", w=w, x=x)
    f.backward()
    assert f.parents == (w, x)
    assert (w.grad, x.grad) == (3.0, 2.0)


@pytest.mark.parametrize(
    "text",
    [
        "q = x + y\r\nf = q * x\r\n",
        "\n    # the sum\n    q = x + y\n\n    f = q * x  # the product\n",
        "q = (x\n+ y); f = (\n  q *\n  x\n)",
        "\tq\t=\tx+y;\tf=q*x;",
    ],
)
def test_parse_layout_of_statements(text: str) -> None:
    """Semicolons, line ends, comments, blank lines, common indentation, brackets over lines."""
    f = parse(text, x=2, y=5)
    assert (f.label, f.data) == ("f", 14.0)


def test_parse_of_a_long_chain_needs_no_recursion() -> None:
    """A sum of 1,001 terms is nested to the left."""
    f = parse("x" + " + x" * 1000, x=1)
    assert f.data == 1001.0
    assert gradients(f, leaves(f)) == [1001.0]


def test_parse_numbers_and_constants() -> None:
    """Constant expressions have no nodes; a single constant, or one with a name, is a leaf."""
    f = parse("x * pi + e", x=1)
    assert f.data == pytest.approx(math.pi + math.e, rel=1e-15)
    assert f.parents[1] == math.e
    node, alone = parse("2*3 + x", x=1), parse("2*3")
    assert node.parents[0] == 6.0
    assert (alone.data, alone.op, alone.label) == (6.0, None, "")
    assert [leaf.label for leaf in leaves(parse("lr = 0.1; x * lr", x=2))] == ["x", "lr"]
    with sg.no_grad():
        f = parse("q = x * 2; f = q + 1", x=3)
    assert (f.data, f.label, f.parents) == (7.0, "f", ())
    with pytest.raises(DomainError, match="x = -1"):
        parse("log(x)", x=-1)


def test_parse_names_in_any_script() -> None:
    """Names are compared in normal form, and are labels; any name may be a keyword of parse."""
    three: Any = np.float32(3)
    f = parse("ŷ = σ * x̄ + 名", σ=2, x̄=three, 名=np.array(1.0))
    assert f.data == 7.0
    assert {node.label for node in topological_order(f)} == {"", "ŷ", "σ", "x̄", "名"}
    for text, name in (("ﬁ * 2", "fi"), ("fi * 2", "ﬁ"), ("ｆｉ * 2", "fi")):
        node = parse(text, **{name: 3})
        assert (node.data, leaves(node)[0].label) == (6.0, "fi")
    assert parse("text * self", text=2, self=3).data == 6.0


# Against Python itself ------------------------------------------------------------------------

_PYTHON = {
    "x": 1.5,
    "y": -0.75,
    "z": 2.0,
    "pi": math.pi,
    "exp": math.exp,
    "tanh": math.tanh,
    "sin": math.sin,
    "abs": abs,
    "maximum": max,
    "where": lambda condition, a, b: a if condition else b,
}
_COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_INFIX = st.sampled_from([" + ", "-", "*", " / ", "**"])
_UNARY = st.sampled_from(["-{}", "+{}", "({})", "exp({})", "tanh({})", "sin({})", "abs({})"])


def larger_expressions(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Build expressions from smaller ones, most of them without brackets."""
    compared = st.builds("({} {} {})".format, part, _COMPARISONS, part)
    return st.one_of(
        compared,
        st.builds("{}{}{}".format, part, _INFIX, part),
        st.builds(lambda pattern, x: pattern.format(x), _UNARY, part),
        st.builds("maximum({}, {}, {})".format, part, part, part),
        st.builds("where({}, {}, {})".format, compared, part, part),
    )


ATOMS = st.sampled_from(["x", "y", "z", "pi", "2.0", ".5", "1e-3", "3."])


@pytest.mark.differential
@given(st.recursive(ATOMS, larger_expressions, max_leaves=12))
@example("-x**2.0**-y*z")
@example("z**.5*-x/-y-(x < y)*2.0")
def test_parse_agrees_with_python(text: str) -> None:
    """Precedence, associativity and every operator agree with Python's eval."""
    try:
        expected = eval(text, dict(_PYTHON))
    except (ArithmeticError, ValueError, TypeError):  # TypeError: from a complex power
        reject()
    assume(not isinstance(expected, complex) and math.isfinite(expected))
    try:
        found = parse(f"x = 1.5; y = -0.75; z = 2.0; {text}").data
    except (DomainError, ExpressionError) as error:
        assume("overflow" not in str(error) and "it needs" not in str(error))
        raise
    assert found == pytest.approx(float(expected), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("lecture", "python"),
    [
        ("w^2", "w**2"),
        ("w·x − 3×x ＋ w÷x\xa0", "w*x - 3*x + w/x"),
        ("w ≤ x", "w <= x"),
        ("2^w^2", "2**(w**2)"),
        ("-w^2 + 3*w^-2", "-(w**2) + 3/w**2"),
        ("max(w, x)", "maximum(w, x)"),
        ("min(w, x, 0)", "minimum(w, x, 0)"),
        ("σ(w*x)", "sigmoid(w*x)"),
        ("logistic(w) + ln(w)", "sigmoid(w) + log(w)"),
    ],
)
def test_parse_reads_the_syntax_of_lectures(lecture: str, python: str) -> None:
    """The power ^ has the precedence of **; typographic signs and other names are read."""
    found, expected = (parse(f"f = {text} + 0*w*x", w=2, x=3) for text in (lecture, python))
    assert found.data == expected.data


def test_parse_vectors_by_name() -> None:
    """The neuron of Hosseini, σ(w·x + w2); elements are named w0, w1."""
    f = parse("f = σ(dot(w, x, b) + 0*w0)", w=[2, -3], x=(-1, -2), b=-3)
    f.backward()
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-12)
    slopes = {leaf.label: leaf.grad for leaf in leaves(f)}
    assert slopes["w0"] == pytest.approx(-0.19661193324148188, rel=1e-12)
    assert slopes["x1"] == pytest.approx(-0.5898357997244457, rel=1e-12)
    assert parse("dot(e1, e1)", e1=[3.0, 4.0]).data == 25.0
    assert parse("max(v) + sum(v)", v=np.array([3.0, 4.0])).data == 11.0


@pytest.mark.differential
@given(st.recursive(ATOMS, larger_expressions, max_leaves=8), st.data())
def test_parse_of_a_mutated_expression_is_a_value_or_an_expression_error(
    text: str, data: st.DataObject
) -> None:
    """Some characters of a formula are exchanged, left out or repeated."""
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.sampled_from(list("xy2.=+-*/()[],;:#^σ² \\n"))
            | st.just(text[at : at + 3])
            | st.just("")
        )
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
    with contextlib.suppress(ExpressionError, DomainError):
        assert isinstance(parse(f"x = 1.5; y = -0.75; z = 2.0; {text}"), Value)
