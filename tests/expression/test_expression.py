"""Claims about what `parse` reads, and the graph it builds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from scalargrad import (
    DomainError,
    ExpressionError,
    Parameter,
    Value,
    gradients,
    no_grad,
    ops,
    parse,
    walk,
)
from scalargrad.graph import leaves, topological_order
from scalargrad.ops.reductions import Dot
from scalargrad.table.operation import Elementwise, Operation, Unary

# What it reads --------------------------------------------------------------------------------


def test_the_lecture_s_first_graph() -> None:
    """(x + y)z at (-2, 5, -4) gives the lecture's numbers, and names become labels."""
    f = parse("q = x + y; f = q * z", x=-2, y=5, z=-4)
    order = topological_order(f)
    assert [(node.label, node.data) for node in order] == [
        ("x", -2.0),
        ("y", 5.0),
        ("q", 3.0),
        ("z", -4.0),
        ("f", -12.0),
    ]
    assert gradients(f, order) == [-4.0, -4.0, -4.0, 3.0, 1.0]


def test_the_sigmoid_neuron_of_the_lecture() -> None:
    """1/(1 + e^-(w0x0 + w1x1 + w2)) has the lecture's value and gradients."""
    f = parse("1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))", w0=2, w1=-3, w2=-3, x0=-1, x1=-2)
    found = {leaf.label: gradients(f, leaf) for leaf in leaves(f)}
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-12)
    assert found == pytest.approx(
        {
            "w0": -0.19661193324148188,
            "w1": -0.39322386648296376,
            "w2": 0.19661193324148188,
            "x0": 0.39322386648296376,
            "x1": -0.5898357997244457,
        },
        rel=1e-12,
    )


@pytest.mark.parametrize(
    "text", ["e**x * 2", "2 * e^x", "e ^ x ^ 1 * 2", "a = e^-x; 2 * e**-a / 1"]
)
def test_a_power_of_e_is_the_exponential(text: str) -> None:
    """As lectures write it; a step would show 2.718 to a power."""
    f = parse(text, x=0.0)
    assert "exp(" in str(walk(f))
    assert "2.718^" not in str(walk(f))


def called(op: Operation) -> tuple[str, dict[str, float], list[str]]:
    """Return a call of an operation as text, values in its domain, and its operands' names."""
    count = op.arity if isinstance(op, Elementwise) else 4
    intervals = [op.domain.interval(i) for i in range(count)]
    values = {f"a{i}": low + 0.4 * (high - low) for i, (low, high) in enumerate(intervals)}
    names = list(values)
    if isinstance(op, Dot):
        return f"{op.name}(({', '.join(names[:2])}), [{', '.join(names[2:])}])", values, names
    return f"{op.name}({', '.join(names)})", values, names


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=list(ops.TABLE))
def test_every_operation_is_called_by_its_name(op: Operation) -> None:
    """A call of an operation of the table makes its node over its arguments, in order."""
    text, values, names = called(op)
    node = parse(text, **values)
    assert node.op is op
    assert [parent.label for parent in node.parents if isinstance(parent, Value)] == names


def test_an_operation_added_to_the_table_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new entry of the table is understood with no other change."""
    op = Unary(lambda x: x + x, lambda y, x: (2.0,), name="twice")
    monkeypatch.setitem(ops.TABLE, "twice", op)
    assert parse("twice(x)", x=4).op is op


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("x + y", "add"),
        ("x - y", "sub"),
        ("x * y", "mul"),
        ("x / y", "div"),
        ("x ** y", "pow"),
        ("-x * y", "mul"),
        ("-(x * y)", "neg"),
        ("x < y", "lt"),
        ("x <= y", "le"),
        ("x > y", "gt"),
        ("x >= y", "ge"),
        ("x == y", "eq"),
        ("x != y", "ne"),
    ],
)
def test_operators_record_their_operation(text: str, op: str) -> None:
    """Every operator makes the node of its operation; comparisons do too."""
    node = parse(text, x=2, y=3)
    assert node.op is ops.TABLE[op]


@pytest.mark.parametrize(("x", "chosen"), [(2, 4.0), (-2, 2.0)])
def test_a_comparison_is_a_node_of_where(x: float, chosen: float) -> None:
    """where(x > 0, x*x, -x) records the comparison, and its choice depends on the data."""
    f = parse("where(x > 0, x*x, -x)", x=x)
    assert f.data == chosen
    assert isinstance(f.parents[0], Value)
    assert f.parents[0].op is ops.gt


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sum(x, 2, y)", 12.0),
        ("sum((x, 2, y))", 12.0),
        ("mean(x, 2, y)", 4.0),
        ("maximum(x, y)", 7.0),
        ("minimum([x, y])", 3.0),
        ("logsumexp(x, x)", 3.0 + math.log(2.0)),
        ("dot((x, y), (10, 100))", 730.0),
        ("dot([x, y], (10, 100), 1)", 731.0),
        ("leaky_relu(-x)", -0.03),
        ("leaky_relu(-x, 0.5)", -1.5),
        ("elu(-x)", math.expm1(-3.0)),
        ("elu(-x, 2)", 2 * math.expm1(-3.0)),
        ("clip(x)", 3.0),
        ("clip(x, 5)", 5.0),
        ("clip(x, 0, 1)", 1.0),
    ],
)
def test_arguments_as_lists_and_left_out(text: str, number: float) -> None:
    """Reductions take numbers or one list, dot takes two; arguments with defaults may go."""
    assert parse(f"x = 3; y = 7; {text}").data == pytest.approx(number, rel=1e-15)


def test_constants() -> None:
    """Pi and e are numbers, not nodes."""
    f = parse("x * pi + e", x=1)
    assert f.data == pytest.approx(math.pi + math.e, rel=1e-15)
    assert f.parents[1] == math.e


def test_numbers_among_themselves_are_computed_at_once() -> None:
    """2*3 + x is one node over 6.0 and x; a number alone becomes a leaf."""
    node, alone = parse("2*3 + x", x=1), parse("2*3")
    assert node.parents[0] == 6.0
    assert (alone.data, alone.op, alone.label) == (6.0, None, "")


def test_a_number_assigned_to_a_name_is_a_labelled_leaf() -> None:
    """In ``lr = 0.1; x * lr`` both operands are leaves with labels."""
    assert [leaf.label for leaf in leaves(parse("lr = 0.1; x * lr", x=2))] == ["x", "lr"]


@pytest.mark.parametrize("text", ["y = x", "y = +x", "y = where(1 > 0, x, 2)"])
@pytest.mark.parametrize("label", ["x", ""])
def test_a_second_name_is_a_node_of_its_own(text: str, label: str) -> None:
    """Assigning what has a name already makes an identity node, and changes no label."""
    x = Value(3.0, label)
    y = parse(text, x=x)
    assert (y.label, y.op, y.parents) == ("y", ops.identity, (x,))
    assert x.label == label


def test_given_values_are_used_as_they_are() -> None:
    """A Value or Parameter given is itself in the graph; gradients reach it."""
    w, x = Parameter(2.0, "weight"), Value(3.0)
    f = parse("w * x", w=w, x=x)
    f.backward()
    assert f.parents == (w, x)
    assert (w.grad, x.grad) == (3.0, 2.0)


@pytest.mark.parametrize("number", [3, 3.0, np.float32(3), np.int64(3), np.array(3.0)])
def test_any_real_number_can_be_given(number: float) -> None:
    """Ints, NumPy scalars and 0-d arrays become float leaves labelled by their name."""
    x = parse("x", x=number)
    assert (x.data, x.label, type(x.data)) == (3.0, "x", float)


def test_without_recording_the_result_is_a_leaf() -> None:
    """Inside no_grad an expression gives its number and label, and no graph."""
    with no_grad():
        f = parse("q = x * 2; f = q + 1", x=3)
    assert (f.data, f.label, f.parents) == (7.0, "f", ())


@pytest.mark.parametrize(
    "text",
    [
        "q = x + y; f = q * x",
        "q = x + y\nf = q * x",
        "q = x + y\r\nf = q * x\r\n",
        "\n    # the sum\n    q = x + y\n\n    f = q * x  # the product\n",
        "q = (x\n+ y); f = (\n  q *\n  x\n)",
        "\tq\t=\tx+y;\tf=q*x;",
    ],
)
def test_layout_of_statements(text: str) -> None:
    """Semicolons, line ends, comments, blank lines, common indentation, brackets over lines."""
    f = parse(text, x=2, y=5)
    assert (f.label, f.data) == ("f", 14.0)


def test_names_in_any_script() -> None:
    """Greek, accented and Chinese names are labels, as they are written."""
    f = parse("ŷ = σ * x̄ + 名", σ=2, x̄=3, 名=1)
    assert f.data == 7.0
    assert {node.label for node in topological_order(f)} == {"", "ŷ", "σ", "x̄", "名"}


@pytest.mark.parametrize(("text", "name"), [("ﬁ * 2", "fi"), ("fi * 2", "ﬁ"), ("ｆｉ * 2", "fi")])
def test_names_are_compared_in_normal_form(text: str, name: str) -> None:
    """A ligature or full-width spelling is the same name in the text and among the values."""
    node = parse(text, **{name: 3})
    assert isinstance(node.parents[0], Value)
    assert (node.data, node.parents[0].label) == (6.0, "fi")


def test_values_may_be_called_text_and_self() -> None:
    """No name of a value collides with parameters of parse."""
    assert parse("text * self", text=2, self=3).data == 6.0


def test_a_chain_of_a_thousand_operations_is_read() -> None:
    """Long sums nest to the left in the syntax tree, but are read without recursion."""
    f = parse("x" + " + x" * 1000, x=1)
    assert f.data == 1001.0
    assert gradients(f, leaves(f)) == [1001.0]


def test_domain_errors_pass_through() -> None:
    """An operation outside its domain says so itself, with its own remedy."""
    with pytest.raises(DomainError, match="x = -1"):
        parse("log(x)", x=-1)


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


def larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
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


@given(st.recursive(ATOMS, larger, max_leaves=12))
@example("-x**2.0**-y*z")
@example("z**.5*-x/-y-(x < y)*2.0")
def test_expressions_have_the_value_python_gives_them(text: str) -> None:
    """Precedence, associativity and every operator agree with Python's own evaluation."""
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
        ("2^w^2", "2**(w**2)"),
        ("-w^2 + 3*w^-2", "-(w**2) + 3/w**2"),
        ("max(w, x)", "maximum(w, x)"),
        ("min(w, x, 0)", "minimum(w, x, 0)"),
        ("σ(w*x)", "sigmoid(w*x)"),
        ("logistic(w) + ln(w)", "sigmoid(w) + log(w)"),
    ],
)
def test_the_syntax_of_lectures_is_read(lecture: str, python: str) -> None:
    """Powers with ^, which binds as ** does, and the lectures' names of operations."""
    there, here = (
        parse(f"f = {lecture} + 0*w*x", w=2, x=3),
        parse(f"f = {python} + 0*w*x", w=2, x=3),
    )
    assert there.data == here.data


def test_vectors_are_given_by_name() -> None:
    """Hosseini's neuron, σ(w·x + w2), with its numbers; entries are named w0, w1."""
    f = parse("f = σ(dot(w, x, b) + 0*w0)", w=[2, -3], x=(-1, -2), b=-3)
    f.backward()
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-12)
    gradients = {leaf.label: leaf.grad for leaf in leaves(f)}
    assert gradients["w0"] == pytest.approx(-0.19661193324148188, rel=1e-12)
    assert gradients["x1"] == pytest.approx(-0.5898357997244457, rel=1e-12)


def test_squared_lengths_need_no_bars() -> None:
    """‖e‖² is dot(e, e) of a vector by name, and the largest entry is max(e)."""
    assert parse("dot(e1, e1)", e1=[3.0, 4.0]).data == 25.0
    assert parse("max(v) + sum(v)", v=np.array([3.0, 4.0])).data == 11.0
