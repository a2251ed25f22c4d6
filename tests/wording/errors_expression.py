"""Errors of formulas: what `parse` says of each, where the mark stands, and what to write."""

from __future__ import annotations

from typing import Any

from scalargrad import parse

#: Each is a case under its own text.
_TEXTS = [
    *("x.real", "math.sin(x)", "import os", "lambda: x", "lambda * x"),
    *("log(x, 2)", "sum([a for a in x])", "x + 'a'", 'x + "a"', "x + f'{x}'", "x[0]"),
    *("1 + (y := 3)", "sum(*x)", "sin(**x)", "x > 0 and x < 1", "x > 0 or x < 1", "not x"),
    *("1 if x else 2", "x // 2", "x % 2", "x & 2", "x | 2", "x << 2", "~x", "x @ x", "True"),
    *("x + None", "x + ...", "x + 2j", "2x", "0x10 + x", "x += 1", "a = b = 3", "a, b = 3"),
    *("x[0] = 3", "sin(x) = 3", "x + 9**9**9", "exp(1000)", "sum(1e308, 1e308)", "x + 1e999"),
    *("0 < x < 1", "(x, x)", "x,", "sin((x, 1))", "sum((x, (1, 2)))", "2 x", "(x + 1)x"),
    *("sin x", "x*xx", "|x|", "√x", "2(x)", "x(2)", "pi(2)", "(x", "x)", "x +", ";", "007"),
    *("sin", "sin()", "1 + sin(1, 2)", "clip(1, 2, 3, 4)", "clip(x, max=1)", "gelu(x, 1)"),
    *("maximum()", "mean(())", "dot(x, x)", "dot((x, 1), (2,))", "sum((x, 1), 2)", "x = 2"),
    *("q = 2; q = 3", "e = x", "tanh = x", "q = q + x", "f = q * x; q = x"),
    *("q * x; q + x; q = 2", "x + y", "x + sigmoib(x)", "x + y", "softmax(x, 1)"),
    *("x + x^2 + y^2", "x^2 + x^", "x^2 + ln(x)^2 @ 1", "minimun(x, 1)", "f(x) = 3"),
    *("x²", "θ₂ * x", "ｉｆ + x", "x\x00"),
    *("x\ud800", "x \\\n + 1", "x *= 2", "", "w²", "y1 + x"),
]
#: Formulas that are refused for the values given to them.
_VALUES: list[tuple[str, dict[str, Any]]] = [
    ("w + 1", {"w": [1, 2]}),
    ("w + 1", {"w": [1, 5]}),
    ("w(1)", {"w": [1, 2]}),
    ("sum(w) + w0", {"w": [1, 2], "w0": 3}),
    ("sum(w)", {"w": []}),
    ("x + y1", {"x": 1, "y1": 2, "y2": 3, "y3": 4}),
    ("1", {"pi": 1.0}),
    ("1", {"sum": 1.0}),
    ("x", {"x": "3"}),
    ("\n    q = x + 1\n    f = q * w", {"x": 1}),
    ("f = x\n  + y", {"x": 1, "y": 2}),
    ("x + " * 30 + "wrong" + " + x" * 30, {"x": 1}),
]


def _case(text: str, values: dict[str, Any]) -> Any:
    def case() -> None:
        parse(text, **values)

    return case


for _text in _TEXTS:
    globals()[ascii(_text)] = _case(_text, {"x": 1})
for _text, _given in _VALUES:
    globals()[f"{_text!a} with {_given}"] = _case(_text, _given)
