"""Whatever is given for an argument: a result, or one line of ours that says what is wrong.

The table is generated from the reference: every public callable and method, every parameter, every
kind of bad input. What is new and public has to be entered in `tests/arguments.py`. Every run gives
each callable three bad arguments, by a seed; the wide run gives all of them.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.arguments import BAD, call, public, state, takes
from tests.inner import Operation

import scalargrad
from scalargrad import JitWarning, MissingPackageError, ScalargradError, TrainingWarning, Value
from scalargrad.errors import ExpressionError, GradcheckError, StateError

TABLE = {name: (found, made) for name, found, made in public()}
#: What a user's function, as plain Python, raises of its own for what it cannot take.
OWN = ("TypeError", "OverflowError", "KeyError")
OF_THE_FUNCTION = {
    ("hvp", "inputs"), ("jvp", "primals"), ("vjp", "primals"), ("gradcheck", "args"),
    ("Jitted.__call__", "args"), ("Jitted.explain", "args"), ("ChunkedSum.__call__", "params"),
    ("Jitted.export", "args"), ("drawn", "args"), ("scan", "init"), ("cond", "operands"),
    ("scan", "xs"), ("sum_over", "data"),
    ("root", "x0"), ("fixed_point", "x0"), ("odeint", "y0"), ("rk4", "y0"),
    ("minimize", "x0"), ("minimize", "args"), ("least_squares", "x0"), ("least_squares", "args"),
    ("functional_call", "kwargs"), ("while_loop", "init_val"), ("while_loop", "body_fun"),
}  # fmt: skip
#: Parameters that are functions, which a class is, too: what it raises is its own.
FUNCTIONS = {
    *("f", "function", "loss", "regularizer", "score", "objective", "lr_lambda", "method"),
    *("activations", "callback", "cond_fun", "body_fun", "residuals", "answer"),
}
#: What says more than one line on purpose: where in an expression, all that does not fit.
LINES = (ExpressionError, GradcheckError, StateError)


def answer(run: Callable[[], Any]) -> str | None:
    """Return what is wrong with how a call ends; None if it returns, or says one line of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        warnings.simplefilter("ignore", JitWarning)
        try:
            run()
        except ScalargradError as error:
            lines = "\n" in str(error) and not isinstance(error, LINES)
            return f"more than one line: {error}" if lines else None
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return None  # the name of a file, which the system's own error tells
        except IndexError as error:
            return None if "index" in str(error) and "is" in str(error) else repr(error)
        except Exception as error:  # noqa: BLE001 - whatever else it is, it should not be
            return repr(error)
    return None


def close_plots() -> None:
    """Close the plots, of which Matplotlib would warn."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write where nothing else is."""
    monkeypatch.chdir(tmp_path)
    yield
    close_plots()


def cases(name: str) -> list[tuple[str, str]]:
    """Return each parameter of a callable with each kind of bad argument."""
    return [
        (parameter, kind)
        for parameter in takes(TABLE[name][0])
        for kind in BAD
        if parameter != "self" and not (kind == "a class" and parameter in FUNCTIONS)
    ]


def complaint_about(name: str, parameter: str, kind: str) -> str:
    """Return what is wrong with how a call ends, and with what it leaves behind."""
    found, made = TABLE[name]
    parts, run = call(name, found, made, parameter, BAD[kind]())
    before, files = state(parts), [*os.walk(".")]
    refused: list[Exception] = []

    def watched() -> None:
        try:
            run()
        except Exception as error:
            refused.append(error)
            raise

    complaint = answer(watched) or ""
    close_plots()
    if not complaint and refused and state(parts) != before:
        return "refused, and changed something"
    if not complaint and refused and [*os.walk(".")] != files:
        return "refused, and left a file"
    own = (name, parameter) in OF_THE_FUNCTION and complaint.startswith(OWN)
    return "" if own else complaint


def complaints(name: str, chosen: list[tuple[str, str]]) -> list[str]:
    """Return what is wrong with how a callable answers, which takes good arguments first."""
    random.seed(0)
    call(name, *TABLE[name])[1]()
    found = [(case, complaint_about(name, *case)) for case in chosen]
    return [f"{name}({case[0]}) given {case[1]}: {said}" for case, said in found if said]


# Optimizers step here without a backward before.
pytestmark = pytest.mark.filterwarnings("ignore:step\\(\\) found no gradient")

#: What makes pages, draws or trains, and takes long to do so.
SLOW = ("Walk.", "TrainingPage.", "Picture.", "watch", "fit", "network")


def test_each_callable_answers_bad_arguments_in_one_line() -> None:
    """Three by a seed of its own: by an error of ours, or by a result."""
    said = []
    for name in TABLE:
        if name.startswith(SLOW):
            continue
        with suppress(MissingPackageError):  # PyTorch, SymPy, NetworkX
            draw, found = random.Random(name), cases(name)
            said += complaints(name, draw.sample(found, 3))
    assert said == []


@pytest.mark.wide
@pytest.mark.parametrize("name", TABLE)
def test_a_bad_argument_is_answered_in_one_line(name: str) -> None:
    """By an error of ours, with all as it was, or by a result where it makes sense."""
    try:
        assert complaints(name, cases(name)) == []
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.wide
def test_a_bad_operand_is_answered_in_one_line() -> None:
    """For every operation of fixed arity, beside a number and beside a Value; and for sums."""
    operations: list[Any] = [x for x in vars(scalargrad).values() if isinstance(x, Operation)]
    for op, (kind, make), good in itertools.product(operations, BAD.items(), (0.5, Value(0.5))):
        arity = getattr(op, "arity", int(op.name in {"sum", "mean", "logsumexp"}))
        for i in range(arity):
            given = [make() if k == i else good for k in range(arity)]
            complaint = answer(partial(op, *given))
            assert complaint is None, f"{op.name} of {kind}: {complaint}"
