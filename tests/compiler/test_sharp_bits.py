"""Each sentence of the page "The contract of jit" is quoted by a test of what it says."""

from __future__ import annotations

import array
import copy
import dataclasses
import functools
import logging
import math
import os
import pickle
import queue
import random
import re
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tests.compiler.test_captured_state import Plain, number

import scalargrad as sg
from scalargrad import (
    DomainError,
    GraphError,
    JitWarning,
    NumericalError,
    TraceError,
    Value,
    cond,
    disable_jit,
    drawn,
    gradients,
    hessian,
    jit,
    take,
    vmap,
    while_loop,
)

PAGE = Path(__file__).parents[2] / "docs/explained/sharp-bits.md"
#: Sentences that claim nothing about `jit`: how a topic begins, and where to read more.
INTRODUCTION = {"How close digits are: [accuracy](accuracy.md)."}
QUOTED: list[str] = []


def says(*sentences: str) -> Callable[[Any], Any]:
    """Note the sentences of the page that a test is of."""
    QUOTED.extend(sentences)
    return lambda test: test


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a page, without headings and code."""
    text = re.sub(r"```.*?```", "\n\n", text, flags=re.DOTALL)
    paragraphs = (" ".join(x.split()) for x in re.split(r"\n\s*\n", text))
    prose = [x for x in paragraphs if x and not x.startswith("#")]
    return [x for paragraph in prose for x in re.split(r"(?<=\.) (?=[A-Z`%])", paragraph)]


def test_each_sentence_of_the_contract_of_jit_has_a_test() -> None:
    """None is without one, and none that a test quotes has left the page."""
    page = sentences_of(PAGE.read_text(encoding="utf-8"))
    quoted = {*QUOTED, *INTRODUCTION}
    assert [x for x in page if x not in quoted] == []
    assert quoted - {*page} == set()


def test_the_contract_of_jit_has_at_most_1000_words() -> None:
    """All that one has to know fits on a page."""
    assert len(PAGE.read_text(encoding="utf-8").split()) <= 1000


def refuses(f: Callable[..., Any], *args: Any, match: str | None = None) -> None:
    """Assert that a compiled function raises TraceError."""
    with pytest.raises(TraceError, match=match):
        jit(f)(*args)


def follows(f: Callable[..., Any], change: Callable[[], Any], *args: Any) -> Any:
    """Assert that calls of a compiled function follow a change of what it reads."""
    compiled, args = jit(f), args or (2.0,)
    assert number(compiled(*args)) == number(f(*args))
    before = number(f(*args))
    change()
    assert number(compiled(*args)) == number(f(*args))
    assert math.copysign(1.0, number(compiled(*args))) == math.copysign(1.0, number(f(*args)))
    return before, number(f(*args))


def traces_of(f: Callable[..., Any]) -> tuple[Callable[..., Any], list[None]]:
    """Return a compiled function, and a list that grows with each run of its code."""
    runs: list[None] = []
    # Nothing is compared of a bound builtin but its object, which a trace may not change: so a
    # library's code does it, as a debugger would.
    code = f.__code__

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is code:
            runs.append(None)

    compiled = jit(f)

    def called(*args: Any, **kwargs: Any) -> Any:
        sys.setprofile(profile)
        try:
            return compiled(*args, **kwargs)
        finally:
            sys.setprofile(None)

    return called, runs


@says(
    "`jit` traces your function once, on numbers that record operations, and then runs the "
    "recorded program."
)
def test_jit_runs_the_code_of_a_function_once() -> None:
    """The second call gives its own number without running the code."""
    called, runs = traces_of(lambda x: x * x + 1.0)
    assert [called(2.0), called(3.0), len(runs)] == [5.0, 10.0, 1]


# Inputs -----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Batch:
    """Numbers in a dataclass, with a size."""

    rows: Any
    size: int = 1


@says(
    "A program reads at each call: numbers in the arguments, at any depth of lists, tuples, dicts, "
    "arrays and dataclasses; Values in arguments, objects of your classes and variables; and "
    "numbers drawn by `drawn`."
)
def test_jit_reads_numbers_of_arguments_values_and_draws_at_each_call() -> None:
    """Without tracing again."""
    held: Any = Plain(w=Value(2.0))
    rng, again = random.Random(0), random.Random(0)
    bias = Value(3.0)

    def f(a: Any, w: Any) -> Any:
        total = a["x"][0][1] + a["y"].rows[1] + a["z"][0] + w
        return total + held.w + bias + drawn(rng.gauss, 0.0, 1.0)

    called, runs = traces_of(f)
    for k in range(3):
        x = float(k)
        held.w.data, bias.data = 10.0 * x, 20.0 * x
        a = {"x": [(0.0, x)], "y": Batch([0.0, 2.0 * x]), "z": np.array([3.0 * x])}
        expected = 6.0 * x + 4.0 * x + 30.0 * x + again.gauss(0.0, 1.0)
        assert number(called(a, Value(4.0 * x))) == pytest.approx(expected, rel=1e-14)
    assert len(runs) == 1


@says(
    "Everything else about an argument (a length, a key, a text, an `int` in a dataclass) is part "
    "of the program."
)
@pytest.mark.parametrize(
    ("f", "first", "second"),
    [
        (lambda a: a[0] * len(a), [1.0, 2.0], [1.0, 2.0, 3.0]),
        (lambda a: sum(x * len(k) for k, x in a.items()), {"a": 2.0}, {"abc": 2.0}),
        (lambda a: a[0] * len(a[1]), (2.0, "ab"), (2.0, "abc")),
        (lambda a: a.rows * a.size, Batch(2.0, 3), Batch(2.0, 4)),
    ],
    ids=["length", "key", "text", "int in a dataclass"],
)
def test_jit_traces_again_where_all_else_of_an_argument_differs(
    f: Any, first: Any, second: Any
) -> None:
    """Another length, key, text or size has a program of its own, which is kept."""
    called, runs = traces_of(f)
    assert [called(first), called(second)] == [f(first), f(second)]
    assert [called(first), called(second), len(runs)] == [f(first), f(second), 2]


@says("Numbers are float64, integers too.")
def test_jit_computes_with_floats() -> None:
    """Of integers, the result is a float; one that no float equals is refused."""
    assert repr(jit(lambda n: n * 3)(2)) == "6.0"
    refuses(lambda n: n * 3, 2**53 + 1, match="float")


@says(
    "`%` and `//` of numbers beyond 2⁵³ are refused, or left to Python where they are plain "
    "integers."
)
def test_jit_never_rounds_a_remainder_of_large_numbers() -> None:
    """The result is Python's, or an error."""
    functions: list[Any] = [lambda n: n * n % 7, lambda n: n * n // 7]
    for f in functions:
        assert jit(f)(2**40 + 1) == f(2**40 + 1)
        with pytest.raises(sg.ScalargradError):
            jit(f)(Value(2.0**60))


# Captured state ---------------------------------------------------------------------------------

GLOBAL = {"rate": 2.0}


@says(
    "A function may read variables, globals, defaults and attributes that hold numbers, text, "
    "Values, NumPy arrays, random generators, functions, classes, modules, and containers and "
    "objects of your classes of these."
)
@pytest.mark.parametrize(
    ("held", "read", "other"),
    [
        (2.0, lambda x: x, 3.0),
        ("ab", len, "abc"),
        (Value(2.0), lambda x: x, Value(3.0)),
        (np.array([1.0, 2.0]), lambda x: x[1], np.array([1.0, 3.0])),
        (random.Random(0), lambda x: 0.0 * drawn(x.random), random.Random(1)),
        (lambda: 2.0, lambda x: x(), lambda: 3.0),
        (Batch, lambda x: x(2.0).rows, lambda rows: Batch(3.0 * rows)),
        (math, lambda x: x.pi, SimpleNamespace(pi=3.0)),
        ([{"a": (2.0,)}], lambda x: x[0]["a"][0], [{"a": (3.0,)}]),
        (Plain(k=Plain(w=2.0)), lambda x: x.k.w, Plain(k=Plain(w=3.0))),
    ],
    ids=["number", "text", "Value", "array", "generator", "function", "class", "module",
         "container", "object"],
)  # fmt: skip
def test_jit_follows_a_variable_global_default_and_attribute(
    held: Any, read: Callable[[Any], Any], other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes the place of another is read at the next call."""
    variable, owner = held, cast("Any", Plain(a=held))
    monkeypatch.setitem(globals(), "HELD", held)

    def default(x: Any, d: Any = held) -> Any:
        return x * read(d)

    def change() -> None:
        nonlocal variable
        variable = other

    follows(lambda x: x * read(variable), change)
    follows(lambda x: x * read(HELD), lambda: globals().update(HELD=other))  # type: ignore[name-defined] # noqa: F821
    follows(default, lambda: setattr(default, "__defaults__", (other,)))
    follows(lambda x: x * read(owner.a), lambda: setattr(owner, "a", other))


@says(
    "All of it is compared at each call, and a change, even from `0.0` to `-0.0`, traces the "
    "function again."
)
def test_jit_traces_again_after_a_change_of_a_sign_of_zero() -> None:
    """1/x of Python's copysign tells which zero it is."""
    state = {"zero": 0.0}
    f = lambda x: x * math.copysign(1.0, state["zero"])  # noqa: E731
    assert follows(f, lambda: state.update(zero=-0.0)) == (2.0, -2.0)


@says("A Value that takes the place of another is read from then on.")
def test_jit_reads_a_value_that_takes_the_place_of_another() -> None:
    """Its gradient is its own."""
    layer: Any = Plain(w=Value(2.0))
    called, runs = traces_of(lambda x: x * layer.w)
    assert number(called(3.0)) == 6.0
    layer.w = Value(5.0)
    y = called(3.0)
    y.backward()
    assert (number(y), layer.w.grad, len(runs)) == (15.0, 3.0, 1)


@says(
    "Where code names attributes by literals, only attributes with these names are compared: a log "
    "that nothing reads costs nothing."
)
def test_jit_does_not_compare_a_log_that_nothing_reads() -> None:
    """Nor an object that could not be compared."""

    class Layer:
        def __init__(self) -> None:
            self.w, self.log = 2.0, list[int]()

    layer = Layer()
    setattr(layer, "socket", SOCKET)  # noqa: B010 - a name that no class has
    called, runs = traces_of(lambda x: x * layer.w)
    for k in range(3):
        assert called(1.0) == 2.0
        layer.log.append(k)
    assert len(runs) == 1


def all_of(o: Any) -> Any:
    """Return the last attribute of an object by a class pattern of its dict."""
    match o:
        case Batch(rows):
            return rows
    return 0.0


@says(
    'Where it computes a name, as in `getattr(self, f"w{i}")`, or uses `vars`, `copy`, `pickle`, '
    "`match` or an installed package that might read the object, all attributes are compared."
)
@pytest.mark.parametrize(
    "read",
    [
        lambda o: getattr(o, f"r{'ow'}s"),
        lambda o: sum(vars(o).values()),
        lambda o: copy.copy(o).rows,
        lambda o: pickle.loads(pickle.dumps(o)).rows,
        all_of,
        lambda o: pytest.approx(o).expected.rows,
    ],
    ids=["getattr", "vars", "copy", "pickle", "match", "package"],
)
def test_jit_compares_all_attributes_where_code_does_not_name_them(read: Any) -> None:
    """A change under a name that no code holds is followed."""
    state = Batch(2.0)
    before, after = follows(lambda x: x * read(state), lambda: setattr(state, "rows", 5.0))
    assert before != after


LOCK, EVENT, NUMBERS = threading.Lock(), threading.Event(), iter([1.0, 2.0])
SOCKET = socket.socket()
SOCKET.close()
NOW, AT = time.time, {"open": open}


@says(
    "Clocks, files, processes, sockets, the environment, `eval`, and the states of locks, events "
    "and iterators are refused, however they are reached: pass their results."
)
@pytest.mark.parametrize(
    "read",
    [
        time.perf_counter,
        lambda: 1.0 * NOW(),
        lambda: 1.0 * getattr(time, "ti" + "me")(),
        lambda: date.today().day,
        lambda: len(Path(__file__).read_text(encoding="utf-8")),
        lambda: AT["open"](__file__).fileno(),
        lambda: len(subprocess.check_output(["true"])),
        lambda: socket.socket().fileno(),
        lambda: 1.0 * SOCKET.fileno(),
        lambda: len(os.environ),
        lambda: len(os.environ.get("HOME", "")),
        lambda: eval("GLOBAL")["rate"],
        lambda: float(LOCK.locked()),
        lambda: float(EVENT.is_set()),
        lambda: next(NUMBERS),
    ],
)
def test_jit_refuses_clocks_files_and_states_of_the_process(read: Callable[[], float]) -> None:
    """And takes their results as arguments."""
    refuses(lambda x: x * read(), 1.0)
    assert jit(lambda x, y: x * y)(2.0, 3.0) == 6.0


LOGGER, PATH, DAY = logging.getLogger("sharp bits"), Path("a/b"), date(2020, 1, 31)


@says("Objects of libraries are refused, other than loggers, locks, paths, dates and numbers.")
def test_jit_refuses_objects_of_libraries() -> None:
    """Of which it cannot tell whether they have changed."""
    jobs, pattern = queue.Queue[float](), array.array("d", [1.0])
    refuses(lambda x: x + jobs.qsize(), 1.0, match=r"queue\.Queue")
    refuses(lambda x: x * pattern[0], 1.0, match=r"array\.array")
    half = Fraction(1, 2)

    def f(x: Any) -> Any:
        LOGGER.debug("called")
        with LOCK:
            return x * len(PATH.parts) * DAY.day * float(half)

    assert jit(f)(1.0) == 31.0


@says("Library functions are assumed to be pure, and not to be replaced.")
def test_jit_does_not_notice_that_a_function_of_a_library_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program has what `math.sqrt` gave when it was traced."""
    f = jit(lambda x: x * math.sqrt(4.0))
    assert f(1.0) == 2.0
    monkeypatch.setattr(math, "sqrt", lambda x: 0.0)
    assert f(1.0) == 2.0


@says("A logger writes while a function is traced, and not afterwards.")
def test_jit_logs_while_it_traces(caplog: pytest.LogCaptureFixture) -> None:
    """Twice called, once written."""

    def f(x: Any) -> Any:
        LOGGER.warning("traced")
        return x

    compiled = jit(f)
    assert [compiled(1.0), compiled(2.0)] == [1.0, 2.0]
    assert caplog.messages == ["traced"]


# Changes ----------------------------------------------------------------------------------------


@says(
    "A function must not change an argument or captured state: a list, a counter, an attribute.",
    "Return what is new.",
    "A refused call leaves everything as it was.",
)
def test_jit_refuses_changes_and_undoes_them() -> None:
    """A counter returned is no change."""
    rows: list[float] = []
    state: Any = Plain(count=0, k=1.0)

    def count(x: Any) -> Any:
        state.count += 1
        return x

    def halve(x: Any) -> Any:
        state.k = state.k / 2.0
        return x * state.k

    refuses(lambda x: [rows.append(1.0), x][1], 1.0, match="changes")  # type: ignore[func-returns-value]
    refuses(lambda a: [a.append(1.0), a[0]][1], [2.0])
    refuses(count, 1.0, match=r"count|Plain")
    refuses(halve, 1.0)
    assert (rows, vars(state)) == ([], {"count": 0, "k": 1.0})
    assert jit(lambda x, n: (x, n + 1.0))(1.0, 2.0) == (1.0, 3.0)


@says(
    "A result that is computed once and cached is allowed: a memo of numbers, a `cached_property`.",
    "A new attribute that holds results, as `self.out`, is removed again.",
)
def test_jit_allows_memos_and_takes_away_results() -> None:
    """`out` would hold a number of the trace."""

    class Layer:
        k = 2.0

        @functools.cached_property
        def scale(self) -> float:
            return 3.0 * self.k

        def __call__(self, x: Any) -> Any:
            self.out = x * self.scale * half(4)
            return self.out

    memo: dict[int, float] = {}

    def half(n: int) -> float:
        if n not in memo:
            memo[n] = n / 2
        return memo[n]

    layer = Layer()
    compiled = jit(layer)
    assert [compiled(1.0), compiled(2.0)] == [12.0, 24.0]
    assert (memo, vars(layer)) == ({4: 2.0}, {"scale": 6.0})


@says(
    "A list, tuple, array or dataclass that is an argument and also captured is refused where the "
    "code compares by `is`."
)
@pytest.mark.parametrize("held", [[2.0], (2.0,), np.array([2.0]), Batch(2.0)])
def test_jit_refuses_an_argument_that_is_captured_and_compared_by_is(held: Any) -> None:
    """As the argument is a copy while a function is traced."""
    refuses(lambda a: 2.0 if a is held else 3.0, held, match="`is`")
    assert jit(lambda a, x: x if a == "a" else x + len(str(held)))("a", 2.0) == 2.0


# Conditions -------------------------------------------------------------------------------------


def leaky(x: Any) -> Any:
    """Return x, or a tenth of it."""
    return x if x > 0.0 else 0.1 * x


@says(
    "An `if` on a number is traced for one branch; the other branch is another program.",
    "A branch is compiled when it is taken again.",
)
def test_jit_compiles_a_branch_that_is_taken_again() -> None:
    """One that is taken once has no program; in the end there are two."""
    compiled = jit(leaky)
    assert (compiled(1.0), len(compiled.all_paths())) == (1.0, 0)
    assert (compiled(2.0), len(compiled.all_paths())) == (2.0, 1)
    end = time.monotonic() + 60.0  # one branch is not compiled right after another
    while len(compiled.all_paths()) < 2 and time.monotonic() < end:
        assert (compiled(-1.0), compiled(2.0)) == (-0.1, 2.0)
    assert len(compiled.all_paths()) == 2


@says("At most four branches are kept; other calls are eager, and one warning names the line.")
def test_jit_warns_once_of_a_fifth_branch() -> None:
    """Of a function with one branch for each integer."""

    def f(x: Any) -> Any:
        k = 0.0
        while k < x:
            k += 1.0
        return k * x

    compiled = jit(f)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            for x in range(1, 10):
                assert compiled(float(x)) == float(x * x)
    [warning] = [x for x in caught if issubclass(x.category, JitWarning)]
    assert "test_sharp_bits.py" in str(warning.message)
    assert len(compiled.all_paths()) <= 4


@says(
    "Use `where`, `cond`, `while_loop`, `maximum(*xs)`, `minimum` or `clip`, and make a number of "
    'steps a static argument: `jit(f, static_argnames="steps")`.'
)
def test_jit_has_one_program_for_where_cond_and_loops() -> None:
    """Whichever is chosen; an argument that is static may be a length."""

    def f(x: Any) -> Any:
        y = sg.where(x > 0.0, x, 0.1 * x) + cond(x > 1.0, lambda x: x, lambda x: 2.0 * x, x)
        y += while_loop(lambda k: k < x, lambda k: k + 1.0, 0.0)
        return y + sg.maximum(x, 1.0) + sg.minimum(x, 1.0) + sg.clip(x, 0.0, 1.0)

    called, runs = traces_of(f)
    values = {2.0: 2.0 + 2.0 + 2.0 + 2.0 + 1.0 + 1.0, 0.5: 0.5 + 1.0 + 1.0 + 1.0 + 0.5 + 0.5}
    for x, expected in values.items():
        assert called(x) == expected
    assert len(runs) == 1

    def powers(x: Any, steps: int) -> Any:
        return math.prod([x] * steps)

    static = jit(powers, static_argnames="steps")
    assert [static(2.0, steps=3), static(2.0, steps=4)] == [8.0, 16.0]


@says("Inside `vmap` one example stands for all, so an `if` on its numbers is refused.")
def test_jit_refuses_a_branch_inside_vmap() -> None:
    """`where` chooses for each."""
    refuses(lambda xs: sum(vmap(leaky)(xs)), [1.0, -1.0], match="vmap")
    each = vmap(lambda x: sg.where(x > 0.0, x, 0.1 * x))
    assert jit(lambda xs: sum(each(xs)))([1.0, -1.0]) == 0.9


@says(
    "A program may round a product together with its sum, so a comparison of numbers that are "
    "equal up to rounding may come out differently: leave a margin."
)
def test_jit_agrees_with_eager_code_up_to_rounding() -> None:
    """With a margin, a comparison comes out as in eager code."""

    def f(x: Any, y: Any) -> Any:
        return x if abs(x * y + y - (y + y * x)) < 1e-12 else 0.0

    rng, compiled = random.Random(0), jit(f)
    pairs = [(rng.random(), rng.random()) for _ in range(50)]
    assert [compiled(*pair) for pair in pairs] == [x for x, _ in pairs]


# Numbers while a function is traced --------------------------------------------------------------

TABLE = {2.0: 3.0}


@says(
    "`.data`, `.grad`, `float(x)`, `int(x)`, `math.sin(x)` and `print(x)` would freeze a number "
    "into the program, so they are refused, as are `x.dtype` and looking a number up in a dict.",
    "The error names the line and the remedy: `table[i]` is written `take(table, i)`.",
)
@pytest.mark.parametrize(
    ("f", "given"),
    [
        (lambda x: x * x.data, Value(2.0)),
        (lambda x: x * x.grad, Value(2.0)),
        (lambda x: x * float(x), 2.0),
        (lambda x: x * int(x), 2.0),
        (lambda x: x * math.sin(x), 2.0),
        (lambda x: [print(x), x][1], 2.0),
        (lambda x: x * (x.dtype == float), np.float64(2.0)),
        (lambda x: x * TABLE.get(x, 1.0), 2.0),
        (lambda i: [1.0, 2.0][i], 1),
    ],
    ids=["data", "grad", "float", "int", "sin", "print", "dtype", "dict", "list"],
)
def test_jit_refuses_to_freeze_a_number(f: Any, given: Any) -> None:
    """And names the line, and what to write."""
    refuses(f, given, match=r"test_sharp_bits.py:\d+\)|dtype")
    refuses(lambda i: [1.0, 2.0][i], 1, match=r"take\(")
    assert jit(lambda i: take([1.0, 2.0], i))(1) == 2.0


def matched(x: Any) -> float:
    """Return 2.0 for a float."""
    match x:
        case float():
            return 2.0
        case _:
            return 3.0


@says(
    "`isinstance(x, float)`, `type(x)` and `match` answer as in eager code, or are refused: what "
    "is computed from an integer may be one."
)
@pytest.mark.parametrize(
    "ask", [lambda x: 2.0 if isinstance(x, float) else 3.0, lambda x: 2.0 * (type(x) is float),
            matched]
)  # fmt: skip
def test_jit_answers_for_the_class_of_a_number(ask: Any) -> None:
    """Of floats and Values; another class at a later call traces again."""
    f: Any = lambda x: 10.0 * x * ask(2 * x)  # noqa: E731
    compiled = jit(f)
    for x in (2.0, Value(2.0), 2.0):
        assert number(compiled(x)) == number(f(x))
    refuses(f, 2, match="class")


@says(
    "Arrays that a function is given hold Values, in C order.",
    "NumPy's `max`, `clip`, `sort` and the like compare these as Python's `if` does: write "
    "`maximum(*xs)`.",
)
def test_jit_gives_arrays_of_values() -> None:
    """NumPy's maximum branches; scalargrad's has one program."""
    grid = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])

    def is_in_c_order(a: Any) -> Any:
        return a[0, 1] * a.flags.c_contiguous

    assert jit(is_in_c_order)(grid) == 2.0
    functions: list[Any] = [np.max, lambda a: sg.maximum(*a)]
    for function, has_branches in zip(functions, (True, False), strict=True):
        compiled = jit(function)
        for row in [[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]:  # the second call takes the same branch
            assert compiled(np.array(row)) == max(row)
        assert {path.branches for path in compiled.all_paths()} == {has_branches}


@says("A call whose inputs hold nan where something is compared is eager.")
def test_jit_calls_eagerly_where_nan_is_compared() -> None:
    """The code runs again, and gives what eager code gives."""
    called, runs = traces_of(lambda x: sg.maximum(x, 1.0) * (2.0 if x > 0.0 else 3.0))
    called(2.0)
    before = len(runs)
    with disable_jit():
        expected = called(math.nan)
    assert str(called(math.nan)) == str(expected)
    assert len(runs) > before + 1


@says("`uint8` does not wrap around.")
def test_jit_computes_with_uint8_as_floats() -> None:
    """200 + 100 is 300."""
    pixels = np.array([200, 100], np.uint8)
    assert jit(lambda a: a[0] + a[1])(pixels) == 300.0


# Random numbers ---------------------------------------------------------------------------------


@says(
    "`drawn(rng.gauss, 0.0, 1.0)` draws a new number at each call, in the order of eager code.",
    "A plain `rng.gauss(0.0, 1.0)` is refused.",
    "Shuffle and choose outside, as for [minibatches](../guides/micrograd.md#minibatches).",
)
def test_jit_draws_by_drawn_alone() -> None:
    """The numbers are those that eager code draws."""
    rng, again = random.Random(0), random.Random(0)
    noisy = jit(lambda x: x * drawn(rng.gauss, 0.0, 1.0) + drawn(rng.random))
    for _ in range(3):
        assert noisy(2.0) == pytest.approx(2.0 * again.gauss(0.0, 1.0) + again.random(), rel=1e-14)
    for f in (
        lambda x: x * rng.gauss(0.0, 1.0),
        lambda x: x * rng.choice([1.0, 2.0]),
        lambda x: x * rng.sample([1.0, 2.0], 1)[0],
    ):
        refuses(f, 1.0, match="random")
    assert rng.getstate() == again.getstate()
    guide = (PAGE.parent / "../guides/micrograd.md").resolve().read_text(encoding="utf-8")
    assert re.search(r"^#+ Minibatches$", guide, re.MULTILINE | re.IGNORECASE)


# Results ----------------------------------------------------------------------------------------


@says(
    "A result is a number, a Value, text, None, or a list, tuple, dict, array or dataclass of "
    "them.",
    "It is a float if no Value was among the inputs.",
    "Gradients flow from results to the Values that were given.",
)
def test_jit_returns_numbers_in_containers() -> None:
    """Floats of floats; of Values, Values with gradients."""
    compiled = jit(lambda x: [x, (2.0 * x, "a", None), {"k": 3.0 * x}, Batch(4.0 * x)])
    assert compiled(1.0) == [1.0, (2.0, "a", None), {"k": 3.0}, Batch(4.0)]
    assert jit(lambda x: np.array([x, 2.0 * x]))(1.0).tolist() == [1.0, 2.0]
    w = Value(5.0)
    found = compiled(w)
    assert type(compiled(1.0)[0]) is float
    assert gradients(found[3].rows, [w]) == [4.0]
    refuses(lambda x: {1.0, 2.0}, 1.0)


@says(
    "The gradient of one result by another is a GraphError, and that of a result's slope by the "
    "result is 0: take them inside."
)
def test_jit_returns_results_that_do_not_depend_on_each_other() -> None:
    """Inside, the gradient is known."""
    w = Value(3.0)

    def pair(x: Any) -> Any:
        y = x * x
        return y, 5.0 * y

    y, z = jit(pair)(w)
    with pytest.raises(GraphError):
        gradients(z, [y])

    def inside(x: Any) -> Any:
        y = x * x
        return gradients(5.0 * y, [y])[0]

    assert number(jit(inside)(w)) == 5.0
    y = jit(lambda x: x * x)(w)
    [slope] = gradients(y, [w], create_graph=True)
    assert gradients(slope, [y]) == [0.0]


# Outside a domain ---------------------------------------------------------------------------------


@says(
    "A call that leaves the domain of an operation, also of one on which the result does not "
    "depend, raises the DomainError of eager code."
)
def test_jit_raises_errors_of_domains_as_eager_code() -> None:
    """With the same text."""

    def for_nothing(x: Any) -> Any:
        sg.log(x)
        return 2.0 * x

    for f in (lambda x: sg.tanh(sg.log(x)), for_nothing):
        compiled, texts = jit(f), []
        assert compiled(1.0) == f(1.0)
        for function in (f, compiled):
            with pytest.raises(DomainError) as caught:
                function(-1.0)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]


@says(
    "A call whose result or gradient is inf or nan is made eagerly, and takes as long; a gradient "
    "of several results, or a second one, is a NumericalError then: take it inside, "
    "`jit(hessian(f))`."
)
def test_jit_calls_eagerly_for_an_infinite_result_or_gradient() -> None:
    """The code runs again; inside, a second gradient is that of eager code."""
    called, runs = traces_of(lambda x: sg.sqrt(x) * 1e200)
    x = Value(4.0)
    assert number(called(x)) == 2e200
    before = len(runs)
    for number_of_calls in (1, 2):
        x.data = 0.0
        assert gradients(called(x), [x]) == [math.inf]
        assert len(runs) == before + number_of_calls
    x, y = Value(0.0), Value(3.0)
    pair = jit(lambda x, y: [sg.sqrt(x) + y, x * x + y])
    with pytest.raises(NumericalError, match="lambda"):
        gradients(pair(x, y)[0], [x])
    power = lambda xs: xs[0] ** 1.5  # noqa: E731 - whose second derivative is infinite at 0
    x = Value(0.0)
    [slope] = gradients(jit(power)([x]), [x], create_graph=True)
    with pytest.raises(NumericalError):
        gradients(slope, [x])
    found = jit(hessian(power))([4.0])
    assert found[0][0] == pytest.approx(0.75 / 2.0)


# To make sure -------------------------------------------------------------------------------------


@says(
    "`jit(f, check=True)`, or `SCALARGRAD_JIT=check` for a process, makes each call eagerly as "
    "well, and raises a TraceError where a number or gradient differs.",
    "`with disable_jit():` or `SCALARGRAD_JIT=off` runs your functions as written: "
    "[debug](../guides/debug.md#a-compiled-function).",
)
def test_jit_checks_each_call_or_runs_functions_as_written() -> None:
    """What a library's replaced function gives differs from what was traced."""
    program = (
        "import math, scalargrad as sg\n"
        "from contextlib import nullcontext\n"
        "f = sg.jit(lambda x: x * math.sqrt(4.0){})\n"
        "with {}:\n"
        "    f(1.0); math.sqrt = lambda x: 3.0\n"
        "    print(f(1.0))\n"
    )

    def run(option: str = "", context: str = "nullcontext()", mode: str = "") -> str:
        source = program.replace("sqrt(4.0){}", "sqrt(4.0)" + option).replace("{}", context)
        done = subprocess.run(
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **({"SCALARGRAD_JIT": mode} if mode else {})},
        )
        return done.stdout.strip() or done.stderr

    assert run() == "2.0"
    assert "TraceError" in run(option=", check=True")
    assert "TraceError" in run(mode="check")
    assert run(context="sg.disable_jit()") == run(mode="off") == "3.0"
