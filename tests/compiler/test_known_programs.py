"""The same program, recorded again, is packed once; another one is another."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.compiler.random_programs import Program

import scalargrad as sg
from scalargrad import Value, jit, value_and_grad, vmap
from scalargrad.compiler import known_programs
from scalargrad.compiler.loops.looped import looped

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Keep programs, none at first; return those that are looked through for loops."""
    found: list[Any] = []

    def noted(program: Any, **options: Any) -> Any:
        found.append(program)
        return looped(program, **options)

    monkeypatch.setattr(known_programs, "MOST", 1_000_000)
    monkeypatch.setattr("scalargrad.compiler.runner.looped", noted)
    known_programs.forget()
    yield found
    known_programs.forget()


def irregular(x: Any, y: Any) -> Any:
    """Compute what is packed node by node."""
    return sg.sin(x * y) + x / (1.0 + y * y) - sg.exp(-abs(x))


def recurrence(x: Any, y: Any) -> Any:
    """Repeat a step, which is found as a loop."""
    s = x
    for k in range(400):
        s = 0.5 * sg.sin(s * y) + 0.001 * k * x
    return s


def over_examples(x: Any, y: Any) -> Any:
    """Add up examples, which are lanes."""
    return sum(vmap(lambda k: sg.tanh(k * x) * y)([0.25 * k for k in range(600)]))


@pytest.mark.parametrize("function", [irregular, recurrence, over_examples])
def test_a_function_made_again_is_packed_once(
    function: Callable[[Any, Any], Any], looked_at: list[Any]
) -> None:
    """Each has the numbers of eager code, at points of its own."""
    for k, (x, y) in enumerate([(0.3, 1.2), (-1.5, 0.4), (0.3, -0.7)]):
        compiled = jit(value_and_grad(function, argnums=(0, 1)))
        value, slopes = compiled(x, y)
        expected, expected_slopes = value_and_grad(function, argnums=(0, 1))(x, y)
        assert [value, *slopes] == pytest.approx([expected, *expected_slopes], rel=1e-12), k
    assert len(looked_at) == 1


PAIRS: list[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = [
    (lambda x, y: x * 2.0 + y, lambda x, y: x * 3.0 + y),
    (lambda x, y: x * 0.0 + y, lambda x, y: x * -0.0 + y),
    (lambda x, y: x - y, lambda x, y: y - x),
    (lambda x, y: x * x + y, lambda x, y: x * y + y),
    (lambda x, y: sg.sin(x) * y, lambda x, y: sg.cos(x) * y),
    (lambda x, y: [x * y, x + y], lambda x, y: [x + y, x * y]),
    (lambda x, y: [x * y, x + y][:1], lambda x, y: [x * y, x + y]),
    (recurrence, lambda x, y: recurrence(x, y) + 0.001 * x),
    (over_examples, lambda x, y: over_examples(y, x)),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("given", [float, Value])
def test_programs_that_differ_have_each_their_own_numbers(
    first: Callable[[Any, Any], Any], second: Callable[[Any, Any], Any], given: type
) -> None:
    """In a constant, its sign, an operation, an operand, the order or number of results."""
    for function in (first, second):
        found = [*map(_plain, _listed(jit(function)(given(1.5), given(-0.0))))]
        expected = [*map(_plain, _listed(function(1.5, -0.0)))]
        assert found == pytest.approx(expected, rel=1e-12)
        assert [math.copysign(1.0, x) for x in found] == [math.copysign(1.0, x) for x in expected]


def _listed(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]


def _plain(x: Any) -> float:
    return x.data if isinstance(x, Value) else x


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_operations_of_the_user_are_not_known_by_their_name(factor: float) -> None:
    """A cell that is run again may define one otherwise."""
    for own in (factor, 5.0):
        found = jit(value_and_grad(_square_of_scaled(own)))(1.5)
        assert found == pytest.approx((own * 2.25, own * 3.0), rel=1e-15)


def _square_of_scaled(factor: float) -> Callable[[Any], Any]:
    @sg.custom_op(partials=lambda y, x: (factor,))
    def scaled(x: float) -> float:
        return factor * x

    return lambda x: scaled(x) * x


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(40))
def test_random_programs_made_again_have_the_same_digits(seed: int, looked_at: list[Any]) -> None:
    """Draws, branches and derivatives among them; each generator has its own."""
    program = Program(random.Random(seed))
    found = []
    for _ in range(2):
        source = random.Random(seed)
        compiled = jit(lambda xs, source=source: program(xs, source))
        try:
            found.append(repr(_plain(compiled([0.3, -0.7, 1.1, 0.2]))))
        except sg.errors.ScalargradError as error:
            found.append(type(error).__name__)
    assert found[0] == found[1]


def test_programs_are_kept_up_to_a_limit(
    looked_at: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used least recently go first; what is too large alone is never kept."""

    def plus(number: float) -> Any:
        return jit(lambda x: x * x + number)(3.0)

    monkeypatch.setattr(known_programs, "MOST", 45_000)  # two small ones, at 20,000 each
    for number in (1.0, 2.0, 1.0, 3.0, 1.0):
        assert plus(number) == 9.0 + number
    assert len(looked_at) == 3
    assert plus(2.0) == 11.0  # which went as 3.0 came
    assert len(looked_at) == 4
    many = [*range(20_000)]
    for _ in range(2):
        assert jit(lambda x: sum(sg.sin(x) * k for k in many))(0.0) == 0.0
    assert len(looked_at) == 6


@pytest.mark.uncounted
def test_threads_that_run_one_program_do_not_meet() -> None:
    """Each function has a memory of its own, whoever packed the program."""
    functions = [jit(lambda x: recurrence(x, 1.2)) for _ in range(4)]
    expected = [recurrence(0.1 * k, 1.2) for k in range(4)]
    found: list[list[float]] = [[] for _ in functions]

    def run(k: int) -> None:
        found[k] = [functions[k](0.1 * k) for _ in range(200)]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for numbers, number in zip(found, expected, strict=True):
        assert numbers == pytest.approx([number] * 200, rel=1e-12)
