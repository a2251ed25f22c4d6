"""Ten puzzles on derivatives, whose answers are checked by `grad`.

A puzzle is a short program to complete or to fix. `check` calls the answer at random points and
compares its results with the derivatives that `grad` computes there; no answers are stored.

Examples
--------
>>> print(PUZZLES[0].program)
from scalargrad import Value, cos, exp, sigmoid, sin, softmax, tanh
from scalargrad.puzzles import check
<BLANKLINE>
# Return the derivative of tanh at x.
def derivative(x):
    return ...
<BLANKLINE>
check(1, derivative)
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from inspect import signature
from math import isclose
from typing import Any

from scalargrad.checks.arguments import check_function, check_size
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError
from scalargrad.ops import exp, logsumexp, sigmoid, sin, tanh
from scalargrad.system.short_repr import format_value
from scalargrad.transforms.functional import grad

__all__ = ["PUZZLES", "Puzzle", "Verdict", "check"]

_IMPORTS = """\
from scalargrad import Value, cos, exp, sigmoid, sin, softmax, tanh
from scalargrad.puzzles import check
"""


@dataclass(frozen=True)
class Puzzle:
    """A program to complete or to fix.

    Attributes
    ----------
    title : str
        The title.
    start : str
        The task, as a comment, and the incomplete or wrong function.
    hint : str
        The hint after a wrong answer.
    f : callable
        The function whose derivatives are wanted.
    ask : callable
        Calls an answer at a point, and returns its numbers.
    truth : callable
        Returns the correct numbers at a point.
    """

    title: str
    start: str
    hint: str
    f: Callable[..., Any]
    ask: Callable[..., Any]
    truth: Callable[..., Any]

    @property
    def program(self) -> str:
        """The initial program: the task, the function, and the call of `check`."""
        (name,) = re.findall(r"^def (\w+)", self.start, re.MULTILINE)
        number = PUZZLES.index(self) + 1
        return f"{_IMPORTS}\n{self.start}\ncheck({number}, {name})"


@dataclass(frozen=True)
class Verdict:
    """The verdict on an answer; true if the answer is right.

    Attributes
    ----------
    right : bool
        Whether the answer is right.
    text : str
        The verdict as text.
    graph : Value
        The function of the puzzle at a point, to draw or to step through.
    """

    right: bool
    text: str
    graph: Value

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


def check(number: int, answer: Callable[..., Any]) -> Verdict:
    """Check whether a function solves a puzzle.

    Parameters
    ----------
    number : int
        The number of the puzzle, from 1 to 10.
    answer : callable
        The function that the program defines; it is called at five random points.

    Returns
    -------
    Verdict
        True if the answer is right. Its text gives the difference and a hint if it is wrong, or
        the error if the answer raises one.

    Raises
    ------
    OperandError
        If no puzzle has this number, or `answer` is not a function.

    Examples
    --------
    >>> check(1, lambda x: 1 - tanh(x) ** 2)
    right
    >>> bool(check(1, lambda x: 1 - x**2))
    False
    """
    if check_size(number, "number", 1) > len(PUZZLES):
        raise OperandError(f"number is {number}: the puzzles are 1 to {len(PUZZLES)}")
    check_function(answer, "answer", "def derivative(x)")
    puzzle = PUZZLES[number - 1]
    names, rng = [*signature(puzzle.f).parameters], random.Random()
    for _ in range(5):
        point = [rng.uniform(0.5, 2) * rng.choice([-1, 1]) for _ in names]
        graph = puzzle.f(*map(Value, point, names))
        graph.label = "f"
        wrong = _describe_mistake(puzzle, answer, point)
        if wrong:
            at = ", ".join(f"{k} = {v:.4g}" for k, v in zip(names, point, strict=True))
            return Verdict(False, f"not yet: at {at}, {wrong}.\nHint: {puzzle.hint}", graph)
    return Verdict(True, "right", graph)


def _describe_mistake(puzzle: Puzzle, answer: Callable[..., Any], point: list[float]) -> str:
    """Describe the mistake of an answer at a point; "" if it is right."""
    true = puzzle.truth(*point)
    try:
        found = puzzle.ask(answer, *point)
        row = found if isinstance(found, list | tuple) else [found]
        numbers: list[Any] = [x.data if isinstance(x, Value) else x for x in row]
        if ... in numbers:
            return "it has no answer yet: replace ..."
        if [isinstance(x, int | float) for x in numbers] != [True] * len(true):
            return f"it gives {format_value(found)}, not {len(true)} number{'s' * (len(true) > 1)}"
        pairs = zip(numbers, true, strict=True)
        if all(isclose(x, y, rel_tol=1e-5, abs_tol=1e-7) for x, y in pairs):
            return ""
    except Exception as error:  # noqa: BLE001 - an answer may raise anything
        return f"it raises {type(error).__name__} ({error})"
    given, expected = (", ".join(f"{x:.4g}" for x in row) for row in (numbers, true))
    return f"it gives {given}; the engine finds {expected}"


def _call_at_point(answer: Callable[..., Any], *point: float) -> Any:
    return answer(*point)


def _call_with_parameter(answer: Callable[..., Any], w: float) -> Any:
    return answer(Parameter(w, "w"))


def _weight_after_call(answer: Callable[..., Any], w: float, x: float, t: float) -> float:
    weight = Parameter(w, "w")
    answer(weight, x, t)
    return weight.data


def _partials(f: Callable[..., Any]) -> Callable[..., Any]:
    return grad(f, argnums=tuple(range(len(signature(f).parameters))))


def _gradient_descent(f: Callable[..., Any], steps: int) -> Callable[..., list[float]]:
    """Return gradient descent on the first argument of f, with learning rate 0.1."""

    def end(w: float, *others: float) -> list[float]:
        for _ in range(steps):
            w -= 0.1 * grad(f)(w, *others)
        return [w]

    return end


def _valley(w: Any) -> Any:
    return (w - 3) ** 2


def _sine_and_cubic(a: Any, b: Any, x: Any) -> Any:
    return sin(a * x) + b * x**3


def _squared_error(w: Any, x: Any, t: Any) -> Any:
    return (tanh(w * x) - t) ** 2


#: For each puzzle: the function, how to evaluate an answer, and the correct result if it is not the
#: partial derivatives.
_CHECKS: list[tuple[Any, Any, Any]] = [
    (tanh, _call_at_point, None),
    (lambda a, b: a / b, _call_at_point, None),
    (lambda w, x, b: sigmoid(w * x + b), _call_at_point, None),
    (lambda x: x * x * sin(x), _call_at_point, None),
    (_valley, _call_with_parameter, _gradient_descent(_valley, 3)),
    (lambda new: exp(new) * new, lambda answer, new: answer(Parameter(1.0, "w"), new), None),
    (lambda x: x * tanh(x), _call_with_parameter, None),
    (lambda u, v, w: logsumexp([u, v, w]) - u, _call_at_point, None),
    (
        _sine_and_cubic,
        lambda answer, a, b, x: answer(lambda x: _sine_and_cubic(a, b, x), x),
        lambda *point: [grad(_sine_and_cubic, argnums=2)(*point)],
    ),
    (_squared_error, _weight_after_call, _gradient_descent(_squared_error, 1)),
]
_PUZZLE_TEXTS = tomllib.loads(files("scalargrad").joinpath("puzzles.toml").read_text("utf-8"))[
    "puzzle"
]
#: The puzzles, in the order of their numbers.
PUZZLES = tuple(
    Puzzle(**text, f=f, ask=ask, truth=truth or _partials(f))
    for text, (f, ask, truth) in zip(_PUZZLE_TEXTS, _CHECKS, strict=True)
)
