"""Bad arguments: every public callable returns a result or raises one line of ours.

The cases are generated from the reference: every public callable and method, every parameter, every
kind of bad input. A new public name has to be entered in `tests/arguments.py`. Every run passes
three bad arguments to each callable, chosen by a seed; the wide run passes all of them.
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
from tests.arguments import (
    ACCEPTS_ANYTHING,
    BAD,
    NONSENSE,
    parameter_names,
    prepare_call,
    public_callables,
    snapshot,
)
from tests.inner import Operation

import scalargrad
from scalargrad import JitWarning, MissingPackageError, ScalargradError, TrainingWarning, Value
from scalargrad.errors import ExpressionError, GradcheckError, StateError

TABLE = {name: (found, make_owner) for name, found, make_owner in public_callables()}
#: Errors that a user's function raises as plain Python for an argument of the wrong type.
PYTHON_ERRORS = ("TypeError", "OverflowError", "KeyError")
PASSED_TO_FUNCTION = {
    ("hvp", "inputs"), ("jvp", "primals"), ("vjp", "primals"), ("gradcheck", "args"),
    ("Jitted.__call__", "args"), ("Jitted.explain", "args"), ("ChunkedSum.__call__", "params"),
    ("Jitted.export", "args"), ("drawn", "args"), ("scan", "init"), ("cond", "operands"),
    ("scan", "xs"), ("sum_over", "data"),
    ("root", "x0"), ("fixed_point", "x0"), ("odeint", "y0"), ("rk4", "y0"),
    ("minimize", "x0"), ("minimize", "args"), ("least_squares", "x0"), ("least_squares", "args"),
    ("functional_call", "kwargs"), ("while_loop", "init_val"), ("while_loop", "body_fun"),
}  # fmt: skip
#: Parameters that are functions; a class is a function too, and raises its own errors.
FUNCTIONS = {
    *("f", "function", "loss", "regularizer", "score", "objective", "lr_lambda", "method"),
    *("activations", "callback", "cond_fun", "body_fun", "residuals", "answer"),
}
#: Errors with several lines: the position in an expression, a list of mismatches.
MULTILINE_ERRORS = (ExpressionError, GradcheckError, StateError)


def find_fault(run: Callable[[], Any]) -> str | None:
    """Return a description of a wrong error, or None after a result or one line of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        warnings.simplefilter("ignore", JitWarning)
        try:
            run()
        except ScalargradError as error:
            lines = "\n" in str(error) and not isinstance(error, MULTILINE_ERRORS)
            return f"more than one line: {error}" if lines else None
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return None  # the error of the system names the file
        except IndexError as error:
            return None if "index" in str(error) and "is" in str(error) else repr(error)
        except Exception as error:  # noqa: BLE001 - whatever else it is, it should not be
            return repr(error)
    return None


def close_plots() -> None:
    """Close the plots, so that Matplotlib does not warn of open ones."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield
    close_plots()


def cases(name: str) -> list[tuple[str, str]]:
    """Return each parameter of a callable with each kind of bad argument."""
    return [
        (parameter, kind)
        for parameter in parameter_names(TABLE[name][0])
        for kind in BAD
        if parameter != "self" and not (kind == "a class" and parameter in FUNCTIONS)
    ]


def find_fault_of_case(name: str, parameter: str, kind: str) -> str:
    """Return a wrong error, a change left behind or "accepted", or else an empty string."""
    found, make_owner = TABLE[name]
    parts, run = prepare_call(name, found, make_owner, parameter, BAD[kind]())
    before, files = snapshot(parts), [*os.walk(".")]
    raised: list[Exception] = []

    def run_and_record_error() -> None:
        try:
            run()
        except Exception as error:
            raised.append(error)
            raise

    fault = find_fault(run_and_record_error) or ""
    close_plots()
    if not raised and kind in NONSENSE and (name, parameter) not in ACCEPTS_ANYTHING:
        return "accepted"
    if not fault and raised and snapshot(parts) != before:
        return "refused, and changed something"
    if not fault and raised and [*os.walk(".")] != files:
        return "refused, and left a file"
    is_python_error = (name, parameter) in PASSED_TO_FUNCTION and fault.startswith(PYTHON_ERRORS)
    return "" if is_python_error else fault


def find_faults(name: str, chosen: list[tuple[str, str]]) -> list[str]:
    """Return the faults of a callable for some cases; good arguments must be accepted first."""
    random.seed(0)
    prepare_call(name, *TABLE[name])[1]()
    found = [(case, find_fault_of_case(name, *case)) for case in chosen]
    return [f"{name}({case[0]}) given {case[1]}: {fault}" for case, fault in found if fault]


# Optimizers take a step here without a backward pass.
pytestmark = pytest.mark.filterwarnings("ignore:step\\(\\) found no gradient")

#: Prefixes of slow callables: those that write pages, draw or train.
SLOW = ("Walk.", "TrainingPage.", "Picture.", "watch", "fit", "network")


def test_public_callables_report_bad_arguments_in_one_line() -> None:
    """Three bad arguments for each, chosen by a seed, give an error of ours or a result."""
    faults = []
    for name in TABLE:
        if name.startswith(SLOW):
            continue
        with suppress(MissingPackageError):  # PyTorch, SymPy, NetworkX
            draw, found = random.Random(name), cases(name)
            faults += find_faults(name, draw.sample(found, 3))
    assert faults == []


@pytest.mark.wide
@pytest.mark.parametrize("name", TABLE)
def test_public_callable_reports_every_bad_argument_in_one_line(name: str) -> None:
    """It raises an error of ours and changes nothing, or returns a result."""
    try:
        assert find_faults(name, cases(name)) == []
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.wide
def test_operations_report_bad_operands_in_one_line() -> None:
    """Every operation of fixed arity, with a number or a Value as the other operand; and sums."""
    operations: list[Any] = [x for x in vars(scalargrad).values() if isinstance(x, Operation)]
    for op, (kind, make), good in itertools.product(operations, BAD.items(), (0.5, Value(0.5))):
        arity = getattr(op, "arity", int(op.name in {"sum", "mean", "logsumexp"}))
        for i in range(arity):
            given = [make() if k == i else good for k in range(arity)]
            fault = find_fault(partial(op, *given))
            assert fault is None, f"{op.name} of {kind}: {fault}"
