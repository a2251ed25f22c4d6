"""Ten puzzles on derivatives: right answers are accepted, wrong ones are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import OperandError, Value, walk
from scalargrad.puzzles import PUZZLES, Verdict, check


def run_answer(number: int, *changes: tuple[str, str]) -> Verdict:
    """Run the program of a puzzle with parts of its text replaced, and return its output."""
    program = PUZZLES[number - 1].program
    for old, new in changes:
        assert old in program
        program = program.replace(old, new)
    *lines, last = program.splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    found: Verdict = eval(last, names)
    return found


#: For each puzzle the replacements that solve it, derived on paper.
RIGHT = [
    [("...", "1 - tanh(x) ** 2")],
    [("..., ...", "1 / b, -a / b**2")],
    [("z_bar = ...", "z_bar = y*(1 - y)"), ("z_bar, z_bar, z_bar", "z_bar*x, z_bar*w, z_bar")],
    [("x_bar = b_bar", "x_bar += b_bar")],
    [("        loss =", "        w.zero_grad()\n        loss =")],
    [("    f = exp(w) * w\n    w.data = new\n", "    w.data = new\n    f = exp(w) * w\n")],
    [("Value(tanh(x).data)", "tanh(x)")],
    [("return p", "return p[0] - 1, p[1], p[2]")],
    [("h = 0.1", "h = 1e-5"), ("f(x)) / h", "f(x - h)) / (2*h)")],
    [("    w = w -", "    w.data = w.data -")],
]
#: Common wrong answers.
WRONG = [
    [("...", "1 - tanh(x)")],
    [("..., ...", "1 / b, a / b**2")],
    [("z_bar = ...", "z_bar = y"), ("z_bar, z_bar, z_bar", "z_bar*x, z_bar*w, z_bar")],
    [("x_bar = b_bar", "x_bar -= b_bar")],
    [("range(3)", "range(2)")],
    [("    w.data = new\n", "")],
    [("Value(tanh(x).data)", "tanh(x).detach()")],
    [("return p", "return p[0], p[1], p[2] - 1")],
    [("h = 0.1", "h = 0.01")],
    [("    w = w -", "    w.data = w.data +")],
]


@pytest.mark.parametrize("number", range(1, 11))
def test_check_accepts_right_answers_only(number: int) -> None:
    """The initial program runs, but is not a solution; a wrong answer gets a hint."""
    assert run_answer(number, *RIGHT[number - 1]).right
    for changes in ([], WRONG[number - 1]):
        verdict = run_answer(number, *changes)
        assert not verdict
        assert PUZZLES[number - 1].hint in repr(verdict)


def test_verdict_has_the_graph_of_the_puzzle() -> None:
    """The graph is at the point where the answer was wrong, with the names of the puzzle."""
    graph = check(3, lambda w, x, b: None).graph
    inputs = {x.label: x.data for x in walk(graph).graph.order if not x.parents}
    z = inputs["w"] * inputs["x"] + inputs["b"]
    assert graph.data == pytest.approx(1 / (1 + math.exp(-z)))


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: [x, x], "1 number"),
        (lambda: 1.0, "TypeError"),
        (lambda x: 10**400, "OverflowError"),
        (lambda x: ..., "no answer yet"),
        (lambda x: math.nan, "nan"),
    ],
)
def test_check_describes_the_mistake_of_an_answer(answer: Callable[..., Any], word: str) -> None:
    """An error, a wrong number of results, and a result that is not a number."""
    assert word in repr(check(1, answer))


def test_check_accepts_values_as_answers() -> None:
    """Values in a list are accepted too."""
    assert check(2, lambda a, b: [Value(1 / b), Value(-a / b**2)])


@pytest.mark.parametrize("number", [0, 11])
def test_check_refuses_unknown_puzzle_numbers(number: int) -> None:
    """The error names the argument."""
    with pytest.raises(OperandError, match="number"):
        check(number, abs)
